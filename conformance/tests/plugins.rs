//! Devices that come as plugins: the simulator, a plugin in C that a C compiler built against the header
//! alone, and that plugin broken on purpose. Each wrongness has to be reported as what it is, and the
//! run has to finish.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const EXE: &str = env!("CARGO_BIN_EXE_suanzi-conformance");
const BACKENDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../backends");

/// Elementwise, reduction, layout, index and matrix operators: every skeleton.
const EACH_SKELETON: &str = "{add,exp,sum,argmax,cumsum,sort,histogram,matmul,gather,permute}/{f32,f16,i64}/*/contiguous/*/s1";

/// Builds a plugin of `backends/examples`; `broken` says how.
fn built(folder: &Path, source: &str, broken: Option<&str>) -> PathBuf {
    let library = folder.join("libplugin.so");
    let out = Command::new("cc")
        .args([
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fPIC",
            "-shared",
        ])
        .args(broken.map(|how| format!("-DBROKEN={how}")))
        .args(["-I", &format!("{BACKENDS}/abi/include")])
        .arg(format!("{BACKENDS}/examples/{source}"))
        .arg("-o")
        .arg(&library)
        .arg("-ldl")
        .output()
        .expect("a C compiler");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    library
}

/// The simulator, which Cargo built beside this test.
fn simulator() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    test.with_file_name("libsuanzi_sim.so")
}

struct Run {
    code: i32,
    report: Value,
    stderr: String,
}

fn conform(plugins: &[&Path], filter: &str, more: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(EXE);
    command.args(["conform", "--filter", filter, "--report"]);
    command
        .arg(folder.path())
        .args(more)
        .env("SUANZI_CACHE_DIR", folder.path().join("cache"));
    for plugin in plugins {
        command.arg("--plugin").arg(plugin);
    }
    let Output { status, stderr, .. } = command.output().expect("the command starts");
    let report = std::fs::read_to_string(folder.path().join("report.json"));
    Run {
        code: status.code().unwrap_or(-1),
        report: report.map_or(Value::Null, |text| {
            serde_json::from_str(&text).expect("JSON")
        }),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Everything passed on these devices.
fn passes(run: &Run, devices: &[&str]) {
    let found: Vec<&str> = run.report["devices"].as_array().map_or(vec![], |all| {
        all.iter().filter_map(|d| d["id"].as_str()).collect()
    });
    assert_eq!(found, devices, "{}", run.stderr);
    for device in run.report["devices"].as_array().unwrap() {
        let totals = &device["totals"];
        let passed = totals["passed"].as_u64().unwrap();
        let bad = ["failed", "crashed", "hung", "mistrusted"].map(|s| totals[s].as_u64().unwrap());
        assert!(
            passed > 40 && bad == [0; 4],
            "{}: {totals}\n{}",
            device["id"],
            run.stderr
        );
    }
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn a_plugin_in_c_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = built(folder.path(), "c-plugin/plugin.c", None);
    let run = conform(&[&plugin], EACH_SKELETON, &[]);
    passes(&run, &["c:0"]);
    assert_eq!(run.report["devices"][0]["name"], "The C compiler");
}

#[test]
fn the_simulator_conforms_at_every_width() {
    let run = conform(&[&simulator()], EACH_SKELETON, &[]);
    passes(&run, &["simulator:0", "simulator:1", "simulator:2"]);
}

/// What runs is wrong: the cases of `mul` say how, and the others pass.
#[test]
fn plugins_that_go_wrong_are_results() {
    for (how, status, why) in [
        ("WRONG", "failed", ""),
        ("HANGS", "hung", "no answer"),
        ("CRASHES", "crashed", "signal: 6"),
        ("FAULTS", "failed", "illegal address 0x1234"),
        ("LOSES", "failed", "it fell off the bus"),
        (
            "NO_STATUS",
            "failed",
            "it returned 4711, which is no status",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let plugin = built(folder.path(), "broken-plugin/broken.c", Some(how));
        let run = conform(
            &[&plugin],
            "{mul,add}/f32/{2,17}/contiguous/random/s1",
            &["--timeout", "10"],
        );
        assert_eq!(run.code, 1, "{how}: {}", run.stderr);
        let cases = run.report["devices"][0]["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 4, "{how}");
        for case in cases {
            let suffers = case["op"] == "mul";
            let expected = if suffers { status } else { "passed" };
            assert_eq!(case["status"], expected, "{how}: {case:#}");
            let detail = case["detail"].as_str().unwrap_or("");
            assert!(!suffers || detail.contains(why), "{how}: {detail}");
        }
    }
}

/// What a plugin says of itself cannot be: there is no device, the reason is given, and a sound plugin
/// beside it runs.
#[test]
fn plugins_that_lie_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let sound = built(folder.path(), "c-plugin/plugin.c", None);
    for (how, why) in [
        (
            "VERSION",
            "speaks version 7 of the plugin ABI, and this library version 1",
        ),
        ("SMALL", "has a table of 16 bytes"),
        ("NO_FUNCTION", "lacks functions: sync"),
        ("NO_NAME", "is called `Broken!`"),
        ("NOT_UTF8", "has a name that is not UTF-8"),
        ("LIES", "work-groups of at most 0 work-items"),
        ("NO_DIALECT", "there is no key `barier`"),
        ("LOADS_NOT", "signal: 6"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let plugin = built(folder.path(), "broken-plugin/broken.c", Some(how));
        let run = conform(
            &[&plugin, &sound],
            "add/f32/{2,17}/contiguous/random/s1",
            &[],
        );
        // What was asked for is not there.
        assert_eq!(run.code, 1, "{how}: {}", run.stderr);
        let reasons = run.report["absent"].to_string();
        for text in [&reasons, &run.stderr] {
            assert!(
                text.contains(why) && text.contains("libplugin.so"),
                "{how}: {text}"
            );
        }
        let device = &run.report["devices"][0];
        assert_eq!(
            (device["id"].as_str(), device["totals"]["passed"].as_u64()),
            (Some("c:0"), Some(2))
        );
        // Alone it leaves nothing to run.
        let alone = conform(&[&plugin], "add/f32/2/contiguous/random/s1", &[]);
        assert!(
            alone.code == 1 && alone.stderr.contains(why),
            "{how}: {}",
            alone.stderr
        );
    }
}

/// Opened it is, and its first allocation is none.
#[test]
fn memory_that_is_none_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = built(folder.path(), "broken-plugin/broken.c", Some("NO_MEMORY"));
    let run = conform(&[&plugin], "add/f32/2/contiguous/random/s1", &[]);
    let case = &run.report["devices"][0]["cases"][0];
    let why = "gave no memory for";
    assert!(
        case["detail"].to_string().contains(why),
        "{case:#} {}",
        run.stderr
    );
    assert_eq!((case["status"].as_str(), run.code), (Some("failed"), 1));
}

#[test]
fn what_is_no_plugin_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.so");
    std::fs::write(&text, "not a library").unwrap();
    let run = conform(&[&text], "add/f32/2/*", &[]);
    assert!(
        run.code == 1 && run.stderr.contains("text.so cannot be loaded"),
        "{}",
        run.stderr
    );
    let run = conform(&[&folder.path().join("none.so")], "add/f32/2/*", &[]);
    assert!(
        run.code == 1 && run.stderr.contains("none.so is not there"),
        "{}",
        run.stderr
    );
}
