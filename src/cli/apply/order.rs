//! Calls of one lead go one after the other, those of different leads side by side: a lead with a call under way is
//! busy, and its later calls wait here.

use super::call::{Call, Fault};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// One line of the file on its way.
pub struct Item {
    /// Its number in the file, the first being 1.
    pub line: u64,
    /// The line, as it is shown if it is rejected.
    pub text: Box<str>,
    /// Whether `text` is the line itself, not a piece of it or something like it.
    pub exact: bool,
    pub lead: Arc<str>,
    pub call: Result<Call, Fault>,
    /// Whether the `request_id` was made here, and so isn't in the text.
    pub made_id: bool,
    /// Its part of what may be read ahead; given back when the line is done.
    pub room: Option<OwnedSemaphorePermit>,
}

/// The leads that are busy, each with the calls that wait behind the one under way.
#[derive(Default)]
pub struct Busy(Mutex<HashMap<Arc<str>, VecDeque<Item>>>);

impl Busy {
    fn leads(&self) -> MutexGuard<'_, HashMap<Arc<str>, VecDeque<Item>>> {
        // Each change is one operation on the map: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a lead's call is done, and gives its next one if there is one; else the lead is free.
    pub fn done(&self, lead: &str) -> Option<Item> {
        let mut leads = self.leads();
        let next = leads.get_mut(lead)?.pop_front();
        if next.is_none() {
            leads.remove(lead);
        }
        next
    }
}

/// Where lines come in. Once it is dropped and its leads are done, nothing more comes.
pub struct Intake {
    busy: Arc<Busy>,
    ready: mpsc::UnboundedSender<Item>,
}

/// An intake, its busy leads, and where the first call of each lead that was free comes out. How much is in here is
/// bounded by the `room` of the items.
pub fn lanes() -> (Intake, Arc<Busy>, mpsc::UnboundedReceiver<Item>) {
    let busy = Arc::new(Busy::default());
    let (ready, first) = mpsc::unbounded_channel();
    (Intake { busy: Arc::clone(&busy), ready }, busy, first)
}

impl Intake {
    /// Takes a line in. False if nobody waits for it any more.
    pub fn add(&self, item: Item) -> bool {
        let mut leads = self.busy.leads();
        if let Some(waiting) = leads.get_mut(&item.lead) {
            waiting.push_back(item);
            return !self.ready.is_closed();
        }
        leads.insert(Arc::clone(&item.lead), VecDeque::new());
        drop(leads);
        self.ready.send(item).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(line: u64, lead: &str) -> Item {
        let call = Err(Fault::new("TEST", ""));
        Item { line, text: "".into(), exact: true, lead: lead.into(), call, made_id: false, room: None }
    }

    #[test]
    fn a_lead_has_one_call_under_way_and_keeps_its_order() {
        let (intake, busy, mut first) = lanes();
        for (line, lead) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
            assert!(intake.add(item(line, lead)));
        }
        let mut ready = || first.try_recv().ok().map(|item| item.line);
        assert_eq!((ready(), ready(), ready()), (Some(1), Some(3), None));
        let next = |lead| busy.done(lead).map(|item| item.line);
        assert_eq!((next("a"), next("b")), (Some(2), None));
        assert_eq!((next("a"), next("a")), (Some(4), None));
        assert!(busy.leads().is_empty());
    }

    #[test]
    fn a_free_lead_starts_anew() {
        let (intake, busy, mut first) = lanes();
        intake.add(item(1, "a"));
        assert!(first.try_recv().is_ok() && busy.done("a").is_none());
        intake.add(item(2, "a"));
        assert_eq!(first.try_recv().ok().map(|item| item.line), Some(2));
    }

    #[test]
    fn the_end_is_seen_when_the_intake_is_gone() {
        let (intake, _busy, mut first) = lanes();
        intake.add(item(1, "a"));
        drop(intake);
        assert!(first.blocking_recv().is_some());
        assert!(first.blocking_recv().is_none());
    }

    #[test]
    fn what_nobody_waits_for_is_told() {
        let (intake, _busy, first) = lanes();
        drop(first);
        assert!(!intake.add(item(1, "a")));
        assert!(!intake.add(item(2, "a")));
    }
}
