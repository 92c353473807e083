//! `suanzi tune`: how products are best cut on a device, for each dtype and class of shapes.
//!
//! Each class has one problem. The candidates run on it, in turns one that is most like the best and
//! one in a random order that is the same each time; one that is not far behind the best takes turns with it, and before it may take its place, its
//! *results* on the edges of its tiles have to be right. The winner and those behind it are kept, under
//! the device and the version of its driver. What is interrupted goes on with the classes that are not
//! done, and with those that had too little time from the best that was found; what was done stays.

use crate::compare::{Round, clocked, interleave};
use crate::{Result, ensure};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use suanzi_backends::Context;
use suanzi_codegen::hash::stable_hash;
use suanzi_ops::tuning::{self, Tiles, contract_with};
use suanzi_ops::{Contract, Element, Reach, Scalar, Tensor, Wanted};

/// Search how products are best cut into tiles on a device.
#[derive(Args)]
pub struct TuneArgs {
    /// A device, as `suanzi devices` names it
    #[arg(long, default_value = "opencl:0")]
    device: String,
    /// What to tune; all by default
    #[arg(long = "op", value_enum)]
    ops: Vec<Op>,
    /// Element types
    #[arg(long = "dtype", value_enum, default_values = ["f32", "f64"])]
    dtypes: Vec<Dtype>,
    /// How long it may take altogether, in minutes
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Tune again what was tuned before
    #[arg(long)]
    again: bool,
}

/// What can be tuned.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Op {
    /// Products of matrices, and whatever else is a contraction
    Gemm,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dtype {
    F32,
    F64,
}

/// Lengths of m and of n that stand for the classes: the sides that are small, middling and large.
const SIDES: [usize; 3] = [16, 128, 768];

/// The length of k.
const DEPTH: usize = 512;

/// How many are kept for a class, best first.
const KEPT: usize = 3;

/// The key under which the classes are kept that had too little time.
const UNFINISHED: &str = "unfinished";

/// A candidate this many times slower than the best is not looked at again.
const FAR: f64 = 1.4;

/// Turns of a candidate and the best.
const TURNS: usize = 5;

/// Runs the command: 0 where every class has a winner, be it the best of too little time; 1 where something failed.
pub fn run(args: &TuneArgs) -> ExitCode {
    tune(args).unwrap_or_else(|error| {
        eprintln!("tune: {error:#}");
        ExitCode::FAILURE
    })
}

fn tune(args: &TuneArgs) -> Result<ExitCode> {
    ensure!(
        args.minutes > 0.0 && args.minutes <= 1e6,
        "--minutes is more than 0"
    );
    let end = Instant::now() + Duration::from_secs_f64(60.0 * args.minutes);
    let ctx = Context::open(&args.device)?;
    let shapes = SIDES.into_iter().flat_map(|m| SIDES.map(|n| [m, n]));
    // Rows that are not aligned have a class of their own.
    let shapes: Vec<[usize; 2]> = shapes.flat_map(|[m, n]| [[m, n], [m, n - 1]]).collect();
    let mut classes: Vec<(Dtype, [usize; 2])> = vec![];
    for &dtype in &args.dtypes {
        classes.extend(shapes.iter().map(|&shape| (dtype, shape)));
    }
    let mut unfinished = ctx.tuned().list(UNFINISHED);
    let key = |&(dtype, shape): &(Dtype, [usize; 2])| tuning::key(dtype.scalar(), shape);
    if !args.again {
        let before = |class: &_| ctx.tuned().best(&key(class)).is_some();
        let count = classes.iter().filter(|class| before(class)).count();
        classes.retain(|class| !before(class) || unfinished.contains(&key(class)));
        let more = classes.iter().filter(|class| before(class)).count();
        if count > 0 {
            println!("{count} classes were tuned before, {more} of them with too little time");
        }
    }
    // The largest problems matter most: what time is left over by others is theirs.
    classes.sort_by_key(|(_, [m, n])| m * n);
    let bar = ProgressBar::new(classes.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let mut complete = true;
    for (i, &(dtype, shape)) in classes.iter().enumerate() {
        let now = Instant::now();
        let share = end.saturating_duration_since(now) / (classes.len() - i) as u32;
        bar.set_message(tuning::key(dtype.scalar(), shape));
        let found = match dtype {
            Dtype::F32 => search::<f32>(&ctx, shape, now + share)?,
            Dtype::F64 => search::<f64>(&ctx, shape, now + share)?,
        };
        let best = found.best.iter().map(|t| t.to_string()).collect();
        unfinished.retain(|key| *key != found.key);
        if found.left > 0 {
            complete = false;
            unfinished.push(found.key.clone());
        }
        ctx.tuned().set(&found.key, best)?;
        ctx.tuned().set(UNFINISHED, unfinished.clone())?;
        // Said once it is kept.
        bar.suspend(|| println!("{found}"));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if !complete {
        println!(
            "the time was too short to try everything; what was found is kept, and the next run goes on from it"
        );
    }
    Ok(ExitCode::SUCCESS)
}

impl Dtype {
    fn scalar(self) -> Scalar {
        match self {
            Dtype::F32 => Scalar::F32,
            Dtype::F64 => Scalar::F64,
        }
    }
}

/// What a search found.
struct Found {
    key: String,
    best: Vec<Tiles>,
    /// The best one's speed relative to what was taken before.
    gain: f64,
    tried: usize,
    failed: usize,
    wrong: Vec<Tiles>,
    left: usize,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let best = self.best.first().map(Tiles::to_string).unwrap_or_default();
        write!(
            f,
            "{}: {best}, {:.2} times as fast; {} tried, {} failed, {} left",
            self.key, self.gain, self.tried, self.failed, self.left
        )?;
        self.wrong
            .iter()
            .try_for_each(|tiles| write!(f, "\n  WRONG RESULTS: {tiles}"))
    }
}

fn search<T: Number>(ctx: &Context, shape: [usize; 2], end: Instant) -> Result<Found> {
    let [m, n] = shape;
    let problem = Problem::<T>::new(ctx, [m, n, DEPTH])?;
    let usual = tuning::usual(ctx, T::DTYPE, shape);
    let mut candidates = tuning::candidates(ctx, T::DTYPE);
    let small = |t: &Tiles| {
        t.rows() as usize <= m.next_power_of_two() && t.columns() as usize <= n.next_power_of_two()
    };
    candidates.retain(|t| small(t) && *t != usual);
    // In a random order, the same for each beginning; first what is known to be good.
    let key = tuning::key(T::DTYPE, shape);
    let known: Option<Tiles> = ctx.tuned().best(&key).and_then(|text| text.parse().ok());
    candidates.sort_by_key(|t| (Some(*t) != known, stable_hash(&(t, known))));

    let mut best = vec![(usual, 1.0)];
    let mut found = Found {
        key,
        best: vec![],
        gain: 1.0,
        tried: 0,
        failed: 0,
        wrong: vec![],
        left: candidates.len(),
    };
    let mut least = problem.seconds(usual)?.min(problem.seconds(usual)?);
    // What is known has its turn however short the time is: it is not lost.
    let first = |tried: usize| tried == 0 && known.is_some();
    while !candidates.is_empty() && (first(found.tried) || Instant::now() < end) {
        let near = |i: &usize| unlike(&candidates[*i], &best[0].0);
        let next = match found.tried % 2 {
            1 => (0..candidates.len()).min_by_key(near).unwrap_or(0),
            _ => 0,
        };
        let tiles = candidates.remove(next);
        (found.tried, found.left) = (found.tried + 1, candidates.len());
        // The first run compiles.
        let Ok(seconds) = problem.seconds(tiles).and_then(|_| problem.seconds(tiles)) else {
            found.failed += 1;
            continue;
        };
        if seconds > FAR * least {
            continue;
        }
        let (front, gain) = best[0];
        let [candidate, before] = interleave(TURNS, [problem.round(tiles), problem.round(front)])?;
        let ratio = before.against(&candidate, |b, c| b / c).median;
        if ratio > 1.0 && !right::<T>(ctx, tiles)? {
            found.wrong.push(tiles);
            continue;
        }
        let at = best.iter().position(|(_, g)| gain * ratio > *g);
        best.insert(at.unwrap_or(best.len()), (tiles, gain * ratio));
        least = least.min(candidate.spread().min);
    }
    found.gain = best[0].1;
    // Those behind the winner may be asked to take its place: they have to be right as well.
    for (tiles, _) in best {
        if found.best.len() < KEPT && right::<T>(ctx, tiles)? {
            found.best.push(tiles);
        }
    }
    Ok(found)
}

/// In how many parameters two ways to cut differ.
fn unlike(a: &Tiles, b: &Tiles) -> usize {
    let differ = [
        a.group != b.group,
        a.mr != b.mr,
        a.nr != b.nr,
        a.lanes != b.lanes,
        a.stage != b.stage,
    ];
    differ.into_iter().filter(|&d| d).count()
}

/// A product, and its operands on the device.
struct Problem<T> {
    a: Tensor,
    b: Tensor,
    dtype: std::marker::PhantomData<T>,
}

impl<T: Number> Problem<T> {
    /// Of small whole numbers, whose products and sums are exact.
    fn new(ctx: &Context, [m, n, k]: [usize; 3]) -> Result<Problem<T>> {
        let numbers = |count: usize, seed: usize| -> Vec<T> {
            (0..count).map(|i| T::whole(element(i, seed))).collect()
        };
        Ok(Problem {
            a: Tensor::from_slice(ctx, &[m, k], &numbers(m * k, 1))?,
            b: Tensor::from_slice(ctx, &[k, n], &numbers(k * n, 2))?,
            dtype: std::marker::PhantomData,
        })
    }

    fn product(&self, tiles: Tiles) -> Result<Tensor> {
        let contract = Contract {
            op: "tune",
            a: &self.a.expr(),
            b: &self.b.expr(),
            axes: [0, 1, 1],
            dtype: T::DTYPE,
            epilogue: &Ok,
            wanted: Wanted::Whole,
            reach: Reach::All,
            packed: None,
        };
        Ok(contract_with(&contract, tiles)?)
    }

    /// Once, with one element read at the end.
    fn round(&self, tiles: Tiles) -> Round<'_> {
        clocked(move || {
            let product = self.product(tiles)?;
            product.slice(0, 0, 1, 1)?.slice(1, 0, 1, 1)?.read_bytes()?;
            Ok(())
        })
    }

    fn seconds(&self, tiles: Tiles) -> Result<f64> {
        Ok(self.round(tiles)()?.as_secs_f64())
    }
}

/// -4 to 4.
fn element(i: usize, seed: usize) -> i32 {
    (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 7) as i32 % 5
}

/// Whether products on the edges of tiles are right, to the bit: m and n on both sides of them, few rows and several
/// tiles of them, a short and a long k.
///
/// # Errors
/// The device's.
pub fn right<T: Number>(ctx: &Context, tiles: Tiles) -> Result<bool> {
    let (m, n) = (tiles.rows() as usize, tiles.columns() as usize);
    let sides = || [0, 1, 2].into_iter();
    let mut shapes: Vec<[usize; 3]> = sides()
        .flat_map(|i| sides().map(move |j| [m + i - 1, n + j - 1, 32 + i - j.min(i)]))
        .collect();
    shapes.extend([
        [3 * m + 1, n + 1, 7],
        [3 * m - 1, n - 1, 2100],
        [1, 2 * n, 1],
    ]);
    for [m, n, k] in shapes {
        let [m, n] = [m.max(1), n.max(1)];
        let problem = Problem::<T>::new(ctx, [m, n, k])?;
        let found: Vec<T> = problem.product(tiles)?.to_vec()?;
        let sum = |i: usize, j: usize| -> i32 {
            (0..k)
                .map(|p| element(i * k + p, 1) * element(p * n + j, 2))
                .sum()
        };
        let expected = (0..m * n).map(|e| T::whole(sum(e / n, e % n)));
        if !found.into_iter().eq(expected) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Kinds of sums that are tuned and checked.
pub trait Number: Element + PartialEq {
    /// A small whole number.
    fn whole(x: i32) -> Self;
}

macro_rules! numbers {
    ($($t:ty)*) => {$(
        impl Number for $t {
            fn whole(x: i32) -> $t {
                x as $t
            }
        }
    )*};
}

numbers!(f32 f64 i32 i64);
