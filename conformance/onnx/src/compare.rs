//! Is a result what ONNX says? Kind of element and shape must be the same; integers, bools and
//! results of exact operators too; floats may differ as much as ONNX's own runner allows.

use crate::array::{Array, Elem};
use suanzi_ops::Num;
use suanzi_ops::ops::Float8;

/// Relative and absolute tolerance of ONNX's runner, for every node case.
const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-7;

/// What is wrong with a result, if anything is.
pub fn difference(got: &Array, expected: &Array, exact: bool) -> Option<String> {
    let kind = got.elem;
    if kind != expected.elem {
        let expected = expected.elem;
        return Some(format!("the elements are {kind:?}, expected {expected:?}"));
    }
    if got.shape != expected.shape {
        let (got, expected) = (&got.shape, &expected.shape);
        return Some(format!("the shape is {got:?}, expected {expected:?}"));
    }
    let wrong = |(got, expected): (Num, Num)| match (kind, exact) {
        (Elem::F8(format), _) => got != expected && !both_nan(format, got, expected),
        (Elem::Plain(dtype), false) if dtype.is_float() => !near(got.float(), expected.float()),
        _ => !same(got, expected),
    };
    let mut pairs = got.numbers().zip(expected.numbers()).enumerate();
    let (at, (got, expected)) = pairs.find(|&(_, pair)| wrong(pair))?;
    let others = pairs.filter(|&(_, pair)| wrong(pair)).count();
    Some(format!(
        "element {at} is {got:?}, expected {expected:?}, and {others} more"
    ))
}

fn near(got: f64, expected: f64) -> bool {
    (got.is_nan() && expected.is_nan())
        || got == expected
        || (expected.is_finite() && (got - expected).abs() <= ABSOLUTE + RELATIVE * expected.abs())
}

fn same(got: Num, expected: Num) -> bool {
    match (got, expected) {
        (Num::Float(g), Num::Float(e)) => (g.is_nan() && e.is_nan()) || g.to_bits() == e.to_bits(),
        _ => got == expected,
    }
}

/// Whether two codes of 8-bit floats are NaN, which all count as equal.
fn both_nan(format: Float8, got: Num, expected: Num) -> bool {
    [got, expected].into_iter().all(|code| {
        let magnitude = code.int() & 0x7f;
        match format {
            Float8::E4m3fn => magnitude == 0x7f,
            Float8::E5m2 => magnitude > 0x7c,
            Float8::E4m3fnuz | Float8::E5m2fnuz => code.int() == 0x80,
        }
    })
}
