-- Completes a follow-up. One lead, so it needs no lock of the head row; the lead's version stays.
-- Parameters: $1 partition, $2 lead, $3 the follow-up's number, $4 the token, $5 the time between check-ins.
-- One row comes back, or none if there is no lease with this token.
with
now as materialized (
    select clock_timestamp() + time_offset as at from pipeline where only_row
),
lease as materialized (
    select stage_entered_at, expires_at, completed_at from follow_up_leases
    where partition = $1 and lead_id = $2 and number = $3 and token = $4 for update
),
-- The next check-in, as long as the lead is in NURTURE.
done as (
    update leads set
        follow_up_at = case when stage = 7 then now.at + $5::interval end,
        follow_up_look_at = case when stage = 7 then now.at + $5 end,
        follow_up_number = follow_up_number + case when stage = 7 then 1 else 0 end
    from now, lease
    where leads.partition = $1 and leads.lead_id = $2 and follow_up_number = $3 and follow_up_at is not null
        and lease.completed_at is null and lease.expires_at > now.at
    returning follow_up_at
),
noted as (
    update follow_up_leases set completed_at = now.at
    from now
    where partition = $1 and lead_id = $2 and token = $4 and exists (select from done)
)
select
    exists (select from done) as "done!",
    -- What was written isn't seen by this look at the lead.
    case when exists (select from done) then (select follow_up_at from done) else leads.follow_up_at end as "next: _",
    -- It was completed before, or a message has finished it in the same visit of the stage.
    lease.completed_at is not null
        or lease.expires_at > now.at and leads.stage_entered_at = lease.stage_entered_at
            and leads.dead_reason is null and (leads.follow_up_number > $3 or leads.follow_up_at is null)
        as "done_before!",
    -- The lead that this statement shows is older than the lease or the lead that it met: it is to be asked again.
    not exists (select from done) and leads.follow_up_number = $3 and leads.follow_up_at is not null
        and (lease.completed_at is not null or lease.expires_at > now.at) as "stale!"
from lease cross join now cross join leads
where leads.partition = $1 and leads.lead_id = $2
