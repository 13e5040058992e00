-- An operator may prune old history. The floor of a partition is the position of the last entry that was pruned, with
-- that entry's tag: a cursor at the floor still works, an older one has expired. 0 and 0 if nothing was.
alter table heads
    add column floor bigint not null default 0,
    add column floor_tag bigint not null default 0;

-- What stays of each pruned request, for ever: enough to answer its retry. The digest tells other content.
create table pruned_requests (
    partition int not null,
    request_id uuid not null,
    lead_id text collate "C" not null,
    digest bytea not null,
    -- Whether the request changed the lead's stage.
    moved boolean not null,
    primary key (partition, request_id, lead_id)
);
