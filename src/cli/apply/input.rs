//! The file of calls, as lines: plain or gzip, from a path or from standard input, never more of it in memory than the
//! line at hand.

use flate2::bufread::MultiGzDecoder;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The size of the buffers before and behind the decompression.
const BUFFER_BYTES: usize = 128 * 1024;

/// Bytes of a line that is too long which are kept, to show which one it was.
const SHOWN_BYTES: usize = 1024;

const GZIP: [u8; 2] = [0x1f, 0x8b];

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An opened input.
pub struct Input {
    file: File,
    metadata: Metadata,
}

impl Input {
    /// Opens a path; `-` is standard input.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = if path == Path::new("-") {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            File::open(path)?
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self { file, metadata })
    }

    /// What the system knows of the file.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The size, where it is known beforehand.
    pub fn bytes(&self) -> Option<u64> {
        self.metadata.is_file().then_some(self.metadata.len()).filter(|bytes| *bytes > 0)
    }

    /// The lines. `progress` counts the bytes of the file as they are read. Waits for the first ones.
    pub fn lines(self, line_bytes: usize, progress: Arc<AtomicU64>) -> io::Result<Lines> {
        Lines::of(Counted { inner: self.file, progress }, line_bytes)
    }
}

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    Whole(&'a [u8]),
    /// One over the limit: its beginning.
    TooLong(&'a [u8]),
}

/// Reads line by line.
pub struct Lines {
    reader: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    line_bytes: usize,
    number: u64,
}

impl Lines {
    /// Whether the input is compressed is seen by its first bytes: a name may say anything, standard input has none.
    fn of(mut source: impl Read + Send + 'static, line_bytes: usize) -> io::Result<Self> {
        let mut start = Vec::with_capacity(GZIP.len());
        source.by_ref().take(GZIP.len() as u64).read_to_end(&mut start)?;
        let compressed = start == GZIP;
        let source = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(start).chain(source));
        let reader: Box<dyn BufRead + Send> = if compressed {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(source)))
        } else {
            Box::new(source)
        };
        Ok(Self { reader, buffer: Vec::new(), line_bytes, number: 0 })
    }

    /// The next line and its number, the first being 1; none at the end.
    ///
    /// # Errors
    /// If the input can't be read on. A line that was cut by that is not returned: nobody knows how it went on.
    pub fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.buffer.clear();
        // One byte more for the line's end, or to see that the line goes on.
        let most = self.line_bytes as u64 + 1;
        if self.reader.by_ref().take(most).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.buffer.ends_with(b"\n") {
            self.buffer.pop();
        } else if self.buffer.len() > self.line_bytes {
            self.skip_rest()?;
            return Ok(Some((self.number, Line::TooLong(&self.buffer[..SHOWN_BYTES.min(self.line_bytes)]))));
        }
        let mut line = self.buffer.as_slice();
        if self.number == 1 {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        Ok(Some((self.number, Line::Whole(line))))
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.reader.fill_buf()?;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let skipped = end.map_or(bytes.len(), |end| end + 1);
            let done = end.is_some() || bytes.is_empty();
            self.reader.consume(skipped);
            if done {
                return Ok(());
            }
        }
    }
}

/// Counts what goes through.
struct Counted {
    inner: File,
    progress: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    /// Gives one byte at a time, as a slow pipe may.
    struct Drip(Cursor<Vec<u8>>);

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn all(bytes: &[u8], line_bytes: usize) -> (Vec<String>, Option<io::Error>) {
        let mut lines = Lines::of(Drip(Cursor::new(bytes.to_vec())), line_bytes).expect("its first bytes");
        let mut found = Vec::new();
        loop {
            match lines.next() {
                Ok(Some((_, Line::Whole(line)))) => found.push(String::from_utf8_lossy(line).into_owned()),
                Ok(Some((_, Line::TooLong(line)))) => found.push(format!("{}...", String::from_utf8_lossy(line))),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error)),
            }
        }
    }

    fn lines(bytes: &[u8], line_bytes: usize) -> Vec<String> {
        let (lines, error) = all(bytes, line_bytes);
        assert!(error.is_none(), "{error:?}");
        lines
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    }

    #[test]
    fn lines_end_with_a_newline_or_the_file() {
        assert_eq!(lines(b"", 9), Vec::<String>::new());
        assert_eq!(lines(b"a", 9), ["a"]);
        assert_eq!(lines(b"a\n\nb\n", 9), ["a", "", "b"]);
        assert_eq!(lines(b"\xef\xbb\xbfa\n\xef\xbb\xbfb", 9), ["a", "\u{feff}b"]);
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_and_the_next_is_read() {
        assert_eq!(lines(b"1234\n12345\n1\n", 4), ["1234", "1234...", "1"]);
        assert_eq!(lines(b"1234\n123456789", 4), ["1234", "1234..."]);
        assert_eq!(lines(b"1234", 4), ["1234"]);
    }

    #[test]
    fn gzip_is_known_by_its_first_bytes_and_may_have_members() {
        let mut bytes = gzip(b"a\nb");
        bytes.extend(gzip(b"c\nd\n"));
        assert_eq!(lines(&bytes, 9), ["a", "bc", "d"]);
        assert_eq!(lines(b"\x1f", 9), ["\u{1f}"]);
    }

    #[test]
    fn a_cut_gzip_gives_its_whole_lines_and_then_an_error() {
        let text = (0..1000).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n");
        let bytes = gzip(text.as_bytes());
        let (lines, error) = all(&bytes[..bytes.len() / 2], 99);
        assert_eq!(error.expect("it is cut").kind(), io::ErrorKind::UnexpectedEof);
        assert!(lines.len() > 10 && lines.len() < 1000, "{}", lines.len());
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(*line, format!("line {number}"));
        }
    }
}
