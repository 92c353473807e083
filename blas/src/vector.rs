//! Vectors as views of tensors.

use crate::matrix::Matrix;
use suanzi_ops::{Error, Result, Scalar, Tensor};

/// A vector on a device, or a batch of them: a view of a tensor of shape `[batch.., n]`, or `[batch.., n,
/// 2]` where elements are complex. Any strides.
#[derive(Clone, Debug)]
pub struct Vector {
    tensor: Tensor,
    complex: bool,
}

impl Vector {
    /// Of real numbers: `[batch.., n]`.
    ///
    /// # Errors
    /// [`Error::Shape`] where there is no axis.
    pub fn real(tensor: &Tensor) -> Result<Vector> {
        Vector::new(tensor, false)
    }

    /// Of complex numbers: `[batch.., n, 2]`, the parts side by side.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are fewer than two axes, or the last is not 2 side by side.
    pub fn complex(tensor: &Tensor) -> Result<Vector> {
        if tensor.shape().last() != Some(&2) || tensor.strides().last() != Some(&1) {
            let why = "the parts of complex numbers are the last axis, two side by side";
            return Err(Error::shape("vector", [tensor.shape()], why));
        }
        Vector::new(tensor, true)
    }

    fn new(tensor: &Tensor, complex: bool) -> Result<Vector> {
        if tensor.shape().len() < 1 + usize::from(complex) {
            return Err(Error::shape(
                "vector",
                [tensor.shape()],
                "a vector has an axis",
            ));
        }
        let tensor = tensor.clone();
        Ok(Vector { tensor, complex })
    }

    /// Another tensor of the same kind of elements.
    pub(crate) fn like(of: &Vector, tensor: &Tensor) -> Result<Vector> {
        match of.complex {
            true => Vector::complex(tensor),
            false => Vector::real(tensor),
        }
    }

    /// `n` elements, `inc` apart, as in BLAS: where `inc` is negative, the last one comes first in memory.
    ///
    /// # Errors
    /// [`Error::Shape`] where the memory is too small, [`Error::Value`] where sizes overflow.
    pub fn strided(memory: &Tensor, n: usize, inc: i64, complex: bool) -> Result<Vector> {
        let parts = 1 + i64::from(complex);
        let reach = |step: i64| {
            i64::try_from(n.max(1) - 1)
                .ok()?
                .checked_mul(step.checked_abs()?)
        };
        let first = |reach: i64| memory.offset().checked_add(reach.try_into().ok()?);
        let step = inc.checked_mul(parts);
        let place =
            step.and_then(|step| Some((step, first(if inc < 0 { reach(step)? } else { 0 })?)));
        let Some((step, first)) = place else {
            let why = format!("{n} elements {inc} apart are more than positions can count");
            return Err(Error::value("vector", why));
        };
        let (shape, strides) = match complex {
            false => (vec![n], vec![step]),
            true => (vec![n, 2], vec![step, 1]),
        };
        let view = memory.as_strided(&shape, &strides, first);
        let tensor = view.map_err(|_| {
            let has = memory.capacity() - memory.offset();
            let why = format!("elements {inc} apart leave the memory, which has {has}");
            Error::shape("vector", [&shape[..]], why)
        })?;
        Ok(Vector { tensor, complex })
    }

    /// The tensor that it is a view of.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Whether its elements are pairs.
    pub fn is_complex(&self) -> bool {
        self.complex
    }

    /// The dtype of its elements' parts.
    pub fn dtype(&self) -> Scalar {
        self.tensor.dtype()
    }

    /// Elements.
    pub fn n(&self) -> usize {
        self.tensor.shape()[self.nb()]
    }

    /// The axes before the vector.
    pub fn batch(&self) -> &[usize] {
        &self.tensor.shape()[..self.nb()]
    }

    pub(crate) fn nb(&self) -> usize {
        self.tensor.shape().len() - 1 - usize::from(self.complex)
    }

    /// As a matrix of one column: the same memory.
    pub fn column(&self) -> Matrix {
        let nb = self.nb() as i64;
        let tensor = self.tensor.unsqueeze(nb + 1);
        // The axis is one that it has; its tensor has the parts side by side.
        let tensor = tensor.unwrap_or_else(|_| self.tensor.clone());
        Matrix::of(tensor, self.complex)
    }
}
