//! Hints between replicas: who has written tells the others, who look then. A hint may be lost: they look anyway.

use crate::store::{Store, StoreError};
use std::time::Duration;
use tokio::sync::Notify;

/// The pause after the database could not be asked.
const PAUSE: Duration = Duration::from_millis(500);

/// What this replica tells and hears.
#[derive(Debug)]
pub(super) struct Hints {
    store: Store,
    /// Tells this replica's hints from others'.
    origin: String,
    /// The least time between two hints.
    interval: Duration,
    written: Notify,
}

impl Hints {
    pub fn new(store: &Store, origin: String, interval: Duration) -> Self {
        Self { store: store.clone(), origin, interval, written: Notify::new() }
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// This replica has written: the others are told soon.
    pub fn written(&self) {
        self.written.notify_one();
    }

    /// Tells the others: in a statement of its own, and not for each write. Never ends.
    pub async fn tell(&self) {
        loop {
            let told: Result<(), StoreError> = async {
                let mut teller = self.store.teller().await?;
                loop {
                    self.written.notified().await;
                    teller.tell(&self.origin).await?;
                    tokio::time::sleep(self.interval).await;
                }
            }
            .await;
            if let Err(error) = told {
                tracing::debug!(%error, "hints can't be told for now");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Hears the others: each time, `heard` is notified. Never ends.
    pub async fn hear(&self, heard: &Notify) {
        loop {
            let ended: Result<(), StoreError> = async {
                let mut listener = self.store.listener().await?;
                loop {
                    let teller = listener.heard().await?;
                    if teller.as_deref() != Some(self.origin.as_str()) {
                        heard.notify_one();
                    }
                }
            }
            .await;
            if let Err(error) = ended {
                tracing::debug!(%error, "hints can't be heard for now, polling goes on");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
