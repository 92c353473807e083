//! Tensors in the host's memory: what the files of a case hold, and what comes back from a device.

use crate::error::{Result, malformed, uncovered};
use crate::proto;
use suanzi_ops::{Num, Scalar};

/// The kind of the elements of an ONNX tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    /// One that is a dtype here too.
    Plain(Scalar),
    /// Codes of 8-bit floats: `FLOAT8E4M3FN`.
    F8E4M3,
    /// Codes of 8-bit floats: `FLOAT8E5M2`.
    F8E5M2,
    /// Signed 4-bit integers.
    I4,
    /// Unsigned 4-bit integers.
    U4,
}

/// A row-major tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// What an element is.
    pub elem: Elem,
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Elements of `elem.storage()`, little-endian.
    pub bytes: Vec<u8>,
}

impl Elem {
    /// From the number that ONNX gives it.
    ///
    /// # Errors
    /// For kinds that have no dtype here.
    pub fn from_onnx(number: i64) -> Result<Elem> {
        Ok(Elem::Plain(match number {
            1 => Scalar::F32,
            2 => Scalar::U8,
            3 => Scalar::I8,
            4 => Scalar::U16,
            5 => Scalar::I16,
            6 => Scalar::I32,
            7 => Scalar::I64,
            9 => Scalar::Bool,
            10 => Scalar::F16,
            11 => Scalar::F64,
            12 => Scalar::U32,
            13 => Scalar::U64,
            16 => Scalar::Bf16,
            17 => return Ok(Elem::F8E4M3),
            19 => return Ok(Elem::F8E5M2),
            21 => return Ok(Elem::U4),
            22 => return Ok(Elem::I4),
            n => return Err(uncovered(format!("the element type number {n}"))),
        }))
    }

    /// The dtype that holds it on a device: a byte for each 8-bit float or 4-bit integer.
    pub fn storage(self) -> Scalar {
        match self {
            Elem::Plain(dtype) => dtype,
            Elem::F8E4M3 | Elem::F8E5M2 | Elem::U4 => Scalar::U8,
            Elem::I4 => Scalar::I8,
        }
    }
}

impl Array {
    /// Reads ONNX's form.
    ///
    /// # Errors
    /// [`Malformed`](crate::error::Error::Malformed) where shape, dtype and elements contradict each other,
    /// [`Uncovered`](crate::error::Error::Uncovered) for dtypes that are not ours.
    pub fn from_proto(tensor: &proto::Tensor) -> Result<Array> {
        let elem = Elem::from_onnx(tensor.dtype.into())?;
        let shape: Vec<usize> = tensor
            .dims
            .iter()
            .map(|&d| usize::try_from(d).map_err(|_| malformed(format!("an axis of length {d}"))))
            .collect::<Result<_>>()?;
        let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let count = count.ok_or_else(|| malformed(format!("too many elements in {shape:?}")))?;
        let stored = match &tensor.raw {
            Some(raw) => raw.clone(),
            None => typed_bytes(tensor, elem.storage()),
        };
        // Two 4-bit integers to a byte; the last half may be unused.
        let packed = matches!(elem, Elem::I4 | Elem::U4);
        let expected = match packed {
            true => Some(count.div_ceil(2)),
            false => count.checked_mul(elem.storage().bytes()),
        };
        if expected != Some(stored.len()) {
            let why = format!("{} bytes of elements do not fill {shape:?}", stored.len());
            return Err(malformed(why));
        }
        let bytes = match packed {
            true => nibbles(&stored, elem == Elem::I4).take(count).collect(),
            false => stored,
        };
        Ok(Array { elem, shape, bytes })
    }

    /// The elements as numbers; codes of 8-bit floats as integers.
    pub fn numbers(&self) -> impl Iterator<Item = Num> {
        let dtype = self.elem.storage();
        self.bytes
            .chunks_exact(dtype.bytes())
            .map(move |b| Num::from_le_bytes(dtype, b))
    }
}

/// The elements of the field that is meant for a dtype.
fn typed_bytes(tensor: &proto::Tensor, dtype: Scalar) -> Vec<u8> {
    use Scalar::*;
    match dtype {
        F32 => tensor.floats.iter().flat_map(|x| x.to_le_bytes()).collect(),
        F64 => tensor
            .doubles
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect(),
        I64 => tensor.int64s.iter().flat_map(|x| x.to_le_bytes()).collect(),
        U32 | U64 => low_bytes(tensor.uint64s.iter().map(|&x| x as i64), dtype),
        _ => low_bytes(tensor.int32s.iter().map(|&x| x.into()), dtype),
    }
}

fn low_bytes(values: impl Iterator<Item = i64>, dtype: Scalar) -> Vec<u8> {
    let low = |x: i64| x.to_le_bytes().into_iter().take(dtype.bytes());
    values.flat_map(low).collect()
}

/// The two 4-bit integers of each byte, the low one first, each as a byte of its own.
fn nibbles(bytes: &[u8], signed: bool) -> impl Iterator<Item = u8> {
    let extend = move |n: u8| {
        if signed {
            ((n << 4) as i8 >> 4) as u8
        } else {
            n
        }
    };
    bytes
        .iter()
        .flat_map(move |b| [extend(b & 15), extend(b >> 4)])
}
