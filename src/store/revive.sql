-- A chunk of a revival in one partition: its leads, their entries, and the part of the revival, all in one statement.
--
-- Parameters: $1 partition, $2 the leads, $3 their entries in order; $4 the revival, $5 the fence under which its part is
--   held; $6 the last lead of the chunk, $7 and $8 how many of the chunk stay because they are dead and for want of an
--   open channel, $9 whether the chunk is the last one; $10 how much longer the part is held.
-- One row comes back, or none if the part isn't held any more: then nothing was written.
-- A lead that changed meanwhile isn't written; then the part isn't moved on, and the chunk is read again.
with
-- As in `write.sql`: the head row first, and whatever writes below joins `clock`.
head as materialized (
    select position, tag, recorded_at from heads where partition = $1 order by position desc limit 1 for update
),
seen as materialized (
    select position from heads where partition = $1 order by position desc limit 1
),
part as materialized (
    select 1 from head cross join revival_parts
    where partition = $1 and revival_id = $4 and fence = $5 and finished_at is null
    for update of revival_parts
),
clock as materialized (
    select position, tag, greatest(recorded_at, clock_timestamp() + (select time_offset from pipeline where only_row)) as at
    from head cross join part
),
lead as materialized (
    select * from unnest($2::decided_lead[])
),
entry as materialized (
    select * from unnest($3::decided_entry[])
),
found as materialized (
    select lead.*, next.place
    from lead
    cross join lateral (
        select ctid as place, lead_id, version, tag from leads
        where partition = $1 and lead_id >= lead.lead_id order by lead_id limit 1
    ) as next
    where next.lead_id = lead.lead_id
        and next.version = lead.expected_version and next.tag = lead.expected_tag
),
-- What a revival changes of a lead: its stage, and that a follow-up is due.
updated as (
    update leads set
        version = found.version, tag = found.tag, stage = found.stage, furthest_stage = found.furthest_stage,
        stage_entered_at = clock.at, timer_at = null, follow_up_at = clock.at, follow_up_look_at = clock.at,
        follow_up_number = leads.follow_up_number + found.follow_ups
    from clock, found
    where leads.ctid = found.place and leads.version = found.expected_version and leads.tag = found.expected_tag
    returning found.ordinal
),
written as materialized (
    select ordinal from updated
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
        details, actor_kind, actor_id, reason, request_id, digest, occurred_at, recorded_at, tag, entered_at
    from numbered
),
advanced as (
    update heads set position = last.position, tag = last.tag, recorded_at = last.recorded_at
    from (select position, tag, recorded_at from numbered order by position desc limit 1) as last
    where heads.partition = $1 and heads.position >= (select position from seen)
),
outcome as materialized (
    select
        (select count(*) from written) as revived,
        (select count(*) from written) = (select count(*) from lead) as whole
),
moved_on as (
    update revival_parts set
        revived = revival_parts.revived + outcome.revived,
        last_lead = case when whole then $6 else last_lead end,
        dead = dead + case when whole then $7::bigint else 0 end,
        no_open_channel = no_open_channel + case when whole then $8::bigint else 0 end,
        leased_until = clock.at + $10::interval,
        finished_at = case when whole and $9::boolean then clock.at end
    from clock cross join outcome
    where partition = $1 and revival_id = $4
)
select
    clock.position as "base!",
    clock.tag as "previous_tag!",
    clock.at as "recorded_at!: PgTimestamp",
    array(select ordinal from written) as "written!",
    (select whole from outcome) as "whole!"
from clock
