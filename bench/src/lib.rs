//! Measuring: what the benches under `benches/` share.
//!
//! - [`compare`]: interleaved timing, medians with their spread, ratios within one run.
//! - [`bars`]: each speed promise is a bar; a missed one fails the bench.
//! - [`data`]: inputs that are never zeros, and their checks.
//! - [`ops`]: operators beside the device's own copy.
//! - [`scalar`]: the C loops that the interpreter is compared with.
//! - [`suite`]: `suanzi bench`, this library and its peers side by side.
//! - [`tune`]: `suanzi tune`, the search for the best tiles.
//!
//! A figure without its yardstick says more about the machine's load than about the code, so
//! every bar is a ratio, or a difference, of two things that took turns in one process.

pub mod bars;
pub mod compare;
pub mod data;
pub mod ops;
pub mod scalar;
pub mod suite;
pub mod tune;

pub use anyhow::{Result, ensure};
pub use bars::{Bar, Bars};
pub use compare::{Round, Sample, Spread, clocked, interleave};
pub use criterion::Criterion;

use std::process::ExitCode;

/// The `main` of a bench: its bars, then criterion's statistics of its functions. Without
/// `--bench` (as `cargo test --benches` calls it) each function runs once and no bar is judged.
///
/// A word after the options (`cargo bench --bench permute -- f16`): figures whose names contain it.
/// `SUANZI_BENCH_LENIENT=1`: a missed bar is printed and is no failure.
/// `SUANZI_BENCH_BARS=only`: no statistics.
pub fn run(
    bars: impl FnOnce(&mut Bars) -> Result<()>,
    functions: impl FnOnce(&mut Criterion) -> Result<()>,
) -> ExitCode {
    let measuring = std::env::args().any(|a| a == "--bench");
    // What follows the options, as criterion takes it.
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let mut judged = Bars::filtered(filter);
    let all = || {
        if measuring {
            bars(&mut judged)?;
        }
        if !measuring || std::env::var("SUANZI_BENCH_BARS").as_deref() != Ok("only") {
            let mut criterion = Criterion::default().configure_from_args();
            functions(&mut criterion)?;
            criterion.final_summary();
        }
        Ok(())
    };
    match all() {
        Ok(()) => judged.close(),
        Err::<_, anyhow::Error>(e) => {
            eprintln!("bench: {e:#}");
            ExitCode::FAILURE
        }
    }
}

/// Has PoCL keep each of its threads on a core of its own, if the environment does not say otherwise: systems were seen to
/// run two of them on one core for as long as a kernel takes, with the other one idle. To be called before there is any
/// other thread.
pub fn pin_threads() {
    const VARIABLE: &str = "POCL_AFFINITY";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: nobody reads the environment meanwhile, for there is no other thread yet.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}

/// The device to measure: `SUANZI_DEVICE`, or the first OpenCL device.
pub fn device_name() -> String {
    let named = std::env::var("SUANZI_DEVICE").ok();
    named
        .filter(|n| !n.is_empty())
        .unwrap_or_else(|| "opencl:0".into())
}
