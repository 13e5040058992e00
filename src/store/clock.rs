//! The database's time, known between statements too.

use crate::domain::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The last time the database told, moved on by this machine's monotonic clock. A ping a second keeps it fresh.
#[derive(Debug)]
pub struct Clock {
    observed: Mutex<(Timestamp, Instant)>,
}

impl Clock {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { observed: Mutex::new((now, Instant::now())) }
    }

    /// The database has just told its time.
    pub(super) fn observe(&self, now: Timestamp) {
        *self.observed.lock().unwrap_or_else(PoisonError::into_inner) = (now, Instant::now());
    }

    /// The database's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let (then, at) = *self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp(then.0.saturating_add(i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX)))
    }
}
