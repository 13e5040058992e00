"""Watches a running server do what the contract says, from the outside: python witness.py HOST:PORT.

It leaves its leads behind, under agents of its own: give it a server that may keep them.
"""

import concurrent.futures
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import grpc
from google.protobuf import descriptor_pb2, duration_pb2, timestamp_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from outside import (
    PATIENCE,
    Refusal,
    Watcher,
    address_from_arguments,
    at,
    check,
    equal,
    invalid,
    new_id,
    refused,
    run,
)

from leadpipeline.v1 import lead_pb2, stage_change_pb2, trigger_pb2
from leadpipeline.v1 import lead_pipeline_pb2 as pb
from leadpipeline.v1.lead_pipeline_pb2_grpc import LeadPipelineStub

Code = grpc.StatusCode
SERVICE = "leadpipeline.v1.LeadPipeline"
MOVED, NO_CHANGE = stage_change_pb2.OUTCOME_MOVED, stage_change_pb2.OUTCOME_NO_CHANGE
EMAIL, SMS, VOICE = lead_pb2.CHANNEL_EMAIL, lead_pb2.CHANNEL_SMS, lead_pb2.CHANNEL_VOICE
ABSENT, OPEN, USED_UP, BAD = (
    lead_pb2.ChannelState.Value(f"CHANNEL_STATE_{n}") for n in ("ABSENT", "OPEN", "USED_UP", "BAD")
)
PERSON = lead_pb2.Actor(kind=lead_pb2.ACTOR_KIND_PERSON, id="mia@sales")
NOBODY = "00000000-0000-4000-8000-000000000000"

STAGES = lead_pb2.Stage.keys()[1:]
ENDS = ["STAGE_WON", "STAGE_LOST", "STAGE_BAD_PHONE", "STAGE_BAD_CONTACT", "STAGE_MOVED_COMPANY"]
TRIGGERS = [field.name for field in trigger_pb2.Trigger.DESCRIPTOR.oneofs_by_name["kind"].fields]

# What each trigger does to a lead with every channel open, agent mode BLENDED, meeting m-1 begun if it is SCHEDULED.
# A column a stage, the end stages share the last. "=" is accepted without a move, "-" is refused.
TABLE = """
message_sent                CONTACTED = = = = = = - -
lead_replied                - ENGAGED = = = = ENGAGED CONTACTED+ENGAGED -
checklist_completed         - - QUALIFIED = = = - - -
meeting_booked              - - - SCHEDULED = - - - -
meeting_cancelled           = = = = ENGAGED = = = -
meeting_time_passed         = = = = MEETING_COMPLETED = = = -
went_quiet                  NURTURE NURTURE NURTURE NURTURE NURTURE NURTURE = - -
asked_for_later             NURTURE NURTURE NURTURE NURTURE NURTURE NURTURE = - -
channel_used_up             = = = = = = = = -
all_channels_used_up        EXHAUSTED EXHAUSTED EXHAUSTED EXHAUSTED = = = = -
contact_info_added          = = = = = = = CONTACTED -
contact_attempt_failed      = = = = = = = = -
all_contact_attempts_failed BAD_CONTACT BAD_CONTACT BAD_CONTACT BAD_CONTACT BAD_CONTACT BAD_CONTACT BAD_CONTACT BAD_CONTACT -
contact_left_company        MOVED_COMPANY MOVED_COMPANY MOVED_COMPANY MOVED_COMPANY MOVED_COMPANY MOVED_COMPANY MOVED_COMPANY MOVED_COMPANY -
opted_out                   LOST LOST LOST LOST LOST LOST LOST LOST =
blocklisted                 LOST LOST LOST LOST LOST LOST LOST LOST =
not_interested              LOST LOST LOST LOST LOST LOST LOST LOST =
"""  # noqa: E501


def stage(name):
    """The number of a stage, named with or without the prefix."""
    return lead_pb2.Stage.Value("STAGE_" + name.removeprefix("STAGE_"))


def meeting(meeting_id="m-1", starts=-60, ends=3600):
    """A meeting; this one has begun and goes on for an hour."""
    return lead_pb2.Meeting(meeting_id=meeting_id, starts_at=at(starts), ends_at=at(ends))


def trigger(name, **details):
    """A trigger; what it needs has a value if none is given."""
    needed = {
        "meeting_booked": {"meeting": meeting()},
        "meeting_cancelled": {"meeting_id": "m-1"},
        "meeting_time_passed": {"meeting_id": "m-1"},
        "channel_used_up": {"channel": EMAIL},
        "contact_info_added": {"contact_point": lead_pb2.CONTACT_POINT_PHONE},
        "contact_attempt_failed": {"channel": EMAIL, "failure": trigger_pb2.ATTEMPT_FAILURE_ATTEMPT_FAILED},
        "contact_left_company": {"evidence": trigger_pb2.EVIDENCE_TOLD_US},
    }
    return trigger_pb2.Trigger(**{name: {**needed.get(name, {}), **details}})


class Pipeline:
    """The server under test, and what this run has done to it."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        grpc.channel_ready_future(self.channel).result(timeout=PATIENCE)
        self.stub = LeadPipelineStub(self.channel)
        self.name = "witness-" + new_id()[:8]
        self.agents = [f"{self.name}.{part}" for part in ("table", "journey", "pages", "crowd", "batch")]
        self.leads = []
        # Every entry there is, and the changes of this run's agents, from the beginning.
        self.all = Watcher(self.stub, pb.WatchStageChangesRequest(beginning={}, include_unchanged=True), complete=True)
        filter_ = pb.WatchFilter(agent_ids=self.agents)
        self.ours = Watcher(self.stub, pb.WatchStageChangesRequest(beginning={}, filter=filter_))

    def create(self, part="journey", **fields):
        """Creates a lead of one of this run's agents."""
        fields.setdefault("lead_id", f"{self.name}:{len(self.leads)}")
        request = pb.CreateLeadRequest(agent_id=f"{self.name}.{part}", **fields)
        lead = self.stub.CreateLead(request, timeout=PATIENCE).lead
        self.leads.append(lead.lead_id)
        return lead

    def apply(self, lead, name, outcome=None, to=None, details=None, **fields):
        """Applies a trigger and checks its outcome and the stage after it."""
        request = pb.ApplyTriggerRequest(lead_id=lead.lead_id, trigger=trigger(name, **(details or {})), **fields)
        answer = self.stub.ApplyTrigger(request, timeout=PATIENCE)
        if outcome is not None:
            equal(answer.outcome, outcome, f"the outcome of {name}")
        if to is not None:
            equal(lead_pb2.Stage.Name(answer.lead.stage), f"STAGE_{to}", f"the stage after {name}")
        return answer

    def moved(self, lead, name, to, **details):
        return self.apply(lead, name, MOVED, to, details).lead

    def same(self, lead, name, **details):
        return self.apply(lead, name, NO_CHANGE, details=details).lead

    def set_stage(self, lead, name, **fields):
        request = pb.OverrideStageRequest(lead_id=lead.lead_id, stage=stage(name), actor=PERSON, **fields)
        return self.stub.OverrideStage(request, timeout=PATIENCE)

    def get(self, lead):
        return self.stub.GetLead(pb.GetLeadRequest(lead_id=lead.lead_id), timeout=PATIENCE).lead

    def history(self, lead_id, page_size=0):
        """A lead's whole history, page by page."""
        entries, token, pages = [], "", 0
        while True:
            request = pb.ListStageChangesRequest(lead_id=lead_id, page_size=page_size, page_token=token)
            answer = self.stub.ListStageChanges(request, timeout=PATIENCE)
            pages += 1
            if page_size:
                assert len(answer.changes) <= page_size, "a page is larger than asked for"
            entries.extend(answer.changes)
            token = answer.next_page_token
            if not token:
                return entries, pages

    def not_allowed(self, lead, name, reason="TRIGGER_NOT_ALLOWED", **details):
        """Asserts that a trigger is refused, that the error says all it is to say, and that it left no trace."""
        before = self.get(lead)
        sent = pb.ApplyTriggerRequest(lead_id=lead.lead_id, trigger=trigger(name, **details), request_id=new_id())
        refusal = refused(Code.FAILED_PRECONDITION, reason, self.stub.ApplyTrigger, sent)
        equal(refusal.metadata.get("lead_id"), lead.lead_id, "metadata lead_id")
        equal(refusal.metadata.get("request_id"), sent.request_id, "metadata request_id")
        equal(stage(refusal.metadata.get("stage", "")), before.stage, "metadata stage")
        accepted = refusal.metadata.get("accepted_triggers", "").split(",")
        accepted = {name.strip() for name in accepted} - {""}
        assert name not in accepted or reason == "CHANNEL_ABSENT", f"{name} is refused and accepted"
        assert accepted <= set(TRIGGERS), f"accepted_triggers has unknown names: {accepted}"
        equal(self.get(lead), before, "the lead after a refusal")
        return refusal, accepted


# --- What is there ---------------------------------------------------------------------------------------------------


@check
def reflection_lists_the_service_in_both_versions(pipeline):
    for version in ("v1", "v1alpha"):
        call = pipeline.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        requests = [
            reflection_pb2.ServerReflectionRequest(list_services="*"),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
        ]
        listed, described = call(iter(requests), timeout=PATIENCE)
        names = {service.name for service in listed.list_services_response.service}
        assert {SERVICE, "grpc.health.v1.Health"} <= names, f"reflection {version} lists {names}"
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(file)
            for file in described.file_descriptor_response.file_descriptor_proto
        ]
        methods = {m.name for file in files for service in file.service for m in service.method}
        equal(
            methods, {m.name for m in pb.DESCRIPTOR.services_by_name["LeadPipeline"].methods}, "the methods described"
        )


@check
def health_answers_for_the_server_and_the_service(pipeline):
    health = health_pb2_grpc.HealthStub(pipeline.channel)
    for name in ("", SERVICE):
        status = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE).status
        equal(status, health_pb2.HealthCheckResponse.SERVING, f"the health of '{name}'")
    try:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=PATIENCE)
        raise AssertionError("an unknown service has a health")
    except grpc.RpcError as error:
        equal(error.code(), Code.NOT_FOUND, "the health of an unknown service")


@check
def the_pipeline_describes_itself(pipeline):
    answer = pipeline.stub.DescribePipeline(pb.DescribePipelineRequest(), timeout=PATIENCE)
    equal([lead_pb2.Stage.Name(s.stage) for s in answer.stages], STAGES, "the stages, in order")
    kinds = "ACTIVE " * 6 + "NURTURE PAUSED" + " END" * 5
    equal([lead_pb2.StageKind.Name(s.kind).removeprefix("STAGE_KIND_") for s in answer.stages], kinds.split(), "kinds")
    modes = "FIRST_TOUCH AWAIT_REPLY CONVERSE BOOK_MEETING CONFIRM_MEETING AWAIT_OUTCOME CHECK_IN HOLD" + " STOP" * 5
    described = [lead_pb2.ConversationMode.Name(s.conversation_mode) for s in answer.stages]
    equal([mode.removeprefix("CONVERSATION_MODE_") for mode in described], modes.split(), "conversation modes")
    assert all(s.meaning for s in answer.stages) and all(t.meaning for t in answer.triggers), "a meaning is missing"
    equal([t.trigger for t in answer.triggers], TRIGGERS, "the triggers, in order")
    rows = [(lead_pb2.Stage.Name(row.from_stage), row.trigger) for row in answer.transitions]
    equal(len(rows), len(set(rows)), "rows that stand once")
    equal(set(rows), {(s, t) for s in STAGES for t in TRIGGERS}, "the rows of the table")
    for row in answer.transitions:
        assert row.results, f"no result for {row}"
        for result in row.results:
            equal(bool(result.to_stages), result.outcome == MOVED, f"stages are entered if moved: {row}")
            equal(bool(result.refusal), result.outcome == 0, f"a refusal has a reason: {row}")


@check
def every_trigger_does_in_every_stage_what_the_table_says(pipeline):
    wanted = {line.split()[0]: line.split()[1:] for line in TABLE.strip().splitlines()}
    equal(list(wanted), TRIGGERS, "the triggers of the table")
    described = pipeline.stub.DescribePipeline(pb.DescribePipelineRequest(), timeout=PATIENCE)
    possible = {(row.from_stage, row.trigger): row.results for row in described.transitions}
    for column, name in enumerate(STAGES):
        lead = pipeline.create("table")
        given = {"meeting": meeting()} if name == "STAGE_SCHEDULED" else {}
        lead = pipeline.set_stage(lead, name, **given).lead
        request = pb.ExplainLeadRequest(lead_id=lead.lead_id)
        explained = pipeline.stub.ExplainLead(request, timeout=PATIENCE)
        equal(explained.lead, lead, "the lead explained")
        order = list(dict.fromkeys(e.trigger for e in explained.triggers))
        equal(order, TRIGGERS, "the triggers explained, in order")
        refused_here = set()
        for trigger_name in TRIGGERS:
            cell = wanted[trigger_name][min(column, 8)]
            what = f"{trigger_name} in {name}"
            explanations = [e for e in explained.triggers if e.trigger == trigger_name]
            assert all(e.example.WhichOneof("kind") == trigger_name for e in explanations), f"examples of {what}"
            outcomes = {(e.outcome, tuple(e.to_stages)) for e in explanations}
            table = {(r.outcome, tuple(r.to_stages)) for r in possible[lead.stage, trigger_name]}
            assert outcomes <= table, f"{what}: explained {outcomes}, the table has only {table}"
            if cell == "-":
                equal(outcomes, {(0, ())}, f"the explanation of {what}")
                assert all(e.refusal and e.explanation for e in explanations), f"{what} is refused without a reason"
                refused_here.add(trigger_name)
                _, accepted = pipeline.not_allowed(lead, trigger_name)
                continue
            answer = pipeline.apply(lead, trigger_name, validate_only=True)
            path = [] if cell == "=" else [stage(part) for part in cell.split("+")]
            equal([c.to_stage for c in answer.changes], path or [lead.stage], f"the stages of {what}")
            equal(answer.outcome, MOVED if path else NO_CHANGE, f"the outcome of {what}")
            assert (answer.outcome, tuple(path)) in outcomes, f"{what}: explained {outcomes}, done {answer.outcome}"
            equal(pipeline.get(lead), lead, f"the lead after a dry run of {what}")
        if refused_here:
            equal(accepted, set(TRIGGERS) - refused_here, f"accepted_triggers in {name}")


# --- Creation --------------------------------------------------------------------------------------------------------


@check
def a_lead_is_created_with_defaults(pipeline):
    request_id = new_id()
    answer = pipeline.stub.CreateLead(pb.CreateLeadRequest(request_id=request_id.upper()), timeout=PATIENCE)
    lead, (entry,) = answer.lead, answer.changes
    equal(lead.lead_id, request_id, "the id of a lead without one")
    equal(answer.request_id, request_id, "the request_id returned, in lower case")
    equal(answer.replayed, False, "replayed")
    equal((lead.agent_id, lead.version, lead.stage), ("default", 1, lead_pb2.STAGE_NEW), "agent, version, stage")
    equal(lead.stage_kind, lead_pb2.STAGE_KIND_ACTIVE, "the kind")
    equal(lead.conversation_mode, lead_pb2.CONVERSATION_MODE_FIRST_TOUCH, "the conversation mode")
    equal(lead.furthest_stage, lead_pb2.STAGE_NEW, "the furthest stage")
    equal(lead.channels, lead_pb2.Channels(email=OPEN, sms=OPEN, voice=OPEN), "the channels")
    assert not lead.HasField("meeting") and not lead.HasField("last_outreach_at"), "a new lead has nothing behind it"
    equal((entry.from_stage, entry.to_stage, entry.version), (0, lead_pb2.STAGE_NEW, 1), "the entry")
    equal(entry.cause.WhichOneof("kind"), "creation", "the cause")
    both = [lead_pb2.CONTACT_POINT_EMAIL, lead_pb2.CONTACT_POINT_PHONE]
    equal(sorted(entry.cause.creation.contact_points), both, "the contact points recorded")
    equal(entry.actor, lead_pb2.Actor(kind=lead_pb2.ACTOR_KIND_SERVICE, id="unknown"), "the actor nobody named")
    equal(entry.recorded_at, lead.stage_entered_at, "stage_entered_at is the entry's recorded_at")
    equal(entry.recorded_at.nanos % 1000, 0, "times are in microseconds")
    assert entry.position >= 1, "the entry has no position"
    equal(pipeline.get(lead), lead, "the lead read back")


@check
def contact_points_decide_the_channels(pipeline):
    email = pipeline.create(contact_points=[lead_pb2.CONTACT_POINT_EMAIL])
    equal(email.channels, lead_pb2.Channels(email=OPEN, sms=ABSENT, voice=ABSENT), "a lead with email only")
    phone = pipeline.create(contact_points=[lead_pb2.CONTACT_POINT_PHONE])
    equal(phone.channels, lead_pb2.Channels(email=ABSENT, sms=OPEN, voice=OPEN), "a lead with a phone only")
    refusal, _ = pipeline.not_allowed(email, "channel_used_up", "CHANNEL_ABSENT", channel=SMS)
    assert refusal.metadata.get("channel", "").removeprefix("CHANNEL_") == "SMS", f"metadata: {refusal.metadata}"
    failure = trigger_pb2.ATTEMPT_FAILURE_REJECTED_BY_CARRIER
    pipeline.not_allowed(email, "contact_attempt_failed", "CHANNEL_ABSENT", channel=VOICE, failure=failure)
    lead = pipeline.same(email, "contact_info_added")
    equal(lead.channels, lead_pb2.Channels(email=OPEN, sms=OPEN, voice=OPEN), "after a phone was added")


@check
def a_creation_is_replayed_and_an_id_is_taken_once(pipeline):
    request_id = new_id()
    lead = pipeline.create(request_id=request_id, reason="web form")
    request = pb.CreateLeadRequest(
        lead_id=lead.lead_id, agent_id=lead.agent_id, request_id=request_id.upper(), reason="web form"
    )
    again = pipeline.stub.CreateLead(request, timeout=PATIENCE)
    equal((again.replayed, again.lead, again.request_id), (True, lead, request_id), "the replay")
    equal(list(again.changes), pipeline.history(lead.lead_id)[0], "the changes of the replay")
    request.reason = "another"
    reused = refused(Code.ALREADY_EXISTS, "REQUEST_ID_REUSED", pipeline.stub.CreateLead, request)
    equal((reused.metadata["lead_id"], reused.metadata["request_id"]), (lead.lead_id, request_id), "metadata")
    request.request_id = new_id()
    exists = refused(Code.ALREADY_EXISTS, "LEAD_ALREADY_EXISTS", pipeline.stub.CreateLead, request)
    equal((exists.metadata["lead_id"], exists.metadata["request_id"]), (lead.lead_id, request.request_id), "metadata")


@check
def a_batch_answers_for_each_of_its_elements(pipeline):
    call, agent = pipeline.stub.BatchCreateLeads, f"{pipeline.name}.batch"
    ids = [f"{pipeline.name}:batch-{n}" for n in range(4)]
    requests = [pb.CreateLeadRequest(lead_id=ids[n], agent_id=agent, request_id=new_id()) for n in range(4)]
    pipeline.stub.CreateLead(requests[1], timeout=PATIENCE)
    taken = pb.CreateLeadRequest(lead_id=pipeline.create("batch").lead_id, agent_id=agent)
    bad = pb.CreateLeadRequest(lead_id="no spaces, please", agent_id=agent, contact_points=[0])
    batch = pb.BatchCreateLeadsRequest(requests=[requests[0], requests[1], bad, requests[2], taken, requests[3]])
    results = call(batch, timeout=PATIENCE).results
    equal(len(results), 6, "the number of results")
    equal(
        [r.WhichOneof("result") for r in results],
        ["response", "response", "error", "response", "error", "response"],
        "kinds",
    )
    created = [results[n].response for n in (0, 1, 3, 5)]
    equal([r.lead.lead_id for r in created], ids, "the results are in the order of the requests")
    equal([r.replayed for r in created], [False, True, False, False], "only what was created before is a replay")
    equal([r.request_id for r in created], [r.request_id for r in requests], "the request ids")
    refusal = Refusal.of(results[2].error)
    equal((refusal.code, refusal.reason), (Code.INVALID_ARGUMENT, "INVALID_REQUEST"), "the bad element")
    equal(len(refusal.fields), 2, f"the fields of the bad element: {refusal.fields}")
    assert [f.endswith(n) for f, n in zip(sorted(refusal.fields), ["contact_points[0]", "lead_id"], strict=True)], (
        refusal
    )
    refusal = Refusal.of(results[4].error)
    equal((refusal.code, refusal.reason), (Code.ALREADY_EXISTS, "LEAD_ALREADY_EXISTS"), "the lead that exists")
    pipeline.leads.extend(ids)
    twice = call(batch, timeout=PATIENCE).results
    equal([r.response.replayed for r in twice if r.HasField("response")], [True] * 4, "the batch sent again")


@check
def a_batch_is_refused_whole_if_it_is_empty_too_large_or_names_a_lead_twice(pipeline):
    call = pipeline.stub.BatchCreateLeads
    invalid(["requests"], call, pb.BatchCreateLeadsRequest())
    ids = [f"{pipeline.name}:large-{n}" for n in range(1001)]
    requests = [pb.CreateLeadRequest(lead_id=lead_id, agent_id=f"{pipeline.name}.batch") for lead_id in ids]
    invalid(["requests"], call, pb.BatchCreateLeadsRequest(requests=requests))
    twice = refused(
        Code.INVALID_ARGUMENT, "INVALID_REQUEST", call, pb.BatchCreateLeadsRequest(requests=requests[:2] + requests[:1])
    )
    assert twice.fields, "the field that stands twice is not named"
    read = pb.GetLeadRequest(lead_id=ids[0])
    refused(Code.NOT_FOUND, "LEAD_NOT_FOUND", pipeline.stub.GetLead, read)
    results = call(pb.BatchCreateLeadsRequest(requests=requests[:1000]), timeout=PATIENCE).results
    equal([r.response.lead.lead_id for r in results], ids[:1000], "a thousand at once, in order")
    pipeline.leads.extend(ids[:1000])


# --- Triggers --------------------------------------------------------------------------------------------------------


@check
def a_lead_goes_all_the_way(pipeline):
    lead = pipeline.create()
    lead = pipeline.moved(lead, "message_sent", "CONTACTED")
    equal(lead.last_outreach_at, lead.stage_entered_at, "last_outreach_at")
    lead = pipeline.moved(lead, "lead_replied", "ENGAGED", channel=EMAIL)
    equal(lead.last_reply_at, lead.stage_entered_at, "last_reply_at")
    lead = pipeline.moved(lead, "checklist_completed", "QUALIFIED")
    first, second = meeting("m-1", 3600, 7200), meeting("m-2", -60, 3600)
    lead = pipeline.moved(lead, "meeting_booked", "SCHEDULED", meeting=first)
    equal(lead.meeting, first, "the meeting booked")
    refusal, accepted = pipeline.not_allowed(lead, "meeting_time_passed", "MEETING_NOT_STARTED")
    assert "meeting_cancelled" in accepted, f"accepted: {accepted}"
    assert refusal.metadata.get("starts_at"), f"metadata has no starts_at: {refusal.metadata}"
    entered = lead.stage_entered_at
    lead = pipeline.same(lead, "meeting_booked", meeting=second)
    equal((lead.meeting, lead.stage_entered_at), (second, entered), "a reschedule replaces the meeting, moves nothing")
    lead = pipeline.same(lead, "meeting_cancelled", meeting_id="m-1")
    lead = pipeline.same(lead, "meeting_time_passed", meeting_id="m-1")
    lead = pipeline.moved(lead, "meeting_time_passed", "MEETING_COMPLETED", meeting_id="m-2")
    lead = pipeline.set_stage(lead, "WON", reason="signed").lead
    equal((lead.version, lead.furthest_stage), (10, lead_pb2.STAGE_WON), "version and furthest stage")
    equal(lead.stage_kind, lead_pb2.STAGE_KIND_END, "the kind of WON")
    equal(lead.conversation_mode, lead_pb2.CONVERSATION_MODE_STOP, "the conversation mode of WON")
    entries, _ = pipeline.history(lead.lead_id)
    equal([entry.version for entry in entries], list(range(1, 11)), "the versions of the history")
    stages = "NEW CONTACTED ENGAGED QUALIFIED SCHEDULED SCHEDULED SCHEDULED SCHEDULED MEETING_COMPLETED WON"
    equal([entry.to_stage for entry in entries], [stage(name) for name in stages.split()], "the stages of the history")
    equal([e.from_stage for e in entries[1:]], [e.to_stage for e in entries[:-1]], "each entry begins where one ended")
    equal(entries[-1].cause.WhichOneof("kind"), "override", "the cause of the last entry")
    equal((entries[-1].actor, entries[-1].reason), (PERSON, "signed"), "who and why")
    equal(entries[4].cause.trigger.meeting_booked.meeting, first, "the cause carries the trigger's details")


@check
def a_cancelled_meeting_is_gone(pipeline):
    lead, booked = pipeline.create(), meeting()
    lead = pipeline.set_stage(lead, "SCHEDULED", meeting=booked).lead
    equal(lead.meeting, booked, "an override's meeting")
    lead = pipeline.moved(lead, "meeting_cancelled", "ENGAGED")
    assert not lead.HasField("meeting"), "the meeting is still there"
    equal(lead.furthest_stage, lead_pb2.STAGE_SCHEDULED, "the furthest stage stays")


@check
def used_up_channels_exhaust_a_lead_and_a_reply_revives_it_in_two_steps(pipeline):
    lead = pipeline.create()
    lead = pipeline.moved(lead, "message_sent", "CONTACTED")
    lead = pipeline.same(lead, "channel_used_up", channel=EMAIL)
    equal(lead.channels, lead_pb2.Channels(email=USED_UP, sms=OPEN, voice=OPEN), "one channel used up")
    lead = pipeline.same(lead, "channel_used_up", channel=SMS)
    lead = pipeline.moved(lead, "channel_used_up", "EXHAUSTED", channel=VOICE)
    equal(lead.stage_kind, lead_pb2.STAGE_KIND_PAUSED, "the kind of EXHAUSTED")
    request_id = new_id()
    answer = pipeline.apply(lead, "lead_replied", MOVED, "ENGAGED", request_id=request_id)
    path = [(change.from_stage, change.to_stage) for change in answer.changes]
    names = [stage("EXHAUSTED"), stage("CONTACTED"), stage("ENGAGED")]
    equal(path, [(names[0], names[1]), (names[1], names[2])], "the two entries")
    equal([change.request_id for change in answer.changes], [request_id] * 2, "their request id")
    equal([c.version for c in answer.changes], [lead.version + 1, lead.version + 2], "their versions")
    equal(answer.lead.channels, lead_pb2.Channels(email=OPEN, sms=OPEN, voice=OPEN), "a reply opens the channels")
    again = pipeline.apply(lead, "lead_replied", request_id=request_id)
    equal((again.replayed, list(again.changes)), (True, list(answer.changes)), "the replay has both entries")
    lead = pipeline.moved(lead, "all_channels_used_up", "EXHAUSTED")
    lead = pipeline.moved(lead, "contact_info_added", "CONTACTED")
    equal(lead.channels, lead_pb2.Channels(email=USED_UP, sms=OPEN, voice=OPEN), "only the added contact point opens")


@check
def failed_attempts_make_contact_points_bad(pipeline):
    phone = pipeline.create(contact_points=[lead_pb2.CONTACT_POINT_PHONE])
    phone = pipeline.same(phone, "contact_attempt_failed", channel=SMS)
    phone = pipeline.same(phone, "contact_attempt_failed", channel=VOICE)
    equal(phone.contact_failures.phone, 2, "failures in a row")
    phone = pipeline.moved(phone, "contact_attempt_failed", "BAD_PHONE", channel=SMS)
    equal((phone.channels.sms, phone.channels.voice), (BAD, BAD), "the channels of a bad phone")
    both = pipeline.create()
    invalid_address = trigger_pb2.ATTEMPT_FAILURE_INVALID_ADDRESS
    both = pipeline.same(both, "contact_attempt_failed", channel=EMAIL, failure=invalid_address)
    equal(both.channels, lead_pb2.Channels(email=BAD, sms=OPEN, voice=OPEN), "a bad address")
    carrier = trigger_pb2.ATTEMPT_FAILURE_REJECTED_BY_CARRIER
    both = pipeline.moved(both, "contact_attempt_failed", "BAD_CONTACT", channel=VOICE, failure=carrier)
    equal(both.channels, lead_pb2.Channels(email=BAD, sms=BAD, voice=BAD), "nothing is left")
    cleared = pipeline.create()
    pipeline.moved(cleared, "message_sent", "CONTACTED")
    pipeline.same(cleared, "contact_attempt_failed", channel=EMAIL)
    cleared = pipeline.moved(cleared, "lead_replied", "ENGAGED", channel=SMS)
    equal(cleared.contact_failures.email, 0, "a reply clears the count")


@check
def a_dead_lead_refuses_all_but_the_three_marks(pipeline):
    lead = pipeline.moved(pipeline.create(), "blocklisted", "LOST")
    equal(lead.dead_reason, lead_pb2.DEAD_REASON_BLOCKLISTED, "the mark")
    lead = pipeline.same(lead, "not_interested")
    equal(lead.dead_reason, lead_pb2.DEAD_REASON_BLOCKLISTED, "a lower reason changes nothing")
    lead = pipeline.same(lead, "opted_out")
    equal(lead.dead_reason, lead_pb2.DEAD_REASON_OPTED_OUT, "a higher reason raises the mark")
    lead = pipeline.set_stage(lead, "ENGAGED").lead
    equal(lead.dead_reason, lead_pb2.DEAD_REASON_OPTED_OUT, "an override never touches the mark")
    equal(lead.conversation_mode, lead_pb2.CONVERSATION_MODE_STOP, "the conversation mode of a dead lead")
    marks = {"opted_out", "blocklisted", "not_interested"}
    for name in TRIGGERS:
        if name not in marks:
            refusal, accepted = pipeline.not_allowed(lead, name, "LEAD_IS_DEAD")
            equal(accepted, marks, "what a dead lead accepts")
            dead = refusal.metadata.get("dead_reason", "").removeprefix("DEAD_REASON_")
            equal(dead, "OPTED_OUT", "metadata dead_reason")
    lead = pipeline.same(lead, "blocklisted")
    equal(lead.stage, lead_pb2.STAGE_ENGAGED, "a mark leaves a dead lead's stage")
    explained = pipeline.stub.ExplainLead(pb.ExplainLeadRequest(lead_id=lead.lead_id), timeout=PATIENCE).triggers
    equal({e.trigger for e in explained if e.outcome == NO_CHANGE}, marks, "what is explained of a dead lead")


# --- Overrides -------------------------------------------------------------------------------------------------------


@check
def a_person_sets_any_stage_from_any_stage(pipeline):
    lead = pipeline.create()
    for before in STAGES:
        for after in STAGES:
            lead = pipeline.set_stage(lead, before).lead
            answer = pipeline.set_stage(lead, after)
            equal(answer.outcome, NO_CHANGE if before == after else MOVED, f"from {before} to {after}")
            equal(answer.lead.version, lead.version + 1, "an override is recorded")
            assert not answer.lead.HasField("meeting"), "a meeting out of nothing"
            lead = answer.lead


@check
def an_override_opens_channels_only_if_told_to(pipeline):
    lead = pipeline.create(contact_points=[lead_pb2.CONTACT_POINT_PHONE])
    lead = pipeline.moved(lead, "all_contact_attempts_failed", "BAD_PHONE")
    lead = pipeline.set_stage(lead, "CONTACTED").lead
    equal(lead.channels, lead_pb2.Channels(email=ABSENT, sms=BAD, voice=BAD), "the channels stay")
    lead = pipeline.set_stage(lead, "CONTACTED", reopen_channels=True).lead
    equal(lead.channels, lead_pb2.Channels(email=ABSENT, sms=OPEN, voice=OPEN), "the channels that the lead has open")


# --- Promises of every write -----------------------------------------------------------------------------------------


@check
def a_request_has_one_effect_however_often_it_is_sent(pipeline):
    lead, request_id = pipeline.create(), new_id()
    first = pipeline.apply(lead, "message_sent", MOVED, "CONTACTED", request_id=request_id, reason="hello")
    later = pipeline.moved(lead, "lead_replied", "ENGAGED")
    again = pipeline.apply(lead, "message_sent", request_id=request_id, reason="hello", expected_version=1)
    equal((again.outcome, list(again.changes)), (MOVED, list(first.changes)), "a replay returns what was recorded")
    equal((again.replayed, again.lead), (True, later), "and the lead as it is now, whatever version is expected")
    for other in (
        {"reason": "other"},
        {"reason": "hello", "actor": PERSON},
        {"reason": "hello", "occurred_at": at(-5)},
    ):
        request = pb.ApplyTriggerRequest(
            lead_id=lead.lead_id, trigger=trigger("message_sent"), request_id=request_id, **other
        )
        refused(Code.ALREADY_EXISTS, "REQUEST_ID_REUSED", pipeline.stub.ApplyTrigger, request)
    override = pb.OverrideStageRequest(
        lead_id=lead.lead_id, stage=stage("WON"), actor=PERSON, request_id=request_id, reason="hello"
    )
    refused(Code.ALREADY_EXISTS, "REQUEST_ID_REUSED", pipeline.stub.OverrideStage, override)
    equal(pipeline.get(lead), later, "the lead after all that")
    other = pipeline.create()
    pipeline.apply(other, "message_sent", MOVED, "CONTACTED", request_id=request_id, reason="hello")


@check
def a_refused_request_and_a_dry_run_leave_the_id_free(pipeline):
    lead, request_id = pipeline.create(), new_id()
    dry = pipeline.apply(lead, "went_quiet", MOVED, "NURTURE", request_id=request_id, validate_only=True)
    (change,) = dry.changes
    equal((change.version, change.position), (0, 0), "a dry run has neither version nor position")
    assert not change.HasField("recorded_at"), "a dry run has a time"
    equal((dry.lead.version, dry.request_id), (lead.version, request_id), "a dry run's version and id")
    equal(pipeline.get(lead), lead, "the lead after a dry run")
    dry = pipeline.set_stage(lead, "WON", request_id=request_id, validate_only=True)
    equal(dry.lead.stage, lead_pb2.STAGE_WON, "an override's dry run")
    refusal_request = pb.ApplyTriggerRequest(
        lead_id=lead.lead_id, trigger=trigger("checklist_completed"), request_id=request_id
    )
    refused(Code.FAILED_PRECONDITION, "TRIGGER_NOT_ALLOWED", pipeline.stub.ApplyTrigger, refusal_request)
    answer = pipeline.apply(lead, "message_sent", MOVED, "CONTACTED", request_id=request_id)
    equal((answer.replayed, answer.lead.version), (False, 2), "the id was free")


@check
def a_write_expects_a_version(pipeline):
    lead = pipeline.create()
    lead = pipeline.apply(lead, "message_sent", MOVED, expected_version=1).lead
    request = pb.ApplyTriggerRequest(
        lead_id=lead.lead_id, trigger=trigger("lead_replied"), expected_version=1, request_id=new_id()
    )
    refusal = refused(Code.ABORTED, "VERSION_MISMATCH", pipeline.stub.ApplyTrigger, request)
    wanted = {
        "lead_id": lead.lead_id,
        "request_id": request.request_id,
        "expected_version": "1",
        "current_version": "2",
    }
    equal({key: refusal.metadata.get(key) for key in wanted}, wanted, "metadata")
    override = pb.OverrideStageRequest(lead_id=lead.lead_id, stage=stage("WON"), actor=PERSON, expected_version=7)
    refused(Code.ABORTED, "VERSION_MISMATCH", pipeline.stub.OverrideStage, override)
    request.trigger.CopyFrom(trigger("checklist_completed"))
    refused(Code.ABORTED, "VERSION_MISMATCH", pipeline.stub.ApplyTrigger, request)
    pipeline.set_stage(lead, "WON", expected_version=2)


@check
def the_time_a_caller_gives_is_recorded_and_decides_nothing(pipeline):
    lead, happened = pipeline.create(), timestamp_pb2.Timestamp(seconds=1_000_000_000, nanos=123_456_789)
    (change,) = pipeline.apply(lead, "message_sent", occurred_at=happened).changes
    cut = timestamp_pb2.Timestamp(seconds=1_000_000_000, nanos=123_456_000)
    equal(change.occurred_at, cut, "occurred_at, cut to microseconds")
    assert change.recorded_at.seconds > happened.seconds, "recorded_at is the caller's"
    pipeline.apply(lead, "lead_replied", MOVED, occurred_at=at(240))
    request = pb.ApplyTriggerRequest(lead_id=lead.lead_id, trigger=trigger("went_quiet"), occurred_at=at(400))
    invalid(["occurred_at"], pipeline.stub.ApplyTrigger, request)


@check
def wrong_fields_are_named_all_at_once(pipeline):
    lead, apply, override = pipeline.create(), pipeline.stub.ApplyTrigger, pipeline.stub.OverrideStage
    sent = new_id()
    request = pb.ApplyTriggerRequest(
        lead_id="a b",
        trigger=trigger("message_sent"),
        request_id=sent,
        expected_version=0,
        actor=lead_pb2.Actor(kind=lead_pb2.ACTOR_KIND_SYSTEM),
        reason="x" * 501,
    )
    refusal = invalid(["lead_id", "expected_version", "actor.kind", "actor.id", "reason"], apply, request)
    equal(refusal.metadata.get("request_id"), sent, "metadata request_id")
    invalid(["lead_id", "trigger"], apply, pb.ApplyTriggerRequest())
    request = pb.ApplyTriggerRequest(lead_id=lead.lead_id, trigger=trigger("message_sent"), request_id="not-a-uuid")
    invalid(["request_id"], apply, request)
    backwards = meeting("m 1", 60, 30)
    wrong = [
        (
            trigger("meeting_booked", meeting=lead_pb2.Meeting()),
            ["meeting.meeting_id", "meeting.starts_at", "meeting.ends_at"],
        ),
        (trigger("meeting_booked", meeting=backwards), ["meeting.meeting_id", "meeting.ends_at"]),
        (trigger("meeting_cancelled", meeting_id=""), ["meeting_id"]),
        (trigger("channel_used_up", channel=0), ["channel"]),
        (trigger("contact_info_added", contact_point=7), ["contact_point"]),
        (trigger("contact_left_company", evidence=0), ["evidence"]),
        (trigger("lead_replied", channel=9), ["channel"]),
        (
            trigger("contact_attempt_failed", failure=trigger_pb2.ATTEMPT_FAILURE_REJECTED_BY_CARRIER),
            ["failure"],
        ),
    ]
    for bad, fields in wrong:
        paths = [f"trigger.{bad.WhichOneof('kind')}.{field}" for field in fields]
        invalid(paths, apply, pb.ApplyTriggerRequest(lead_id=lead.lead_id, trigger=bad))
    invalid(["actor"], override, pb.OverrideStageRequest(lead_id=lead.lead_id, stage=stage("WON")))
    machine = lead_pb2.Actor(kind=lead_pb2.ACTOR_KIND_AI_AGENT, id="anna")
    request = pb.OverrideStageRequest(lead_id=lead.lead_id, actor=machine, meeting=meeting())
    invalid(["stage", "actor.kind"], override, request)
    request = pb.OverrideStageRequest(lead_id=lead.lead_id, stage=stage("WON"), actor=PERSON, meeting=meeting())
    invalid(["meeting"], override, request)
    create = pb.CreateLeadRequest(contact_points=[1, 1], agent_id="ü")
    invalid(["contact_points[1]", "agent_id"], pipeline.stub.CreateLead, create)
    equal(pipeline.get(lead), lead, "the lead after all that")


@check
def a_lead_that_does_not_exist_is_not_found(pipeline):
    stub = pipeline.stub
    calls = [
        (stub.GetLead, pb.GetLeadRequest(lead_id=NOBODY)),
        (stub.ExplainLead, pb.ExplainLeadRequest(lead_id=NOBODY)),
        (stub.ListStageChanges, pb.ListStageChangesRequest(lead_id=NOBODY)),
        (stub.ApplyTrigger, pb.ApplyTriggerRequest(lead_id=NOBODY, trigger=trigger("message_sent"))),
        (stub.OverrideStage, pb.OverrideStageRequest(lead_id=NOBODY, stage=1, actor=PERSON, expected_version=3)),
    ]
    for call, request in calls:
        refusal = refused(Code.NOT_FOUND, "LEAD_NOT_FOUND", call, request)
        equal(refusal.metadata.get("lead_id"), NOBODY, "metadata lead_id")
        if hasattr(request, "request_id"):
            assert refusal.metadata.get("request_id"), "the id that the server made is not told"


@check
def a_call_cut_short_has_one_effect_or_none(pipeline):
    lead = pipeline.create("crowd")
    for attempt in range(60):
        request = pb.ApplyTriggerRequest(
            lead_id=lead.lead_id, trigger=trigger("message_sent"), request_id=new_id(), reason=f"attempt {attempt}"
        )
        try:
            pipeline.stub.ApplyTrigger(request, timeout=0.0002 * (1 + attempt % 20))
        except grpc.RpcError as error:
            if error.code() == Code.UNAVAILABLE:
                unknown = Refusal(error)
                told = (unknown.reason, unknown.metadata.get("request_id"))
                equal(told, ("OUTCOME_UNKNOWN", request.request_id), "what the server says of a write cut short")
            else:
                allowed = (Code.DEADLINE_EXCEEDED, Code.CANCELLED)
                assert error.code() in allowed, f"a short deadline ended with {error.code()}: {error.details()}"
        pipeline.stub.ApplyTrigger(request, timeout=PATIENCE)
        equal(pipeline.get(lead).version, attempt + 2, "one entry an attempt")
    requests = [entry.request_id for entry in pipeline.history(lead.lead_id)[0]]
    equal(len(set(requests)), 61, "request ids in the history")


@check
def callers_at_the_same_time_are_put_in_one_order(pipeline):
    lead = pipeline.create("crowd")
    same = new_id()

    def work(worker):
        answers = [pipeline.apply(lead, "message_sent", reason=f"{worker}/{n}") for n in range(25)]
        return answers, pipeline.apply(lead, "went_quiet", request_id=same)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    versions = [answer.changes[0].version for answers, _ in results for answer in answers]
    last = [quiet for _, quiet in results]
    equal(sorted(versions + [last[0].changes[0].version]), list(range(2, 203)), "every version once")
    equal(sorted(quiet.replayed for quiet in last), [False] + [True] * 7, "one of eight had the effect")
    assert all(list(quiet.changes) == list(last[0].changes) for quiet in last), "the replays differ"
    entries, _ = pipeline.history(lead.lead_id)
    positions = [entry.position for entry in entries]
    equal(positions, sorted(set(positions)), "positions ascend with versions")
    times = [entry.recorded_at.ToMicroseconds() for entry in entries]
    equal(times, sorted(times), "recorded_at never goes backwards")
    reasons = [[e.reason for e in entries if e.reason.startswith(f"{w}/")] for w in range(8)]
    equal(reasons, [[f"{w}/{n}" for n in range(25)] for w in range(8)], "each caller's own order")


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
    assert pb.NOTICE_CAUGHT_UP in pipeline.all.notices, "the watcher was never told that it had caught up"


if __name__ == "__main__":
    sys.exit(run(Pipeline(address_from_arguments(__doc__))))
