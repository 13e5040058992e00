//! Restarts and kills in turn under load, a hundred of them; and lost history, more of it.

use super::figures::say;
use crate::faults::lost_history::{self, Loss, Writer, lose_history};
use crate::faults::rolling_restart::{Scale, roll};
use std::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_rolling_restarts_with_fifty_kills() {
    let began = Instant::now();
    roll(Scale { leads: 64, restarts: 100, kill_each: Some(2), changes: 500 }).await;
    say(format_args!(
        "50 orderly restarts and 50 kills under load in {:.0} s: nothing lost, nothing twice",
        began.elapsed().as_secs_f64()
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_lost_history() {
    for loss in [Loss::Restore, Loss::Failover] {
        for writer in [Writer::WroteIt, Writer::CameLater] {
            for anew in [300, 3_000] {
                let scale = lost_history::Scale { leads: 200, kept: 2_000, lost: 1_000, anew };
                lose_history(loss, scale, writer).await;
                say(format_args!("{loss:?}, {writer:?}: 1,000 changes lost, {anew} others written: told"));
            }
        }
    }
}
