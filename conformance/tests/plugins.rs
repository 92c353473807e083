//! Devices that come as plugins: the simulator, a plugin in C that a C compiler built against the header
//! alone, and that plugin broken on purpose. Each wrongness has to be reported as what it is, and the
//! run has to finish.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use suanzi_backends::vendor::Engine;
use suanzi_backends::{Context, Settings, plugin, registry};
use suanzi_ops::{Tensor, ops};

const EXE: &str = env!("CARGO_BIN_EXE_suanzi-conformance");
const BACKENDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../backends");

/// Elementwise, reduction, layout, index and matrix operators: every skeleton.
const EACH_SKELETON: &str = "{add,exp,sum,argmax,cumsum,sort,histogram,matmul,gather,permute,native_exp,native_log2,native_rsqrt,native_sinpi}/{f32,f16,i64}/*/contiguous/*/s1";

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
    conform_by("generated", plugins, filter, more)
}

/// As `engine` of `SUANZI_ENGINE` has it.
fn conform_by(engine: &str, plugins: &[&Path], filter: &str, more: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(EXE);
    command.args(["conform", "--filter", filter, "--report"]);
    command
        .arg(folder.path())
        .args(more)
        .env("SUANZI_CACHE_DIR", folder.path().join("cache"))
        .env("SUANZI_ENGINE", engine);
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

/// Convolutions, and elementwise functions over whole tensors of f32.
const LIBRARY: &str = "{conv,relu,add}/{f32,f64}/*/s1";

/// A fact of the report about its first device.
fn fact<'a>(run: &'a Run, name: &str) -> &'a str {
    let caps = run.report["devices"][0]["caps"].as_array().unwrap();
    let mut found = caps.iter().filter(|pair| pair[0] == name);
    found.next().unwrap()[1].as_str().unwrap()
}

#[test]
fn a_plugins_library_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = built(folder.path(), "c-plugin/plugin.c", None);
    let run = conform_by("vendor", &[&plugin], LIBRARY, &[]);
    passes(&run, &["c:0"]);
    assert_eq!(fact(&run, "engine of layers"), "c 1");
    let run = conform(&[&plugin], "relu/f32/2/*", &[]);
    assert_eq!(fact(&run, "engine of layers"), "generated");
}

/// The log says whose work it was: the library's where it does what is asked, else the generator's.
#[test]
fn the_log_names_a_plugins_library() {
    let folder = tempfile::tempdir().unwrap();
    let library = built(folder.path(), "c-plugin/plugin.c", None);
    plugin::add(&[library]);
    let device = registry::open("c:0").unwrap();
    let settings = Settings {
        engine: Engine::Vendor,
        ..Settings::default()
    };
    let ctx = Context::with_settings(device, settings);
    let tensor = |shape: &[usize]| {
        let values = vec![1.5f32; shape.iter().product()];
        Tensor::from_slice(&ctx, shape, &values).unwrap()
    };
    let (x, w, bias) = (tensor(&[1, 2, 3, 3]), tensor(&[2, 2, 2, 2]), tensor(&[2]));
    let engines = |work: &dyn Fn() -> Tensor| {
        let (result, log) = ctx.trace(work);
        let engines: Vec<String> = log
            .iter()
            .map(|d| format!("{} {}", d.op, d.engine))
            .collect();
        (result.to_vec::<f32>().unwrap(), engines)
    };
    let plain = ops::Convolution::default();
    let (y, log) = engines(&|| ops::conv(&x, &w, None, &plain).unwrap());
    assert_eq!((y, &log[..]), (vec![18.0; 8], &["conv c 1".into()][..]));
    // The bias is there before the library adds to it.
    let (y, log) = engines(&|| ops::conv(&x, &w, Some(&bias), &plain).unwrap());
    assert_eq!(
        (y, log.last().unwrap().as_str()),
        (vec![19.5; 8], "conv c 1")
    );
    let (_, log) = engines(&|| ops::relu(&x).unwrap().eval().unwrap());
    assert_eq!(log, ["relu c 1"]);
    let (y, log) = engines(&|| ops::add(&x, &x).unwrap().eval().unwrap());
    assert_eq!((y, &log[..]), (vec![3.0; 18], &["add c 1".into()][..]));
    // What is more than one operator, or broadcasts, or is none of the library's, is generated.
    let (_, log) = engines(&|| {
        ops::relu(ops::add(&x, &x).unwrap())
            .unwrap()
            .eval()
            .unwrap()
    });
    assert_eq!(log, ["relu generated"]);
    let (_, log) = engines(&|| ops::add(&x, 1.0).unwrap().eval().unwrap());
    assert_eq!(log, ["add generated"]);
    let (_, log) = engines(&|| ops::exp(&x).unwrap().eval().unwrap());
    assert_eq!(log, ["exp generated"]);
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

/// A library that is wrong is found as a kernel is: it fails where it is asked, and only there.
#[test]
fn a_plugins_wrong_library_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = built(folder.path(), "broken-plugin/broken.c", Some("LIBRARY"));
    let filter = "{add/f32/2,add/f32/17,conv/f32/1x2x5x4@T*}/*/s1";
    let run = conform_by("vendor", &[&plugin], filter, &[]);
    let cases = run.report["devices"][0]["cases"].as_array().unwrap();
    let with = |op: &str, status: &str| {
        let has = |case: &&Value| case["op"] == op && case["status"] == status;
        cases.iter().filter(has).count()
    };
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        with("conv", "failed") > 0 && with("add", "passed") > 0,
        "{cases:#?}"
    );
    assert_eq!(
        with("conv", "failed") + with("add", "passed"),
        cases.len(),
        "{cases:#?}"
    );
    let run = conform(&[&plugin], filter, &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
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
