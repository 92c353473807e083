//! The conformance command alone, for work on this crate and for its tests: what
//! `suanzi conform` is, without the rest of `suanzi`.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use suanzi_conformance::cli::{self, ConformArgs, ShardArgs};

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
    #[command(name = cli::SUBCOMMAND, hide = true)]
    Shard(ShardArgs),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Conform(args) => cli::run(&args),
        Command::Shard(args) => cli::run_shard(&args),
    }
}
