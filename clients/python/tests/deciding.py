"""What triggers and overrides do to a lead."""

from outside import PATIENCE, check, equal, new_id
from subject import (
    ABSENT,
    BAD,
    EMAIL,
    MOVED,
    NO_CHANGE,
    OPEN,
    PERSON,
    SMS,
    STAGES,
    TRIGGERS,
    USED_UP,
    VOICE,
    meeting,
    stage,
)

from leadpipeline.v1 import lead_pb2, trigger_pb2
from leadpipeline.v1 import lead_pipeline_pb2 as pb

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
