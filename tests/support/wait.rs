//! Waiting for events, with an end: a test that would hang fails with what it waited for.

use std::future::Future;
use std::time::Duration;

/// No event that a test waits for takes so long, on however busy a machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Between two looks at something that can't tell when it changes.
const LOOK: Duration = Duration::from_millis(5);

/// Waits for a future.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Looks until there is something, for events that nobody tells of: the state of another process, say.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    })
    .await
}

/// The moment between two looks, for tasks: what a task awaits must be `Send`, which a look can't promise.
pub async fn until_the_next_look() {
    tokio::time::sleep(LOOK).await;
}
