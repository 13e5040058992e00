-- Visits of stages that began or ended in a range: where those that began in it went on to, and how long those took
-- that ended in it. A row a move, and one a stage (without `to_stage`).
-- Parameters: $1 partitions, $2 the position before the range, $3 the last one to look at, side by side; $4 the agent, ''
-- for all; $5 and $6 the range, its end excluded.
select
    from_stage as "from_stage!", to_stage as "to_stage?",
    count(*) filter (where entered_at >= $5 and entered_at < $6) as "begun!",
    count(*) filter (where recorded_at >= $5 and recorded_at < $6) as "ended!",
    percentile_cont(array[0.5, 0.9]) within group (
        order by (extract(epoch from recorded_at - entered_at) * 1000000)::float8
    ) filter (where recorded_at >= $5 and recorded_at < $6) as micros
from unnest($1::int[], $2::bigint[], $3::bigint[]) as wanted (partition, after, through)
cross join lateral (
    select from_stage, to_stage, entered_at, recorded_at from entries
    where entries.partition = wanted.partition and position > wanted.after and position <= wanted.through
        and from_stage <> to_stage and ($4 = '' or agent_id = $4)
    -- In the key's order, which only the key gives: see `write.sql`.
    order by position
) as visit
group by grouping sets ((from_stage, to_stage), (from_stage))
