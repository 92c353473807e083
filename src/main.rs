//! The command `suanzi`. Exit codes: 0 all went well, 1 something failed, 2 wrong usage.

mod compile_check;
mod devices;
mod show;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use suanzi::backends::{self, init_logging};
use suanzi::{codegen, ops};
use suanzi_bench::suite::{self, BenchArgs};
use suanzi_bench::tune::{self, TuneArgs};
use suanzi_conformance::cli::{self as conformance, ConformArgs, NumericsArgs, ShardArgs};
use suanzi_conformance::mutants::{self, MutantsArgs};
use suanzi_onnx::cli::{self as onnx, OnnxArgs};

/// Operators and mathematics for GPUs.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the devices that can be used here, and why others cannot.
    Devices(devices::Args),
    /// Print the source that is generated for an operator.
    Show(show::Args),
    /// Find out what devices get right, operator by operator.
    Conform(ConformArgs),
    /// Print the worst error of each function, dtype and device, as reports have it.
    Numerics(NumericsArgs),
    /// Measure routines of matrices against other libraries, side by side.
    Bench(BenchArgs),
    /// Search how products are best cut into tiles on a device, and keep what was found.
    Tune(TuneArgs),
    /// Run ONNX's own cases of the operators that are covered.
    Onnx(OnnxArgs),
    /// Mutate kernels, and see whether the smoke profile notices.
    Mutants(MutantsArgs),
    /// Compile every kernel of the smoke profile with the vendors' real compilers.
    CompileCheck(compile_check::Args),
    /// What `compile-check` compiles in.
    #[command(name = compile_check::PART, hide = true)]
    CompilePart(compile_check::PartArgs),
    /// What `conform` runs cases in.
    #[command(name = conformance::SUBCOMMAND, hide = true)]
    Shard(ShardArgs),
}

/// Why the command ends early: the exit code, and what to say.
struct Failure {
    code: u8,
    text: String,
}

fn main() -> ExitCode {
    // Usage errors leave here, with 2.
    let cli = Cli::parse();
    if matches!(cli.command, Command::Bench(_) | Command::Tune(_)) {
        suanzi_bench::pin_threads();
    }
    match run(&cli) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {}", failure.text);
            ExitCode::from(failure.code)
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    init_logging()?;
    match &cli.command {
        Command::Devices(args) => Ok(devices::run(args)),
        Command::Show(args) => show::run(args),
        Command::Conform(args) => Ok(conformance::run(args)),
        Command::Numerics(args) => Ok(conformance::run_numerics(args)),
        Command::Bench(args) => Ok(suite::run(args)),
        Command::Tune(args) => Ok(tune::run(args)),
        Command::Onnx(args) => Ok(onnx::run(args)),
        Command::Mutants(args) => Ok(mutants::run(args)),
        Command::CompileCheck(args) => compile_check::run(args),
        Command::CompilePart(args) => compile_check::run_part(args),
        Command::Shard(args) => Ok(conformance::run_shard(args)),
    }
}

// What the caller wrote wrongly is 2, everything else 1.

impl From<backends::Error> for Failure {
    fn from(error: backends::Error) -> Failure {
        use backends::Error::*;
        let usage = matches!(
            error,
            UnknownDevice { .. } | NoDriver { .. } | Setting { .. }
        );
        Failure {
            code: if usage { 2 } else { 1 },
            text: error.to_string(),
        }
    }
}

impl From<ops::Error> for Failure {
    fn from(error: ops::Error) -> Failure {
        let usage = !matches!(error, ops::Error::Backend { .. });
        Failure {
            code: if usage { 2 } else { 1 },
            text: error.to_string(),
        }
    }
}

impl From<codegen::Unsupported> for Failure {
    fn from(error: codegen::Unsupported) -> Failure {
        Failure {
            code: 1,
            text: error.to_string(),
        }
    }
}
