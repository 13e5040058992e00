-- Agents of a partition that have follow-ups due which nobody holds, in order.
-- Parameters: $1 partition, $2 the agent to begin behind, $3 how many agents at most.
-- From one agent to the next by the index: an agent costs two lookups, however many follow-ups it has.
with recursive now as materialized (
    select clock_timestamp() + time_offset as at from pipeline where only_row
),
-- While nothing at all is due, no agent is looked at.
due as materialized (
    select true as any from now
    cross join lateral (
        select follow_up_look_at from leads
        where partition = $1 and follow_up_look_at is not null order by follow_up_look_at, lead_id limit 1
    ) as first
    where first.follow_up_look_at <= now.at
),
agent (agent_id) as (
    select first.agent_id
    from due
    cross join lateral (
        select agent_id from leads
        where partition = $1 and agent_id > $2 and follow_up_look_at is not null
        order by agent_id, follow_up_look_at limit 1
    ) as first
    union all
    select next.agent_id
    from agent
    cross join lateral (
        select agent_id from leads
        where partition = $1 and leads.agent_id > agent.agent_id and follow_up_look_at is not null
        order by agent_id, follow_up_look_at limit 1
    ) as next
)
select agent.agent_id as "agent_id!"
from agent cross join now
cross join lateral (
    select from leads
    where partition = $1 and leads.agent_id = agent.agent_id and follow_up_look_at <= now.at
        and not exists (
            select from follow_up_leases as lease
            where lease.partition = $1 and lease.lead_id = leads.lead_id
                and lease.number = leads.follow_up_number and lease.expires_at > now.at
        )
    order by follow_up_look_at, lead_id limit 1
) as waiting
limit $3
