//! `suanzi_bench::ops::bandwidth` as a bench.

use std::process::ExitCode;
use suanzi_bench::{device_name, ops::bandwidth};

fn main() -> ExitCode {
    let device = device_name();
    suanzi_bench::run(
        |bars| bandwidth::bars(bars, &device),
        |criterion| bandwidth::functions(criterion, &device),
    )
}
