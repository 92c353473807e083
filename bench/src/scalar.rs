//! The C loops of `scalar.c`.

use std::ffi::c_float;

type Raw = unsafe extern "C" fn(*const c_float, *const c_float, *mut c_float, usize);

unsafe extern "C" {
    fn suanzi_scalar_add(x: *const c_float, y: *const c_float, out: *mut c_float, n: usize);
    fn suanzi_scalar_chain(x: *const c_float, y: *const c_float, out: *mut c_float, n: usize);
    fn suanzi_vector_add(x: *const c_float, y: *const c_float, out: *mut c_float, n: usize);
    fn suanzi_vector_chain(x: *const c_float, y: *const c_float, out: *mut c_float, n: usize);
}

/// One loop over f32 arrays, compiled in two ways.
#[derive(Clone, Copy)]
pub struct Loop {
    /// What it computes.
    pub name: &'static str,
    scalar: Raw,
    vector: Raw,
}

/// `x + y`
pub const ADD: Loop = Loop {
    name: "add",
    scalar: suanzi_scalar_add,
    vector: suanzi_vector_add,
};

/// `max(|x + y| * 0.5, 0.25)`: four operators.
pub const CHAIN: Loop = Loop {
    name: "chain of 4",
    scalar: suanzi_scalar_chain,
    vector: suanzi_vector_chain,
};

impl Loop {
    /// With -O2, one element at a time.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn scalar(&self, x: &[f32], y: &[f32], out: &mut [f32]) {
        call(self.scalar, x, y, out);
    }

    /// With -O3 for this processor, vectorised.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn vector(&self, x: &[f32], y: &[f32], out: &mut [f32]) {
        call(self.vector, x, y, out);
    }
}

fn call(f: Raw, x: &[f32], y: &[f32], out: &mut [f32]) {
    assert!(x.len() == out.len() && y.len() == out.len());
    // SAFETY: the loop reads and writes `out.len()` elements of each array, which all have as
    // many; `out` is borrowed alone, so it overlaps nothing.
    unsafe { f(x.as_ptr(), y.as_ptr(), out.as_mut_ptr(), out.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_compute_what_they_say() {
        let (x, y) = (crate::data::varied(1001, 1), crate::data::varied(1001, 2));
        let mut out = vec![0.0; 1001];
        let add = |i: usize| x[i] + y[i];
        let chain = |i: usize| ((x[i] + y[i]).abs() * 0.5).max(0.25);
        for run in [Loop::scalar, Loop::vector] {
            run(&ADD, &x, &y, &mut out);
            assert!((0..1001).all(|i| out[i] == add(i)));
            run(&CHAIN, &x, &y, &mut out);
            assert!((0..1001).all(|i| out[i] == chain(i)));
        }
    }
}
