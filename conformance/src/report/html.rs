//! The report as one HTML file: no script, no style, no image from elsewhere.

use super::baseline::Change;
use super::{Device, Entry, Report, escape};
use crate::measure::{BUCKETS, Histogram, bound_text};
use crate::result::Status;
use std::collections::BTreeMap;
use std::fmt::Write;
use suanzi_ops::Scalar;

/// Failures that are listed in full; more are counted.
const LISTED: usize = 300;

/// The file's content.
pub fn print(report: &Report, changes: &[Change]) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Suanzi conformance</title><style>{}</style><main>\
         <h1>算子 Suanzi conformance</h1>\
         <p class=quiet>version {} · {} · profile {:?}{} · {}</p>",
        include_str!("report.css"),
        escape(&report.version),
        escape(&report.date),
        report.profile,
        match &report.filter {
            Some(filter) => format!(", only <code>{}</code>", escape(filter)),
            None => String::new(),
        },
        escape(&report.host),
    );
    if !report.complete {
        out.push_str(
            "<p class=alarm><b>Incomplete.</b> Not every promised case ran; the reasons stand with \
             each device. Nothing here says that the rest works.</p>",
        );
    }
    overview(&mut out, report);
    for (i, device) in report.devices.iter().enumerate() {
        part(&mut out, device, i);
    }
    differences(&mut out, changes);
    out.push_str("</main></html>\n");
    out
}

fn overview(out: &mut String, report: &Report) {
    out.push_str("<table class=totals><tr><th>device<th>driver");
    for status in Status::ALL {
        let _ = write!(out, "<th>{}", status.name());
    }
    out.push_str("<th>time</tr>");
    for (i, device) in report.devices.iter().enumerate() {
        let _ = write!(
            out,
            "<tr><td><a href=\"#d{i}\">{}</a> {}<td>{}",
            escape(&device.id),
            escape(&device.name),
            escape(&device.driver)
        );
        for status in Status::ALL {
            let n = device.totals.get(status);
            let class = if n == 0 { "none" } else { status.name() };
            let _ = write!(out, "<td class=\"n {class}\">{n}");
        }
        let _ = write!(out, "<td class=n>{:.1} s</tr>", device.seconds);
    }
    out.push_str("</table>");
    for reason in &report.absent {
        let _ = write!(out, "<p class=quiet>Not run: {}</p>", escape(reason));
    }
}

fn part(out: &mut String, device: &Device, number: usize) {
    let verdict = match device.is_fine() {
        true => "<span class=\"badge passed\">conformant</span>",
        false => "<span class=\"badge failed\">not conformant</span>",
    };
    let _ = write!(
        out,
        "<section id=d{number}><h2>{} {verdict}</h2><p>{}<br><span class=quiet>{}</span></p>",
        escape(&device.id),
        escape(&device.name),
        escape(&device.driver)
    );
    for what in &device.missing {
        let _ = write!(out, "<p class=alarm>{}</p>", escape(what));
    }
    out.push_str("<details><summary>Fingerprint</summary><table class=facts>");
    for (name, value) in &device.caps {
        let _ = write!(out, "<tr><th>{}<td>{}", escape(name), escape(value));
    }
    out.push_str("</table></details>");
    if !device.denormals_f32 {
        let _ = write!(
            out,
            "<p>This device flushes f32 denormals. Results that are right with flushed inputs or \
             results were accepted; {} elements are right only so.</p>",
            device.flushed()
        );
    }
    failures(out, device);
    reasons(out, device);
    out.push_str("<h3>Operators and dtypes</h3>");
    matrix(
        out,
        device,
        |e| !e.result.op.starts_with("cast"),
        |e| e.result.op.clone(),
    );
    out.push_str("<h3>Casts</h3><p class=quiet>Rows: from; columns: to.</p>");
    for op in ["cast", "cast_wrap"] {
        let _ = write!(out, "<h4>{op}</h4>");
        casts(out, device, op);
    }
    accuracy(out, device);
    slowest(out, device);
    out.push_str("</section>");
}

fn failures(out: &mut String, device: &Device) {
    let bad: Vec<&Entry> = device
        .cases
        .iter()
        .filter(|c| !c.result.status.is_fine())
        .collect();
    if bad.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<h3>What went wrong</h3><table class=list><tr><th>status<th>case<th>error<th>limit\
         <th>worst element<th>why and how to run it again"
    );
    for case in bad.iter().take(LISTED) {
        let r = &case.result;
        let error = r.error.map_or("-".into(), |e| format!("{e:.4}"));
        let worst = r.worst.as_ref().map_or(String::new(), |w| {
            let inputs = match w.inputs.is_empty() {
                true => String::new(),
                false => format!("({}) ", w.inputs.join(", ")),
            };
            format!(
                "at {:?}: {inputs}expected {}, got {}",
                w.index, w.expected, w.got
            )
        });
        let _ = write!(
            out,
            "<tr><td class={}>{}<td><code>{}</code><td class=n>{error}<td class=n>{} {}<td>{}\
             <td>{}<br><code class=quiet>{}</code>",
            r.status.name(),
            r.status.name(),
            escape(&r.id),
            bound_text(r.limit),
            escape(&r.unit),
            escape(&worst),
            escape(&r.detail),
            escape(&case.repro)
        );
    }
    out.push_str("</table>");
    if bad.len() > LISTED {
        let _ = write!(
            out,
            "<p>… and {} more, in report.json.</p>",
            bad.len() - LISTED
        );
    }
}

fn reasons(out: &mut String, device: &Device) {
    let reasons = device.reasons();
    if reasons.is_empty() {
        return;
    }
    out.push_str("<h3>Not supported, by the device's own word</h3><table class=list>");
    for (reason, n) in reasons {
        let _ = write!(out, "<tr><td class=n>{n}<td>{}", escape(reason));
    }
    out.push_str("</table>");
}

/// Rows by name, columns by dtype; a cell's colour is its worst status.
fn matrix(
    out: &mut String,
    device: &Device,
    wanted: impl Fn(&Entry) -> bool,
    row: impl Fn(&Entry) -> String,
) {
    let mut rows: Vec<String> = vec![];
    let mut cells: BTreeMap<(String, &str), Vec<&Entry>> = BTreeMap::new();
    for case in device.cases.iter().filter(|c| wanted(c)) {
        let name = row(case);
        if !rows.contains(&name) {
            rows.push(name.clone());
        }
        cells
            .entry((name, &case.result.dtype))
            .or_default()
            .push(case);
    }
    grid(out, &rows, |name, dtype| {
        cells
            .get(&(name.to_string(), dtype))
            .cloned()
            .unwrap_or_default()
    });
}

fn casts(out: &mut String, device: &Device, op: &str) {
    let mut cells: BTreeMap<(&str, &str), Vec<&Entry>> = BTreeMap::new();
    for case in device.cases.iter().filter(|c| c.result.op == op) {
        let to = case
            .result
            .id
            .split('@')
            .nth(1)
            .and_then(|t| t.split('/').next());
        cells
            .entry((&case.result.dtype, to.unwrap_or("")))
            .or_default()
            .push(case);
    }
    let rows: Vec<String> = Scalar::ALL.iter().map(|d| d.to_string()).collect();
    grid(out, &rows, |from, to| {
        cells.get(&(from, to)).cloned().unwrap_or_default()
    });
}

fn grid<'a>(
    out: &mut String,
    rows: &[String],
    cell: impl Fn(&str, &'static str) -> Vec<&'a Entry>,
) {
    out.push_str("<table class=matrix><tr><th>");
    for dtype in Scalar::ALL {
        let _ = write!(out, "<th>{dtype}");
    }
    for row in rows {
        let _ = write!(out, "<tr><th>{}", escape(row));
        for dtype in Scalar::ALL {
            let cases = cell(row, dtype.name());
            let Some(worst) = cases.iter().map(|c| c.result.status).max_by_key(severity) else {
                out.push_str("<td>");
                continue;
            };
            let passed = cases
                .iter()
                .filter(|c| c.result.status == Status::Passed)
                .count();
            let error = cases
                .iter()
                .filter_map(|c| c.result.error)
                .fold(0.0, f64::max);
            let first = &cases[0].result;
            let text = match worst {
                Status::Passed => format!("{passed}"),
                Status::Unsupported if passed == 0 => "–".into(),
                _ => format!("{passed}/{}", cases.len()),
            };
            let _ = write!(
                out,
                "<td class=\"n {}\" title=\"{} {}: {passed} of {} passed, worst {}, error {error:.3} \
                 of {} {}\">{text}",
                worst.name(),
                escape(row),
                dtype,
                cases.len(),
                worst.name(),
                bound_text(first.limit),
                escape(&first.unit),
            );
        }
    }
    out.push_str("</table>");
}

fn severity(status: &Status) -> u8 {
    match status {
        Status::Passed => 0,
        Status::Unsupported => 1,
        Status::Mistrusted => 2,
        Status::Failed => 3,
        Status::Hung => 4,
        Status::Crashed => 5,
    }
}

/// Histograms of errors, for operators and dtypes that have any.
fn accuracy(out: &mut String, device: &Device) {
    let mut groups: BTreeMap<(&str, &str), (Histogram, f64, f64, &str)> = BTreeMap::new();
    for case in &device.cases {
        let r = &case.result;
        let group =
            groups
                .entry((&r.op, &r.dtype))
                .or_insert((Histogram::default(), 0.0, 0.0, &r.unit));
        group.0.merge(&r.histogram);
        if r.limit >= group.2 {
            (group.2, group.3) = (r.limit, &r.unit);
        }
        group.1 = group.1.max(r.error.unwrap_or(0.0));
    }
    groups.retain(|_, g| g.0.0[1..].iter().any(|&n| n > 0));
    if groups.is_empty() {
        return;
    }
    out.push_str(
        "<h3>Accuracy</h3><p class=quiet>Results by error in units in the last place; operators \
         whose every result is exact are left out.</p><table class=list><tr><th>operator<th>dtype\
         <th>worst<th>limit",
    );
    for bucket in 0..=BUCKETS.len() {
        let _ = write!(out, "<th>{}", Histogram::label(bucket));
    }
    for ((op, dtype), (histogram, error, limit, unit)) in groups {
        let total: u64 = histogram.0.iter().sum();
        let _ = write!(
            out,
            "<tr><td>{}<td>{dtype}<td class=n>{error:.3}<td class=n>{} {}",
            escape(op),
            bound_text(limit),
            escape(unit)
        );
        for &n in &histogram.0 {
            let share = n as f64 / total.max(1) as f64;
            let text = match (n, share) {
                (0, _) => String::new(),
                (_, s) if s < 0.0005 => format!("{n}"),
                (_, s) => format!("{:.1}%", s * 100.0),
            };
            let _ = write!(
                out,
                "<td class=\"n bar\" style=\"--w:{:.0}%\">{text}",
                (share * 100.0).ceil()
            );
        }
    }
    out.push_str("</table>");
}

fn slowest(out: &mut String, device: &Device) {
    let mut cases: Vec<&Entry> = device.cases.iter().collect();
    cases.sort_by(|a, b| b.result.ms.total_cmp(&a.result.ms));
    out.push_str("<details><summary>Slowest cases</summary><table class=list>");
    for case in cases.iter().take(15) {
        let _ = write!(
            out,
            "<tr><td class=n>{:.0} ms<td><code>{}</code>",
            case.result.ms,
            escape(&case.result.id)
        );
    }
    out.push_str("</table></details>");
}

fn differences(out: &mut String, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    out.push_str("<section><h2>Since the baseline</h2><table class=list>");
    for change in changes.iter().take(LISTED) {
        let _ = write!(
            out,
            "<tr><td>{}<td><code>{}</code><td>{}",
            escape(&change.device),
            escape(&change.case),
            escape(&change.what.to_string())
        );
    }
    out.push_str("</table>");
    if changes.len() > LISTED {
        let _ = write!(out, "<p>… and {} more.</p>", changes.len() - LISTED);
    }
    out.push_str("</section>");
}
