//! The journal of a run: a line for every result as it comes, so that a run that was stopped can
//! go on. Each line carries a checksum; a damaged one is a case that runs again.

use crate::plan::Profile;
use crate::result::CaseResult;
use crate::rng::hash;
use crate::shard::Facts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What results may be taken from an earlier run for: the same of everything here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// What picks the device.
    pub device: String,
    /// The driver's name for it.
    pub name: String,
    /// Driver and version.
    pub driver: String,
    /// This library's version.
    pub version: String,
    /// The executable: its size and time of change.
    pub build: String,
    /// The profile.
    pub profile: Profile,
}

impl Key {
    /// The key of a run.
    pub fn new(facts: &Facts, profile: Profile, exe: &Path) -> Key {
        let build = fs::metadata(exe).map_or(String::new(), |m| {
            let changed = m
                .modified()
                .ok()
                .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            format!("{}-{}", m.len(), changed.map_or(0, |d| d.as_millis()))
        });
        Key {
            device: facts.id.clone(),
            name: facts.name.clone(),
            driver: facts.driver.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            build,
            profile,
        }
    }
}

/// An open journal.
pub struct Journal<W: Write> {
    out: W,
}

/// The file of a device's journal.
pub fn path(folder: &Path, device: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    folder.join(format!(
        "journal-{}.jsonl",
        device.chars().map(plain).collect::<String>()
    ))
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub struct Earlier {
    /// Results by case id.
    pub results: BTreeMap<String, CaseResult>,
    /// Lines that could not be used.
    pub damaged: usize,
    /// Why nothing was taken, if the journal is another run's.
    pub foreign: bool,
}

/// Reads a journal. One that is absent, or another device's, driver's or build's, gives nothing.
///
/// # Errors
/// Where the file is there and cannot be read.
pub fn read(file: &Path, key: &Key) -> io::Result<Earlier> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Earlier::default()),
        Err(e) => return Err(e),
    };
    let mut lines = bytes.split(|&b| b == b'\n').filter(|l| !l.is_empty());
    let mut earlier = Earlier::default();
    let header: Option<Key> = lines.next().and_then(unseal);
    if header.as_ref() != Some(key) {
        earlier.foreign = !bytes.is_empty();
        return Ok(earlier);
    }
    for line in lines {
        match unseal::<CaseResult>(line) {
            Some(result) => {
                earlier.results.insert(result.id.clone(), result);
            }
            None => earlier.damaged += 1,
        }
    }
    Ok(earlier)
}

impl Journal<File> {
    /// Starts a journal with what was taken from an earlier one. The file appears whole or not at
    /// all.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn create(file: &Path, key: &Key, earlier: &Earlier) -> io::Result<Journal<File>> {
        let fresh = file.with_extension("new");
        let mut journal = Journal::begin(File::create(&fresh)?, key)?;
        for result in earlier.results.values() {
            journal.add(result)?;
        }
        fs::rename(&fresh, file)?;
        Ok(journal)
    }
}

impl<W: Write> Journal<W> {
    fn begin(mut out: W, key: &Key) -> io::Result<Journal<W>> {
        seal(&mut out, key)?;
        Ok(Journal { out })
    }

    /// Adds a result.
    ///
    /// # Errors
    /// Where it cannot be written: the disk is full.
    pub fn add(&mut self, result: &CaseResult) -> io::Result<()> {
        seal(&mut self.out, result)
    }
}

/// Writes a line: checksum, space, JSON.
fn seal<T: Serialize>(out: &mut impl Write, value: &T) -> io::Result<()> {
    let json = serde_json::to_string(value)?;
    let line = format!("{:016x} {json}\n", hash(json.as_bytes()));
    out.write_all(line.as_bytes())?;
    out.flush()
}

fn unseal<T: for<'a> Deserialize<'a>>(line: &[u8]) -> Option<T> {
    let (sum, json) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let whole = u64::from_str_radix(sum, 16).ok()? == hash(json.as_bytes());
    whole.then(|| serde_json::from_str(json).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;

    fn key(driver: &str) -> Key {
        Key {
            device: "cpu".into(),
            name: "cpu".into(),
            driver: driver.into(),
            version: "1".into(),
            build: "b".into(),
            profile: Profile::Smoke,
        }
    }

    fn result(n: usize) -> CaseResult {
        CaseResult::new(&Case::parse(&format!("add/f32/{n}/contiguous/random/s1")).unwrap())
    }

    #[test]
    fn results_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = path(folder.path(), "opencl:0");
        let earlier = read(&file, &key("a")).unwrap();
        let mut journal = Journal::create(&file, &key("a"), &earlier).unwrap();
        for n in 1..=3 {
            journal.add(&result(n)).unwrap();
        }
        let earlier = read(&file, &key("a")).unwrap();
        assert_eq!((earlier.results.len(), earlier.damaged), (3, 0));
        let other = read(&file, &key("b")).unwrap();
        assert!(other.results.is_empty() && other.foreign);
    }

    #[test]
    fn a_damaged_line_is_a_case_to_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = path(folder.path(), "cpu");
        let mut journal = Journal::create(&file, &key("a"), &Earlier::default()).unwrap();
        for n in 1..=3 {
            journal.add(&result(n)).unwrap();
        }
        let mut bytes = fs::read(&file).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        bytes.truncate(bytes.len() - 5);
        fs::write(&file, &bytes).unwrap();
        let earlier = read(&file, &key("a")).unwrap();
        assert_eq!((earlier.results.len(), earlier.damaged), (1, 2));
        // The damage is not carried on.
        let mut journal = Journal::create(&file, &key("a"), &earlier).unwrap();
        journal.add(&result(9)).unwrap();
        let earlier = read(&file, &key("a")).unwrap();
        assert_eq!((earlier.results.len(), earlier.damaged), (2, 0));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                if self.0 < buf.len() {
                    return Err(io::Error::from(io::ErrorKind::StorageFull));
                }
                self.0 -= buf.len();
                Ok(buf.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut journal = Journal::begin(Full(600), &key("a")).unwrap();
        let full = (0..9).find_map(|n| journal.add(&result(n)).err()).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }
}
