//! The database loses its last changes, and others are written in their place. Whoever has seen what was lost is told:
//! running streams end with CURSOR_DIVERGED, and cursors are refused with it. Whoever hasn't goes on.

use crate::support::checker::check;
use crate::support::errors::failed;
use crate::support::load::{leads, request, send};
use crate::support::log::{heads, log_behind, places};
use crate::support::operated::{Cluster, Operated};
use crate::support::requests::{batch, create, lead};
use crate::support::server::{Client, Server, server_on};
use crate::support::wait::within;
use crate::support::watcher::{Watching, after, filtered, from_now, unfiltered};
use lead_pipeline::proto::{StageChange, WatchFilter, WatchStageChangesRequest};
use std::collections::BTreeMap;
use tonic::{Code, Status};

/// How much happens.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub leads: usize,
    /// Changes that the database keeps, beside the leads' creations.
    pub kept: usize,
    /// Changes that it loses, all of them in the first lead's partition.
    pub lost: usize,
    /// Changes in the same partition that are written in their place.
    pub anew: usize,
}

/// Which of the two servers writes in place of what was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The one that wrote what was lost, and streamed it: it remembers all of that.
    WroteIt,
    /// One that never wrote before, and whose only stream began behind what was lost.
    CameLater,
}

/// How a database loses what it has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A base backup that was taken before is restored, at the same address.
    Restore,
    /// A standby that nobody waits for, and that was cut off before, takes over.
    Failover,
}

/// A database that is about to lose history.
struct Doomed {
    operated: Operated,
    loss: Loss,
    cluster: Cluster,
    /// What will take its place.
    copy: Option<Cluster>,
}

impl Doomed {
    async fn new(loss: Loss) -> Self {
        let operated = Operated::new().await;
        let cluster = operated.init().await;
        operated.put_in_place(&cluster);
        Self { operated, loss, cluster, copy: None }
    }

    /// What is written from now on will be lost.
    async fn prepare(&mut self) {
        let copy = match self.loss {
            Loss::Restore => self.operated.base_backup(&self.cluster).await,
            Loss::Failover => {
                let standby = self.operated.standby(&self.cluster).await;
                standby.replays_all_of(&self.cluster).await;
                standby.cut_off().await;
                standby
            }
        };
        self.copy = Some(copy);
    }

    async fn lose(&mut self) {
        let mut copy = self.copy.take().expect("it was prepared");
        self.cluster.crash().await;
        match self.loss {
            Loss::Restore => self.operated.start(&mut copy).await,
            Loss::Failover => copy.promote().await,
        }
        self.operated.put_in_place(&copy);
        self.cluster = copy;
    }
}

/// The service around the loss.
struct Scene {
    scale: Scale,
    url: String,
    wrote_it: Server,
    came_later: Server,
    leads: Vec<String>,
    /// How many requests were sent so far: no two are alike.
    sent: usize,
}

/// Few partitions: a cursor whose one partition still holds and whose other one doesn't is a common case.
const PARTITIONS: &str = "--partitions=2";

fn for_nobody() -> WatchStageChangesRequest {
    let filter = WatchFilter { lead_ids: vec!["nobody".into()], ..Default::default() };
    // Asks for a word each second: of what it drops, nothing else would tell.
    let checkpoint_interval = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    WatchStageChangesRequest { start: from_now().start, checkpoint_interval, ..filtered(filter) }
}

#[track_caller]
fn assert_diverged(ended: Status) {
    failed(Err::<(), _>(ended)).is(Code::DataLoss, "CURSOR_DIVERGED").asks_to_retry(false);
}

impl Scene {
    /// Two servers, some leads and some changes.
    async fn set(url: String, scale: Scale) -> Self {
        // The first hint of each is the only one: that others learn of a write late is nothing special.
        let flags = [PARTITIONS, "--hint-interval=24h"];
        let wrote_it = server_on(&url, &flags).await;
        let came_later = server_on(&url, &flags).await;
        let mut scene = Self { scale, url, wrote_it, came_later, leads: leads(scale.leads), sent: 0 };
        let creations = batch(scene.leads.iter().map(|lead_id| create(lead_id)));
        scene.wrote_it.client().batch_create_leads(creations).await.expect("created");
        let mut client = scene.wrote_it.client();
        for number in 0..scale.kept {
            let lead_id = scene.leads[number % scene.leads.len()].clone();
            scene.write(&mut client, &lead_id).await;
        }
        scene
    }

    /// A write that is accepted, and is this call's own effect; it may have to wait for the database.
    async fn write(&mut self, client: &mut Client, lead_id: &str) -> StageChange {
        self.sent += 1;
        let (mut changes, replayed) = send(client, request(lead_id, self.sent)).await.answer.expect("accepted");
        assert!(!replayed && changes.len() == 1, "{changes:?}");
        changes.remove(0)
    }

    /// The leads of the partition that loses history.
    fn losers(&self) -> Vec<String> {
        let partition = |lead_id: &String| lead_pipeline::store::partition_of(lead_id, 2);
        self.leads.iter().filter(|lead_id| partition(lead_id) == partition(&self.leads[0])).cloned().collect()
    }

    /// Writes what will be lost, and returns a cursor behind each of these changes, as `watching` is told of it.
    async fn write_to_lose(&mut self, watching: &mut Watching) -> Vec<String> {
        let (mut client, losers) = (self.wrote_it.client(), self.losers());
        let mut cursors = Vec::new();
        for number in 0..self.scale.lost {
            let written = self.write(&mut client, &losers[number % losers.len()]).await;
            assert_eq!(places(&watching.changes(1).await), places([&written]));
            cursors.push(watching.cursor.clone());
        }
        cursors
    }

    /// Writes in place of what was lost. The leads are what they were before it, whatever the servers remember.
    async fn write_anew(&mut self, writer: Writer, kept: &BTreeMap<String, i32>) {
        let losers = self.losers();
        let mut client = match writer {
            Writer::WroteIt => self.wrote_it.client(),
            Writer::CameLater => self.came_later.client(),
        };
        let mut versions = kept.clone();
        for number in 0..self.scale.anew {
            let lead_id = &losers[number % losers.len()];
            let version = versions.get_mut(lead_id).expect("a lead");
            *version += 1;
            assert_eq!(self.write(&mut client, lead_id).await.version, *version, "{lead_id} goes on from what it was");
        }
        for (lead_id, version) in versions {
            assert_eq!(lead(&mut client, &lead_id).await.version, version);
        }
    }

    async fn versions(&self) -> BTreeMap<String, i32> {
        let mut client = self.wrote_it.client();
        let mut versions = BTreeMap::new();
        for lead_id in &self.leads {
            versions.insert(lead_id.clone(), lead(&mut client, lead_id).await.version);
        }
        versions
    }

    /// A cursor from before the loss continues, on any server, with what is in the log now.
    async fn assert_continues(&self, server: &Server, cursor: &str) {
        let mut watching = Watching::start(&mut server.client(), unfiltered(after(cursor))).await;
        let start = watching.through.clone();
        let changes = watching.through(&heads(&self.url).await).await;
        assert_eq!(places(&changes), log_behind(&self.url, &start).await);
    }
}

/// The whole story.
pub async fn lose_history(loss: Loss, scale: Scale, writer: Writer) {
    let mut database = Doomed::new(loss).await;
    let mut scene = Scene::set(database.operated.url(), scale).await;
    let url = scene.url.clone();
    // Hears late of what others write: it may or may not learn of what is lost.
    let hears_late = server_on(&url, &[PARTITIONS, "--poll-interval=2s"]).await;
    let mut seen_all = Watching::start(&mut scene.wrote_it.client(), unfiltered(from_now())).await;
    let mut seen_none = Watching::start(&mut scene.wrote_it.client(), for_nobody()).await;
    let mut unaware = Watching::start(&mut hears_late.client(), unfiltered(from_now())).await;
    let (before, kept, versions) = (seen_all.cursor.clone(), seen_all.through.clone(), scene.versions().await);
    database.prepare().await;

    let cursors = scene.write_to_lose(&mut seen_all).await;
    let mut began_later = Watching::start(&mut scene.came_later.client(), unfiltered(from_now())).await;
    assert_eq!(began_later.through, seen_all.through, "it begins behind all that will be lost");
    seen_none.through(&seen_all.through).await;
    database.lose().await;
    scene.write_anew(writer, &versions).await;
    assert_eq!(heads(&url).await.values().sum::<i64>(), kept.values().sum::<i64>() + scale.anew as i64);

    for watching in [&mut seen_all, &mut seen_none, &mut began_later] {
        assert_diverged(watching.end().await);
    }
    assert_right_or_told(&mut unaware, &kept, &url).await;
    let started_after = server_on(&url, &[PARTITIONS]).await;
    for server in [&scene.wrote_it, &scene.came_later, &hears_late, &started_after] {
        for cursor in cursors.iter().chain([&seen_none.cursor, &began_later.cursor]) {
            let refused = Watching::try_start(&mut server.client(), after(cursor)).await.map(|_| "accepted");
            failed(refused).is(Code::DataLoss, "CURSOR_DIVERGED").asks_to_retry(false);
        }
        scene.assert_continues(server, &before).await;
    }
    check(&url).await;
}

/// A stream that may not have seen anything of what was lost goes on with what there is now, or is told.
async fn assert_right_or_told(watching: &mut Watching, kept: &BTreeMap<i32, i64>, url: &str) {
    let heads = heads(url).await;
    let mut changes = Vec::new();
    let reading = async {
        while heads.iter().any(|(partition, head)| watching.through[partition] < *head) {
            match watching.next().await {
                Ok(response) => changes.extend(response.changes),
                Err(ended) => return assert_diverged(ended),
            }
        }
        if places(&changes) != log_behind(url, kept).await {
            // It had learned of what was lost, before that was lost.
            assert_diverged(watching.end().await);
        }
    };
    within("a stream that goes on or ends", reading).await;
}
