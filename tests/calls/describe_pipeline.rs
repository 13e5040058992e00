//! DescribePipeline: the table that the service decides by, as data.

use crate::support::requests::{created, overridden};
use crate::support::server::server;
use lead_pipeline::proto::{
    ConversationMode, DescribePipelineRequest, DescribePipelineResponse, ErrorReason, Outcome, Stage, StageKind,
    Transition,
};

async fn described() -> DescribePipelineResponse {
    let server = server().await;
    server.client().describe_pipeline(DescribePipelineRequest {}).await.expect("described").into_inner()
}

/// The row of a stage and a trigger.
fn row<'a>(pipeline: &'a DescribePipelineResponse, from: Stage, trigger: &str) -> &'a Transition {
    let of = |row: &&Transition| row.from_stage() == from && row.trigger == trigger;
    pipeline.transitions.iter().find(of).expect("a row for every stage and trigger")
}

#[tokio::test]
async fn it_has_every_stage_trigger_and_transition_once() {
    let pipeline = described().await;
    assert!(pipeline.stages.iter().map(|stage| stage.stage).eq(1..=13), "in order");
    assert_eq!(pipeline.triggers.len(), 17);
    assert!(pipeline.triggers.iter().all(|trigger| !trigger.meaning.is_empty()));
    assert_eq!(pipeline.transitions.len(), 13 * 17);
    for stage in &pipeline.stages {
        assert!(!stage.meaning.is_empty());
        for trigger in &pipeline.triggers {
            let results = &row(&pipeline, stage.stage(), &trigger.trigger).results;
            let (last, others) = results.split_last().expect("at least one result");
            assert!(others.iter().all(|result| !result.condition.is_empty()), "says when, or nothing later applies");
            for result in others.iter().chain([last]) {
                let moved = result.outcome() == Outcome::Moved;
                assert_eq!(moved, !result.to_stages.is_empty(), "{result:?}");
                let refused = result.outcome() == Outcome::Unspecified;
                assert_eq!(refused, result.refusal() != ErrorReason::Unspecified, "{result:?}");
            }
        }
    }
}

#[tokio::test]
async fn stages_have_the_kind_and_mode_of_the_leads_in_them() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let pipeline = client.describe_pipeline(DescribePipelineRequest {}).await.expect("described").into_inner();
    for described in pipeline.stages {
        let lead = overridden(&mut client, "lead-1", described.stage()).await;
        assert_eq!((lead.stage_kind, lead.conversation_mode), (described.kind, described.conversation_mode));
    }
}

#[tokio::test]
async fn some_rows_of_the_design() {
    let pipeline = described().await;
    let new = pipeline.stages.first().expect("a stage");
    assert_eq!((new.kind(), new.conversation_mode()), (StageKind::Active, ConversationMode::FirstTouch));
    let moves = |from, trigger| row(&pipeline, from, trigger).results[0].to_stages.clone();
    assert_eq!(moves(Stage::New, "message_sent"), [i32::from(Stage::Contacted)]);
    assert_eq!(moves(Stage::Exhausted, "lead_replied"), [i32::from(Stage::Contacted), Stage::Engaged.into()]);
    assert_eq!(moves(Stage::Engaged, "opted_out"), [i32::from(Stage::Lost)]);
    let refused = &row(&pipeline, Stage::New, "checklist_completed").results[0];
    assert_eq!(refused.refusal(), ErrorReason::TriggerNotAllowed);
    assert_eq!(row(&pipeline, Stage::Won, "opted_out").results[0].outcome(), Outcome::NoChange, "same, marked");
}
