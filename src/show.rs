//! `suanzi show`: the source that an operator becomes, without a device.

use crate::Failure;
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use rspirv::binary::Disassemble;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use suanzi::backends::DeviceKind;
use suanzi::codegen::emit_naga::{self, Features};
use suanzi::codegen::ir::Kernel;
use suanzi::codegen::{Scalar, Target, Unsupported, emit_c, legalise};
use suanzi::ops::{kernel_for, table};

#[derive(clap::Args)]
pub struct Args {
    /// The operator's name.
    op: String,
    /// Dtype of its inputs.
    #[arg(long, default_value = "f32", value_parser = dtype())]
    dtype: Scalar,
    /// Language to print: `opencl`, `cuda`, `hip`, `musa`… `wgsl`, `spirv`; or FILE.toml, which describes
    /// a dialect as a plugin's caps do.
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "opencl", value_parser = language)]
    dialect: Language,
    /// Kind of device that the work is cut for.
    #[arg(long, default_value = "gpu")]
    kind: Kind,
}

fn dtype() -> impl TypedValueParser<Value = Scalar> {
    let names = PossibleValuesParser::new(Scalar::ALL.map(Scalar::name));
    names.try_map(|name| Scalar::from_name(&name).ok_or("no such dtype"))
}

/// A language by its name, or a dialect that a file describes, as plugins bring them.
fn language(text: &str) -> Result<Language, String> {
    match text {
        "wgsl" => return Ok(Language::Wgsl),
        "spirv" => return Ok(Language::Spirv),
        _ => {}
    }
    if Path::new(text).extension().is_some_and(|e| e == "toml") {
        let description = std::fs::read_to_string(text).map_err(|e| e.to_string())?;
        return emit_c::described(&description).map(Language::C);
    }
    emit_c::dialect(text).map(Language::C).ok_or_else(|| {
        let names = emit_c::DIALECTS.iter().map(|d| d.name);
        let names: Vec<&str> = names.chain(["wgsl", "spirv"]).collect();
        format!("possible values: {}, or a file FILE.toml", names.join(", "))
    })
}

#[derive(Clone, Copy)]
enum Language {
    /// One of the C family.
    C(&'static emit_c::Dialect),
    /// What naga makes of the module, to look at.
    Wgsl,
    /// What Vulkan gets, disassembled.
    Spirv,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Gpu,
    Cpu,
    Interpreter,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let kind = match args.kind {
        Kind::Gpu => DeviceKind::Gpu,
        Kind::Cpu => DeviceKind::Cpu,
        Kind::Interpreter => DeviceKind::Interpreter,
    };
    let kernel = kernel_for(table::row(&args.op)?, args.dtype, kind)?;
    let text = print(&kernel, args.dialect)?;
    // A reader that goes away (`| head`) is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn print(kernel: &Kernel, language: Language) -> Result<String, Unsupported> {
    match language {
        Language::C(dialect) => {
            let target = dialect.target();
            emit_c::emit(&legalise(kernel, &target)?, dialect, &target)
        }
        Language::Wgsl => emit_naga::to_wgsl(&legalise(kernel, &naga_target(false))?),
        Language::Spirv => {
            let words = emit_naga::to_spirv(&legalise(kernel, &naga_target(true))?)?;
            let module = rspirv::dr::load_words(&words).map_err(|e| Unsupported {
                kernel: kernel.name.clone(),
                what: format!("the SPIR-V cannot be read back: {e}"),
            })?;
            Ok(module.disassemble() + "\n")
        }
    }
}

/// An adapter that has everything but matrix units.
fn naga_target(int16: bool) -> Target {
    emit_naga::target(&Features {
        f16: true,
        // WGSL has no word for them.
        int16,
        int64: true,
        f64: true,
        fused_fma: true,
        subgroups: true,
        atomic64: true,
        ..Features::default()
    })
}
