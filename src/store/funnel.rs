//! The funnel: how many leads are where, how they moved, and how long that took. Counted from the log, by sums that are
//! kept of it beside the writes.

use super::types::PgTimestamp;
use super::{Mark, Store, StoreError};
use crate::domain::{AgentId, Stage, Timestamp};
use std::collections::BTreeMap;

/// Which visits count: those from `start` on, before `end`; without them, all.
#[derive(Clone, Copy, Debug, Default)]
pub struct FunnelRange {
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeEnd {
    Start,
    End,
}

/// Before and after any entry.
const FIRST: Timestamp = Timestamp(0);
const LAST: Timestamp = Timestamp(253_402_300_800_000_000);

/// How often each move between stages was made; from `None` on creation.
pub type Moves = BTreeMap<(Option<Stage>, Stage), i64>;

/// The funnel, exact at the marks.
#[derive(Debug)]
pub struct Funnel {
    pub now: Timestamp,
    /// The heads of all partitions.
    pub marks: Vec<Mark>,
    /// Every move ever.
    pub all: Moves,
    /// The moves in the range.
    pub in_range: Moves,
    /// What a look at each visit tells; `None` if there are too many, some were pruned, or it wasn't asked for.
    pub visits: Option<Visits>,
    /// This end of the range is in history that was pruned: it can't be told.
    pub pruned: Option<RangeEnd>,
}

/// What the visits of a range tell.
#[derive(Debug, Default)]
pub struct Visits {
    /// Of those that began in it: from where to where they went on, by now.
    pub went_on: BTreeMap<(Stage, Stage), i64>,
    /// Of those that ended in it: how many, and the median and the 90th percentile of how long they took, in microseconds.
    pub times: BTreeMap<Stage, (i64, f64, f64)>,
}

fn stage(code: i32) -> Result<Stage, StoreError> {
    Stage::from_code(code).ok_or_else(|| StoreError::CorruptRow {
        table: "funnel_sums",
        column: "moves",
        row: code.to_string(),
    })
}

impl Store {
    /// Sums up a partition's log, if it has gone on by `step` entries since.
    pub async fn sum_funnel(&self, partition: i32, step: i64) -> Result<bool, StoreError> {
        let sum = sqlx::query_file!("src/store/funnel_step.sql", partition, step, None::<i64>);
        Ok(sum.execute(&self.pool).await?.rows_affected() > 0)
    }

    /// The funnel of an agent or of all. `most`: entries to look at one by one.
    pub async fn funnel(
        &self,
        agent: Option<&AgentId>,
        range: FunnelRange,
        most: Option<i64>,
    ) -> Result<Funnel, StoreError> {
        let extents = self.extents().await?;
        let now = self.clock().now();
        let marks: Vec<Mark> = extents.iter().map(|extent| extent.head).collect();
        let heads: Vec<i64> = marks.iter().map(|mark| mark.position).collect();
        let start = range.start.unwrap_or(FIRST);
        let end = range.end.unwrap_or(LAST);
        let (starts, starts_pruned) = self.positions(&heads, range.start, 0).await?;
        let (ends, ends_pruned) = self.positions(&heads, range.end, i64::MAX).await?;
        let agent = agent.map_or("", AgentId::as_str);
        let (sums, pruned) = self.moves(agent, &[&heads, &starts, &ends]).await?;
        let [all, before, through] = sums;
        let mut in_range = through;
        for (step, count) in before {
            *in_range.entry(step).or_default() -= count;
        }
        let entries: i64 = heads.iter().zip(&starts).map(|(head, start)| head - start).sum();
        let mut visits = match most {
            Some(most) if entries <= most => Some(self.visits(agent, (&starts, &heads), (start, end)).await?),
            _ => None,
        };
        // Asked after the visits were read: a prune may have taken some of them a moment before.
        if visits.is_some() && self.extents().await?.iter().zip(&starts).any(|(now, at)| now.floor.position > *at) {
            visits = None;
        }
        let pruned = match () {
            () if ends_pruned => Some(RangeEnd::End),
            () if starts_pruned || pruned => Some(RangeEnd::Start),
            () => None,
        };
        Ok(Funnel { now, marks, all, in_range, visits, pruned })
    }

    /// The last position of each partition from before a time, and whether that can't be told any more. Without a time
    /// all are `otherwise`, or the head if that is less.
    async fn positions(
        &self,
        heads: &[i64],
        time: Option<Timestamp>,
        otherwise: i64,
    ) -> Result<(Vec<i64>, bool), StoreError> {
        let mut positions: Vec<i64> = heads.iter().map(|head| otherwise.min(*head)).collect();
        let Some(time) = time else { return Ok((positions, false)) };
        let partitions: Vec<i32> = (0..self.partitions).collect();
        let rows = self.repeat(|| {
            sqlx::query_file!("src/store/position_at.sql", &partitions, heads, &[PgTimestamp(time)] as &[PgTimestamp])
                .fetch_all(&self.pool)
        });
        let mut pruned = false;
        for row in rows.await? {
            positions[row.partition as usize] = row.position;
            pruned |= row.pruned;
        }
        Ok((positions, pruned))
    }

    /// The moves up to each of some positions of all partitions, and whether any of that can't be told any more.
    async fn moves<const N: usize>(&self, agent: &str, places: &[&[i64]; N]) -> Result<([Moves; N], bool), StoreError> {
        let partitions: Vec<i32> = (0..N).flat_map(|_| 0..self.partitions).collect();
        let positions: Vec<i64> = places.concat();
        let rows = self.repeat(|| {
            sqlx::query_file!("src/store/funnel_moves.sql", &partitions, &positions, agent).fetch_all(&self.pool)
        });
        let mut moves = [(); N].map(|()| Moves::new());
        let mut pruned = false;
        for row in rows.await? {
            pruned |= row.pruned;
            let Some((step, count)) = row.step.zip(row.count).filter(|(step, _)| *step > 0) else { continue };
            let from = if step / 16 == 0 { None } else { Some(stage(step / 16)?) };
            let place = (row.nth - 1) as usize / self.partitions as usize;
            *moves[place].entry((from, stage(step % 16)?)).or_default() += count;
        }
        Ok((moves, pruned))
    }

    async fn visits(
        &self,
        agent: &str,
        (after, through): (&[i64], &[i64]),
        (start, end): (Timestamp, Timestamp),
    ) -> Result<Visits, StoreError> {
        let partitions: Vec<i32> = (0..self.partitions).collect();
        let rows = self.repeat(|| {
            sqlx::query_file!(
                "src/store/funnel_visits.sql",
                &partitions,
                after,
                through,
                agent,
                PgTimestamp(start) as _,
                PgTimestamp(end) as _,
            )
            .fetch_all(&self.pool)
        });
        let mut visits = Visits::default();
        for row in rows.await? {
            let from = stage(row.from_stage.into())?;
            match (row.to_stage, row.micros.as_deref()) {
                (Some(to), _) if row.begun > 0 => {
                    visits.went_on.insert((from, stage(to.into())?), row.begun);
                }
                (None, Some([median, p90])) if row.ended > 0 => {
                    visits.times.insert(from, (row.ended, *median, *p90));
                }
                _ => (),
            }
        }
        Ok(visits)
    }
}
