//! The files of histories, line by line. A last line without its end was cut off when its writer was killed: it is
//! passed over, as nothing was built on it.

use super::VerifyError;
use super::calls::Calls;
use super::fold::Rules;
use super::ground::Ground;
use super::stream::Stream;
use crate::record::Line;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// A history that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("can't read {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{place}: {why}")]
    Line { place: String, why: String },
}

/// Checks what the histories tell, one file after the other. Names of streams are each file's own.
pub async fn check(paths: &[PathBuf], rules: Rules, ground: &mut Ground<'_>) -> Result<(), VerifyError> {
    let mut calls = Calls::default();
    for path in paths {
        let mut streams: HashMap<String, Stream> = HashMap::new();
        let mut history = History::open(path)?;
        while let Some((place, line)) = history.next()? {
            match line {
                Line::Call(exchange) => calls.push(place, exchange, ground).await?,
                Line::Request { stream, request } => {
                    if let Some(known) = streams.get_mut(&stream) {
                        known.ask(&place, request, ground.report);
                    } else {
                        ground.report.counts.streams += 1;
                        streams.insert(stream, Stream::new(request, rules));
                    }
                }
                Line::Response { stream, response } => {
                    let Some(known) = streams.get_mut(&stream) else {
                        let why = format!("stream {stream:?} has a response before its request");
                        return Err(Unread::Line { place, why }.into());
                    };
                    known.tell(&format!("{place}, stream {stream}"), response, ground).await?;
                }
            }
        }
        ground.report.counts.cut_lines += u64::from(history.cut);
    }
    calls.settle(ground).await?;
    if calls.has_suspects() {
        explain(paths, &mut calls)?;
    }
    calls.finish(ground.report);
    Ok(())
}

/// The second look: see [`Calls::explain`].
fn explain(paths: &[PathBuf], calls: &mut Calls) -> Result<(), VerifyError> {
    for path in paths {
        let mut history = History::open(path)?;
        while let Some((_, line)) = history.next()? {
            if let Line::Call(exchange) = line {
                calls.explain(exchange);
            }
        }
    }
    Ok(())
}

/// A file being read.
struct History<'a> {
    path: &'a Path,
    file: BufReader<File>,
    number: u64,
    text: Vec<u8>,
    /// Whether the last line was cut off.
    cut: bool,
}

impl<'a> History<'a> {
    fn open(path: &'a Path) -> Result<Self, Unread> {
        let file = File::open(path).map_err(|error| Unread::File { path: path.into(), error })?;
        Ok(Self { path, file: BufReader::new(file), number: 0, text: Vec::new(), cut: false })
    }

    /// The next line, and where it is.
    fn next(&mut self) -> Result<Option<(String, Line)>, Unread> {
        loop {
            self.text.clear();
            let read = self.file.read_until(b'\n', &mut self.text);
            read.map_err(|error| Unread::File { path: self.path.into(), error })?;
            if self.text.last() != Some(&b'\n') {
                self.cut = !self.text.is_empty();
                return Ok(None);
            }
            self.number += 1;
            let place = format!("{}:{}", self.path.display(), self.number);
            let parsed = match std::str::from_utf8(&self.text) {
                Ok(text) if text.trim_ascii().is_empty() => continue,
                Ok(text) => Line::parse(text),
                Err(error) => Err(error.to_string()),
            };
            return match parsed {
                Ok(line) => Ok(Some((place, line))),
                Err(why) => Err(Unread::Line { place, why }),
            };
        }
    }
}
