"""What every write promises, whoever sends what."""

import concurrent.futures

import grpc
from google.protobuf import timestamp_pb2
from outside import PATIENCE, Refusal, at, check, equal, invalid, new_id, refused
from subject import (
    MOVED,
    NOBODY,
    PERSON,
    Code,
    meeting,
    stage,
    trigger,
)

from leadpipeline.v1 import lead_pb2, trigger_pb2
from leadpipeline.v1 import lead_pipeline_pb2 as pb

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
