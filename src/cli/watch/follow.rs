//! Follows the stream from server to server: one stream after the other, each after the cursor of the one before.

use super::ending::{Ending, Reason};
use super::sink::Sink;
use crate::cli::retry::{Verdict, cause, verdict};
use crate::cli::say::say;
use crate::proto::lead_pipeline_client::LeadPipelineClient;
use crate::proto::watch_stage_changes_request::Start;
use crate::proto::{Notice, WatchStageChangesRequest, WatchStageChangesResponse};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use tonic::{Request, Status, Streaming};

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// The least time that a server has for its first response: it may have to ask its database about the cursor.
const FIRST_RESPONSE: Duration = Duration::from_secs(10);

/// A response may be larger than the usual limit: one lead or change more than the server measures.
const RESPONSE_BYTES: usize = 64 * 1024 * 1024;

/// A server, and how it is called in messages.
pub struct Server {
    pub name: String,
    pub endpoint: Endpoint,
}

/// Why a stream ended that is to go on.
enum Lost {
    GoingAway,
    Silent(Duration),
    /// What was wrong, and how long the server wants to be left alone.
    Broken(String, Duration),
}

/// Follows the stream.
pub struct Follower {
    /// At least one.
    servers: Vec<Server>,
    turn: usize,
    /// What is asked for; it starts after the last cursor once there is one.
    request: WatchStageChangesRequest,
    client_name: Option<MetadataValue<Ascii>>,
    /// Longer than this no stream is silent.
    silence: Duration,
    sink: Sink,
    streams: u64,
    /// Streams in a row that came to nothing.
    failed: u32,
    /// What was said about servers since all was well.
    said: BTreeSet<String>,
}

impl Follower {
    pub fn new(
        servers: Vec<Server>,
        request: WatchStageChangesRequest,
        client_name: Option<MetadataValue<Ascii>>,
        interval: Duration,
        sink: Sink,
    ) -> Self {
        let silence = interval * 2;
        let (turn, streams, failed, said) = (0, 0, 0, BTreeSet::new());
        Self { servers, turn, request, client_name, silence, sink, streams, failed, said }
    }

    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Whether anything ever came.
    pub fn has_begun(&self) -> bool {
        self.streams > 0
    }

    /// How often a stream was continued.
    pub fn reconnects(&self) -> u64 {
        self.streams.saturating_sub(1)
    }

    /// Follows until something ends the watch. May be dropped while it waits: what came is settled.
    pub async fn follow(&mut self) -> Ending {
        loop {
            let lost = match self.stream().await {
                Ok(lost) => lost,
                Err(ending) => return ending,
            };
            // A server that goes away has said so in good order: the next one is asked at once. Unless the stream had
            // brought nothing: servers that go away one after the other would be asked without a pause.
            let at_once = matches!(lost, Lost::GoingAway) && self.failed == 0;
            self.failed = self.failed.saturating_add(1);
            let not_before = self.say_lost(lost);
            self.turn = (self.turn + 1) % self.servers.len();
            if !at_once {
                sleep(pause(self.failed, not_before, rand::random())).await;
            }
        }
    }

    /// One stream, to its end.
    async fn stream(&mut self) -> Result<Lost, Ending> {
        self.sink.begin(&self.request)?;
        let first_patience = self.silence.max(FIRST_RESPONSE);
        let opened = timeout(first_patience, self.open()).await;
        let mut stream = match opened {
            Ok(Ok(stream)) => stream,
            Ok(Err(status)) => return judge(status),
            Err(_) => return Ok(Lost::Silent(first_patience)),
        };
        for number in 0_u64.. {
            let patience = if number == 0 { first_patience } else { self.silence };
            let response = match timeout(patience, stream.message()).await {
                Ok(Ok(Some(response))) => response,
                Ok(Ok(None)) => break,
                Ok(Err(status)) => return judge(status),
                Err(_) => return Ok(Lost::Silent(patience)),
            };
            let going_away = response.notice() == Notice::GoingAway;
            match number {
                0 => self.begun(),
                // The first response says only that the server is there; a second one, that it serves.
                _ if !going_away => self.failed = 0,
                _ => (),
            }
            self.sink.take(&response)?;
            self.request.start = Some(Start::AfterCursor(response.cursor));
            if going_away {
                return Ok(Lost::GoingAway);
            }
        }
        Ok(Lost::Broken("the stream ended".into(), Duration::ZERO))
    }

    async fn open(&self) -> Result<Streaming<WatchStageChangesResponse>, Status> {
        let channel =
            self.servers[self.turn].endpoint.connect().await.map_err(|error| Status::from_error(error.into()))?;
        let mut client = LeadPipelineClient::new(channel).max_decoding_message_size(RESPONSE_BYTES);
        let mut request = Request::new(self.request.clone());
        if let Some(name) = &self.client_name {
            request.metadata_mut().insert("client-name", name.clone());
        }
        Ok(client.watch_stage_changes(request).await?.into_inner())
    }

    /// A stream has begun.
    fn begun(&mut self) {
        self.streams += 1;
        if !self.said.is_empty() {
            self.said.clear();
            let again = if self.streams > 1 { " again, without a gap" } else { "" };
            say(format_args!("watching {}{again}", self.servers[self.turn].name));
        }
    }

    /// Says why a stream was lost, each thing once until all is well again. Gives how long the server wants to be left
    /// alone.
    fn say_lost(&mut self, lost: Lost) -> Duration {
        let name = &self.servers[self.turn].name;
        let (words, not_before) = match lost {
            Lost::GoingAway => (format!("{name} is going away"), Duration::ZERO),
            Lost::Silent(patience) => (format!("{name} was silent for {patience:?}, trying again"), Duration::ZERO),
            Lost::Broken(why, not_before) => (format!("{name} can't be watched now, trying again: {why}"), not_before),
        };
        if !self.said.contains(&words) {
            say(&words);
            self.said.insert(words);
        }
        not_before
    }
}

/// What the end of a stream means: that it is to go on, or the end of the watch.
fn judge(status: Status) -> Result<Lost, Ending> {
    if let Some(reason) = Reason::of(&status) {
        return Err(Ending::Cursor { status, reason });
    }
    match verdict(&status) {
        Verdict::Again { not_before } => Ok(Lost::Broken(cause(&status), not_before)),
        Verdict::Final => Err(Ending::Refused(status)),
    }
}

/// How long to wait after so many streams that came to nothing: anything up to a limit that doubles, so that watchers
/// that lost their server together don't come back together. `jitter` is from 0 to 1.
fn pause(failed: u32, not_before: Duration, jitter: f64) -> Duration {
    let doubled = SHORTEST.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(LONGEST).mul_f64(jitter).max(not_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_limit_and_are_spread_from_nothing_on() {
        let most: Vec<_> = (1..=11).map(|failed| pause(failed, Duration::ZERO, 1.0).as_millis()).collect();
        assert_eq!(most, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(pause(9, Duration::ZERO, 0.0), Duration::ZERO);
        assert_eq!(pause(u32::MAX, Duration::ZERO, 1.0), LONGEST);
        assert_eq!(pause(1, Duration::from_secs(2), 1.0), Duration::from_secs(2));
    }

    #[test]
    fn what_may_pass_is_followed_and_the_rest_ends_the_watch() {
        assert!(matches!(judge(Status::unavailable("stopping")), Ok(Lost::Broken(..))));
        for status in [Status::invalid_argument("filter"), Status::unimplemented(""), Status::internal("a defect")] {
            assert!(matches!(judge(status), Err(Ending::Refused(_))));
        }
    }
}
