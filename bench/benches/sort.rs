//! Bars: sorting against rayon's stable parallel sort on as many threads as the device has units;
//! top-k, running sums and segment sums against the device's own copy.
//!
//! Bandwidth is bytes that must move (each input read once, each output written once) by time.

use rayon::prelude::*;
use std::process::ExitCode;
use std::time::Duration;
use suanzi_backends::Context;
use suanzi_bench::{
    Bar, Bars, Criterion, Result, Round, clocked, data, device_name, ensure, interleave,
};
use suanzi_ops::ops::Span;
use suanzi_ops::{Num, Scalar, Tensor, ops};

/// Keys to sort, rows of segments.
const KEYS: usize = 10_000_000;
/// The best of which are looked for.
const K: usize = 100;
/// Rows of a segment, on average.
const ROWS: usize = 100;
/// Elements of a running sum: 64 MiB.
const SUMS: usize = 1 << 24;
const ROUNDS: usize = 7;

fn main() -> ExitCode {
    suanzi_bench::run(bars, functions)
}

fn bars(bars: &mut Bars) -> Result<()> {
    let bench = Bench::new()?;
    let device = bench.ctx.device();
    let threads = device.caps().compute_units as usize;
    println!(
        "{} ({}), {KEYS} keys, rayon on {threads} threads",
        device.info().name,
        device.info().driver
    );
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    bench.check()?;

    let sorted: [(&str, Round<'_>, Round<'_>); 2] = [
        (
            "sort u32",
            clocked(|| bench.run(|b| ops::sort(&b.words, 0, false))),
            peer(&pool, &bench.host_words, |x| x.par_sort()),
        ),
        (
            "sort f32",
            clocked(|| bench.run(|b| ops::sort(&b.floats, 0, false))),
            peer(&pool, &bench.host_floats, |x| x.par_sort_by(f32::total_cmp)),
        ),
    ];
    for (name, ours, theirs) in sorted {
        let [ours, theirs] = interleave(ROUNDS, [ours, theirs])?;
        let speed = ours.against(&theirs, |ours, theirs| theirs / ours);
        bars.judge(name, speed, "of rayon's speed", Bar::AtLeast(0.8));
        bars.note(name, ours.spread().scaled(1e3), "ms");
    }
    for case in CASES {
        let contenders = [clocked(|| bench.run(case.run)), clocked(|| bench.copy())];
        let [ours, copy] = interleave(2 * ROUNDS + 1, contenders)?;
        // The copy moves two arrays.
        let moved = case.bytes as f64 / (2 * 4 * SUMS) as f64;
        let share = ours.against(&copy, |ours, copy| moved * copy / ours);
        bars.judge(
            case.name,
            share,
            "of the driver's copy",
            Bar::AtLeast(case.bar),
        );
        let best = moved * copy.spread().min / ours.spread().min;
        println!(
            "    {}: {best:.2} of the driver's copy, best of each",
            case.name
        );
        bars.note(case.name, ours.spread().scaled(1e3), "ms");
    }
    Ok(())
}

/// A sort of a fresh copy; only the sort is timed.
fn peer<'a, T: Copy + Send + Sync>(
    pool: &'a rayon::ThreadPool,
    data: &'a [T],
    sort: impl Fn(&mut [T]) + Send + Sync + 'a,
) -> Round<'a> {
    Box::new(move || {
        let mut copy = data.to_vec();
        let start = std::time::Instant::now();
        pool.install(|| sort(&mut copy));
        let time = start.elapsed();
        std::hint::black_box(&copy);
        Ok(time)
    })
}

/// Something that memory bounds.
struct Case {
    name: &'static str,
    bar: f64,
    /// That must move.
    bytes: usize,
    run: fn(&Bench) -> suanzi_ops::Result<Tensor>,
}

const CASES: [Case; 4] = [
    Case {
        name: "top 100",
        bar: 0.4,
        bytes: 4 * KEYS,
        run: |b| Ok(ops::topk(&b.floats, K, 0, true)?[0].clone()),
    },
    Case {
        name: "cumsum",
        bar: 0.5,
        bytes: 2 * 4 * SUMS,
        run: |b| ops::cumsum(&b.terms, 0, Span::default()),
    },
    Case {
        name: "cumsum, first axis",
        bar: 0.5,
        bytes: 2 * 4 * SUMS,
        run: |b| ops::cumsum(&b.terms.reshape(&[4096, 4096])?, 0, Span::default()),
    },
    Case {
        name: "segment sum",
        bar: 0.3,
        bytes: (4 + 4) * KEYS,
        run: |b| ops::segment_sum(&b.floats, &b.ids, KEYS / ROWS, true),
    },
];

fn functions(criterion: &mut Criterion) -> Result<()> {
    let bench = Bench::new()?;
    let mut group = criterion.benchmark_group("sort");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    group.bench_function("sort u32", |b| {
        b.iter(|| bench.run(|b| ops::sort(&b.words, 0, false)).expect("a run"));
    });
    for case in CASES {
        group.bench_function(case.name, |b| {
            b.iter(|| bench.run(case.run).expect("a run"));
        });
    }
    group.finish();
    Ok(())
}

struct Bench {
    ctx: Context,
    words: Tensor,
    floats: Tensor,
    /// Of each of `floats`, ascending.
    ids: Tensor,
    terms: Tensor,
    spare: Tensor,
    host_words: Vec<u32>,
    host_floats: Vec<f32>,
    host_ids: Vec<i32>,
    host_terms: Vec<f32>,
}

impl Bench {
    fn new() -> Result<Bench> {
        let ctx = Context::open(&device_name())?;
        let host_floats = data::varied(KEYS, 1);
        let words = host_floats
            .iter()
            .map(|x| x.to_bits().wrapping_mul(0x9e37_79b9));
        let host_words: Vec<u32> = words.collect();
        // Segments of every length between nothing and twice the average.
        let mut host_ids: Vec<i32> = host_words
            .iter()
            .map(|w| ((u64::from(*w) * (KEYS / ROWS) as u64) >> 32) as i32)
            .collect();
        host_ids.par_sort_unstable();
        let host_terms = data::varied(SUMS, 2);
        let (keys, sums) = ([KEYS], [SUMS]);
        Ok(Bench {
            words: Tensor::from_slice(&ctx, &keys, &host_words)?,
            floats: Tensor::from_slice(&ctx, &keys, &host_floats)?,
            ids: Tensor::from_slice(&ctx, &keys, &host_ids)?,
            terms: Tensor::from_slice(&ctx, &sums, &host_terms)?,
            spare: ops::fill(&ctx, Scalar::F32, &sums, Num::Float(1.0))?,
            ctx,
            host_words,
            host_floats,
            host_ids,
            host_terms,
        })
    }

    /// Runs something and waits for it.
    fn run(&self, f: impl Fn(&Bench) -> suanzi_ops::Result<Tensor>) -> Result<()> {
        f(self)?;
        Ok(self.ctx.device().sync()?)
    }

    /// The driver's copy of one array.
    fn copy(&self) -> Result<()> {
        let (from, to) = (self.terms.buffer().memory(), self.spare.buffer().memory());
        self.ctx.device().copy(from, 0, to, 0, 4 * SUMS as u64)?;
        Ok(self.ctx.device().sync()?)
    }

    /// Every result is right.
    fn check(&self) -> Result<()> {
        let mut words = self.host_words.clone();
        words.par_sort();
        let got = ops::sort(&self.words, 0, false)?.to_vec::<u32>()?;
        ensure!(got == words, "sort u32");
        let mut floats = self.host_floats.clone();
        floats.par_sort_by(f32::total_cmp);
        let got = ops::sort(&self.floats, 0, false)?.to_vec::<f32>()?;
        data::same("sort f32", &got, floats.iter().copied())?;

        let [values, positions] = ops::topk(&self.floats, K, 0, true)?;
        let best = floats.iter().rev().take(K).copied();
        let best: Vec<f32> = best.collect();
        data::same("top 100", &values.to_vec::<f32>()?, best.iter().copied())?;
        for (at, value) in positions.to_vec::<i64>()?.into_iter().zip(best) {
            ensure!(self.host_floats[at as usize] == value, "top 100 at {at}");
        }

        let running = |got: &[f32], stride: usize| {
            for first in 0..stride {
                let (mut sum, mut scale) = (0.0f64, 0.0f64);
                for i in (first..SUMS).step_by(stride) {
                    sum += f64::from(self.host_terms[i]);
                    scale += f64::from(self.host_terms[i].abs());
                    let limit = 16.0 * f64::from(f32::EPSILON) * scale;
                    let near = (f64::from(got[i]) - sum).abs() <= limit;
                    ensure!(near, "cumsum: element {i} is {}, not {sum}", got[i]);
                }
            }
            Ok(())
        };
        let sums = ops::cumsum(&self.terms, 0, Span::default())?;
        running(&sums.to_vec::<f32>()?, 1)?;
        let rows = self.terms.reshape(&[4096, 4096])?;
        let sums = ops::cumsum(&rows, 0, Span::default())?;
        running(&sums.to_vec::<f32>()?, 4096)?;

        let sums = ops::segment_sum(&self.floats, &self.ids, KEYS / ROWS, true)?;
        let mut at = 0;
        for (id, sum) in sums.to_vec::<f32>()?.into_iter().enumerate() {
            let end = at + self.host_ids[at..].partition_point(|&i| i <= id as i32);
            data::near_sum(
                "segment sum",
                sum,
                0.0,
                self.host_floats[at..end].iter().copied(),
            )?;
            at = end;
        }
        ensure!(at == KEYS, "segment sum: {at} rows");
        Ok(())
    }
}
