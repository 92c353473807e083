//! What a run leaves: `report.json`, `report.xml` (JUnit) and `report.html`.
//!
//! A file appears whole or not at all: it is written beside its place and then moved. Reports of
//! an earlier run are removed before a run starts, so that none can be taken for this one's.

pub mod baseline;
mod html;
mod junit;
pub mod numerics;

use crate::plan::Profile;
use crate::result::{CaseResult, Status};
use crate::runner::Run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A whole report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// This library's version.
    pub version: String,
    /// When the run ended, in UTC, as `2026-01-31T12:34:56Z`.
    pub date: String,
    /// The machine's operating system and architecture.
    pub host: String,
    /// Which cases were asked for.
    pub profile: Profile,
    /// The filter, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// False where a device did not run every case: `missing` says why.
    pub complete: bool,
    /// Devices that were not to be had, and why.
    #[serde(default)]
    pub absent: Vec<String>,
    /// A part for each device.
    pub devices: Vec<Device>,
}

/// A device's part of a report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Device {
    /// The driver's name for it.
    pub name: String,
    /// Driver name and version.
    pub driver: String,
    /// What picks it.
    #[serde(default)]
    pub id: String,
    /// What it can do, in words.
    #[serde(default)]
    pub caps: Vec<(String, String)>,
    /// Whether f32 denormals survive; where not, flushed results were accepted too.
    #[serde(default)]
    pub denormals_f32: bool,
    /// Cases by status.
    pub totals: Totals,
    /// Cases taken from an earlier run.
    #[serde(default)]
    pub resumed: usize,
    /// What keeps the run from being whole; empty if it is.
    #[serde(default)]
    pub missing: Vec<String>,
    /// How long it took, in seconds.
    #[serde(default)]
    pub seconds: f64,
    /// Every case.
    pub cases: Vec<Entry>,
}

/// A case in a report: its result, and how to run it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The result.
    #[serde(flatten)]
    pub result: CaseResult,
    /// The command that runs this case alone.
    pub repro: String,
}

/// Cases by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    pub crashed: usize,
    pub hung: usize,
    pub unsupported: usize,
    pub mistrusted: usize,
}

impl Totals {
    /// Counts results.
    pub fn of<'a>(results: impl IntoIterator<Item = &'a CaseResult>) -> Totals {
        let mut totals = Totals::default();
        for result in results {
            *totals.slot(result.status) += 1;
        }
        totals
    }

    fn slot(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Passed => &mut self.passed,
            Status::Failed => &mut self.failed,
            Status::Crashed => &mut self.crashed,
            Status::Hung => &mut self.hung,
            Status::Unsupported => &mut self.unsupported,
            Status::Mistrusted => &mut self.mistrusted,
        }
    }

    /// The number of one status.
    pub fn get(&self, status: Status) -> usize {
        let mut copy = *self;
        *copy.slot(status)
    }

    /// All of them.
    pub fn all(&self) -> usize {
        Status::ALL.iter().map(|&s| self.get(s)).sum()
    }
}

impl Device {
    /// A device's part.
    pub fn of(run: Run) -> Device {
        let facts = run.facts;
        let plugin = run.plugin.as_ref();
        let plugin = plugin.map_or(String::new(), |p| format!("--plugin '{}' ", p.display()));
        let repro = |id: &str| {
            format!(
                "suanzi conform {plugin}--device '{}' --filter '{id}'",
                facts.id
            )
        };
        Device {
            totals: Totals::of(&run.results),
            cases: run
                .results
                .into_iter()
                .map(|result| Entry {
                    repro: repro(&result.id),
                    result,
                })
                .collect(),
            name: facts.name,
            driver: facts.driver,
            id: facts.id.clone(),
            caps: facts.caps,
            denormals_f32: facts.denormals_f32,
            resumed: run.resumed,
            missing: run.missing,
            seconds: run.time.as_secs_f64(),
        }
    }

    /// Whether every case ran, and passed or was refused with a reason.
    pub fn is_fine(&self) -> bool {
        self.missing.is_empty() && self.cases.iter().all(|c| c.result.status.is_fine())
    }

    /// Elements that are right only because the device flushes denormals.
    pub fn flushed(&self) -> u64 {
        self.cases.iter().map(|c| c.result.flushed).sum()
    }

    /// The reasons for which cases were not supported, and how many each.
    pub fn reasons(&self) -> BTreeMap<&str, usize> {
        let mut reasons = BTreeMap::new();
        for case in &self.cases {
            if case.result.status == Status::Unsupported {
                *reasons.entry(case.result.detail.as_str()).or_insert(0) += 1;
            }
        }
        reasons
    }
}

/// The names of the three files.
pub const FILES: [&str; 3] = ["report.json", "report.xml", "report.html"];

/// Makes the folder, sees that it can be written, and removes an earlier run's reports.
///
/// # Errors
/// Where it cannot be written.
pub fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let probe = folder.join(".probe");
    fs::write(&probe, [0; 4096])?;
    fs::remove_file(&probe)?;
    for name in FILES {
        match fs::remove_file(folder.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Writes the three files.
///
/// # Errors
/// Where one cannot be written: then it is not there.
pub fn write(folder: &Path, report: &Report, changes: &[baseline::Change]) -> io::Result<()> {
    let json = serde_json::to_string(report)?;
    let contents = [json, junit::print(report), html::print(report, changes)];
    for (name, content) in FILES.iter().zip(contents) {
        whole(&folder.join(name), content.as_bytes())?;
    }
    Ok(())
}

/// Writes a file beside its place, and moves it there once it is all on disk.
fn whole(file: &Path, content: &[u8]) -> io::Result<()> {
    let beside = file.with_extension("part");
    let written = (|| {
        let mut out = fs::File::create(&beside)?;
        out.write_all(content)?;
        out.sync_all()
    })();
    if let Err(e) = written {
        let _ = fs::remove_file(&beside);
        return Err(e);
    }
    fs::rename(&beside, file)
}

/// Text for HTML and XML. Characters that XML cannot hold become a replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The present, in UTC, to the second.
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    date(since.map_or(0, |d| d.as_secs()))
}

/// Seconds since 1970 as a date (Gregorian, proleptic).
fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let (mut year, mut day) = (1970, days);
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    let lengths = [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (h, m, s) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!(
        "{year}-{:02}-{:02}T{h:02}:{m:02}:{s:02}Z",
        month + 1,
        day + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_767_225_599), "2025-12-31T23:59:59Z");
    }

    #[test]
    fn escaping_leaves_nothing_that_ends_a_text() {
        assert_eq!(
            escape("<a b=\"c\">&'\u{1}"),
            "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\u{fffd}"
        );
    }

    #[test]
    fn totals_count_every_status() {
        let case = crate::case::Case::parse("add/f32/3/contiguous/random/s1").unwrap();
        let results = Status::ALL.map(|status| CaseResult {
            status,
            ..CaseResult::new(&case)
        });
        let totals = Totals::of(&results);
        assert_eq!(totals.all(), 6);
        assert!(Status::ALL.iter().all(|&s| totals.get(s) == 1));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(prepare(&file.join("below")).is_err());
        assert!(prepare(&folder.path().join("new/below")).is_ok());
    }
}
