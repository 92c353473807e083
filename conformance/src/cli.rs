//! The command `suanzi conform`, and the hidden one that its shards are.

use crate::case::Case;
use crate::child::{Launcher, Shard};
use crate::measure::bound_text;
use crate::plan::{self, Profile};
use crate::report::baseline::{self, Change};
use crate::report::{self, Device, Report};
use crate::result::{CaseResult, Status};
use crate::runner::{self, Settings};
use crate::shard;
use globset::Glob;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

pub use crate::child::SUBCOMMAND;

/// All passed.
const FINE: u8 = 0;
/// Something failed.
const FAILED: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;

/// Failures that are printed; the report has them all.
const PRINTED: usize = 20;

/// Find out what devices get right, operator by operator.
#[derive(Debug, clap::Args)]
pub struct ConformArgs {
    /// A device, as `suanzi devices` names it; may be repeated [default: cpu and every driver found]
    #[arg(long = "device", value_name = "D")]
    pub devices: Vec<String>,
    /// A device plugin to load; may be repeated, and `SUANZI_PLUGINS` names more [default devices: the
    /// plugin's own]
    #[arg(long = "plugin", value_name = "FILE")]
    pub plugins: Vec<PathBuf>,
    /// How much to run
    #[arg(long, value_enum, default_value = "smoke")]
    pub profile: Profile,
    /// Only cases whose id matches: `add/f32/*`, or a whole id
    #[arg(long, value_name = "GLOB")]
    pub filter: Option<String>,
    /// Only each Nth case, from the Ith on: `1/2` and `2/2` are all of them together
    #[arg(long, value_name = "I/N")]
    pub part: Option<Part>,
    /// Folder for report.html, report.json, report.xml and the journals
    #[arg(long, value_name = "DIR", default_value = "target/conformance")]
    pub report: PathBuf,
    /// Take what an interrupted run of the same build, device and driver has done already
    #[arg(long)]
    pub resume: bool,
    /// A report.json of an earlier run: say what changed
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Seconds that one case may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub timeout: f64,
}

/// A share of the cases.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    first: usize,
    each: usize,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Part, String> {
        let numbers = text.split_once('/');
        let numbers = numbers.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((first, each)) if (1..=each).contains(&first) => Ok(Part { first, each }),
            _ => Err("a part is I/N, with I from 1 to N".into()),
        }
    }
}

impl Part {
    fn of(self, cases: Vec<Case>) -> Vec<Case> {
        cases
            .into_iter()
            .skip(self.first - 1)
            .step_by(self.each)
            .collect()
    }
}

/// Print the worst error of each function, dtype and device, as measured.
#[derive(Debug, clap::Args)]
pub struct NumericsArgs {
    /// A report.json of `suanzi conform`; may be repeated
    #[arg(long = "report", value_name = "FILE", required = true, num_args = 1..)]
    pub reports: Vec<PathBuf>,
}

/// What a shard is told.
#[derive(Debug, clap::Args)]
pub struct ShardArgs {
    /// The device to serve
    #[arg(long)]
    device: Option<String>,
    /// Say which devices there are
    #[arg(long)]
    list: bool,
    /// Only those of plugins
    #[arg(long)]
    plugins: bool,
}

/// Serves cases to a parent process.
pub fn run_shard(args: &ShardArgs) -> ExitCode {
    let fine = match &args.device {
        Some(device) => shard::serve(device),
        None => args.list && shard::list(args.plugins),
    };
    ExitCode::from(if fine { FINE } else { FAILED })
}

/// Runs the suite. The exit code is 0 if all passed, 1 for failures, 2 for wrong usage.
pub fn run(args: &ConformArgs) -> ExitCode {
    ExitCode::from(conform(args).unwrap_or_else(|stop| {
        eprintln!("error: {}", stop.what);
        stop.code
    }))
}

/// Prints the page of numerics. The exit code is 0, or 2 for wrong usage.
pub fn run_numerics(args: &NumericsArgs) -> ExitCode {
    let reports: Result<Vec<Report>, Stop> = args.reports.iter().map(|f| read_report(f)).collect();
    match reports {
        Ok(reports) => {
            // A reader that goes away (`| head`) is no failure.
            let _ = std::io::stdout().write_all(report::numerics::page(&reports).as_bytes());
            ExitCode::from(FINE)
        }
        Err(stop) => {
            eprintln!("error: {}", stop.what);
            ExitCode::from(stop.code)
        }
    }
}

/// The end before a report.
struct Stop {
    code: u8,
    what: String,
}

fn usage(what: impl Into<String>) -> Stop {
    Stop {
        code: USAGE,
        what: what.into(),
    }
}

fn failed(what: impl Into<String>) -> Stop {
    Stop {
        code: FAILED,
        what: what.into(),
    }
}

fn conform(args: &ConformArgs) -> Result<u8, Stop> {
    // Read first: it may lie where this run's report will.
    let baseline = args.baseline.as_deref().map(read_report).transpose()?;
    let cases = selected(args.profile, args.filter.as_deref())?;
    let cases = match args.part {
        Some(part) => part.of(cases),
        None => cases,
    };
    let timeout = Duration::try_from_secs_f64(args.timeout)
        .ok()
        .filter(|t| !t.is_zero())
        .ok_or_else(|| usage("--timeout must be a positive number of seconds"))?;
    let mut launcher = Launcher::new(&args.plugins).map_err(failed)?;
    let Devices {
        ids: devices,
        absent,
        broken,
    } = devices(args, &mut launcher)?;
    report::prepare(&args.report)
        .map_err(|e| usage(format!("cannot write to {}: {e}", args.report.display())))?;
    let settings = Settings {
        launcher,
        folder: args.report.clone(),
        profile: args.profile,
        timeout,
        resume: args.resume,
    };

    // A part is a filter to whoever reads the report.
    let part = args.part.map(|p| format!("part {}/{}", p.first, p.each));
    let filter = args.filter.iter().cloned().chain(part).collect::<Vec<_>>();
    let filter = (!filter.is_empty()).then(|| filter.join(", "));
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION").into(),
        date: String::new(),
        host: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        profile: args.profile,
        filter: filter.clone(),
        complete: true,
        absent,
        devices: vec![],
    };
    for device in &devices {
        let bar = progress(device, cases.len());
        let tick = |result: &CaseResult| {
            if !result.status.is_fine() {
                bar.println(format!("{:>11}  {}", result.status.name(), result.id));
            }
            bar.inc(1);
        };
        let mut run = runner::run(&settings, device, &cases, &tick).map_err(failed)?;
        bar.finish_and_clear();
        if run.damaged > 0 {
            eprintln!(
                "{device}: {} damaged lines of the journal run again",
                run.damaged
            );
        }
        let promised = match filter {
            None => plan::promise(args.profile),
            Some(_) => plan::count(&cases),
        };
        run.missing.extend(broken_promises(&promised, &run.results));
        report.complete &= run.missing.is_empty();
        report.devices.push(Device::of(run));
    }
    report.date = report::now();
    let changes = baseline.map_or(vec![], |old| baseline::compare(&old, &report));
    let written = report::write(&args.report, &report, &changes);
    summary(&report, &changes, args.baseline.is_some());
    written.map_err(|e| {
        failed(format!(
            "the report was not written to {}: {e}",
            args.report.display()
        ))
    })?;
    println!("report: {}", args.report.join("report.html").display());
    for what in &broken {
        eprintln!("error: {what}");
    }
    let fine = report.complete && report.devices.iter().all(Device::is_fine) && broken.is_empty();
    Ok(if fine { FINE } else { FAILED })
}

fn read_report(file: &Path) -> Result<Report, Stop> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| usage(format!("cannot read the report {}: {e}", file.display())))?;
    serde_json::from_str(&text).map_err(|e| usage(format!("{} is no report: {e}", file.display())))
}

/// The cases to run: of the profile, those that the filter lets through; or the one case whose id
/// the filter is, whether the profile has it or not.
fn selected(profile: Profile, filter: Option<&str>) -> Result<Vec<Case>, Stop> {
    let Some(filter) = filter else {
        return Ok(plan::cases(profile));
    };
    if let Some(case) = Case::parse(filter) {
        return Ok(vec![case]);
    }
    let glob = Glob::new(filter)
        .map_err(|e| usage(format!("--filter `{filter}` is no pattern: {e}")))?
        .compile_matcher();
    let mut cases = plan::cases(profile);
    cases.retain(|c| glob.is_match(c.to_string()));
    if cases.is_empty() {
        return Err(usage(format!(
            "no case matches `{filter}`; ids look like {}, and `*` matches any part",
            "add/f32/17x33/transposed/random/s1"
        )));
    }
    Ok(cases)
}

/// What to run on.
struct Devices {
    ids: Vec<String>,
    /// Why there are no more.
    absent: Vec<String>,
    /// What is wrong with plugins that were asked for: no run is fine without them.
    broken: Vec<String>,
}

fn devices(args: &ConformArgs, launcher: &mut Launcher) -> Result<Devices, Stop> {
    // Also where devices are named: shards are to load only what can be loaded.
    let (own, wrong) = launcher.plugins();
    let asked = !args.plugins.is_empty();
    let mut devices = Devices {
        ids: vec![],
        absent: wrong.clone(),
        broken: if asked { wrong } else { vec![] },
    };
    if args.devices.is_empty() {
        if !asked {
            let (built_in, absent) = launcher.built_in().map_err(failed)?;
            devices.ids = built_in;
            devices.absent.extend(absent);
        }
        devices.ids.extend(own);
    }
    for device in &args.devices {
        if !devices.ids.contains(device) {
            // Opened once before anything runs: a wrong name should not show after minutes.
            Shard::start(launcher, device).map_err(|what| match devices.broken.is_empty() {
                true => usage(what),
                false => failed(format!("{what}; {}", devices.broken.join("; "))),
            })?;
            devices.ids.push(device.clone());
        }
    }
    match devices.ids.is_empty() {
        true => Err(failed(devices.absent.join("; "))),
        false => Ok(devices),
    }
}

/// Operators with fewer results than promised: without a filter, by the operator table.
fn broken_promises(promised: &BTreeMap<String, usize>, results: &[CaseResult]) -> Option<String> {
    let mut ran = BTreeMap::new();
    for result in results {
        *ran.entry(result.op.as_str()).or_insert(0usize) += 1;
    }
    let short: Vec<String> = promised
        .iter()
        .map(|(op, &n)| (op, n, ran.get(op.as_str()).copied().unwrap_or(0)))
        .filter(|(_, n, got)| got < n)
        .map(|(op, n, got)| format!("{op} {got} of {n}"))
        .collect();
    (!short.is_empty()).then(|| format!("cases ran of those promised: {}", short.join(", ")))
}

fn progress(device: &str, cases: usize) -> ProgressBar {
    let bar = ProgressBar::new(cases as u64);
    if bar.is_hidden() {
        eprintln!("{device}: {cases} cases");
    }
    let style = "{prefix:16} {wide_bar} {pos}/{len} {elapsed}, {eta} to go";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_prefix(device.to_string());
    bar
}

fn summary(report: &Report, changes: &[Change], compared: bool) {
    let width = report
        .devices
        .iter()
        .map(|d| d.id.len())
        .max()
        .unwrap_or(0)
        .max(6);
    print!("\n{:width$}", "device");
    for status in Status::ALL {
        print!("  {:>11}", status.name());
    }
    println!("  {:>7}  {:>8}", "cases", "time");
    for device in &report.devices {
        print!("{:width$}", device.id);
        for status in Status::ALL {
            print!("  {:>11}", device.totals.get(status));
        }
        println!("  {:>7}  {:>6.1} s", device.totals.all(), device.seconds);
    }
    println!();
    for device in &report.devices {
        println!("{}: {}, {}", device.id, device.name, device.driver);
        if device.resumed > 0 {
            println!("  {} results taken from the journal", device.resumed);
        }
        if !device.denormals_f32 {
            println!(
                "  flushes f32 denormals: {} elements are right only with flushed ones",
                device.flushed()
            );
        }
        for (reason, n) in device.reasons() {
            println!("  {n} unsupported: {reason}");
        }
        for what in &device.missing {
            println!("  incomplete: {what}");
        }
        let bad = || device.cases.iter().filter(|c| !c.result.status.is_fine());
        for case in bad().take(PRINTED) {
            let r = &case.result;
            println!("  {} {}: {}", r.status.name(), r.id, r.detail);
            if let Some(w) = &r.worst {
                let error = r
                    .error
                    .map_or("beyond measure".into(), |e| format!("{e:.4}"));
                let inputs = w.inputs.join(", ");
                println!(
                    "    error {error}, limit {} {}; at {:?} of ({inputs}): expected {}, got {}",
                    bound_text(r.limit),
                    r.unit,
                    w.index,
                    w.expected,
                    w.got
                );
            }
            println!("    {}", case.repro);
        }
        match bad().count().saturating_sub(PRINTED) {
            0 => {}
            more => println!("  … and {more} more, in the report"),
        }
    }
    for reason in &report.absent {
        println!("not run: {reason}");
    }
    if compared {
        println!("since the baseline: {} changes", changes.len());
        for change in changes.iter().take(PRINTED) {
            println!("  {} {}: {}", change.device, change.case, change.what);
        }
        match changes.len().saturating_sub(PRINTED) {
            0 => {}
            more => println!("  … and {more} more, in the report"),
        }
    }
    let cases: usize = report.devices.iter().map(|d| d.totals.all()).sum();
    let fine = report.devices.iter().all(Device::is_fine);
    let verdict = match (fine, report.complete) {
        (true, true) => "nothing failed",
        (_, true) => "FAILED",
        (_, false) => "INCOMPLETE",
    };
    println!(
        "{cases} cases on {} devices: {verdict}",
        report.devices.len()
    );
}
