-- Leads, each with the entries that the given requests have recorded on it, or with what a prune left of them: one
-- snapshot, so a request that isn't found has not been part of making the lead what it is.
-- Parameters: $1 partition, $2 lead ids, $3 request ids.
-- Each lookup asks for rows in the order of its key: see `write.sql`. A request has one row or two on
-- each lead that it was sent for, and nobody sends one id for thousands of leads.
with recorded as materialized (
    select found.lead_id, found.entry, null::pruned_requests as pruned
    from unnest($3::uuid[]) as wanted (request_id)
    cross join lateral (
        select lead_id, entries as entry from entries
        where partition = $1 and request_id >= wanted.request_id and request_id <= wanted.request_id
        order by request_id, lead_id, step limit 10000
    ) as found
    union all
    -- Nothing to look for while nothing was pruned.
    select lead_id, null, pruned_requests from pruned_requests
    where partition = $1 and request_id = any ($3) and (select floor from heads where partition = $1 order by position desc limit 1) > 0
)
select
    leads.lead_id, leads.agent_id, leads.version, leads.tag, leads.stage, leads.furthest_stage, leads.dead_reason,
    leads.email, leads.sms, leads.voice, leads.email_failures, leads.phone_failures, leads.meeting_id,
    leads.meeting_starts_at as "meeting_starts_at: _", leads.meeting_ends_at as "meeting_ends_at: _",
    leads.created_at as "created_at: _", leads.stage_entered_at as "stage_entered_at: _",
    leads.last_outreach_at as "last_outreach_at: _", leads.last_reply_at as "last_reply_at: _",
    leads.follow_up_at as "follow_up_at: _",
    (select mode_epoch from heads where partition = $1 order by position desc limit 1) as "mode_epoch!",
    (recorded.entry).position as "position?", (recorded.entry).version as "entry_version?",
    (recorded.entry).step as "step?", (recorded.entry).from_stage as "from_stage?",
    (recorded.entry).to_stage as "to_stage?", (recorded.entry).dead_reason as "entry_dead_reason?",
    (recorded.entry).dead_raised as "dead_raised?", (recorded.entry).cause as "cause?",
    (recorded.entry).details as "details?: _", (recorded.entry).actor_kind as "actor_kind?",
    (recorded.entry).actor_id as "actor_id?", (recorded.entry).reason as "reason?",
    (recorded.entry).request_id as "request_id?", (recorded.entry).digest as "digest?",
    (recorded.entry).occurred_at as "occurred_at?: _", (recorded.entry).recorded_at as "recorded_at?: _",
    (recorded.entry).tag as "entry_tag?", (recorded.pruned).request_id as "pruned_request_id?",
    (recorded.pruned).digest as "pruned_digest?", (recorded.pruned).moved as "pruned_moved?"
from unnest($2::text[]) as wanted (lead_id)
cross join lateral (
    select * from leads where partition = $1 and lead_id >= wanted.lead_id order by lead_id limit 1
) as leads
left join recorded on recorded.lead_id = leads.lead_id
where leads.lead_id = wanted.lead_id
