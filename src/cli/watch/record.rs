//! The history of a stream: every request and every response as it came, a JSON object a line. For those who want to
//! check offline what a watch was promised and what it got.

use crate::cli::contract::{json, message};
use crate::proto::{WatchStageChangesRequest, WatchStageChangesResponse};
use prost_reflect::MessageDescriptor;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Event {
    Request(Box<RawValue>),
    Response(Box<RawValue>),
}

#[derive(Serialize)]
struct Line<'a> {
    stream: &'a str,
    #[serde(flatten)]
    event: Event,
}

/// A file that a stream's history is added to.
pub struct Record {
    file: File,
    path: PathBuf,
    stream: String,
    request: MessageDescriptor,
    response: MessageDescriptor,
}

impl Record {
    /// Opens the file behind what is there.
    pub fn open(path: &Path, stream: String) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        if cut_off(&mut file)? {
            // A line that a killed watch didn't finish must not spoil the next one.
            file.write_all(b"\n")?;
        }
        let (request, response) = (message("WatchStageChangesRequest"), message("WatchStageChangesResponse"));
        Ok(Self { file, path: path.to_owned(), stream, request, response })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn request(&mut self, request: &WatchStageChangesRequest) -> io::Result<()> {
        let request = json(&self.request, request);
        self.add(Event::Request(request))
    }

    pub fn response(&mut self, response: &WatchStageChangesResponse) -> io::Result<()> {
        let response = json(&self.response, response);
        self.add(Event::Response(response))
    }

    fn add(&mut self, event: Event) -> io::Result<()> {
        let mut text = serde_json::to_vec(&Line { stream: &self.stream, event })?;
        text.push(b'\n');
        self.file.write_all(&text)
    }
}

/// Whether the last line has no end. A pipe has none to look at.
fn cut_off(file: &mut File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history");
        std::fs::write(&path, "{\"stream\":").expect("a file");
        let mut record = Record::open(&path, "w".into()).expect("opened");
        record.request(&WatchStageChangesRequest { include_unchanged: true, ..Default::default() }).expect("added");
        let response = WatchStageChangesResponse { cursor: "AQ".into(), behind: 3, ..Default::default() };
        record.response(&response).expect("added");
        let text = std::fs::read_to_string(&path).expect("the file");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], r#"{"stream":"w","request":{"includeUnchanged":true}}"#);
        assert_eq!(lines[2], r#"{"stream":"w","response":{"cursor":"AQ","behind":"3"}}"#);
    }
}
