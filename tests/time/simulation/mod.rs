//! A year of a thousand leads, four days at a time: what people, agents and leads do is drawn from a seed, the rest is
//! the service's, on three replicas of which one is killed now and then.

mod judge;

use super::revivals::revive;
use crate::support::checker::check;
use crate::support::cluster::fresh_database;
use crate::support::log::heads;
use crate::support::process::Process;
use crate::support::requests::{
    all_used_up, batch, batch_results, booked, checklist_completed, create, message_sent, not_interested, opted_out,
    override_to, replied, time, trigger, used_up,
};
use crate::support::server::{Client, Database, server_on};
use crate::support::wait::{eventually, within};
use crate::support::watcher::{Watching, from_beginning, unfiltered};
use futures::future::join_all;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    AskedForLater, AttemptFailure, Channel, CompleteFollowUpRequest, ContactAttemptFailed, ContactInfoAdded,
    ContactPoint, CreateLeadRequest, DeadReason, FollowUp, GetLeadRequest, Lead, LeaseFollowUpsRequest, Meeting,
    MeetingCancelled, OutreachMode, OverrideStageRequest, Stage, StageChange,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use tonic::{Code, Response, Status};

const SEED: u64 = 5;
const LEADS: usize = 1000;
const AGENTS: usize = 5;
const DAY: i64 = 86_400;
const STEP: i64 = 4 * DAY;
const STEPS: usize = 92;
/// How often something happens to a lead in a step, mostly to those that are worked on then.
const BUSY: usize = 45;
const WORKED_ON: usize = 30;
/// How many leads are put aside with each step, for as many others.
const NEXT: usize = 5;
/// How many follow-ups are worked off in a step; others wait.
const FOLLOW_UPS: i32 = 30;
pub const QUIET_AFTER: i64 = 10 * DAY;
pub const CHECK_IN: i64 = 14 * DAY;

const FLAGS: [&str; 6] = [
    "--timer-interval=50ms",
    "--quiet-after=10d",
    "--check-in-interval=14d",
    "--lease-interval=25ms",
    "--revival-lease=1s",
    "--funnel-step=500",
];

/// Who takes part, and what they were told.
struct World {
    url: String,
    database: Database,
    random: StdRng,
    /// Of every replica; the last is a process of its own.
    clients: Vec<Client>,
    process: Option<Process>,
    watching: Watching,
    changes: Vec<StageChange>,
    /// Follow-ups that were handed out: of leads that were revived, and in NURTURE.
    revived: usize,
    check_ins: usize,
    kills: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_of_a_thousand_leads() {
    let url = fresh_database().await;
    let (one, other) = (server_on(&url, &FLAGS).await, server_on(&url, &FLAGS).await);
    let process = Process::serving(&url, &FLAGS).await;
    let mut world = World {
        database: one.database().await,
        random: StdRng::seed_from_u64(SEED),
        clients: vec![one.client(), other.client(), process.client()],
        process: Some(process),
        watching: Watching::start(&mut other.client(), unfiltered(from_beginning())).await,
        changes: Vec::new(),
        revived: 0,
        check_ins: 0,
        kills: 0,
        url,
    };
    world.create().await;
    for step in 0..STEPS {
        world.step(step).await;
    }
    world.settle().await;
    world.watch().await;
    check(&world.url).await;
    let year = judge::Year { now: world.database.time().await, changes: &world.changes };
    let seen = year.judge(&mut one.client()).await;
    assert!(seen.meetings > 10 && seen.quiet > 10 && seen.revived > 10, "little has happened: {seen:?}");
    let World { revived, check_ins, kills, .. } = world;
    assert!(revived > 10 && check_ins > 10 && kills == 3, "{revived} revived, {check_ins} check-ins, {kills} kills");
}

impl World {
    async fn create(&mut self) {
        let requests = (0..LEADS).map(|number| CreateLeadRequest {
            agent_id: format!("agent-{}", number % AGENTS),
            contact_points: match number % 7 {
                0 => vec![ContactPoint::Email.into()],
                1 => vec![ContactPoint::Phone.into()],
                _ => Vec::new(),
            },
            ..create(&format!("lead-{number}"))
        });
        let created = self.clients[0].batch_create_leads(batch(requests)).await.expect("created");
        assert!(batch_results(created).iter().all(Result::is_ok));
    }

    async fn step(&mut self, step: usize) {
        self.database.move_time(STEP).await;
        self.settle().await;
        self.watch().await;
        let (revives, kills) = (step % 6 == 5, step % 24 == 23);
        if revives {
            self.revive(kills).await;
        }
        let doomed = if kills { self.process.take() } else { None };
        let killed = async {
            if let Some(process) = doomed {
                process.kill().await;
            }
        };
        let now = self.database.time().await;
        let seeds: Vec<u64> = (0..BUSY).map(|_| self.random.random()).collect();
        let lives = seeds.iter().map(|seed| live(&self.clients, step, *seed, now));
        tokio::join!(join_all(lives), killed);
        if kills {
            self.kills += 1;
            let process = Process::serving(&self.url, &FLAGS).await;
            self.clients[2] = process.client();
            self.process = Some(process);
        }
        self.follow_up(now).await;
    }

    /// Waits until nothing is due any more.
    async fn settle(&mut self) {
        let due = "(select count(*) from leads, pipeline where timer_at <= clock_timestamp() + time_offset)
            + (select count(*) from revivals where finished_at is null)";
        eventually("what is due", async || (self.database.number(due).await == 0).then_some(())).await;
    }

    /// Takes what the watch has to tell by now.
    async fn watch(&mut self) {
        let changes = self.watching.through(&heads(&self.url).await).await;
        self.changes.extend(changes);
    }

    /// Gives an agent another mode, through any replica, or the one that is to be killed.
    async fn revive(&mut self, kills: bool) {
        let modes = [OutreachMode::SmsOnly, OutreachMode::EmailOnly, OutreachMode::VoiceOnly, OutreachMode::Blended];
        let agent = self.random.random_range(0..AGENTS);
        let request = revive(&format!("agent-{agent}"), modes[self.random.random_range(0..modes.len())]);
        let replica = if kills { 2 } else { self.random.random_range(0..3) };
        let mut stream = self.clients[replica].revive_for_mode(request).await.expect("accepted").into_inner();
        let accepted = within("the first word", stream.message()).await.expect("no error").expect("accepted");
        assert!(accepted.revival.is_some_and(|revival| !revival.revival_id.is_empty()));
        // Some stay to the end; the others leave, and it goes on.
        if !kills && self.random.random() {
            while within("the revival", stream.message()).await.expect("no error").is_some() {}
        }
    }

    /// Works off some of the follow-ups that are due. Workers die: what they had comes back with a later step.
    async fn follow_up(&mut self, now: i64) {
        let mut handed_out = BTreeSet::new();
        // Two replicas give out half each.
        for replica in [self.random.random_range(0..3), self.random.random_range(0..3)] {
            let request = LeaseFollowUpsRequest {
                max_follow_ups: FOLLOW_UPS / 2,
                lease_duration: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
                ..Default::default()
            };
            let leased = self.clients[replica].lease_follow_ups(request).await.expect("an answer").into_inner();
            let mut working = Vec::new();
            for follow_up in leased.follow_ups {
                assert!(handed_out.insert(follow_up.follow_up_id.clone()), "handed out twice: {follow_up:?}");
                match judge::handed_out(&follow_up, now) {
                    Stage::Nurture => self.check_ins += 1,
                    _ => self.revived += 1,
                }
                working.push(work(self.clients[replica].clone(), follow_up, self.random.random_range(0..10)));
            }
            join_all(working).await;
        }
    }
}

/// What a worker does with a follow-up, if it lives.
async fn work(mut client: Client, follow_up: FollowUp, roll: u32) {
    let lead_id = follow_up.lead.as_ref().expect("a lead").lead_id.clone();
    match roll {
        0..5 => drop(client.apply_trigger(trigger(&lead_id, message_sent())).await.expect("a message is accepted")),
        5..8 => {
            let FollowUp { follow_up_id, lease_token, .. } = follow_up;
            let request = CompleteFollowUpRequest { follow_up_id, lease_token };
            client.complete_follow_up(request).await.expect("the lease holds");
        }
        _ => (),
    }
}

/// Calls one replica after the other until one answers.
async fn ask<T>(
    clients: &[Client],
    first: usize,
    call: impl AsyncFn(Client) -> Result<Response<T>, Status>,
) -> Result<T, Status> {
    for turn in first.. {
        match within("an answer", call(clients[turn % clients.len()].clone())).await {
            Ok(answer) => return Ok(answer.into_inner()),
            // The one that is killed; nobody knows what it did.
            Err(status) if matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled) => (),
            Err(status) => return Err(status),
        }
    }
    unreachable!("there is always another turn")
}

/// Something happens to a lead.
async fn live(clients: &[Client], step: usize, seed: u64, now: i64) {
    let mut random = StdRng::seed_from_u64(seed);
    let worked_on = random.random_range(0..100) < 80;
    let number = random.random_range(0..if worked_on { WORKED_ON } else { LEADS });
    let lead_id = format!("lead-{}", if worked_on { (step * NEXT + number) % LEADS } else { number });
    let first = random.random_range(0..clients.len());
    let request = GetLeadRequest { lead_id: lead_id.clone() };
    let found = ask(clients, first, async |mut client| client.get_lead(request.clone()).await).await;
    let lead = found.expect("it is there").lead.expect("a lead");
    let told = match happening(&lead, now, &mut random) {
        Happening::Nothing => return,
        Happening::Trigger(kind) => {
            let request = trigger(&lead_id, kind);
            ask(clients, first, async |mut client| client.apply_trigger(request.clone()).await).await.map(drop)
        }
        Happening::Override(stage, reopen_channels) => {
            let request = OverrideStageRequest { reopen_channels, ..override_to(&lead_id, stage) };
            ask(clients, first, async |mut client| client.override_stage(request.clone()).await).await.map(drop)
        }
    };
    if let Err(status) = told {
        // Something else came first, or the lead lacks the channel.
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    }
}

enum Happening {
    Nothing,
    Trigger(Kind),
    Override(Stage, bool),
}

/// What may happen to a lead as it is.
fn happening(lead: &Lead, now: i64, random: &mut StdRng) -> Happening {
    use Happening::{Nothing, Override, Trigger};
    let channel = [Channel::Email, Channel::Sms, Channel::Voice][random.random_range(0..3)];
    let roll = random.random_range(0..100);
    if lead.dead_reason() != DeadReason::Unspecified && roll < 90 {
        // A person may still move it; everything else is refused.
        return if roll < 20 { Trigger(replied()) } else { Nothing };
    }
    match (lead.stage(), roll) {
        (_, 0) => Trigger(opted_out()),
        (_, 1) => Trigger(not_interested()),
        (_, 2) => failed(channel),
        (Stage::New, _)
        | (Stage::Contacted, 40..60)
        | (Stage::Engaged | Stage::Qualified, 75..85)
        | (Stage::Nurture, 30..40) => Trigger(message_sent()),
        (Stage::Contacted, 3..40)
        | (Stage::Engaged | Stage::Qualified, 60..75)
        | (Stage::Nurture, 3..30)
        | (Stage::Exhausted, 20..30) => Trigger(replied()),
        (Stage::Contacted, 60..90) | (Stage::Engaged | Stage::Qualified, 85..90) => Trigger(used_up(channel)),
        (Stage::Contacted, _) => Trigger(all_used_up()),
        (Stage::Engaged, 3..45) => Trigger(checklist_completed()),
        (Stage::Qualified, 3..60) | (Stage::Scheduled, 3..30) => Trigger(booked(soon(now, random))),
        (Stage::Engaged | Stage::Qualified, 90..) => Trigger(Kind::AskedForLater(AskedForLater {})),
        (Stage::Scheduled, 30..50) => Trigger(cancelled(lead)),
        (Stage::Scheduled, 50..60) => Override(Stage::Qualified, false),
        (Stage::MeetingCompleted, 3..60) => {
            Override([Stage::Won, Stage::Lost, Stage::Nurture][random.random_range(0..3)], false)
        }
        (Stage::Exhausted, 3..20) => {
            Trigger(Kind::ContactInfoAdded(ContactInfoAdded { contact_point: ContactPoint::Phone.into() }))
        }
        (Stage::Exhausted, 30..40) => Override(Stage::Exhausted, true),
        (Stage::Won | Stage::Lost | Stage::BadPhone | Stage::BadContact, 50..) => Override(Stage::New, true),
        _ => Nothing,
    }
}

fn failed(channel: Channel) -> Happening {
    let failure = AttemptFailure::AttemptFailed.into();
    Happening::Trigger(Kind::ContactAttemptFailed(ContactAttemptFailed { channel: channel.into(), failure }))
}

/// A meeting that ends before the next step, or a few steps later.
fn soon(now: i64, random: &mut StdRng) -> Meeting {
    let starts = now + random.random_range(60..4 * STEP);
    Meeting {
        meeting_id: format!("m-{:016x}", random.random::<u64>()),
        starts_at: Some(time(starts)),
        ends_at: Some(time(starts + 1800)),
    }
}

fn cancelled(lead: &Lead) -> Kind {
    let meeting_id = lead.meeting.as_ref().map_or("another".into(), |meeting| meeting.meeting_id.clone());
    Kind::MeetingCancelled(MeetingCancelled { meeting_id })
}
