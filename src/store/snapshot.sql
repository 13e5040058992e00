-- A page of leads as they stand, in the order of their ids, and their partition's head: one snapshot, so the leads are
-- what the log up to that head made of them. One row without a lead if there is none.
-- Parameters: $1 partition, $2 the id to begin behind, $3 the most leads; and which: $4 stages, $5 lead ids, $6 agents,
-- each empty for any. One of the three branches applies; each gets its rows in order from an index.
select
    heads.position, heads.tag,
    leads.lead_id as "lead_id?", leads.agent_id as "agent_id?", leads.version as "version?", leads.tag as "lead_tag?",
    leads.stage as "stage?", leads.furthest_stage as "furthest_stage?", leads.dead_reason as "dead_reason?",
    leads.email as "email?", leads.sms as "sms?", leads.voice as "voice?",
    leads.email_failures as "email_failures?", leads.phone_failures as "phone_failures?",
    leads.meeting_id as "meeting_id?", leads.meeting_starts_at as "meeting_starts_at?: _",
    leads.meeting_ends_at as "meeting_ends_at?: _", leads.created_at as "created_at?: _",
    leads.stage_entered_at as "stage_entered_at?: _", leads.last_outreach_at as "last_outreach_at?: _",
    leads.last_reply_at as "last_reply_at?: _",
    leads.follow_up_at as "follow_up_at?: _"
from (
    select position, tag from heads where partition = $1 order by position desc limit 1
) as heads
left join lateral (
    (
        select * from leads
        where cardinality($5::text[]) = 0 and cardinality($6::text[]) = 0
            and partition = $1 and lead_id > $2 and (cardinality($4::smallint[]) = 0 or stage = any ($4))
        order by lead_id limit $3
    )
    union all
    (
        select leads.*
        from unnest($5::text[]) as wanted (lead_id)
        cross join lateral (
            select * from leads where partition = $1 and lead_id >= wanted.lead_id order by lead_id limit 1
        ) as leads
        where leads.lead_id = wanted.lead_id and leads.lead_id > $2
            and (cardinality($6::text[]) = 0 or agent_id = any ($6))
            and (cardinality($4::smallint[]) = 0 or stage = any ($4))
    )
    union all
    (
        select leads.*
        from unnest($6::text[]) as wanted (agent_id)
        cross join lateral (
            select * from leads
            where partition = $1 and agent_id = wanted.agent_id and lead_id > $2
                and (cardinality($4::smallint[]) = 0 or stage = any ($4))
            order by lead_id limit $3
        ) as leads
        where cardinality($5::text[]) = 0
    )
    order by lead_id limit $3
) as leads on true
order by leads.lead_id
