//! A restore of an older base backup takes changes away that were acknowledged and streamed.

use super::lost_history::{Loss, Scale, Writer, lose_history};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_with_fewer_changes_on_top_is_told() {
    for writer in [Writer::WroteIt, Writer::CameLater] {
        lose_history(Loss::Restore, Scale { leads: 6, kept: 10, lost: 8, anew: 3 }, writer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_with_more_changes_on_top_is_told() {
    for writer in [Writer::WroteIt, Writer::CameLater] {
        lose_history(Loss::Restore, Scale { leads: 6, kept: 10, lost: 8, anew: 20 }, writer).await;
    }
}
