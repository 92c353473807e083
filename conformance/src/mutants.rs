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
use crate::child::{Launcher, Shard, Silence};
use crate::layout::Layout;
use crate::mutation::{KINDS, Kind, Mutation};
use crate::plan::{self, Profile};
use crate::result::{CaseResult, Effect, Status};
use crate::rng::Rng;
use crate::sweep;
use crate::table::{self, Limit, Row};
use crate::values::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;
use suanzi_backends::DeviceKind;

/// Mutate kernels, and see whether the smoke profile notices.
#[derive(Debug, clap::Args)]
pub struct MutantsArgs {
    /// A device, as `suanzi devices` names it; may be repeated
    #[arg(long = "device", value_name = "D", default_value = "cpu")]
    pub devices: Vec<String>,
    /// A device plugin to load; may be repeated, and `SUANZI_PLUGINS` names more
    #[arg(long = "plugin", value_name = "FILE")]
    pub plugins: Vec<PathBuf>,
    /// Mutants of each kind
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub each: usize,
    /// Only these kinds of mistake: index, barrier, swap, tail, identity, round, shift, special,
    /// operand, order
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// Only kernels of these operators, several mutants of each
    #[arg(long = "op", value_name = "NAME")]
    pub ops: Vec<String>,
    /// Draws other operators and other places
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seconds that one case may take before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub timeout: f64,
}

/// The part of the mutants that must be caught.
const ENOUGH: f64 = 0.95;

/// Cases of each dtype after which an operator has shown that a mistake cannot be made in it.
const ROUNDS: usize = 2;

/// How long the interpreter may take for a smoke case, which it does in a fraction of a second. If it
/// takes longer, the device is asked.
const QUICK: Duration = Duration::from_secs(10);

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
    let launcher = Launcher::new(&args.plugins)?;
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
    if let Some(op) = args.ops.iter().find(|op| table::row(op).is_err()) {
        return Err(format!("no operator `{op}`"));
    }
    let cases = by_operator();
    let tally = Mutex::new(Tally::default());
    for device in &args.devices {
        let facts = Shard::start(&launcher, device)?.1;
        let hunter = Hunter {
            launcher: &launcher,
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
        let next = || left.lock().ok().and_then(|mut left| left.pop());
        let work = || std::iter::from_fn(next).try_for_each(|kind| hunter.all_of(kind, &tally));
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..facts.shards.max(1))
                .map(|_| scope.spawn(work))
                .collect();
            let mut ends = threads.into_iter().map(|t| t.join());
            ends.try_for_each(|end| end.unwrap_or_else(|_| Err("a thread panicked".into())))
        })?;
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

/// Elements of the random inputs in [`broad`].
const MANY: usize = 1 << 22;

/// Cases that show whether a kernel of an operator computes the same as another one: what the full
/// profile has, with more seeds, and many random inputs.
fn broad(op: &str) -> Vec<Case> {
    let full = plan::cases(Profile::Full).into_iter();
    let mut out = vec![];
    for case in full.filter(|c| c.op == op && c.shape != [sweep::CHUNK]) {
        let large = case.shape.iter().product::<usize>() > 1 << 17;
        if large && case.layout != Layout::Contiguous {
            continue;
        }
        // Without a reference where nothing differs.
        let layout = if case.layout == Layout::Contiguous {
            Layout::Fresh
        } else {
            case.layout
        };
        let case = Case { layout, ..case };
        let seeds = if large || case.input == Input::All {
            1
        } else {
            3
        };
        out.extend((1..=seeds).map(|seed| Case {
            seed,
            ..case.clone()
        }));
        if case.input == Input::Random && case.layout == Layout::Fresh && case.shape == [1007] {
            out.push(Case {
                shape: vec![MANY],
                ..case
            });
        }
    }
    out
}

struct Hunter<'a> {
    launcher: &'a Launcher,
    device: &'a str,
    kind: DeviceKind,
    cases: &'a BTreeMap<String, Vec<Case>>,
    timeout: Duration,
    args: &'a MutantsArgs,
    several: bool,
}

impl Hunter<'_> {
    /// The mutants of one kind.
    fn all_of(
        &self,
        (name, kind): (&'static str, Kind),
        tally: &Mutex<Tally>,
    ) -> Result<(), String> {
        let mut rng = Rng::from_text(name, self.args.seed);
        // A row whose error is only measured has nothing to be caught by.
        let limited = |row: &&Row| (row.limit)(row.dtypes[0]) != Limit::Measured;
        let mut rows: Vec<&Row> = table::rows().filter(limited).collect();
        for i in (1..rows.len()).rev() {
            rows.swap(i, rng.below(i + 1));
        }
        if !self.args.ops.is_empty() {
            rows.retain(|row| self.args.ops.iter().any(|op| op == row.name));
            rows = rows.repeat(self.args.each);
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
            let end = self.chase(&format!("{name}#{site}"), row)?;
            let mut tally = tally.lock().map_err(|e| e.to_string())?;
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
        Ok(())
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
    ///
    /// # Errors
    /// Where the device or the interpreter cannot be started.
    fn chase(&self, mutant: &str, row: &Row) -> Result<End, String> {
        let mut twins = Runner::new(self, "twins", mutant);
        let mut device = Runner::new(self, "mutant", mutant);
        let cases = self.cases.get(row.name).map_or(&[][..], Vec::as_slice);
        let mut made = BTreeSet::new();
        // The first case with other results.
        let mut changed = None;
        let mut tries = 0;
        for (i, case) in cases.iter().enumerate() {
            if made.is_empty() && i >= ROUNDS * row.dtypes.len() {
                return Ok(End::Impossible);
            }
            let ran = twins.run(case, QUICK)?;
            if ran.effect == Effect::Absent {
                continue;
            }
            made.insert(case.dtype.name());
            if ran.effect == Effect::Changed {
                changed.get_or_insert_with(|| case.to_string());
                if !ran.status.is_fine() && tries < TRIES {
                    tries += 1;
                    let ran = device.run(case, self.timeout)?;
                    if !ran.status.is_fine() {
                        let (how, detail) = (ran.status.name(), ran.detail);
                        return Ok(End::Caught(format!("{case}: {how}, {detail}")));
                    }
                }
            }
        }
        if let Some(case) = changed {
            return Ok(End::Survived(format!("changes {case}")));
        }
        if made.is_empty() {
            return Ok(End::Impossible);
        }
        for case in broad(row.name) {
            if made.contains(case.dtype.name())
                && twins.run(&case, self.timeout)?.effect == Effect::Changed
            {
                return Ok(End::Survived(format!("would change {case}")));
            }
        }
        Ok(End::Equivalent)
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

    fn run(&mut self, case: &Case, timeout: Duration) -> Result<CaseResult, String> {
        let mut shard = match self.shard.take() {
            Some(shard) => shard,
            None => Shard::start(self.hunter.launcher, &self.device)?.0,
        };
        let (status, detail) = match shard.run(&case.to_string(), timeout) {
            Ok(result) => {
                self.shard = Some(shard).filter(|_| !result.lost);
                return Ok(result);
            }
            Err(Silence::Died(how)) => (Status::Crashed, how),
            Err(Silence::TimedOut) => (Status::Hung, "no answer in time".into()),
        };
        Ok(CaseResult {
            status,
            detail,
            effect: Effect::Changed,
            ..CaseResult::new(case)
        })
    }
}
