//! Two replicas are restarted in turn under load, again and again: for a client that follows, nothing is lost and nothing
//! comes twice.

use crate::support::checker::check;
use crate::support::cluster::fresh_database;
use crate::support::errors::failed;
use crate::support::follower::{Ended, Followed, Follower};
use crate::support::load::{Sent, create_leads, leads, request, send};
use crate::support::log::{heads, log, places};
use crate::support::process::{Process, reserved};
use crate::support::server::{Client, client_at};
use crate::support::wait::{until_the_next_look, within};
use futures::stream::{FuturesUnordered, StreamExt};
use lead_pipeline::proto::StageChange;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tonic::Code;

/// How much happens.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Each has a client of its own, which always has one request under way.
    pub leads: usize,
    pub restarts: usize,
    /// One restart of so many is a kill -9; none is if `None`.
    pub kill_each: Option<usize>,
    /// Changes that the follower has to be sent between two restarts.
    pub changes: usize,
}

/// Writes on one lead until the load is over.
async fn write(servers: Vec<SocketAddr>, lead_id: String, over: Arc<AtomicBool>) -> Vec<StageChange> {
    let mut clients: Vec<Client> = servers.into_iter().map(client_at).collect();
    let mut acknowledged = Vec::new();
    while !over.load(Ordering::Acquire) {
        let sent = request(&lead_id, acknowledged.len());
        acknowledged.extend(within("an answer", until_answered(&mut clients, sent)).await);
    }
    acknowledged
}

/// Sends the same request to one server after the other until one answers it.
async fn until_answered(clients: &mut [Client], sent: Sent) -> Vec<StageChange> {
    loop {
        match send(&mut clients[0], sent.clone()).await.answer {
            Ok((changes, _)) => return changes,
            Err(status) => {
                let codes = [Code::Unavailable, Code::Cancelled, Code::Unknown, Code::Internal];
                assert!(codes.contains(&status.code()), "{status:?}");
            }
        }
        clients.rotate_left(1);
        until_the_next_look().await;
    }
}

/// Restarts the replicas in turn, the one that has run longest first. Returns how many of the restarts were
/// kills, and those that run in the end.
async fn restart_in_turn(
    url: &str,
    mut servers: VecDeque<Process>,
    follower: &mut Follower,
    scale: Scale,
) -> (usize, VecDeque<Process>) {
    let mut kills = 0;
    for restart in 1..=scale.restarts {
        follower.sees_more(scale.changes).await;
        let old = servers.pop_front().expect("a server");
        let address = old.address();
        if scale.kill_each.is_some_and(|each| restart % each == 0) {
            kills += 1;
            old.kill().await;
        } else {
            old.terminate();
            let ended = old.ended().await;
            assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        }
        servers.push_back(serving_at(url, address).await);
    }
    follower.sees_more(scale.changes).await;
    (kills, servers)
}

async fn serving_at(url: &str, address: SocketAddr) -> Process {
    let mut server = Process::spawn(url, &["--testing", &format!("--listen={address}")]);
    server.serves().await;
    server
}

/// The whole story.
pub async fn roll(scale: Scale) {
    let url = fresh_database().await;
    let ports = [reserved(), reserved()];
    let addresses = ports.iter().map(|(_, address)| *address).collect::<Vec<_>>();
    let mut servers = VecDeque::new();
    for address in &addresses {
        servers.push_back(serving_at(&url, *address).await);
    }
    let leads = leads(scale.leads);
    create_leads(&mut client_at(addresses[0]), &leads).await;
    let mut follower = Follower::start(addresses.clone());
    let over = Arc::new(AtomicBool::new(false));
    let writers: FuturesUnordered<_> = leads
        .iter()
        .map(|lead_id| tokio::spawn(write(addresses.clone(), lead_id.clone(), Arc::clone(&over))))
        .collect();
    let (kills, servers) = restart_in_turn(&url, servers, &mut follower, scale).await;
    over.store(true, Ordering::Release);
    let acknowledged: Vec<Vec<StageChange>> = writers.map(|changes| changes.expect("no panic")).collect().await;
    let acknowledged: Vec<StageChange> = acknowledged.into_iter().flatten().collect();
    let followed = follower.through(heads(&url).await).await;
    drop(servers);

    let sound = check(&url).await;
    assert_eq!(sound.entries as usize, leads.len() + acknowledged.len(), "each request has just one effect");
    let log = log(&url).await;
    assert_eq!(places(&followed.changes), log, "the follower has the whole log, each change once");
    let acknowledged = places(&acknowledged);
    assert!(acknowledged.iter().all(|place| log.binary_search(place).is_ok()), "what was acknowledged is there");
    assert_told(&followed, scale, kills);
}

/// Nobody but those whose server was killed lost their stream without a word before.
fn assert_told(followed: &Followed, scale: Scale, kills: usize) {
    let (told, untold): (Vec<&Ended>, Vec<&Ended>) = followed.ended.iter().partition(|ended| ended.told);
    assert!(untold.len() <= kills, "{untold:?}");
    assert!(told.len() + kills >= scale.restarts / 2, "the follower was moved by the restarts: {}", told.len());
    for ended in told {
        let status = Err::<(), _>(ended.status.clone());
        failed(status).is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_in_turn_lose_and_repeat_nothing() {
    roll(Scale { leads: 16, restarts: 6, kill_each: None, changes: 200 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_do_kills_in_between() {
    roll(Scale { leads: 16, restarts: 6, kill_each: Some(3), changes: 200 }).await;
}
