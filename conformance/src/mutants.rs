//! The command `suanzi mutants`: can the suite be trusted? Kernels are given one mistake each
//! ([`crate::mutation`]), and the cases of their operator in the smoke profile have to notice.
//!
//! Which operators and which places is drawn from a seed. A mistake that cannot be made in any of an
//! operator's kernels is no mutant, and another operator is drawn. A mutant is caught by the first
//! case that does not pass, be it wrong, crashed or hung.

use crate::case::Case;
use crate::child::{Shard, Silence};
use crate::mutation::{KINDS, Kind, Mutation};
use crate::plan::{self, Profile};
use crate::rng::Rng;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;
use suanzi_backends::DeviceKind;
use suanzi_ops::table::{self, Limit, Row};

/// Mutate kernels, and see whether the smoke profile notices.
#[derive(Debug, clap::Args)]
pub struct MutantsArgs {
    /// A device, as `suanzi devices` names it; may be repeated
    #[arg(long = "device", value_name = "D", default_value = "cpu")]
    pub devices: Vec<String>,
    /// Mutants of each kind
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub each: usize,
    /// Only these kinds of mistake: index, barrier, swap, tail, identity, round, shift, special
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// Draws other operators and other places
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seconds that one case may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    pub timeout: f64,
}

/// The part of the mutants that must be caught.
const ENOUGH: f64 = 0.95;

/// Cases of each dtype after which an operator has shown that a mistake cannot be made in it.
const ROUNDS: usize = 2;

/// How a mutant ended.
enum End {
    /// By this case, in this way.
    Caught(String),
    Survived,
    /// The mistake cannot be made in the operator's kernels.
    Impossible,
}

/// Mutants, by name.
#[derive(Default)]
struct Tally {
    caught: usize,
    survived: Vec<String>,
}

/// Runs the command: 0 where enough mutants are caught, 1 where not, 2 for wrong usage.
pub fn run(args: &MutantsArgs) -> ExitCode {
    match hunt(args) {
        Ok(tally) => {
            let survivors = match tally.survived.is_empty() {
                true => "none".into(),
                false => tally.survived.join(" "),
            };
            let (caught, survived) = (tally.caught, tally.survived.len());
            let all = caught + survived;
            println!("{all} mutants, {caught} caught, {survived} survived: {survivors}");
            let enough = all > 0 && caught as f64 >= ENOUGH * all as f64;
            ExitCode::from(u8::from(!enough))
        }
        Err(what) => {
            eprintln!("error: {what}");
            ExitCode::from(2)
        }
    }
}

fn hunt(args: &MutantsArgs) -> Result<Tally, String> {
    let exe = std::env::current_exe()
        .map_err(|e| format!("cannot find this program to start it again: {e}"))?;
    let timeout = Duration::try_from_secs_f64(args.timeout)
        .map_err(|e| format!("--timeout {}: {e}", args.timeout))?;
    let kinds = match args.kinds.is_empty() {
        true => KINDS.to_vec(),
        false => {
            let named = |name: &String| {
                let found = KINDS.iter().find(|k| k.0 == name.as_str()).copied();
                found.ok_or_else(|| format!("no kind of mistake `{name}`"))
            };
            args.kinds.iter().map(named).collect::<Result<_, _>>()?
        }
    };
    let cases = by_operator();
    let tally = Mutex::new(Tally::default());
    for device in &args.devices {
        let facts = Shard::start(&exe, device)?.1;
        let hunter = Hunter {
            exe: &exe,
            device,
            kind: match facts.kind.as_str() {
                "gpu" => DeviceKind::Gpu,
                "cpu" => DeviceKind::Cpu,
                _ => DeviceKind::Interpreter,
            },
            cases: &cases,
            timeout,
            args,
            several: args.devices.len() > 1,
        };
        let left = Mutex::new(kinds.clone());
        std::thread::scope(|scope| {
            for _ in 0..facts.shards.max(1) {
                scope.spawn(|| {
                    while let Some(kind) = { left.lock().ok().and_then(|mut l| l.pop()) } {
                        hunter.all_of(kind, &tally);
                    }
                });
            }
        });
    }
    let mut tally = tally.into_inner().map_err(|e| e.to_string())?;
    tally.survived.sort();
    Ok(tally)
}

/// The smoke cases of each operator, the dtypes taking turns.
fn by_operator() -> BTreeMap<String, Vec<Case>> {
    let mut all: BTreeMap<String, BTreeMap<String, Vec<Case>>> = BTreeMap::new();
    for case in plan::cases(Profile::Smoke) {
        let dtypes = all.entry(case.op.clone()).or_default();
        dtypes.entry(case.dtype.to_string()).or_default().push(case);
    }
    let in_turns = |dtypes: BTreeMap<String, Vec<Case>>| {
        let mut cases: Vec<(usize, Case)> = dtypes
            .into_values()
            .flat_map(|cases| cases.into_iter().enumerate())
            .collect();
        cases.sort_by_key(|(round, _)| *round);
        cases.into_iter().map(|(_, case)| case).collect()
    };
    all.into_iter()
        .map(|(op, dtypes)| (op, in_turns(dtypes)))
        .collect()
}

struct Hunter<'a> {
    exe: &'a Path,
    device: &'a str,
    kind: DeviceKind,
    cases: &'a BTreeMap<String, Vec<Case>>,
    timeout: Duration,
    args: &'a MutantsArgs,
    several: bool,
}

impl Hunter<'_> {
    /// The mutants of one kind.
    fn all_of(&self, (name, kind): (&'static str, Kind), tally: &Mutex<Tally>) {
        let mut rng = Rng::from_text(name, self.args.seed);
        // A row whose error is only measured has nothing to be caught by.
        let limited = |row: &&Row| (row.limit)(row.dtypes[0]) != Limit::Measured;
        let mut rows: Vec<&Row> = table::rows().filter(limited).collect();
        for i in (1..rows.len()).rev() {
            rows.swap(i, rng.below(i + 1));
        }
        let mut found = 0;
        for row in rows {
            let site = rng.below(1 << 16);
            let mutation = Mutation { kind, site };
            if found == self.args.each || !self.possible(mutation, row) {
                continue;
            }
            let mutant = match self.several {
                true => format!("{}:{name}#{site}:{}", self.device, row.name),
                false => format!("{name}#{site}:{}", row.name),
            };
            let end = self.chase(&format!("{name}#{site}"), row);
            let Ok(mut tally) = tally.lock() else { return };
            match end {
                End::Impossible => continue,
                End::Caught(by) => {
                    println!("caught    {mutant}  by {by}");
                    tally.caught += 1;
                }
                End::Survived => {
                    println!("SURVIVED  {mutant}");
                    tally.survived.push(mutant);
                }
            }
            found += 1;
        }
    }

    /// Whether a mistake can be made, as far as the table says.
    fn possible(&self, mutation: Mutation, row: &'static Row) -> bool {
        let kernels = row
            .dtypes
            .iter()
            .map(|&dtype| suanzi_ops::kernel_for(row, dtype, self.kind));
        let mut known = false;
        for kernel in kernels.flatten() {
            known = true;
            if mutation.apply(&kernel).is_some() {
                return true;
            }
        }
        !known
    }

    /// Runs an operator's cases until one does not pass.
    fn chase(&self, mutant: &str, row: &Row) -> End {
        let device = format!("{}+mutant:{mutant}", self.device);
        let cases = self.cases.get(row.name).map_or(&[][..], Vec::as_slice);
        let mut shard = match Shard::start(self.exe, &device) {
            Ok((shard, _)) => shard,
            Err(what) => return End::Caught(what),
        };
        let mut made = false;
        for (i, case) in cases.iter().enumerate() {
            match shard.run(&case.to_string(), self.timeout) {
                Ok(result) if result.status.is_fine() => made |= result.mutants > 0,
                Ok(result) => {
                    let (status, detail) = (result.status.name(), result.detail);
                    return End::Caught(format!("{case}: {status}, {detail}"));
                }
                Err(Silence::Died(how)) => return End::Caught(format!("{case}: crashed, {how}")),
                Err(Silence::TimedOut) => return End::Caught(format!("{case}: hung")),
            }
            if !made && i + 1 >= ROUNDS * row.dtypes.len() {
                return End::Impossible;
            }
        }
        match made {
            true => End::Survived,
            false => End::Impossible,
        }
    }
}
