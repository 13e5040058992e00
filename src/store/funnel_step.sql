-- Sums the moves of a partition's log, from the last sums up to a position, if that is far enough behind them. What is
-- summed is a fact of the log: two who do it at the same time, or from different places, write nothing wrong.
-- Parameters: $1 partition, $2 the least number of positions, $3 the position to sum up to; null for the head.
with
base as materialized (
    select coalesce((
        select position from funnel_sums
        where partition = $1 and agent_id = '' and position <= coalesce($3::bigint, 9223372036854775807)
        order by position desc limit 1
    ), 0) as position
),
step as materialized (
    select base.position as after, entry.position as through, entry.recorded_at
    from base
    cross join lateral (
        select position, recorded_at from entries
        where partition = $1
            -- So many at a time, after a long time without: no statement takes long.
            and position <= least(coalesce($3, 9223372036854775807), base.position + 200000)
        order by position desc limit 1
    ) as entry
    where entry.position - base.position >= $2
),
moved as materialized (
    select agent_id, coalesce(from_stage, 0) * 16 + to_stage as move, count(*) as count
    from step
    cross join lateral (
        select agent_id, from_stage, to_stage from entries
        where partition = $1 and position > step.after and position <= step.through
        -- In the key's order, which only the key gives: see `write.sql`.
        order by position
    ) as entry
    where from_stage is distinct from to_stage
    group by agent_id, move
),
added as materialized (
    select agent_id, move, count from moved
    union all
    select '', move, count from moved
    union all
    -- A row for all agents, also when nobody moved.
    select '', 0, 0 from step
),
summed as (
    select agent_id, move, sum(count)::bigint as count
    from (
        select agent_id, move, count from added
        union all
        select wanted.agent_id, before.move, before.count
        from (select distinct agent_id from added) as wanted
        cross join lateral (
            select moves, counts from funnel_sums
            where partition = $1 and funnel_sums.agent_id = wanted.agent_id
                and position <= (select position from base)
            order by position desc limit 1
        ) as sums
        cross join lateral unnest(sums.moves, sums.counts) as before (move, count)
    ) as parts
    group by agent_id, move
)
insert into funnel_sums (partition, agent_id, position, recorded_at, moves, counts)
select $1, agent_id, step.through, step.recorded_at, array_agg(move::smallint), array_agg(count)
from summed cross join step
group by agent_id, step.through, step.recorded_at
on conflict do nothing
