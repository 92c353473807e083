//! The command `suanzi mutants`: can the suite be trusted? Kernels are given one mistake each
//! ([`crate::mutation`]), and the cases of their operator in the smoke profile have to notice.
//!
//! Which operators and which places is drawn from a seed. A mistake that cannot be made in any of an
//! operator's kernels is no mutant, and another operator is drawn; so for a mistake that changes
//! nothing. A mutant is caught by the first case that does not pass, be it wrong, crashed or hung.
//!
//! The interpreter runs the cases first, with kernels as they are planned for the device, each beside
//! the original: a device compiles slowly, and is only shown those cases that the mistake makes fail.

use crate::case::Case;
use crate::child::{Shard, Silence};
use crate::mutation::{KINDS, Kind, Mutation};
use crate::plan::{self, Profile};
use crate::result::{CaseResult, Effect};
use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
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

/// Cases that a device may pass though they fail on the interpreter.
const TRIES: usize = 12;

/// How a mutant ended.
enum End {
    /// By this case, in this way.
    Caught(String),
    /// Why it is known to be wrong.
    Survived(String),
    /// It computes the same as the original.
    Equivalent,
    /// The mistake cannot be made in the operator's kernels.
    Impossible,
}

/// Mutants, by name.
#[derive(Default)]
struct Tally {
    caught: usize,
    survived: Vec<String>,
    equivalent: Vec<String>,
}

/// Runs the command: 0 where enough mutants are caught, 1 where not, 2 for wrong usage.
pub fn run(args: &MutantsArgs) -> ExitCode {
    let list = |names: &[String]| match names {
        [] => "none".into(),
        names => names.join(" "),
    };
    match hunt(args) {
        Ok(tally) => {
            let (caught, survived) = (tally.caught, tally.survived.len());
            let all = caught + survived;
            let same = &tally.equivalent;
            println!("{} equivalent, not counted: {}", same.len(), list(same));
            let names = list(&tally.survived);
            println!("{all} mutants, {caught} caught, {survived} survived: {names}");
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
    tally.equivalent.sort();
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
                End::Equivalent => {
                    println!("equivalent {mutant}");
                    tally.equivalent.push(mutant);
                    continue;
                }
                End::Caught(by) => {
                    println!("caught     {mutant}  by {by}");
                    tally.caught += 1;
                }
                End::Survived(why) => {
                    println!("SURVIVED   {mutant}  {why}");
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

    /// Looks for a case that does not pass.
    fn chase(&self, mutant: &str, row: &Row) -> End {
        let mut twins = Runner::new(self, "twins", mutant);
        let mut device = Runner::new(self, "mutant", mutant);
        let cases = self.cases.get(row.name).map_or(&[][..], Vec::as_slice);
        let mut made = BTreeSet::new();
        // The first case with other results that pass.
        let mut hidden = None;
        let mut tries = 0;
        for (i, case) in cases.iter().enumerate() {
            if made.is_empty() && i >= ROUNDS * row.dtypes.len() {
                return End::Impossible;
            }
            let ran = twins.run(case);
            let effect = ran.as_ref().map_or(Effect::Some, |r| r.effect);
            if effect == Effect::Absent {
                continue;
            }
            made.insert(case.dtype.name());
            if effect == Effect::Some {
                hidden.get_or_insert_with(|| case.to_string());
                if !ran.is_ok_and(|r| r.status.is_fine()) && tries < TRIES {
                    tries += 1;
                    if let Some(how) = device.fault(case) {
                        return End::Caught(how);
                    }
                }
            }
        }
        if let Some(case) = hidden {
            return End::Survived(format!("changes {case}"));
        }
        if made.is_empty() {
            return End::Impossible;
        }
        for case in plan::broad(row.name) {
            if made.contains(case.dtype.name())
                && !twins.run(&case).is_ok_and(|r| r.effect != Effect::Some)
            {
                return End::Survived(format!("would change {case}"));
            }
        }
        End::Equivalent
    }
}

/// Runs cases on a device that is wrong in one way, and starts it anew where it died.
struct Runner<'a> {
    hunter: &'a Hunter<'a>,
    device: String,
    shard: Option<Shard>,
}

impl<'a> Runner<'a> {
    fn new(hunter: &'a Hunter<'a>, way: &str, mutant: &str) -> Runner<'a> {
        Runner {
            hunter,
            device: format!("{}+{way}:{mutant}", hunter.device),
            shard: None,
        }
    }

    /// What a case comes to, or how the process ended.
    fn run(&mut self, case: &Case) -> Result<CaseResult, String> {
        let mut shard = match self.shard.take() {
            Some(shard) => shard,
            None => Shard::start(self.hunter.exe, &self.device)?.0,
        };
        match shard.run(&case.to_string(), self.hunter.timeout) {
            Ok(result) => {
                self.shard = Some(shard).filter(|_| !result.lost);
                Ok(result)
            }
            Err(Silence::Died(how)) => Err(format!("crashed, {how}")),
            Err(Silence::TimedOut) => Err("hung".into()),
        }
    }

    /// How a case does not pass.
    fn fault(&mut self, case: &Case) -> Option<String> {
        match self.run(case) {
            Ok(result) if result.status.is_fine() => None,
            Ok(result) => {
                let (status, detail) = (result.status.name(), result.detail);
                Some(format!("{case}: {status}, {detail}"))
            }
            Err(how) => Some(format!("{case}: {how}")),
        }
    }
}
