//! `suanzi bench`: this library and its peers, in one run, on the same data, turn by turn.
//!
//! - [`routine`]: what is measured: sizes, work, inputs, and what should come out.
//! - [`peers`]: who does it: this library on a device, any library with CBLAS's names, the `gemm`
//!   crate, CLBlast. All are loaded at run time, and absent ones are named as absent.
//! - [`report`]: the table, the JSON and the page with plots.

pub mod peers;
pub mod report;
pub mod routine;

use crate::compare::{Sample, Spread};
use crate::{Result, ensure};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use peers::{Contender, Peer, Real};
use report::{Figure, Report};
use routine::{Group, Op, Problem};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Measure this library against others, side by side.
#[derive(Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_enum)]
    group: Group,
    /// Device of this library, and of OpenCL peers
    #[arg(long, default_value = "opencl:0")]
    device: String,
    /// Peers: openblas, openblas:CORETYPE, blis, netlib, dropin, gemm, clblast, or the file of a
    /// library with CBLAS's names; all by default
    #[arg(long = "peer", value_name = "NAME")]
    peers: Vec<String>,
    /// Element types
    #[arg(long = "dtype", value_enum)]
    dtypes: Vec<Dtype>,
    /// Only routines whose names contain this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Turns of each
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Nothing with a longer side
    #[arg(long, value_name = "N")]
    most: Option<usize>,
    /// Where report.json and report.html go
    #[arg(long, default_value = "target/bench")]
    report: PathBuf,
}

/// Element types.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dtype {
    F32,
    F64,
}

/// After which idle threads of a library sleep: they spin before, on the other's cores.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs the command. Exit code 1 where a result is wrong, be it ours or a peer's, and where a device or
/// a library fails.
pub fn run(args: &BenchArgs) -> ExitCode {
    bench(args).unwrap_or_else(|error| {
        eprintln!("bench: {error:#}");
        ExitCode::FAILURE
    })
}

fn bench(args: &BenchArgs) -> Result<ExitCode> {
    let (peers, absent) = peers::find(&args.device, &args.peers)?;
    for peer in &peers {
        println!("{}: {}", peer.name(), peer.about());
    }
    for (name, why) in &absent {
        println!("{name}: absent ({why})");
    }
    let mut report = Report::new(args.group, &args.device, &peers, absent)?;
    let dtypes = match args.dtypes.is_empty() {
        true => vec![Dtype::F32, Dtype::F64],
        false => args.dtypes.clone(),
    };
    let fits = |size: &[usize; 3]| args.most.is_none_or(|most| size.iter().all(|&d| d <= most));
    let wanted = |op: &Op| {
        args.only
            .as_ref()
            .is_none_or(|text| op.name().contains(text))
    };
    let mut cases = vec![];
    for dtype in dtypes {
        for op in args.group.ops().iter().copied().filter(wanted) {
            let sizes = op.sizes().into_iter().filter(fits);
            cases.extend(sizes.map(|size| (dtype, op, size)));
        }
    }
    ensure!(!cases.is_empty(), "nothing is left to measure");
    let bar = ProgressBar::new(cases.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    for (dtype, op, size) in cases {
        bar.set_message(format!("{} {size:?}", op.name()));
        let figures = match dtype {
            Dtype::F32 => measure::<f32>(&peers, op, size, args.rounds)?,
            Dtype::F64 => measure::<f64>(&peers, op, size, args.rounds)?,
        };
        bar.suspend(|| figures.iter().for_each(|f| println!("{f}")));
        report.figures.extend(figures);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let page = report.write(&args.report)?;
    println!("report: {}", page.display());
    let wrong = report.figures.iter().filter(|f| f.wrong.is_some()).count();
    if wrong > 0 {
        println!("{wrong} results are WRONG");
    }
    Ok(ExitCode::from(u8::from(wrong > 0)))
}

/// One routine, one size: everybody in turns.
fn measure<T: Real>(
    peers: &[Box<dyn Peer>],
    op: Op,
    size: [usize; 3],
    rounds: usize,
) -> Result<Vec<Figure>> {
    let problem = Problem::<T>::new(op, size);
    let mut contenders: Vec<(&str, Box<dyn Contender<T> + '_>)> = vec![];
    for peer in peers {
        if let Some(contender) = T::prepare(&**peer, &problem)? {
            contenders.push((peer.name(), contender));
        }
    }
    let mut wrong = vec![];
    for (_, contender) in &mut contenders {
        contender.run()?;
        wrong.push(problem.check(&contender.result()?).err());
    }
    // Short work is done several times in a turn, so that the clock does not matter.
    let mut repeats = vec![];
    for (_, contender) in &mut contenders {
        let start = Instant::now();
        contender.run()?;
        let once = start.elapsed().as_secs_f64().max(1e-8);
        repeats.push(((2e-4 / once) as usize).clamp(1, 2000));
    }
    let mut samples = vec![Sample(vec![]); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let i = (round + turn) % contenders.len();
            let contender = &mut contenders[i].1;
            std::thread::sleep(PAUSE);
            contender.run()?;
            let start = Instant::now();
            for _ in 0..repeats[i] {
                contender.run()?;
            }
            samples[i]
                .0
                .push(start.elapsed().as_secs_f64() / repeats[i] as f64);
        }
    }
    let work = op.work(size, size_of::<T>());
    let figures = contenders.iter().zip(&samples).zip(wrong).enumerate();
    Ok(figures
        .map(|(i, (((name, _), sample), wrong))| Figure {
            routine: op.name().into(),
            dtype: T::DTYPE.name().into(),
            size,
            flops: op.flops(size),
            bytes: op.bytes(size, size_of::<T>()),
            contender: (*name).into(),
            unit: op.unit().into(),
            rate: sample.against(sample, |t, _| work / t / 1e9).into(),
            milliseconds: sample.spread().scaled(1e3).into(),
            of_ours: (i > 0).then(|| samples[0].against(sample, |ours, t| t / ours).into()),
            wrong: wrong.map(|e| e.to_string()),
        })
        .collect())
}

impl From<Spread> for report::Range {
    fn from(s: Spread) -> report::Range {
        report::Range {
            median: s.median,
            least: s.min,
            most: s.max,
        }
    }
}
