-- Leads, each with the entries that the given requests have recorded on it: one snapshot, so a request that isn't
-- found has not been part of making the lead what it is.
-- Parameters: $1 partition, $2 lead ids, $3 request ids.
-- Each lookup asks for rows in the order of its key: see `write.sql`. A request has one row or two on
-- each lead that it was sent for, and nobody sends one id for thousands of leads.
with recorded as materialized (
    select entries.*
    from unnest($3::uuid[]) as wanted (request_id)
    cross join lateral (
        select * from entries
        where partition = $1 and request_id >= wanted.request_id and request_id <= wanted.request_id
        order by request_id, lead_id, step limit 10000
    ) as entries
)
select
    leads.lead_id, leads.agent_id, leads.version, leads.tag, leads.stage, leads.furthest_stage, leads.dead_reason,
    leads.email, leads.sms, leads.voice, leads.email_failures, leads.phone_failures, leads.meeting_id,
    leads.meeting_starts_at as "meeting_starts_at: _", leads.meeting_ends_at as "meeting_ends_at: _",
    leads.created_at as "created_at: _", leads.stage_entered_at as "stage_entered_at: _",
    leads.last_outreach_at as "last_outreach_at: _", leads.last_reply_at as "last_reply_at: _",
    recorded.position as "position?", recorded.version as "entry_version?", recorded.step as "step?",
    recorded.from_stage as "from_stage?", recorded.to_stage as "to_stage?",
    recorded.dead_reason as "entry_dead_reason?", recorded.dead_raised as "dead_raised?", recorded.cause as "cause?",
    recorded.details as "details?: _", recorded.actor_kind as "actor_kind?", recorded.actor_id as "actor_id?",
    recorded.reason as "reason?", recorded.request_id as "request_id?", recorded.digest as "digest?",
    recorded.occurred_at as "occurred_at?: _", recorded.recorded_at as "recorded_at?: _",
    recorded.tag as "entry_tag?"
from unnest($2::text[]) as wanted (lead_id)
cross join lateral (
    select * from leads where partition = $1 and lead_id >= wanted.lead_id order by lead_id limit 1
) as leads
left join recorded on recorded.lead_id = leads.lead_id
where leads.lead_id = wanted.lead_id
