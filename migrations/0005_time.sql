-- What the pipeline does while nobody looks: timers, follow-ups, revivals, and the counts of the funnel.

-- Tests live through a year in seconds: the pipeline's time is the database's clock and this. A server refuses a
-- database where it isn't zero, but under --testing.
alter table pipeline add column time_offset interval not null default interval '0';

alter table leads
    -- When the server is to look at the lead: its meeting ends, or it may have gone quiet. Never later than that, but
    -- earlier maybe: a reply doesn't move it, so that it stays a cheap update (HOT); whoever looks too early moves it.
    add column timer_at timestamptz,
    -- The lead's follow-up, of which it has one at most: when it is due, and which of the lead's it is (1, 2, 3, ...).
    add column follow_up_at timestamptz,
    add column follow_up_number int not null default 0,
    -- Never later than follow_up_at, and only moved up to it when it has come: a message in NURTURE is a cheap update.
    add column follow_up_look_at timestamptz,
    add check ((follow_up_at is null) = (follow_up_look_at is null));

create index leads_by_timer on leads (partition, timer_at) where timer_at is not null;
create index leads_by_follow_up on leads (partition, follow_up_look_at, lead_id) where follow_up_look_at is not null;
create index leads_by_agent_and_follow_up
    on leads (partition, agent_id, follow_up_look_at, lead_id) where follow_up_look_at is not null;
-- Who has been in a stage since when, of all agents and of one; dead leads apart, so that each filter is a range.
create index leads_by_stage on leads (partition, stage, (dead_reason is not null), stage_entered_at, lead_id);
create index leads_by_agent_and_stage
    on leads (partition, agent_id, stage, (dead_reason is not null), stage_entered_at, lead_id);
-- What a revival goes through.
create index leads_exhausted on leads (partition, agent_id, lead_id) where stage = 8;

update leads set timer_at = meeting_ends_at where stage = 5 and dead_reason is null and meeting_ends_at is not null;
update leads set
    follow_up_at = greatest(stage_entered_at, last_outreach_at) + interval '14 days',
    follow_up_look_at = greatest(stage_entered_at, last_outreach_at) + interval '14 days',
    follow_up_number = 1
where stage = 7 and dead_reason is null;

-- Who holds a follow-up. It is the lead's follow-up of this number, and a lead's numbers only rise: an older row
-- means nothing. Nothing of it is in the lead's row, which the writers remember.
create table follow_up_leases (
    partition int not null,
    lead_id text collate "C" not null,
    number int not null,
    token uuid not null,
    expires_at timestamptz not null,
    -- The visit of the stage for which it was handed out.
    stage_entered_at timestamptz not null,
    -- When it was completed with this token; null if it wasn't.
    completed_at timestamptz,
    primary key (partition, lead_id)
) with (fillfactor = 70);
create index follow_up_leases_by_end on follow_up_leases (partition, expires_at) where completed_at is null;

-- The mode of an agent in each partition, as the partition's writers decide by; an agent that isn't here is BLENDED.
-- Its changes are numbered by the agent's home row, and a partition never takes a lower number over a higher one. Each
-- change moves heads.mode_epoch.
create table agent_modes (
    partition int not null,
    agent_id text collate "C" not null,
    outreach_mode smallint not null,
    number bigint not null,
    primary key (partition, agent_id)
);

-- The home row of an agent that was given a mode, in the partition that its id hashes to: one place that numbers them.
create table agents (
    partition int not null,
    agent_id text collate "C" not null,
    outreach_mode smallint not null,
    number bigint not null,
    mode_set_at timestamptz not null,
    revival_id uuid not null,
    primary key (partition, agent_id)
);

-- An accepted ReviveForMode, in the agent's home partition. It is work to do until finished_at is set.
create table revivals (
    partition int not null,
    revival_id uuid not null,
    agent_id text collate "C" not null,
    -- Which of the agent's mode changes it is: 1, 2, 3, ...
    number bigint not null,
    outreach_mode smallint not null,
    request_id uuid not null,
    digest bytea not null,
    actor_kind smallint not null,
    actor_id text not null,
    accepted_at timestamptz not null,
    -- Whether every partition has its part.
    spread boolean not null default false,
    finished_at timestamptz,
    superseded boolean not null default false,
    primary key (partition, revival_id)
);
create unique index revivals_by_request on revivals (partition, agent_id, request_id);
create unique index revivals_by_agent on revivals (partition, agent_id, number desc);
create index revivals_unfinished on revivals (partition, accepted_at) where finished_at is null;

-- The part of a revival in each partition. It is advanced in the statement that revives its leads, by the replica that
-- holds it: that is who raised the fence last.
create table revival_parts (
    partition int not null,
    revival_id uuid not null,
    agent_id text collate "C" not null,
    number bigint not null,
    outreach_mode smallint not null,
    digest bytea not null,
    actor_kind smallint not null,
    actor_id text not null,
    -- When the partition got the mode: leads that became EXHAUSTED later were so under it.
    began_at timestamptz not null,
    -- The leads it is about; null until they were counted.
    total bigint,
    -- Up to this lead all were looked at.
    last_lead text collate "C" not null default '',
    revived bigint not null default 0,
    dead bigint not null default 0,
    no_open_channel bigint not null default 0,
    fence bigint not null default 0,
    leased_until timestamptz not null,
    finished_at timestamptz,
    superseded boolean not null default false,
    primary key (partition, revival_id)
) with (fillfactor = 50);
create index revival_parts_unfinished on revival_parts (partition, agent_id, number) where finished_at is null;

-- When the visit of the stage that an entry ended had begun; null if it ended none.
alter table entries add column entered_at timestamptz;

-- The rows of a batch with what this migration adds. Replicas of the version before go on with theirs.
create type decided_lead as (
    ordinal int,
    lead_id text,
    agent_id text,
    expected_version int,
    expected_tag bigint,
    version int,
    tag bigint,
    stage smallint,
    furthest_stage smallint,
    dead_reason smallint,
    email smallint,
    sms smallint,
    voice smallint,
    email_failures int,
    phone_failures int,
    meeting_id text,
    meeting_starts_at timestamptz,
    meeting_ends_at timestamptz,
    stage_entered boolean,
    outreach boolean,
    reply boolean,
    -- What becomes of the timer: 0 it stays, 1 there is none, 2 the end of the meeting, 3 when the lead is quiet.
    timer smallint,
    -- What becomes of the follow-up: 0 it stays, 1 there is none, 2 due now, 3 due after the check-in interval.
    follow_up smallint,
    -- How many follow-ups this makes, one after the other.
    follow_ups int
);

create type decided_entry as (
    number int,
    lead int,
    lead_id text,
    agent_id text,
    version int,
    step smallint,
    from_stage smallint,
    to_stage smallint,
    dead_reason smallint,
    dead_raised boolean,
    cause smallint,
    details jsonb,
    actor_kind smallint,
    actor_id text,
    reason text,
    request_id uuid,
    digest bytea,
    occurred_at timestamptz,
    tag bigint,
    -- When the visit of the stage that the entry ends began: then, or in this very write.
    entered_at timestamptz,
    entered_now boolean
);

update entries set entered_at = (
    select before.recorded_at from entries as before
    where before.partition = entries.partition and before.lead_id = entries.lead_id
        and before.version < entries.version and before.from_stage is distinct from before.to_stage
    order by before.version desc limit 1
)
where from_stage <> to_stage;

-- The moves of all leads up to a position of a partition's log, summed now and then: the funnel of any range is the
-- difference of two of these and what little of the log lies beside them. `agent_id` is '' for all agents together. An
-- agent has a row only where its sums have changed: the one at or before a position counts.
create table funnel_sums (
    partition int not null,
    agent_id text collate "C" not null,
    position bigint not null,
    recorded_at timestamptz not null,
    -- Each move as 16 * from_stage + to_stage, from_stage 0 for a creation, and how often it was made.
    moves smallint[] not null,
    counts bigint[] not null,
    primary key (partition, agent_id, position)
);
-- A partition whose history was pruned before there were sums begins with the leads as they stood at its floor.
insert into funnel_sums (partition, agent_id, position, recorded_at, moves, counts)
select partition, coalesce(agent_id, ''), floor, recorded_at, array_agg(stage), array_agg(leads)
from (
    select heads.partition, heads.floor, heads.recorded_at, stood_then.agent_id, stood_then.stage, count(*) as leads
    from heads
    join lateral (
        select
            leads.agent_id,
            coalesce((
                select from_stage from entries
                where entries.partition = leads.partition and entries.lead_id = leads.lead_id
                order by version limit 1
            ), leads.stage) as stage
        from leads
        where leads.partition = heads.partition and not exists (
            select from entries
            where entries.partition = leads.partition and entries.lead_id = leads.lead_id and entries.version = 1
        )
    ) as stood_then on true
    where heads.floor > 0
    group by grouping sets (
        (heads.partition, heads.floor, heads.recorded_at, stood_then.agent_id, stood_then.stage),
        (heads.partition, heads.floor, heads.recorded_at, stood_then.stage)
    )
) as stood
group by partition, agent_id, floor, recorded_at;
