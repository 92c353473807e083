//! `suanzi devices`: what can be used here, and why the rest cannot.

use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;
use suanzi::backends::registry::{self, Found};
use suanzi::backends::{Device, Result};

#[derive(clap::Args)]
pub struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
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
    denormals_f32: bool,
    exact_division: bool,
    emulated: Vec<String>,
    lacking: Vec<String>,
}

#[derive(Serialize)]
struct Report {
    devices: Vec<Row>,
    /// Why other backends are not usable.
    absent: Vec<String>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let report = Report::new(&registry::discover());
    let text = match args.json {
        true => serde_json::to_string_pretty(&report).expect("plain data") + "\n",
        false => report.table(),
    };
    // A reader that goes away (`| head`) is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
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
            denormals_f32: caps.denormals_f32,
            exact_division: caps.exact_division,
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
        }
    }

    fn table(&self) -> String {
        let mut lines = vec![["id", "name", "driver", "kind", "units", "memory"].map(String::from)];
        lines.extend(self.devices.iter().map(|d| {
            [
                d.id.clone(),
                d.name.clone(),
                d.driver.clone(),
                d.kind.into(),
                d.compute_units.to_string(),
                format!("{:.1} GiB", d.memory_bytes as f64 / f64::from(1 << 30)),
            ]
        }));
        let width = |column: usize| {
            let cells = lines.iter().map(|l| l[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
        let mut text = String::new();
        for (n, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(&widths) {
                text += &format!("{cell:width$}  ");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
            let Some(device) = n.checked_sub(1).map(|n| &self.devices[n]) else {
                continue;
            };
            let notes = [("emulated", &device.emulated), ("lacking", &device.lacking)];
            for (name, list) in notes.iter().filter(|(_, list)| !list.is_empty()) {
                let indent = widths[0] + 2;
                text += &format!("{:indent$}{name}: {}\n", "", list.join(", "));
            }
        }
        for reason in &self.absent {
            text += &format!("not usable: {reason}\n");
        }
        text
    }
}
