//! A subscriber that notes when each change came.

use super::figures::Latencies;
use super::load::Acknowledged;
use crate::support::server::Client;
use crate::support::watcher::{Watching, from_now};
use std::collections::HashMap;
use std::time::Instant;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A subscriber that reads as fast as it can.
pub struct Subscriber {
    stop: CancellationToken,
    reading: JoinHandle<Received>,
}

/// When each change came, by its place.
pub struct Received(HashMap<(i32, i64), Instant>);

impl Subscriber {
    pub async fn start(client: &mut Client) -> Self {
        let stop = CancellationToken::new();
        let (stopped, mut watching) = (stop.clone(), Watching::start(client, from_now()).await);
        let reading = tokio::spawn(async move {
            let mut received = HashMap::new();
            while let Some(response) = stopped.run_until_cancelled(watching.next()).await {
                let now = Instant::now();
                let changes = response.expect("the stream goes on").changes;
                received.extend(changes.iter().map(|change| ((change.partition, change.position), now)));
            }
            Received(received)
        });
        Self { stop, reading }
    }

    pub async fn finish(self) -> Received {
        self.stop.cancel();
        self.reading.await.expect("no panic")
    }
}

impl Received {
    /// From the answer of each write to its change at the subscriber; nothing if the change came first.
    pub fn delays(&self, writes: &[Acknowledged]) -> Latencies {
        let delay = |write: &Acknowledged| {
            let came = self.0.get(&(write.partition, write.position)).expect("each change came");
            (write.answered, came.saturating_duration_since(write.answered))
        };
        writes.iter().map(delay).collect()
    }
}
