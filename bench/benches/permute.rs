//! `suanzi_bench::ops::permute` as a bench.

use std::process::ExitCode;
use suanzi_bench::{device_name, ops::permute};

fn main() -> ExitCode {
    let device = device_name();
    suanzi_bench::run(
        |bars| permute::bars(bars, &device),
        |criterion| permute::functions(criterion, &device),
    )
}
