//! Tensors: strided views of device memory.

use crate::element::Element;
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::shape;
use suanzi_backends::{Buffer, Context};
use suanzi_codegen::Scalar;

/// A view of device memory: dtype, shape, strides (in elements, any sign, 0 for repeated axes) and
/// the offset of the first element. Cloning shares the memory.
#[derive(Clone)]
pub struct Tensor {
    ctx: Context,
    buffer: Buffer,
    /// Elements in the memory that this tensor may touch.
    capacity: usize,
    dtype: Scalar,
    shape: Vec<usize>,
    strides: Vec<i64>,
    offset: usize,
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = &self.ctx.device().info().id;
        write!(f, "Tensor({} {:?} on {id})", self.dtype, self.shape)
    }
}

impl Tensor {
    /// A contiguous tensor with undefined content.
    ///
    /// # Errors
    /// [`Error::Shape`] where the size does not fit, [`Error::Backend`] where memory runs out.
    pub fn empty(ctx: &Context, dtype: Scalar, shape: &[usize]) -> Result<Tensor> {
        let capacity = shape::checked_numel(shape)
            .filter(|n| {
                n.checked_mul(dtype.bytes())
                    .is_some_and(|b| b < isize::MAX as usize)
            })
            .ok_or_else(|| Error::shape("empty", [shape], "too many elements"))?;
        let buffer = ctx
            .alloc((capacity * dtype.bytes()) as u64)
            .map_err(|e| Error::backend("empty", [shape], e))?;
        Ok(Tensor {
            ctx: ctx.clone(),
            buffer,
            capacity,
            dtype,
            shape: shape.to_vec(),
            strides: shape::contiguous_strides(shape),
            offset: 0,
        })
    }

    /// A tensor from row-major elements.
    ///
    /// # Errors
    /// [`Error::Shape`] where the number of elements is not the shape's, [`Error::Backend`].
    pub fn from_slice<T: Element>(ctx: &Context, shape: &[usize], data: &[T]) -> Result<Tensor> {
        Tensor::from_bytes(ctx, T::DTYPE, shape, T::bytes(data))
    }

    /// A tensor from the bytes of row-major elements (little-endian; bool as 0 or 1).
    ///
    /// # Errors
    /// As [`Tensor::from_slice`].
    pub fn from_bytes(
        ctx: &Context,
        dtype: Scalar,
        shape: &[usize],
        data: &[u8],
    ) -> Result<Tensor> {
        let tensor = Tensor::empty(ctx, dtype, shape)?;
        if data.len() != tensor.numel() * dtype.bytes() {
            let why = format!("{} bytes of {dtype} were given", data.len());
            return Err(Error::shape("from_bytes", [shape], why));
        }
        if !data.is_empty() {
            ctx.device()
                .write(tensor.buffer.memory(), 0, data)
                .map_err(|e| Error::backend("from_bytes", [shape], e))?;
        }
        Ok(tensor)
    }

    /// The elements in row-major order. Waits for the device.
    ///
    /// # Errors
    /// [`Error::Dtype`] where `T` is not the dtype, [`Error::Backend`].
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if T::DTYPE != self.dtype {
            let why = format!("it was read as {}; cast it first", T::DTYPE);
            return Err(Error::dtype("to_vec", [self.dtype], why));
        }
        Ok(T::from_bytes(&self.read_bytes()?))
    }

    /// The bytes of the elements in row-major order. Waits for the device.
    ///
    /// # Errors
    /// [`Error::Backend`].
    pub fn read_bytes(&self) -> Result<Vec<u8>> {
        let t = self.contiguous()?;
        let mut out = vec![0; t.numel() * t.dtype.bytes()];
        if !out.is_empty() {
            let at = (t.offset * t.dtype.bytes()) as u64;
            t.ctx
                .device()
                .read(t.buffer.memory(), at, &mut out)
                .map_err(|e| Error::backend("read", [self.shape()], e))?;
        }
        Ok(out)
    }

    /// The device that it lives on.
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Its memory, shared with other views.
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// The kind of its elements.
    pub fn dtype(&self) -> Scalar {
        self.dtype
    }

    /// Length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements between neighbours along each axis.
    pub fn strides(&self) -> &[i64] {
        &self.strides
    }

    /// Elements that the memory was allocated for: more than [`Tensor::numel`] for most views.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Position of the first element in the memory, in elements.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        shape::numel(&self.shape)
    }

    /// True where the elements lie in row-major order with nothing between them.
    pub fn is_contiguous(&self) -> bool {
        let expected = shape::contiguous_strides(&self.shape);
        self.numel() <= 1
            || (0..self.shape.len()).all(|i| self.shape[i] == 1 || self.strides[i] == expected[i])
    }

    /// This tensor if it is contiguous, else a row-major copy.
    ///
    /// # Errors
    /// [`Error::Backend`].
    pub fn contiguous(&self) -> Result<Tensor> {
        if self.is_contiguous() {
            return Ok(self.clone());
        }
        crate::ops::copy(self)?.eval()
    }

    /// An expression that reads this tensor.
    pub fn expr(&self) -> Expr {
        self.into()
    }

    /// The same elements as unsigned integers of their size.
    pub(crate) fn bits(&self) -> Tensor {
        Tensor {
            dtype: bits_of(self.dtype),
            ..self.clone()
        }
    }

    /// Two views of one shape and size of elements, as views of fewer and wider ones: of up to four
    /// bytes, where both are contiguous along the same axis and divide well.
    pub(crate) fn widened(x: &Tensor, y: &Tensor) -> Option<[Tensor; 2]> {
        let contiguous = |t: &Tensor, axis| t.strides[axis] == 1 && t.shape[axis] > 1;
        let axis = (0..x.shape.len()).find(|&a| contiguous(x, a) && contiguous(y, a))?;
        let divides = |t: &Tensor, by: usize| {
            let steps = t.strides.iter().enumerate();
            let mut steps = steps.filter(|s| s.0 != axis && t.shape[s.0] > 1);
            let whole = t.shape[axis].is_multiple_of(by) && t.offset.is_multiple_of(by);
            whole && steps.all(|s| s.1 % by as i64 == 0)
        };
        let fits = |by: &usize| by * x.dtype.bytes() <= 4 && divides(x, *by) && divides(y, *by);
        let by = [4, 2].into_iter().find(fits)?;
        let wide = |t: &Tensor| {
            let mut wide = t.clone();
            wide.dtype = if by * t.dtype.bytes() == 4 {
                Scalar::U32
            } else {
                Scalar::U16
            };
            wide.capacity /= by;
            wide.offset /= by;
            wide.shape[axis] /= by;
            for (other, stride) in wide.strides.iter_mut().enumerate() {
                if other != axis {
                    *stride /= by as i64;
                }
            }
            wide
        };
        Some([wide(x), wide(y)])
    }

    /// A view of the same bits as another dtype of the same size.
    ///
    /// # Errors
    /// [`Error::Dtype`] where the sizes differ, or for bool, which has bytes that it cannot hold.
    pub fn bitcast(&self, dtype: Scalar) -> Result<Tensor> {
        if dtype.bytes() != self.dtype.bytes() || (dtype == Scalar::Bool && self.dtype != dtype) {
            let why = "elements keep their size, and only bools are bools";
            return Err(Error::dtype("bitcast", [self.dtype, dtype], why));
        }
        Ok(Tensor {
            dtype,
            ..self.clone()
        })
    }

    /// A view with any shape, strides and offset (absolute, in elements) into the same memory.
    ///
    /// # Errors
    /// [`Error::Shape`] where an element would lie outside the memory.
    pub fn as_strided(&self, shape: &[usize], strides: &[i64], offset: usize) -> Result<Tensor> {
        let numel = shape::checked_numel(shape);
        let (lo, hi) = shape::extent(shape, strides);
        let inside = numel == Some(0)
            || (offset as i64 + lo >= 0
                && (offset as i64)
                    .checked_add(hi)
                    .is_some_and(|i| i < self.capacity as i64));
        if shape.len() != strides.len() || numel.is_none() || !inside {
            let why = format!(
                "strides {strides:?} from offset {offset} leave its {} elements",
                self.capacity
            );
            return Err(Error::shape("as_strided", [shape], why));
        }
        Ok(Tensor {
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            offset,
            ..self.clone()
        })
    }

    /// The axes in another order.
    ///
    /// # Errors
    /// [`Error::Axis`] or [`Error::Shape`] where `axes` is no permutation.
    pub fn permute(&self, axes: &[i64]) -> Result<Tensor> {
        if shape::normalise_axes("permute", axes, &self.shape)?.len() != self.shape.len() {
            let why = format!("axes {axes:?} do not name each axis once");
            return Err(Error::shape("permute", [self.shape()], why));
        }
        let rank = self.shape.len() as i64;
        let order: Vec<usize> = axes.iter().map(|a| a.rem_euclid(rank) as usize).collect();
        Ok(Tensor {
            shape: order.iter().map(|&a| self.shape[a]).collect(),
            strides: order.iter().map(|&a| self.strides[a]).collect(),
            ..self.clone()
        })
    }

    /// Two axes swapped.
    ///
    /// # Errors
    /// [`Error::Axis`].
    pub fn transpose(&self, a: i64, b: i64) -> Result<Tensor> {
        let a = shape::normalise_axis("transpose", a, &self.shape)?;
        let b = shape::normalise_axis("transpose", b, &self.shape)?;
        let mut t = self.clone();
        t.shape.swap(a, b);
        t.strides.swap(a, b);
        Ok(t)
    }

    /// Elements `start, start + step, …` before `end` along an axis. Negative positions count from
    /// the end, positions out of range are clamped, and a negative step walks backwards (use
    /// `i64::MIN` as the `end` that includes element 0), as in Python and ONNX.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Shape`] where the step is 0.
    pub fn slice(&self, axis: i64, start: i64, end: i64, step: i64) -> Result<Tensor> {
        let axis = shape::normalise_axis("slice", axis, &self.shape)?;
        if step == 0 {
            return Err(Error::shape("slice", [self.shape()], "the step is 0"));
        }
        let d = self.shape[axis] as i64;
        let (lo, hi) = if step > 0 { (0, d) } else { (-1, d - 1) };
        let clamp = |i: i64| (if i < 0 { i.saturating_add(d) } else { i }).clamp(lo, hi);
        let (start, end) = (clamp(start), clamp(end));
        let span = if step > 0 { end - start } else { start - end };
        let len = if span > 0 {
            (span - 1) / step.saturating_abs() + 1
        } else {
            0
        };
        let mut t = self.clone();
        if len > 0 {
            t.offset = (t.offset as i64 + start * t.strides[axis]) as usize;
        }
        t.shape[axis] = len as usize;
        // One element needs no stride, and a huge step might overflow it.
        t.strides[axis] = if len > 1 { t.strides[axis] * step } else { 1 };
        Ok(t)
    }

    /// An axis in reverse order.
    ///
    /// # Errors
    /// [`Error::Axis`].
    pub fn flip(&self, axis: i64) -> Result<Tensor> {
        self.slice(axis, -1, i64::MIN, -1)
    }

    /// The tensor repeated, without copying, to a shape that it broadcasts to.
    ///
    /// # Errors
    /// [`Error::Shape`] where it does not broadcast to `shape`.
    pub fn expand(&self, shape: &[usize]) -> Result<Tensor> {
        if shape::broadcast("expand", [self.shape(), shape])? != shape
            || shape::checked_numel(shape).is_none()
        {
            let why = "the first does not broadcast to the second";
            return Err(Error::shape("expand", [self.shape(), shape], why));
        }
        Ok(Tensor {
            strides: shape::broadcast_strides(&self.shape, &self.strides, shape),
            shape: shape.to_vec(),
            ..self.clone()
        })
    }

    /// The elements in row-major order under another shape; copies where strides demand it.
    ///
    /// # Errors
    /// [`Error::Shape`] where the numbers of elements differ, [`Error::Backend`].
    pub fn reshape(&self, shape: &[usize]) -> Result<Tensor> {
        if shape::checked_numel(shape) != Some(self.numel()) {
            let why = "the numbers of elements differ";
            return Err(Error::shape("reshape", [self.shape(), shape], why));
        }
        let mut t = self.contiguous()?;
        t.shape = shape.to_vec();
        t.strides = shape::contiguous_strides(shape);
        Ok(t)
    }

    /// An axis as several, whose lengths multiply to its own: a view.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Shape`] where the lengths do not multiply to the axis's.
    pub fn unfold_axis(&self, axis: i64, lengths: &[usize]) -> Result<Tensor> {
        let op = "unfold_axis";
        let axis = shape::normalise_axis(op, axis, &self.shape)?;
        if shape::checked_numel(lengths) != Some(self.shape[axis]) {
            let why = format!("lengths {lengths:?} do not multiply to axis {axis}");
            return Err(Error::shape(op, [self.shape()], why));
        }
        let stride = self.strides[axis];
        let steps = shape::contiguous_strides(lengths);
        let mut t = self.clone();
        t.shape.splice(axis..=axis, lengths.iter().copied());
        t.strides
            .splice(axis..=axis, steps.iter().map(|s| s * stride));
        Ok(t)
    }

    /// A new axis of length 1 before `axis` (or at the end).
    ///
    /// # Errors
    /// [`Error::Axis`].
    pub fn unsqueeze(&self, axis: i64) -> Result<Tensor> {
        let mut longer = self.shape.clone();
        longer.push(1);
        let axis = shape::normalise_axis("unsqueeze", axis, &longer)?;
        let mut t = self.clone();
        t.shape.insert(axis, 1);
        t.strides.insert(axis, 1);
        Ok(t)
    }
}

/// The unsigned integer of a dtype's size.
pub(crate) const fn bits_of(dtype: Scalar) -> Scalar {
    match dtype.bytes() {
        1 => Scalar::U8,
        2 => Scalar::U16,
        4 => Scalar::U32,
        _ => Scalar::U64,
    }
}
