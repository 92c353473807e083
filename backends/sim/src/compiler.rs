//! The system's C++ compiler: which one it is, and running it.

use crate::{artifact, cache, source};
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

const HEADER: &str = include_str!("../include/suanzi_sim.h");

/// Nothing is contracted, reordered or flushed; division and square roots are the processor's own,
/// which round correctly. Little is optimised: a kernel is compiled more often than it pays off.
const OPTIONS: &[&str] = &[
    "-std=c++17",
    "-O1",
    "-w",
    "-fPIC",
    "-shared",
    // A kernel may be named like a function of the C library.
    "-Wl,-Bsymbolic",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-asynchronous-unwind-tables",
    // Kernels look at the bits of what they are given.
    "-fno-strict-aliasing",
    "-fwrapv",
    "-x",
    "c++",
];
/// The C library's functions of floats, and what processors without f16 call for it.
const LIBRARIES: &[&str] = &["-nostdlib", "-lm", "-lgcc"];

/// A compiler that was found.
struct Compiler {
    command: OsString,
    /// What it says of itself: part of every key.
    version: String,
}

/// Compiles a source of kernels; the artifact is [`crate::Module::load`]'s. An artifact of the same
/// source and options is taken from the cache on disk (`suanzi-sim` in the folder of compiled
/// programs), whoever compiled it. Options are those of the dialect's own compilers: `-D` and `-I`
/// are handed on, what they ask for of floats holds anyway, and others are refused.
///
/// # Errors
/// The compiler's words, or why there is none.
pub fn compile(source: &str, options: &[&str]) -> Result<Vec<u8>, String> {
    let compiler = compiler()?;
    let options = translated(options)?;
    let text = source::prepare(HEADER, source);
    let key = cache::key(&[&compiler.version, &options.join("\n"), &text]);
    if let Some(artifact) = cache::find(key) {
        return Ok(artifact);
    }
    let artifact = compiler.run(&text, &options)?;
    cache::keep(key, &artifact);
    Ok(artifact)
}

/// What the host's compiler is given for a dialect's options.
fn translated(options: &[&str]) -> Result<Vec<String>, String> {
    let mut out: Vec<String> = OPTIONS[..OPTIONS.len() - 2]
        .iter()
        .map(|o| o.to_string())
        .collect();
    out.extend(own().iter().map(|o| o.to_string()));
    out.extend(OPTIONS[OPTIONS.len() - 2..].iter().map(|o| o.to_string()));
    for option in options {
        match *option {
            o if o.starts_with("-D") || o.starts_with("-I") => out.push(o.to_string()),
            "--fmad=false" | "-fmad=false" | "--ftz=false" | "-ftz=false" | "--prec-div=true"
            | "-prec-div=true" | "--prec-sqrt=true" | "-prec-sqrt=true" | "-ffp-contract=off" => {}
            // Which chip, and which language: there is one of each here.
            o if [
                "--gpu-architecture",
                "-arch",
                "--offload-arch",
                "--std",
                "-std",
                "-O",
            ]
            .iter()
            .any(|known| o.starts_with(known)) => {}
            o => return Err(format!("the simulator does not know the option `{o}`")),
        }
    }
    Ok(out)
}

/// Instructions that this processor has: one for `fma`, one for f16. Without them both are calls,
/// of the same results.
fn own() -> &'static [&'static str] {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("f16c") {
        return &["-mfma", "-mf16c"];
    }
    &[]
}

fn compiler() -> Result<&'static Compiler, String> {
    static FOUND: OnceLock<Result<Compiler, String>> = OnceLock::new();
    FOUND.get_or_init(find).as_ref().map_err(String::clone)
}

fn find() -> Result<Compiler, String> {
    let named = std::env::var_os("CXX").filter(|name| !name.is_empty());
    let candidates = match named {
        Some(name) => vec![name],
        None => ["c++", "g++", "clang++"].map(OsString::from).to_vec(),
    };
    for command in &candidates {
        let said = Command::new(command)
            .arg("--version")
            .stderr(Stdio::null())
            .output();
        if let Ok(Output { status, stdout, .. }) = said
            && status.success()
        {
            return Ok(Compiler {
                command: command.clone(),
                version: String::from_utf8_lossy(&stdout).into_owned(),
            });
        }
    }
    let tried: Vec<_> = candidates.iter().map(|c| c.to_string_lossy()).collect();
    let tried = tried.join(", ");
    Err(format!(
        "no C++ compiler ({tried}): install g++ or clang++, or name one in CXX"
    ))
}

impl Compiler {
    fn run(&self, text: &str, options: &[String]) -> Result<Vec<u8>, String> {
        let failed = |what: &str, e: std::io::Error| {
            format!("{} {what}: {e}", self.command.to_string_lossy())
        };
        let output = tempfile::Builder::new()
            .suffix(".so")
            .tempfile()
            .map_err(|e| failed("has no place for its output", e))?;
        let mut child = Command::new(&self.command)
            .args(options)
            .arg("-o")
            .arg(output.path())
            .arg("-")
            .args(LIBRARIES)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| failed("does not start", e))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A compiler that stops reading says why.
            let _ = stdin.write_all(text.as_bytes());
        }
        let done = child
            .wait_with_output()
            .map_err(|e| failed("was lost", e))?;
        if !done.status.success() {
            let log = String::from_utf8_lossy(&done.stderr);
            return Err(format!("{}\n{}", done.status, log.trim()));
        }
        let library = std::fs::read(output.path()).map_err(|e| failed("left no output", e))?;
        Ok(artifact::sealed(&library))
    }
}
