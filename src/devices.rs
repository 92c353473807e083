//! `suanzi devices`: what can be used here, and why the rest cannot.

use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use suanzi::backends::registry::{self, Found};
use suanzi::backends::{Device, plugin, probe, vendors};

#[derive(clap::Args)]
pub struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// A device plugin to load; may be repeated, and `SUANZI_PLUGINS` names more.
    #[arg(long = "plugin", value_name = "FILE")]
    plugins: Vec<PathBuf>,
}

/// One device, as `--json` prints it.
#[derive(Serialize)]
struct Row {
    id: String,
    backend: &'static str,
    name: String,
    driver: String,
    kind: &'static str,
    compute_units: u32,
    memory_bytes: u64,
    max_alloc: u64,
    max_workgroup: u32,
    shared_bytes: u32,
    subgroup: Option<(u32, u32)>,
    host: bool,
    denormals_f32: bool,
    exact_division: bool,
    /// What a probe found, or why it failed.
    arithmetic: String,
    emulated: Vec<String>,
    lacking: Vec<String>,
}

#[derive(Serialize)]
struct Report {
    devices: Vec<Row>,
    /// Why other backends are not usable.
    absent: Vec<String>,
    /// Vendors of CUDA-like devices, and how far each was verified.
    vendors: Vec<VendorRow>,
}

/// A vendor of CUDA-like devices, as `--json` prints it.
#[derive(Serialize)]
struct VendorRow {
    name: &'static str,
    title: &'static str,
    label: &'static str,
    evidence: &'static str,
}

pub fn run(args: &Args) -> ExitCode {
    plugin::add(&args.plugins);
    let report = Report::new(&registry::discover());
    let text = match args.json {
        true => serde_json::to_string_pretty(&report).expect("plain data") + "\n",
        false => report.table(),
    };
    // A reader that goes away (`| head`) is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

impl Row {
    fn new(device: &dyn Device) -> Row {
        let (info, caps) = (device.info().clone(), device.caps());
        Row {
            id: info.id,
            backend: info.backend,
            name: info.name,
            driver: info.driver,
            kind: caps.kind.name(),
            compute_units: caps.compute_units,
            memory_bytes: caps.memory_bytes,
            max_alloc: caps.max_alloc,
            max_workgroup: caps.max_workgroup,
            shared_bytes: caps.shared_bytes,
            subgroup: caps.subgroup,
            host: caps.host,
            denormals_f32: caps.denormals_f32,
            exact_division: caps.exact_division,
            arithmetic: match probe::measure(device) {
                Ok(found) => found.words(caps.target.fused_fma),
                Err(error) => error.to_string(),
            },
            emulated: caps.emulated.clone(),
            lacking: caps.lacking(),
        }
    }
}

impl Report {
    fn new(found: &Found) -> Report {
        Report {
            devices: found.devices.iter().map(|d| Row::new(&**d)).collect(),
            absent: found.absent.iter().map(ToString::to_string).collect(),
            vendors: vendors::ALL
                .iter()
                .map(|v| VendorRow {
                    name: v.name,
                    title: v.title,
                    label: v.label.name(),
                    evidence: v.evidence,
                })
                .collect(),
        }
    }

    fn table(&self) -> String {
        let head = ["id", "name", "kind", "units", "memory"].map(String::from);
        let cells = self.devices.iter().map(|d| {
            [
                d.id.clone(),
                d.name.clone(),
                d.kind.into(),
                d.compute_units.to_string(),
                format!("{:.1} GiB", d.memory_bytes as f64 / f64::from(1 << 30)),
            ]
        });
        let lines: Vec<_> = std::iter::once(head).chain(cells).collect();
        let width = |column: usize| {
            let cells = lines.iter().map(|l| l[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
        let line = |cells: &[String]| {
            let pad = |(cell, width): (&String, &usize)| format!("{cell:width$}");
            let padded: Vec<_> = cells.iter().zip(&widths).map(pad).collect();
            format!("{}\n", padded.join("  ").trim_end())
        };
        let mut text = line(&lines[0]);
        let indent = widths[0] + 2;
        for (cells, device) in lines[1..].iter().zip(&self.devices) {
            text += &line(cells);
            let notes = [
                ("driver", device.driver.clone()),
                ("f32 arithmetic", device.arithmetic.clone()),
                ("emulated", device.emulated.join(", ")),
                ("lacking", device.lacking.join(", ")),
            ];
            for (name, note) in notes.iter().filter(|(_, note)| !note.is_empty()) {
                text += &format!("{:indent$}{name}: {note}\n", "");
            }
        }
        for reason in &self.absent {
            text += &format!("{reason}\n");
        }
        text += "vendors' backends, and how far each was verified:\n";
        for v in &self.vendors {
            text += &format!("  {:8}{:20}{:20}{}\n", v.name, v.title, v.label, v.evidence);
        }
        text
    }
}
