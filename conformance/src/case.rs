//! One case: what is run, on which inputs, in which layout; and its name, from which it can be
//! made again.

use crate::chain;
use crate::layout::Layout;
use crate::table::{self, Kind};
use crate::values::Input;
use std::fmt;
use suanzi_ops::Scalar;
use suanzi_ops::table::call::Example;

/// One case. Its text form is its id: `add/f32/17x33/transposed/special/s1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// A row of the operator table, or `chain`.
    pub op: String,
    /// Dtype of the data inputs.
    pub dtype: Scalar,
    /// Axes of the inputs, before any reduction.
    pub shape: Vec<usize>,
    /// What else the operator is told.
    pub param: Param,
    /// Where the operands lie.
    pub layout: Layout,
    /// What the inputs are.
    pub input: Input,
    /// Another seed is another case.
    pub seed: u64,
}

/// A case's parameters; in an id they follow the shape after an `@`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    /// Nothing.
    None,
    /// `@0,2` or `@all`, and `+keep`: the axes of a reduction. `all` is the empty list.
    Axes {
        /// Reduced axes, in order.
        axes: Vec<usize>,
        /// Whether they stay, with length 1.
        keepdims: bool,
    },
    /// `@i8`: the destination of a cast.
    To(Scalar),
    /// `@name`: a fused chain.
    Chain(String),
    /// `@i64:3x2:index5,axis=1`: further operands and attributes of a call, as in
    /// [`suanzi_ops::table::call`]; nothing where there are none.
    Call(String),
}

/// The operator name of fused chains, which are cases but not rows of the table.
pub const CHAIN: &str = "chain";

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Param::None => Ok(()),
            Param::Axes { axes, keepdims } => {
                let list: Vec<String> = axes.iter().map(usize::to_string).collect();
                let list = if axes.is_empty() {
                    "all".into()
                } else {
                    list.join(",")
                };
                write!(f, "@{list}{}", if *keepdims { "+keep" } else { "" })
            }
            Param::To(to) => write!(f, "@{to}"),
            Param::Chain(name) => write!(f, "@{name}"),
            Param::Call(rest) if rest.is_empty() => Ok(()),
            Param::Call(rest) => write!(f, "@{rest}"),
        }
    }
}

/// The name of a value in a table of names.
fn name_of<T: PartialEq + Copy>(names: &[(T, &'static str)], value: T) -> &'static str {
    names.iter().find(|n| n.0 == value).map_or("?", |n| n.1)
}

fn value_of<T: Copy>(names: &[(T, &'static str)], name: &str) -> Option<T> {
    names.iter().find(|n| n.1 == name).map(|n| n.0)
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        let shape = if dims.is_empty() {
            "0d".into()
        } else {
            dims.join("x")
        };
        write!(
            f,
            "{}/{}/{shape}{}/{}/{}/s{}",
            self.op,
            self.dtype,
            self.param,
            name_of(&Layout::NAMES, self.layout),
            name_of(&Input::NAMES, self.input),
            self.seed
        )
    }
}

impl Case {
    /// The case with this id, if it is the id of a case that can be run.
    pub fn parse(id: &str) -> Option<Case> {
        let mut parts = id.split('/');
        let mut part = || parts.next();
        let op = part()?;
        let dtype = Scalar::from_name(part()?)?;
        let (dims, param) = match part()?.split_once('@') {
            Some((dims, param)) => (dims, Some(param)),
            None => (id.split('/').nth(2)?, None),
        };
        let shape = match dims {
            "0d" => vec![],
            dims => dims
                .split('x')
                .map(|d| d.parse().ok())
                .collect::<Option<_>>()?,
        };
        let layout = value_of(&Layout::NAMES, part()?)?;
        let input = value_of(&Input::NAMES, part()?)?;
        let seed = part()?.strip_prefix('s')?.parse().ok()?;
        if part().is_some() {
            return None;
        }
        let case = Case {
            param: parse_param(op, dtype, param, &shape)?,
            op: op.to_string(),
            dtype,
            shape,
            layout,
            input,
            seed,
        };
        (case.runs() && case.to_string() == id).then_some(case)
    }

    /// Whether the operator exists, takes the dtype, and the sizes are sane.
    fn runs(&self) -> bool {
        const MOST: usize = 1 << 26;
        let small = self
            .shape
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
        let dtype = match &self.param {
            Param::Chain(name) => chain::Chain::named(name, self.dtype, self.seed).is_some(),
            _ => table::row(&self.op).is_ok_and(|r| r.dtypes.contains(&self.dtype)),
        };
        small.is_some_and(|n| n <= MOST) && dtype
    }
}

fn parse_param(op: &str, dtype: Scalar, param: Option<&str>, shape: &[usize]) -> Option<Param> {
    if op == CHAIN {
        return Some(Param::Chain(param?.to_string()));
    }
    match (table::row(op).ok()?.kind, param) {
        (Kind::Map(_) | Kind::Create(_), None) => Some(Param::None),
        (Kind::Call(call), rest) => {
            let rest = rest.unwrap_or("");
            Example::of(shape, rest, dtype, call.creates)?;
            Some(Param::Call(rest.to_string()))
        }
        (Kind::Cast(_), Some(to)) => Scalar::from_name(to).map(Param::To),
        (Kind::Reduce(_), Some(text)) => {
            let (list, keepdims) = match text.strip_suffix("+keep") {
                Some(list) => (list, true),
                None => (text, false),
            };
            let axes: Vec<usize> = match list {
                "all" => vec![],
                list => list
                    .split(',')
                    .map(|a| a.parse().ok())
                    .collect::<Option<_>>()?,
            };
            let ordered = axes.windows(2).all(|w| w[0] < w[1]);
            let inside = axes.iter().all(|&a| a < shape.len());
            (ordered && inside).then_some(Param::Axes { axes, keepdims })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back() {
        for id in [
            "add/f32/17x33/transposed/special/s1",
            "neg/i8/0d/fresh/all/s0",
            "sum/f16/3x0x5@0,2+keep/rotated/exact/s9",
            "sum/f16/3x0x5@all/rotated/exact/s9",
            "cast/bool/7@f64/contiguous/random/s1",
            "iota/u64/3x4/offset/exact/s2",
            "chain/f32/3x4@affine/contiguous/exact/s1",
        ] {
            let case = Case::parse(id).unwrap_or_else(|| panic!("{id}"));
            assert_eq!(case.to_string(), id);
        }
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for id in [
            "",
            "add/f32/*",
            "add/bool/3/fresh/random/s1",
            "nonsense/f32/3/fresh/random/s1",
            "add/f32/3@i8/fresh/random/s1",
            "sum/f32/3/fresh/random/s1",
            "sum/f32/3x4@1,0/fresh/random/s1",
            "sum/f32/3x4@2/fresh/random/s1",
            "cast/f32/3@f33/fresh/random/s1",
            "add/f32/03/fresh/random/s1",
            "add/f32/99999999x99999999/fresh/random/s1",
            "add/f32/3/fresh/random/s1/more",
        ] {
            assert_eq!(Case::parse(id), None, "{id}");
        }
    }
}
