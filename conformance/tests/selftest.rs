//! The suite on devices that are wrong on purpose, on shards that are killed, on journals that are
//! damaged: each has to be reported as what it is.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const EXE: &str = env!("CARGO_BIN_EXE_suanzi-conformance");

fn conform(folder: &Path, args: &[&str]) -> Output {
    Command::new(EXE)
        .arg("conform")
        .args(["--report".as_ref(), folder.as_os_str()])
        .args(args)
        .env("SUANZI_CACHE_DIR", "off")
        .output()
        .expect("the command starts")
}

fn report(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("report.json")).expect("there is a report");
    serde_json::from_str(&text).expect("the report is JSON")
}

/// Runs a filter on a device, and returns the exit code and the report.
fn run(device: &str, filter: &str, more: &[&str]) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let mut args = vec!["--device", device, "--filter", filter];
    args.extend(more);
    let out = conform(folder.path(), &args);
    (out.status.code().unwrap_or(-1), report(folder.path()))
}

fn total(report: &Value, status: &str) -> u64 {
    report["devices"][0]["totals"][status].as_u64().unwrap()
}

/// Every case under a sabotage has this status, for a reason that contains `why`.
fn caught(kind: &str, filter: &str, status: &str, why: &str) {
    caught_on("cpu", kind, filter, status, why);
}

fn caught_on(device: &str, kind: &str, filter: &str, status: &str, why: &str) {
    // Only hangs are to time out, however busy the machine is.
    let timeout = if kind.starts_with("hang") { "2" } else { "60" };
    let device = format!("{device}+sabotage:{kind}");
    let (code, report) = run(&device, filter, &["--timeout", timeout]);
    assert_eq!(code, 1, "{kind}");
    let cases = report["devices"][0]["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        assert_eq!(case["status"], status, "{kind}: {case:#}");
        let detail = case["detail"].as_str().unwrap_or("");
        assert!(detail.contains(why), "{kind}: {detail}");
    }
}

#[test]
fn one_wrong_bit_is_caught() {
    caught(
        "ulp",
        "{add,sub}/f32/{1,2,17,1025}/contiguous/*",
        "failed",
        "is",
    );
    caught("ulp", "sum/i32/8193@all/*", "failed", "is");
    caught(
        "ulp",
        "cast/f64/*@{i32,f32,u8}/contiguous/special/*",
        "failed",
        "is",
    );
}

#[test]
fn results_in_the_wrong_place_are_caught() {
    caught(
        "shift",
        "add/f32/{17,255,4097}/contiguous/random/s1",
        "failed",
        "is",
    );
}

#[test]
fn an_unwritten_tail_is_caught() {
    caught(
        "tail",
        "add/*/1007/contiguous/random/s1",
        "failed",
        "was not written",
    );
    caught(
        "tail",
        "neg/i8/256/contiguous/all/s1",
        "failed",
        "was not written",
    );
}

#[test]
fn dropped_nans_are_caught() {
    caught(
        "nan",
        "{add,maximum}/f32/655/contiguous/special/s1",
        "failed",
        "not NaN",
    );
    caught(
        "nan",
        "max/f32/33x257@1/contiguous/special/s1",
        "failed",
        "not NaN",
    );
}

#[test]
fn overwritten_guards_are_caught() {
    let why = "a guard behind the result was overwritten";
    caught(
        "guard",
        "add/{f32,u8,f64}/1007/contiguous/random/s1",
        "failed",
        why,
    );
    caught("guard", "add/f32/5x6x7/rotated/random/s1", "failed", "");
    // Of a tensor that the operator itself allocated.
    let why = "memory behind";
    caught(
        "guard",
        "sum/i32/{33x257@1,257x33@0}/contiguous/*",
        "failed",
        why,
    );
    caught("guard", "abs/f32/2049/fresh/random/s1", "failed", why);
}

#[test]
fn changed_inputs_are_caught() {
    caught(
        "input",
        "{add,neg}/f32/4097/contiguous/*",
        "failed",
        "was changed",
    );
    caught(
        "input",
        "neg/f32/1025/contiguous/random/s1",
        "failed",
        "was changed",
    );
}

/// A few; `scripts/test` has enough of them to say what part is caught.
#[test]
fn mutants_are_caught() {
    let out = Command::new(EXE)
        .args(["mutants", "--each", "2", "--kinds", "barrier,tail"])
        .env("SUANZI_CACHE_DIR", "off")
        .output()
        .expect("the command starts");
    let text = String::from_utf8_lossy(&out.stdout);
    let lines: Vec<&str> = text.lines().collect();
    let [.., equivalent, last] = lines[..] else {
        panic!("{text}");
    };
    assert!(equivalent.contains(" equivalent, not counted: "), "{text}");
    assert_eq!(last, "4 mutants, 4 caught, 0 survived: none", "{text}");
    assert!(out.status.success(), "{text}");
    // A kind that does not exist is wrong usage.
    let out = Command::new(EXE)
        .args(["mutants", "--kinds", "mood"])
        .output();
    assert_eq!(out.unwrap().status.code(), Some(2));
}

/// The elementary functions do not depend on what a driver may do with products and sums.
#[test]
fn functions_survive_liberties_with_floats() {
    use suanzi_ops::table::{math, special, trigonometry};
    let rows = [math::ROWS, trigonometry::ROWS, special::ROWS];
    let names: Vec<&str> = rows.into_iter().flatten().map(|r| r.name).collect();
    assert!(names.len() > 25);
    let filter = format!("{{{}}}/{{f16,f32,f64}}/**/contiguous/*/s1", names.join(","));
    for liberty in ["contract", "reassociate"] {
        let (code, report) = run(&format!("cpu+sabotage:{liberty}"), &filter, &[]);
        let cases = report["devices"][0]["cases"].as_array().unwrap();
        let bad: Vec<&str> = cases
            .iter()
            .filter(|c| c["status"] != "passed")
            .map(|c| c["id"].as_str().unwrap())
            .collect();
        assert!(code == 0 && bad.is_empty(), "{liberty}: {bad:?}");
    }
}

#[test]
fn errors_of_a_driver_are_failures() {
    caught(
        "refuse",
        "add/f32/{1,2,3}/contiguous/*",
        "failed",
        "sabotaged",
    );
}

#[test]
fn a_crash_is_a_result_and_not_the_end() {
    caught("crash", "add/f32/{1,2,3}/contiguous/*", "crashed", "signal");
    // Only kernels of `mul` crash; what runs beside and after them does not suffer.
    let (code, report) = run(
        "cpu+sabotage:crash:mul",
        "{mul,add}/f32/{1,2,3,1023}/*",
        &[],
    );
    assert_eq!(code, 1);
    for case in report["devices"][0]["cases"].as_array().unwrap() {
        let expected = if case["op"] == "mul" {
            "crashed"
        } else {
            "passed"
        };
        assert_eq!(case["status"], expected, "{case:#}");
    }
}

#[test]
fn a_hang_is_a_result_and_not_the_end() {
    let more = ["--timeout", "1"];
    let (code, report) = run(
        "cpu+sabotage:hang:mul",
        "{mul,add}/f32/{2,3}/contiguous/*",
        &more,
    );
    assert_eq!(code, 1);
    assert_eq!((total(&report, "hung"), total(&report, "passed")), (2, 2));
}

#[test]
fn a_device_that_always_hangs_is_given_up_and_the_report_says_so() {
    let more = ["--timeout", "0.3"];
    let (code, report) = run("cpu+sabotage:hang", "add/f32/*", &more);
    assert_eq!(code, 1);
    assert_eq!(report["complete"], false);
    let missing = report["devices"][0]["missing"].to_string();
    assert!(
        missing.contains("in a row hung") && missing.contains("promised: add "),
        "{missing}"
    );
}

#[test]
fn a_killed_shard_is_one_crashed_case() {
    let folder = tempfile::tempdir().unwrap();
    // The case hangs, so that the shard certainly is at it when it is killed.
    let mut parent = Command::new(EXE)
        .args([
            "conform",
            "--device",
            "cpu+sabotage:hang:mul",
            "--timeout",
            "60",
        ])
        .args([
            "--filter",
            "{mul/f32/3,add/f32/2,add/f32/3}/contiguous/*",
            "--report",
        ])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let journal = || {
        let files = std::fs::read_dir(folder.path())
            .into_iter()
            .flatten()
            .flatten();
        let texts = files.filter_map(|f| std::fs::read_to_string(f.path()).ok());
        texts.map(|t| t.lines().count()).sum::<usize>()
    };
    // The header and the result of the first case: the next is `mul`, or `mul` was the first.
    let mut children = vec![];
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(300));
        children = children_of(parent.id());
        if journal() >= 3 && !children.is_empty() {
            break;
        }
    }
    // `add` runs before `mul` in the table, so that one case is left, and it hangs.
    for child in children {
        let _ = Command::new("kill")
            .args(["-9", &child.to_string()])
            .status();
    }
    assert_eq!(parent.wait().unwrap().code(), Some(1));
    let report = report(folder.path());
    assert_eq!(
        (total(&report, "crashed"), total(&report, "passed")),
        (1, 2),
        "{report:#}"
    );
    let cases = report["devices"][0]["cases"].as_array().unwrap();
    let crashed = cases.iter().find(|c| c["status"] == "crashed").unwrap();
    assert!(
        crashed["detail"].as_str().unwrap().contains("signal: 9"),
        "{crashed:#}"
    );
}

fn children_of(parent: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
    lists
        .flat_map(|l| {
            l.split_whitespace()
                .filter_map(|p| p.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_run_resumes_from_a_damaged_journal() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--device", "cpu", "--filter", "add/f32/*/contiguous/*"];
    let first = conform(folder.path(), &args);
    assert!(
        first.status.success(),
        "{}",
        String::from_utf8_lossy(&first.stdout)
    );
    let all = total(&report(folder.path()), "passed");
    let file = folder.path().join("journal-cpu.jsonl");
    let mut journal = std::fs::read(&file).unwrap();
    let middle = journal.len() / 2;
    journal[middle] ^= 0x20;
    journal.truncate(journal.len() - 9);
    std::fs::write(&file, journal).unwrap();
    let mut again = args.to_vec();
    again.push("--resume");
    let second = conform(folder.path(), &again);
    assert!(
        second.status.success(),
        "{}",
        String::from_utf8_lossy(&second.stderr)
    );
    let report = report(folder.path());
    assert_eq!(total(&report, "passed"), all);
    assert_eq!(report["devices"][0]["resumed"], all - 2);
}

#[test]
fn parts_are_all_cases_together() {
    let filter = "{abs,sum}/f32/*";
    let ids = |more: &[&str]| -> Vec<String> {
        let (code, report) = run("cpu", filter, more);
        assert_eq!(code, 0);
        let cases = report["devices"][0]["cases"].as_array().unwrap();
        let ids = cases.iter().map(|c| c["id"].as_str().unwrap().into());
        ids.collect()
    };
    let [all, first, second] = [&[][..], &["--part", "1/2"], &["--part", "2/2"]].map(ids);
    assert_eq!(first.len(), all.len().div_ceil(2));
    let mut both: Vec<String> = [first, second].concat();
    both.sort();
    let mut all = all;
    all.sort();
    assert_eq!(both, all);
    let folder = tempfile::tempdir().unwrap();
    let out = conform(folder.path(), &["--device", "cpu", "--part", "3/2"]);
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn the_report_is_what_others_rely_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = conform(
        folder.path(),
        &["--device", "cpu", "--filter", "{abs,sum}/f32/*"],
    );
    let stdout = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{stdout}");
    assert!(
        stdout.contains("passed") && stdout.contains("report.html"),
        "{stdout}"
    );
    let report = report(folder.path());
    let device = &report["devices"][0];
    assert!(device["name"].is_string() && device["driver"].is_string());
    let totals = device["totals"].as_object().unwrap();
    let names: Vec<&String> = totals.keys().collect();
    for name in [
        "passed",
        "failed",
        "crashed",
        "hung",
        "unsupported",
        "mistrusted",
    ] {
        assert!(totals[name].is_u64());
    }
    assert_eq!(names.len(), 6);
    let cases = device["cases"].as_array().unwrap();
    assert_eq!(
        cases.len() as u64,
        totals.values().map(|v| v.as_u64().unwrap()).sum::<u64>()
    );
    for case in cases {
        for text in ["op", "dtype", "status", "unit", "repro"] {
            assert!(case[text].is_string(), "{text}: {case:#}");
        }
        assert!(
            case["limit"].is_number() && (case["error"].is_number() || case["error"].is_null())
        );
    }
    // The reproduction line runs the case that it stands with.
    let repro = cases[0]["repro"].as_str().unwrap();
    let id = repro.split('\'').nth(3).unwrap();
    let again = tempfile::tempdir().unwrap();
    assert!(
        conform(again.path(), &["--device", "cpu", "--filter", id])
            .status
            .success()
    );

    let html = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(
        html.contains("conformant") && !html.contains("http"),
        "it needs no network"
    );
    let xml = std::fs::read_to_string(folder.path().join("report.xml")).unwrap();
    assert_eq!(xml.matches("<testcase ").count(), cases.len());
    assert_eq!(
        xml.matches("<testsuite ").count(),
        xml.matches("</testsuite>").count()
    );
}

#[test]
fn a_baseline_tells_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let filter = ["--filter", "{add,mul}/f32/{16,17}/contiguous/*"];
    let run = |device: &str, more: &[&str]| {
        let mut args = vec!["--device", device];
        args.extend(filter);
        args.extend(more);
        conform(folder.path(), &args)
    };
    assert!(run("cpu", &[]).status.success());
    // The baseline may be the report that this run replaces.
    let old = folder.path().join("report.json");
    let old = old.to_str().unwrap();
    let out = run("cpu+sabotage:ulp:mul", &["--baseline", old]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(1));
    assert!(text.contains("since the baseline: 2 changes"), "{text}");
    assert!(text.contains("broken: passed -> failed"), "{text}");
    let out = run("cpu", &["--baseline", old]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success() && text.contains("mended: failed -> passed"),
        "{text}"
    );
    let out = run("cpu", &["--baseline", old]);
    assert!(String::from_utf8_lossy(&out.stdout).contains("since the baseline: 0 changes"));
}

#[test]
fn wrong_usage_is_two_and_leaves_no_report() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "{}").unwrap();
    let file = file.to_str().unwrap();
    let below = format!("{file}/below");
    let add = ["--device", "cpu", "--filter", "add/f32/1/*"];
    let with = |more: &[&'static str]| [&add[..], more].concat();
    for (args, says) in [
        (vec!["--device", "abacus:0"], "abacus:0"),
        (vec!["--device", "cpu+sabotage:mood"], "there are"),
        (
            vec!["--device", "cpu", "--filter", "frobnicate/*"],
            "no case matches",
        ),
        (vec!["--device", "cpu", "--filter", "{"], "no pattern"),
        (
            vec!["--device", "cpu", "--baseline", "/does/not/exist"],
            "/does/not/exist",
        ),
        (vec!["--device", "cpu", "--baseline", file], "no report"),
        (with(&["--timeout", "0"]), "--timeout"),
        (with(&["--profile", "huge"]), "huge"),
        ([&add[..], &["--report", &below]].concat(), "cannot write"),
    ] {
        let out = Command::new(EXE)
            .arg("conform")
            .args(&args)
            .current_dir(folder.path())
            .output();
        let out = out.unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    }
    assert!(
        !folder
            .path()
            .join("target/conformance/report.json")
            .exists()
    );
}
