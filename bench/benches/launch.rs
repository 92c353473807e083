//! Bar: what this library adds to a launch on OpenCL. A small operator, with everything that a call
//! of it does (expression, plan, program lookup, checks, launch), against the bare API setting the
//! arguments of the same kernel and enqueueing it.

use opencl3::command_queue::CommandQueue;
use opencl3::context::Context as ClContext;
use opencl3::device::{CL_DEVICE_TYPE_ALL, Device as ClDevice, get_all_devices};
use opencl3::kernel::{ExecuteKernel, Kernel as ClKernel};
use opencl3::memory::{Buffer, CL_MEM_READ_WRITE};
use opencl3::program::Program;
use opencl3::types::CL_BLOCKING;
use std::process::ExitCode;
use std::ptr;
use std::time::{Duration, Instant};
use suanzi_backends::{Context, DeviceKind};
use suanzi_bench::{Bar, Bars, Criterion, Result, Round, data, device_name, interleave};
use suanzi_codegen::emit_c::{self, OPENCL};
use suanzi_codegen::ir::ParamKind;
use suanzi_codegen::{Kernel, Scalar, legalise};
use suanzi_ops::{Tensor, kernel_for, ops, table};

/// Elements of an operand.
const N: usize = 16;
/// Launches of a round, before one wait.
const LAUNCHES: u32 = 1000;
const ROUNDS: usize = 25;
/// Microseconds.
const BAR: f64 = 10.0;

fn main() -> ExitCode {
    suanzi_bench::run(bars, functions)
}

fn bars(bars: &mut Bars) -> Result<()> {
    let Some((ours, bare)) = contenders()? else {
        return Ok(());
    };
    for waited in [true, false] {
        let round = |launch: fn(&Ours) -> Result<()>| ours.round(launch, waited);
        let contenders = [bare.round(waited), round(Ours::written), round(Ours::fresh)];
        let [bare, into, fresh] = interleave(ROUNDS, contenders)?;
        let micros = |seconds: f64| seconds * 1e6 / f64::from(LAUNCHES);
        let what = match waited {
            true => "to the end of the last",
            false => "of the caller's time",
        };
        println!("a launch, {what}");
        bars.note("bare OpenCL", bare.spread().scaled(micros(1.0)), "us");
        bars.note("eval_into", into.spread().scaled(micros(1.0)), "us");
        bars.note("eval", fresh.spread().scaled(micros(1.0)), "us");
        for (name, sample) in [("eval_into", &into), ("eval", &fresh)] {
            let added = sample.against(&bare, |ours, bare| micros(ours - bare));
            let name = format!("{name} over bare OpenCL, {what}");
            bars.judge(&name, added, "us", Bar::AtMost(BAR));
        }
    }
    Ok(())
}

fn functions(criterion: &mut Criterion) -> Result<()> {
    let Some((ours, bare)) = contenders()? else {
        return Ok(());
    };
    let mut group = criterion.benchmark_group("launch");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3));
    let rounds: [(&str, Round<'_>); 3] = [
        ("bare", bare.round(true)),
        ("eval_into", ours.round(Ours::written, true)),
        ("eval", ours.round(Ours::fresh, true)),
    ];
    for (name, mut round) in rounds {
        // Criterion times single launches, a round is many.
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                let rounds = n.div_ceil(LAUNCHES.into());
                let time: Duration = (0..rounds).map(|_| round().expect("a round")).sum();
                time.mul_f64(n as f64 / (rounds * u64::from(LAUNCHES)) as f64)
            });
        });
    }
    group.finish();
    Ok(())
}

fn contenders() -> Result<Option<(Ours, Bare)>> {
    let name = device_name();
    let Some(number) = name.strip_prefix("opencl:") else {
        println!("nothing to compare: {name} is no OpenCL device");
        return Ok(None);
    };
    let ours = Ours::new(&name)?;
    let bare = Bare::new(&ours.ctx, number.parse()?)?;
    Ok(Some((ours, bare)))
}

/// Times launches: with the wait for the last, or the calls alone.
fn launches(
    waited: bool,
    mut launch: impl FnMut() -> Result<()>,
    finish: impl Fn() -> Result<()>,
) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..LAUNCHES {
        launch()?;
    }
    let called = start.elapsed();
    finish()?;
    Ok(if waited { start.elapsed() } else { called })
}

/// The operator through this library.
struct Ours {
    ctx: Context,
    x: Tensor,
    y: Tensor,
    out: Tensor,
}

impl Ours {
    fn new(name: &str) -> Result<Ours> {
        let ctx = Context::open(name)?;
        let (x, y) = (data::varied(N, 1), data::varied(N, 2));
        let ours = Ours {
            x: Tensor::from_slice(&ctx, &[N], &x)?,
            y: Tensor::from_slice(&ctx, &[N], &y)?,
            out: Tensor::empty(&ctx, Scalar::F32, &[N])?,
            ctx,
        };
        ours.written()?;
        data::same("add", &ours.out.to_vec::<f32>()?, expected())?;
        Ok(ours)
    }

    /// Into memory that is there.
    fn written(&self) -> Result<()> {
        Ok(ops::add(&self.x, &self.y)?.eval_into(&self.out)?)
    }

    /// Into memory from the pool.
    fn fresh(&self) -> Result<()> {
        ops::add(&self.x, &self.y)?.eval()?;
        Ok(())
    }

    fn round(&self, launch: fn(&Ours) -> Result<()>, waited: bool) -> Round<'_> {
        let finish = || Ok(self.ctx.device().sync()?);
        Box::new(move || launches(waited, || launch(self), finish))
    }
}

fn expected() -> impl ExactSizeIterator<Item = f32> {
    let (x, y) = (data::varied(N, 1), data::varied(N, 2));
    (0..N).map(move |i| x[i] + y[i])
}

/// The same kernel through the bare API.
struct Bare {
    // Dropped in this order.
    kernel: ClKernel,
    buffers: [Buffer<f32>; 3],
    scalars: Vec<u32>,
    global: usize,
    local: usize,
    queue: CommandQueue,
    _context: ClContext,
}

impl Bare {
    #[allow(deprecated)] // Its successor is not in OpenCL 1.2.
    fn new(ctx: &Context, number: usize) -> Result<Bare> {
        let caps = ctx.device().caps();
        let kernel = legalise(
            &kernel_for(table::row("add")?, Scalar::F32, caps.kind)?,
            &caps.target,
        )?;
        let source = emit_c::emit(&kernel, &OPENCL, &caps.target)?;
        let device = ClDevice::new(get_all_devices(CL_DEVICE_TYPE_ALL)?[number]);
        let context = ClContext::from_device(&device)?;
        let queue = CommandQueue::create_default(&context, 0)?;
        let options = OPENCL.options.join(" ");
        let program = Program::create_and_build_from_source(&context, &source, &options)
            .map_err(anyhow::Error::msg)?;
        let local = kernel.workgroup[0] as usize;
        let buffer = || {
            // SAFETY: the driver allocates, and frees when the buffer is dropped.
            unsafe { Buffer::<f32>::create(&context, CL_MEM_READ_WRITE, N, ptr::null_mut()) }
        };
        let mut bare = Bare {
            kernel: ClKernel::create(&program, &kernel.name)?,
            buffers: [buffer()?, buffer()?, buffer()?],
            scalars: scalars(&kernel, caps.kind),
            global: local,
            local,
            queue,
            _context: context,
        };
        bare.check()?;
        Ok(bare)
    }

    fn check(&mut self) -> Result<()> {
        for (buffer, seed) in [(1, 1), (2, 2)] {
            let values = data::varied(N, seed);
            // SAFETY: a blocking write of as many values as the buffer holds.
            unsafe {
                self.queue.enqueue_write_buffer(
                    &mut self.buffers[buffer],
                    CL_BLOCKING,
                    0,
                    &values,
                    &[],
                )?;
            }
        }
        self.launch()?;
        let mut got = vec![0.0; N];
        // SAFETY: a blocking read of as many values as the buffer holds.
        unsafe {
            self.queue
                .enqueue_read_buffer(&self.buffers[0], CL_BLOCKING, 0, &mut got, &[])?;
        }
        data::same("bare add", &got, expected())
    }

    fn launch(&self) -> Result<()> {
        let mut launch = ExecuteKernel::new(&self.kernel);
        // SAFETY: buffers, then scalars, as the kernel declares them, for one work-group.
        unsafe {
            self.buffers.iter().for_each(|b| {
                launch.set_arg(b);
            });
            self.scalars.iter().for_each(|s| {
                launch.set_arg(s);
            });
            launch.set_global_work_size(self.global);
            launch.set_local_work_size(self.local);
            launch.enqueue_nd_range(&self.queue)?;
        }
        Ok(())
    }

    fn round(&self, waited: bool) -> Round<'_> {
        let finish = || Ok(self.queue.finish()?);
        Box::new(move || launches(waited, || self.launch(), finish))
    }
}

/// What the map skeleton passes for `N` contiguous elements.
fn scalars(kernel: &Kernel, kind: DeviceKind) -> Vec<u32> {
    let lanes = match kind {
        DeviceKind::Cpu => 16,
        _ => 4,
    };
    let params = kernel.params.iter();
    let scalars = params.filter(|p| matches!(p.kind, ParamKind::Scalar(_)));
    let value = |name: &str| match name {
        n if n.starts_with("total") => N as u32 / lanes,
        n if n.starts_with("inner") || n.starts_with("run") => N as u32,
        _ => 0,
    };
    scalars.map(|p| value(&p.name)).collect()
}
