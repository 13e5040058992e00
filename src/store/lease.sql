-- Follow-ups of one partition for one caller. A row comes back for each that was looked at: with a token if it is leased
-- now, without one if its check-in was put off meanwhile (`put_off`), or if another caller was quicker.
-- Parameters: $1 partition, $2 agents, $3 how many of each, $4 tokens, as many as follow-ups at most, $5 for how long.
with
now as materialized (
    select clock_timestamp() + time_offset as at from pipeline where only_row
),
candidate as materialized (
    select leads.*, row_number() over () as nth
    from now
    cross join unnest($2::text[]) as wanted (agent_id)
    cross join lateral (
        select * from leads
        where partition = $1 and leads.agent_id = wanted.agent_id and follow_up_look_at <= now.at
            and not exists (
                select from follow_up_leases as lease
                where lease.partition = $1 and lease.lead_id = leads.lead_id
                    and lease.number = leads.follow_up_number and lease.expires_at > now.at
            )
        order by follow_up_look_at, lead_id limit $3
    ) as leads
    limit cardinality($4::uuid[])
),
leased as (
    insert into follow_up_leases (partition, lead_id, number, token, expires_at, stage_entered_at)
    select $1, lead_id, follow_up_number, $4[nth], now.at + $5::interval, stage_entered_at
    from candidate cross join now
    where follow_up_at <= now.at
    -- One order for all callers: none waits for another that waits for it.
    order by lead_id
    on conflict (partition, lead_id) do update set
        number = excluded.number, token = excluded.token, expires_at = excluded.expires_at,
        stage_entered_at = excluded.stage_entered_at, completed_at = null
    -- A lead's numbers only rise: the caller that was quicker may know a later one.
    where follow_up_leases.number < excluded.number
        or follow_up_leases.number = excluded.number and follow_up_leases.expires_at <= (select at from now)
            and follow_up_leases.completed_at is null
    returning lead_id
)
select
    candidate.lead_id, candidate.agent_id, candidate.version, candidate.tag, candidate.stage,
    candidate.furthest_stage, candidate.dead_reason, candidate.email, candidate.sms, candidate.voice,
    candidate.email_failures, candidate.phone_failures, candidate.meeting_id,
    candidate.meeting_starts_at as "meeting_starts_at: _", candidate.meeting_ends_at as "meeting_ends_at: _",
    candidate.created_at as "created_at: _", candidate.stage_entered_at as "stage_entered_at: _",
    candidate.last_outreach_at as "last_outreach_at: _", candidate.last_reply_at as "last_reply_at: _",
    candidate.follow_up_at as "follow_up_at: _", candidate.follow_up_number as "follow_up_number!",
    candidate.follow_up_at > now.at as "put_off!",
    -- A hashed lookup, as in `write.sql`: as a join it would compare each with each.
    case when (candidate.lead_id in (select lead_id from leased)) is true then $4[candidate.nth] end as "token?",
    now.at + $5 as "expires_at!: _"
from candidate cross join now
