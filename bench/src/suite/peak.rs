//! A roofline's ceilings, measured on the device: its own copy, and chains of fma in registers.

use crate::compare::{clocked, interleave};
use crate::{Result, data};
use serde::Serialize;
use suanzi_backends::{Context, DeviceKind};
use suanzi_codegen::target::Support;
use suanzi_ops::{By, Each, Scalar, Tensor};

/// Ceilings of a device.
#[derive(Serialize)]
pub struct Ceilings {
    /// Its own copy of 64 MiB, read and written, in GB/s.
    pub copy: f64,
    /// GFLOP/s in f32 and f64; none of what it does not have.
    pub flops: [Option<f64>; 2],
}

impl Ceilings {
    /// Measures them.
    ///
    /// # Errors
    /// The device's.
    pub fn measure(ctx: &Context) -> Result<Ceilings> {
        let flops = |dtype| match ctx.device().caps().target.support(dtype) {
            Support::Missing => Ok(None),
            _ => peak(ctx, dtype).map(Some),
        };
        Ok(Ceilings {
            copy: copy(ctx)?,
            flops: [flops(Scalar::F32)?, flops(Scalar::F64)?],
        })
    }
}

fn copy(ctx: &Context) -> Result<f64> {
    let from = Tensor::from_slice(ctx, &[16 << 20], &data::varied(16 << 20, 1))?;
    let to = Tensor::empty(ctx, from.dtype(), from.shape())?;
    let bytes = 4 * from.numel() as u64;
    let copy = clocked(|| {
        let (from, to) = (from.buffer().memory(), to.buffer().memory());
        ctx.device().copy(from, 0, to, 0, bytes)?;
        Ok(ctx.device().sync()?)
    });
    let [copy] = interleave(9, [copy])?;
    Ok(2.0 * bytes as f64 / copy.spread().median / 1e9)
}

/// Steps of a chain.
const STEPS: u64 = 20_000;

/// The best of several numbers of chains and widths of vectors.
fn peak(ctx: &Context, dtype: Scalar) -> Result<f64> {
    let caps = ctx.device().caps();
    let cpu = caps.kind != DeviceKind::Gpu;
    let width = if cpu { 1 } else { caps.max_workgroup.min(256) };
    let groups = u64::from(caps.compute_units.max(1)) * if cpu { 8 } else { 32 };
    let widest = 64 / dtype.bytes() as u8;
    let lanes = if cpu { [widest / 2, widest] } else { [1, 4] };
    let mut best = 0.0f64;
    for lanes in lanes {
        for chains in [8, 12, 16] {
            let out = Tensor::empty(ctx, dtype, &[groups as usize])?;
            let fma = Chains { lanes, chains, out };
            fma.run(width, groups)?;
            let [sample] = interleave(5, [clocked(|| fma.run(width, groups))])?;
            let per_step = 2.0 * f64::from(lanes) * f64::from(chains) * f64::from(width);
            let flops = per_step * STEPS as f64 * groups as f64;
            best = best.max(flops / sample.spread().median / 1e9);
        }
    }
    Ok(best)
}

/// `chains` vectors, each multiplied and added to again and again.
struct Chains {
    lanes: u8,
    chains: u32,
    out: Tensor,
}

impl Chains {
    fn run(&self, width: u32, groups: u64) -> Result<()> {
        let kind = self.out.dtype();
        Each {
            op: "peak",
            name: "peak",
            variant: &[self.lanes.into(), self.chains],
            by: By::Group(width),
            outs: &[&self.out],
            ins: &[],
            scalars: &[("steps", STEPS)],
        }
        .run(groups, |b, io, task| {
            let ty = kind.x(self.lanes);
            // Each chain approaches 2: x = x / 2 + 1.
            let (half, one) = (b.float(ty, 0.5), b.float(ty, 1.0));
            let chains: Vec<_> = (0..self.chains)
                .map(|i| {
                    let start = b.float(ty, f64::from(i));
                    b.var(start)
                })
                .collect();
            let (from, step) = (io.x.int(b, 0), io.x.int(b, 1));
            b.for_(from, io.p("steps"), step, false, |b, _| {
                for &chain in &chains {
                    let before = b.get(chain);
                    let after = b.fma(before, half, one);
                    b.set(chain, after);
                }
            });
            let mut sum = b.get(chains[0]);
            for &chain in &chains[1..] {
                let next = b.get(chain);
                sum = b.add(sum, next);
            }
            let first = if self.lanes > 1 {
                b.extract(sum, 0)
            } else {
                sum
            };
            io.store(b, 0, task, first);
        })?;
        Ok(self.out.context().device().sync()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensure;

    #[test]
    fn chains_are_computed() -> Result<()> {
        let ctx = Context::open("cpu")?;
        let out = Tensor::empty(&ctx, Scalar::F32, &[2])?;
        let chains = Chains {
            lanes: 4,
            chains: 3,
            out,
        };
        chains.run(1, 2)?;
        // Each has come to 2.
        ensure!(chains.out.to_vec::<f32>()? == [6.0, 6.0], "three chains");
        Ok(())
    }
}
