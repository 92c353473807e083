//! The command, as a shell sees it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use suanzi::ops::table::{Kind, Limit};

fn suanzi(args: &[&str], log: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_suanzi"));
    command.args(args).env("SUANZI_LOG", log);
    command.output().expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn devices_lists_the_built_in_one() {
    let table = suanzi(&["devices"], "");
    assert_eq!(table.status.code(), Some(0));
    let table = text(&table.stdout);
    assert!(table.starts_with("id "), "{table}");
    assert!(
        table
            .lines()
            .any(|l| l.starts_with("cpu ") && l.contains("interpreter")),
        "{table}"
    );

    let json = suanzi(&["devices", "--json"], "");
    assert_eq!(json.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let devices = json["devices"].as_array().expect("a list");
    let cpu = devices.iter().find(|d| d["id"] == "cpu").expect("cpu");
    assert_eq!(cpu["kind"], "interpreter");
    assert!(cpu["memory_bytes"].as_u64() > Some(1 << 20));
    // Each device was in the table, too.
    for device in devices {
        let name = device["name"].as_str().expect("a name");
        assert!(table.contains(name), "{name} is not in {table}");
    }
}

#[test]
fn wrong_usage_is_2() {
    let show = |dtype, dialect| ["show", "add", "--dtype", dtype, "--dialect", dialect];
    for args in [
        &[][..],
        &["nonsense"],
        &["devices", "--nonsense"],
        &["show"],
        &show("f31", "cuda"),
        &show("f32", "fortran"),
    ] {
        let output = suanzi(args, "");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let stderr = text(&output.stderr);
        assert!(
            stderr.contains("Usage") || stderr.contains("possible"),
            "{stderr}"
        );
    }
    for (args, says) in [
        (["show", "ad"], "did you mean add"),
        (["show", "popcount"], "f32"),
    ] {
        let output = suanzi(&args, "");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            text(&output.stderr).contains(says),
            "{}",
            text(&output.stderr)
        );
    }
    let output = suanzi(&["devices"], "a=b=c");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("SUANZI_LOG"));
}

#[test]
fn show_prints_every_dialect() {
    for (dialect, mark) in [
        ("opencl", "__kernel"),
        ("cuda", "__global__"),
        ("hip", "__global__"),
        ("wgsl", "@compute"),
        ("spirv", "OpEntryPoint GLCompute"),
    ] {
        for dtype in ["f32", "f16", "i64", "u8"] {
            let args = ["show", "add", "--dtype", dtype, "--dialect", dialect];
            let output = suanzi(&args, "");
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            let source = text(&output.stdout);
            assert!(source.contains(mark), "{mark} is not in {source}");
        }
    }
}

/// A dialect of a file is printed as one that is built in; what is wrong with it is said.
#[test]
fn show_reads_a_dialect() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chip.toml");
    let file = file.to_str().unwrap();
    let args = ["show", "add", "--dialect", file];
    std::fs::write(file, "base = 'cuda'\nkernel = '__entry__ void $k'\n").unwrap();
    let output = suanzi(&args, "");
    let source = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(source.contains("__entry__ void map_add"), "{source}");
    std::fs::write(file, "base = 'cuda'\nbarier = ''\n").unwrap();
    let wrong = suanzi(&args, "");
    let none = suanzi(&["show", "add", "--dialect", "none.toml"], "");
    for (output, says) in [(wrong, "barier"), (none, "No such file")] {
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
}

#[test]
fn show_prints_every_operator() {
    for row in suanzi::ops::table::rows() {
        for dialect in ["opencl", "wgsl"] {
            // What stands on several kernels is refused, and so is a function of its own that a
            // dialect does not have.
            let expected = match row.kind {
                Kind::Call(_) => 2,
                _ if (row.limit)(row.dtypes[0]) == Limit::Measured && dialect == "wgsl" => continue,
                _ => 0,
            };
            let args = [
                "show",
                row.name,
                "--dtype",
                row.dtypes[0].name(),
                "--dialect",
                dialect,
            ];
            let output = suanzi(&args, "");
            assert_eq!(
                output.status.code(),
                Some(expected),
                "{args:?}: {}",
                text(&output.stderr)
            );
            assert!(expected != 0 || output.stdout.len() > 100, "{args:?}");
        }
    }
}

/// What a search has found stays where it is killed, and the next one goes on from there.
#[test]
fn an_interrupted_search_goes_on() {
    let found = text(&suanzi(&["devices"], "").stdout);
    if !found.lines().any(|l| l.starts_with("opencl:0 ")) {
        assert!(
            std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_none(),
            "{found}"
        );
        eprintln!("not run: no opencl:0");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let tune = |minutes: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_suanzi"));
        command
            .args(["tune", "--device", "opencl:0", "--dtype", "f32"])
            .args(["--minutes", minutes])
            .env("SUANZI_CACHE_DIR", folder.path());
        command
    };
    let mut first = tune("0.5")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let output = first.stdout.take().expect("its output");
    let line = BufReader::new(output).lines().next().expect("a line");
    let line = line.expect("a text");
    assert!(line.starts_with("contract f32 "), "{line}");
    first.kill().expect("it is killed");
    first.wait().expect("it ends");

    let second = tune("0.01").output().expect("the command starts");
    let second_output = text(&second.stdout);
    assert_eq!(second.status.code(), Some(0), "{}", text(&second.stderr));
    let mut lines = second_output.lines();
    let before = lines.next().expect("a line");
    assert!(
        before.contains("classes were tuned before"),
        "{second_output}"
    );
    let (class, _) = line.split_once(':').expect("a class");
    let again = lines.filter(|l| l.starts_with(class)).count();
    assert_eq!(again, 1, "{second_output}");
}
