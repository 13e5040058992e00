//! Many follow-ups, many workers, two replicas: none is handed to two at the same time, and none is lost with a worker.

use super::figures::{rate, say};
use super::stage::{Size, Stage};
use crate::support::checker::check;
use crate::support::exhausted::Exhausted;
use crate::support::process::Process;
use crate::support::server::{Client, Database};
use crate::time::revivals::{revive, summary};
use futures::future::join_all;
use lead_pipeline::proto::{CompleteFollowUpRequest, LeaseFollowUpsRequest, OutreachMode};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashMap;
use std::time::Instant;

const WORKERS: u64 = 16;
/// One batch of so many is never completed: its worker dies.
const DEATHS: u32 = 20;
const LEASE: prost_types::Duration = prost_types::Duration { seconds: 2, nanos: 0 };

/// A follow-up that somebody had, by the database's time in microseconds.
struct Had {
    lead_id: String,
    from: i64,
    to: i64,
    completed: bool,
}

const fn micros(at: &prost_types::Timestamp) -> i64 {
    at.seconds * 1_000_000 + at.nanos as i64 / 1_000
}

/// Works until there is nothing left to do. After a death another one takes its place.
async fn work(mut client: Client, number: u64, most: i32) -> Vec<Had> {
    let mut random = StdRng::seed_from_u64(number);
    let mut had = Vec::new();
    loop {
        let wait = Some(prost_types::Duration { seconds: 1, nanos: 0 });
        let request =
            LeaseFollowUpsRequest { max_follow_ups: most, lease_duration: Some(LEASE), wait, ..Default::default() };
        let answer = client.lease_follow_ups(request).await.expect("an answer").into_inner();
        if answer.follow_ups.is_empty() && answer.next_due_at.is_none() {
            return had;
        }
        let dies = random.random_range(0..DEATHS) == 0;
        for follow_up in answer.follow_ups {
            let to = micros(follow_up.lease_expires_at.as_ref().expect("a time"));
            let lead_id = follow_up.lead.expect("a lead").lead_id;
            let mut completed = false;
            if !dies {
                let request = CompleteFollowUpRequest {
                    follow_up_id: follow_up.follow_up_id,
                    lease_token: follow_up.lease_token,
                };
                // Under load a lease may end before it is used: then it isn't this worker's any more.
                completed = client.complete_follow_up(request).await.is_ok();
            }
            had.push(Had { lead_id, from: to - LEASE.seconds * 1_000_000, to, completed });
        }
    }
}

async fn scenario(size: Size) {
    let stage = Stage::new(size, 100, &[]).await;
    let leads = Exhausted { agent: "anna", leads: size.of(2_000, 205_000) };
    leads.add_to(&stage.url).await;
    let other = Process::serving(&stage.url, &[]).await;
    let revival = summary(&mut stage.server.client(), revive("anna", OutreachMode::EmailOnly)).await;
    let due = revival.revived as usize;
    assert!(due >= size.of(1_900, 200_000));
    let began = Instant::now();
    let clients = (0..WORKERS).map(|n| if n % 2 == 0 { stage.server.client() } else { other.client() });
    let workers = clients.zip(0..).map(|(client, n)| tokio::spawn(work(client, n, size.of(20, 200))));
    let had: Vec<Had> = join_all(workers).await.into_iter().flat_map(|had| had.expect("no panic")).collect();
    let took = began.elapsed();

    let mut by_lead: HashMap<&str, Vec<&Had>> = HashMap::new();
    for one in &had {
        by_lead.entry(&one.lead_id).or_default().push(one);
    }
    assert_eq!(by_lead.len(), due, "each follow-up was handed out");
    let mut again = 0;
    for (lead_id, mut had) in by_lead {
        had.sort_by_key(|had| had.from);
        assert_eq!(had.iter().filter(|had| had.completed).count(), 1, "{lead_id} was completed once");
        assert!(had.last().is_some_and(|last| last.completed), "{lead_id} isn't handed out once it is completed");
        assert!(had.windows(2).all(|pair| pair[0].to <= pair[1].from), "{lead_id} was handed to two at the same time");
        again += had.len() - 1;
    }
    assert!(again > 0, "some worker died");
    assert_eq!(Database::connect(&stage.url).await.number("select count(follow_up_at) from leads").await, 0);
    check(&stage.url).await;
    if size == Size::Full {
        let pace = rate(due, took);
        say(format_args!(
            "{due} follow-ups, 16 workers on 2 replicas, each completed once: {pace:.0}/s; {again} came back from \
             workers that died, none to two at the same time"
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_follow_up_is_done_once() {
    scenario(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_each_follow_up_is_done_once() {
    scenario(Size::Full).await;
}
