//! A routine's inputs, and whether what came out is right.

use super::number::Number;
use super::routine::Op::{self, *};
use crate::{Result, data, ensure};
use num_complex::Complex;

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

impl<T: Number> Problem<T> {
    /// Inputs that vary. A triangle is near the identity, so that it can be applied often; what Cholesky is given has a
    /// large diagonal.
    pub fn new(op: Op, size: [usize; 3]) -> Problem<T> {
        let shapes = op.shapes(size);
        let values = |i: usize, seed: u32| -> Vec<T> {
            let [rows, columns] = shapes[i];
            let values = data::varied(2 * rows * columns, seed);
            let pairs = values.chunks_exact(2).enumerate();
            pairs
                .map(|(at, pair)| {
                    let [re, im] = [pair[0], pair[1]].map(f64::from);
                    let diagonal = at % (rows + 1) == 0;
                    match (op, i) {
                        (Trmm | Trsm, 0) if diagonal => T::of(1.0, 0.0),
                        (Trmm | Trsm, 0) => {
                            T::of(re / (8.0 * rows as f64), im / (8.0 * rows as f64))
                        }
                        (Potrf, 0) if diagonal => T::of(8.0 * rows as f64, 0.0),
                        _ => T::of(re, im),
                    }
                })
                .collect()
        };
        Problem {
            op,
            size,
            a: values(0, 1),
            b: values(1, 2),
            c: values(2, 3),
        }
    }

    /// Whether a result of the first run is right, here and there: C, and after it the pivots of a factorisation that has
    /// them.
    ///
    /// # Errors
    /// The first element that is not.
    pub fn check(&self, got: &[T]) -> Result<()> {
        let [_, _, [rows, columns]] = self.op.shapes(self.size);
        let pivots = if self.op == Getrf { rows } else { 0 };
        ensure!(
            got.len() == rows * columns + pivots,
            "{} elements",
            got.len()
        );
        let (got, pivots) = got.split_at(rows * columns);
        let permuted = permuted(rows, pivots)?;
        let some = |n: usize| (0..n).step_by(n / 13 + 1).chain([n - 1]);
        for j in some(columns) {
            for i in some(rows) {
                // What is above the diagonal is nobody's.
                if matches!(self.op, Syrk | Syr2k | Potrf) && i < j {
                    continue;
                }
                self.check_one(got, &permuted, i, j)?;
            }
        }
        Ok(())
    }

    fn check_one(&self, got: &[T], permuted: &[usize], i: usize, j: usize) -> Result<()> {
        let [[rows_a, columns_a], [rows_b, _], [rows, _]] = self.op.shapes(self.size);
        let a = |i: usize, j: usize| self.a[i + j * rows_a].wide();
        let b = |i: usize, j: usize| self.b[i + j * rows_b].wide();
        let c = |i: usize, j: usize| self.c[i + j * rows].wide();
        let symmetric = |i: usize, j: usize| a(i.max(j), i.min(j));
        let after = |i: usize, j: usize| got[i + j * rows].wide();
        let size = |x: Complex<f64>| Complex::from(x.norm());
        // What was computed, and the terms of what it should be.
        let terms: Vec<Complex<f64>> = match self.op {
            Gemm | Gemv => (0..columns_a).map(|p| a(i, p) * b(p, j)).collect(),
            GemmBatch => {
                let [_, n, k] = self.size;
                let first = j / n * k;
                (0..k).map(|p| a(i, first + p) * b(p, j)).collect()
            }
            Symm | Symv => (0..columns_a).map(|p| symmetric(i, p) * b(p, j)).collect(),
            Syrk => (0..columns_a).map(|p| a(i, p) * a(j, p)).collect(),
            Syr2k => (0..columns_a)
                .flat_map(|p| [a(i, p) * b(j, p), b(i, p) * a(j, p)])
                .collect(),
            Trmm => (0..=i).map(|p| a(i, p) * c(p, j)).collect(),
            // A · X is what C was.
            Trsm => (0..=i).map(|p| a(i, p) * after(p, j)).collect(),
            // L · U, the diagonal of L being ones.
            Getrf => (0..=i.min(j))
                .map(|p| match p == i {
                    true => after(p, j),
                    false => after(i, p) * after(p, j),
                })
                .collect(),
            Potrf => (0..=j).map(|p| after(i, p) * after(j, p).conj()).collect(),
            GemvT => (0..rows_a).map(|p| a(p, i) * b(p, j)).collect(),
            Ger => vec![a(i, 0) * b(j, 0), c(i, j)],
            Copy => vec![a(i, 0)],
            Scal => vec![-c(i, 0)],
            Axpy => vec![a(i, 0) / 2.0, c(i, 0)],
            Dot => (0..rows_a).map(|p| a(p, 0) * b(p, 0)).collect(),
            Nrm2 => (0..rows_a).map(|p| a(p, 0) * a(p, 0)).collect(),
            Asum => (0..rows_a).map(|p| size(a(p, 0))).collect(),
        };
        let sum: Complex<f64> = terms.iter().sum();
        let all: f64 = terms.iter().map(|t| t.norm()).sum();
        let (got, expected, all) = match self.op {
            Trsm => (sum, c(i, j), all + c(i, j).norm()),
            Getrf => (sum, a(permuted[i], j), all + a(permuted[i], j).norm()),
            Potrf => (sum, a(i, j), all + a(i, j).norm()),
            Nrm2 => (after(i, j), sum.sqrt(), sum.norm().sqrt()),
            _ => (after(i, j), sum, all),
        };
        let limit = 4.0 * (terms.len() + 8) as f64 * T::EPS * all;
        // NaN is not near.
        ensure!(
            (got - expected).norm() <= limit,
            "element {i}, {j} is {got}, not {expected}"
        );
        if self.op == Getrf && i > j {
            // Its column's pivot was the largest.
            ensure!(after(i, j).norm() < 1.5, "element {i}, {j} has no pivot");
        }
        Ok(())
    }
}

/// Which row of A has become which, from LAPACK's pivots.
fn permuted<T: Number>(rows: usize, pivots: &[T]) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows).collect();
    for (i, pivot) in pivots.iter().enumerate() {
        let with = pivot.wide().re as usize;
        ensure!((i + 1..=rows).contains(&with), "pivot {i} is {with}");
        order.swap(i, with - 1);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::super::routine::Group;
    use super::*;
    use clap::ValueEnum;

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
    fn factors_need_their_pivots() {
        let mut problem = Problem::<f64>::new(Getrf, [2; 3]);
        // Columns (1, 4) and (2, 2): rows change places.
        problem.a = vec![1.0, 4.0, 2.0, 2.0];
        let right = [4.0, 0.25, 2.0, 1.5, 2.0, 2.0];
        assert!(problem.check(&right).is_ok());
        for wrong in [
            [4.0, 0.25, 2.0, 1.5, 1.0, 2.0],
            [4.0, 0.25, 2.0, 1.5, 3.0, 2.0],
            [4.0, 0.25, 2.0, 1.6, 2.0, 2.0],
            // Factors of A, but not with the largest pivots.
            [1.0, 4.0, 2.0, -6.0, 1.0, 2.0],
            [f64::NAN, 0.25, 2.0, 1.5, 2.0, 2.0],
        ] {
            assert!(problem.check(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_routine_has_inputs_that_are_not_zero() {
        for group in Group::value_variants() {
            for &op in group.ops() {
                let problem = Problem::<f32>::new(op, [9, 7, 5]);
                let all = [&problem.a, &problem.b, &problem.c];
                assert!(all.into_iter().flatten().filter(|x| **x == 0.0).count() < 2);
                assert!(!problem.c.is_empty() && op.bytes::<f32>([9, 7, 5]) > 0.0);
            }
        }
    }
}
