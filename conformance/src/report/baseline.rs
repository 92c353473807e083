//! What changed since an earlier report.

use super::{Entry, Report};
use crate::result::Status;
use std::collections::BTreeMap;
use std::fmt;

/// A difference in one case, or in the cases there are.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The device's name.
    pub device: String,
    /// The case.
    pub case: String,
    /// What is different.
    pub what: What,
}

/// What is different.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It was fine and is not.
    Broken(Status, Status),
    /// It was not fine and is.
    Mended(Status, Status),
    /// Another status, neither better nor worse.
    Other(Status, Status),
    /// The error grew to more than twice what it was.
    LessAccurate(f64, f64),
    /// The error fell to less than half of what it was.
    MoreAccurate(f64, f64),
    /// It was not there.
    New(Status),
    /// It is not there any more.
    Gone(Status),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = |f: &mut fmt::Formatter<'_>, word, a: Status, b: Status| {
            write!(f, "{word}: {} -> {}", a.name(), b.name())
        };
        match self {
            What::Broken(a, b) => arrow(f, "broken", *a, *b),
            What::Mended(a, b) => arrow(f, "mended", *a, *b),
            What::Other(a, b) => arrow(f, "changed", *a, *b),
            What::LessAccurate(a, b) => write!(f, "less accurate: {a:.3} -> {b:.3}"),
            What::MoreAccurate(a, b) => write!(f, "more accurate: {a:.3} -> {b:.3}"),
            What::New(s) => write!(f, "new: {}", s.name()),
            What::Gone(s) => write!(f, "gone: was {}", s.name()),
        }
    }
}

impl What {
    /// Changes of a kind are printed together, the worst first.
    pub fn rank(&self) -> u8 {
        match self {
            What::Broken(..) => 0,
            What::Gone(_) => 1,
            What::LessAccurate(..) => 2,
            What::Other(..) => 3,
            What::New(_) => 4,
            What::MoreAccurate(..) => 5,
            What::Mended(..) => 6,
        }
    }
}

/// Compares two reports. Devices are the same if their names are (the number of a device may
/// change). Where the new run was filtered, cases that it did not run are not gone.
pub fn compare(old: &Report, new: &Report) -> Vec<Change> {
    let mut changes = vec![];
    for device in &new.devices {
        let before = old
            .devices
            .iter()
            .find(|d| d.id == device.id && d.name == device.name)
            .or(old.devices.iter().find(|d| d.name == device.name));
        let Some(before) = before else { continue };
        let mut earlier: BTreeMap<&str, &Entry> = before
            .cases
            .iter()
            .map(|c| (c.result.id.as_str(), c))
            .collect();
        let mut add = |case: &str, what| {
            changes.push(Change {
                device: device.name.clone(),
                case: case.into(),
                what,
            });
        };
        for case in &device.cases {
            let now = &case.result;
            match earlier.remove(now.id.as_str()) {
                None => add(&now.id, What::New(now.status)),
                Some(was) => {
                    if let Some(what) = difference(was, case) {
                        add(&now.id, what);
                    }
                }
            }
        }
        if new.filter.is_none() && old.profile == new.profile {
            for (id, was) in earlier {
                add(id, What::Gone(was.result.status));
            }
        }
    }
    changes.sort_by_key(|c| c.what.rank());
    changes
}

fn difference(was: &Entry, now: &Entry) -> Option<What> {
    let (a, b) = (&was.result, &now.result);
    if a.status != b.status {
        return Some(match (a.status.is_fine(), b.status.is_fine()) {
            (true, false) => What::Broken(a.status, b.status),
            (false, true) => What::Mended(a.status, b.status),
            _ => What::Other(a.status, b.status),
        });
    }
    match (a.error, b.error) {
        (Some(x), Some(y)) if y > 2.0 * x && y > 0.25 => Some(What::LessAccurate(x, y)),
        (Some(x), Some(y)) if x > 2.0 * y && x > 0.25 => Some(What::MoreAccurate(x, y)),
        _ => None,
    }
}
