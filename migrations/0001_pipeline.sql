-- The tables of the pipeline. Every key begins with the partition, and every statement of the write path touches one
-- partition: commits of different partitions run side by side, and the tables can be distributed by it.
-- Numbers stand for enum values; they are those of the proto (proto/leadpipeline/v1).

-- What is fixed when the database is initialised: one row.
create table pipeline (
    only_row boolean primary key default true check (only_row),
    -- A lead's partition is crc32(lead_id) modulo this; another number would look for leads in the wrong place.
    partitions int not null check (partitions between 1 and 256),
    created_at timestamptz not null default clock_timestamp()
);

-- One row a partition: the last entry of its log. Every write locks it first, so all replicas take their locks in one
-- order and positions have no holes. The row changes with every batch: a page is left almost empty so that its
-- versions stay on one page (HOT), and vacuum comes early.
create table heads (
    partition int primary key,
    -- The position of the last entry, 0 before the first, and that entry's tag.
    position bigint not null default 0,
    tag bigint not null default 0,
    -- The time of the last entry: recorded_at never goes backwards in a partition, even if the clock does.
    recorded_at timestamptz not null default clock_timestamp(),
    -- Random bits, moved by each change of an agent's outreach mode: a batch that was decided under another mode
    -- writes nothing.
    mode_epoch bigint not null default 0
) with (fillfactor = 10, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);

-- A lead as it stands. Derived from its entries, and written in the same statement as they are.
create table leads (
    partition int not null,
    lead_id text collate "C" not null,
    agent_id text collate "C" not null,
    -- The number of entries, and the tag of the last: together they say "nothing happened since I read this".
    version int not null,
    tag bigint not null,
    stage smallint not null,
    furthest_stage smallint not null,
    dead_reason smallint,
    email smallint not null,
    sms smallint not null,
    voice smallint not null,
    email_failures int not null,
    phone_failures int not null,
    meeting_id text,
    meeting_starts_at timestamptz,
    meeting_ends_at timestamptz,
    created_at timestamptz not null,
    stage_entered_at timestamptz not null,
    last_outreach_at timestamptz,
    last_reply_at timestamptz,
    primary key (partition, lead_id),
    check ((meeting_id is null) = (meeting_starts_at is null) and (meeting_id is null) = (meeting_ends_at is null))
    -- No index has a column that a write changes: an update stays on its page (HOT) if the page has room.
) with (fillfactor = 80);

create index leads_by_agent on leads (partition, agent_id, lead_id);

-- The log: what happened, for ever. Entries are never updated.
create table entries (
    partition int not null,
    position bigint not null,
    lead_id text collate "C" not null,
    agent_id text collate "C" not null,
    version int not null,
    -- One request makes one entry or two: 0, 1.
    step smallint not null,
    -- Null on creation.
    from_stage smallint,
    to_stage smallint not null,
    -- The dead mark after the entry, and whether this entry set or raised it.
    dead_reason smallint,
    dead_raised boolean not null,
    -- 0 creation, 1 override, else 100 + the trigger's number in the proto; details where the cause has any.
    cause smallint not null,
    details jsonb,
    actor_kind smallint not null,
    actor_id text not null,
    reason text not null,
    request_id uuid not null,
    -- What the request contained: the same request_id with another digest is a mistake of the caller.
    digest bytea not null,
    occurred_at timestamptz,
    recorded_at timestamptz not null,
    -- Random bits that tell this entry from another one that may stand here after the database lost history.
    tag bigint not null,
    primary key (partition, position)
);

-- A request has one effect on a lead, for ever. The request comes first: time-ordered ids go to the index's right edge.
create unique index entries_by_request on entries (partition, request_id, lead_id, step);

-- A lead's history, and the proof that its versions have no hole and no double.
create unique index entries_by_lead on entries (partition, lead_id, version);
