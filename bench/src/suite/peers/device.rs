//! This library on a device: matrices in its memory, transfers not counted.

use super::super::routine::{Op, Problem};
use super::{Contender, Peer, Ready, Real};
use crate::Result;
use suanzi_backends::Context;
use suanzi_blas::{Diag, Matrix, Side, Uplo, Vector, level1, level2, level3};
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

    fn single<'a>(&'a self, problem: &'a Problem<f32>) -> Result<Option<Ready<'a, f32>>> {
        Run::prepare(&self.ctx, problem).map(Some)
    }

    fn double<'a>(&'a self, problem: &'a Problem<f64>) -> Result<Option<Ready<'a, f64>>> {
        Run::prepare(&self.ctx, problem).map(Some)
    }
}

struct Run<'a> {
    ctx: &'a Context,
    op: Op,
    matrices: [Matrix; 3],
    vectors: [Vector; 3],
    /// What a reduction gave.
    number: Option<Tensor>,
}

impl<'a> Run<'a> {
    fn prepare<T: Real>(ctx: &'a Context, problem: &Problem<T>) -> Result<Ready<'a, T>> {
        let shapes = problem.op.shapes(problem.size);
        let mut matrices = vec![];
        for (values, [rows, columns]) in
            [&problem.a, &problem.b, &problem.c].into_iter().zip(shapes)
        {
            let memory = Tensor::from_slice(ctx, &[values.len()], values)?;
            matrices.push(Matrix::column_major(
                &memory,
                [rows, columns],
                rows.max(1),
                false,
            )?);
        }
        let matrices: [Matrix; 3] = matrices.try_into().expect("three were made");
        let vector = |m: &Matrix| Vector::real(&m.t().tensor().reshape(&[m.m() * m.n()])?);
        let [a, b, c] = &matrices;
        let vectors = match problem.op.unit() {
            "GB/s" => [vector(a)?, vector(b)?, vector(c)?],
            // Not used.
            _ => [vector(c)?, vector(c)?, vector(c)?],
        };
        Ok(Box::new(Run {
            ctx,
            op: problem.op,
            matrices,
            vectors,
            number: None,
        }))
    }

    fn record(&mut self) -> suanzi_ops::Result<()> {
        let ([a, b, c], [x, y, z]) = (&self.matrices, &self.vectors);
        let (left, lower) = (Side::Left, Uplo::Lower);
        match self.op {
            Op::Gemm => level3::gemm(1.0, a, b, 0.0, c),
            Op::Symm => level3::symm(left, lower, (1.0, a), b, (0.0, c)),
            Op::Syrk => level3::syrk(lower, (1.0, a), (0.0, c)),
            Op::Syr2k => level3::syr2k(lower, (1.0, a, b), (0.0, c)),
            Op::Trmm => level3::trmm(left, lower, Diag::NonUnit, (1.0, a), c),
            Op::Trsm => level3::trsm(left, lower, Diag::NonUnit, (1.0, a), c),
            Op::Gemv => level2::gemv(1.0, a, y, 0.0, z),
            Op::GemvT => level2::gemv(1.0, a.t(), y, 0.0, z),
            Op::Symv => level2::symv(lower, (1.0, a), y, (0.0, z)),
            Op::Ger => level2::ger(1.0, x, y, c),
            Op::Copy => level1::copy(x, z),
            Op::Scal => level1::scal(-1.0, z),
            Op::Axpy => level1::axpy(0.5, x, z),
            Op::Dot => level1::dot(x, y).map(|n| self.number = Some(n)),
            Op::Nrm2 => level1::nrm2(x).map(|n| self.number = Some(n)),
            Op::Asum => level1::asum(x).map(|n| self.number = Some(n)),
        }
    }
}

impl<T: Real> Contender<T> for Run<'_> {
    fn run(&mut self) -> Result<()> {
        self.record()?;
        Ok(self.ctx.device().sync()?)
    }

    fn result(&mut self) -> Result<Vec<T>> {
        Ok(match &self.number {
            Some(number) => number.to_vec()?,
            // Column by column.
            None => self.matrices[2].t().tensor().contiguous()?.to_vec()?,
        })
    }
}
