//! `suanzi bench`: this library and its peers, in one run, on the same data, turn by turn.
//!
//! - [`routine`]: what is measured, [`problem`] its inputs and checks, for each kind of [`number`].
//! - [`peers`]: who does it: this library on a device, any library with CBLAS's names, the `gemm`
//!   crate, CLBlast, cuBLAS. All are loaded at run time, and absent ones are named as absent.
//! - [`conv`]: convolutions beside ONNX Runtime.
//! - [`promise`]: which figures have a bar.
//! - [`report`]: the table, the JSON and the page with [`plots`]; [`peak`] a roofline's ceilings.

pub mod conv;
pub mod number;
pub mod peak;
pub mod peers;
pub mod plots;
pub mod problem;
pub mod promise;
pub mod report;
pub mod routine;

use crate::compare::{Sample, Spread};
use crate::{Bar, Bars, Result, ensure};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use num_complex::Complex;
use number::Number;
use peers::{Contender, Peer, Prepare};
use problem::Problem;
use report::{Figure, Report};
use routine::{Group, Op};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use suanzi_backends::Context;

/// Measure this library against others, side by side.
#[derive(Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_enum)]
    group: Group,
    /// Device of this library, and of OpenCL peers
    #[arg(long, default_value = "opencl:0")]
    device: String,
    /// Peers: openblas, openblas:CORETYPE, blis, netlib, dropin, gemm, clblast, cublas, or the file of a
    /// library with CBLAS's names; all by default. For convolutions: the file of ONNX Runtime
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
    C64,
    C128,
}

/// After which idle threads of a library sleep: they spin before, on the other's cores.
const PAUSE: Duration = Duration::from_millis(20);

/// What takes longer has one turn only.
const LONG: f64 = 4.0;

/// How long each works before its turn is timed: host libraries share their operands, which those before them have
/// left in the cache, and a device has its own.
const WARM: Duration = Duration::from_millis(10);

/// Peers that have a part in a bar.
const JUDGED: &[&str] = &[
    "openblas",
    "openblas:SkylakeX",
    "openblas:Cooperlake",
    "openblas:Haswell",
    "openblas:Zen",
    "clblast",
    "cublas",
];

/// Runs the command. Exit code 1 where a result is wrong, be it ours or a peer's, where a bar is missed and bars are what
/// was asked for, and where a device or a library fails.
pub fn run(args: &BenchArgs) -> ExitCode {
    bench(args).unwrap_or_else(|error| {
        eprintln!("bench: {error:#}");
        ExitCode::FAILURE
    })
}

impl BenchArgs {
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|text| name.contains(text))
    }

    /// Whether convolutions are measured.
    fn convolves(&self) -> bool {
        let reals = self.dtypes.is_empty() || self.dtypes.contains(&Dtype::F32);
        match self.group {
            Group::Conv => true,
            Group::Bars => reals && self.wants("conv"),
            _ => false,
        }
    }

    /// Every routine, dtype and size that is wanted.
    fn cases(&self, ctx: &Context) -> Vec<(Dtype, Op, [usize; 3])> {
        let kind = ctx.device().caps().kind;
        let reals = [Dtype::F32, Dtype::F64];
        let all = [Dtype::F32, Dtype::F64, Dtype::C64, Dtype::C128];
        let dtypes = match (&self.dtypes[..], self.group) {
            ([], Group::Bars) => &reals[..],
            ([], _) => &all,
            (some, _) => some,
        };
        let fits = |op: Op, size: &[usize; 3]| {
            self.most.is_none_or(|most| size.iter().all(|&d| d <= most))
                && (self.group != Group::Bars || promise::covered(kind, op, *size))
        };
        let mut cases = vec![];
        for &dtype in dtypes {
            for &op in self.group.ops().iter().filter(|op| self.wants(op.name())) {
                if reals.contains(&dtype) || op.is_complex() {
                    let sizes = op.sizes().into_iter().filter(|size| fits(op, size));
                    cases.extend(sizes.map(|size| (dtype, op, size)));
                }
            }
        }
        cases
    }
}

fn bench(args: &BenchArgs) -> Result<ExitCode> {
    ensure!(args.rounds > 0, "--rounds is more than 0");
    let ctx = Context::open(&args.device)?;
    let mut report = Report::new(args.group, &ctx)?;
    let mut bars = Bars::filtered(args.only.clone());
    let cases = args.cases(&ctx);
    let convolves = args.convolves();
    ensure!(
        !cases.is_empty() || convolves || args.group == Group::Ops,
        "nothing is left to measure"
    );
    if !cases.is_empty() {
        routines(args, &ctx, cases, &mut report, &mut bars)?;
    }
    if convolves {
        conv::measure(&ctx, &args.peers, args.rounds, &mut report, &mut bars)?;
    }
    if args.group == Group::Ops {
        crate::ops::bars(&mut bars, &args.device)?;
    }
    report.verdicts = bars.verdicts().to_vec();
    let page = report.write(&args.report)?;
    println!("report: {}", page.display());
    let wrong = report.figures.iter().filter(|f| f.wrong.is_some()).count();
    if wrong > 0 {
        println!("{wrong} results are WRONG");
        return Ok(ExitCode::FAILURE);
    }
    Ok(match args.group {
        Group::Bars | Group::Ops => bars.close(),
        _ => ExitCode::SUCCESS,
    })
}

/// Measures routines of BLAS and LAPACK.
fn routines(
    args: &BenchArgs,
    ctx: &Context,
    cases: Vec<(Dtype, Op, [usize; 3])>,
    report: &mut Report,
    bars: &mut Bars,
) -> Result<()> {
    let names: Vec<&str> = match (&args.peers[..], args.group) {
        ([], Group::Bars) => JUDGED.to_vec(),
        (some, _) => some.iter().map(|s| &**s).collect(),
    };
    let (peers, absent) = peers::find(&args.device, &names)?;
    for peer in &peers {
        report.takes_part(peer.name(), peer.about());
    }
    for (name, why) in absent {
        report.is_absent(&name, why);
    }
    let kind = ctx.device().caps().kind;
    let bar = progress(cases.len())?;
    for (dtype, op, size) in cases {
        bar.set_message(format!("{} {size:?}", op.name()));
        let figures = match dtype {
            Dtype::F32 => measure::<f32>(&peers, op, size, args.rounds)?,
            Dtype::F64 => measure::<f64>(&peers, op, size, args.rounds)?,
            Dtype::C64 => measure::<Complex<f32>>(&peers, op, size, args.rounds)?,
            Dtype::C128 => measure::<Complex<f64>>(&peers, op, size, args.rounds)?,
        };
        bar.suspend(|| {
            figures.iter().for_each(|f| println!("{f}"));
            promise::judge(bars, kind, op, &figures, report.ceilings.copy);
        });
        let complex =
            args.group == Group::Bars && op == Op::Gemm && [512, 1024, 2048].contains(&size[0]);
        if complex && size == [size[0]; 3] {
            let name = format!(
                "gemm {} {}",
                if dtype == Dtype::F32 { "c64" } else { "c128" },
                size[0]
            );
            let rate = match dtype {
                Dtype::F32 => complex_rate::<f32, Complex<f32>>(&*peers[0], size, args.rounds)?,
                _ => complex_rate::<f64, Complex<f64>>(&*peers[0], size, args.rounds)?,
            };
            let unit = "of the real numbers' flop rate";
            bar.suspend(|| bars.judge(&name, rate, unit, Bar::AtLeast(0.9)));
        }
        report.figures.extend(figures);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn progress(length: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?;
    Ok(ProgressBar::new(length as u64).with_style(style))
}

/// One routine, one size: everybody in turns, this library first.
fn measure<T: Number>(
    peers: &[Box<dyn Peer>],
    op: Op,
    size: [usize; 3],
    rounds: usize,
) -> Result<Vec<Figure>>
where
    dyn Peer: Prepare<T>,
{
    let problem = Problem::<T>::new(op, size);
    let mut contenders: Vec<(&str, Box<dyn Contender<T> + '_>)> = vec![];
    for peer in peers {
        if let Some(contender) = peer.prepare(&problem)? {
            contenders.push((peer.name(), contender));
        }
    }
    let mut wrong = vec![];
    for (_, contender) in &mut contenders {
        contender.run()?;
        wrong.push(problem.check(&contender.result()?).err());
    }
    let works = contenders.iter_mut();
    let samples = turns(
        works.map(|(_, c)| -> Work<'_> { Box::new(|| c.run()) }),
        rounds,
    )?;
    let [m, n, k] = size;
    let square = size == [n; 3];
    Ok(contenders
        .iter()
        .zip(&samples)
        .zip(wrong)
        .enumerate()
        .map(|(i, (((name, _), sample), wrong))| Figure {
            routine: op.name().into(),
            dtype: T::NAME.into(),
            size,
            case: match op.batch(size) {
                1 if square => format!("{n}"),
                1 => format!("{m}x{n}x{k}"),
                count => format!("{count} of {m}x{n}x{k}"),
            },
            side: (op != Op::Gemm || square).then_some(n as f64),
            flops: op.flops::<T>(size),
            bytes: op.bytes::<T>(size),
            contender: (*name).into(),
            unit: op.unit().into(),
            rate: sample
                .against(sample, |t, _| op.work::<T>(size) / t / 1e9)
                .into(),
            milliseconds: sample.spread().scaled(1e3).into(),
            of_ours: (i > 0).then(|| samples[0].against(sample, |ours, t| t / ours).into()),
            wrong: wrong.map(|e| e.to_string()),
        })
        .collect())
}

/// The flop rate of a product of complex numbers over that of real ones.
fn complex_rate<R: Number, C: Number>(
    device: &(dyn Peer + 'static),
    size: [usize; 3],
    rounds: usize,
) -> Result<Spread>
where
    dyn Peer: Prepare<R> + Prepare<C>,
{
    let real = Problem::<R>::new(Op::Gemm, size);
    let complex = Problem::<C>::new(Op::Gemm, size);
    let (Some(mut a), Some(mut b)) = (device.prepare(&real)?, device.prepare(&complex)?) else {
        unreachable!("this library has products");
    };
    a.run()?;
    b.run()?;
    complex.check(&b.result()?)?;
    let works: [Work<'_>; 2] = [Box::new(|| a.run()), Box::new(|| b.run())];
    let samples = turns(works.into_iter(), rounds)?;
    Ok(samples[0].against(&samples[1], |real, complex| 4.0 * real / complex))
}

/// Something to time.
type Work<'a> = Box<dyn FnMut() -> Result<()> + 'a>;

/// The seconds of each in turns. Short work is done several times in a turn, so that the clock does not matter, and nor does what
/// was done before.
fn turns<'a>(works: impl Iterator<Item = Work<'a>>, rounds: usize) -> Result<Vec<Sample>> {
    let mut works: Vec<Work<'a>> = works.collect();
    let mut once = vec![];
    for work in &mut works {
        let start = Instant::now();
        work()?;
        once.push(start.elapsed().as_secs_f64().max(1e-8));
    }
    let mut samples = vec![Sample(vec![]); works.len()];
    for round in 0..rounds {
        for turn in 0..works.len() {
            let i = (round + turn) % works.len();
            if once[i] > LONG {
                if round == 0 {
                    samples[i].0.push(once[i]);
                }
                continue;
            }
            std::thread::sleep(PAUSE);
            let start = Instant::now();
            while start.elapsed() < WARM {
                works[i]()?;
            }
            let repeats = ((2e-3 / once[i]) as usize).clamp(1, 2000);
            let start = Instant::now();
            for _ in 0..repeats {
                works[i]()?;
            }
            samples[i]
                .0
                .push(start.elapsed().as_secs_f64() / repeats as f64);
        }
    }
    Ok(samples)
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
