//! The command `suanzi`. Exit codes: 0 all went well, 1 something failed, 2 wrong usage.

mod devices;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use suanzi::backends::{Error, init_logging};

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
}

fn main() -> ExitCode {
    // Usage errors leave here, with 2.
    let cli = Cli::parse();
    let done = init_logging().and_then(|()| match cli.command {
        Command::Devices(args) => devices::run(&args),
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// 2 for what the caller wrote wrongly, 1 for everything else.
fn exit_code(error: &Error) -> u8 {
    match error {
        Error::UnknownDevice { .. } | Error::NoDriver { .. } | Error::Setting { .. } => 2,
        _ => 1,
    }
}
