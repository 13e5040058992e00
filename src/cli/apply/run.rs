//! One run: a thread that reads lines, tasks that send them, and what can end both before the file ends.

use super::call::{Fault, Parsed, Parser};
use super::input::{Input, Line};
use super::order::{Busy, Intake, Item, lanes};
use super::rejects::{Problem, RejectFile, Rejected};
use super::report::Report;
use super::send::{Failure, Patience, Sender, Terms};
use crate::cli::signals::Signals;
use crate::record::Recorder;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

/// What a line takes of the read-ahead beside its bytes, about: its request, its lead, its place in the queues.
const ITEM_BYTES: usize = 512;

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub in_flight: usize,
    pub line_bytes: usize,
    pub read_ahead: usize,
    pub patience: Patience,
}

/// What ends a run before the file ends.
#[derive(Debug)]
enum Stop {
    /// A person or the system wants it.
    Signal(u8),
    /// Nothing was answered for as long as a call is tried.
    Unreachable,
    /// A rejected line would be lost.
    Rejects(io::Error),
    /// The history would lack a call.
    Record(io::Error),
}

/// The input can't be read on.
struct ReadError {
    /// The last line that was read whole.
    after: u64,
    error: io::Error,
}

/// How a run ended.
pub struct Ending {
    pub signal: Option<u8>,
    /// Whether every line was read and sent.
    pub complete: bool,
    /// What a person should know beside the summary.
    pub words: Vec<String>,
    pub summary: String,
}

/// Where a run writes.
pub struct Outputs {
    pub rejects: RejectFile,
    /// The history, if one is recorded.
    pub recorder: Option<Arc<Recorder>>,
}

/// What the parts of a run share.
pub struct Run {
    /// The input, as it is called in messages.
    name: String,
    limits: Limits,
    rejects: RejectFile,
    senders: Vec<Sender>,
    report: Arc<Report>,
    /// Nothing new is read or begun.
    stop: CancellationToken,
    why: OnceLock<Stop>,
    /// What is under way isn't tried again.
    give_up: CancellationToken,
}

impl Run {
    pub fn new(name: String, limits: Limits, outputs: Outputs, channels: Vec<Channel>, report: Arc<Report>) -> Self {
        let Outputs { rejects, recorder } = outputs;
        let give_up = CancellationToken::new();
        let patience = limits.patience;
        let terms = Terms { patience, give_up: give_up.clone(), report: Arc::clone(&report), recorder };
        let senders = channels.into_iter().map(|channel| Sender::new(channel, terms.clone())).collect();
        let (stop, why) = (CancellationToken::new(), OnceLock::new());
        Self { name, limits, rejects, senders, report, stop, why, give_up }
    }

    pub fn report(&self) -> &Arc<Report> {
        &self.report
    }

    /// Runs until every line has its answer, or something ends it.
    pub async fn finish(self, input: Input) -> Ending {
        let run = Arc::new(self);
        let force = CancellationToken::new();
        let mut beside = JoinSet::new();
        beside.spawn(Arc::clone(&run.report).show());
        // Heard from before the first line is read: the default would end the program without a summary.
        match Signals::hear() {
            Ok(signals) => drop(beside.spawn(Arc::clone(&run).hear_signals(signals, force.clone()))),
            Err(error) => run.report.say(format_args!("signals can't be heard: {error}")),
        }
        let (intake, busy, first) = lanes();
        let mut reading = run.read_on_a_thread(input, intake);
        tokio::select! {
            () = run.work(&busy, first) => (),
            () = force.cancelled() => (),
        }
        drop(beside);
        // After a stop the reader may wait for input that never comes: what it says then doesn't matter.
        let read = if run.stop.is_cancelled() { reading.try_recv().ok() } else { reading.await.ok() };
        run.ending(read.as_ref())
    }

    fn ending(&self, read: Option<&Result<(), ReadError>>) -> Ending {
        let mut words = Vec::new();
        let Self { name, report, .. } = self;
        if let Some(Err(ReadError { after, error })) = read {
            let why = match error.kind() {
                io::ErrorKind::UnexpectedEof => "it is cut off".to_owned(),
                _ => error.to_string(),
            };
            words.push(format!("can't read {name} on after line {after}: {why}"));
        }
        match self.why.get() {
            None => {}
            Some(Stop::Signal(_)) => {
                words.push(match report.under_way() {
                    0 => "interrupted: not every line was sent".to_owned(),
                    lost => format!("interrupted: not every line was sent, and {lost} calls have no answer"),
                });
            }
            Some(Stop::Unreachable) => words.push(format!(
                "gave up: {} hasn't answered anything for {:.0?}; not every line was sent",
                report.address(),
                report.since_answer()
            )),
            Some(Stop::Rejects(error)) => {
                let path = self.rejects.path().display();
                words.push(format!("stopped: can't write a rejected line to {path}: {error}"));
            }
            Some(Stop::Record(error)) => words.push(format!("stopped: can't record a call (--record): {error}")),
        }
        let signal = match self.why.get() {
            Some(Stop::Signal(number)) => Some(*number),
            _ => None,
        };
        let complete = self.why.get().is_none() && matches!(read, Some(Ok(())));
        Ending { signal, complete, words, summary: report.summary(self.rejects.path()) }
    }

    fn stop(&self, why: Stop) {
        // The first reason counts: others follow from it.
        let _ = self.why.set(why);
        self.stop.cancel();
    }

    /// Reads on a thread of its own: reading may block for ever, and must not keep the program from ending.
    fn read_on_a_thread(self: &Arc<Self>, input: Input, intake: Intake) -> oneshot::Receiver<Result<(), ReadError>> {
        let (told, reading) = oneshot::channel();
        let (run, handle) = (Arc::clone(self), Handle::current());
        thread::spawn(move || {
            let read = run.read(input, &intake, &handle);
            // Told first: once the intake is gone, the end may be looked for.
            let _ = told.send(read);
            drop(intake);
        });
        reading
    }

    fn read(&self, input: Input, intake: &Intake, handle: &Handle) -> Result<(), ReadError> {
        let parser = Parser::new();
        let room = Arc::new(Semaphore::new(self.limits.read_ahead));
        let mut after = 0;
        let lines = input.lines(self.limits.line_bytes, Arc::clone(&self.report.bytes_read));
        let mut lines = lines.map_err(|error| ReadError { after, error })?;
        while let Some((number, line)) = lines.next().map_err(|error| ReadError { after, error })? {
            after = number;
            let Some(mut item) = self.item(&parser, number, &line) else { continue };
            item.room = self.room(&room, item.text.len(), handle);
            if item.room.is_none() {
                break;
            }
            self.report.read();
            if !intake.add(item) {
                break;
            }
        }
        Ok(())
    }

    /// Waits until so much more may be read ahead; none after a stop.
    fn room(&self, room: &Arc<Semaphore>, bytes: usize, handle: &Handle) -> Option<OwnedSemaphorePermit> {
        if self.stop.is_cancelled() {
            return None;
        }
        // A line that is larger than all the room takes all of it.
        let bytes = (bytes + ITEM_BYTES).min(self.limits.read_ahead) as u32;
        if let Ok(permit) = Arc::clone(room).try_acquire_many_owned(bytes) {
            return Some(permit);
        }
        handle.block_on(async {
            tokio::select! {
                permit = Arc::clone(room).acquire_many_owned(bytes) => permit.ok(),
                () = self.stop.cancelled() => None,
            }
        })
    }

    /// A line on its way; none for a blank one.
    fn item(&self, parser: &Parser, number: u64, line: &Line<'_>) -> Option<Item> {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into();
        let (text, exact, parsed): (Box<str>, bool, Parsed) = match *line {
            Line::TooLong(start) => {
                let message = format!("the line is over {} bytes (--line-bytes)", self.limits.line_bytes);
                (lossy(start), false, Parsed::fault(Fault::new("LINE_TOO_LONG", message)))
            }
            Line::Whole(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if text.trim_ascii().is_empty() => return None,
                Ok(text) => (text.into(), true, parser.parse(text)),
                Err(error) => {
                    let message = format!("not UTF-8 at byte {} of the line", error.valid_up_to() + 1);
                    (lossy(bytes), false, Parsed::fault(Fault::new("NOT_UTF8", message)))
                }
            },
        };
        let Parsed { lead, call, made_id } = parsed;
        Some(Item { line: number, text, exact, lead, call, made_id, room: None })
    }

    /// Sends what comes in, until there is nothing more or the run stops; then until what is under way has ended.
    async fn work(self: &Arc<Self>, busy: &Arc<Busy>, mut first: mpsc::UnboundedReceiver<Item>) {
        let slots = Arc::new(Semaphore::new(self.limits.in_flight));
        let mut lanes = JoinSet::new();
        for sender in self.senders.iter().cycle() {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
                Some((slot, first.recv().await?))
            };
            let next = tokio::select! {
                next = next => next,
                () = self.stop.cancelled() => None,
            };
            let Some((slot, item)) = next else { break };
            let (run, busy, sender) = (Arc::clone(self), Arc::clone(busy), sender.clone());
            lanes.spawn(async move {
                run.lane(&busy, item, sender).await;
                drop(slot);
            });
            while let Some(ended) = lanes.try_join_next() {
                pass_panic_on(ended);
            }
        }
        while let Some(ended) = lanes.join_next().await {
            pass_panic_on(ended);
        }
    }

    /// Sends the calls of one lead, one after the other, while there are any.
    async fn lane(&self, busy: &Busy, first: Item, mut sender: Sender) {
        let mut next = Some(first);
        while let Some(item) = next {
            if self.stop.is_cancelled() {
                return;
            }
            self.settle(&item, &mut sender).await;
            next = busy.done(&item.lead);
        }
    }

    /// Gets a line its answer, and keeps it if that is a bad one.
    async fn settle(&self, item: &Item, sender: &mut Sender) {
        let problem = match &item.call {
            Err(fault) => Problem::from(fault),
            Ok(call) => {
                self.report.begun();
                let sent = sender.send(call).await;
                self.report.ended();
                match sent {
                    Ok(done) => return self.report.done(done),
                    Err(Failure::Refused(status)) => Problem::from(&status),
                    Err(Failure::Unanswered(status)) => {
                        self.stop_if_unreachable();
                        Problem::unanswered(&status)
                    }
                    Err(Failure::Unrecorded(error)) => return self.stop(Stop::Record(error)),
                }
            }
        };
        self.report.refused();
        let made_id = item.call.as_ref().ok().filter(|_| item.made_id).map(super::call::Call::request_id);
        let rejected = Rejected { line: item.line, text: &item.text, exact: item.exact, made_id, problem };
        if let Err(error) = self.rejects.add(&rejected) {
            self.stop(Stop::Rejects(error));
        }
    }

    /// A server that answers nobody for as long as one call is tried would take that long again for every call.
    fn stop_if_unreachable(&self) {
        let Patience { attempt, call } = self.limits.patience;
        if self.report.since_answer() >= attempt.max(call) {
            self.stop(Stop::Unreachable);
            self.give_up.cancel();
        }
    }

    /// The first signal stops in order, the second one at once.
    async fn hear_signals(self: Arc<Self>, mut signals: Signals, force: CancellationToken) {
        let number = signals.next().await;
        self.stop(Stop::Signal(number));
        let under_way = self.report.under_way();
        self.report.say(format_args!("stopping: {under_way} calls are under way; Ctrl-C again ends at once"));
        tokio::select! {
            _ = signals.next() => force.cancel(),
            // Each attempt that was under way has ended by now: what is left is tried in vain.
            () = sleep(self.limits.patience.attempt) => self.give_up.cancel(),
        }
        signals.next().await;
        force.cancel();
    }
}

/// A task that panicked has lost a line: a summary after that would be a lie.
fn pass_panic_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
