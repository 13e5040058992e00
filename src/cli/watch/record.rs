//! The history of a watch, in the form that `lead-pipeline verify` reads: under a name that holds what one stream was
//! told. A watch that was killed may have recorded more than its cursor stands behind; it goes on under another name then,
//! since what comes again isn't the stream's fault.

use crate::proto::{WatchStageChangesRequest, WatchStageChangesResponse};
use crate::record::Recorder;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// As much of a line as tells how far a stream is.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    cursor: Cow<'a, str>,
}

/// A file that a stream's history is added to.
pub struct Record {
    recorder: Recorder,
    path: PathBuf,
    stream: String,
}

impl Record {
    /// Opens the file behind what is there. `after` is the cursor that the watch goes on after.
    pub fn open(path: &Path, name: &str, after: Option<&str>) -> io::Result<Self> {
        let recorder = Recorder::append(path)?;
        let stream = stream_name(path, name, after)?;
        Ok(Self { recorder, path: path.to_owned(), stream })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn request(&self, request: &WatchStageChangesRequest) -> io::Result<()> {
        self.recorder.request(&self.stream, request)
    }

    pub fn response(&self, response: &WatchStageChangesResponse) -> io::Result<()> {
        self.recorder.response(&self.stream, response)
    }
}

/// The name for what follows: that of a stream of ours which ended at this cursor, or one that the file doesn't have.
fn stream_name(path: &Path, name: &str, after: Option<&str>) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Ok(name.to_owned());
    }
    let numbered = format!("{name}#");
    let mut lasts: HashMap<String, Option<String>> = HashMap::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        // Lines of others are none of ours, whatever is in them.
        let Ok(Line { stream: Some(stream), response }) = serde_json::from_str(&line) else { continue };
        if stream == name || stream.starts_with(&numbered) {
            lasts.insert(stream.into_owned(), response.map(|response| response.cursor.into_owned()));
        }
    }
    let ended_here = lasts.iter().find(|(_, last)| last.is_some() && last.as_deref() == after);
    Ok(match ended_here {
        Some((stream, _)) => stream.clone(),
        None if lasts.is_empty() => name.to_owned(),
        None => format!("{numbered}{}", lasts.len() + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_what_one_stream_was_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history");
        let told = |after, cursor: &str| {
            let record = Record::open(&path, "w", after).expect("opened");
            record.request(&WatchStageChangesRequest::default()).expect("added");
            record.response(&WatchStageChangesResponse { cursor: cursor.into(), ..Default::default() }).expect("added");
            record.stream
        };
        assert_eq!(told(None, "a"), "w");
        assert_eq!(told(Some("a"), "b"), "w", "it goes on where it ended");
        assert_eq!(told(Some("a"), "b2"), "w#2", "what came after the cursor comes again");
        assert_eq!(told(Some("b2"), "c"), "w#2");
        assert_eq!(told(None, "d"), "w#3", "another beginning is another stream");
        assert_eq!(Record::open(&path, "other", None).expect("opened").stream, "other");
    }
}
