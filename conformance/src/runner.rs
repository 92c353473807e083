//! Runs the cases of one device in shards, and turns what happens to a shard into a result.

use crate::case::Case;
use crate::child::{Launcher, Shard, Silence};
use crate::journal;
use crate::journal::{Earlier, Journal, Key};
use crate::plan::Profile;
use crate::result::{CaseResult, Status};
use crate::shard::Facts;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What every device is run with.
pub struct Settings {
    /// How shards are started.
    pub launcher: Launcher,
    /// Where journals lie.
    pub folder: PathBuf,
    /// The profile.
    pub profile: Profile,
    /// Most time of one case.
    pub timeout: Duration,
    /// Whether results of an earlier run are taken.
    pub resume: bool,
}

/// A device's run.
pub struct Run {
    /// The device.
    pub facts: Facts,
    /// The plugin that it is of, if it is of one.
    pub plugin: Option<PathBuf>,
    /// Results, in the order of the cases.
    pub results: Vec<CaseResult>,
    /// How many were taken from an earlier run.
    pub resumed: usize,
    /// Lines of the earlier journal that could not be used.
    pub damaged: usize,
    /// Why it was given up; empty if it was not.
    pub missing: Vec<String>,
    /// How long it took.
    pub time: Duration,
}

/// After this many hung cases in a row a device is given up: each costs a whole time-out.
const HUNG_IN_A_ROW: usize = 6;
/// After this many shards in a row that did not come up again, too.
const FAILED_STARTS: usize = 3;

/// A shard is replaced after so many cases: drivers keep some memory of every kernel they compiled.
const CASES_OF_A_SHARD: usize = 1000;

/// What the threads of a run share.
struct State {
    waiting: VecDeque<usize>,
    done: BTreeMap<usize, CaseResult>,
    journal: Journal<File>,
    hung: usize,
    failed_starts: usize,
    /// Set once: nobody takes another case.
    gave_up: Option<String>,
}

/// Runs cases on a device. `tick` is called with every result.
///
/// # Errors
/// Where the device cannot be opened or the journal cannot be written, in words.
pub fn run(
    settings: &Settings,
    device: &str,
    cases: &[Case],
    tick: &(dyn Fn(&CaseResult) + Sync),
) -> Result<Run, String> {
    let start = Instant::now();
    let (first, facts) = Shard::start(&settings.launcher, device)?;
    let file = journal::path(&settings.folder, &facts.id);
    let key = Key::new(&facts, settings.profile, settings.launcher.exe());
    let unwritable = |e| format!("cannot write {}: {e}", file.display());
    let mut earlier = match settings.resume {
        true => journal::read(&file, &key).map_err(unwritable)?,
        false => Earlier::default(),
    };
    let journal = Journal::create(&file, &key, &earlier).map_err(unwritable)?;

    let mut done = BTreeMap::new();
    let mut waiting = VecDeque::new();
    for (i, case) in cases.iter().enumerate() {
        match earlier.results.remove(&case.to_string()) {
            Some(result) => {
                tick(&result);
                done.insert(i, result);
            }
            None => waiting.push_back(i),
        }
    }
    let resumed = done.len();
    let workers = facts.shards.min(waiting.len().div_ceil(8)).max(1);
    let state = Mutex::new(State {
        waiting,
        done,
        journal,
        hung: 0,
        failed_starts: 0,
        gave_up: None,
    });
    std::thread::scope(|scope| {
        let mut shard = Some(first);
        for _ in 0..workers {
            let shard = shard.take();
            let state = &state;
            scope.spawn(move || work(settings, device, cases, state, shard, tick));
        }
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Run {
        facts,
        plugin: settings.launcher.plugin_of(device).map(PathBuf::from),
        results: state.done.into_values().collect(),
        resumed,
        damaged: earlier.damaged,
        missing: state.gave_up.into_iter().collect(),
        time: start.elapsed(),
    })
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread: takes cases, keeps a shard alive, records results.
fn work(
    settings: &Settings,
    device: &str,
    cases: &[Case],
    state: &Mutex<State>,
    mut shard: Option<Shard>,
    tick: &(dyn Fn(&CaseResult) + Sync),
) {
    let mut served = 0;
    loop {
        let next = {
            let mut state = lock(state);
            match state.gave_up {
                Some(_) => None,
                None => state.waiting.pop_front(),
            }
        };
        let Some(number) = next else { return };
        let case = &cases[number];
        let running = match shard.take() {
            Some(running) => Ok(running),
            None => Shard::start(&settings.launcher, device).map(|(shard, _)| shard),
        };
        let mut running = match running {
            Ok(running) => running,
            Err(what) => {
                let mut state = lock(state);
                state.waiting.push_front(number);
                state.failed_starts += 1;
                if state.failed_starts >= FAILED_STARTS {
                    state
                        .gave_up
                        .get_or_insert(format!("no new shard came up: {what}"));
                }
                continue;
            }
        };
        let result = match running.run(&case.to_string(), settings.timeout) {
            Ok(result) => {
                served += 1;
                // A process whose device was lost has nothing left to run on.
                let spent = result.lost || served % CASES_OF_A_SHARD == 0;
                shard = (!spent).then_some(running);
                result
            }
            Err(silence) => {
                let mut result = CaseResult::new(case);
                (result.status, result.detail) = match silence {
                    Silence::Died(how) => (Status::Crashed, how),
                    Silence::TimedOut => {
                        let t = settings.timeout.as_secs_f64();
                        result.ms = t * 1e3;
                        (Status::Hung, format!("no answer in {t} s"))
                    }
                };
                result
            }
        };
        record(state, number, result, tick);
    }
}

fn record(
    state: &Mutex<State>,
    number: usize,
    result: CaseResult,
    tick: &(dyn Fn(&CaseResult) + Sync),
) {
    let mut state = lock(state);
    state.failed_starts = 0;
    state.hung = if result.status == Status::Hung {
        state.hung + 1
    } else {
        0
    };
    if state.hung >= HUNG_IN_A_ROW {
        let rest = state.waiting.len();
        let why = format!("{HUNG_IN_A_ROW} cases in a row hung; {rest} were not run");
        state.gave_up.get_or_insert(why);
    }
    if let Err(e) = state.journal.add(&result) {
        state
            .gave_up
            .get_or_insert(format!("the journal cannot be written: {e}"));
    }
    tick(&result);
    state.done.insert(number, result);
}
