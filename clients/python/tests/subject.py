"""The server under test, as the checks speak to it, and the words that they share."""

import grpc
from outside import PATIENCE, Watcher, at, equal, new_id, refused

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

# What the leads of this run are for: each has an agent of its own.
PARTS = ["table", "journey", "pages", "crowd", "batch", "revived", "retried", "dry", "unset", "leased", "returned"]
PARTS += ["nurtured", "met", "counted", "timed"]

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
        self.agents = [f"{self.name}.{part}" for part in PARTS]
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
