//! Sums up the log for the funnel, beside the writes: they don't pay for it.

use super::TimerSettings;
use crate::store::Store;

/// Sums up what has come, again and again.
pub(super) async fn run(store: Store, settings: TimerSettings) {
    let mut tick = tokio::time::interval(settings.interval);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for partition in 0..store.partitions() {
            // Far behind, it goes on at once.
            while let Ok(true) = store
                .sum_funnel(partition, settings.funnel_step)
                .await
                .inspect_err(|error| tracing::debug!(partition, %error, "summing up the funnel failed"))
            {}
        }
    }
}
