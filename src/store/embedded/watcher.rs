//! Looks after a running Postgres: starts it again when it dies, stops it when asked, keeps its log short.

use std::time::Duration;

use tokio::{
    sync::{oneshot, watch},
    time::{MissedTickBehavior, interval, sleep},
};

use super::{cluster::Cluster, error::EmbeddedError};

/// How often the log's size is looked at.
const LOG_LOOK: Duration = Duration::from_mins(1);
/// Before the second attempt to start it again; doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Runs until asked to stop, or until nobody is left who could ask. Both stop Postgres.
pub(super) async fn watch(
    mut cluster: Cluster,
    running: watch::Sender<Option<u32>>,
    mut stop: oneshot::Receiver<()>,
) -> Result<(), EmbeddedError> {
    let mut log_look = interval(LOG_LOOK);
    log_look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => break,
            () = cluster.gone() => {
                tracing::error!("Postgres died: starting it again");
                running.send_replace(None);
                tokio::select! {
                    biased;
                    // Dropping the start half-way is safe: the cluster knows of its process from the first moment.
                    _ = &mut stop => break,
                    pid = start_again(&mut cluster) => {
                        tracing::info!(pid, "Postgres accepts connections again");
                        running.send_replace(Some(pid));
                    }
                }
            }
            _ = log_look.tick() => cluster.trim_log(),
        }
    }
    running.send_replace(None);
    cluster.shut_down().await
}

/// Tries until it runs: a full disk is cleared some day, and the server can do nothing without its database.
async fn start_again(cluster: &mut Cluster) -> u32 {
    let mut pause = FIRST_PAUSE;
    loop {
        match cluster.launch().await {
            Ok(pid) => return pid,
            Err(error) => tracing::error!(%error, "Postgres can't be started again; trying on"),
        }
        if let Err(error) = cluster.shut_down().await {
            tracing::error!(%error, "a start that failed can't be stopped");
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
