//! Load: clients that write as fast as they can, and remember what they were told.

use super::requests::{batch, batch_results, create, message_sent, override_to, trigger};
use super::server::Client;
use super::wait::within;
use lead_pipeline::proto::{ApplyTriggerRequest, OverrideStageRequest, Stage, StageChange};
use lead_pipeline::record::{Exchange, Failure};
use tonic::{Code, Response, Status};

/// A request of the load.
#[derive(Clone, Debug)]
pub enum Sent {
    Trigger(ApplyTriggerRequest),
    Override(OverrideStageRequest),
}

/// What a client was told about one request.
#[derive(Debug)]
pub struct Told {
    pub sent: Sent,
    pub answer: Result<(Vec<StageChange>, bool), Status>,
    /// The same as a history has it.
    pub exchange: Exchange,
}

/// The leads that the load works on.
pub fn leads(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("lead-{number}")).collect()
}

/// Creates leads.
pub async fn create_leads(client: &mut Client, leads: &[String]) {
    let request = batch(leads.iter().map(|lead_id| create(lead_id)));
    let response = client.batch_create_leads(request).await.expect("created");
    assert!(batch_results(response).iter().all(Result::is_ok));
}

/// The request number so-and-so on a lead: two of three move it, one is recorded without a move.
pub fn request(lead_id: &str, number: usize) -> Sent {
    match number % 3 {
        0 => Sent::Override(override_to(lead_id, Stage::Engaged)),
        1 => Sent::Trigger(trigger(lead_id, message_sent())),
        _ => Sent::Override(override_to(lead_id, Stage::Nurture)),
    }
}

/// Sends a request once.
pub async fn send(client: &mut Client, sent: Sent) -> Told {
    match sent.clone() {
        Sent::Trigger(request) => {
            let answer = within("an answer under load", client.apply_trigger(request.clone())).await;
            let answer = answer.map(Response::into_inner);
            let exchange = Exchange::ApplyTrigger(request, answer.clone().map_err(|status| Failure::from(&status)));
            Told { sent, answer: answer.map(|answer| (answer.changes, answer.replayed)), exchange }
        }
        Sent::Override(request) => {
            let answer = within("an answer under load", client.override_stage(request.clone())).await;
            let answer = answer.map(Response::into_inner);
            let exchange = Exchange::OverrideStage(request, answer.clone().map_err(|status| Failure::from(&status)));
            Told { sent, answer: answer.map(|answer| (answer.changes, answer.replayed)), exchange }
        }
    }
}

/// One client that sends its requests on one lead, one after the other, until one isn't answered with OK.
pub async fn until_failure(mut client: Client, lead_id: String, most: usize) -> Vec<Told> {
    let mut told = Vec::new();
    for number in 0..most {
        told.push(send(&mut client, request(&lead_id, number)).await);
        if told.last().is_some_and(|told| told.answer.is_err()) {
            break;
        }
    }
    told
}

/// Sends everything again, each until it succeeds, and holds it against what was told before: what was acknowledged is
/// a replay of the same entries. Returns those of the others that had been applied.
pub async fn retry_all<'a>(client: &mut Client, told: &'a [Told]) -> Vec<&'a Told> {
    let mut applied = Vec::new();
    for before in told {
        let again = send(client, before.sent.clone()).await;
        let (changes, replayed) = again.answer.expect("the server is well again");
        match &before.answer {
            Ok((acknowledged, _)) => {
                assert!(replayed, "acknowledged and lost: {:?}", before.sent);
                assert_eq!(&changes, acknowledged, "acknowledged and changed");
            }
            Err(_) if replayed => applied.push(before),
            Err(_) => (),
        }
    }
    applied
}

/// Fails unless every failure is one that a caller may retry.
pub fn assert_retryable(told: &[Told], codes: &[Code]) {
    for status in told.iter().filter_map(|told| told.answer.as_ref().err()) {
        assert!(codes.contains(&status.code()), "{status:?}");
    }
}

pub fn acknowledged(told: &[Told]) -> usize {
    told.iter().filter(|told| told.answer.is_ok()).count()
}
