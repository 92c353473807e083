//! The command `suanzi onnx`.

use crate::case::{self, Case};
use crate::compare::difference;
use crate::error::{Error, Result};
use crate::graph;
use crate::manifest::{self, Manifest};
use crate::ops;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use suanzi_backends::{Context, registry};

/// Run ONNX's own cases of the operators that are covered.
#[derive(Debug, clap::Args)]
pub struct OnnxArgs {
    /// A device, as `suanzi devices` names it; may be repeated [default: cpu and every driver found]
    #[arg(long = "device", value_name = "D")]
    pub devices: Vec<String>,
    /// The folder that `scripts/fetch-onnx` wrote
    #[arg(long, value_name = "DIR", default_value = "target/onnx/node")]
    pub cases: PathBuf,
    /// Only this operator, or this case; numbers are not held against the manifest then
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// Another manifest than the built-in one
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as ONNX says.
    Passed,
    /// It is not, or there was an error, which is said.
    Failed(String),
    /// The device lacks something, which is said.
    Unsupported(String),
}

/// What happened to the cases of one operator on one device.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    unsupported: usize,
    launches: usize,
}

/// Runs the cases. The exit code is 0 if all passed and were as many as the manifest says, 1 if
/// not, 2 for wrong usage.
pub fn run(args: &OnnxArgs) -> ExitCode {
    match judge(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(what) => {
            eprintln!("error: {what}");
            ExitCode::from(2)
        }
    }
}

/// Runs the cases: whether all passed and were as many as the manifest says.
///
/// # Errors
/// Wrong usage, in words.
pub fn judge(args: &OnnxArgs) -> std::result::Result<bool, String> {
    let manifest = match &args.manifest {
        None => manifest::OURS.to_string(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|e| format!("cannot read the manifest {}: {e}", file.display()))?,
    };
    let manifest = Manifest::parse(&manifest)?;
    let cases =
        case::all(&args.cases).map_err(|e| format!("{e}; scripts/fetch-onnx writes the cases"))?;
    let mut selection = manifest.select(&cases);
    if let Some(only) = &args.only {
        selection.run.retain(|c| c.op == *only || c.name == *only);
        selection.mismatches.clear();
        selection.excluded = 0;
        if selection.run.is_empty() {
            return Err(format!(
                "`{only}` is neither an operator nor a case that is run"
            ));
        }
    }
    let contexts: Vec<Context> = match args.devices.is_empty() {
        true => registry::devices().into_iter().map(Context::new).collect(),
        false => {
            let open = |d: &String| Context::open(d).map_err(|e| e.to_string());
            args.devices
                .iter()
                .map(open)
                .collect::<std::result::Result<_, _>>()?
        }
    };
    let tallies: Vec<_> = contexts
        .iter()
        .map(|c| on_device(c, &selection.run))
        .collect();
    Ok(summary(&contexts, &tallies, &selection))
}

/// The tally of each operator; failures are printed at once.
fn on_device<'a>(ctx: &Context, cases: &[&'a Case]) -> BTreeMap<&'a str, Tally> {
    let device = &ctx.device().info().id;
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for case in cases {
        let (verdict, dispatched) = ctx.trace(|| verdict(case, ctx));
        let tally = tallies.entry(&case.op).or_default();
        tally.launches += dispatched.len();
        let name = format!("{device} {} {}", case.op, case.name);
        match verdict {
            Verdict::Passed => tally.passed += 1,
            Verdict::Failed(why) => {
                tally.failed += 1;
                println!("FAILED {name}: {why}");
            }
            Verdict::Unsupported(why) => {
                tally.unsupported += 1;
                println!("unsupported {name}: {why}");
            }
        }
    }
    // An operator that never reached the device proves nothing about it.
    for (op, tally) in &mut tallies {
        let host = ops::find(op).is_some_and(|op| op.host);
        if tally.launches == 0 && tally.passed > 0 && !host {
            println!(
                "FAILED {device} {op}: {} cases passed without a kernel",
                tally.passed
            );
            tally.failed += std::mem::take(&mut tally.passed);
        }
    }
    tallies
}

/// Runs a case.
pub fn verdict(case: &Case, ctx: &Context) -> Verdict {
    let exact = ops::find(&case.op).is_some_and(|op| op.exact);
    let work = || -> Result<Option<String>> {
        let got = graph::run(&case.graph, case.opset, ctx, &case.inputs()?)?;
        let expected = case.outputs()?;
        let differs = |i: usize| {
            let why = difference(&got[i], &expected[i], exact)?;
            Some(format!("output {i}: {why}"))
        };
        Ok((0..expected.len()).find_map(differs))
    };
    // A panic is this case's failure, and the others still run.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(None)) => Verdict::Passed,
        Ok(Ok(Some(why))) => Verdict::Failed(why),
        Ok(Err(error)) if lacks(&error) => Verdict::Unsupported(error.to_string()),
        Ok(Err(error)) => Verdict::Failed(error.to_string()),
        Err(_) => Verdict::Failed("a panic".into()),
    }
}

/// Whether the error is that the device cannot do it, even by emulation.
fn lacks(error: &Error) -> bool {
    use suanzi_backends::Error::Unsupported;
    matches!(error, Error::Op(suanzi_ops::Error::Backend { source, .. })
        if matches!(**source, Unsupported { .. }))
}

fn summary(
    contexts: &[Context],
    tallies: &[BTreeMap<&str, Tally>],
    selection: &manifest::Selection,
) -> bool {
    print!("{:24} {:>5}", "operator", "cases");
    for ctx in contexts {
        print!("  {:>12}", ctx.device().info().id);
    }
    println!();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &selection.run {
        *counts.entry(&case.op).or_default() += 1;
    }
    for (op, count) in &counts {
        print!("{op:24} {count:>5}");
        for tally in tallies {
            print!("  {:>12}", tally[op].passed);
        }
        println!();
    }
    for mismatch in &selection.mismatches {
        println!("MISMATCH {mismatch}");
    }
    let mut all = Tally::default();
    for (ctx, tallies) in contexts.iter().zip(tallies) {
        let mut device = Tally::default();
        for tally in tallies.values() {
            device.passed += tally.passed;
            device.failed += tally.failed;
            device.unsupported += tally.unsupported;
        }
        println!(
            "{}: {}",
            ctx.device().info().id,
            device.line(selection.excluded)
        );
        all.passed += device.passed;
        all.failed += device.failed;
        all.unsupported += device.unsupported;
    }
    println!("{}", all.line(selection.excluded * contexts.len()));
    all.failed == 0 && all.passed > 0 && selection.mismatches.is_empty()
}

impl Tally {
    fn line(&self, excluded: usize) -> String {
        let cases = self.passed + self.failed + self.unsupported;
        let unsupported = match self.unsupported {
            0 => String::new(),
            n => format!("{n} unsupported, "),
        };
        format!(
            "{cases} cases, {} passed, {} failed, {unsupported}{excluded} excluded",
            self.passed, self.failed
        )
    }
}
