"""What is there, and what creates it: reflection, health, the description, creations."""

import grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from outside import PATIENCE, Refusal, check, equal, invalid, new_id, refused
from subject import (
    ABSENT,
    MOVED,
    NO_CHANGE,
    OPEN,
    SERVICE,
    SMS,
    STAGES,
    TABLE,
    TRIGGERS,
    VOICE,
    Code,
    meeting,
    stage,
)

from leadpipeline.v1 import lead_pb2, trigger_pb2
from leadpipeline.v1 import lead_pipeline_pb2 as pb

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
