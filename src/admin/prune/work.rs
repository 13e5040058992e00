//! The work of a prune, one short statement after the other: it may be stopped between any two.

use super::PruneError;
use super::plan::{Done, Plan};
use crate::domain::Timestamp;
use crate::store::{Pruner, Stretch, Weight};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};

/// Entries that are summed up for the funnel in one statement, about.
const SUMMED: i64 = 100_000;

/// Whether a person or the system wants an end.
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// The first signal ends the work after the statement under way; the second one ends the program.
    pub fn on_signals() -> Self {
        let stop = Self(Arc::default());
        let told = Arc::clone(&stop.0);
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            // A signal that isn't heard ends the program at once, which is safe too.
            return stop;
        };
        tokio::spawn(async move {
            loop {
                let kind = tokio::select! {
                    _ = interrupt.recv() => SignalKind::interrupt(),
                    _ = terminate.recv() => SignalKind::terminate(),
                };
                let number = kind.as_raw_value() as u8;
                if told.swap(number, Ordering::Relaxed) != 0 {
                    exit(128 + i32::from(number));
                }
                eprintln!("lead-pipeline: stopping after this statement; Ctrl-C again ends at once");
            }
        });
        stop
    }

    fn check(&self) -> Result<(), PruneError> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            number => Err(PruneError::Signal(number)),
        }
    }
}

/// A prune at work.
pub struct Work {
    pub pruner: Pruner,
    /// Entries that one statement works on.
    pub chunk: i64,
    pub stop: Stop,
}

impl Work {
    /// Looks what is from before a time. Changes nothing.
    pub async fn plan(&mut self, before: Timestamp) -> Result<Plan, PruneError> {
        let stretches = self.pruner.stretches(before).await?;
        let bar = bar("counted", stretches.iter().map(|stretch| stretch.through - stretch.floor).sum());
        let mut parts = Vec::with_capacity(stretches.len());
        for stretch in stretches {
            parts.push((stretch, self.weigh(stretch, &bar).await?));
        }
        bar.finish_and_clear();
        Ok(Plan { before, parts })
    }

    async fn weigh(&mut self, stretch: Stretch, bar: &ProgressBar) -> Result<Weight, PruneError> {
        let mut total = Weight::default();
        let mut floor = stretch.floor;
        while floor < stretch.through {
            self.stop.check()?;
            let through = (floor + self.chunk).min(stretch.through);
            total = total + self.pruner.weigh(Stretch { floor, through, ..stretch }).await?;
            bar.inc(through.abs_diff(floor));
            floor = through;
        }
        Ok(total)
    }

    /// Does what the plan says; returns what was done, and why not all of it.
    pub async fn prune(&mut self, plan: &Plan) -> (Done, Result<(), PruneError>) {
        let began = Instant::now();
        let bar = bar("pruned", plan.total().entries);
        let mut result = Ok(());
        for (stretch, _) in &plan.parts {
            result = self.prune_stretch(*stretch, &bar).await;
            if result.is_err() {
                break;
            }
        }
        let entries = bar.position() as i64;
        bar.finish_and_clear();
        (Done { entries, seconds: began.elapsed().as_secs_f64(), complete: result.is_ok() }, result)
    }

    /// Sums up the funnel through the end of a stretch, which is about to go.
    async fn sum_funnel(&mut self, stretch: Stretch) -> Result<(), PruneError> {
        let Stretch { partition, floor, through } = stretch;
        // The server has summed nearly all of it; if it hasn't, no statement takes long.
        let mut position = floor + SUMMED;
        while position < through {
            self.stop.check()?;
            self.pruner.sum_funnel(partition, position, SUMMED).await?;
            position += SUMMED;
        }
        self.stop.check()?;
        self.pruner.sum_funnel(partition, through, 1).await?;
        Ok(())
    }

    async fn prune_stretch(&mut self, stretch: Stretch, bar: &ProgressBar) -> Result<(), PruneError> {
        let mut floor = stretch.floor;
        if floor < stretch.through {
            self.sum_funnel(stretch).await?;
        }
        while floor < stretch.through {
            self.stop.check()?;
            let pruned = self.pruner.prune(stretch, self.chunk).await?;
            if pruned.entries == 0 && pruned.floor < stretch.through {
                return Err(PruneError::Hole { partition: stretch.partition, floor: pruned.floor });
            }
            bar.inc(pruned.entries.unsigned_abs());
            floor = pruned.floor;
        }
        Ok(())
    }
}

/// A bar on standard error, if that is a terminal; it counts in any case.
fn bar(what: &str, entries: i64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(entries.unsigned_abs()), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{bar:40} {percent:>3}%  {human_pos} entries {msg}, {per_sec}, {eta} to go");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what.to_owned())
}
