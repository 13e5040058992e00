//! ExplainLead: for each trigger what it would do now, which is what it then does.

use crate::support::errors::failed;
use crate::support::requests::{
    all_used_up, applied, booked, created, meeting, not_interested, overridden, override_to, trigger,
};
use crate::support::server::server;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    ApplyTriggerRequest, DescribePipelineRequest, ErrorReason, Evidence, ExplainLeadRequest, Outcome, Stage,
};
use tonic::Code;

fn explain(lead_id: &str) -> ExplainLeadRequest {
    ExplainLeadRequest { lead_id: lead_id.into() }
}

/// The example of an explanation with the details that may have any value.
fn complete(kind: Kind) -> Kind {
    match kind {
        Kind::MeetingBooked(_) => booked(meeting("m-9")),
        Kind::ContactLeftCompany(mut left) => {
            left.evidence = Evidence::TOLD_US;
            Kind::ContactLeftCompany(left)
        }
        Kind::MeetingCancelled(mut of) => {
            of.meeting_id = if of.meeting_id.is_empty() { "m-9".into() } else { of.meeting_id };
            Kind::MeetingCancelled(of)
        }
        Kind::MeetingTimePassed(mut of) => {
            of.meeting_id = if of.meeting_id.is_empty() { "m-9".into() } else { of.meeting_id };
            Kind::MeetingTimePassed(of)
        }
        kind => kind,
    }
}

trait ToldUs {
    const TOLD_US: i32;
}

impl ToldUs for Evidence {
    const TOLD_US: i32 = Self::ToldUs as i32;
}

#[tokio::test]
async fn what_is_explained_is_what_happens() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for stage in 1..=13 {
        let stage = Stage::try_from(stage).expect("a stage");
        overridden(&mut client, "lead-1", stage).await;
        let response = client.explain_lead(explain("lead-1")).await.expect("explained").into_inner();
        assert_eq!(response.lead.expect("a lead").stage(), stage);
        for explained in response.triggers {
            let kind = complete(explained.example.clone().and_then(|example| example.kind).expect("an example"));
            let request = ApplyTriggerRequest { validate_only: true, ..trigger("lead-1", kind) };
            match client.apply_trigger(request).await {
                Ok(response) => {
                    let response = response.into_inner();
                    let entered = response.changes.iter().filter(|change| change.from_stage != change.to_stage);
                    let entered: Vec<i32> = entered.map(|change| change.to_stage).collect();
                    assert_eq!((response.outcome, entered), (explained.outcome, explained.to_stages.clone()));
                    assert_eq!(explained.refusal(), ErrorReason::Unspecified);
                }
                Err(status) => {
                    let reason = explained.refusal().as_str_name().replace("ERROR_REASON_", "");
                    failed(Err::<(), _>(status)).is(Code::FailedPrecondition, &reason);
                    assert_eq!(explained.outcome(), Outcome::Unspecified);
                }
            }
            assert!(!explained.explanation.is_empty(), "a sentence for people: {explained:?}");
        }
    }
}

#[tokio::test]
async fn every_trigger_is_explained_in_the_order_of_the_table() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", all_used_up()).await;
    let table = client.describe_pipeline(DescribePipelineRequest {}).await.expect("described").into_inner();
    let response = client.explain_lead(explain("lead-1")).await.expect("explained").into_inner();
    let mut names: Vec<_> = response.triggers.iter().map(|explained| explained.trigger.as_str()).collect();
    names.dedup();
    assert!(names.iter().eq(table.triggers.iter().map(|trigger| &trigger.trigger)), "{names:?}");
    let reply = response.triggers.iter().find(|explained| explained.trigger == "lead_replied").expect("explained");
    assert_eq!(reply.to_stages, [i32::from(Stage::Contacted), Stage::Engaged.into()], "by way of CONTACTED");
}

#[tokio::test]
async fn a_dead_lead_is_explained_as_dead() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", not_interested()).await;
    client.override_stage(override_to("lead-1", Stage::Engaged)).await.expect("an override");
    let response = client.explain_lead(explain("lead-1")).await.expect("explained").into_inner();
    for explained in response.triggers {
        let dead = ["opted_out", "blocklisted", "not_interested"].contains(&explained.trigger.as_str());
        let expected = if dead { ErrorReason::Unspecified } else { ErrorReason::LeadIsDead };
        assert_eq!(explained.refusal(), expected, "{explained:?}");
    }
}

#[tokio::test]
async fn a_lead_that_is_not_there_is_not_found() {
    let server = server().await;
    let mut client = server.client();
    failed(client.explain_lead(explain("nobody")).await).is(Code::NotFound, "LEAD_NOT_FOUND");
    failed(client.explain_lead(explain("")).await).names(&["lead_id"]);
}
