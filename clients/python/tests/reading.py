"""What lists and watches show."""

import time

from google.protobuf import duration_pb2
from outside import PATIENCE, Watcher, check, equal, invalid, new_id, refused
from subject import (
    MOVED,
    NOBODY,
    Code,
    stage,
)

from leadpipeline.v1 import lead_pipeline_pb2 as pb

# --- Lists -----------------------------------------------------------------------------------------------------------


@check
def leads_are_listed_page_by_page(pipeline):
    agent = f"{pipeline.name}.pages"
    leads = [pipeline.create("pages") for _ in range(10)]
    for lead in leads[:4]:
        pipeline.moved(lead, "message_sent", "CONTACTED")
    for lead in leads[3:5]:
        pipeline.apply(lead, "opted_out", MOVED)

    def list_all(page_size, **filters):
        found, token = [], ""
        while True:
            request = pb.ListLeadsRequest(agent_id=agent, page_size=page_size, page_token=token, **filters)
            answer = pipeline.stub.ListLeads(request, timeout=PATIENCE)
            assert len(answer.leads) <= (page_size or 50), "a page is larger than asked for"
            found.extend(answer.leads)
            token = answer.next_page_token
            if not token:
                return found

    def ids(leads):
        return sorted(lead.lead_id for lead in leads)

    for page_size in (1, 3, 10, 0, 1_000_000):
        found = list_all(page_size)
        equal(ids(found), ids(leads), f"all leads of the agent, in pages of {page_size}")
    equal(found, [pipeline.get(lead) for lead in found], "listed leads are as they are read")
    equal(ids(list_all(2, stages=[stage("CONTACTED")])), ids(leads[:3]), "those CONTACTED")
    equal(ids(list_all(2, stages=[stage("NEW"), stage("LOST")])), ids(leads[3:]), "those NEW or LOST")
    equal(ids(list_all(2, dead=True)), ids(leads[3:5]), "the dead")
    equal(ids(list_all(2, dead=False)), ids(leads[:3] + leads[5:]), "the living")
    equal(ids(list_all(2, stages=[stage("CONTACTED")], dead=True)), [], "those CONTACTED and dead")
    call = pipeline.stub.ListLeads
    token = call(pb.ListLeadsRequest(agent_id=agent, page_size=3), timeout=PATIENCE).next_page_token
    invalid(["page_token"], call, pb.ListLeadsRequest(agent_id=agent, dead=True, page_size=3, page_token=token))
    invalid(["page_token"], call, pb.ListLeadsRequest(agent_id=agent, page_token="nonsense"))
    invalid(["page_size"], call, pb.ListLeadsRequest(page_size=-1))
    invalid(["stages[1]"], call, pb.ListLeadsRequest(stages=[1, 1]))


@check
def a_history_is_listed_page_by_page(pipeline):
    lead = pipeline.create()
    for _ in range(9):
        pipeline.apply(lead, "message_sent")
    whole, _ = pipeline.history(lead.lead_id)
    equal([entry.version for entry in whole], list(range(1, 11)), "the whole history")
    for page_size, pages in ((1, 10), (4, 3), (1_000_000, 1)):
        entries, needed = pipeline.history(lead.lead_id, page_size)
        equal(entries, whole, f"the history in pages of {page_size}")
        assert needed in (pages, pages + 1), f"{needed} pages of {page_size}"
    call, other = pipeline.stub.ListStageChanges, pipeline.create()
    first = call(pb.ListStageChangesRequest(lead_id=lead.lead_id, page_size=4), timeout=PATIENCE)
    moved_on = pb.ListStageChangesRequest(lead_id=other.lead_id, page_token=first.next_page_token)
    invalid(["page_token"], call, moved_on)
    invalid(["page_size"], call, pb.ListStageChangesRequest(lead_id=lead.lead_id, page_size=-1))


# --- Watching --------------------------------------------------------------------------------------------------------


@check
def a_watch_starts_now_and_sees_what_comes(pipeline):
    lead = pipeline.create()
    watch = pb.WatchStageChangesRequest(now={}, filter=pb.WatchFilter(lead_ids=[lead.lead_id]))
    watcher = Watcher(pipeline.stub, watch).started()
    pipeline.moved(lead, "message_sent", "CONTACTED")
    pipeline.same(lead, "message_sent")
    pipeline.moved(lead, "opted_out", "LOST")
    pipeline.same(lead, "opted_out")
    pipeline.set_stage(lead, "WON")
    watcher.wait_for("the last change", lambda w: 6 in w.versions_of(lead.lead_id)).stop()
    equal(watcher.versions_of(lead.lead_id), [2, 4, 6], "the changes, and no entries without one")


@check
def a_raised_mark_is_streamed_though_the_stage_stays(pipeline):
    lead = pipeline.create()
    pipeline.set_stage(lead, "WON")
    watch = pb.WatchStageChangesRequest(now={}, filter=pb.WatchFilter(lead_ids=[lead.lead_id]))
    watcher = Watcher(pipeline.stub, watch).started()
    for name in ("not_interested", "not_interested", "opted_out", "blocklisted"):
        pipeline.same(lead, name)
    pipeline.set_stage(lead, "LOST")
    watcher.wait_for("the last change", lambda w: 7 in w.versions_of(lead.lead_id)).stop()
    equal(watcher.versions_of(lead.lead_id), [3, 5, 7], "marks set or raised")


@check
def a_watch_goes_on_after_any_cursor(pipeline):
    lead = pipeline.create()
    for _ in range(10):
        pipeline.set_stage(lead, "CONTACTED")
        pipeline.set_stage(lead, "ENGAGED")
    filter_ = pb.WatchFilter(lead_ids=[lead.lead_id])
    whole = Watcher(pipeline.stub, pb.WatchStageChangesRequest(beginning={}, filter=filter_))
    whole.wait_for("the last change", lambda w: 21 in w.versions_of(lead.lead_id)).stop()
    equal(whole.versions_of(lead.lead_id), list(range(1, 22)), "the whole history")
    seen, through = [], {}
    for number, response in enumerate(whole.responses):
        seen.extend(change.version for change in response.changes)
        through.update({coverage.partition: coverage.through for coverage in response.coverage})
        if number not in (0, len(whole.responses) // 2, len(whole.responses) - 1):
            continue
        request = pb.WatchStageChangesRequest(after_cursor=response.cursor, filter=filter_)
        resumed = Watcher(pipeline.stub, request, resumed=through).started()
        rest = list(range(len(seen) + 1, 22))
        resumed.wait_for("the rest", lambda w, rest=rest: w.versions_of(lead.lead_id) == rest)
        resumed.stop()
    # A reader that comes back again and again misses nothing either.
    cursor, through, seen = whole.responses[0].cursor, dict(through_of(whole.responses[0])), []
    live = new_id()
    while len(seen) < 22:
        request = pb.WatchStageChangesRequest(after_cursor=cursor, filter=filter_)
        reader = Watcher(pipeline.stub, request, resumed=through)
        if len(seen) >= 21:
            pipeline.apply(lead, "went_quiet", MOVED, request_id=live)
        reader.wait_for("something new", lambda w: w.changes).stop()
        seen.extend(reader.versions_of(lead.lead_id))
        cursor, through = reader.cursor, reader.through
    equal(seen, list(range(1, 23)), "what a reader saw in pieces")


def through_of(response):
    """Where a response's coverage ends, by partition."""
    return {coverage.partition: coverage.through for coverage in response.coverage}


@check
def a_watch_sees_what_its_filter_lets_through(pipeline):
    lead = pipeline.create()
    for name in ("message_sent", "lead_replied", "checklist_completed", "went_quiet", "lead_replied"):
        pipeline.apply(lead, name, MOVED)
    pipeline.set_stage(lead, "WON")
    pipeline.set_stage(lead, "WON")
    ids, engaged, won = [lead.lead_id], stage("ENGAGED"), stage("WON")
    manual, automatic = pb.CHANGE_ORIGIN_MANUAL, pb.CHANGE_ORIGIN_AUTOMATIC
    cases = [
        ({}, False, [1, 2, 3, 4, 5, 6, 7]),
        ({}, True, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"to_stages": [engaged]}, False, [3, 6]),
        ({"from_stages": [engaged]}, False, [4, 7]),
        ({"from_stages": [engaged], "to_stages": [won]}, False, [7]),
        ({"origin": manual}, False, [7]),
        ({"origin": manual}, True, [7, 8]),
        ({"origin": automatic}, False, [1, 2, 3, 4, 5, 6]),
        ({"agent_ids": ["somebody.else"]}, True, []),
    ]
    for fields, unchanged, versions in cases:
        request = pb.WatchStageChangesRequest(
            beginning={}, filter=pb.WatchFilter(lead_ids=ids, **fields), include_unchanged=unchanged
        )
        watcher = Watcher(pipeline.stub, request)
        watcher.wait_for("the newest change", lambda w: pb.NOTICE_CAUGHT_UP in w.notices).stop()
        equal(watcher.versions_of(lead.lead_id), versions, f"what {fields} lets through")
        equal(len(watcher.changes), len(versions), f"other leads under {fields}")


@check
def a_silent_watch_sends_checkpoints(pipeline):
    second = duration_pb2.Duration(seconds=1)
    filter_ = pb.WatchFilter(lead_ids=[NOBODY])
    request = pb.WatchStageChangesRequest(now={}, filter=filter_, checkpoint_interval=second)
    watcher = Watcher(pipeline.stub, request).started()
    started = time.monotonic()
    have = len(watcher.responses)
    watcher.wait_for("two checkpoints", lambda w: len(w.responses) >= have + 3)
    assert time.monotonic() - started >= 1, "checkpoints come more often than every second"
    lead = pipeline.create()
    watcher.wait_for("coverage of a change that the filter dropped", lambda w: covers(w, pipeline, lead)).stop()
    equal(watcher.changes, [], "changes that the filter lets through")
    short = duration_pb2.Duration(nanos=999_999_999)
    request = pb.WatchStageChangesRequest(checkpoint_interval=short)
    invalid(["checkpoint_interval"], pipeline.stub.WatchStageChanges, request)


def covers(watcher, pipeline, lead):
    """Whether a watcher has accounted for a lead's creation."""
    creation = pipeline.history(lead.lead_id)[0][0]
    return watcher.through.get(creation.partition, 0) >= creation.position


@check
def a_watch_that_makes_no_sense_is_refused(pipeline):
    call = pipeline.stub.WatchStageChanges
    for cursor in ("", "nonsense", pipeline.all.started().cursor[:-4]):
        request = pb.WatchStageChangesRequest(after_cursor=cursor)
        refused(Code.INVALID_ARGUMENT, "CURSOR_INVALID", call, request)
    many = [f"lead-{n}" for n in range(101)]
    invalid(["filter.lead_ids"], call, pb.WatchStageChangesRequest(filter={"lead_ids": many}))
    invalid(["filter.agent_ids"], call, pb.WatchStageChangesRequest(filter={"agent_ids": many}))
    invalid(["filter.to_stages[0]"], call, pb.WatchStageChangesRequest(filter={"to_stages": [0]}))
    invalid(["filter.origin"], call, pb.WatchStageChangesRequest(filter={"origin": 9}))


@check
def whoever_watched_from_the_beginning_saw_everything_once_and_in_order(pipeline):
    entries = [entry for lead_id in pipeline.leads for entry in pipeline.history(lead_id)[0]]
    assert len(entries) > 1500, f"only {len(entries)} entries to look for"

    def by_lead(changes):
        leads = {}
        for change in changes:
            leads.setdefault(change.lead_id, []).append(change)
        return leads

    head = {}
    for entry in entries:
        head[entry.partition] = max(head.get(entry.partition, 0), entry.position)
    for watcher in (pipeline.all, pipeline.ours):
        watcher.wait_for("the newest entries", lambda w: all(w.through[p] >= position for p, position in head.items()))
        watcher.stop()
    wanted = by_lead(entries)
    seen = by_lead(change for change in pipeline.all.changes if change.lead_id in wanted)
    for lead_id in wanted:
        equal(seen.get(lead_id), wanted[lead_id], f"the whole stream of {lead_id}")
    told = by_lead(pipeline.ours.changes)
    equal(set(told), set(wanted), "the leads of this run's agents")
    for lead_id, history in wanted.items():
        marks = [0] + [entry.dead_reason for entry in history]
        changes = [
            e for e, mark in zip(history, marks, strict=False) if e.from_stage != e.to_stage or e.dead_reason > mark
        ]
        equal(told[lead_id], changes, f"the changes of {lead_id}")
