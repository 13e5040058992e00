//! Sends one call until it has its answer: the same request, with the same `request_id`, again and again while another
//! answer can be expected.

use super::call::Call;
use super::report::{Done, Report};
use crate::cli::connect::endpoint;
use crate::cli::retry::{Verdict, pause, timed_out, verdict};
use crate::proto::Outcome;
use crate::proto::lead_pipeline_client::LeadPipelineClient;
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
}

/// Sends calls over one connection.
#[derive(Clone)]
pub struct Sender {
    client: LeadPipelineClient<Channel>,
    patience: Patience,
    /// Ends the pauses between attempts: each call keeps the answer that it has then.
    give_up: CancellationToken,
    report: Arc<Report>,
}

impl Sender {
    pub fn new(channel: Channel, patience: Patience, give_up: CancellationToken, report: Arc<Report>) -> Self {
        Self { client: LeadPipelineClient::new(channel), patience, give_up, report }
    }

    /// Sends a call until its last answer.
    pub async fn send(&mut self, call: &Call) -> Result<Done, Failure> {
        let end = Instant::now() + self.patience.call;
        let mut failed = 0;
        loop {
            let status = match self.attempt(call).await {
                Ok(done) => {
                    self.report.answered();
                    return Ok(done);
                }
                Err(status) => status,
            };
            let Verdict::Again { not_before } = verdict(&status) else {
                self.report.answered();
                return Err(Failure::Refused(status));
            };
            failed += 1;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || not_before > left {
                return Err(Failure::Unanswered(status));
            }
            // The last attempt is made when the time is up, not some time before.
            let pause = pause(failed, not_before, rand::random()).min(left);
            self.report.retrying(&status);
            tokio::select! {
                () = sleep(pause) => (),
                () = self.give_up.cancelled() => return Err(Failure::Unanswered(status)),
            }
        }
    }

    async fn attempt(&mut self, call: &Call) -> Result<Done, Status> {
        let patience = self.patience.attempt;
        // The server knows the deadline too, and drops what it can't decide in time. tonic ends the call by it as well,
        // but only once there is a connection: making one is covered here.
        match timeout(patience, self.exchange(call)).await {
            Ok(Err(status)) if !timed_out(&status) => Err(status),
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) | Err(_) => Err(Status::new(Code::DeadlineExceeded, format!("no answer within {patience:?}"))),
        }
    }

    async fn exchange(&mut self, call: &Call) -> Result<Done, Status> {
        let (replayed, outcome) = match call {
            Call::CreateLead(request) => {
                let request = self.timed(request.clone());
                let answer = self.client.create_lead(request).await?.into_inner();
                (answer.replayed, None)
            }
            Call::ApplyTrigger(request) => {
                let request = self.timed(request.clone());
                let answer = self.client.apply_trigger(request).await?.into_inner();
                (answer.replayed, Some(answer.outcome()))
            }
            Call::OverrideStage(request) => {
                let request = self.timed(request.clone());
                let answer = self.client.override_stage(request).await?.into_inner();
                (answer.replayed, Some(answer.outcome()))
            }
        };
        Ok(match outcome {
            _ if replayed => Done::Replayed,
            _ if call.validate_only() => Done::Validated,
            None => Done::Created,
            Some(Outcome::Moved) => Done::Moved,
            Some(Outcome::NoChange | Outcome::Unspecified) => Done::NoChange,
        })
    }

    fn timed<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.patience.attempt);
        request
    }
}
