//! What is measured: routines of BLAS by name, their sizes, work, inputs and results.

use super::peers::Real;
use crate::{Result, data, ensure};
use clap::ValueEnum;

/// What one run measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Products of square and skinny matrices
    Gemm,
    /// Vectors
    Level1,
    /// Matrices with vectors
    Level2,
    /// Matrices with matrices
    Level3,
}

/// A routine. Matrices are column-major; the triangle is the lower one, on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `C = A · B`
    Gemm,
    /// `C = A · B`, A symmetric
    Symm,
    /// `C = A · Aᵀ`
    Syrk,
    /// `C = A · Bᵀ + B · Aᵀ`
    Syr2k,
    /// `C = A · C`, A triangular
    Trmm,
    /// `C = A⁻¹ · C`, A triangular
    Trsm,
    /// `c = A · b`
    Gemv,
    /// `c = Aᵀ · b`
    GemvT,
    /// `c = A · b`, A symmetric
    Symv,
    /// `C = a · bᵀ + C`
    Ger,
    /// `c = a`
    Copy,
    /// `c = -c`
    Scal,
    /// `c = a / 2 + c`
    Axpy,
    /// `Σ a · b`
    Dot,
    /// `√Σ a²`
    Nrm2,
    /// `Σ |a|`
    Asum,
}

use Op::*;

impl Group {
    /// Its routines.
    pub fn ops(self) -> &'static [Op] {
        match self {
            Group::Gemm => &[Gemm],
            Group::Level1 => &[Copy, Scal, Axpy, Dot, Nrm2, Asum],
            Group::Level2 => &[Gemv, GemvT, Symv, Ger],
            Group::Level3 => &[Symm, Syrk, Syr2k, Trmm, Trsm],
        }
    }
}

impl Op {
    /// BLAS's name without the letter; `gemv_t` is gemv with `TRANS = 'T'`.
    pub fn name(self) -> &'static str {
        match self {
            Gemm => "gemm",
            Symm => "symm",
            Syrk => "syrk",
            Syr2k => "syr2k",
            Trmm => "trmm",
            Trsm => "trsm",
            Gemv => "gemv",
            GemvT => "gemv_t",
            Symv => "symv",
            Ger => "ger",
            Copy => "copy",
            Scal => "scal",
            Axpy => "axpy",
            Dot => "dot",
            Nrm2 => "nrm2",
            Asum => "asum",
        }
    }

    /// m, n and k of each case.
    pub fn sizes(self) -> Vec<[usize; 3]> {
        match self {
            Gemm => {
                let square = [64, 128, 256, 512, 1024, 2048, 4096].map(|n| [n; 3]);
                let skinny = [
                    [64, 2048, 2048],
                    [2048, 64, 2048],
                    [2048, 2048, 64],
                    [512, 512, 8192],
                ];
                [&square[..], &skinny].concat()
            }
            Symm | Syrk | Syr2k | Trmm | Trsm => {
                [64, 128, 256, 512, 1024, 2048].map(|n| [n; 3]).into()
            }
            Gemv | GemvT | Symv | Ger => [64, 256, 1024, 2048, 4096].map(|n| [n, n, 1]).into(),
            _ => (2..=7).map(|e| [1, 10usize.pow(e), 1]).collect(),
        }
    }

    /// Rows and columns of A, B and C; none of what it does not have.
    pub fn shapes(self, [m, n, k]: [usize; 3]) -> [[usize; 2]; 3] {
        let none = [0, 0];
        match self {
            Gemm => [[m, k], [k, n], [m, n]],
            Symm => [[m, m], [m, n], [m, n]],
            Syrk => [[n, k], none, [n, n]],
            Syr2k => [[n, k], [n, k], [n, n]],
            Trmm | Trsm => [[m, m], none, [m, n]],
            Gemv => [[m, n], [n, 1], [m, 1]],
            GemvT => [[m, n], [m, 1], [n, 1]],
            Symv => [[n, n], [n, 1], [n, 1]],
            Ger => [[m, 1], [n, 1], [m, n]],
            Copy | Axpy => [[n, 1], none, [n, 1]],
            Scal => [none, none, [n, 1]],
            Dot => [[n, 1], [n, 1], [1, 1]],
            Nrm2 | Asum => [[n, 1], none, [1, 1]],
        }
    }

    /// Floating-point operations.
    pub fn flops(self, [m, n, k]: [usize; 3]) -> f64 {
        let [m, n, k] = [m, n, k].map(|d| d as f64);
        match self {
            Gemm => 2.0 * m * n * k,
            Symm => 2.0 * m * m * n,
            Syrk => n * (n + 1.0) * k,
            Syr2k => 2.0 * n * (n + 1.0) * k,
            Trmm | Trsm => m * m * n,
            Gemv | GemvT | Ger => 2.0 * m * n,
            Symv => 2.0 * n * n,
            Copy => 0.0,
            Scal | Asum => n,
            Axpy | Dot | Nrm2 => 2.0 * n,
        }
    }

    /// Bytes that must move: each input read once, each output written once.
    pub fn bytes(self, size: [usize; 3], element: usize) -> f64 {
        let [a, b, c] = self
            .shapes(size)
            .map(|[rows, columns]| (rows * columns) as f64);
        let elements = match self {
            Gemm => a + b + c,
            Symm => a / 2.0 + b + c,
            Syrk => a + c / 2.0,
            Syr2k => a + b + c / 2.0,
            Trmm | Trsm => a / 2.0 + 2.0 * c,
            Gemv | GemvT => a + b + c,
            Symv => a / 2.0 + b + c,
            Ger | Axpy => a + b + 2.0 * c,
            Copy => a + c,
            Scal => 2.0 * c,
            Dot | Nrm2 | Asum => a + b,
        };
        elements * element as f64
    }

    /// What a rate counts.
    pub fn work(self, size: [usize; 3], element: usize) -> f64 {
        match self.unit() {
            "GFLOP/s" => self.flops(size),
            _ => self.bytes(size, element),
        }
    }

    /// The unit of its rate.
    pub fn unit(self) -> &'static str {
        match self {
            Gemm | Symm | Syrk | Syr2k | Trmm | Trsm => "GFLOP/s",
            _ => "GB/s",
        }
    }
}

/// A routine's inputs, the same for everybody.
pub struct Problem<T> {
    /// The routine.
    pub op: Op,
    /// m, n and k.
    pub size: [usize; 3],
    /// A, column by column.
    pub a: Vec<T>,
    /// B.
    pub b: Vec<T>,
    /// C before the first run.
    pub c: Vec<T>,
}

impl<T: Real> Problem<T> {
    /// Inputs that vary; a triangle is near the identity, so that it can be applied often.
    pub fn new(op: Op, size: [usize; 3]) -> Problem<T> {
        let shapes = op.shapes(size);
        let values = |i: usize, seed: u32| -> Vec<T> {
            let [rows, columns] = shapes[i];
            let values = data::varied(rows * columns, seed).into_iter();
            match (op, i) {
                (Trmm | Trsm, 0) => values
                    .enumerate()
                    .map(|(at, x)| match at % (rows + 1) {
                        0 => T::of(1.0),
                        _ => T::of(f64::from(x) / (8.0 * rows as f64)),
                    })
                    .collect(),
                _ => values.map(|x| T::of(x.into())).collect(),
            }
        };
        Problem {
            op,
            size,
            a: values(0, 1),
            b: values(1, 2),
            c: values(2, 3),
        }
    }

    /// Whether a result of the first run is right, here and there.
    ///
    /// # Errors
    /// The first element that is not.
    pub fn check(&self, got: &[T]) -> Result<()> {
        let [_, _, [rows, columns]] = self.op.shapes(self.size);
        ensure!(got.len() == rows * columns, "{} elements", got.len());
        let some = |n: usize| (0..n).step_by(n / 13 + 1).chain([n - 1]);
        for j in some(columns) {
            for i in some(rows) {
                if matches!(self.op, Syrk | Syr2k) && i < j {
                    continue;
                }
                self.check_one(got, i, j)?;
            }
        }
        Ok(())
    }

    fn check_one(&self, got: &[T], i: usize, j: usize) -> Result<()> {
        let [[rows_a, columns_a], [rows_b, _], [rows, _]] = self.op.shapes(self.size);
        let a = |i: usize, j: usize| self.a[i + j * rows_a].to_f64();
        let b = |i: usize, j: usize| self.b[i + j * rows_b].to_f64();
        let c = |i: usize, j: usize| self.c[i + j * rows].to_f64();
        let lower = |i: usize, j: usize| a(i.max(j), i.min(j));
        let after = |i: usize, j: usize| got[i + j * rows].to_f64();
        // What was computed, and the terms of what it should be.
        let terms: Vec<f64> = match self.op {
            Gemm | Gemv => (0..columns_a).map(|p| a(i, p) * b(p, j)).collect(),
            Symm | Symv => (0..columns_a).map(|p| lower(i, p) * b(p, j)).collect(),
            Syrk => (0..columns_a).map(|p| a(i, p) * a(j, p)).collect(),
            Syr2k => (0..columns_a)
                .flat_map(|p| [a(i, p) * b(j, p), b(i, p) * a(j, p)])
                .collect(),
            Trmm => (0..=i).map(|p| a(i, p) * c(p, j)).collect(),
            // A · X is what C was.
            Trsm => (0..=i).map(|p| a(i, p) * after(p, j)).collect(),
            GemvT => (0..rows_a).map(|p| a(p, i) * b(p, j)).collect(),
            Ger => vec![a(i, 0) * b(j, 0), c(i, j)],
            Copy => vec![a(i, 0)],
            Scal => vec![-c(i, 0)],
            Axpy => vec![a(i, 0) / 2.0, c(i, 0)],
            Dot => (0..rows_a).map(|p| a(p, 0) * b(p, 0)).collect(),
            Nrm2 => (0..rows_a).map(|p| a(p, 0) * a(p, 0)).collect(),
            Asum => (0..rows_a).map(|p| a(p, 0).abs()).collect(),
        };
        let sum: f64 = terms.iter().sum();
        let size: f64 = terms.iter().map(|t| t.abs()).sum();
        let (got, expected, size) = match self.op {
            Trsm => (sum, c(i, j), size + c(i, j).abs()),
            Nrm2 => (after(i, j), sum.sqrt(), sum.sqrt()),
            _ => (after(i, j), sum, size),
        };
        let limit = 4.0 * (terms.len() + 8) as f64 * T::EPS * size;
        ensure!(
            (got - expected).abs() <= limit,
            "element {i}, {j} is {got}, not {expected}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_results_are_seen() {
        let problem = Problem::<f64>::new(Gemm, [5, 4, 3]);
        let mut c = vec![0.0; 20];
        for (at, c) in c.iter_mut().enumerate() {
            let (i, j) = (at % 5, at / 5);
            *c = (0..3)
                .map(|p| problem.a[i + p * 5] * problem.b[p + j * 3])
                .sum();
        }
        assert!(problem.check(&c).is_ok());
        c[7] += 1e-9;
        assert!(problem.check(&c).is_err());
        assert!(problem.check(&c[1..]).is_err());
    }

    #[test]
    fn every_routine_has_inputs_that_are_not_zero() {
        for group in Group::value_variants() {
            for &op in group.ops() {
                let problem = Problem::<f32>::new(op, [9, 7, 5]);
                let all = [&problem.a, &problem.b, &problem.c];
                assert!(all.into_iter().flatten().filter(|x| **x == 0.0).count() < 2);
                assert!(!problem.c.is_empty() && op.bytes([9, 7, 5], 4) > 0.0);
            }
        }
    }
}
