//! What is done with each response, in an order that loses nothing: recorded, checked, printed, and only then the
//! cursor is written.

use super::density::{Density, Phase};
use super::ending::Ending;
use super::output::Output;
use super::place::{Place, PlaceFile};
use super::record::Record;
use super::show::Printer;
use crate::cli::say::say;
use crate::proto::{Notice, WatchStageChangesRequest, WatchStageChangesResponse};
use indicatif::HumanCount;
use std::io::{self, ErrorKind};

/// What the watch is to see before it ends by itself.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    pub caught_up: bool,
    /// So many lines.
    pub count: Option<u64>,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub changes: u64,
    pub leads: u64,
    /// Changes and leads that came with the last one that was to be printed, and weren't.
    pub unprinted: u64,
}

impl Seen {
    const fn lines(self) -> u64 {
        self.changes + self.leads
    }
}

/// Takes responses.
pub struct Sink {
    pub density: Density,
    pub printer: Printer,
    pub output: Output,
    pub place: Option<PlaceFile>,
    pub record: Option<Record>,
    pub until: Until,
    pub seen: Seen,
    /// The filter that is asked for, as proto JSON, and whether unchanged leads are.
    pub filter: String,
    pub include_unchanged: bool,
}

impl Sink {
    /// A stream is about to begin.
    pub fn begin(&mut self, request: &WatchStageChangesRequest) -> Result<(), Ending> {
        self.density.begin();
        let Some(record) = &self.record else { return Ok(()) };
        record.request(request).map_err(|error| cant_record(record, &error))
    }

    /// Takes a response. When it returns, all that the response brought is out, and the cursor is on disk.
    ///
    /// # Errors
    /// If the watch ends with it.
    pub fn take(&mut self, response: &WatchStageChangesResponse) -> Result<(), Ending> {
        if let Some(record) = &self.record {
            record.response(response).map_err(|error| cant_record(record, &error))?;
        }
        self.density.check(response).map_err(Ending::Violation)?;
        self.print(response)?;
        self.save(response)?;
        self.tell(response);
        let enough = self.until.count.is_some_and(|count| self.seen.lines() >= count);
        // A snapshot that is under way isn't caught up, however quiet it is beside it.
        let caught_up = self.until.caught_up && response.notice() == Notice::CaughtUp;
        if enough || (caught_up && self.density.phase() != Phase::Snapshot) {
            return Err(Ending::Done);
        }
        Ok(())
    }

    fn print(&mut self, response: &WatchStageChangesResponse) -> Result<(), Ending> {
        // A cursor stands behind whole responses, so where there is one, the last response is printed whole too.
        let room = match self.until.count {
            Some(count) if self.place.is_none() => count.saturating_sub(self.seen.lines()),
            _ => u64::MAX,
        };
        let lines = (response.changes.len() + response.leads.len()) as u64;
        self.seen.unprinted = lines.saturating_sub(room);
        let mut text = String::new();
        for change in response.changes.iter().take(room as usize) {
            self.printer.change(change, &mut text);
            self.seen.changes += 1;
        }
        let room = (room as usize).saturating_sub(response.changes.len());
        for lead in response.leads.iter().take(room) {
            self.printer.lead(lead, &mut text);
            self.seen.leads += 1;
        }
        self.output.write(&text).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Ending::Unread,
            _ => Ending::Failed(format!("can't write the output: {error}")),
        })
    }

    fn save(&mut self, response: &WatchStageChangesResponse) -> Result<(), Ending> {
        let Some(file) = &mut self.place else { return Ok(()) };
        let ranges = self.density.ranges();
        let place = Place {
            cursor: response.cursor.clone(),
            snapshot: self.density.phase() == Phase::Snapshot,
            positions: ranges.iter().map(|(partition, range)| (*partition, range.through)).collect(),
            output: self.output.written(),
            filter: self.filter.clone(),
            include_unchanged: self.include_unchanged,
        };
        let saved = file.save(place);
        saved.map_err(|error| Ending::Failed(format!("can't write --cursor-file {}: {error}", file.path().display())))
    }

    fn tell(&self, response: &WatchStageChangesResponse) {
        match response.notice() {
            // The end of a stream tells of going away itself.
            Notice::Unspecified | Notice::GoingAway => (),
            Notice::CaughtUp => say("caught up: what follows is live"),
            Notice::FellBehind => {
                let behind = HumanCount(response.behind.max(0) as u64);
                say(format_args!("fell behind by {behind} positions: reading on from the log; nothing is lost"));
            }
            Notice::SnapshotComplete => {
                let (leads, s) = (HumanCount(self.seen.leads), if self.seen.leads == 1 { "" } else { "s" });
                say(format_args!("the snapshot is complete, with {leads} lead{s} since this start"));
            }
        }
    }
}

fn cant_record(record: &Record, error: &io::Error) -> Ending {
    Ending::Failed(format!("can't write --record {}: {error}", record.path().display()))
}
