//! Follows a revival: one stream after the other, each attached to it by the same `request_id`.

use super::Revive;
use super::show::Show;
use crate::cli::retry::{Verdict, cause, pause, verdict};
use crate::proto::lead_pipeline_client::LeadPipelineClient;
use crate::proto::{RevivalState, ReviveForModeRequest, ReviveForModeResponse};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::Endpoint;
use tonic::{Code, Status};

/// Why it isn't followed any more.
pub enum Ending {
    /// The last response has come.
    Done,
    /// A person or the system wants it.
    Signal(u8),
    /// The server's last word is no.
    Refused(Status),
    /// The server was away for too long.
    GaveUp(Status),
}

pub struct Follower {
    address: String,
    endpoint: Endpoint,
    request: ReviveForModeRequest,
    /// How long the first word of a stream may take.
    patience: Duration,
    retry_for: Duration,
    pub show: Show,
    /// What was told last.
    pub last: Option<ReviveForModeResponse>,
    /// When anything was told last, or the beginning.
    heard: Instant,
    /// Streams in a row that came to nothing.
    failed: u32,
}

impl Follower {
    pub fn new(arguments: &Revive, endpoint: Endpoint, request: ReviveForModeRequest, show: Show) -> Self {
        Self {
            address: arguments.address.clone(),
            endpoint,
            request,
            patience: arguments.timeout,
            retry_for: arguments.retry_for,
            show,
            last: None,
            heard: Instant::now(),
            failed: 0,
        }
    }

    /// Follows it to its end. May be dropped while it waits.
    pub async fn follow(&mut self) -> Ending {
        loop {
            let Err(status) = self.attach().await else { return Ending::Done };
            let Verdict::Again { not_before } = verdict(&status) else { return Ending::Refused(status) };
            // A stream may be silent for long, and that is fine: time counts from its end.
            if self.failed == 0 {
                self.heard = Instant::now();
            }
            self.failed += 1;
            let left = self.retry_for.saturating_sub(self.heard.elapsed());
            if left.is_zero() || not_before > left {
                return Ending::GaveUp(status);
            }
            if self.failed == 1 {
                self.show.say(format_args!("{} is away, trying again: {}", self.address, cause(&status)));
            }
            sleep(pause(self.failed, not_before, rand::random()).min(left)).await;
        }
    }

    /// One stream, to its end.
    async fn attach(&mut self) -> Result<(), Status> {
        let late = |_| Status::new(Code::DeadlineExceeded, format!("no answer within {:?}", self.patience));
        let opening = async {
            let channel = self.endpoint.connect().await.map_err(|error| Status::from_error(error.into()))?;
            let mut stream = LeadPipelineClient::new(channel).revive_for_mode(self.request.clone()).await?.into_inner();
            let first = stream.message().await?;
            Ok::<_, Status>((stream, first))
        };
        let (mut stream, mut response) = timeout(self.patience, opening).await.map_err(late)??;
        while let Some(told) = response {
            self.take(told);
            response = stream.message().await?;
        }
        match self.last.as_ref().and_then(|last| last.revival.as_ref()) {
            Some(revival) if revival.state() != RevivalState::Running => Ok(()),
            _ => Err(Status::unavailable("the stream ended")),
        }
    }

    fn take(&mut self, response: ReviveForModeResponse) {
        if let Some(revival) = &response.revival {
            if self.last.is_none() && !revival.revival_id.is_empty() {
                let how = if response.replayed { "was accepted before" } else { "is accepted" };
                self.show.say(format_args!("revival {} of {} {how}", revival.revival_id, revival.agent_id));
            } else if self.failed > 0 {
                self.show.say(format_args!("{} tells of it again", self.address));
            }
            self.show.progress(revival);
        }
        self.failed = 0;
        self.last = Some(response);
    }
}
