//! The report as JUnit XML: a suite for each device and operator, a test case for each case.

use super::{Report, escape};
use crate::result::Status;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The file's content.
pub fn print(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for device in &report.devices {
        let mut suites: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for case in &device.cases {
            suites.entry(&case.result.op).or_default().push(case);
        }
        for (op, cases) in suites {
            let of = |wanted: &[Status]| {
                cases
                    .iter()
                    .filter(|c| wanted.contains(&c.result.status))
                    .count()
            };
            let seconds: f64 = cases.iter().map(|c| c.result.ms / 1e3).sum();
            let _ = writeln!(
                out,
                "<testsuite name=\"{}.{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" \
                 skipped=\"{}\" time=\"{seconds:.3}\" timestamp=\"{}\">",
                escape(&device.id),
                escape(op),
                cases.len(),
                of(&[Status::Failed, Status::Mistrusted]),
                of(&[Status::Crashed, Status::Hung]),
                of(&[Status::Unsupported]),
                report.date.trim_end_matches('Z'),
            );
            for case in cases {
                let r = &case.result;
                let _ = write!(
                    out,
                    "<testcase classname=\"{}.{}\" name=\"{}\" time=\"{:.4}\"",
                    escape(&device.id),
                    escape(op),
                    escape(&r.id),
                    r.ms / 1e3
                );
                let element = match r.status {
                    Status::Passed => {
                        out.push_str("/>\n");
                        continue;
                    }
                    Status::Failed | Status::Mistrusted => "failure",
                    Status::Crashed | Status::Hung => "error",
                    Status::Unsupported => "skipped",
                };
                let kind = match element {
                    "skipped" => String::new(),
                    _ => format!(" type=\"{}\"", r.status.name()),
                };
                let _ = writeln!(
                    out,
                    "><{element}{kind} message=\"{}\">{}</{element}></testcase>",
                    escape(&r.detail),
                    escape(&case.repro)
                );
            }
            out.push_str("</testsuite>\n");
        }
        if !device.missing.is_empty() {
            let _ = writeln!(
                out,
                "<testsuite name=\"{0}\" tests=\"1\" failures=\"0\" errors=\"1\"><testcase \
                 classname=\"{0}\" name=\"every promised case ran\"><error \
                 message=\"{1}\"/></testcase></testsuite>",
                escape(&device.id),
                escape(&device.missing.join("; "))
            );
        }
    }
    out.push_str("</testsuites>\n");
    out
}
