//! What an operator of a graph sees: its inputs on a device, and its attributes.

use crate::array::{Array, Elem};
use crate::error::{Result, malformed, uncovered};
use crate::proto::{Attribute, Node};
use suanzi_backends::Context;
use suanzi_ops::{Expr, Num, Scalar, Tensor};

/// A tensor on a device, and what ONNX says its elements are.
#[derive(Clone, Debug)]
pub struct Value {
    /// The elements, in the storage dtype of their kind.
    pub tensor: Tensor,
    /// What they are.
    pub elem: Elem,
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Value {
        let elem = Elem::Plain(tensor.dtype());
        Value { tensor, elem }
    }
}

impl Value {
    /// Copies an array to a device.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn upload(ctx: &Context, array: &Array) -> Result<Value> {
        let dtype = array.elem.storage();
        let tensor = Tensor::from_bytes(ctx, dtype, &array.shape, &array.bytes)?;
        Ok(Value {
            tensor,
            elem: array.elem,
        })
    }

    /// Copies it back.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn download(&self) -> Result<Array> {
        Ok(Array {
            elem: self.elem,
            shape: self.tensor.shape().to_vec(),
            bytes: self.tensor.read_bytes()?,
        })
    }
}

/// One operator at work.
pub struct Call<'a> {
    /// The device.
    pub ctx: &'a Context,
    /// The version of the operator set.
    pub opset: i64,
    /// Its node.
    pub node: &'a Node,
    /// Its inputs; `None` where an optional one is not given.
    pub inputs: Vec<Option<Value>>,
}

impl Call<'_> {
    /// An input that may be missing.
    pub fn value(&self, i: usize) -> Option<&Value> {
        self.inputs.get(i)?.as_ref()
    }

    /// An input that may be missing.
    pub fn get(&self, i: usize) -> Option<&Tensor> {
        self.value(i).map(|v| &v.tensor)
    }

    /// An input that must be there.
    ///
    /// # Errors
    /// Where it is not.
    pub fn x(&self, i: usize) -> Result<&Tensor> {
        self.get(i)
            .ok_or_else(|| malformed(format!("{} has no input {i}", self.node.op)))
    }

    /// An input that must be there, to compute with.
    ///
    /// # Errors
    /// Where it is not, or holds codes that are no numbers.
    pub fn e(&self, i: usize) -> Result<Expr> {
        let x = self.x(i)?;
        match self.value(i).map(|v| v.elem) {
            Some(Elem::Plain(_)) => Ok(x.expr()),
            elem => Err(uncovered(format!("{} on {elem:?}", self.node.op))),
        }
    }

    /// All inputs, which must be there.
    ///
    /// # Errors
    /// Where one is not.
    pub fn all(&self) -> Result<Vec<Tensor>> {
        (0..self.inputs.len()).map(|i| self.x(i).cloned()).collect()
    }

    /// The numbers of an input that says how to compute: axes, a shape, sizes.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn numbers(&self, i: usize) -> Result<Option<Vec<Num>>> {
        let array = self.value(i).map(Value::download).transpose()?;
        Ok(array.map(|a| a.numbers().collect()))
    }

    /// As [`Call::numbers`], as integers.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn ints_at(&self, i: usize) -> Result<Option<Vec<i64>>> {
        let numbers = self.numbers(i)?;
        Ok(numbers.map(|n| n.iter().map(|n| n.int() as i64).collect()))
    }

    /// The one number of an input.
    ///
    /// # Errors
    /// Where it holds another number of elements, or the device fails.
    pub fn number_at(&self, i: usize) -> Result<Option<Num>> {
        match self.numbers(i)?.as_deref() {
            None => Ok(None),
            Some([n]) => Ok(Some(*n)),
            Some(n) => Err(malformed(format!("{} elements for one number", n.len()))),
        }
    }

    /// Axes, a shape or the like: an attribute in old operator sets, input `i` in new ones.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn ints_or(&self, i: usize, name: &str) -> Result<Option<Vec<i64>>> {
        Ok(self.ints_at(i)?.or_else(|| self.ints(name)))
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.node.attributes.iter().find(|a| a.name == name)
    }

    /// An integer attribute.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|a| a.i).unwrap_or(default)
    }

    /// A yes-or-no attribute.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.int(name, default.into()) != 0
    }

    /// A float attribute.
    pub fn float(&self, name: &str, default: f32) -> f64 {
        self.attribute(name)
            .and_then(|a| a.f)
            .unwrap_or(default)
            .into()
    }

    /// A list of integers.
    pub fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.attribute(name).map(|a| a.ints.clone())
    }

    /// A text.
    pub fn text(&self, name: &str, default: &str) -> String {
        let bytes = self.attribute(name).and_then(|a| a.s.as_deref());
        String::from_utf8_lossy(bytes.unwrap_or(default.as_bytes())).into_owned()
    }

    /// An attribute that is a kind of elements.
    ///
    /// # Errors
    /// For kinds that have no dtype here.
    pub fn elem(&self, name: &str) -> Result<Option<Elem>> {
        let number = self.attribute(name).and_then(|a| a.i);
        number.map(Elem::from_onnx).transpose()
    }

    /// A value of the operator set that this mapping does not know.
    pub fn unknown<T>(&self, what: &str) -> Result<T> {
        Err(uncovered(format!("{} with {what}", self.node.op)))
    }

    /// `axis` as a position in a shape of this rank.
    ///
    /// # Errors
    /// Where it is out of range.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize> {
        let at = if axis < 0 { axis + rank as i64 } else { axis };
        usize::try_from(at)
            .ok()
            .filter(|&a| a < rank)
            .ok_or_else(|| malformed(format!("{}: no axis {axis} of {rank}", self.node.op)))
    }

    /// A small tensor of numbers.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn tensor(&self, dtype: Scalar, shape: &[usize], numbers: &[Num]) -> Result<Tensor> {
        let bytes: Vec<u8> = numbers
            .iter()
            .flat_map(|n| {
                n.to_bits(dtype)
                    .to_le_bytes()
                    .into_iter()
                    .take(dtype.bytes())
            })
            .collect();
        Ok(Tensor::from_bytes(self.ctx, dtype, shape, &bytes)?)
    }
}
