//! Sends one call until it has its answer: the same request, with the same `request_id`, again and again while another
//! answer can be expected.

use super::call::Call;
use super::report::{Done, Report};
use crate::cli::connect::endpoint;
use crate::cli::retry::{Verdict, pause, timed_out, verdict};
use crate::proto::lead_pipeline_client::LeadPipelineClient;
use crate::proto::{ApplyTriggerResponse, Outcome, OverrideStageResponse};
use crate::record::{self, Exchange, Recorder};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// Makes connections, each of which connects when it is first used, and again when it is lost.
pub fn connections(address: &str, connections: usize, patience: Duration) -> Result<Vec<Channel>, String> {
    let endpoint = endpoint(address, patience)?;
    Ok((0..connections).map(|_| endpoint.connect_lazy()).collect())
}

/// How long is waited for answers.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// One attempt.
    pub attempt: Duration,
    /// All attempts of one call: past it, no other is begun.
    pub call: Duration,
}

/// How a call ended that was not applied as far as is known.
#[derive(Debug)]
pub enum Failure {
    /// The service's last word.
    Refused(Status),
    /// It was worth another attempt, but the time was up. It may be applied.
    Unanswered(Status),
    /// It has an answer, which can't be recorded.
    Unrecorded(io::Error),
}

/// What the senders of a run share.
#[derive(Clone)]
pub struct Terms {
    pub patience: Patience,
    /// Ends the pauses between attempts: each call keeps the answer that it has then.
    pub give_up: CancellationToken,
    pub report: Arc<Report>,
    /// Where every attempt is recorded, if it is.
    pub recorder: Option<Arc<Recorder>>,
}

/// Sends calls over one connection.
#[derive(Clone)]
pub struct Sender {
    client: LeadPipelineClient<Channel>,
    terms: Terms,
}

/// What an answer says was done.
fn done(exchange: &Exchange, validate_only: bool) -> Done {
    let (replayed, outcome) = match exchange {
        Exchange::CreateLead(_, answer) => (answer.as_ref().is_ok_and(|told| told.replayed), None),
        Exchange::ApplyTrigger(_, answer) => {
            (answer.as_ref().is_ok_and(|told| told.replayed), answer.as_ref().ok().map(ApplyTriggerResponse::outcome))
        }
        Exchange::OverrideStage(_, answer) => {
            (answer.as_ref().is_ok_and(|told| told.replayed), answer.as_ref().ok().map(OverrideStageResponse::outcome))
        }
    };
    match outcome {
        _ if replayed => Done::Replayed,
        _ if validate_only => Done::Validated,
        None => Done::Created,
        Some(Outcome::Moved) => Done::Moved,
        Some(Outcome::NoChange | Outcome::Unspecified) => Done::NoChange,
    }
}

impl Sender {
    pub fn new(channel: Channel, terms: Terms) -> Self {
        Self { client: LeadPipelineClient::new(channel), terms }
    }

    /// Sends a call until its last answer.
    pub async fn send(&mut self, call: &Call) -> Result<Done, Failure> {
        let end = Instant::now() + self.terms.patience.call;
        let mut failed = 0;
        loop {
            let answer = self.attempt(call).await;
            self.record(call, &answer).map_err(Failure::Unrecorded)?;
            let status = match answer {
                Ok(exchange) => {
                    self.terms.report.answered();
                    return Ok(done(&exchange, call.validate_only()));
                }
                Err(status) => status,
            };
            let Verdict::Again { not_before } = verdict(&status) else {
                self.terms.report.answered();
                return Err(Failure::Refused(status));
            };
            failed += 1;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || not_before > left {
                return Err(Failure::Unanswered(status));
            }
            // The last attempt is made when the time is up, not some time before.
            let pause = pause(failed, not_before, rand::random()).min(left);
            self.terms.report.retrying(&status);
            tokio::select! {
                () = sleep(pause) => (),
                () = self.terms.give_up.cancelled() => return Err(Failure::Unanswered(status)),
            }
        }
    }

    async fn attempt(&mut self, call: &Call) -> Result<Exchange, Status> {
        let patience = self.terms.patience.attempt;
        // The server knows the deadline too, and drops what it can't decide in time. tonic ends the call by it as well,
        // but only once there is a connection: making one is covered here.
        match timeout(patience, self.exchange(call)).await {
            Ok(Err(status)) if !timed_out(&status) => Err(status),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Status::new(Code::DeadlineExceeded, format!("no answer within {patience:?}"))),
        }
    }

    async fn exchange(&mut self, call: &Call) -> Result<Exchange, Status> {
        Ok(match call.clone() {
            Call::CreateLead(request) => {
                let answer = self.client.create_lead(self.timed(request.clone())).await?.into_inner();
                Exchange::CreateLead(request, Ok(answer))
            }
            Call::ApplyTrigger(request) => {
                let answer = self.client.apply_trigger(self.timed(request.clone())).await?.into_inner();
                Exchange::ApplyTrigger(request, Ok(answer))
            }
            Call::OverrideStage(request) => {
                let answer = self.client.override_stage(self.timed(request.clone())).await?.into_inner();
                Exchange::OverrideStage(request, Ok(answer))
            }
        })
    }

    fn timed<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.terms.patience.attempt);
        request
    }

    /// Records an attempt, each for itself: one without an answer may have had the effect that a later one is told of.
    fn record(&self, call: &Call, answer: &Result<Exchange, Status>) -> io::Result<()> {
        let Some(recorder) = &self.terms.recorder else { return Ok(()) };
        match answer {
            Ok(exchange) => recorder.call(exchange),
            Err(status) => recorder.call(&unanswered(call.clone(), status.into())),
        }
    }
}

fn unanswered(call: Call, failure: record::Failure) -> Exchange {
    match call {
        Call::CreateLead(request) => Exchange::CreateLead(request, Err(failure)),
        Call::ApplyTrigger(request) => Exchange::ApplyTrigger(request, Err(failure)),
        Call::OverrideStage(request) => Exchange::OverrideStage(request, Err(failure)),
    }
}
