//! The cursor file: where a watch goes on after its end, however it ended. It is replaced as a whole, and only after
//! what it stands behind was printed.

use super::density::Phase;
use crate::contract::{Names, json, message};
use crate::proto::WatchFilter;
use prost_reflect::MessageDescriptor;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// The form of the file; another form gets another number.
const VERSION: u32 = 1;

/// Why there is nothing to go on from.
#[derive(Debug)]
pub enum PlaceError {
    /// It can't be read, or isn't a file.
    Unreadable(String),
    /// It isn't what this program writes.
    Damaged(String),
}

/// Where a watch goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub cursor: String,
    /// Whether the cursor is in the middle of a snapshot.
    pub snapshot: bool,
    /// What is covered, partition by partition.
    pub positions: BTreeMap<i32, i64>,
    pub output: Option<Written>,
    /// What is seen, as proto JSON.
    pub filter: String,
    pub include_unchanged: bool,
}

impl Place {
    pub fn phase(&self) -> Phase {
        if self.snapshot { Phase::Snapshot } else { Phase::Live }
    }
}

/// How much of an output file the cursor stands behind.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    pub file: PathBuf,
    pub bytes: u64,
}

/// The file as it is written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    cursor: String,
    snapshot: bool,
    positions: BTreeMap<i32, i64>,
    filter: Box<RawValue>,
    include_unchanged: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Written>,
}

/// A cursor file.
pub struct PlaceFile {
    path: PathBuf,
    saved: Option<Place>,
}

impl PlaceFile {
    /// Opens it; it need not be there.
    pub fn open(path: &Path) -> Result<Self, PlaceError> {
        // Through a link, so that the link stays and what it names is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let shown = path.display();
        let saved = match fs::metadata(&path) {
            Ok(found) if !found.is_file() => {
                return Err(PlaceError::Unreadable(format!("--cursor-file {shown} isn't a file")));
            }
            Ok(_) => Some(read(&path)?),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if !folder(&path).is_dir() {
                    let folder = folder(&path).display();
                    return Err(PlaceError::Unreadable(format!("--cursor-file {shown}: there is no folder {folder}")));
                }
                None
            }
            Err(error) => return Err(PlaceError::Unreadable(format!("can't read --cursor-file {shown}: {error}"))),
        };
        Ok(Self { path, saved })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn saved(&self) -> Option<&Place> {
        self.saved.as_ref()
    }

    /// Replaces the file in one step that is on disk afterwards: at every moment it is the old one or the new one.
    pub fn save(&mut self, place: Place) -> io::Result<()> {
        if self.saved.as_ref() == Some(&place) {
            return Ok(());
        }
        let mut beside = self.path.clone().into_os_string();
        beside.push(".tmp");
        let mut file = File::create(&beside)?;
        file.write_all(&content(&place))?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        File::open(folder(&self.path))?.sync_all()?;
        self.saved = Some(place);
        Ok(())
    }
}

/// A filter in the form of the file.
pub fn filter_json(filter: &WatchFilter) -> String {
    let descriptor: MessageDescriptor = message("WatchFilter");
    json(&descriptor, filter, Names::Json).get().to_owned()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

fn content(place: &Place) -> Vec<u8> {
    let filter = RawValue::from_string(place.filter.clone()).unwrap_or_else(|_| RawValue::NULL.to_owned());
    let content = Content {
        version: VERSION,
        cursor: place.cursor.clone(),
        snapshot: place.snapshot,
        positions: place.positions.clone(),
        filter,
        include_unchanged: place.include_unchanged,
        output: place.output.clone(),
    };
    let mut text = serde_json::to_vec(&content).expect("texts and numbers have a JSON form");
    text.push(b'\n');
    text
}

/// What every form of the file has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

fn read(path: &Path) -> Result<Place, PlaceError> {
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(damaged(path, "it isn't UTF-8")),
        Err(error) => return Err(PlaceError::Unreadable(format!("can't read --cursor-file {shown}: {error}"))),
    };
    let versioned: Versioned = serde_json::from_str(&text).map_err(|error| damaged(path, &error.to_string()))?;
    if versioned.version != VERSION {
        let version = versioned.version;
        let what = format!("it has the form {version}, and this program knows the form {VERSION}");
        return Err(damaged(path, &what));
    }
    let content: Content = serde_json::from_str(&text).map_err(|error| damaged(path, &error.to_string()))?;
    if content.cursor.is_empty() {
        return Err(damaged(path, "its cursor is empty"));
    }
    Ok(Place {
        cursor: content.cursor,
        snapshot: content.snapshot,
        positions: content.positions,
        output: content.output,
        filter: content.filter.get().to_owned(),
        include_unchanged: content.include_unchanged,
    })
}

fn damaged(path: &Path, what: &str) -> PlaceError {
    let shown = path.display();
    PlaceError::Damaged(format!(
        "the cursor file {shown} is damaged or none of this program: {what}. Bring it back from a copy, or remove it \
         and choose by --from where to start anew"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            cursor: "AQg".into(),
            snapshot: true,
            positions: BTreeMap::from([(0, 5), (11, 7)]),
            output: Some(Written { file: "/a".into(), bytes: 9 }),
            filter: r#"{"agentIds":["anna"]}"#.into(),
            include_unchanged: false,
        }
    }

    #[test]
    fn what_was_saved_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cursor");
        let mut file = PlaceFile::open(&path).expect("it need not be there");
        assert_eq!(file.saved(), None);
        file.save(place()).expect("saved");
        assert_eq!(PlaceFile::open(&path).expect("a file").saved(), Some(&place()));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("cursor"), folder.path().join("link"));
        PlaceFile::open(&path).expect("none yet").save(place()).expect("saved");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        PlaceFile::open(&link).expect("a file").save(Place { snapshot: false, ..place() }).expect("saved");
        assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
        assert!(!PlaceFile::open(&path).expect("a file").saved().expect("a place").snapshot);
    }

    #[test]
    fn a_damaged_file_is_told_from_an_unreadable_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cursor");
        PlaceFile::open(&path).expect("none yet").save(place()).expect("saved");
        let whole = fs::read(&path).expect("its bytes");
        let newer = String::from_utf8_lossy(&whole).replace("\"version\":1", "\"version\":2");
        let texts = [&whole[..whole.len() / 2], b"", b"\xff", b"{}", b"[1]", newer.as_bytes()];
        for text in texts {
            fs::write(&path, text).expect("written");
            let opened = PlaceFile::open(&path).err();
            assert!(matches!(opened, Some(PlaceError::Damaged(_))), "{opened:?}");
        }
        for path in ["/dev/null", "/", "/none/of/this"] {
            let opened = PlaceFile::open(Path::new(path)).err();
            assert!(matches!(opened, Some(PlaceError::Unreadable(_))), "{path}: {opened:?}");
        }
    }
}
