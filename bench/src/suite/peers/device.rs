//! This library on a device: matrices in its memory, transfers not counted.

use super::super::number::Number;
use super::super::problem::Problem;
use super::super::routine::Op;
use super::{Contender, Peer, Prepare, Ready};
use crate::Result;
use anyhow::ensure;
use suanzi_backends::Context;
use suanzi_blas::{Diag, Matrix, Side, Uplo, Vector, level1, level2, level3, solve};
use suanzi_ops::Tensor;

/// A device.
pub struct Device {
    name: String,
    ctx: Context,
}

impl Device {
    /// Opens it.
    pub fn open(name: &str) -> Result<Device> {
        let ctx = Context::open(name)?;
        let name = format!("suanzi {name}");
        Ok(Device { name, ctx })
    }
}

impl Peer for Device {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> String {
        let info = self.ctx.device().info();
        format!("{}, {}", info.name, info.driver)
    }
}

struct Run<'a> {
    ctx: &'a Context,
    op: Op,
    matrices: [Matrix; 3],
    vectors: Option<[Vector; 3]>,
    /// What a reduction gave.
    number: Option<Tensor>,
    /// What a factorisation gave beside C: what went wrong, and pivots if it has them.
    factored: Option<(Tensor, Option<Tensor>)>,
}

/// Column-major, a batch's matrices one after the other.
fn matrix<T: Number>(
    ctx: &Context,
    values: &[T],
    [rows, columns]: [usize; 2],
    batch: usize,
) -> Result<Matrix> {
    let parts = T::parts();
    let bytes = bytemuck::cast_slice(values);
    let memory = Tensor::from_bytes(ctx, T::PART, &[values.len() * parts], bytes)?;
    let columns = columns / batch;
    let (mut shape, mut strides) = (vec![rows, columns], vec![1, rows.max(1)]);
    if batch > 1 {
        shape.insert(0, batch);
        strides.insert(0, rows * columns);
    }
    if T::COMPLEX {
        shape.push(parts);
        strides = strides.iter().map(|s| s * parts).chain([1]).collect();
    }
    let strides: Vec<i64> = strides.into_iter().map(|s| s as i64).collect();
    let view = memory.as_strided(&shape, &strides, 0)?;
    Ok(match T::COMPLEX {
        true => Matrix::complex(&view)?,
        false => Matrix::real(&view)?,
    })
}

impl<T: Number> Prepare<T> for Device {
    fn prepare<'a>(&'a self, problem: &'a Problem<T>) -> Result<Option<Ready<'a, T>>> {
        let op = problem.op;
        let [a, b, c] = op.shapes(problem.size);
        let make = |values, shape| matrix(&self.ctx, values, shape, op.batch(problem.size));
        let matrices = [
            make(&problem.a, a)?,
            make(&problem.b, b)?,
            make(&problem.c, c)?,
        ];
        let vector = |m: &Matrix| Vector::real(&m.t().tensor().reshape(&[m.m() * m.n()])?);
        let vectors = match op.unit() {
            "GB/s" => {
                let [a, b, c] = &matrices;
                Some([vector(a)?, vector(b)?, vector(c)?])
            }
            _ => None,
        };
        Ok(Some(Box::new(Run {
            ctx: &self.ctx,
            op,
            matrices,
            vectors,
            number: None,
            factored: None,
        })))
    }
}

impl Run<'_> {
    fn record(&mut self) -> suanzi_ops::Result<()> {
        let [a, b, c] = &self.matrices;
        let (left, lower) = (Side::Left, Uplo::Lower);
        match self.op {
            Op::Gemm | Op::GemmBatch => level3::gemm(1.0, a, b, 0.0, c),
            Op::Symm => level3::symm(left, lower, (1.0, a), b, (0.0, c)),
            Op::Syrk => level3::syrk(lower, (1.0, a), (0.0, c)),
            Op::Syr2k => level3::syr2k(lower, (1.0, a, b), (0.0, c)),
            Op::Trmm => level3::trmm(left, lower, Diag::NonUnit, (1.0, a), c),
            Op::Trsm => level3::trsm(left, lower, Diag::NonUnit, (1.0, a), c),
            Op::Getrf => {
                a.tensor().expr().eval_into(c.tensor())?;
                let lu = solve::getrf(c)?;
                self.factored = Some((lu.info, Some(lu.pivots)));
                Ok(())
            }
            Op::Potrf => {
                a.tensor().expr().eval_into(c.tensor())?;
                self.factored = Some((solve::potrf(lower, c)?, None));
                Ok(())
            }
            _ => self.vectors(),
        }
    }

    /// Levels 1 and 2.
    fn vectors(&mut self) -> suanzi_ops::Result<()> {
        let [a, _, c] = &self.matrices;
        let Some([x, y, z]) = &self.vectors else {
            unreachable!("they are there for what counts bytes");
        };
        match self.op {
            Op::Gemv => level2::gemv(1.0, a, y, 0.0, z),
            Op::GemvT => level2::gemv(1.0, a.t(), y, 0.0, z),
            Op::Symv => level2::symv(Uplo::Lower, (1.0, a), y, (0.0, z)),
            Op::Ger => level2::ger(1.0, x, y, c),
            Op::Copy => level1::copy(x, z),
            Op::Scal => level1::scal(-1.0, z),
            Op::Axpy => level1::axpy(0.5, x, z),
            Op::Dot => level1::dot(x, y).map(|n| self.number = Some(n)),
            Op::Nrm2 => level1::nrm2(x).map(|n| self.number = Some(n)),
            Op::Asum => level1::asum(x).map(|n| self.number = Some(n)),
            _ => unreachable!("matrices with matrices are elsewhere"),
        }
    }
}

impl<T: Number> Contender<T> for Run<'_> {
    fn run(&mut self) -> Result<()> {
        self.record()?;
        Ok(self.ctx.device().sync()?)
    }

    fn result(&mut self) -> Result<Vec<T>> {
        let values = match &self.number {
            Some(number) => number.read_bytes()?,
            // Column by column.
            None => self.matrices[2].t().tensor().read_bytes()?,
        };
        let mut values: Vec<T> = bytemuck::pod_collect_to_vec(&values);
        if let Some((info, pivots)) = &self.factored {
            let info = info.to_vec::<i32>()?;
            ensure!(info == [0], "info is {info:?}");
            let pivots = pivots.as_ref().map(Tensor::to_vec::<i32>).transpose()?;
            let pivots = pivots.unwrap_or_default().into_iter();
            values.extend(pivots.map(|p| T::of(p.into(), 0.0)));
        }
        Ok(values)
    }
}
