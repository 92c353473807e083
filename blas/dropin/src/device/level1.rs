//! Level 1 on the device: vectors of any increment but 0.

use super::blas::{Result, Vector, level1 as blas};
use super::staging::{vector, write};
use super::wide;
use crate::Int;
use crate::scalar::{Real, Scalar};
use crate::storage::Dense;
use suanzi_backends::Context;
use suanzi_ops::{Element, Tensor};

/// A vector of the caller's, and its copy on the device.
struct Staged<T> {
    host: Dense<T>,
    device: Vector,
}

impl<T: Scalar> Staged<T> {
    /// # Safety
    /// There are `n` elements at this increment.
    unsafe fn new(ctx: &Context, n: usize, (x, inc): (*const T, Int)) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe {
            let host = Dense::new(n, x, inc);
            let device = vector(ctx, host.ptr(), n)?;
            Ok(Staged { host, device })
        }
    }

    fn fetch(&self) -> Result<Vec<T::Real>> {
        self.device.tensor().to_vec()
    }

    /// # Safety
    /// The caller's vector may be written.
    unsafe fn write(self, parts: &[T::Real]) {
        // SAFETY: the caller's promise.
        unsafe {
            write::<T>(parts, 0, self.device.n(), self.host.ptr());
            self.host.write_back();
        }
    }
}

/// The one element of a tensor.
fn number<R: Element + Default>(tensor: &Tensor) -> Result<R> {
    Ok(tensor.to_vec::<R>()?.first().copied().unwrap_or_default())
}

/// Changes a vector.
///
/// # Safety
/// It has `n` elements at its increment.
unsafe fn change<T: Scalar>(
    ctx: &Context,
    n: usize,
    (x, incx): (*mut T, Int),
    run: impl FnOnce(&Vector) -> Result<()>,
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let x = Staged::new(ctx, n, (x, incx))?;
        run(&x.device)?;
        let parts = x.fetch()?;
        x.write(&parts);
    }
    Ok(())
}

/// Changes a second vector by a first.
///
/// # Safety
/// Both have `n` elements at their increments.
unsafe fn change_by<T: Scalar>(
    ctx: &Context,
    n: usize,
    x: (*const T, Int),
    y: (*mut T, Int),
    run: impl FnOnce(&Vector, &Vector) -> Result<()>,
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let x = Staged::new(ctx, n, x)?;
        change(ctx, n, y, |y| run(&x.device, y))
    }
}

/// Changes two vectors.
///
/// # Safety
/// Both have `n` elements at their increments.
unsafe fn change_both<T: Scalar>(
    ctx: &Context,
    n: usize,
    (x, incx): (*mut T, Int),
    (y, incy): (*mut T, Int),
    run: impl FnOnce(&Vector, &Vector) -> Result<()>,
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let x = Staged::new(ctx, n, (x, incx))?;
        let y = Staged::new(ctx, n, (y, incy))?;
        run(&x.device, &y.device)?;
        // Neither is written before both are here.
        let (xs, ys) = (x.fetch()?, y.fetch()?);
        x.write(&xs);
        y.write(&ys);
    }
    Ok(())
}

/// # Safety
/// As on the host.
pub unsafe fn axpy<T: Scalar>(
    ctx: &Context,
    n: usize,
    alpha: T,
    x: (*const T, Int),
    y: (*mut T, Int),
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { change_by(ctx, n, x, y, |x, y| blas::axpy(wide(alpha), x, y)) }
}

/// # Safety
/// As on the host.
pub unsafe fn copy<T: Scalar>(
    ctx: &Context,
    n: usize,
    x: (*const T, Int),
    y: (*mut T, Int),
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { change_by(ctx, n, x, y, blas::copy) }
}

/// # Safety
/// As on the host.
pub unsafe fn swap<T: Scalar>(
    ctx: &Context,
    n: usize,
    x: (*mut T, Int),
    y: (*mut T, Int),
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { change_both(ctx, n, x, y, blas::swap) }
}

/// # Safety
/// As on the host.
pub unsafe fn scal<T: Scalar>(ctx: &Context, n: usize, alpha: T, x: (*mut T, Int)) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { change(ctx, n, x, |x| blas::scal(wide(alpha), x)) }
}

/// # Safety
/// As on the host.
pub unsafe fn rot<T: Scalar>(
    ctx: &Context,
    n: usize,
    x: (*mut T, Int),
    y: (*mut T, Int),
    (c, s): (T::Real, T::Real),
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { change_both(ctx, n, x, y, |x, y| blas::rot(x, y, c.wide(), s.wide())) }
}

/// With a flag and the parts of H, as in BLAS.
///
/// # Safety
/// As on the host.
pub unsafe fn rotm<T: Real>(
    ctx: &Context,
    n: usize,
    x: (*mut T, Int),
    y: (*mut T, Int),
    param: [T; 5],
) -> Result<()> {
    let [flag, h11, h21, h12, h22] = param.map(Real::wide);
    let h = match flag {
        -2.0 => return Ok(()),
        f if f < 0.0 => [[h11, h12], [h21, h22]],
        0.0 => [[1.0, h12], [h21, 1.0]],
        _ => [[h11, 1.0], [-1.0, h22]],
    };
    // SAFETY: the caller's promise.
    unsafe { change_both(ctx, n, x, y, |x, y| blas::rotm(x, y, h)) }
}

/// # Safety
/// As on the host.
pub unsafe fn dot<T: Scalar>(
    ctx: &Context,
    n: usize,
    x: (*const T, Int),
    y: (*const T, Int),
    conj: bool,
) -> Result<T> {
    // SAFETY: the caller's promise.
    let (x, y) = unsafe { (Staged::new(ctx, n, x)?, Staged::new(ctx, n, y)?) };
    let sum = match conj {
        false => blas::dot(&x.device, &y.device)?,
        true => blas::dotc(&x.device, &y.device)?,
    };
    let parts: Vec<T::Real> = sum.to_vec()?;
    let part = |i: usize| parts.get(i).copied().unwrap_or_default();
    Ok(T::new(part(0), part(1)))
}

/// The product in `f64`.
///
/// # Safety
/// As on the host.
pub unsafe fn dot_wide<T: Copy + Into<f64>>(
    ctx: &Context,
    n: usize,
    x: (*const T, Int),
    y: (*const T, Int),
) -> Result<f64> {
    // SAFETY: the caller's promise.
    let [x, y] = [x, y].map(|(x, inc)| unsafe {
        let first = x.offset(crate::args::start(n, inc));
        let at = |i: isize| (*first.offset(i * inc as isize)).into();
        (0..n as isize).map(at).collect::<Vec<f64>>()
    });
    // SAFETY: these are there.
    unsafe { dot(ctx, n, (x.as_ptr(), 1), (y.as_ptr(), 1), false) }
}

/// # Safety
/// As on the host.
pub unsafe fn asum<T: Scalar>(ctx: &Context, n: usize, x: (*const T, Int)) -> Result<T::Real> {
    // SAFETY: the caller's promise.
    number(&blas::asum(&unsafe { Staged::new(ctx, n, x)? }.device)?)
}

/// # Safety
/// As on the host.
pub unsafe fn nrm2<T: Scalar>(ctx: &Context, n: usize, x: (*const T, Int)) -> Result<T::Real> {
    // SAFETY: the caller's promise.
    number(&blas::nrm2(&unsafe { Staged::new(ctx, n, x)? }.device)?)
}

/// Counted from 1. As in the reference, a NaN is found only in the first place.
///
/// # Safety
/// As on the host.
pub unsafe fn iamax<T: Scalar>(ctx: &Context, n: usize, x: (*const T, Int)) -> Result<usize> {
    use num_traits::Float;
    // SAFETY: the caller's promise.
    let host = unsafe { Dense::new(n, x.0, x.1) };
    // SAFETY: the vector's elements are side by side here.
    let all = unsafe { std::slice::from_raw_parts(host.ptr(), n) };
    let nan = |x: &T| x.abs1().is_nan();
    if all.first().is_some_and(nan) {
        return Ok(1);
    }
    let numbers: Vec<T> = all
        .iter()
        .map(|x| if nan(x) { T::zero() } else { *x })
        .collect();
    // SAFETY: these are there.
    let numbers = unsafe { vector(ctx, numbers.as_ptr(), n)? };
    Ok(number::<i64>(&blas::iamax(&numbers)?)? as usize + 1)
}
