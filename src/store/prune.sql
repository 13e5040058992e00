-- One chunk of a prune: the oldest entries of a partition that are still kept go, a narrow row stays for each of their
-- requests, and the floor rises to the last of them. All or nothing, so it may be cut off anywhere and done again.
-- Parameters: $1 partition, $2 the last position to go, $3 how many entries at most.
-- One row comes back.
with
-- The head row is locked first, as by every write: one lock order for all. What follows joins it, and starts behind the
-- floor as it is then, which another prune may have raised meanwhile.
head as materialized (
    select floor from heads where partition = $1 for update
),
stretch as materialized (
    select floor, least(floor + $3, $2) as last from head
),
-- By key and place, whatever the planner knows: see `write.sql`. The two entries of one request go together: else its
-- retry would find half of it recorded, and half of it pruned.
doomed as materialized (
    select next.*
    from stretch
    cross join lateral (
        select
            ctid as place, position, lead_id, step, from_stage is distinct from to_stage as moved, request_id, digest,
            tag
        from entries
        where partition = $1 and position > stretch.floor
        order by position limit $3 + 1
    ) as next
    where next.position <= stretch.last or (next.position = stretch.last + 1 and next.step = 1)
),
deleted as (
    delete from entries using doomed where entries.ctid = doomed.place
),
remembered as (
    insert into pruned_requests (partition, request_id, lead_id, digest, moved)
    select $1, request_id, lead_id, digest, bool_or(moved) from doomed group by request_id, lead_id, digest
),
raised as (
    update heads set floor = last.position, floor_tag = last.tag
    from (select position, tag from doomed order by position desc limit 1) as last
    where heads.partition = $1
)
select
    (select count(*) from doomed) as "entries!",
    coalesce((select position from doomed order by position desc limit 1), stretch.floor) as "floor!"
from stretch
