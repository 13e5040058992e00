//! What histories are compared with.

use super::finding::Report;
use crate::store::{Audit, AuditHead};

/// The database with the heads that were read first, and where findings go.
pub struct Ground<'a> {
    pub audit: &'a mut Audit,
    pub heads: &'a [AuditHead],
    pub report: &'a mut Report,
}

impl Ground<'_> {
    /// The last position of a partition that was pruned.
    pub fn floor(&self, partition: i32) -> i64 {
        self.heads.iter().find(|head| head.partition == partition).map_or(0, |head| head.floor.position)
    }
}
