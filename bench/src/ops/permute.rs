//! Bars: every permutation of four axes, in f32 and f16, against the device's own copy.
//!
//! Half of the copy's bandwidth is what each must reach. Strides here are powers of two, which is
//! where caches with few ways do worst.

use crate::{Bar, Bars, Criterion, Result, clocked, ensure, interleave};
use criterion::Throughput;
use std::time::Duration;
use suanzi_backends::Context;
use suanzi_ops::{Num, Scalar, Tensor, ops};

/// Bytes of an array, larger than caches in every dtype.
const ARRAY: usize = 64 << 20;
/// All axes but the first.
const INNER: [usize; 3] = [64, 128, 128];
const ROUNDS: usize = 9;
const BAR: f64 = 0.5;

/// Judges them on a device.
///
/// # Errors
/// The device's, and a wrong result.
pub fn bars(bars: &mut Bars, device: &str) -> Result<()> {
    for dtype in [Scalar::F32, Scalar::F16] {
        let bench = Bench::new(device, dtype)?;
        let shape = bench.x.shape();
        println!("{dtype} {shape:?} on {}", bench.ctx.device().info().name);
        for axes in permutations() {
            let name = format!("permute {dtype} {axes:?}");
            if !bars.wants(&name) {
                continue;
            }
            let view = bench.x.permute(&axes)?;
            let out = bench.out.reshape(view.shape())?;
            view.expr().eval_into(&out)?;
            bench.check(&view, &out)?;
            let contenders = [
                clocked(|| {
                    view.expr().eval_into(&out)?;
                    Ok(bench.ctx.device().sync()?)
                }),
                clocked(|| bench.copy()),
            ];
            let [permuted, copied] = interleave(ROUNDS, contenders)?;
            let ratio = permuted.against(&copied, |permuted, copied| copied / permuted);
            bars.judge(&name, ratio, "of copy", Bar::AtLeast(BAR));
        }
    }
    Ok(())
}

/// Criterion's statistics of some.
///
/// # Errors
/// The device's.
pub fn functions(criterion: &mut Criterion, device: &str) -> Result<()> {
    let bench = Bench::new(device, Scalar::F32)?;
    let mut group = criterion.benchmark_group("permute");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Bytes(2 * ARRAY as u64));
    for axes in [[0, 1, 3, 2], [0, 2, 3, 1], [3, 2, 1, 0]] {
        let view = bench.x.permute(&axes)?;
        let out = bench.out.reshape(view.shape())?;
        let run = || {
            view.expr().eval_into(&out).expect("a launch");
            bench.ctx.device().sync().expect("a run");
        };
        group.bench_function(format!("{axes:?}"), |b| b.iter(run));
    }
    group.finish();
    Ok(())
}

/// All but the identity.
fn permutations() -> Vec<[i64; 4]> {
    let digits = |code: i64| [code / 64, code / 16 % 4, code / 4 % 4, code % 4];
    let each_once = |axes: &[i64; 4]| (0..4).all(|a| axes.contains(&a));
    let all = (0..256).map(digits).filter(each_once);
    all.filter(|axes| axes != &[0, 1, 2, 3]).collect()
}

struct Bench {
    ctx: Context,
    x: Tensor,
    out: Tensor,
    /// Where copies go.
    other: Tensor,
    host: Vec<u8>,
}

impl Bench {
    fn new(device: &str, dtype: Scalar) -> Result<Bench> {
        let ctx = Context::open(device)?;
        // Bits that differ from element to element.
        let size = dtype.bytes();
        let n = ARRAY / size;
        let [b, c, d] = INNER;
        let host: Vec<u8> = (0..n as u32)
            .flat_map(|i| {
                let bits = i.wrapping_mul(0x9e37_79b1) & 0x3bff_3bff;
                bits.to_le_bytes()[..size].to_vec()
            })
            .collect();
        let x = Tensor::from_bytes(&ctx, dtype, &[n / (b * c * d), b, c, d], &host)?;
        let out = ops::fill(&ctx, dtype, &[n], Num::Float(1.0))?;
        let other = ops::fill(&ctx, dtype, &[n], Num::Float(1.0))?;
        Ok(Bench {
            ctx,
            x,
            out,
            other,
            host,
        })
    }

    fn copy(&self) -> Result<()> {
        let (from, to) = (self.x.buffer().memory(), self.other.buffer().memory());
        let device = self.ctx.device();
        device.copy(from, 0, to, 0, self.host.len() as u64)?;
        Ok(device.sync()?)
    }

    fn check(&self, view: &Tensor, out: &Tensor) -> Result<()> {
        let got = out.read_bytes()?;
        let size = view.dtype().bytes();
        let (shape, strides) = (view.shape(), view.strides());
        for i in 0..view.numel() {
            let mut rest = i;
            let mut from = 0;
            for axis in (0..4).rev() {
                from += rest % shape[axis] * strides[axis] as usize;
                rest /= shape[axis];
            }
            let (got, expected) = (&got[i * size..][..size], &self.host[from * size..][..size]);
            ensure!(got == expected, "element {i} is {got:?}, not {expected:?}");
        }
        Ok(())
    }
}
