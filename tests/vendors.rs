//! Vendors of CUDA-like devices, as a shell sees them: what is said where a library is missing or is
//! another, where a compiler refuses, and which languages are printed.

use std::process::{Command, Output};
use suanzi::backends::vendors;
use suanzi::codegen::emit_c::DIALECTS;

fn suanzi(args: &[&str], vars: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_suanzi"));
    command.args(args).env("SUANZI_LOG", "off");
    command.envs(vars.iter().copied());
    command.output().expect("the command starts")
}

fn out(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(all).expect("text")
}

/// What opening a vendor's device says.
fn opening(device: &str, vars: &[(&str, &str)]) -> String {
    let case = "add/f32/17x33/contiguous/random/s1";
    let args = ["conform", "--device", device, "--filter", case];
    let folder = std::env::temp_dir().join(format!("suanzi-vendors-{}", std::process::id()));
    let folder = folder.to_string_lossy();
    let output = suanzi(&[&args[..], &["--report", &folder]].concat(), vars);
    assert_ne!(output.status.code(), Some(0), "{}", out(&output));
    out(&output)
}

#[test]
fn devices_lists_every_vendor_with_its_label() {
    let table = suanzi(&["devices"], &[("SUANZI_SIM", "/nowhere")]);
    let table = out(&table);
    for vendor in vendors::ALL {
        let row = |l: &&str| {
            let named = l.contains(vendor.name) && l.contains(vendor.title);
            named && l.contains(vendor.label.name()) && l.contains(vendor.evidence)
        };
        assert!(table.lines().any(|l| row(&l)), "{}: {table}", vendor.name);
        assert!(!vendor.evidence.is_empty() && !vendor.offline.is_empty());
    }
}

#[test]
fn a_missing_library_is_named() {
    let said = opening("cuda:0", &[("SUANZI_CUDA_LIBRARY", "/nowhere/libcuda.so")]);
    for part in [
        "cuda is not usable",
        "NVIDIA",
        "/nowhere/libcuda.so",
        "needs",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn another_library_lacks_functions() {
    let said = opening("musa:0", &[("SUANZI_MUSA_LIBRARY", "libc.so.6")]);
    for part in [
        "Moore Threads",
        "libc.so.6",
        "lacks",
        "muInit",
        "muLaunchKernel",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn names_that_are_not_known_are_said() {
    let said = opening("supa:0", &[("SUANZI_SUPA_LIBRARY", "libc.so.6")]);
    assert!(said.contains("launch (its name is not known)"), "{said}");
}

#[test]
fn a_simulator_that_is_none_is_named() {
    let said = opening("sim:cuda", &[("SUANZI_SIM", "libc.so.6")]);
    assert!(
        said.contains("libc.so.6") && said.contains("cuInit"),
        "{said}"
    );
}

#[test]
fn every_dialect_is_shown() {
    for dialect in DIALECTS {
        let output = suanzi(&["show", "add", "--dialect", dialect.name], &[]);
        let source = out(&output);
        assert_eq!(output.status.code(), Some(0), "{source}");
        let global = match dialect.name {
            "opencl" => "__kernel",
            _ => "__global__",
        };
        assert!(source.contains(global), "{}: {source}", dialect.name);
    }
}

/// A command in place of the run-time compiler, on a simulated device where there is one.
#[test]
fn a_compiler_that_refuses_is_quoted() {
    if out(&suanzi(&["devices"], &[])).contains("sim:musa@32") {
        let said = opening("sim:musa", &[("SUANZI_MUSA_CC", "false {in} {out}")]);
        assert!(
            said.contains("SUANZI_MUSA_CC: `false` gave exit status: 1"),
            "{said}"
        );
        let said = opening("sim:musa", &[("SUANZI_MUSA_CC", "/nowhere/mcc {in} {out}")]);
        assert!(said.contains("`/nowhere/mcc` did not start"), "{said}");
        let script = "grep -n out_ {in} /dev/null";
        let said = opening("sim:musa", &[("SUANZI_MUSA_CC", script)]);
        assert!(said.contains("wrote no {out}"), "{said}");
    } else {
        let required = std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_some();
        assert!(
            !required,
            "the simulator's library is not beside the program"
        );
        println!("did not run: no simulated device");
    }
}
