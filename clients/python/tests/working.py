"""What the service does while nobody looks: revivals, follow-ups, and the counts that come of all that."""

import statistics

from google.protobuf import duration_pb2
from outside import PATIENCE, Watcher, at, check, equal, invalid, new_id, refused
from subject import EMAIL, MOVED, NO_CHANGE, NOBODY, PERSON, SMS, VOICE, Code, meeting, stage

from leadpipeline.v1 import lead_pb2
from leadpipeline.v1 import lead_pipeline_pb2 as pb

SMS_ONLY, EMAIL_ONLY, BLENDED = (
    lead_pb2.OutreachMode.Value(f"OUTREACH_MODE_{name}") for name in ("SMS_ONLY", "EMAIL_ONLY", "BLENDED")
)
RUNNING, FINISHED = pb.REVIVAL_STATE_RUNNING, pb.REVIVAL_STATE_FINISHED


def revive(pipeline, part, mode, **fields):
    """Revives an agent's leads; everything that is told of it."""
    request = pb.ReviveForModeRequest(agent_id=f"{pipeline.name}.{part}", outreach_mode=mode, **fields)
    return list(pipeline.stub.ReviveForMode(request, timeout=PATIENCE))


def exhausted(pipeline, part, count):
    """Leads without SMS of an agent that has nothing else: BLENDED revives them."""
    revive(pipeline, part, SMS_ONLY)
    leads = [pipeline.create(part) for _ in range(count)]
    return [pipeline.moved(lead, "channel_used_up", "EXHAUSTED", channel=SMS) for lead in leads]


def counts(revival):
    """What was revived, and what was skipped: dead, without an open channel, gone by itself."""
    return [revival.revived, revival.skipped_dead, revival.skipped_no_open_channel, revival.skipped_moved_on]


def lease(pipeline, part, **fields):
    request = pb.LeaseFollowUpsRequest(agent_id=f"{pipeline.name}.{part}", **fields)
    return pipeline.stub.LeaseFollowUps(request, timeout=PATIENCE)


def complete(pipeline, follow_up, **fields):
    request = pb.CompleteFollowUpRequest(
        follow_up_id=follow_up.follow_up_id, lease_token=fields.get("lease_token", follow_up.lease_token)
    )
    return pipeline.stub.CompleteFollowUp(request, timeout=PATIENCE)


def lost(pipeline, follow_up, lease_token=None):
    """Asserts that a follow-up isn't the caller's any more."""
    token = lease_token or follow_up.lease_token
    request = pb.CompleteFollowUpRequest(follow_up_id=follow_up.follow_up_id, lease_token=token)
    refusal = refused(Code.ABORTED, "LEASE_LOST", pipeline.stub.CompleteFollowUp, request)
    equal(refusal.metadata.get("follow_up_id"), follow_up.follow_up_id, "metadata follow_up_id")


def all_pages(call, request, field):
    """Everything that a list has."""
    found = []
    while True:
        answer = call(request, timeout=PATIENCE)
        page = getattr(answer, field)
        assert len(page) <= (request.page_size or 50), "a page is larger than asked for"
        found.extend(page)
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


# --- Revivals --------------------------------------------------------------------------------------------------------


@check
def a_revival_tells_its_progress_and_revives_whom_the_mode_can_reach(pipeline):
    leads = exhausted(pipeline, "revived", 5)
    dead, closed, gone = leads[2:]
    pipeline.apply(dead, "opted_out", MOVED)
    dead = pipeline.set_stage(dead, "EXHAUSTED").lead
    for channel in (EMAIL, VOICE):
        closed = pipeline.same(closed, "channel_used_up", channel=channel)
    gone = pipeline.apply(gone, "lead_replied", MOVED, "ENGAGED").lead
    told = revive(pipeline, "revived", BLENDED, request_id=new_id(), actor=PERSON)
    first, last = told[0].revival, told[-1].revival
    assert first.revival_id, "the first response has no revival id"
    equal({answer.revival.revival_id for answer in told}, {first.revival_id}, "the revival's id in each response")
    equal({answer.revival.state for answer in told[:-1]} - {RUNNING}, set(), "the states before the last")
    done = [sum(counts(answer.revival)) for answer in told]
    equal(done, sorted(done), "progress goes forwards")
    equal((last.state, counts(last), last.remaining), (FINISHED, [2, 1, 1, 0], 0), "the summary")
    equal((last.agent_id, last.outreach_mode, last.actor), (dead.agent_id, BLENDED, PERSON), "what was asked for")
    assert last.finished_at.ToMicroseconds() >= last.accepted_at.ToMicroseconds(), "it ended before it began"
    for lead in leads[:2]:
        revived = pipeline.get(lead)
        equal(revived.stage, stage("CONTACTED"), "the stage of a revived lead")
        equal(revived.next_follow_up_at, revived.stage_entered_at, "its follow-up is due at once")
        entry = pipeline.history(lead.lead_id)[0][-1]
        equal((entry.from_stage, entry.to_stage), (stage("EXHAUSTED"), stage("CONTACTED")), "its entry")
        equal((entry.revival_id, entry.actor), (last.revival_id, PERSON), "what caused it")
        equal(entry.cause.revival.outreach_mode, BLENDED, "under which mode")
    for lead in (dead, closed, gone):
        equal(pipeline.get(lead), lead, "a lead that was skipped")


@check
def a_revival_has_one_effect_a_request(pipeline):
    exhausted(pipeline, "retried", 3)
    request_id = new_id()
    first = revive(pipeline, "retried", BLENDED, request_id=request_id, actor=PERSON)
    equal((first[-1].replayed, counts(first[-1].revival)), (False, [3, 0, 0, 0]), "the first time")
    for variant in (request_id, request_id.upper()):
        again = revive(pipeline, "retried", BLENDED, request_id=variant, actor=PERSON)
        assert all(answer.replayed for answer in again), "a retry isn't told as one"
        equal(again[-1].revival, first[-1].revival, "what a retry is attached to")
        equal(again[-1].request_id, request_id, "the id, in lower case")
    dry = revive(pipeline, "retried", BLENDED, request_id=request_id, actor=PERSON, validate_only=True)
    equal(dry[-1].revival, first[-1].revival, "validate_only isn't content")
    for other in ({"outreach_mode": SMS_ONLY, "actor": PERSON}, {"outreach_mode": BLENDED}):
        request = pb.ReviveForModeRequest(agent_id=f"{pipeline.name}.retried", request_id=request_id, **other)
        refusal = refused(Code.ALREADY_EXISTS, "REQUEST_ID_REUSED", pipeline.stub.ReviveForMode, request)
        wanted = {"agent_id": request.agent_id, "request_id": request_id}
        equal({key: refusal.metadata.get(key) for key in wanted}, wanted, "metadata")
    other = revive(pipeline, "retried.other", BLENDED, request_id=request_id, actor=PERSON)
    equal(other[-1].replayed, False, "the id is free for another agent")


@check
def a_dry_run_of_a_revival_counts_and_writes_nothing(pipeline):
    leads, request_id = exhausted(pipeline, "dry", 3), new_id()
    agent = pb.GetAgentRequest(agent_id=f"{pipeline.name}.dry")
    before = pipeline.stub.GetAgent(agent, timeout=PATIENCE)
    (only,) = revive(pipeline, "dry", EMAIL_ONLY, request_id=request_id, validate_only=True)
    equal(counts(only.revival), [3, 0, 0, 0], "what would be revived")
    equal((only.revival.revival_id, only.revival.state, only.replayed), ("", 0, False), "it is no revival")
    equal(pipeline.stub.GetAgent(agent, timeout=PATIENCE), before, "the agent after a dry run")
    equal([pipeline.get(lead) for lead in leads], leads, "the leads after a dry run")
    told = revive(pipeline, "dry", EMAIL_ONLY, request_id=request_id)[-1]
    equal((told.replayed, counts(told.revival)), (False, [3, 0, 0, 0]), "the id was free")


@check
def revivals_and_agents_can_be_read(pipeline):
    stub, agent_id = pipeline.stub, f"{pipeline.name}.read"
    revivals = [revive(pipeline, "read", mode)[-1].revival for mode in (SMS_ONLY, EMAIL_ONLY, BLENDED)]
    for revival in revivals:
        request = pb.GetRevivalRequest(revival_id=revival.revival_id)
        equal(stub.GetRevival(request, timeout=PATIENCE).revival, revival, "a revival, read")
    for page_size in (0, 1, 2):
        request = pb.ListRevivalsRequest(agent_id=agent_id, page_size=page_size)
        equal(all_pages(stub.ListRevivals, request, "revivals"), revivals[::-1], f"the newest first, by {page_size}")
    everybody = all_pages(stub.ListRevivals, pb.ListRevivalsRequest(page_size=2), "revivals")
    ids = [revival.revival_id for revival in everybody]
    equal(len(ids), len(set(ids)), "each revival once")
    assert {revival.revival_id for revival in revivals} <= set(ids), "the list of all lacks some"
    agent = stub.GetAgent(pb.GetAgentRequest(agent_id=agent_id), timeout=PATIENCE).agent
    equal((agent.outreach_mode, agent.revival_id), (BLENDED, revivals[-1].revival_id), "the agent's mode")
    equal(agent.mode_set_at, revivals[-1].accepted_at, "since when")
    lead = pipeline.create("unset")
    unset = stub.GetAgent(pb.GetAgentRequest(agent_id=lead.agent_id), timeout=PATIENCE).agent
    equal((unset.outreach_mode, unset.HasField("mode_set_at")), (BLENDED, False), "an agent by its first lead")
    agents = all_pages(stub.ListAgents, pb.ListAgentsRequest(page_size=3), "agents")
    equal([agent.agent_id for agent in agents], sorted({agent.agent_id for agent in agents}), "agents by their ids")
    assert agent in agents and unset in agents, "the list of agents lacks some"


@check
def what_a_revival_cannot_be_is_refused(pipeline):
    stub = pipeline.stub
    machine = lead_pb2.Actor(kind=lead_pb2.ACTOR_KIND_SYSTEM, id="me")
    request = pb.ReviveForModeRequest(agent_id="no agent", outreach_mode=9, request_id="x", actor=machine)
    invalid(["agent_id", "outreach_mode", "request_id", "actor.kind"], stub.ReviveForMode, request)
    refusal = refused(Code.NOT_FOUND, "REVIVAL_NOT_FOUND", stub.GetRevival, pb.GetRevivalRequest(revival_id=NOBODY))
    equal(refusal.metadata.get("revival_id"), NOBODY, "metadata revival_id")
    invalid(["revival_id"], stub.GetRevival, pb.GetRevivalRequest(revival_id="x"))
    refusal = refused(Code.NOT_FOUND, "AGENT_NOT_FOUND", stub.GetAgent, pb.GetAgentRequest(agent_id=NOBODY))
    equal(refusal.metadata.get("agent_id"), NOBODY, "metadata agent_id")
    invalid(["agent_id"], stub.GetAgent, pb.GetAgentRequest())
    invalid(["page_size"], stub.ListAgents, pb.ListAgentsRequest(page_size=-1))
    invalid(["page_token"], stub.ListRevivals, pb.ListRevivalsRequest(page_token="nonsense"))


# --- Follow-ups ------------------------------------------------------------------------------------------------------


@check
def a_follow_up_goes_to_one_worker_and_is_done_once(pipeline):
    leads = exhausted(pipeline, "leased", 4)
    revive(pipeline, "leased", BLENDED)
    minute = duration_pb2.Duration(seconds=60)
    first = lease(pipeline, "leased", max_follow_ups=3, lease_duration=minute).follow_ups
    rest = lease(pipeline, "leased", lease_duration=minute).follow_ups
    equal((len(first), len(rest)), (3, 1), "what two workers get")
    handed = {follow_up.lead.lead_id: follow_up for follow_up in [*first, *rest]}
    equal(set(handed), {lead.lead_id for lead in leads}, "each lead once")
    for follow_up in handed.values():
        lead = pipeline.get(follow_up.lead)
        equal((follow_up.lead, follow_up.due_at), (lead, lead.next_follow_up_at), "the lead that is handed out")
        held = follow_up.lease_expires_at.ToMicroseconds() - follow_up.due_at.ToMicroseconds()
        assert held >= 60_000_000, f"a lease of a minute ends {held} us after it was due"
    nothing = lease(pipeline, "leased")
    equal(list(nothing.follow_ups), [], "what a third worker gets")
    ends = min(follow_up.lease_expires_at.ToMicroseconds() for follow_up in handed.values())
    equal(nothing.next_due_at.ToMicroseconds(), ends, "when it is to come back")
    one, other, cancelled, _ = handed.values()
    lost(pipeline, one, lease_token=NOBODY)
    for _ in range(2):
        assert not complete(pipeline, one).HasField("next_follow_up_at"), "a completed one has a next"
    before = other.lead.version
    other_lead = pipeline.apply(other.lead, "message_sent", NO_CHANGE).lead
    equal((other_lead.HasField("next_follow_up_at"), other_lead.version), (False, before + 1), "a message finishes it")
    complete(pipeline, other)
    pipeline.apply(cancelled.lead, "lead_replied", MOVED, "ENGAGED")
    lost(pipeline, cancelled)
    equal(pipeline.get(one.lead).version, one.lead.version, "the version after leases and a completion")


@check
def a_lease_that_ends_comes_back(pipeline):
    exhausted(pipeline, "returned", 1)
    revive(pipeline, "returned", BLENDED)
    second, wait = duration_pb2.Duration(seconds=1), duration_pb2.Duration(seconds=20)
    (early,) = lease(pipeline, "returned", lease_duration=second).follow_ups
    (late,) = lease(pipeline, "returned", wait=wait).follow_ups
    equal(late.follow_up_id, early.follow_up_id, "the follow-up that comes back")
    assert late.lease_token != early.lease_token, "two leases have one token"
    lost(pipeline, early)
    complete(pipeline, late)
    nothing = lease(pipeline, "returned")
    equal((len(nothing.follow_ups), nothing.HasField("next_due_at")), (0, False), "an agent without follow-ups")


@check
def a_nurtured_lead_is_checked_in_on(pipeline):
    lead = pipeline.moved(pipeline.create("nurtured"), "asked_for_later", "NURTURE")
    interval = lead.next_follow_up_at.ToMicroseconds() - lead.stage_entered_at.ToMicroseconds()
    assert interval > 0, "a check-in is due before NURTURE"
    lead = pipeline.apply(lead, "message_sent", NO_CHANGE).lead
    due = lead.next_follow_up_at.ToMicroseconds()
    equal(due, lead.last_outreach_at.ToMicroseconds() + interval, "the check-in after a message")
    nothing = lease(pipeline, "nurtured")
    equal(nothing.next_due_at.ToMicroseconds(), due, "when the next is due")
    revived = pipeline.apply(lead, "lead_replied", MOVED, "ENGAGED").lead
    assert not revived.HasField("next_follow_up_at"), "leaving NURTURE keeps the check-in"
    dead = pipeline.moved(revived, "went_quiet", "NURTURE")
    dead = pipeline.apply(dead, "opted_out", MOVED).lead
    assert not dead.HasField("next_follow_up_at"), "the dead mark keeps the check-in"


@check
def what_makes_no_sense_of_a_follow_up_is_refused(pipeline):
    stub = pipeline.stub
    day = duration_pb2.Duration(seconds=86_401)
    request = pb.LeaseFollowUpsRequest(agent_id="a b", max_follow_ups=-1, lease_duration=day)
    invalid(["agent_id", "max_follow_ups", "lease_duration"], stub.LeaseFollowUps, request)
    short = pb.LeaseFollowUpsRequest(lease_duration=duration_pb2.Duration(nanos=999_999_999))
    invalid(["lease_duration"], stub.LeaseFollowUps, short)
    invalid(["wait"], stub.LeaseFollowUps, pb.LeaseFollowUpsRequest(wait=duration_pb2.Duration(seconds=-1)))
    invalid(["follow_up_id", "lease_token"], stub.CompleteFollowUp, pb.CompleteFollowUpRequest(follow_up_id="lead-1"))
    unknown = pb.CompleteFollowUpRequest(follow_up_id="nobody/1", lease_token=NOBODY)
    refused(Code.ABORTED, "LEASE_LOST", stub.CompleteFollowUp, unknown)


@check
def a_meeting_that_has_ended_is_completed_by_the_service(pipeline):
    lead = pipeline.create("met")
    watch = pb.WatchStageChangesRequest(now={}, filter=pb.WatchFilter(lead_ids=[lead.lead_id]))
    watcher = Watcher(pipeline.stub, watch).started()
    pipeline.set_stage(lead, "QUALIFIED")
    pipeline.moved(lead, "meeting_booked", "SCHEDULED", meeting=meeting("m-1", -7200, -3600))
    watcher.wait_for("the end of the meeting", lambda w: 4 in w.versions_of(lead.lead_id)).stop()
    last = watcher.changes[-1]
    equal(last.to_stage, stage("MEETING_COMPLETED"), "the stage after the meeting")
    equal(last.cause.trigger.meeting_time_passed.meeting_id, "m-1", "the meeting")
    equal(last.actor.kind, lead_pb2.ACTOR_KIND_SYSTEM, "who said so")


# --- Counts and lists ------------------------------------------------------------------------------------------------


@check
def the_funnel_counts_what_the_histories_say(pipeline):
    agent_id, stub = f"{pipeline.name}.counted", pipeline.stub
    leads = [pipeline.create("counted") for _ in range(6)]
    for lead in leads[:4]:
        pipeline.moved(lead, "message_sent", "CONTACTED")
    for lead in leads[:2]:
        pipeline.moved(lead, "lead_replied", "ENGAGED")
    pipeline.moved(leads[0], "went_quiet", "NURTURE")
    pipeline.moved(leads[0], "lead_replied", "ENGAGED")
    pipeline.apply(leads[3], "opted_out", MOVED, "LOST")
    funnel = stub.GetFunnel(pb.GetFunnelRequest(agent_id=agent_id), timeout=PATIENCE)
    equal([found.stage for found in funnel.stages], list(range(1, 14)), "every stage, in order")
    visits = []
    for lead in leads:
        entries = pipeline.history(lead.lead_id)[0]
        visits += [(one, two) for one, two in zip(entries, [*entries[1:], None], strict=True)]
    for found in funnel.stages:
        ours = [(one, two) for one, two in visits if one.to_stage == found.stage]
        equal(found.leads, sum(two is None for _, two in ours), f"leads in {found.stage}")
        equal(found.entries, len(ours), f"entries into {found.stage}")
        went = [two.to_stage for _, two in ours if two is not None]
        told = {next_.stage: (next_.leads, next_.share) for next_ in found.next_stages}
        wanted = {to: (went.count(to), went.count(to) / len(ours)) for to in set(went)}
        equal(told, wanted, f"where those in {found.stage} went on to")
        times = [two.recorded_at.ToMicroseconds() - one.recorded_at.ToMicroseconds() for one, two in ours if two]
        equal(found.visits, len(times), f"visits of {found.stage} that ended")
        if times:
            off = found.median_time_in_stage.ToMicroseconds() - statistics.median(times)
            assert abs(off) <= 1, f"the median time in {found.stage} is off by {off} us"
            assert found.p90_time_in_stage.ToMicroseconds() >= int(statistics.median(times)), "p90 is below the median"
    only = stub.GetFunnel(pb.GetFunnelRequest(agent_id=agent_id, counts_only=True), timeout=PATIENCE)
    equal(only.counts_only, True, "it says that it has only counts")
    seen = [[(found.leads, found.entries) for found in one.stages] for one in (only, funnel)]
    equal(seen[0], seen[1], "the counts alone")


@check
def a_watch_after_the_funnels_cursor_goes_on_from_it(pipeline):
    lead = pipeline.moved(pipeline.create("counted"), "message_sent", "CONTACTED")
    request = pb.GetFunnelRequest(agent_id=lead.agent_id)
    before = pipeline.stub.GetFunnel(request, timeout=PATIENCE)
    pipeline.moved(lead, "lead_replied", "ENGAGED")
    filter_ = pb.WatchFilter(agent_ids=[lead.agent_id])
    watcher = Watcher(pipeline.stub, pb.WatchStageChangesRequest(after_cursor=before.cursor, filter=filter_))
    watcher.wait_for("what came after", lambda w: w.changes).stop()
    equal(watcher.versions_of(lead.lead_id), [3], "what the funnel hadn't counted")
    leads = {found.stage: found.leads for found in before.stages}
    for change in watcher.changes:
        leads[change.from_stage] -= 1
        leads[change.to_stage] += 1
    after = pipeline.stub.GetFunnel(request, timeout=PATIENCE)
    equal({found.stage: found.leads for found in after.stages}, leads, "the funnel, gone on with by the watch")


@check
def a_funnel_of_a_range_counts_what_lies_in_it(pipeline):
    agent_id, stub = f"{pipeline.name}.counted", pipeline.stub
    early = pb.GetFunnelRequest(agent_id=agent_id, start_at=at(-86_400), end_at=at(-3600))
    funnel = stub.GetFunnel(early, timeout=PATIENCE)
    equal({(found.entries, found.visits) for found in funnel.stages}, {(0, 0)}, "before there was anything")
    assert sum(found.leads for found in funnel.stages) >= 6, "leads are those of now, whatever the range"
    around = pb.GetFunnelRequest(agent_id=agent_id, start_at=at(-3600), end_at=at(3600))
    whole = stub.GetFunnel(pb.GetFunnelRequest(agent_id=agent_id), timeout=PATIENCE)
    equal(list(stub.GetFunnel(around, timeout=PATIENCE).stages), list(whole.stages), "a range around everything")
    backwards = pb.GetFunnelRequest(agent_id="a b", start_at=at(0), end_at=at(0))
    invalid(["agent_id", "end_at"], stub.GetFunnel, backwards)


@check
def leads_are_listed_by_their_times(pipeline):
    agent_id = f"{pipeline.name}.timed"
    leads = [pipeline.create("timed") for _ in range(3)]
    nurtured = pipeline.moved(leads[0], "asked_for_later", "NURTURE")

    def ids(page_size=1, **filters):
        request = pb.ListLeadsRequest(agent_id=agent_id, page_size=page_size, **filters)
        return sorted(lead.lead_id for lead in all_pages(pipeline.stub.ListLeads, request, "leads"))

    def seconds(number):
        return duration_pb2.Duration(seconds=number)

    everybody = sorted(lead.lead_id for lead in leads)
    equal(ids(min_time_in_stage=seconds(0)), everybody, "those that are in a stage at all")
    equal(ids(max_time_in_stage=seconds(3600)), everybody, "those that haven't been there for an hour")
    equal(ids(min_time_in_stage=seconds(3600)), [], "those that have")
    equal(ids(stages=[stage("NURTURE")], max_time_in_stage=seconds(3600)), [nurtured.lead_id], "one stage of them")
    due = nurtured.next_follow_up_at
    later = type(due)(seconds=due.seconds + 1)
    equal(ids(next_follow_up_before=later), [nurtured.lead_id], "those with a follow-up before then")
    equal(ids(next_follow_up_before=due), [], "those with one before that very time")
    equal(ids(next_follow_up_before=later, dead=True), [], "dead ones have none")
    backwards = {"min_time_in_stage": seconds(2), "max_time_in_stage": seconds(1)}
    invalid(["max_time_in_stage"], pipeline.stub.ListLeads, pb.ListLeadsRequest(**backwards))
    invalid(["min_time_in_stage"], pipeline.stub.ListLeads, pb.ListLeadsRequest(min_time_in_stage=seconds(-1)))
