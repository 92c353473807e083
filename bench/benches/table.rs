//! `suanzi_bench::ops::table` as a bench.

use std::process::ExitCode;
use suanzi_bench::{device_name, ops::table};

fn main() -> ExitCode {
    let device = device_name();
    suanzi_bench::run(
        |bars| table::bars(bars, &device),
        |criterion| table::functions(criterion, &device),
    )
}
