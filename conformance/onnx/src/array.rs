//! Tensors in the host's memory: what the files of a case hold, and what comes back from a device.

use crate::error::{Result, malformed, uncovered};
use crate::proto;
use suanzi_ops::ops::Float8;
use suanzi_ops::{Num, Scalar};

/// The kind of the elements of an ONNX tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    /// One that is a dtype here too.
    Plain(Scalar),
    /// Codes of 8-bit floats.
    F8(Float8),
    /// Integers of 2 or 4 bits, each held in a byte.
    Small {
        /// How many.
        bits: u8,
        /// Whether the topmost is the sign.
        signed: bool,
    },
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
            17 => return Ok(Elem::F8(Float8::E4m3fn)),
            18 => return Ok(Elem::F8(Float8::E4m3fnuz)),
            19 => return Ok(Elem::F8(Float8::E5m2)),
            20 => return Ok(Elem::F8(Float8::E5m2fnuz)),
            21 => return Ok(Elem::small(4, false)),
            22 => return Ok(Elem::small(4, true)),
            25 => return Ok(Elem::small(2, false)),
            26 => return Ok(Elem::small(2, true)),
            n => return Err(uncovered(format!("the element type number {n}"))),
        }))
    }

    fn small(bits: u8, signed: bool) -> Elem {
        Elem::Small { bits, signed }
    }

    /// The dtype that holds it on a device: a byte for what has 8 bits or fewer.
    pub fn storage(self) -> Scalar {
        match self {
            Elem::Plain(dtype) => dtype,
            Elem::Small { signed: true, .. } => Scalar::I8,
            Elem::Small { signed: false, .. } | Elem::F8(_) => Scalar::U8,
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
        // Small integers share bytes, and the end of the last one may be unused.
        let expected = match elem {
            Elem::Small { bits, .. } => Some(count.div_ceil(usize::from(8 / bits))),
            _ => count.checked_mul(elem.storage().bytes()),
        };
        if expected != Some(stored.len()) {
            let why = format!("{} bytes of elements do not fill {shape:?}", stored.len());
            return Err(malformed(why));
        }
        let bytes = match elem {
            Elem::Small { bits, signed } => unpacked(&stored, bits, signed).take(count).collect(),
            _ => stored,
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

/// The small integers of each byte, the lowest first, each as a byte of its own.
fn unpacked(bytes: &[u8], bits: u8, signed: bool) -> impl Iterator<Item = u8> {
    let unused = 8 - bits;
    let each = move |byte: u8, at: u8| {
        let top = byte << (unused - at);
        match signed {
            true => (top as i8 >> unused) as u8,
            false => top >> unused,
        }
    };
    let places = move || (0..8).step_by(bits.into());
    bytes
        .iter()
        .flat_map(move |&b| places().map(move |at| each(b, at)))
}
