//! A mean client: whatever it sends in a message gets INVALID_ARGUMENT with the fields named, and harms nobody.

use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{actor, batch, booked, create, created, meeting, message_sent, override_to, trigger};
use crate::support::server::server;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    ActorKind, ApplyTriggerRequest, CreateLeadRequest, ExplainLeadRequest, GetLeadRequest, ListLeadsRequest,
    ListStageChangesRequest, MeetingCancelled, OverrideStageRequest, Stage, WatchFilter, WatchStageChangesRequest,
};

/// Texts that no field takes: NUL, control characters, a megabyte, other scripts, quotes.
fn mean_texts() -> Vec<String> {
    let megabyte = "x".repeat(1 << 20);
    let texts = ["\0", "a\0b", "\u{7f}", "\u{202e}txt", "'; drop table leads; --", "%s%n", "../..", " ", "ä", "🎉"];
    texts.iter().map(ToString::to_string).chain([megabyte, "\u{10ffff}".repeat(65)]).collect()
}

#[tokio::test]
async fn mean_texts_are_invalid_in_every_id() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for text in mean_texts() {
        let text = || text.clone();
        let base = create("lead-2");
        failed(client.create_lead(CreateLeadRequest { lead_id: text(), ..base.clone() }).await).names(&["lead_id"]);
        failed(client.create_lead(CreateLeadRequest { agent_id: text(), ..base.clone() }).await).names(&["agent_id"]);
        failed(client.create_lead(CreateLeadRequest { request_id: text(), ..base.clone() }).await)
            .names(&["request_id"]);
        let by = CreateLeadRequest { actor: Some(actor(ActorKind::Service, &text())), ..base };
        failed(client.create_lead(by).await).names(&["actor.id"]);
        let base = trigger("lead-1", message_sent());
        failed(client.apply_trigger(ApplyTriggerRequest { lead_id: text(), ..base.clone() }).await).names(&["lead_id"]);
        failed(client.apply_trigger(ApplyTriggerRequest { request_id: text(), ..base }).await).names(&["request_id"]);
        let cancelled = Kind::MeetingCancelled(MeetingCancelled { meeting_id: text() });
        failed(client.apply_trigger(trigger("lead-1", cancelled)).await)
            .names(&["trigger.meeting_cancelled.meeting_id"]);
        failed(client.apply_trigger(trigger("lead-1", booked(meeting(&text())))).await)
            .names(&["trigger.meeting_booked.meeting.meeting_id"]);
        let override_it = OverrideStageRequest { lead_id: text(), ..override_to("", Stage::Won) };
        failed(client.override_stage(override_it).await).names(&["lead_id"]);
        failed(client.get_lead(GetLeadRequest { lead_id: text() }).await).names(&["lead_id"]);
        failed(client.explain_lead(ExplainLeadRequest { lead_id: text() }).await).names(&["lead_id"]);
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 1 });
}

#[tokio::test]
async fn mean_texts_are_invalid_in_reads_and_watches() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for text in mean_texts() {
        let text = || text.clone();
        let history = ListStageChangesRequest { page_token: text(), lead_id: "lead-1".into(), ..Default::default() };
        failed(client.list_stage_changes(history).await).names(&["page_token"]);
        let list = ListLeadsRequest { page_token: text(), ..Default::default() };
        failed(client.list_leads(list).await).names(&["page_token"]);
        let list = ListLeadsRequest { agent_id: text(), ..Default::default() };
        failed(client.list_leads(list).await).names(&["agent_id"]);
        let filter = WatchFilter { lead_ids: vec![text()], agent_ids: vec![text()], ..Default::default() };
        let watch = WatchStageChangesRequest { filter: Some(filter), ..Default::default() };
        failed(client.watch_stage_changes(watch).await).names(&["filter.lead_ids[0]", "filter.agent_ids[0]"]);
    }
}

#[tokio::test]
async fn a_reason_takes_any_text_but_nul_and_too_long_ones() {
    let server = server().await;
    let mut client = server.client();
    for (number, reason) in ["'; drop table leads; --", "\u{202e}", "\n\t\u{7f}", "🎉"].into_iter().enumerate() {
        let request = CreateLeadRequest { reason: reason.into(), ..create(&format!("lead-{number}")) };
        let answer = client.create_lead(request).await.expect("any text").into_inner();
        assert_eq!(answer.changes[0].reason, reason, "comes back as it was");
    }
    for reason in ["\0".to_owned(), "r".repeat(501), "x".repeat(1 << 20)] {
        let request = CreateLeadRequest { reason, ..create("lead-9") };
        failed(client.create_lead(request).await).names(&["reason"]);
    }
    check(server.database_url()).await;
}

#[tokio::test]
async fn unknown_numbers_and_negative_sizes_are_invalid() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for number in [-1, 99, i32::MIN, i32::MAX] {
        let create = CreateLeadRequest { contact_points: vec![number], ..create("lead-2") };
        failed(client.create_lead(create).await).names(&["contact_points[0]"]);
        let mut by = trigger("lead-1", message_sent());
        by.actor = Some(lead_pipeline::proto::Actor { kind: number, id: "x".into() });
        failed(client.apply_trigger(by).await).names(&["actor.kind"]);
        let to = OverrideStageRequest { stage: number, ..override_to("lead-1", Stage::Won) };
        failed(client.override_stage(to).await).names(&["stage"]);
        failed(client.list_leads(ListLeadsRequest { stages: vec![number], ..Default::default() }).await)
            .names(&["stages[0]"]);
        let filter = WatchFilter { origin: number, from_stages: vec![number], ..Default::default() };
        let watch = WatchStageChangesRequest { filter: Some(filter), ..Default::default() };
        failed(client.watch_stage_changes(watch).await).names(&["filter.from_stages[0]", "filter.origin"]);
    }
    for size in [-1, i32::MIN] {
        let list = ListLeadsRequest { page_size: size, ..Default::default() };
        failed(client.list_leads(list).await).names(&["page_size"]);
        let at = ApplyTriggerRequest { expected_version: Some(size), ..trigger("lead-1", message_sent()) };
        failed(client.apply_trigger(at).await).names(&["expected_version"]);
    }
}

#[tokio::test]
async fn so_many_mistakes_that_they_would_not_fit_are_told_in_part() {
    let server = server().await;
    let mut client = server.client();
    let stages: Vec<i32> = (100..100_100).collect();
    let list = ListLeadsRequest { stages: stages.clone(), ..Default::default() };
    let failure = failed(client.list_leads(list).await).is(tonic::Code::InvalidArgument, "INVALID_REQUEST");
    assert!(failure.status.message().contains("stages[0]"), "{:?}", failure.status);
    let ids = vec!["\u{10ffff}".repeat(64); 100];
    let filter =
        WatchFilter { lead_ids: ids.clone(), agent_ids: ids, from_stages: stages.clone(), ..Default::default() };
    let watch = WatchStageChangesRequest { filter: Some(filter), ..Default::default() };
    failed(client.watch_stage_changes(watch).await).is(tonic::Code::InvalidArgument, "INVALID_REQUEST");
    let create = CreateLeadRequest { contact_points: stages, ..create("lead-1") };
    failed(client.create_lead(create.clone()).await).is(tonic::Code::InvalidArgument, "INVALID_REQUEST");
    let all_wrong =
        batch((0..10).map(|number| CreateLeadRequest { lead_id: format!("lead-{number}"), ..create.clone() }));
    let answer = client.batch_create_leads(all_wrong).await.expect("each fails alone").into_inner();
    assert_eq!(answer.results.len(), 10);
    assert_eq!(check(server.database_url()).await, Sound { leads: 0, entries: 0 });
}
