"""Compares the server's checks with the rules in the protos: python rules.py HOST:PORT.

The rules (buf.validate) are for callers, who can check a request before they send it; the server has checks of its own.
Both are given the same requests here, good and bad, and must judge alike: a request that breaks a rule is
INVALID_ARGUMENT, and one that breaks none isn't.
"""

import itertools
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import generate

# The committed client has no rules in it: these tests generate one that has, and use only that.
SCRATCH = tempfile.TemporaryDirectory()
generate.generate(SCRATCH.name, rules=True)
sys.path.insert(0, SCRATCH.name)

import grpc  # noqa: E402
import protovalidate  # noqa: E402
from buf.validate import validate_pb2  # noqa: E402
from google.protobuf import duration_pb2, timestamp_pb2  # noqa: E402
from outside import PATIENCE, Refusal, address_from_arguments, check, new_id, run  # noqa: E402

from leadpipeline.v1 import lead_pb2, trigger_pb2  # noqa: E402
from leadpipeline.v1 import lead_pipeline_pb2 as pb  # noqa: E402
from leadpipeline.v1.lead_pipeline_pb2_grpc import LeadPipelineStub  # noqa: E402

NAME = "rules-" + new_id()[:8]
NUMBERS = itertools.count()

ALPHABET = "AZaz09._:-"
IDS = ["a", ALPHABET, "x" * 64]
BAD_IDS = ["", "x" * 65, "a b", "a\n", "\n", "a@b", "ä", "a/b", "a\0", "ａ", " a"]
REQUEST_IDS = [
    "",
    "0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a11",
    "0199D2A0-5B3E-7C1A-9F00-2F6C8F1F0A11",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "0199d2a05b3e7c1a9f002f6c8f1f0a11",
    "{0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a11}",
    "urn:uuid:0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a11",
    "0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a1",
    "0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a111",
    "0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a1g",
    "0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a11\n",
    "0199d2a05-b3e-7c1a-9f00-2f6c8f1f0a11",
    "x",
]
REASONS = ["", "because", "x" * 500, "ü" * 500, "😀" * 500, "two\nlines", "x" * 501, "ü" * 501, "nul\0", "\0"]
NUMBERS_OF_ENUMS = [-1, 0, 1, 2, 3, 4, 5, 13, 14, 99]
VERSIONS = [1, 2_147_483_647, 0, -1, -2_147_483_648]
SIZES = [0, 1, 1000, 1001, 2_147_483_647, -1]
ACTORS = [
    *({"kind": kind, "id": "mia"} for kind in NUMBERS_OF_ENUMS),
    {},
    *({"kind": 1, "id": id_} for id_ in ["", "mia@sales", ALPHABET + "@", "x" * 128, "x" * 129, "a b", "a\n", "ü"]),
]


def at(seconds_from_now, nanos=0):
    """A time relative to now."""
    return timestamp_pb2.Timestamp(seconds=int(time.time()) + seconds_from_now, nanos=nanos)


def meetings():
    """Meetings, good and bad."""
    start, end = at(60), at(120)
    yield {"meeting_id": "m", "starts_at": start, "ends_at": end}
    yield {"meeting_id": "m", "starts_at": at(-7200), "ends_at": at(-3600)}
    yield {"meeting_id": "m", "starts_at": at(60, 1000), "ends_at": at(60, 2000)}
    yield {"meeting_id": "m", "starts_at": start, "ends_at": start}
    yield {"meeting_id": "m", "starts_at": end, "ends_at": start}
    yield {"meeting_id": "m", "starts_at": start}
    yield {"meeting_id": "m", "ends_at": end}
    yield {}
    yield from ({"meeting_id": id_, "starts_at": start, "ends_at": end} for id_ in IDS + BAD_IDS)


def triggers():
    """Triggers, good and bad."""
    yield trigger_pb2.Trigger()
    for field in trigger_pb2.Trigger.DESCRIPTOR.oneofs_by_name["kind"].fields:
        yield trigger_pb2.Trigger(**{field.name: {}})
    for number in NUMBERS_OF_ENUMS:
        yield trigger_pb2.Trigger(lead_replied={"channel": number})
        yield trigger_pb2.Trigger(channel_used_up={"channel": number})
        yield trigger_pb2.Trigger(contact_info_added={"contact_point": number})
        yield trigger_pb2.Trigger(contact_left_company={"evidence": number})
    for channel, failure in itertools.product([-1, 0, 1, 2, 3, 4], repeat=2):
        yield trigger_pb2.Trigger(contact_attempt_failed={"channel": channel, "failure": failure})
    for id_ in IDS + BAD_IDS:
        yield trigger_pb2.Trigger(meeting_cancelled={"meeting_id": id_})
        yield trigger_pb2.Trigger(meeting_time_passed={"meeting_id": id_})
    for meeting in meetings():
        yield trigger_pb2.Trigger(meeting_booked={"meeting": meeting})


# What every write shares, beside its lead and its content: one field wrong at a time.
def shared_by_writes():
    yield from ({"request_id": id_} for id_ in REQUEST_IDS)
    yield from ({"reason": reason} for reason in REASONS)
    yield from ({"actor": actor} for actor in ACTORS)


def shared_by_changes():
    yield from shared_by_writes()
    yield from ({"expected_version": version} for version in VERSIONS)
    for seconds in (-3_000_000_000, -1_000_000, 0, 240, 600, 10_000_000):
        yield {"occurred_at": at(seconds) if seconds > -2_000_000_000 else timestamp_pb2.Timestamp(seconds=seconds)}


def creations():
    """CreateLead, with an id of its own where that isn't what it is about."""
    yield {}
    yield from ({"lead_id": id_} for id_ in ["x" * 65, *BAD_IDS])
    yield from ({"agent_id": id_} for id_ in IDS + BAD_IDS)
    yield from ({"contact_points": points} for points in [[], [1], [2], [1, 2], [2, 1], [0], [3], [-1], [1, 1], [1, 0]])
    yield from shared_by_writes()


def judge(request):
    """The rules' verdict: what is wrong, empty if nothing."""
    try:
        protovalidate.validate(request)
    except protovalidate.ValidationError as error:
        return [violation.proto.rule_id for violation in error.violations]
    return undefined_items(request)


def undefined_items(message):
    """Values that an enum doesn't have, in lists whose rules forbid them: protovalidate 1.2 for Python lets them in."""
    for field, value in message.ListFields():
        if field.message_type and not field.is_repeated:
            found = undefined_items(value)
            if found:
                return found
        elif field.enum_type and field.is_repeated:
            rules = field.GetOptions().Extensions[validate_pb2.field].repeated.items.enum
            if rules.defined_only and not set(value) <= set(field.enum_type.values_by_number):
                return ["enum.defined_only"]
    return []


class Bench:
    """Sends requests and compares verdicts."""

    def __init__(self, address):
        self.stub = LeadPipelineStub(grpc.insecure_channel(address))
        self.lead_id = f"{NAME}:lead"
        self.stub.CreateLead(pb.CreateLeadRequest(lead_id=self.lead_id), timeout=PATIENCE)

    def compare(self, call, requests, streams=False):
        """Asserts that both judge all requests alike, and that there were good and bad ones."""
        disagreements, verdicts = [], set()
        for request in requests:
            wrong = judge(request)
            refusal = self.refusal(call, request, streams)
            invalid = refusal is not None and refusal.code == grpc.StatusCode.INVALID_ARGUMENT
            verdicts.add(bool(wrong))
            if bool(wrong) != invalid:
                said = f"{refusal.code.name}: {refusal.message} {refusal.fields}" if refusal else "took it"
                disagreements.append(f"the rules say {wrong or 'it is valid'}, the server {said}:\n{request!r}")
        assert not disagreements, f"{len(disagreements)} disagreements\n" + "\n".join(disagreements)
        assert verdicts == {True, False}, "the requests were all good or all bad: they prove little"

    def refusal(self, call, request, streams):
        try:
            answer = call(request, timeout=PATIENCE)
            if streams:
                next(answer)
                answer.cancel()
        except grpc.RpcError as error:
            return Refusal(error)
        return None


@check
def create_lead_is_judged_alike(bench):
    def own_id(fields):
        taken = {"lead_id": f"{NAME}:{next(NUMBERS)}"} if "request_id" in fields else {}
        return pb.CreateLeadRequest(**{**taken, **fields})

    bench.compare(bench.stub.CreateLead, map(own_id, creations()))


@check
def an_element_of_a_batch_is_judged_alike(bench):
    requests = [pb.CreateLeadRequest(**{"lead_id": f"{NAME}:{next(NUMBERS)}", **fields}) for fields in creations()]
    # A lead named twice would fail the whole call, which is not what this is about.
    requests = list({request.lead_id or f"none {n}": request for n, request in enumerate(requests)}.values())
    answer = bench.stub.BatchCreateLeads(pb.BatchCreateLeadsRequest(requests=requests), timeout=PATIENCE)
    for request, result in zip(requests, answer.results, strict=True):
        invalid = result.HasField("error") and Refusal.of(result.error).code == grpc.StatusCode.INVALID_ARGUMENT
        assert invalid == bool(judge(request)), f"the rules say {judge(request)}, the server {result}:\n{request!r}"


@check
def a_batch_is_judged_alike(bench):
    def batch(size):
        ids = [f"{NAME}:{next(NUMBERS)}" for _ in range(size)]
        return pb.BatchCreateLeadsRequest(requests=[pb.CreateLeadRequest(lead_id=lead_id) for lead_id in ids])

    bad_element = pb.BatchCreateLeadsRequest(requests=[pb.CreateLeadRequest(lead_id="a b")])
    bench.compare(bench.stub.BatchCreateLeads, [batch(0), batch(1), batch(1000), batch(1001), bad_element])


@check
def apply_trigger_is_judged_alike(bench):
    sent = trigger_pb2.Trigger(message_sent={})
    requests = [
        pb.ApplyTriggerRequest(),
        pb.ApplyTriggerRequest(lead_id=bench.lead_id),
        *(pb.ApplyTriggerRequest(lead_id=id_, trigger=sent) for id_ in IDS + BAD_IDS),
        *(pb.ApplyTriggerRequest(lead_id=bench.lead_id, trigger=trigger, validate_only=True) for trigger in triggers()),
        *(pb.ApplyTriggerRequest(lead_id=bench.lead_id, trigger=sent, **fields) for fields in shared_by_changes()),
    ]
    bench.compare(bench.stub.ApplyTrigger, requests)


@check
def override_stage_is_judged_alike(bench):
    def override(**fields):
        person = {"kind": lead_pb2.ACTOR_KIND_PERSON, "id": "mia"}
        known = {"lead_id": bench.lead_id, "stage": lead_pb2.STAGE_WON, "actor": person, "validate_only": True}
        return pb.OverrideStageRequest(**{**known, **fields})

    requests = [
        pb.OverrideStageRequest(),
        pb.OverrideStageRequest(lead_id=bench.lead_id, stage=lead_pb2.STAGE_WON),
        *(override(lead_id=id_) for id_ in IDS + BAD_IDS),
        *(override(stage=number) for number in NUMBERS_OF_ENUMS),
        *(override(stage=number, meeting=next(meetings())) for number in NUMBERS_OF_ENUMS),
        *(override(stage=lead_pb2.STAGE_SCHEDULED, meeting=meeting) for meeting in meetings()),
        *(override(**fields) for fields in shared_by_changes()),
    ]
    bench.compare(bench.stub.OverrideStage, requests)


@check
def reads_are_judged_alike(bench):
    ids = [bench.lead_id, *IDS, *BAD_IDS]
    bench.compare(bench.stub.GetLead, [pb.GetLeadRequest(lead_id=id_) for id_ in ids])
    bench.compare(bench.stub.ExplainLead, [pb.ExplainLeadRequest(lead_id=id_) for id_ in ids])
    requests = [pb.ListStageChangesRequest(lead_id=id_) for id_ in ids]
    requests += [pb.ListStageChangesRequest(lead_id=bench.lead_id, page_size=size) for size in SIZES]
    bench.compare(bench.stub.ListStageChanges, requests)
    requests = [pb.ListLeadsRequest(page_size=size) for size in SIZES]
    requests += [pb.ListLeadsRequest(agent_id=id_) for id_ in IDS + BAD_IDS]
    requests += [pb.ListLeadsRequest(stages=stages) for stages in [[], [1], [13, 1], [0], [14], [-1], [1, 1], [1, 0]]]
    requests += [pb.ListLeadsRequest(dead=dead) for dead in (True, False)]
    bench.compare(bench.stub.ListLeads, requests)


@check
def reads_of_agents_and_revivals_are_judged_alike(bench):
    stub, agent = bench.stub, f"{NAME}:agent"
    stub.CreateLead(pb.CreateLeadRequest(lead_id=f"{NAME}:of-agent", agent_id=agent), timeout=PATIENCE)
    bench.compare(stub.GetAgent, [pb.GetAgentRequest(agent_id=id_) for id_ in [agent, *IDS, *BAD_IDS]])
    bench.compare(stub.ListAgents, [pb.ListAgentsRequest(page_size=size) for size in SIZES])
    requests = [pb.GetRevivalRequest(revival_id=id_) for id_ in REQUEST_IDS]
    bench.compare(stub.GetRevival, requests)
    requests = [pb.ListRevivalsRequest(page_size=size) for size in SIZES]
    requests += [pb.ListRevivalsRequest(agent_id=id_) for id_ in IDS + BAD_IDS]
    bench.compare(stub.ListRevivals, requests)


@check
def revive_for_mode_is_judged_alike(bench):
    def revive(**fields):
        return pb.ReviveForModeRequest(**{"agent_id": f"{NAME}:revived:{next(NUMBERS)}", "outreach_mode": 4, **fields})

    requests = [pb.ReviveForModeRequest(), revive(), revive(validate_only=True)]
    requests += [revive(agent_id=id_, validate_only=True) for id_ in IDS + BAD_IDS]
    requests += [revive(outreach_mode=number) for number in NUMBERS_OF_ENUMS]
    requests += [revive(request_id=id_) for id_ in REQUEST_IDS]
    requests += [revive(actor=actor) for actor in ACTORS]
    bench.compare(bench.stub.ReviveForMode, requests, streams=True)


@check
def follow_ups_are_judged_alike(bench):
    def span(seconds, nanos=0):
        return duration_pb2.Duration(seconds=seconds, nanos=nanos)

    requests = [pb.LeaseFollowUpsRequest(max_follow_ups=size) for size in SIZES]
    requests += [pb.LeaseFollowUpsRequest(agent_id=id_) for id_ in IDS + BAD_IDS]
    leases = [span(1), span(1, 1), span(86_400), span(86_400, 1000), span(0, 999_999_999), span(0), span(-1)]
    requests += [pb.LeaseFollowUpsRequest(lease_duration=lease) for lease in leases]
    requests += [pb.LeaseFollowUpsRequest(wait=wait) for wait in (span(0), span(0, 1), span(-1), span(0, -1))]
    bench.compare(bench.stub.LeaseFollowUps, requests)
    token = new_id()
    ids = [f"{id_}/{number}" for id_ in IDS + BAD_IDS for number in ("1", "999999999")]
    ids += [
        f"a/{number}" for number in ("", "0", "01", "+1", "-1", "1\n", "1/1", "2147483648", "9999999999", "x", "１")
    ]
    requests = [pb.CompleteFollowUpRequest(follow_up_id=id_, lease_token=token) for id_ in ids]
    requests += [pb.CompleteFollowUpRequest(follow_up_id="a/1", lease_token=id_) for id_ in REQUEST_IDS]
    bench.compare(bench.stub.CompleteFollowUp, requests)


@check
def filters_by_time_are_judged_alike(bench):
    spans = [(0, 0), (0, 1), (3600, 0), (-1, 0), (0, -1)]
    requests = [
        pb.ListLeadsRequest(**{field: duration_pb2.Duration(seconds=seconds, nanos=nanos)})
        for field in ("min_time_in_stage", "max_time_in_stage")
        for seconds, nanos in spans
    ]
    bench.compare(bench.stub.ListLeads, requests)
    requests = [pb.GetFunnelRequest(agent_id=id_) for id_ in IDS + BAD_IDS]
    requests += [pb.GetFunnelRequest(start_at=at(-60)), pb.GetFunnelRequest(start_at=at(-60), end_at=at(0))]
    bench.compare(bench.stub.GetFunnel, requests)


@check
def a_watch_is_judged_alike(bench):
    def watch(**filter_):
        return pb.WatchStageChangesRequest(filter=pb.WatchFilter(**filter_))

    intervals = [(1, 0), (1, 1), (3600, 0), (0, 999_999_999), (0, 0), (-1, 0)]
    requests = [
        pb.WatchStageChangesRequest(),
        pb.WatchStageChangesRequest(now={}, include_unchanged=True),
        pb.WatchStageChangesRequest(beginning={}),
        *(
            pb.WatchStageChangesRequest(checkpoint_interval=duration_pb2.Duration(seconds=seconds, nanos=nanos))
            for seconds, nanos in intervals
        ),
        *(watch(lead_ids=[id_]) for id_ in IDS + BAD_IDS),
        *(watch(agent_ids=["a", id_]) for id_ in IDS + BAD_IDS),
        *(
            watch(**{ids: [f"lead-{n}" for n in range(size)]})
            for ids in ("lead_ids", "agent_ids")
            for size in (100, 101)
        ),
        *(watch(from_stages=[number]) for number in NUMBERS_OF_ENUMS),
        *(watch(to_stages=[1, number]) for number in NUMBERS_OF_ENUMS),
        *(watch(origin=number) for number in NUMBERS_OF_ENUMS),
    ]
    bench.compare(bench.stub.WatchStageChanges, requests, streams=True)


if __name__ == "__main__":
    sys.exit(run(Bench(address_from_arguments(__doc__))))
