//! The conformance command alone, for work on this crate and for its tests: what
//! `suanzi conform` is, without the rest of `suanzi`.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use suanzi_conformance::cli::{self, ConformArgs, ShardArgs};
use suanzi_conformance::mutants::{self, MutantsArgs};

#[derive(Parser)]
#[command(name = "suanzi-conformance", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find out what devices get right, operator by operator.
    Conform(ConformArgs),
    /// Mutate kernels, and see whether the smoke profile notices.
    Mutants(MutantsArgs),
    #[command(name = cli::SUBCOMMAND, hide = true)]
    Shard(ShardArgs),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Conform(args) => cli::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::Shard(args) => cli::run_shard(&args),
    }
}
