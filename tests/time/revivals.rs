//! ReviveForMode: who is revived, what is counted, and what the same request does again.

use crate::support::checker::check;
use crate::support::errors::failed;
use crate::support::load::leads;
use crate::support::requests::{
    all_used_up, applied, created, history, lead, message_sent, new_id, opted_out, overridden, person, trigger, used_up,
};
use crate::support::server::{Client, replica_of, server, server_with};
use crate::support::wait::{eventually, within};
use lead_pipeline::proto::cause::Kind as Cause;
use lead_pipeline::proto::{
    Agent, Channel, ContactPoint, CreateLeadRequest, GetAgentRequest, GetRevivalRequest, ListAgentsRequest,
    ListRevivalsRequest, Outcome, OutreachMode, Revival, RevivalState, ReviveForModeRequest, ReviveForModeResponse,
    Stage,
};
use tonic::Code;

pub fn revive(agent_id: &str, mode: OutreachMode) -> ReviveForModeRequest {
    ReviveForModeRequest {
        agent_id: agent_id.into(),
        outreach_mode: mode.into(),
        request_id: new_id(),
        actor: Some(person()),
        validate_only: false,
    }
}

/// Everything that the call tells, to its end.
pub async fn told(client: &mut Client, request: ReviveForModeRequest) -> Vec<ReviveForModeResponse> {
    let mut stream = client.revive_for_mode(request).await.expect("accepted").into_inner();
    let mut told = Vec::new();
    while let Some(response) = within("the revival", stream.message()).await.expect("no error") {
        told.push(response);
    }
    told
}

/// What the revival came to.
pub async fn summary(client: &mut Client, request: ReviveForModeRequest) -> Revival {
    told(client, request).await.pop().and_then(|last| last.revival).expect("a summary")
}

pub async fn agent(client: &mut Client, agent_id: &str) -> Agent {
    let request = GetAgentRequest { agent_id: agent_id.into() };
    client.get_agent(request).await.expect("the agent is there").into_inner().agent.expect("an agent")
}

/// The counts of a revival, by their names.
fn counts(revival: &Revival) -> [i64; 5] {
    [
        revival.revived,
        revival.skipped_dead,
        revival.skipped_no_open_channel,
        revival.skipped_moved_on,
        revival.remaining.unwrap_or(-1),
    ]
}

/// Three leads that BLENDED revives, one dead, one without an open channel, and three that aren't EXHAUSTED: of `anna`;
/// and one of `ben`.
async fn a_mixed_lot(client: &mut Client) {
    for lead_id in ["r-1", "r-2", "r-3", "dead", "bad", "new", "engaged", "won"] {
        let request = CreateLeadRequest {
            lead_id: lead_id.into(),
            agent_id: "anna".into(),
            contact_points: if lead_id == "bad" { vec![ContactPoint::Phone.into()] } else { Vec::new() },
            ..Default::default()
        };
        client.create_lead(request).await.expect("created");
    }
    client
        .create_lead(CreateLeadRequest { lead_id: "ben-1".into(), agent_id: "ben".into(), ..Default::default() })
        .await
        .expect("created");
    assert_eq!(summary(client, revive("anna", OutreachMode::SmsOnly)).await.state(), RevivalState::Finished);
    for lead_id in ["r-1", "r-2", "r-3", "bad"] {
        let exhausted = applied(client, lead_id, used_up(Channel::Sms)).await;
        assert_eq!(exhausted.stage(), Stage::Exhausted, "{lead_id}");
    }
    applied(client, "bad", used_up(Channel::Voice)).await;
    applied(client, "dead", opted_out()).await;
    overridden(client, "dead", Stage::Exhausted).await;
    overridden(client, "engaged", Stage::Engaged).await;
    overridden(client, "won", Stage::Won).await;
    overridden(client, "ben-1", Stage::Exhausted).await;
}

#[tokio::test]
async fn a_revival_revives_those_for_which_the_mode_has_an_open_channel() {
    let server = server().await;
    let mut client = server.client();
    a_mixed_lot(&mut client).await;
    let request = revive("anna", OutreachMode::Blended);
    let all = told(&mut client, request.clone()).await;
    let first = all[0].revival.as_ref().expect("a revival");
    assert!(!first.revival_id.is_empty() && !all[0].replayed);
    let last = all.last().and_then(|last| last.revival.as_ref()).expect("a summary");
    assert_eq!(last.revival_id, first.revival_id);
    assert_eq!(last.state(), RevivalState::Finished);
    assert_eq!(counts(last), [3, 1, 1, 0, 0]);
    assert!(last.accepted_at.is_some() && last.finished_at.is_some());
    assert_eq!((last.actor.clone(), last.request_id.clone()), (request.actor.clone(), request.request_id.clone()));
    for lead_id in ["r-1", "r-2", "r-3"] {
        let revived = lead(&mut client, lead_id).await;
        assert_eq!(revived.stage(), Stage::Contacted);
        assert_eq!(revived.next_follow_up_at, revived.stage_entered_at, "a follow-up is due at once");
        let changes = history(&mut client, lead_id).await;
        let entry = changes.last().expect("an entry");
        assert_eq!((entry.from_stage(), entry.to_stage()), (Stage::Exhausted, Stage::Contacted));
        assert_eq!((&entry.revival_id, &entry.actor), (&last.revival_id, &request.actor));
        let Some(Cause::Revival(cause)) = entry.cause.clone().and_then(|cause| cause.kind) else { panic!("{entry:?}") };
        assert_eq!(cause.outreach_mode(), OutreachMode::Blended);
    }
    for (lead_id, stage) in
        [("dead", Stage::Exhausted), ("bad", Stage::Exhausted), ("new", Stage::New), ("ben-1", Stage::Exhausted)]
    {
        assert_eq!(lead(&mut client, lead_id).await.stage(), stage, "{lead_id}");
    }
    assert_eq!(agent(&mut client, "anna").await.outreach_mode(), OutreachMode::Blended);
    assert_eq!(agent(&mut client, "anna").await.revival_id, last.revival_id);
    assert_eq!(agent(&mut client, "ben").await.outreach_mode(), OutreachMode::Blended);
    check(server.database_url()).await;
}

#[tokio::test]
async fn the_mode_decides_when_a_lead_is_exhausted() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    created(&mut client, "lead-2").await;
    assert_eq!(applied(&mut client, "lead-1", used_up(Channel::Email)).await.stage(), Stage::New);
    summary(&mut client, revive("default", OutreachMode::EmailOnly)).await;
    assert_eq!(lead(&mut client, "lead-1").await.stage(), Stage::New, "a narrower mode moves no active lead");
    assert_eq!(applied(&mut client, "lead-2", used_up(Channel::Email)).await.stage(), Stage::Exhausted);
    check(server.database_url()).await;
}

#[tokio::test]
async fn the_same_request_attaches_to_its_revival() {
    let server = server().await;
    let replica = replica_of(&server).await;
    let mut client = server.client();
    a_mixed_lot(&mut client).await;
    let request = revive("anna", OutreachMode::Blended);
    let first = summary(&mut client, request.clone()).await;
    let again = told(&mut replica.client(), request.clone()).await;
    assert!(again.iter().all(|response| response.replayed));
    assert_eq!(again.last().and_then(|last| last.revival.clone()), Some(first.clone()), "nothing is counted twice");
    let only_looking = ReviveForModeRequest { validate_only: true, ..request.clone() };
    assert_eq!(summary(&mut client, only_looking).await, first, "validate_only isn't content");
    for other in [
        ReviveForModeRequest { outreach_mode: OutreachMode::SmsOnly.into(), ..request.clone() },
        ReviveForModeRequest { actor: None, ..request.clone() },
    ] {
        failed(client.revive_for_mode(other).await.map(|_| ())).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    }
    // The id is used up for this agent, not for another.
    let of_ben = ReviveForModeRequest { agent_id: "ben".into(), ..request };
    assert_eq!(counts(&summary(&mut client, of_ben).await), [1, 0, 0, 0, 0]);
    let request = GetRevivalRequest { revival_id: first.revival_id.to_uppercase() };
    assert_eq!(client.get_revival(request).await.expect("there").into_inner().revival, Some(first));
}

#[tokio::test]
async fn validate_only_counts_and_writes_nothing() {
    let server = server().await;
    let mut client = server.client();
    a_mixed_lot(&mut client).await;
    let request = ReviveForModeRequest { validate_only: true, ..revive("anna", OutreachMode::EmailOnly) };
    let all = told(&mut client, request.clone()).await;
    let [only] = all.as_slice() else { panic!("one response: {all:?}") };
    let revival = only.revival.as_ref().expect("counts");
    assert_eq!(counts(revival), [3, 1, 1, 0, 0]);
    assert_eq!((revival.revival_id.as_str(), revival.state()), ("", RevivalState::Unspecified));
    assert_eq!(agent(&mut client, "anna").await.outreach_mode(), OutreachMode::SmsOnly);
    assert_eq!(lead(&mut client, "r-1").await.stage(), Stage::Exhausted);
    // The id is free, and nobody is made.
    let nobody = ReviveForModeRequest { agent_id: "nobody".into(), ..request.clone() };
    assert_eq!(counts(&summary(&mut client, nobody).await), [0; 5]);
    let request_of_agent = GetAgentRequest { agent_id: "nobody".into() };
    failed(client.get_agent(request_of_agent).await).is(Code::NotFound, "AGENT_NOT_FOUND");
    let request = ReviveForModeRequest { validate_only: false, ..request };
    assert_eq!(counts(&summary(&mut client, request).await), [3, 1, 1, 0, 0]);
}

/// A lead that is decided under the old mode, and written after the partition has got the new one, would be EXHAUSTED
/// under a mode that nobody has any more, and no revival would look at it.
#[tokio::test]
async fn no_lead_is_left_behind_that_was_decided_under_the_old_mode() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    summary(&mut client, revive("default", OutreachMode::SmsOnly)).await;
    // Its writers begin with this mode.
    let replica = replica_of(&server).await;
    applied(&mut replica.client(), "lead-1", message_sent()).await;
    let (mut database, mut looker) = (server.database().await, server.database().await);
    database.lock_partition_of("lead-1").await;
    let mut other = server.client();
    let revival = tokio::spawn(async move { summary(&mut other, revive("default", OutreachMode::Blended)).await });
    eventually("the new mode to wait for the partition", async || (looker.waiting().await == 1).then_some(())).await;
    let mut other = replica.client();
    let decided = tokio::spawn(async move { other.apply_trigger(trigger("lead-1", used_up(Channel::Sms))).await });
    eventually("the write to wait behind it", async || (looker.waiting().await == 2).then_some(())).await;
    database.unlock().await;
    let answer = decided.await.expect("answers").expect("accepted").into_inner();
    assert_eq!(answer.outcome(), Outcome::NoChange, "under the new mode there is an open channel");
    assert_eq!(revival.await.expect("ends").state(), RevivalState::Finished);
    assert_eq!(lead(&mut client, "lead-1").await.stage(), Stage::Contacted);
    check(server.database_url()).await;
}

#[tokio::test]
async fn two_modes_set_at_once_through_two_replicas_end_as_one() {
    let server = server().await;
    let replica = replica_of(&server).await;
    let mut client = server.client();
    crate::support::load::create_leads(&mut client, &leads(40)).await;
    for _ in 0..5 {
        let (mut here, mut there) = (server.client(), replica.client());
        let (one, other) = tokio::join!(
            summary(&mut here, revive("default", OutreachMode::EmailOnly)),
            summary(&mut there, revive("default", OutreachMode::VoiceOnly)),
        );
        let agent = agent(&mut client, "default").await;
        let (winner, loser) = if agent.revival_id == one.revival_id { (one, other) } else { (other, one) };
        assert_eq!(winner.state(), RevivalState::Finished);
        assert_ne!(loser.state(), RevivalState::Running);
        assert_eq!(agent.outreach_mode, winner.outreach_mode);
        let mut database = server.database().await;
        let modes = database.number("select count(distinct outreach_mode) from agent_modes").await;
        assert_eq!(modes, 1, "one mode in every partition");
        let kept = database.number("select min(outreach_mode) from agent_modes").await;
        assert_eq!(kept, i64::from(agent.outreach_mode), "the one that the agent has");
    }
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_newer_revival_ends_the_older_one() {
    // One lead at a time, so that the older one is still at work.
    let server = server_with(&["--revival-batch=1"]).await;
    let mut client = server.client();
    let leads = leads(400);
    crate::support::load::create_leads(&mut client, &leads).await;
    summary(&mut client, revive("default", OutreachMode::SmsOnly)).await;
    for lead_id in &leads {
        applied(&mut client, lead_id, used_up(Channel::Sms)).await;
    }
    let mut older = client.revive_for_mode(revive("default", OutreachMode::EmailOnly)).await.expect("ok").into_inner();
    older.message().await.expect("no error").expect("accepted");
    let newer = summary(&mut client, revive("default", OutreachMode::Blended)).await;
    let mut last = None;
    while let Some(response) = within("its end", older.message()).await.expect("no error") {
        last = response.revival;
    }
    let older = last.expect("a summary");
    assert_eq!((older.state(), newer.state()), (RevivalState::Superseded, RevivalState::Finished));
    assert_eq!(older.revived + newer.revived, 400, "{older:?} {newer:?}");
    let remaining = older.remaining.expect("counted");
    assert!(remaining > 0 && older.revived + remaining + older.skipped_moved_on == 400, "{older:?}");
    check(server.database_url()).await;
}

#[tokio::test]
async fn agents_and_revivals_are_listed() {
    let server = server().await;
    let mut client = server.client();
    a_mixed_lot(&mut client).await;
    summary(&mut client, revive("zoe", OutreachMode::VoiceOnly)).await;
    let mut agents = Vec::new();
    let mut request = ListAgentsRequest { page_size: 2, ..Default::default() };
    loop {
        let page = client.list_agents(request.clone()).await.expect("a page").into_inner();
        agents.extend(page.agents.into_iter().map(|agent| (agent.agent_id.clone(), agent.outreach_mode())));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let expected = [("anna", OutreachMode::SmsOnly), ("ben", OutreachMode::Blended), ("zoe", OutreachMode::VoiceOnly)];
    assert_eq!(agents, expected.map(|(id, mode)| (id.to_owned(), mode)));
    let second = summary(&mut client, revive("anna", OutreachMode::Blended)).await;
    let mut request = ListRevivalsRequest { agent_id: "anna".into(), page_size: 1, ..Default::default() };
    let page = client.list_revivals(request.clone()).await.expect("a page").into_inner();
    assert_eq!(page.revivals, [second], "the newest first");
    request.page_token = page.next_page_token;
    let page = client.list_revivals(request.clone()).await.expect("a page").into_inner();
    assert_eq!((page.revivals.len(), page.next_page_token.as_str()), (1, ""));
    request.agent_id = "ben".into();
    failed(client.list_revivals(request).await).is(Code::InvalidArgument, "INVALID_REQUEST").names(&["page_token"]);
    let all = client.list_revivals(ListRevivalsRequest::default()).await.expect("a page").into_inner();
    assert_eq!(all.revivals.len(), 3);
    let unknown = GetRevivalRequest { revival_id: new_id() };
    failed(client.get_revival(unknown).await).is(Code::NotFound, "REVIVAL_NOT_FOUND");
    let wrong = GetRevivalRequest { revival_id: "x".into() };
    failed(client.get_revival(wrong).await).is(Code::InvalidArgument, "INVALID_REQUEST").names(&["revival_id"]);
}

#[tokio::test]
async fn a_request_names_every_wrong_field() {
    let server = server().await;
    let request = ReviveForModeRequest {
        agent_id: "no agent".into(),
        outreach_mode: 9,
        request_id: "x".into(),
        actor: Some(lead_pipeline::proto::Actor { kind: 4, id: String::new() }),
        validate_only: false,
    };
    failed(server.client().revive_for_mode(request).await.map(|_| ()))
        .is(Code::InvalidArgument, "INVALID_REQUEST")
        .names(&["agent_id", "outreach_mode", "request_id", "actor.kind", "actor.id"]);
    failed(server.client().revive_for_mode(ReviveForModeRequest::default()).await.map(|_| ()))
        .is(Code::InvalidArgument, "INVALID_REQUEST")
        .names(&["agent_id", "outreach_mode"]);
}

#[tokio::test]
async fn used_up_leads_of_a_whole_pipeline_come_back_once() {
    let server = server_with(&["--revival-batch=7"]).await;
    let mut client = server.client();
    let leads = leads(200);
    crate::support::load::create_leads(&mut client, &leads).await;
    for lead_id in &leads {
        applied(&mut client, lead_id, all_used_up()).await;
    }
    // Nothing opens for those whose channels are all used up.
    let nothing = summary(&mut client, revive("default", OutreachMode::EmailOnly)).await;
    assert_eq!(counts(&nothing), [0, 0, 200, 0, 0]);
    check(server.database_url()).await;
}
