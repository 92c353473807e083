//! Operators over whole tensors: operands of their own shapes and dtypes, attributes, several
//! results. What is no map and no reduction is a [`Call`]: layout, indexing, scans, sorting, random
//! numbers, resampling.
//!
//! The text of an example is also part of the ids of the conformance cases that it becomes:
//!
//! ```text
//! 5x7@i64:3x2:index5,axis=1,mode=add
//! │   │   │   │      └ attributes
//! │   │   │   └ its values (see [`Values`]); data by default
//! │   │   └ its shape; `0d` has no axes
//! │   └ a further operand: a dtype, or `T` for that of the case
//! └ the first operand's shape; for operators that create, the result's
//! ```
//!
//! The attribute `x` names the values of the first operand. Lists are separated by `;`.

use crate::error::Result;
use crate::num::Num;
use crate::shape::contiguous_strides;
use crate::tensor::Tensor;
use std::collections::BTreeMap;
use suanzi_backends::Context;
use suanzi_codegen::Scalar;

/// An operator over whole tensors.
#[derive(Clone, Copy)]
pub struct Call {
    /// What it is tested on, thoroughly: every branch and every attribute. The first is run for
    /// every dtype, the others for one, and in the full profile for all.
    pub examples: &'static [&'static str],
    /// It has no first operand; the first shape is the result's, and given by [`Attrs::shape`].
    pub creates: bool,
    /// Runs it. `Attrs::dtype` is the dtype of the case.
    pub run: fn(&Context, &[Tensor], &Attrs) -> Result<Vec<Tensor>>,
    /// What should come out, in plain Rust; `None` where it must be refused.
    pub reference: fn(&[Array], &Attrs) -> Option<Vec<Array>>,
}

/// An example, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Every operand. Of an operator that creates, only the further ones.
    pub operands: Vec<Operand>,
    /// The attributes.
    pub attrs: Attrs,
}

/// An operand of an example.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    /// Its dtype.
    pub dtype: Scalar,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What it holds.
    pub values: Values,
}

/// What an operand holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values {
    /// What the case's kind of input says: random, special, exact.
    Data,
    /// `index5`: whole numbers in `-5..5`.
    Index(i64),
    /// `offset5`: whole numbers in `0..5`.
    Offset(i64),
    /// `wild5`: whole numbers in `-10..10`, beyond what an axis of 5 has.
    Wild(i64),
    /// `sorted5`: ascending whole numbers in `0..5`.
    Sorted(i64),
    /// `few5`: random among five values of moderate size, so that many are equal.
    Few(i64),
    /// `moderate`: random numbers of moderate size, whose sums stay finite.
    Moderate,
    /// `ascending`: data, ascending.
    Ascending,
    /// `unit`: between -1.25 and 1.25.
    Unit,
    /// `positive`: between 2^-6 and 8.
    Positive,
    /// `near1`: within 1/64 of 1.
    NearOne,
}

/// The attributes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attrs {
    /// The dtype of the case.
    pub dtype: Scalar,
    /// The first shape of the example.
    pub shape: Vec<usize>,
    values: BTreeMap<String, String>,
}

/// A tensor of a reference, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Dtype; values are rounded to it by whoever compares.
    pub dtype: Scalar,
    /// Axes.
    pub shape: Vec<usize>,
    /// Elements in row-major order.
    pub values: Vec<Num>,
    /// For limits of sums: `Σ|x|` of each element. Empty where there is no such limit.
    pub scale: Vec<f64>,
    /// For limits of products: factors of each element. Empty where there is no such limit.
    pub terms: Vec<usize>,
}

impl Example {
    /// Reads an example for a dtype; `None` where it is malformed.
    pub fn parse(text: &str, dtype: Scalar, creates: bool) -> Option<Example> {
        let (first, rest) = Example::split(text)?;
        Example::of(&first, rest, dtype, creates)
    }

    /// The first shape of an example, and what follows it.
    pub fn split(text: &str) -> Option<(Vec<usize>, &str)> {
        let (first, rest) = text.split_once('@').unwrap_or((text, ""));
        Some((parse_shape(first)?, rest))
    }

    /// Reads what follows the first shape.
    pub fn of(shape: &[usize], rest: &str, dtype: Scalar, creates: bool) -> Option<Example> {
        let mut attrs = Attrs {
            dtype,
            shape: shape.to_vec(),
            values: BTreeMap::new(),
        };
        let mut further = vec![];
        for token in rest.split(',').filter(|t| !t.is_empty()) {
            if let Some((key, value)) = token.split_once('=') {
                attrs.values.insert(key.into(), value.into());
                continue;
            }
            let mut parts = token.split(':');
            let dtype = match parts.next()? {
                "T" => dtype,
                name => Scalar::from_name(name)?,
            };
            let shape = parse_shape(parts.next()?)?;
            let values = Values::parse(parts.next().unwrap_or(""))?;
            further.push(Operand {
                dtype,
                shape,
                values,
            });
        }
        let mut operands = vec![];
        if !creates {
            operands.push(Operand {
                dtype,
                shape: attrs.shape.clone(),
                values: Values::parse(attrs.text("x", ""))?,
            });
        }
        operands.append(&mut further);
        Some(Example { operands, attrs })
    }
}

impl Values {
    fn parse(text: &str) -> Option<Values> {
        let word = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = text[word.len()..].parse::<i64>().ok();
        Some(match (word, number) {
            ("" | "data", None) => Values::Data,
            ("index", Some(n)) => Values::Index(n),
            ("offset", Some(n)) => Values::Offset(n),
            ("wild", Some(n)) => Values::Wild(n),
            ("sorted", Some(n)) => Values::Sorted(n),
            ("few", Some(n)) => Values::Few(n),
            ("moderate", None) => Values::Moderate,
            ("ascending", None) => Values::Ascending,
            ("unit", None) => Values::Unit,
            ("positive", None) => Values::Positive,
            ("near", Some(1)) => Values::NearOne,
            _ => return None,
        })
    }
}

fn parse_shape(text: &str) -> Option<Vec<usize>> {
    match text {
        "0d" => Some(vec![]),
        dims => dims.split('x').map(|d| d.parse().ok()).collect(),
    }
}

impl Attrs {
    /// A word.
    pub fn text<'a>(&'a self, key: &str, default: &'a str) -> &'a str {
        self.values.get(key).map_or(default, String::as_str)
    }

    /// A whole number.
    pub fn int(&self, key: &str, default: i64) -> i64 {
        self.get(key).unwrap_or(default)
    }

    /// A number.
    pub fn float(&self, key: &str, default: f64) -> f64 {
        self.get(key).unwrap_or(default)
    }

    /// A truth: `key=1`.
    pub fn flag(&self, key: &str) -> bool {
        self.int(key, 0) != 0
    }

    /// A list of whole numbers; empty by default.
    pub fn ints(&self, key: &str) -> Vec<i64> {
        self.list(key)
    }

    /// A list of numbers; empty by default.
    pub fn floats(&self, key: &str) -> Vec<f64> {
        self.list(key)
    }

    /// A dtype.
    pub fn scalar(&self, key: &str, default: Scalar) -> Scalar {
        Scalar::from_name(self.text(key, "")).unwrap_or(default)
    }

    /// Whether it is given.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    fn get<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.values.get(key)?.parse().ok()
    }

    fn list<T: std::str::FromStr>(&self, key: &str) -> Vec<T> {
        let items = self.text(key, "").split(';');
        items.filter_map(|i| i.parse().ok()).collect()
    }
}

impl Array {
    /// From elements in row-major order.
    pub fn new(dtype: Scalar, shape: &[usize], values: Vec<Num>) -> Array {
        Array {
            dtype,
            shape: shape.to_vec(),
            values,
            scale: vec![],
            terms: vec![],
        }
    }

    /// Each element from its position.
    pub fn from_fn(dtype: Scalar, shape: &[usize], mut f: impl FnMut(&[usize]) -> Num) -> Array {
        let values = positions(shape).map(|at| f(&at)).collect();
        Array::new(dtype, shape, values)
    }

    /// The element at a position.
    pub fn at(&self, position: &[usize]) -> Num {
        self.values[self.linear(position)]
    }

    /// The linear position of a position.
    pub fn linear(&self, position: &[usize]) -> usize {
        let strides = contiguous_strides(&self.shape);
        let terms = position.iter().zip(strides);
        terms.map(|(&p, s)| p * s as usize).sum()
    }
}

/// Every position of a shape, in row-major order.
pub fn positions(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let count: usize = shape.iter().product();
    let shape = shape.to_vec();
    (0..count).map(move |mut i| {
        let mut at = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            at[axis] = i % shape[axis];
            i /= shape[axis];
        }
        at
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_read() {
        let text = "5x7@i64:3x2:index5,T:0d,axis=-1,pads=1;0;-2,mode=add,x=few3";
        let example = Example::parse(text, Scalar::F16, false).unwrap();
        let [first, second, third] = &example.operands[..] else {
            panic!("{example:?}")
        };
        assert_eq!(
            (&first.shape[..], first.values),
            (&[5, 7][..], Values::Few(3))
        );
        assert_eq!(
            (second.dtype, second.values),
            (Scalar::I64, Values::Index(5))
        );
        assert_eq!((third.dtype, third.shape.len()), (Scalar::F16, 0));
        assert_eq!(example.attrs.int("axis", 0), -1);
        assert_eq!(example.attrs.ints("pads"), [1, 0, -2]);
        assert_eq!(example.attrs.text("mode", ""), "add");
        assert_eq!(Example::parse("4@f99:3", Scalar::F16, false), None);
        assert!(
            Example::parse("4", Scalar::F16, true)
                .unwrap()
                .operands
                .is_empty()
        );
    }
}
