//! The snapshot of a watch: the leads as they stand, partition by partition and page by page in the order of their ids.
//!
//! Each page is read together with its partition's head, and the log up to that head goes out before the page, for the
//! leads that were sent already. So at any moment what was sent is what the log up to the partition's mark says, and no
//! transaction stays open between pages.

use super::throttle::Share;
use super::watcher::{Gathered, Notice, Place, WatchError, Watcher};
use crate::domain::{Lead, LeadId};
use crate::store::{LeadPage, PageOf};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

/// How far a snapshot has come.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The last lead that was sent, or passed over, of the partition that the snapshot has come to; `None`: the next
    /// page begins the next partition.
    pub after: Option<LeadId>,
    /// Its part in the rate of all snapshots.
    share: Share,
    /// A page that was read, and waits until the log up to its head is out.
    page: Option<LeadPage>,
}

impl Snapshot {
    pub(super) fn new(after: Option<LeadId>, share: Share) -> Self {
        Self { after, share, page: None }
    }

    /// Whether a lead of this partition was sent, or passed over: its changes are news.
    pub(super) fn has_passed(&self, lead_id: &LeadId) -> bool {
        self.after.as_ref().is_some_and(|after| lead_id <= after)
    }

    /// How long it has to wait for its next page, if at all.
    pub(super) fn wait(&self) -> Option<Duration> {
        if self.page.is_some() { None } else { self.share.wait(Instant::now()) }
    }
}

impl Watcher {
    /// The next page of the snapshot, and what the log has for the leads of earlier ones.
    pub(super) async fn gather_snapshot(
        &mut self,
        after: Option<LeadId>,
    ) -> Result<(Vec<Bytes>, Vec<Lead>), WatchError> {
        let mut gathered = self.empty_response();
        let partition = self.places.len() - usize::from(after.is_some());
        let Some(page) = self.next_page(partition, after.as_ref()).await? else {
            // Only the log, as far as it concerns leads that were sent.
            if after.is_some() {
                self.read_on(partition, i64::MAX, &mut gathered).await?;
            }
            return Ok((gathered.entries, Vec::new()));
        };
        if after.is_none() {
            self.places.push(Place::at(page.head, page.head.position));
        } else if !self.read_up_to(partition, &page, &mut gathered).await? {
            // The response is full: the page follows when the log before it is out.
            if let Some(snapshot) = &mut self.snapshot {
                snapshot.page = Some(page);
            }
            return Ok((gathered.entries, Vec::new()));
        }
        self.advance(&page);
        Ok((gathered.entries, page.leads))
    }

    /// The page that waits, or else the next one; `None` if it isn't time for one.
    async fn next_page(&mut self, partition: usize, after: Option<&LeadId>) -> Result<Option<LeadPage>, WatchError> {
        let far_behind = after.is_some() && self.is_far_behind(partition);
        let Some(snapshot) = &mut self.snapshot else { return Ok(None) };
        if let Some(page) = snapshot.page.take() {
            return Ok(Some(page));
        }
        if far_behind || snapshot.wait().is_some() {
            return Ok(None);
        }
        snapshot.share.take(Instant::now());
        let filter = &self.registration.watch.filter;
        let stages = filter.member_stages();
        let leads: Vec<&LeadId> = filter.leads.iter().collect();
        let agents: Vec<_> = filter.agents.iter().collect();
        let page = PageOf {
            partition: partition as i32,
            after,
            limit: self.hub.settings().snapshot_page,
            stages: &stages,
            leads: &leads,
            agents: &agents,
        };
        Ok(Some(self.hub.log().leads(page).await?))
    }

    /// Whether the log up to the head is more than goes well with a page.
    fn is_far_behind(&self, partition: usize) -> bool {
        let position = self.places[partition].mark.position;
        let head = self.hub.head(partition as i32).unwrap_or(position);
        head - position > self.hub.settings().response_entries as i64
    }

    /// Brings the leads that were sent to the head of `page`; `false` if the response is full before that.
    async fn read_up_to(
        &mut self,
        partition: usize,
        page: &LeadPage,
        gathered: &mut Gathered,
    ) -> Result<bool, WatchError> {
        let through = page.head.position;
        let mut attempts = 2;
        loop {
            let mark = self.places[partition].mark;
            if mark.position >= through {
                // A lower head, or another entry there: history was lost.
                return if mark == page.head { Ok(true) } else { Err(WatchError::CursorDiverged) };
            }
            if gathered.is_full() {
                return Ok(false);
            }
            self.read_on(partition, through, gathered).await?;
            if self.places[partition].mark == mark {
                // The page shows a newer head than this replica has heard of.
                self.read_log(partition, through, gathered).await?;
            }
            if self.places[partition].mark == mark {
                // A read that others share may be older than the head; one more is not.
                attempts -= 1;
                if attempts == 0 {
                    return Err(WatchError::CursorDiverged);
                }
            }
        }
    }

    /// The page goes out: the next one begins behind it.
    fn advance(&mut self, page: &LeadPage) {
        let complete = (page.leads.len() as i64) < self.hub.settings().snapshot_page;
        if complete && self.places.len() == self.hub.store().partitions() as usize {
            self.snapshot = None;
            self.notice = Some(Notice::SnapshotComplete);
        } else if let Some(snapshot) = &mut self.snapshot {
            snapshot.after = page.leads.last().map(|lead| lead.id.clone()).filter(|_| !complete);
        }
    }
}
