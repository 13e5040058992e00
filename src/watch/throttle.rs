//! The rate of snapshots: as fast as it goes while nobody writes, spaced out while somebody does, so that the writes keep
//! their pace. Nobody queues: each snapshot takes its share of the rate, and one that goes leaves nothing behind.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So long after a write it is taken that there are others.
pub(super) const BUSY: Duration = Duration::from_millis(250);

/// The rate of this replica.
#[derive(Debug)]
pub(super) struct Throttle {
    a_page: Duration,
    /// Until then leads are being written.
    busy_until: Mutex<Instant>,
    /// Snapshots under way.
    snapshots: AtomicU32,
}

/// One snapshot's part in the rate, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    throttle: Arc<Throttle>,
    /// When the next page may be read, while leads are written.
    next: Instant,
}

impl Throttle {
    /// So many pages a second while leads are written, over all snapshots.
    pub fn new(pages: f64) -> Arc<Self> {
        let a_page = Duration::from_secs_f64(1.0 / pages);
        Arc::new(Self { a_page, busy_until: Mutex::new(Instant::now()), snapshots: AtomicU32::new(0) })
    }

    /// Leads were written.
    pub fn written(&self) {
        *self.busy_until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + BUSY;
    }

    fn is_busy(&self, now: Instant) -> bool {
        *self.busy_until.lock().unwrap_or_else(PoisonError::into_inner) > now
    }

    /// A snapshot begins.
    pub fn share(self: &Arc<Self>) -> Share {
        self.snapshots.fetch_add(1, Ordering::AcqRel);
        Share { throttle: Arc::clone(self), next: Instant::now() }
    }
}

impl Share {
    /// How long to wait for the next page, if at all.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.next.saturating_duration_since(now);
        (!wait.is_zero() && self.throttle.is_busy(now)).then_some(wait)
    }

    /// A page is read.
    pub fn take(&mut self, now: Instant) {
        self.next = now + self.throttle.a_page * self.throttle.snapshots.load(Ordering::Acquire);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.throttle.snapshots.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn snapshots_share_the_rate_while_leads_are_written() {
        let throttle = Throttle::new(10.0);
        let now = Instant::now();
        let mut one = throttle.share();
        one.take(now);
        assert_eq!(one.wait(now), None, "nobody writes");
        throttle.written();
        assert_eq!(one.wait(now), Some(100 * MS));
        let other = throttle.share();
        one.take(now);
        assert_eq!(one.wait(now), Some(200 * MS), "there are two");
        assert_eq!(one.wait(now + 200 * MS), None);
        drop(other);
        one.take(now);
        assert_eq!(one.wait(now), Some(100 * MS), "who goes leaves nothing behind");
        assert_eq!(one.wait(now + Duration::from_mins(1)), None, "nobody writes any more");
    }
}
