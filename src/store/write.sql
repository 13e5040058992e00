-- The one write of the pipeline: a batch of decided leads of one partition, with their entries.
--
-- Parameters: $1 partition, $2 the mode epoch the batch was decided under;
--   $3 the leads (expected_version is null for a lead to create), $4 their entries in order, `lead` being the ordinal
--   of the lead; $5 after what time a lead is quiet (null: never), $6 the time between check-ins.
-- One row comes back, or none if the mode epoch has moved: then nothing was written.
with
-- First of all the head row is locked: one lock order for all replicas. Whatever writes below joins `clock`, so it
-- can't begin before this lock is held.
head as materialized (
    select position, tag, recorded_at, floor from heads
    -- From the end of the key: an open foreign transaction keeps thousands of older versions before it.
    where partition = $1 and mode_epoch = $2 order by position desc limit 1 for update
),
-- The same row as this statement's snapshot has it, which may be older than what was locked.
seen as materialized (
    select position from heads where partition = $1 order by position desc limit 1
),
-- The time is taken after the lock (a step of its own: the lock's own select list is computed before it waits).
clock as materialized (
    select position, tag, greatest(recorded_at, clock_timestamp() + (select time_offset from pipeline where only_row)) as at from head
),
lead as materialized (
    select * from unnest($3::decided_lead[])
),
entry as materialized (
    select * from unnest($4::decided_entry[])
),
-- Of these requests, the ones whose history was pruned. While nothing was, the table isn't looked at. It has one index,
-- so equality will do.
--
-- Why none is missed: a prune moves a request from one table to the other in one statement, so this statement's
-- snapshot has it in one of them, however long it then waits for the head row. A request that is recorded after the
-- snapshot was taken is in neither, pruned or not; but it gave its lead another version and tag (or made the lead), no
-- prune touches a lead, and `updated` compares again behind the lock (`created` finds the lead there). The log's unique
-- index doesn't guard pruned requests, and needn't.
pruned as materialized (
    select request_id, lead_id from pruned_requests
    where partition = $1 and request_id = any (array(select request_id from entry)) and (select floor from head) > 0
),
-- Requests that are recorded already: a lead that has one is left alone, and its commands are looked at anew.
-- Here and below, a lookup by key asks for the first row at or behind the key in the key's order: only that key's index
-- gives the order. Asked for equality, a plan that is made while the tables are small, and kept, may choose another
-- index and read a whole partition each time.
replayed as materialized (
    select entry.lead as ordinal
    from entry
    cross join lateral (
        select request_id, lead_id from entries
        where partition = $1 and (request_id, lead_id) >= (entry.request_id, entry.lead_id)
        order by request_id, lead_id, step limit 1
    ) as next
    where next.request_id = entry.request_id and next.lead_id = entry.lead_id
    union all
    select lead from entry where ((request_id, lead_id) in (select request_id, lead_id from pruned)) is true
),
-- The leads that still are what the decision was based on, and where they are stored.
found as materialized (
    select lead.*, next.place, next.follow_up_at
    from lead
    cross join lateral (
        select ctid as place, lead_id, version, tag, follow_up_at from leads
        where partition = $1 and lead_id >= lead.lead_id order by lead_id limit 1
    ) as next
    where next.lead_id = lead.lead_id
        and next.version = lead.expected_version and next.tag = lead.expected_tag
        and lead.ordinal not in (select ordinal from replayed)
),
-- Version and tag are compared again: a lead that changed while this statement waited for the head row is met anew.
updated as (
    update leads set
        version = found.version, tag = found.tag, stage = found.stage, furthest_stage = found.furthest_stage,
        dead_reason = found.dead_reason, email = found.email, sms = found.sms, voice = found.voice,
        email_failures = found.email_failures, phone_failures = found.phone_failures, meeting_id = found.meeting_id,
        meeting_starts_at = found.meeting_starts_at, meeting_ends_at = found.meeting_ends_at,
        stage_entered_at = case when found.stage_entered then clock.at else leads.stage_entered_at end,
        last_outreach_at = case when found.outreach then clock.at else leads.last_outreach_at end,
        last_reply_at = case when found.reply then clock.at else leads.last_reply_at end,
        timer_at = case found.timer
            when 0 then leads.timer_at when 2 then found.meeting_ends_at when 3 then clock.at + $5::interval end,
        follow_up_at = case found.follow_up
            when 0 then leads.follow_up_at when 2 then clock.at when 3 then clock.at + $6::interval end,
        -- A check-in that is put off is looked at when it was to be: the index stays as it is.
        follow_up_look_at = case found.follow_up
            when 0 then leads.follow_up_look_at when 2 then clock.at
            when 3 then least(leads.follow_up_look_at, clock.at + $6) end,
        follow_up_number = leads.follow_up_number + found.follow_ups
    from clock, found
    where leads.ctid = found.place and leads.version = found.expected_version and leads.tag = found.expected_tag
    -- As a completion may have left it a moment ago; if this write makes it another, as it was found.
    returning found.ordinal, case found.follow_up when 0 then leads.follow_up_at else found.follow_up_at end as follow_up_at
),
created as (
    insert into leads (
        partition, lead_id, agent_id, version, tag, stage, furthest_stage, dead_reason, email, sms, voice,
        email_failures, phone_failures, meeting_id, meeting_starts_at, meeting_ends_at, created_at, stage_entered_at,
        last_outreach_at, last_reply_at, timer_at, follow_up_at, follow_up_look_at, follow_up_number
    )
    select
        $1, lead.lead_id, agent_id, version, lead.tag, stage, furthest_stage, dead_reason, email, sms, voice,
        email_failures, phone_failures, meeting_id, meeting_starts_at, meeting_ends_at, clock.at, clock.at,
        case when outreach then clock.at end, case when reply then clock.at end,
        case timer when 2 then meeting_ends_at when 3 then clock.at + $5 end,
        case follow_up when 2 then clock.at when 3 then clock.at + $6 end,
        case follow_up when 2 then clock.at when 3 then clock.at + $6 end,
        follow_ups
    from clock, lead
    where lead.expected_version is null and lead.ordinal not in (select ordinal from replayed)
    on conflict do nothing
    returning lead_id
),
written as materialized (
    select ordinal, follow_up_at from updated
    union all
    -- `is true` keeps a subquery a hashed lookup; as a join it would compare every row with every other.
    select ordinal, null from lead where (lead_id in (select lead_id from created)) is true
),
numbered as materialized (
    select entry.*, clock.position + row_number() over (order by entry.number) as position, clock.at as recorded_at
    from clock, entry
    where (entry.lead in (select ordinal from written)) is true
),
logged as (
    insert into entries (
        partition, position, lead_id, agent_id, version, step, from_stage, to_stage, dead_reason, dead_raised, cause,
        details, actor_kind, actor_id, reason, request_id, digest, occurred_at, recorded_at, tag, entered_at
    )
    select
        $1, position, lead_id, agent_id, version, step, from_stage, to_stage, dead_reason, dead_raised, cause,
        details, actor_kind, actor_id, reason, request_id, digest, occurred_at, recorded_at, tag,
        case when entered_now then recorded_at else entered_at end
    from numbered
),
advanced as (
    update heads set position = last.position, tag = last.tag, recorded_at = last.recorded_at
    from (select position, tag, recorded_at from numbered order by position desc limit 1) as last
    -- Whatever was locked is at or behind what was seen.
    where heads.partition = $1 and heads.position >= (select position from seen)
)
select
    clock.position as "base!",
    clock.tag as "previous_tag!",
    clock.at as "recorded_at!: PgTimestamp",
    clock_timestamp() + (select time_offset from pipeline where only_row) as "now!: PgTimestamp",
    array(select ordinal from written) as "written!",
    -- The follow-up that each of them had before.
    array(select follow_up_at from written) as "follow_ups!: Vec<Option<PgTimestamp>>"
from clock
