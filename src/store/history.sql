-- A page of a lead's history, each row with the version of the oldest entry that is still kept (one more than the
-- lead's, if none is): one snapshot, so neither a write nor a prune comes between. A lead without entries on the page
-- has one row all the same; a lead that isn't there has none.
-- Parameters: $1 partition, $2 lead id, $3 the version before the page, $4 entries at most.
select
    leads.lead_id, leads.agent_id, coalesce(oldest.version, leads.version + 1) as "first_version!",
    entries.position as "position?", entries.version as "entry_version?", entries.step as "step?",
    entries.from_stage as "from_stage?", entries.to_stage as "to_stage?", entries.dead_reason as "entry_dead_reason?",
    entries.dead_raised as "dead_raised?", entries.cause as "cause?", entries.details as "details?: _",
    entries.actor_kind as "actor_kind?", entries.actor_id as "actor_id?", entries.reason as "reason?",
    entries.request_id as "request_id?", entries.digest as "digest?", entries.occurred_at as "occurred_at?: _",
    entries.recorded_at as "recorded_at?: _", entries.tag as "entry_tag?"
from leads
left join lateral (
    select version from entries where partition = $1 and lead_id = $2 order by version limit 1
) as oldest on true
left join lateral (
    select * from entries where partition = $1 and lead_id = $2 and version > $3 order by version limit $4
) as entries on true
where leads.partition = $1 and leads.lead_id = $2
