-- For each partition the last entry from before a time, or the floor if there is none.
-- Parameter: $1 the time.
-- recorded_at has no index, and needs none: it never goes backwards in a partition. So the entry is between two
-- positions, and each step halves their distance, with one lookup by key.
with recursive search (partition, floor, low, high) as (
    -- Everything up to `low` is from before the time, nothing behind `high` is.
    select partition, floor, floor, position from heads
    union all
    select
        search.partition, search.floor,
        case when entry.recorded_at < $1 then middle.position else search.low end,
        case when entry.recorded_at < $1 then search.high else middle.position - 1 end
    from search
    cross join lateral (select (search.low + search.high + 1) / 2 as position) as middle
    cross join lateral (
        select recorded_at from entries
        where entries.partition = search.partition and entries.position >= middle.position
        order by entries.position limit 1
    ) as entry
    where search.low < search.high
)
select partition as "partition!", floor as "floor!", low as "through!"
from search where low >= high order by partition
