-- How often each move was made up to some positions: the last sums before each, and the log behind those.
-- Parameters: $1 partitions, $2 positions, side by side; $3 the agent, '' for all.
-- `pruned` is set on every row of a position whose sums would need entries that were pruned.
with
place as materialized (
    select wanted.nth, wanted.partition, wanted.position, coalesce(base.position, 0) as base, head.floor
    from unnest($1::int[], $2::bigint[]) with ordinality as wanted (partition, position, nth)
    cross join lateral (
        select floor from heads where heads.partition = wanted.partition order by heads.position desc limit 1
    ) as head
    left join lateral (
        select position from funnel_sums
        where funnel_sums.partition = wanted.partition and agent_id = '' and position <= wanted.position
        order by position desc limit 1
    ) as base on true
),
moved as (
    select place.nth, sums.move::int as move, sums.count
    from place
    cross join lateral (
        select moves, counts from funnel_sums
        where funnel_sums.partition = place.partition and agent_id = $3 and position <= place.base
        order by position desc limit 1
    ) as latest
    cross join lateral unnest(latest.moves, latest.counts) as sums (move, count)
    union all
    select place.nth, entry.move, entry.count
    from place
    cross join lateral (
        select coalesce(from_stage, 0) * 16 + to_stage as move, count(*) as count
        from (
            select from_stage, to_stage from entries
            where entries.partition = place.partition and position > place.base and position <= place.position
                and from_stage is distinct from to_stage and ($3 = '' or agent_id = $3)
            -- In the key's order, which only the key gives: see `write.sql`.
            order by position
        ) as step
        group by 1
    ) as entry
)
select
    place.nth as "nth!", place.position > 0 and place.floor > place.base as "pruned!", moved.move as "step?",
    moved.count as "count?"
from place left join moved using (nth)
