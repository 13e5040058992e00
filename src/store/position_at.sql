-- For each partition the last entry from before each of two times, or the floor if there is none. See `prune_ends.sql`.
-- `pruned`: the time is in history that was pruned, as far as anybody knows.
-- Parameters: $1 partitions, $2 their heads, side by side; $3 the times.
with recursive search (partition, nth, before, floor, low, high) as (
    select wanted.partition, time.nth, time.at, head.floor, head.floor, wanted.position
    from unnest($1::int[], $2::bigint[]) as wanted (partition, position)
    cross join lateral (
        select floor from heads where heads.partition = wanted.partition order by heads.position desc limit 1
    ) as head
    cross join unnest($3::timestamptz[]) with ordinality as time (at, nth)
    union all
    select
        search.partition, search.nth, search.before, search.floor,
        case when entry.recorded_at < search.before then middle.position else search.low end,
        case when entry.recorded_at < search.before then search.high else middle.position - 1 end
    from search
    cross join lateral (select (search.low + search.high + 1) / 2 as position) as middle
    cross join lateral (
        select recorded_at from entries
        where entries.partition = search.partition and entries.position >= middle.position
        order by entries.position limit 1
    ) as entry
    where search.low < search.high
)
select
    partition as "partition!", nth as "nth!", low as "position!",
    -- What lies at the floor may be from before the time or not, unless a sum up to there has kept when that was.
    floor > 0 and low = floor and not exists (
        select from funnel_sums as sums
        where sums.partition = search.partition and agent_id = '' and position = floor and recorded_at < before
    ) as "pruned!"
from search where low >= high order by nth, partition
