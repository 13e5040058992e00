//! A client that follows the changes over any number of servers, as clients are told to: when one goes away, it
//! continues its cursor on the next.

use super::server::client_at;
use super::wait::{until_the_next_look, within};
use super::watcher::{Watching, after, from_beginning, unfiltered};
use lead_pipeline::proto::{Notice, StageChange, WatchStageChangesRequest};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

/// A client that follows; it runs until it is told where to stop.
pub struct Follower {
    seen: watch::Receiver<usize>,
    goal: watch::Sender<Option<Heads>>,
    following: JoinHandle<Followed>,
}

/// A position of each partition.
type Heads = BTreeMap<i32, i64>;

/// What a follower was sent.
#[derive(Default)]
pub struct Followed {
    pub changes: Vec<StageChange>,
    /// The streams that ended before the goal, in order.
    pub ended: Vec<Ended>,
}

/// How a stream ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether GOING_AWAY was the last word before it.
    pub told: bool,
    pub status: Status,
}

impl Follower {
    /// Follows everything from the beginning on, on the first server that has a stream for it.
    pub fn start(servers: Vec<SocketAddr>) -> Self {
        let (seen_sender, seen) = watch::channel(0);
        let (goal, goal_receiver) = watch::channel(None);
        let following = tokio::spawn(follow(servers, seen_sender, goal_receiver));
        Self { seen, goal, following }
    }

    /// Waits until it has been sent so many more changes.
    pub async fn sees_more(&mut self, count: usize) {
        let target = *self.seen.borrow() + count;
        within("the follower", self.seen.wait_for(|seen| *seen >= target)).await.expect("it follows");
    }

    /// Follows on until everything through these heads is accounted for.
    pub async fn through(self, heads: Heads) -> Followed {
        self.goal.send(Some(heads)).expect("it follows");
        within("the follower", self.following).await.expect("no panic")
    }
}

async fn follow(
    servers: Vec<SocketAddr>,
    seen: watch::Sender<usize>,
    mut goal: watch::Receiver<Option<Heads>>,
) -> Followed {
    let mut followed = Followed::default();
    let mut turn = 0;
    let mut request = unfiltered(from_beginning());
    let mut through: Option<Heads> = None;
    loop {
        let mut watching = within("a server to follow", next_stream(&servers, &mut turn, &request)).await;
        if let Some(through) = &through {
            assert_eq!(&watching.through, through, "the coverage goes on where the stream before ended");
        }
        let status = loop {
            if goal.borrow().as_ref().is_some_and(|heads| reached(&watching.through, heads)) {
                return followed;
            }
            // Waiting for a response may be given up at any time: none is lost by it.
            tokio::select! {
                response = watching.next() => match response {
                    Ok(response) => followed.changes.extend(response.changes),
                    Err(status) => break status,
                },
                changed = goal.changed() => changed.expect("the test waits"),
            }
            seen.send_replace(followed.changes.len());
        };
        followed.ended.push(Ended { told: watching.notices.last() == Some(&Notice::GoingAway), status });
        request = unfiltered(after(&watching.cursor));
        through = Some(watching.through);
    }
}

/// A stream of the next server that gives one.
async fn next_stream(servers: &[SocketAddr], turn: &mut usize, request: &WatchStageChangesRequest) -> Watching {
    loop {
        let server = servers[*turn % servers.len()];
        *turn += 1;
        match Watching::try_start(&mut client_at(server), request.clone()).await {
            Ok(watching) => return watching,
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
        until_the_next_look().await;
    }
}

fn reached(through: &Heads, heads: &Heads) -> bool {
    heads.iter().all(|(partition, head)| through[partition] >= *head)
}
