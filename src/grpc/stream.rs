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
use futures::future;
use futures::stream::{self, BoxStream, StreamExt};
use std::sync::{Arc, OnceLock};
use tokio::time::Instant;
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
    // Why the stream ends, if not because the caller has no more: told when what is under way is answered.
    let ending: Arc<OnceLock<Status>> = Arc::default();
    let (broken, over) = (Arc::clone(&ending), Arc::clone(&ending));
    let answers = request
        .into_inner()
        .take_until(async move { over.set(end(stop, until).await) })
        .scan(broken, |broken, request| future::ready(request.map_err(|status| broken.set(status)).ok()))
        // One after the other: this is the order in which they take effect on a lead.
        .then(move |request| begin(service.clone(), request, until))
        // Asks for the next one only while there is room and the answers are read: memory stays flat.
        .buffer_unordered(window)
        .map(Ok);
    let last = stream::once(async move { ending.get().cloned() }).filter_map(|status| future::ready(status.map(Err)));
    Ok(answers.chain(last).boxed())
}

/// Waits until the stream must end.
async fn end(stop: CancellationToken, until: Option<Instant>) -> Status {
    let deadline = async {
        match until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => future::pending().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => status::stopping(),
        () = deadline => status::stream_deadline(),
    }
}

/// Hands one trigger to its writer; the future is its answer.
async fn begin(
    service: Service,
    request: proto::ApplyTriggersRequest,
    until: Option<Instant>,
) -> impl Future<Output = proto::ApplyTriggersResponse> {
    let arrived = Instant::now();
    let timeout = until.map(|until| until.saturating_duration_since(arrived));
    let call = Call { arrived, timeout, note: Note::default() };
    let begun = submit(&service, request.command, &call).await;
    async move {
        let answer = match begun {
            Ok((pass, submitted)) => pass.answer(submitted).await,
            Err(status) => Err(status),
        };
        let result = match answer {
            Ok(answer) => Applied::Response(writes::applied(answer)),
            Err(status) => Applied::Error(writes::as_message(&status)),
        };
        proto::ApplyTriggersResponse { sequence: request.sequence, result: Some(result) }
    }
}

async fn submit(
    service: &Service,
    command: Option<proto::ApplyTriggerRequest>,
    call: &Call,
) -> Result<(Pass, Result<Submitted, CommandError>), Status> {
    let mut check = Check::default();
    if command.is_none() {
        check.wrong("command", "is required: the trigger to apply");
    }
    let command = check.done(command).map_err(|wrong| status::invalid(wrong, None))?;
    let command = writes::trigger(service, command, call)?;
    let (calls, pass) = Pass::of(service, &command, call)?;
    let submitted = calls.writers.submit_in_turn(command, pass.deadline).await;
    Ok((pass, submitted))
}
