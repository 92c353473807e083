//! How accurate each function is on each device: what reports have measured, as a table.
//!
//! It is made of reports and the operator table, so that docs/numerics.md cannot say what no run has
//! seen. A function is a map operator whose results are not exact; where the device's own function
//! is a row of its own (`native_sin` beside `sin`), its error stands in brackets.

use super::{Device, Report};
use crate::measure::bound;
use crate::result::{CaseResult, Status};
use crate::table::{self, Kind, Limit, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use suanzi_ops::Scalar;

/// Prefix of rows that ask for the device's own function.
const NATIVE: &str = "native_";

/// What runs came to for one function, dtype and device.
#[derive(Clone, Copy, Default)]
struct Measured {
    /// The largest error; infinite where no number says it.
    worst: f64,
    /// Elements compared.
    compared: u64,
    /// Cases that the device refused.
    refused: usize,
}

impl Measured {
    fn add(&mut self, result: &CaseResult) {
        match result.status {
            Status::Unsupported => self.refused += 1,
            _ => {
                let unmeasured = match result.status {
                    Status::Passed => 0.0,
                    _ => f64::INFINITY,
                };
                self.worst = self.worst.max(result.error.unwrap_or(unmeasured));
                self.compared += result.compared;
            }
        }
    }
}

/// Results by device, operator and dtype.
type Table<'a> = BTreeMap<(&'a str, &'a str, &'a str), Measured>;

/// The page: who was measured, and the worst error of each function, dtype and device.
pub fn page(reports: &[Report]) -> String {
    let mut devices: Vec<&Device> = vec![];
    let mut table = Table::new();
    for device in reports.iter().flat_map(|r| &r.devices) {
        if devices.iter().all(|d| d.id != device.id) {
            devices.push(device);
        }
        for case in device.cases.iter().map(|c| &c.result) {
            let key = (device.id.as_str(), case.op.as_str(), case.dtype.as_str());
            table.entry(key).or_default().add(case);
        }
    }
    let mut out = String::from(INTRODUCTION);
    for device in &devices {
        let (id, name, driver) = (&device.id, &device.name, &device.driver);
        let denormals = match device.denormals_f32 {
            true => "",
            false => "; flushes f32 denormals",
        };
        let _ = writeln!(out, "- `{id}`: {name}, {driver}{denormals}");
    }
    let _ = write!(out, "\n| function | dtype | limit |");
    for device in &devices {
        let _ = write!(out, " {} |", device.id);
    }
    let _ = write!(out, "\n|---|---|---:|{}\n", "---:|".repeat(devices.len()));
    let mut unmeasured = BTreeSet::new();
    for (row, dtype) in functions() {
        let has = |d: &&Device| table.contains_key(&(d.id.as_str(), row.name, dtype.name()));
        if !devices.iter().any(has) {
            unmeasured.insert(row.name);
            continue;
        }
        let limit = (row.limit)(dtype);
        let _ = write!(out, "| {} | {dtype} | {} |", row.name, in_words(limit));
        for device in &devices {
            let own = format!("{NATIVE}{}", row.name);
            let of = |op| table.get(&(device.id.as_str(), op, dtype.name()));
            let _ = write!(out, " {} |", cell(of(row.name), of(&own), bound(limit)));
        }
        out.push('\n');
    }
    let _ = write!(out, "\nResults compared:");
    for device in &devices {
        let cells = table.iter().filter(|((id, op, dtype), _)| {
            let listed = |(row, d): (&Row, Scalar)| row.name == *op && d.name() == *dtype;
            *id == device.id && functions().any(listed)
        });
        let compared: u64 = cells.map(|(_, m)| m.compared).sum();
        let _ = write!(out, " {} on `{}`;", grouped(compared), device.id);
    }
    out.pop();
    out.push_str(".\n");
    if !unmeasured.is_empty() {
        let names: Vec<&str> = unmeasured.into_iter().collect();
        let _ = writeln!(out, "\nNot in these reports: {}.", names.join(", "));
    }
    out
}

const INTRODUCTION: &str = "\
# Numerics: the error of each function, as measured

This page is generated, by `suanzi numerics --report FILE… > docs/numerics.md`, from what `suanzi conform` has
written. Do not edit it.

The worst error of each function, in units in the last place of the dtype, against a reference in f64. That of f64 is found
in double-double and rounded, so errors of f64 are whole numbers. The limit is the one in the operator's row, which no
device may exceed: that of OpenCL's full profile for f32 and f64 where it has one. f16 and bf16 are computed in f32 and rounded once, so that more than half a unit is at most
what f32 could not tell from a tie. Inputs: special values, random numbers from every branch of the function and its edges,
and all 65,536 of the 16-bit dtypes for functions of one argument.

In brackets: the error of the device's own function, where it was measured. `≥ m` after a limit: results smaller than m
count in units of m, because the function has zeros that no float hits.

";

/// Map operators on floats that are not exact, and not the devices' own.
fn functions() -> impl Iterator<Item = (&'static Row, Scalar)> {
    let rows = table::rows().filter(|r| matches!(r.kind, Kind::Map(_)));
    let rows = rows.filter(|r| !r.name.starts_with(NATIVE));
    rows.flat_map(|row| row.dtypes.iter().map(move |&dtype| (row, dtype)))
        .filter(|(row, dtype)| dtype.is_float() && (row.limit)(*dtype) != Limit::Exact)
}

fn in_words(limit: Limit) -> String {
    match limit {
        Limit::UlpAbove(units, least) => format!("{units} ≥ {least}"),
        limit => bound(limit).to_string(),
    }
}

fn cell(ours: Option<&Measured>, own: Option<&Measured>, limit: f64) -> String {
    let number = |m: &Measured| match m.worst {
        w if w.is_infinite() => "∞".to_string(),
        w if w < 10.0 => format!("{w:.3}"),
        w if w < 1e6 => format!("{w:.0}"),
        w => format!("{w:.1e}"),
    };
    let text = match ours {
        None => "not run".to_string(),
        Some(m) if m.compared == 0 && m.refused > 0 => "refused".to_string(),
        Some(m) if m.worst > limit => format!("**{}**", number(m)),
        Some(m) => number(m),
    };
    match own {
        Some(m) if m.compared > 0 => format!("{text} ({})", number(m)),
        _ => text,
    }
}

/// A count with commas.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::plan::Profile;
    use crate::report::{Entry, Totals};

    fn result(id: &str, status: Status, error: Option<f64>) -> Entry {
        let case = Case::parse(id).expect("a case");
        let result = CaseResult {
            status,
            error,
            compared: 1234,
            ..CaseResult::new(&case)
        };
        Entry {
            result,
            repro: String::new(),
        }
    }

    fn report(cases: Vec<Entry>) -> Report {
        Report {
            version: "0".into(),
            date: String::new(),
            host: String::new(),
            profile: Profile::Smoke,
            filter: None,
            complete: true,
            absent: vec![],
            devices: vec![Device {
                name: "N".into(),
                driver: "D".into(),
                id: "cpu".into(),
                caps: vec![],
                denormals_f32: true,
                totals: Totals::default(),
                resumed: 0,
                missing: vec![],
                seconds: 0.0,
                cases,
            }],
        }
    }

    #[test]
    fn the_worst_of_all_reports_stands_in_the_table() {
        let first = report(vec![
            result("sin/f32/3/contiguous/random/s1", Status::Passed, Some(1.25)),
            result("cos/f32/3/contiguous/random/s1", Status::Failed, None),
            result("tan/f32/3/contiguous/random/s1", Status::Failed, Some(7.0)),
        ]);
        let second = report(vec![
            result("sin/f32/4/contiguous/random/s1", Status::Passed, Some(2.5)),
            result("sin/f32/5/contiguous/random/s1", Status::Passed, None),
        ]);
        let page = page(&[first, second]);
        for line in [
            "| sin | f32 | 4 | 2.500 |",
            "| cos | f32 | 4 | **∞** |",
            "| tan | f32 | 5 | **7.000** |",
            "Results compared: 6,170 on `cpu`.",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
        assert!(!page.contains("| add |"), "add is exact");
        assert!(!page.contains("| sin | f64 |"), "not measured");
        let rest = page.lines().last().unwrap_or_default();
        assert!(
            rest.starts_with("Not in these reports: ") && rest.contains("atan2"),
            "{rest}"
        );
    }
}
