-- When the next follow-up of each partition is due, or the lease of one ends.
-- Parameters: $1 how many partitions, $2 the agent; null for all.
-- The index has follow-ups by the time to look at them, which may be earlier than they are due. If all of those that
-- come first are due later than the last of them is looked at, one behind them may be due before: then `sure` is false,
-- and they are to be put off.
with now as materialized (
    select clock_timestamp() + time_offset as at from pipeline where only_row
)
select
    wanted.partition as "partition!", least(waiting.at, held.at) as "at: PgTimestamp",
    waiting.count < 100 or waiting.looked_at >= waiting.at as "sure!", waiting.leads
from now
cross join generate_series(0, $1::int - 1) as wanted (partition)
cross join lateral (
    select
        min(follow_up_at) as at, max(follow_up_look_at) as looked_at, count(*) as count, array_agg(lead_id) as leads
    from (
        (
            select lead_id, follow_up_at, follow_up_look_at from leads
            where $2::text is null and leads.partition = wanted.partition and follow_up_look_at is not null
                and not exists (
                    select from follow_up_leases as lease
                    where lease.partition = wanted.partition and lease.lead_id = leads.lead_id
                        and lease.number = leads.follow_up_number and lease.expires_at > now.at
                )
            order by follow_up_look_at, lead_id limit 100
        )
        union all
        (
            select lead_id, follow_up_at, follow_up_look_at from leads
            where leads.partition = wanted.partition and agent_id = $2 and follow_up_look_at is not null
                and not exists (
                    select from follow_up_leases as lease
                    where lease.partition = wanted.partition and lease.lead_id = leads.lead_id
                        and lease.number = leads.follow_up_number and lease.expires_at > now.at
                )
            order by follow_up_look_at, lead_id limit 100
        )
    ) as front
) as waiting
left join lateral (
    select lease.expires_at as at
    from follow_up_leases as lease
    cross join lateral (
        select lead_id, agent_id, follow_up_at, follow_up_number from leads
        where leads.partition = wanted.partition and leads.lead_id >= lease.lead_id order by lead_id limit 1
    ) as lead
    where lead.lead_id = lease.lead_id and lease.partition = wanted.partition and lease.completed_at is null
        and lease.expires_at > now.at
        and lead.follow_up_number = lease.number and lead.follow_up_at is not null
        and ($2 is null or lead.agent_id = $2)
    order by lease.expires_at limit 1
) as held on true
