//! The pace of snapshots: as fast as it goes while nobody writes, spaced out while somebody does, so that the writes
//! keep theirs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So long after a write it is taken that there are others.
const BUSY: Duration = Duration::from_millis(250);

/// Spaces the pages of all snapshots of this replica.
#[derive(Debug)]
pub(super) struct Pace {
    a_page: Duration,
    moments: Mutex<Moments>,
}

#[derive(Debug)]
struct Moments {
    /// Until then leads are being written.
    busy_until: Instant,
    /// When the next page may be read meanwhile.
    next: Instant,
}

impl Pace {
    /// So many pages a second while leads are written.
    pub fn new(pages: f64) -> Self {
        let now = Instant::now();
        Self {
            a_page: Duration::from_secs_f64(1.0 / pages),
            moments: Mutex::new(Moments { busy_until: now, next: now }),
        }
    }

    /// Leads were written.
    pub fn written(&self) {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner).busy_until = Instant::now() + BUSY;
    }

    /// Waits until the next page may be read.
    pub async fn turn(&self) {
        let turn = self.book(Instant::now());
        if let Some(turn) = turn {
            tokio::time::sleep_until(turn).await;
        }
    }

    fn book(&self, now: Instant) -> Option<Instant> {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        if moments.busy_until <= now {
            return None;
        }
        let turn = moments.next.max(now);
        moments.next = turn + self.a_page;
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_spaced_while_leads_are_written() {
        let pace = Pace::new(10.0);
        let now = Instant::now();
        assert_eq!(pace.book(now), None, "nobody writes");
        pace.written();
        let turns: Vec<_> = (0..3).filter_map(|_| pace.book(now)).collect();
        assert_eq!(turns, [now, now + Duration::from_millis(100), now + Duration::from_millis(200)]);
        assert_eq!(pace.book(now + Duration::from_mins(1)), None, "nobody writes any more");
    }
}
