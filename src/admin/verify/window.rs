//! A part of a partition's log, read ahead: a stream has many small responses, one after the other.

use crate::store::{Audit, Entry, StoreError};

/// Entries that are read at once.
const PAGE: i64 = 250;

/// The entries behind a position, as far as they were read.
#[derive(Default)]
pub struct Window {
    entries: Vec<Entry>,
    /// The window begins behind this position.
    after: i64,
    /// Whether the log goes on behind the window.
    goes_on: bool,
}

impl Window {
    /// The next entries behind `at` and up to `through`, and the position that was looked at with them; none if the log
    /// ends before `through`.
    pub async fn entries(
        &mut self,
        audit: &mut Audit,
        partition: i32,
        at: i64,
        through: i64,
    ) -> Result<(&[Entry], Option<i64>), StoreError> {
        let holds = at >= self.after && self.entries.last().is_some_and(|last| last.position > at);
        if !holds {
            let page = audit.log(partition, at, PAGE).await?;
            self.goes_on = page.len() == PAGE as usize;
            self.after = at;
            // What can't be read was told when the log was looked at.
            self.entries = page.into_iter().flatten().collect();
        }
        let start = self.entries.partition_point(|entry| entry.position <= at);
        let end = self.entries.partition_point(|entry| entry.position <= through);
        let last = self.entries.last().map_or(at, |last| last.position);
        let next = if last >= through {
            Some(through)
        } else if self.goes_on && last > at {
            Some(last)
        } else {
            None
        };
        Ok((&self.entries[start..end.max(start)], next))
    }
}
