//! The stream of triggers: each becomes the command that ApplyTrigger would have made of it, in the order they come,
//! and is answered when its answer is there.

use super::check::Check;
use super::observe::Note;
use super::service::Service;
use super::status;
use super::writes::{self, Call, Pass};
use crate::proto;
use crate::proto::apply_triggers_response::Result as Applied;
use crate::writer::{CommandError, Submitted};
use futures::stream::{BoxStream, StreamExt};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming};

pub fn apply_triggers(
    service: Service,
    request: Request<Streaming<proto::ApplyTriggersRequest>>,
) -> Result<BoxStream<'static, Result<proto::ApplyTriggersResponse, Status>>, Status> {
    let calls = service.calls(None)?;
    let (window, stop) = (calls.settings.stream_window, calls.going_away.clone());
    let call = Call::of(&request);
    let until = call.timeout.map(|timeout| call.arrived + timeout);
    let (begun, under_way) = mpsc::channel(window);
    let (ended, ending) = oneshot::channel();
    // A task of its own: what waits for a writer's room goes on also while nobody reads the answers.
    let intake = Intake { service, until, begun, window: Arc::new(Semaphore::new(window)) };
    tokio::spawn(async move { ended.send(intake.run(request.into_inner(), stop).await).ok() });
    let answers = ReceiverStream::new(under_way).map(UnderWay::answer).buffer_unordered(window).map(Ok);
    // Why the stream ends, if not because the caller has no more: told when what is under way is answered.
    let last = futures::stream::once(ending).filter_map(async |ended| ended.ok().flatten().map(Err));
    Ok(answers.chain(last).boxed())
}

/// What the triggers of a stream go through, one after the other.
struct Intake {
    service: Service,
    until: Option<Instant>,
    begun: mpsc::Sender<UnderWay>,
    /// As many triggers may be under way or unread; then no more are taken, and memory stays flat.
    window: Arc<Semaphore>,
}

/// A trigger that its writer has, or that was refused at the door.
struct UnderWay {
    sequence: i64,
    begun: Result<(Pass, Result<Submitted, CommandError>), Status>,
    _place: OwnedSemaphorePermit,
}

impl Intake {
    /// Takes triggers until the stream ends; returns why, if not because the caller has no more.
    async fn run(
        self,
        mut requests: Streaming<proto::ApplyTriggersRequest>,
        stop: CancellationToken,
    ) -> Option<Status> {
        let taking = async {
            while let Ok(place) = Arc::clone(&self.window).acquire_owned().await {
                match requests.message().await {
                    // One after the other: this is the order in which they take effect on a lead.
                    Ok(Some(request)) => self.begun.send(self.begin(request, place).await).await.ok()?,
                    Ok(None) => return None,
                    Err(status) => return Some(status),
                }
            }
            None
        };
        let deadline = async {
            match self.until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = taking => ended,
            () = self.begun.closed() => None,
            () = stop.cancelled() => Some(status::stopping()),
            () = deadline => Some(status::stream_deadline()),
        }
    }

    /// Hands one trigger to its writer.
    async fn begin(&self, request: proto::ApplyTriggersRequest, place: OwnedSemaphorePermit) -> UnderWay {
        let arrived = Instant::now();
        let timeout = self.until.map(|until| until.saturating_duration_since(arrived));
        let call = Call { arrived, timeout, note: Note::default() };
        let begun = self.submit(request.command, &call).await;
        UnderWay { sequence: request.sequence, begun, _place: place }
    }

    async fn submit(
        &self,
        command: Option<proto::ApplyTriggerRequest>,
        call: &Call,
    ) -> Result<(Pass, Result<Submitted, CommandError>), Status> {
        let mut check = Check::default();
        if command.is_none() {
            check.wrong("command", "is required: the trigger to apply");
        }
        let command = check.done(command).map_err(|wrong| status::invalid(wrong, None))?;
        let command = writes::trigger(&self.service, command, call)?;
        let (calls, pass) = Pass::of(&self.service, &command, call)?;
        let submitted = calls.writers.submit_in_turn(command, pass.deadline).await;
        Ok((pass, submitted))
    }
}

impl UnderWay {
    async fn answer(self) -> proto::ApplyTriggersResponse {
        let answer = match self.begun {
            Ok((pass, submitted)) => pass.answer(submitted).await,
            Err(status) => Err(status),
        };
        let result = match answer {
            Ok(answer) => Applied::Response(writes::applied(answer)),
            Err(status) => Applied::Error(writes::as_message(&status)),
        };
        proto::ApplyTriggersResponse { sequence: self.sequence, result: Some(result) }
    }
}
