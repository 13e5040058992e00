//! What histories are compared with.

use super::finding::Report;
use super::past::Past;
use crate::store::Audit;

/// The database with its partitions as they were read first, and where findings go.
pub struct Ground<'a> {
    pub audit: &'a mut Audit,
    pub partitions: &'a [Past],
    pub report: &'a mut Report,
}

impl<'a> Ground<'a> {
    /// A partition, if there is such.
    pub fn past(&self, partition: i32) -> Option<&'a Past> {
        self.partitions.iter().find(|past| past.head.partition == partition)
    }

    /// The last position of a partition that was pruned.
    pub fn floor(&self, partition: i32) -> i64 {
        self.past(partition).map_or(0, |past| past.head.floor.position)
    }
}
