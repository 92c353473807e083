//! The `gemm` crate, on all cores.

use super::super::number::Number;
use super::super::problem::Problem;
use super::super::routine::Op;
use super::{Contender, Peer, Prepare, Ready};
use crate::Result;

/// The crate.
pub struct Crate;

struct Run<'a, T> {
    problem: &'a Problem<T>,
    c: Vec<T>,
}

impl Peer for Crate {
    fn name(&self) -> &str {
        "gemm"
    }

    fn about(&self) -> String {
        "the crate gemm 0.19, rayon on all cores".into()
    }
}

impl<T: Number> Prepare<T> for Crate {
    fn prepare<'a>(&'a self, problem: &'a Problem<T>) -> Result<Option<Ready<'a, T>>> {
        let c = problem.c.clone();
        Ok((problem.op == Op::Gemm).then(|| Box::new(Run { problem, c }) as Ready<'_, T>))
    }
}

impl<T: Number> Contender<T> for Run<'_, T> {
    fn run(&mut self) -> Result<()> {
        let [m, n, k] = self.problem.size;
        let (a, b) = (&self.problem.a, &self.problem.b);
        assert_eq!([a.len(), b.len(), self.c.len()], [m * k, k * n, m * n]);
        // SAFETY: the matrices are column-major and hold what the lengths say.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                self.c.as_mut_ptr(),
                m as isize,
                1,
                false,
                a.as_ptr(),
                m as isize,
                1,
                b.as_ptr(),
                k as isize,
                1,
                T::of(0.0, 0.0),
                T::of(1.0, 0.0),
                false,
                false,
                false,
                gemm::Parallelism::Rayon(0),
            );
        }
        Ok(())
    }

    fn result(&mut self) -> Result<Vec<T>> {
        Ok(self.c.clone())
    }
}
