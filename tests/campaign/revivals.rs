//! The revival of many leads: its pace, alone and beside unary triggers, and its end though servers are killed in the
//! middle of it.

use super::figures::{promise, rate, say};
use super::load::{Load, calls};
use super::stage::{Size, Stage};
use crate::support::checker::check;
use crate::support::exhausted::Exhausted;
use crate::support::process::Process;
use crate::support::server::{Client, Database};
use crate::support::wait::until_the_next_look;
use crate::time::revivals::revive;
use lead_pipeline::proto::{GetRevivalRequest, OutreachMode, Revival, RevivalState};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};

/// Whose leads are revived.
const AGENT: &str = "anna";

async fn exhausted(stage: &Stage, leads: usize) -> Exhausted {
    let exhausted = Exhausted { agent: AGENT, leads };
    exhausted.add_to(&stage.url).await;
    exhausted
}

/// Begins a revival, and returns it as its first response has it.
async fn begin(client: &mut Client) -> Revival {
    let mut stream =
        client.revive_for_mode(revive(AGENT, OutreachMode::EmailOnly)).await.expect("accepted").into_inner();
    stream.message().await.expect("no error").and_then(|first| first.revival).expect("its first response")
}

async fn read(client: &mut Client, revival_id: &str) -> Option<Revival> {
    let request = GetRevivalRequest { revival_id: revival_id.to_owned() };
    client.get_revival(request).await.ok()?.into_inner().revival
}

/// Waits for the end. No limit of time but the harness's own: a million leads take what they take.
async fn ended(client: &mut Client, revival_id: &str) -> Revival {
    loop {
        if let Some(revival) = read(client, revival_id).await.filter(|it| it.state() != RevivalState::Running) {
            return revival;
        }
        until_the_next_look().await;
    }
}

/// Every lead is revived exactly once, the counts are right, nothing dead is touched.
async fn assert_done(url: &str, leads: &Exhausted, revival: &Revival) {
    assert_eq!(revival.state(), RevivalState::Finished, "{revival:?}");
    let (dead, closed) = (leads.count(Exhausted::is_dead), leads.count(Exhausted::has_no_email));
    let revived = leads.leads as i64 - dead - closed;
    assert_eq!((revival.skipped_dead, revival.skipped_no_open_channel), (dead, closed), "{revival:?}");
    assert_eq!((revival.revived, revival.skipped_moved_on, revival.remaining), (revived, 0, Some(0)), "{revival:?}");
    let mut database = Database::connect(url).await;
    let once = "select count(distinct lead_id) from entries where cause = 2";
    assert_eq!(database.number(once).await, revived, "each lead");
    assert_eq!(database.number("select count(*) from entries where cause = 2").await, revived, "once");
    let of_agent = format!("select count(*) from leads where agent_id = '{AGENT}'");
    assert_eq!(database.number(&format!("{of_agent} and stage = 2 and follow_up_at is not null")).await, revived);
    assert_eq!(database.number(&format!("{of_agent} and stage = 8 and dead_reason is not null")).await, dead);
    check(url).await;
}

async fn alone(size: Size) {
    let stage = Stage::new(size, 100, &[]).await;
    let leads = exhausted(&stage, size.of(10_000, 1_000_000)).await;
    let mut client = stage.server.client();
    let began = Instant::now();
    let revival = begin(&mut client).await;
    let revival = ended(&mut client, &revival.revival_id).await;
    let pace = rate(leads.leads, began.elapsed());
    assert_done(&stage.url, &leads, &revival).await;
    if size == Size::Full {
        say(format_args!("{} leads alone: {pace:.0} leads/s", leads.leads));
        promise("1,000,000 leads at 30,000 a second or better", pace >= 30_000.0);
    }
}

async fn beside(size: Size) {
    let stage = Stage::new(size, size.of(1_000, 100_000), &[]).await;
    let leads = exhausted(&stage, size.of(2_000, 400_000)).await;
    let mut client = stage.server.client();
    let baseline = size.of(Duration::from_millis(200), Duration::from_secs(15));
    let (start, load) = (Instant::now(), Load::full(&stage, 64));
    tokio::time::sleep(baseline).await;
    let began = Instant::now();
    let revival = begin(&mut client).await;
    let revival = ended(&mut client, &revival.revival_id).await;
    let end = Instant::now();
    let calls = calls(&load.finish().await);
    assert_done(&stage.url, &leads, &revival).await;
    if size == Size::Small {
        return;
    }
    let (without, during) = (calls.within(start..began), calls.within(began..end));
    let (usual, pace) = (rate(without.count(), began - start), rate(during.count(), end - began));
    let revived = rate(leads.leads, end - began);
    say(format_args!(
        "beside 64 unary triggers: {revived:.0} leads/s; the triggers went on at {pace:.0} of {usual:.0}/s"
    ));
    say(format_args!("a trigger before: {without}"));
    say(format_args!("a trigger during: {during}"));
    promise("triggers keep at least half their own speed", pace >= usual / 2.0);
    promise("their p99 stays under ten times their usual", during.usual_p99() < 10 * without.usual_p99());
    promise("the revival moves 3,000 a second or better", revived >= 3_000.0);
}

/// Two replicas, of which now and then one is killed, at random moments.
async fn killed(size: Size) {
    const FLAGS: [&str; 2] = ["--revival-lease=500ms", "--timer-interval=100ms"];
    let kills = size.of(3, 50);
    // Small chunks, so that a small revival is long enough to be killed in.
    let batch = size.of("--revival-batch=50", "--revival-batch=512");
    let flags = [FLAGS[0], FLAGS[1], batch];
    let stage = Stage::new(size, 100, &flags).await;
    let leads = exhausted(&stage, size.of(10_000, 1_000_000)).await;
    let url = stage.url.clone();
    let mut replicas = vec![Process::serving(&url, &flags).await, Process::serving(&url, &flags).await];
    let mut client = stage.server.client();
    let revival = begin(&mut client).await;
    // The one that accepted it goes first. Whoever watches below reads only.
    let Stage { server, _postgres: postgres, .. } = stage;
    replicas.push(server);
    let mut random = StdRng::seed_from_u64(5);
    let began = Instant::now();
    let mut in_the_middle = 0;
    for kill in 0..kills {
        let victim = if kill == 0 { replicas.len() - 1 } else { random.random_range(0..replicas.len()) };
        let before = read(&mut replicas[(victim + 1) % 3].client(), &revival.revival_id).await.expect("it is there");
        in_the_middle += usize::from(before.state() == RevivalState::Running);
        replicas.swap_remove(victim).kill().await;
        replicas.push(Process::serving(&url, &flags).await);
        tokio::time::sleep(Duration::from_millis(random.random_range(0..size.of(20, 400)))).await;
    }
    let revival = ended(&mut replicas[0].client(), &revival.revival_id).await;
    let took = began.elapsed();
    assert!(in_the_middle > 0, "no kill was during the revival");
    assert_done(&url, &leads, &revival).await;
    if size == Size::Full {
        say(format_args!(
            "{kills} kill -9, {in_the_middle} of them during the revival of {} leads, in {:.0} s: each revived once",
            leads.leads,
            took.as_secs_f64()
        ));
        promise("50 kills during one revival", in_the_middle == kills);
    }
    drop((replicas, postgres));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_leads_are_revived() {
    alone(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_go_on_beside_a_revival() {
    beside(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revival_survives_its_servers() {
    killed(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_all_leads_are_revived() {
    alone(Size::Full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_triggers_go_on_beside_a_revival() {
    beside(Size::Full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_a_revival_survives_fifty_kills() {
    killed(Size::Full).await;
}
