//! Runs a representative set of kernels on one device, to be watched by a sanitizer: the map and
//! reduce skeletons in every shape that they have, every tail, every dtype; products and factorisations;
//! then every row of the operator table.
//!
//! `sanitize opencl:0` runs the set (`sanitize opencl:0 sorts` a part of it) and compares every
//! result, bit for bit, with the built-in device; inputs are small whole numbers, so that no
//! rounding and no order of addition shows. `sanitize opencl:0 --every 8` runs an eighth of it, with
//! something of every operator.
//! `sanitize opencl:0 --faults` runs kernels with one known fault each, to prove that the sanitizer
//! would have seen it. `scripts/sanitize` calls both.

mod cases;
mod faults;
mod kept;
mod ordered;
mod products;
mod solvers;
mod table;

use cases::Suite;
use std::process::ExitCode;
use std::sync::Arc;
use suanzi_backends::{Context, Settings, registry, vulkan};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [device] => run(device, None, 1),
        [device, "--every", n] => match n.parse() {
            Ok(n) if n > 0 => run(device, None, n),
            _ => Err(format!("--every {n}: a number from 1 on").into()),
        },
        [device, "--faults"] => open(device)
            .and_then(|ctx| faults::run(&ctx))
            .and_then(|()| heard()),
        [device, part] => run(device, Some(part), 1),
        _ => Err("usage: sanitize DEVICE [--faults | --every N | PART]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("sanitize: {e}");
            ExitCode::FAILURE
        }
    }
}

/// A device whose buffers are exactly as large as what is in them, none of them used twice or freed:
/// what lies behind a tensor belongs to nobody.
fn open(device: &str) -> Outcome<Context> {
    suanzi_backends::init_logging()?;
    let settings = Settings {
        pool_bytes: Some(0),
        ..Settings::default()
    };
    let kept = kept::Kept::new(registry::open(device)?);
    let ctx = Context::with_settings(Arc::new(kept), settings);
    let (info, caps) = (ctx.device().info(), ctx.device().caps());
    let (name, kind) = (&info.name, caps.kind.name());
    println!("device {device}: {name}, work cut for a {kind}");
    Ok(ctx)
}

type Part = fn(&mut Suite) -> Outcome<()>;

/// The parts of the set.
const PARTS: [(&str, Part); 12] = [
    ("maps", cases::maps),
    ("casts", cases::casts),
    ("views", cases::views),
    ("reductions", cases::reductions),
    ("scans", ordered::scans),
    ("sorts", ordered::sorts),
    ("runs", ordered::runs),
    ("products", products::products),
    ("convolutions", products::convolutions),
    ("solvers", solvers::solvers),
    ("rows", table::rows),
    ("calls", table::calls),
];

fn run(device: &str, only: Option<&str>, every: usize) -> Outcome<()> {
    let mut suite = Suite::new(open(device)?, Context::open("cpu")?, every);
    for (name, part) in PARTS {
        if only.is_none_or(|only| only == name) {
            part(&mut suite)?;
        }
    }
    suite.close()?;
    heard()
}

/// What Vulkan's validation layer said, where `SUANZI_VALIDATE=1` turns it on.
fn heard() -> Outcome<()> {
    let messages = vulkan::validation_messages();
    println!("{} messages of the validation layer", messages.len());
    match messages.is_empty() {
        true => Ok(()),
        false => Err(messages.join("\n").into()),
    }
}
