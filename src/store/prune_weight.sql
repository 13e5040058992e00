-- What a stretch of a partition's log holds. The numbers of stretches side by side add up: a lead is counted where its
-- oldest entry is that is still kept.
-- Parameters: $1 partition, $2 the position before the stretch, $3 its last position.
select
    count(*) as "entries!",
    count(*) filter (where entry.step = 0) as "requests!",
    count(*) filter (where oldest.version = entry.version) as "leads!"
from (
    select lead_id, version, step from entries
    where partition = $1 and position > $2
    order by position limit $3::bigint - $2
) as entry
-- The entry before this one of the same lead, or else this one.
cross join lateral (
    select version from entries
    where partition = $1 and (lead_id, version) >= (entry.lead_id, entry.version - 1)
    order by lead_id, version limit 1
) as oldest
