//! A client of WatchStageChanges that checks, with every response, what the stream promises.

use super::server::Client;
use super::wait::within;
use lead_pipeline::proto::watch_stage_changes_request::Start;
use lead_pipeline::proto::{
    Coverage, Lead, Notice, StageChange, StartBeginning, StartSnapshot, WatchFilter, WatchStageChangesRequest,
    WatchStageChangesResponse,
};
use std::collections::BTreeMap;
use tonic::{Status, Streaming};

/// A running watch.
pub struct Watching {
    stream: Streaming<WatchStageChangesResponse>,
    /// For every partition the position that the stream has accounted for.
    pub through: BTreeMap<i32, i64>,
    /// The cursor of the last response.
    pub cursor: String,
    /// The notices so far.
    pub notices: Vec<Notice>,
    /// How far behind the last response was.
    pub behind: i64,
    /// The partitions that a snapshot has yet to come to are missing in `through`.
    snapshot: bool,
}

pub fn from_now() -> WatchStageChangesRequest {
    WatchStageChangesRequest::default()
}

pub fn from_beginning() -> WatchStageChangesRequest {
    WatchStageChangesRequest { start: Some(Start::Beginning(StartBeginning {})), ..Default::default() }
}

pub fn from_snapshot() -> WatchStageChangesRequest {
    WatchStageChangesRequest { start: Some(Start::Snapshot(StartSnapshot {})), ..Default::default() }
}

pub fn after(cursor: &str) -> WatchStageChangesRequest {
    WatchStageChangesRequest { start: Some(Start::AfterCursor(cursor.into())), ..Default::default() }
}

pub fn filtered(filter: WatchFilter) -> WatchStageChangesRequest {
    WatchStageChangesRequest { filter: Some(filter), ..from_beginning() }
}

impl Watching {
    /// Begins a watch that is accepted.
    pub async fn start(client: &mut Client, request: WatchStageChangesRequest) -> Self {
        Self::try_start(client, request).await.expect("the watch begins")
    }

    /// Begins a watch. If it is accepted, its first response is a checkpoint with the start of every partition.
    pub async fn try_start(client: &mut Client, request: WatchStageChangesRequest) -> Result<Self, Status> {
        let watching = Self::begin(client, request, false).await?;
        assert!(!watching.through.is_empty(), "the first response has coverage");
        Ok(watching)
    }

    /// The same for a snapshot, or its middle: the first response names the partitions that it has come to.
    pub async fn start_snapshot(client: &mut Client, request: WatchStageChangesRequest) -> Self {
        Self::begin(client, request, true).await.expect("the watch begins")
    }

    async fn begin(client: &mut Client, request: WatchStageChangesRequest, snapshot: bool) -> Result<Self, Status> {
        let stream = within("the start of a watch", client.watch_stage_changes(request)).await?.into_inner();
        let (through, cursor, notices) = (BTreeMap::new(), String::new(), Vec::new());
        let mut watching = Self { stream, through, cursor, notices, behind: 0, snapshot };
        let first = watching.receive().await?;
        assert!(first.changes.is_empty() && first.leads.is_empty(), "the first response is a checkpoint");
        for Coverage { partition, after, through } in &first.coverage {
            assert_eq!(after, through, "the first coverage is where partition {partition} starts");
            assert!(watching.through.insert(*partition, *after).is_none(), "partition {partition} twice");
        }
        let partitions = i32::try_from(first.coverage.len()).expect("few partitions");
        assert!(watching.through.keys().copied().eq(0..partitions), "every partition from the first on");
        Ok(watching)
    }

    async fn receive(&mut self) -> Result<WatchStageChangesResponse, Status> {
        let response = within("a response of the watch", self.stream.message()).await?;
        let response = response.ok_or_else(|| Status::ok("the stream ended without a status"))?;
        assert!(!response.cursor.is_empty(), "every response has a cursor");
        assert!(response.behind >= 0);
        self.cursor.clone_from(&response.cursor);
        self.behind = response.behind;
        if response.notice() != Notice::Unspecified {
            self.notices.push(response.notice());
        }
        Ok(response)
    }

    /// The next response. Its coverage meets that of the one before, its changes lie within it and are in order.
    pub async fn next(&mut self) -> Result<WatchStageChangesResponse, Status> {
        let response = self.receive().await?;
        let mut ranges = BTreeMap::new();
        for Coverage { partition, after, through } in &response.coverage {
            if let Some(before) = self.through.insert(*partition, *through) {
                assert_eq!(*after, before, "coverage of partition {partition} meets the one before");
                assert!(through > after, "coverage that covers nothing");
            } else {
                assert!(self.snapshot, "partition {partition} is not in the first response");
                assert_eq!(after, through, "a snapshot begins partition {partition} at the head of its page");
            }
            assert!(ranges.insert(*partition, (*after, *through)).is_none(), "one range a partition");
        }
        for change in &response.changes {
            let (after, through) = ranges.get_mut(&change.partition).expect("a change outside of the coverage");
            assert!(change.position > *after && change.position <= *through, "order or coverage: {change:?}");
            *after = change.position;
        }
        Ok(response)
    }

    /// Reads on until there are so many changes, and returns them.
    pub async fn changes(&mut self, count: usize) -> Vec<StageChange> {
        let mut changes = Vec::new();
        let reading = async {
            while changes.len() < count {
                changes.extend(self.next().await.expect("the stream goes on").changes);
            }
        };
        within("the changes", reading).await;
        assert_eq!(changes.len(), count, "more changes than expected: {changes:?}");
        changes
    }

    /// Reads on until the stream has accounted for everything that a head says, and returns the changes.
    pub async fn through(&mut self, heads: &BTreeMap<i32, i64>) -> Vec<StageChange> {
        let mut changes = Vec::new();
        let reading = async {
            while heads.iter().any(|(partition, head)| self.through[partition] < *head) {
                changes.extend(self.next().await.expect("the stream goes on").changes);
            }
        };
        within("the heads to be covered", reading).await;
        changes
    }

    /// Reads on until a notice, which may have come already; returns the changes on the way.
    pub async fn until(&mut self, notice: Notice) -> Vec<StageChange> {
        self.until_notices(&[notice]).await
    }

    /// Reads on until these notices have come, in this order.
    pub async fn until_notices(&mut self, expected: &[Notice]) -> Vec<StageChange> {
        let mut changes = Vec::new();
        let reading = async {
            while !self.were_told(expected) {
                changes.extend(self.next().await.expect("the stream goes on").changes);
            }
        };
        within("the notices", reading).await;
        changes
    }

    fn were_told(&self, expected: &[Notice]) -> bool {
        let mut notices = self.notices.iter();
        expected.iter().all(|notice| notices.any(|told| told == notice))
    }

    /// Reads on to the end of the stream, and returns how it ended.
    pub async fn end(&mut self) -> Status {
        let reading = async {
            loop {
                if let Err(status) = self.next().await {
                    return status;
                }
            }
        };
        within("the end of the stream", reading).await
    }
}

/// What a client makes of a stream: every lead's version and stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View(pub BTreeMap<String, (i32, i32)>);

impl View {
    /// Takes a response. A lead of a snapshot comes once; each change of a lead is newer than what was seen of it, and if
    /// the stream sends everything, the very next.
    pub fn take(&mut self, response: &WatchStageChangesResponse, everything: bool) {
        for change in &response.changes {
            let seen = self.0.insert(change.lead_id.clone(), (change.version, change.to_stage));
            let seen = seen.map_or(0, |(version, _)| version);
            assert!(change.version > seen, "seen already, at version {seen}: {change:?}");
            assert!(!everything || change.version == seen + 1, "a gap behind version {seen}: {change:?}");
        }
        for lead in &response.leads {
            let seen = self.0.insert(lead.lead_id.clone(), (lead.version, lead.stage));
            assert_eq!(seen, None, "a lead of the snapshot was seen before: {lead:?}");
        }
    }

    /// What the view has to be in the end.
    pub fn of(leads: &[Lead]) -> Self {
        Self(leads.iter().map(|lead| (lead.lead_id.clone(), (lead.version, lead.stage))).collect())
    }
}

/// The same watch, with every entry that is recorded.
pub fn unfiltered(request: WatchStageChangesRequest) -> WatchStageChangesRequest {
    WatchStageChangesRequest { include_unchanged: true, ..request }
}

/// What identifies a change, for comparisons.
pub fn key(change: &StageChange) -> (String, i32) {
    (change.lead_id.clone(), change.version)
}

/// The keys of changes, sorted: a stream has no order between partitions.
pub fn keys<'a>(changes: impl IntoIterator<Item = &'a StageChange>) -> Vec<(String, i32)> {
    let mut keys: Vec<_> = changes.into_iter().map(key).collect();
    keys.sort();
    keys
}
