//! The child process: opens one device, reads case ids from its standard input, and answers each
//! with a result on its standard output. It keeps nothing: whatever happens to it concerns the
//! one case that it was running.
//!
//! Answers are lines of JSON behind [`MARK`], because drivers print to standard output too.

use crate::case::Case;
use crate::exec::Bench;
use crate::result::CaseResult;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::sync::mpsc;
use suanzi_backends::registry;

/// In front of every line that is meant for the parent.
pub const MARK: &str = "@suanzi ";

/// What a shard says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// First: the device is open.
    Device(Facts),
    /// First: the device is not to be had, and why.
    Error(String),
    /// Of a shard that was asked for them: the devices there are, and why others are not.
    Devices {
        /// Names that pick them.
        ids: Vec<String>,
        /// Reasons.
        absent: Vec<String>,
    },
    /// A case was run.
    Result(Box<CaseResult>),
}

/// Who a device is: what a report starts with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// What picks it.
    pub id: String,
    /// The driver's name for it.
    pub name: String,
    /// Driver name and version.
    pub driver: String,
    /// Cpu, gpu or interpreter.
    pub kind: String,
    /// How many of them may run side by side.
    pub shards: usize,
    /// Whether f32 denormals survive arithmetic.
    pub denormals_f32: bool,
    /// What it can do, in words.
    pub caps: Vec<(String, String)>,
}

impl Facts {
    fn of(bench: &Bench) -> Facts {
        let device = bench.context().device();
        let (info, caps) = (device.info(), device.caps());
        let yes = |b: bool| if b { "yes" } else { "no" }.to_string();
        let support = |s| format!("{:?}", caps.target.support(s)).to_lowercase();
        let mut list = vec![("kind".to_string(), format!("{:?}", caps.kind))];
        for (name, scalar) in [
            ("8-bit integers", suanzi_ops::Scalar::I8),
            ("16-bit integers", suanzi_ops::Scalar::I16),
            ("64-bit integers", suanzi_ops::Scalar::I64),
            ("f16", suanzi_ops::Scalar::F16),
            ("bf16", suanzi_ops::Scalar::Bf16),
            ("f64", suanzi_ops::Scalar::F64),
        ] {
            list.push((name.into(), support(scalar)));
        }
        list.extend([
            ("compute units".into(), caps.compute_units.to_string()),
            ("largest work-group".into(), caps.max_workgroup.to_string()),
            ("shared memory".into(), format!("{} B", caps.shared_bytes)),
            ("memory".into(), format!("{} MiB", caps.memory_bytes >> 20)),
            (
                "subgroups".into(),
                caps.subgroup
                    .map_or("none".into(), |(lo, hi)| format!("{lo} to {hi} lanes")),
            ),
            ("f32 denormals kept".into(), yes(caps.denormals_f32)),
            ("exact division".into(), yes(caps.exact_division)),
        ]);
        if !caps.emulated.is_empty() {
            list.push(("emulated".into(), caps.emulated.join("; ")));
        }
        let engine = bench.context().blas();
        let engine = engine.map_or("generated", |blas| blas.name()).to_string();
        list.push(("engine of matrix products".into(), engine));
        let engine = bench.context().dnn();
        let engine = engine.map_or("generated", |dnn| dnn.name()).to_string();
        list.push(("engine of layers".into(), engine));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = match caps.kind {
            suanzi_backends::DeviceKind::Gpu => 2,
            // References and inputs are the larger part of a case; they run on one core each.
            _ => cores.clamp(1, 8),
        };
        Facts {
            id: info.id.clone(),
            name: info.name.clone(),
            driver: info.driver.clone(),
            kind: format!("{:?}", caps.kind).to_lowercase(),
            shards,
            denormals_f32: caps.denormals_f32,
            caps: list,
        }
    }
}

/// Serves cases until standard input ends. False where the device or a case was not to be had, or
/// the device was lost.
pub fn serve(device: &str) -> bool {
    let bench = match Bench::open(device) {
        Ok(bench) => bench,
        Err(what) => {
            say(&Answer::Error(what));
            return false;
        }
    };
    if !say(&Answer::Device(Facts::of(&bench))) {
        return false;
    }
    let (send, cases) = mpsc::channel::<String>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if !line.is_ok_and(|line| send.send(line).is_ok()) {
                break;
            }
        }
        // The parent is done, or gone: a hung case must not outlive it.
        std::process::exit(0);
    });
    for id in cases {
        let Some(case) = Case::parse(&id) else {
            say(&Answer::Error(format!("`{id}` is no case")));
            return false;
        };
        let result = bench.run(&case);
        let lost = result.lost;
        if !say(&Answer::Result(Box::new(result))) || lost {
            return false;
        }
    }
    true
}

/// Answers with the devices there are, or those of plugins alone.
pub fn list(plugins: bool) -> bool {
    let found = match plugins {
        true => registry::discover_plugins(),
        false => registry::discover(),
    };
    let all = found.devices.iter().map(|d| d.info());
    // Simulated devices take long, and are run where they are asked for.
    let mut ids: Vec<String> = all
        .filter(|i| i.backend != "sim")
        .map(|i| i.id.clone())
        .collect();
    // What needs no driver first: it says whether the suite itself is in order.
    ids.sort_by_key(|id| id != "cpu");
    let absent = found.absent.iter().map(|e| e.to_string()).collect();
    say(&Answer::Devices { ids, absent })
}

fn say(answer: &Answer) -> bool {
    let Ok(json) = serde_json::to_string(answer) else {
        return false;
    };
    let mut out = std::io::stdout().lock();
    // On a line of its own, whatever a driver printed before.
    writeln!(out, "\n{MARK}{json}")
        .and_then(|()| out.flush())
        .is_ok()
}
