//! What a case works on: its inputs, generated from its id, and what should come out.
//!
//! Everything here is plain Rust over [`Num`] and the rows' references.

use crate::case::{Case, Param};
use crate::chain::Chain;
use crate::layout::{self, InputView, Layout};
use crate::measure::{Expected, flush};
use crate::rng::Rng;
use crate::table::{self, Domain, Inputs, Kind, Limit, Map, Reduce, Row};
use crate::values::{self, Input};
use suanzi_ops::num::int_range;
use suanzi_ops::table::call::{self, Array, Call, Example};
use suanzi_ops::{Num, Scalar};

/// One input.
#[derive(Clone, Debug)]
pub struct Operand {
    /// Dtype of its elements.
    pub dtype: Scalar,
    /// Where its elements lie and how the operator sees them.
    pub view: InputView,
    /// The stored elements in row-major order.
    pub bits: Vec<u64>,
}

impl Operand {
    /// A stored element.
    fn num(&self, stored: usize) -> Num {
        Num::from_bits(self.dtype, self.bits[stored])
    }
}

/// What should come out of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Dtype of the result.
    pub dtype: Scalar,
    /// Axes of the result.
    pub shape: Vec<usize>,
    /// The elements in row-major order.
    pub values: Vec<Expected>,
    /// How near they have to be.
    pub limit: Limit,
}

/// What a case is, looked up.
pub enum Subject {
    /// A map operator.
    Map(&'static Row, Map),
    /// A reduction.
    Reduce(&'static Row, Reduce),
    /// A conversion.
    Cast(table::Cast),
    /// A tensor from scalars.
    Create(table::Create, Vec<Num>),
    /// Whole tensors to whole tensors.
    Call(&'static Row, Call, Example),
    /// A fused chain, and the dtype of each of its values.
    Chain(Chain, Vec<Scalar>),
}

impl Subject {
    /// Looks up what a case names. `None` for a case that [`Case::parse`] would refuse.
    pub fn of(case: &Case) -> Option<Subject> {
        if let Param::Chain(name) = &case.param {
            let chain = Chain::named(name, case.dtype, case.seed)?;
            let dtypes = chain.dtypes(case.dtype)?;
            return Some(Subject::Chain(chain, dtypes));
        }
        let row = table::row(&case.op).ok()?;
        Some(match row.kind {
            Kind::Map(op) => Subject::Map(row, op),
            Kind::Reduce(op) => Subject::Reduce(row, op),
            Kind::Cast(op) => Subject::Cast(op),
            Kind::Create(op) => Subject::Create(op, scalars(case, op.scalars)),
            Kind::Call(op) => {
                let Param::Call(rest) = &case.param else {
                    return None;
                };
                let example = Example::of(&case.shape, rest, case.dtype, op.creates)?;
                Subject::Call(row, op, example)
            }
        })
    }

    /// The inputs of a case.
    pub fn operands(&self, case: &Case) -> Vec<Operand> {
        let mut rng = Rng::from_text(&case.to_string(), case.seed);
        match self {
            Subject::Map(_, op) => map_operands(case, op.inputs, op.domain, &mut rng),
            Subject::Reduce(row, op) => vec![reduce_operand(case, row, op, &mut rng)],
            Subject::Cast(_) => vec![cast_operand(case, &mut rng)],
            Subject::Create(..) => vec![],
            Subject::Call(_, _, example) => {
                let specs = example.operands.iter().enumerate();
                specs
                    .map(|(i, spec)| call_operand(case, i, spec, &mut rng))
                    .collect()
            }
            Subject::Chain(chain, _) => {
                map_operands(case, Inputs::Same(chain.inputs), Domain::Any, &mut rng)
            }
        }
    }

    /// What should come out, or `None` where the operator must refuse. With `flushed`, as on a
    /// device that flushes denormals it reads.
    pub fn outcomes(
        &self,
        case: &Case,
        operands: &[Operand],
        flushed: bool,
    ) -> Option<Vec<Outcome>> {
        let read = |dtype, v| if flushed { flush(dtype, v) } else { v };
        if let Subject::Call(row, op, example) = self {
            return called(row, op, example, operands, &read);
        }
        let to: Vec<Vec<usize>> = operands
            .iter()
            .map(|o| layout::stretched(&o.view.stored.shape, &case.shape))
            .collect();
        let count: usize = case.shape.iter().product();
        let inputs = |i: usize| -> Vec<Num> {
            let pairs = operands.iter().zip(&to);
            pairs.map(|(o, to)| read(o.dtype, o.num(to[i]))).collect()
        };
        let each = |dtype: Scalar, limit: Limit, f: &dyn Fn(usize) -> Num| {
            Some(vec![Outcome {
                dtype,
                shape: case.shape.clone(),
                values: (0..count).map(|i| Expected::plain(f(i))).collect(),
                limit,
            }])
        };
        match self {
            Subject::Map(row, op) => {
                each(op.output.dtype(case.dtype), (row.limit)(case.dtype), &|i| {
                    (op.reference)(case.dtype, &inputs(i))
                })
            }
            Subject::Cast(op) => {
                let Param::To(to) = case.param else {
                    unreachable!("a cast has a destination")
                };
                each(to, Limit::Exact, &|i| {
                    (op.reference)(case.dtype, to, inputs(i)[0])
                })
            }
            Subject::Create(op, scalars) => each(case.dtype, Limit::Exact, &|i| {
                (op.reference)(case.dtype, scalars, i)
            }),
            Subject::Reduce(row, op) => {
                let terms = |i: usize| inputs(i)[0];
                reduced(case, row, op, case.dtype, &axes_of(case), &terms)
            }
            Subject::Chain(chain, dtypes) => {
                let last = dtypes[dtypes.len() - 1];
                let value = |i: usize| chain.reference(dtypes, &inputs(i), &read);
                let reduction = chain.reduce.and_then(|name| table::row(name).ok());
                match reduction.map(|row| (row, row.kind)) {
                    Some((row, Kind::Reduce(op))) => {
                        let axis = vec![case.shape.len() - 1];
                        reduced(case, row, &op, last, &axis, &value)
                    }
                    _ => each(last, Limit::Exact, &value),
                }
            }
            Subject::Call(..) => None,
        }
    }
}

/// The outcomes of a call's reference.
fn called(
    row: &Row,
    op: &Call,
    example: &Example,
    operands: &[Operand],
    read: &dyn Fn(Scalar, Num) -> Num,
) -> Option<Vec<Outcome>> {
    let array = |o: &Operand| {
        let to = layout::stretched(&o.view.stored.shape, &o.view.shape);
        let values = to.iter().map(|&i| read(o.dtype, o.num(i))).collect();
        Array::new(o.dtype, &o.view.shape, values)
    };
    let arrays: Vec<Array> = operands.iter().map(array).collect();
    let results = (op.reference)(&arrays, &example.attrs)?;
    let outcome = |array: Array| {
        let expected = |(i, &value): (usize, &Num)| Expected {
            value,
            scale: array.scale.get(i).copied().unwrap_or(0.0),
            terms: array.terms.get(i).copied().unwrap_or(1),
        };
        Outcome {
            dtype: array.dtype,
            values: array.values.iter().enumerate().map(expected).collect(),
            limit: match array.dtype.is_float() {
                true => (row.limit)(example.attrs.dtype),
                false => Limit::Exact,
            },
            shape: array.shape,
        }
    };
    Some(results.into_iter().map(outcome).collect())
}

/// The reduced axes of a case, and of a chain the last one.
fn axes_of(case: &Case) -> Vec<usize> {
    match &case.param {
        Param::Axes { axes, .. } if !axes.is_empty() => axes.clone(),
        _ => (0..case.shape.len()).collect(),
    }
}

fn reduced(
    case: &Case,
    row: &Row,
    op: &Reduce,
    dtype: Scalar,
    axes: &[usize],
    term: &dyn Fn(usize) -> Num,
) -> Option<Vec<Outcome>> {
    let strides = layout::row_major(&case.shape);
    let (mut kept, mut gone) = ((vec![], vec![]), (vec![], vec![]));
    for (axis, (&dim, &stride)) in case.shape.iter().zip(&strides).enumerate() {
        let side = if axes.contains(&axis) {
            &mut gone
        } else {
            &mut kept
        };
        side.0.push(dim);
        side.1.push(stride);
    }
    let outs = layout::walk(&kept.0, &kept.1, 0);
    let steps = layout::walk(&gone.0, &gone.1, 0);
    let limit = exact_limit(case, (row.limit)(dtype));
    let value = |&out: &usize| {
        let terms: Vec<Num> = steps.iter().map(|&s| term(out + s)).collect();
        let value = (op.reference)(dtype, &terms);
        let scale = match (limit, op.scale) {
            (Limit::Sum(_) | Limit::Mean(_), Some(scale)) => scale(dtype, &terms),
            // The reference of |x| is Σ|x|, or that over n.
            (Limit::Sum(_) | Limit::Mean(_), None) => {
                let sizes: Vec<Num> = terms.iter().map(|t| Num::Float(t.float().abs())).collect();
                (op.reference)(dtype, &sizes).float()
            }
            _ => 0.0,
        };
        Expected {
            value,
            scale,
            terms: terms.len(),
        }
    };
    let refused = op.needs_elements && steps.is_empty() && !outs.is_empty();
    let keepdims = matches!(case.param, Param::Axes { keepdims: true, .. });
    let shape = match keepdims {
        true => {
            let kept = |a: usize| if axes.contains(&a) { 1 } else { case.shape[a] };
            (0..case.shape.len()).map(kept).collect()
        }
        false => kept.0,
    };
    if refused {
        return None;
    }
    Some(vec![Outcome {
        dtype: op.output.dtype(dtype),
        shape,
        values: outs.iter().map(value).collect(),
        limit,
    }])
}

/// Sums and products of exactly representable inputs leave nothing to round but the result.
/// A mean divides, which may round anyhow.
fn exact_limit(case: &Case, limit: Limit) -> Limit {
    match (case.input, limit) {
        (Input::Exact, Limit::Sum(_) | Limit::Product(_)) => Limit::Exact,
        (_, limit) => limit,
    }
}

/// The scalars of a create operator.
fn scalars(case: &Case, count: usize) -> Vec<Num> {
    let mut rng = Rng::from_text(&case.to_string(), case.seed);
    (0..count)
        .map(|i| {
            let bits = match case.input {
                Input::Special if i == 0 => *rng.pick(&values::special(case.dtype)),
                Input::Random => values::moderate(case.dtype, &mut rng),
                _ => values::exact(Domain::Any, case.dtype, i, &mut rng),
            };
            Num::from_bits(case.dtype, bits)
        })
        .collect()
}

/// The linear numbers of an operand's stored elements.
fn stored_count(view: &InputView) -> usize {
    view.stored.shape.iter().product()
}

/// The special value that the last element is.
const FIRST: usize = 4;

fn map_operands(case: &Case, inputs: Inputs, domain: Domain, rng: &mut Rng) -> Vec<Operand> {
    let count = inputs.count();
    // How often operand i's values repeat before its next one comes.
    let mut period = 1usize;
    // And after how many elements the first one's do.
    let mut steps = 1;
    let mut operands = Vec::with_capacity(count);
    for i in 0..count {
        let dtype = inputs.dtype(i, case.dtype);
        let view = layout::input(case.layout, &case.shape, i);
        let n = stored_count(&view);
        let shift = (case.seed as usize).wrapping_sub(1).wrapping_mul(n);
        let specials = values::special_for(domain, dtype, i, count);
        if i == 0 {
            steps = specials.len();
        }
        let mut element = |j: usize| match case.input {
            Input::Special => {
                // The first values in the last elements, where a kernel does the rest of a vector;
                // operands out of step, so that these do not meet the same value all the time.
                let k = (n - 1 - j + FIRST).wrapping_add(shift);
                specials[(k / period + 3 * i * (k % steps)) % specials.len()]
            }
            Input::Random if j + values::TAIL >= n => {
                values::telling(domain, dtype, i, j % 4 == 1, rng)
            }
            Input::Random => values::random(domain, dtype, i, rng),
            Input::Exact => values::exact(domain, dtype, i, rng),
            Input::All => (j / period) as u64 & (u64::MAX >> (64 - dtype.bits())),
        };
        let bits = (0..n).map(&mut element).collect();
        period *= match case.input {
            Input::All => 1 << dtype.bits().min(16),
            _ => specials.len(),
        };
        operands.push(Operand { dtype, view, bits });
    }
    if domain == Domain::Ordered && case.input != Input::Special && case.input != Input::All {
        put_in_order(&mut operands, rng);
    }
    operands
}

/// Makes the second operand the smaller of it and the third, mostly.
fn put_in_order(operands: &mut [Operand], rng: &mut Rng) {
    let [_, low, high] = operands else { return };
    if low.view.stored.shape != high.view.stored.shape {
        return;
    }
    for j in 0..low.bits.len() {
        if low.num(j).float() > high.num(j).float() && !rng.one_in(16) {
            std::mem::swap(&mut low.bits[j], &mut high.bits[j]);
        }
    }
}

fn reduce_operand(case: &Case, row: &Row, op: &Reduce, rng: &mut Rng) -> Operand {
    let dtype = case.dtype;
    let view = layout::input(case.layout, &case.shape, 0);
    let length: usize = axes_of(case).iter().map(|&a| case.shape[a]).product();
    let ordered = matches!(
        (row.limit)(dtype),
        Limit::Sum(_) | Limit::Mean(_) | Limit::Product(_)
    );
    let specials = match ordered {
        true => values::special_terms(dtype),
        false => values::special(dtype),
    };
    let one = Num::Int(1).to_bits(dtype);
    let nan = |bits: u64| dtype.is_float() && Num::from_bits(dtype, bits).float().is_nan();
    // Of reductions to bool: a base of what changes nothing, and now and then something else.
    let neutral = match (op.output, op.needs_elements) {
        (table::Output::Always(Scalar::Bool), false) => Some((op.reference)(dtype, &[]).bool()),
        _ => None,
    };
    // Whole rows of one sign, so that an extreme of either sign is an answer now and then; and
    // whole rows of small or large numbers, on which a start that is not neutral shows.
    let modes = row_modes(case, &view.stored.shape, rng);
    let ranked = op.domain == Domain::Any && (dtype.is_float() || dtype.is_signed_int());
    let signed = |j: usize, bits: u64| match modes[j].negative {
        Some(negative) if ranked => with_sign(dtype, bits, negative),
        _ => bits,
    };
    let scales = dtype.is_float() && op.domain != Domain::NearOne;
    let nan_bits = Num::Float(f64::NAN).to_bits(dtype);
    let mut element = |j: usize| match (case.input, neutral) {
        // In some rows several NaN, of which the first counts for some operators.
        (Input::Special, None)
            if dtype.is_float()
                && modes[j].negative == Some(true)
                && rng.one_in(length / 3 + 1) =>
        {
            nan_bits
        }
        (Input::Special, _) if rng.one_in(length.max(1)) => *rng.pick(&specials),
        (_, Some(neutral)) => {
            let truth = neutral != rng.one_in(2 * length.max(1));
            match truth {
                false => 0,
                true => match values::random(op.domain, dtype, 0, rng) {
                    bits if Num::from_bits(dtype, bits).bool() => bits,
                    _ => 1,
                },
            }
        }
        (Input::Special | Input::Random, _) if scales && modes[j].scale != 0 => {
            let size = values::moderate(dtype, rng);
            signed(j, values::scaled(op.domain, dtype, size, modes[j].scale))
        }
        (Input::Special | Input::Random, _) => match values::random(op.domain, dtype, 0, rng) {
            // NaN in every second row would hide what else is wrong.
            bits if nan(bits) => signed(j, values::moderate(dtype, rng)),
            bits => signed(j, bits),
        },
        // Mostly 1, so that no part of a product leaves the range, however it is cut.
        (Input::Exact, _) if op.domain == Domain::NearOne && !rng.one_in(16 + length / 64) => one,
        (Input::Exact, _) => values::exact(op.domain, dtype, 0, rng),
        (Input::All, _) => j as u64 & (u64::MAX >> (64 - dtype.bits())),
    };
    let bits = (0..stored_count(&view)).map(&mut element).collect();
    Operand { dtype, view, bits }
}

/// What the numbers of a row have in common.
#[derive(Clone, Copy)]
struct RowMode {
    /// Their sign.
    negative: Option<bool>,
    /// Whether they are small (-1) or large (1).
    scale: i32,
}

/// The mode of the row of each stored element of a reduction: a quarter of the rows is negative and
/// a quarter positive, a quarter small and a quarter large.
fn row_modes(case: &Case, stored: &[usize], rng: &mut Rng) -> Vec<RowMode> {
    let axes = axes_of(case);
    let lead = case.shape.len() - stored.len();
    let kept = (0..stored.len()).map(|a| !axes.contains(&(a + lead)));
    let mut strides = vec![0i64; stored.len()];
    let mut rows = 1;
    for (axis, kept) in kept.enumerate() {
        if kept {
            strides[axis] = rows;
            rows *= stored[axis].max(1) as i64;
        }
    }
    // In turn, so that few rows have all of them.
    let first = rng.below(16);
    let modes: Vec<RowMode> = (first..first + rows as usize)
        .map(|row| RowMode {
            negative: [None, Some(false), None, Some(true)][row % 4],
            scale: [0, -1, 0, 1][row / 4 % 4],
        })
        .collect();
    let rows = layout::walk(stored, &strides, 0);
    rows.into_iter().map(|row| modes[row]).collect()
}

/// A number with a sign; the least integer becomes 0 where it has to be positive.
fn with_sign(dtype: Scalar, bits: u64, negative: bool) -> u64 {
    let size = match Num::from_bits(dtype, bits) {
        Num::Float(v) => {
            return Num::Float(if negative { -v.abs() } else { v.abs() }).to_bits(dtype);
        }
        v => v.int().abs(),
    };
    let size = if dtype.is_int() {
        size.min(int_range(dtype).1)
    } else {
        size
    };
    Num::Int(if negative { -size } else { size }).to_bits(dtype)
}

fn call_operand(case: &Case, i: usize, spec: &call::Operand, rng: &mut Rng) -> Operand {
    let view = layout::input(case.layout, &spec.shape, i);
    let n = stored_count(&view);
    let bits = values::operand(spec.values, case.input, spec.dtype, n, rng);
    Operand {
        dtype: spec.dtype,
        view,
        bits,
    }
}

fn cast_operand(case: &Case, rng: &mut Rng) -> Operand {
    let dtype = case.dtype;
    let view = layout::input(case.layout, &case.shape, 0);
    let mut list = values::special(dtype);
    if let Param::To(to) = case.param {
        list.extend(values::cast_edges(dtype, to));
    }
    let shift = (case.seed as usize)
        .wrapping_sub(1)
        .wrapping_mul(stored_count(&view));
    let mut element = |j: usize| match case.input {
        Input::Special => list[j.wrapping_add(shift) % list.len()],
        Input::Random => values::random(Domain::Any, dtype, 0, rng),
        Input::Exact => values::exact(Domain::Any, dtype, 0, rng),
        Input::All => j as u64 & (u64::MAX >> (64 - dtype.bits())),
    };
    let bits = (0..stored_count(&view)).map(&mut element).collect();
    Operand { dtype, view, bits }
}

/// How many elements a case of kind [`Input::Special`] or [`Input::All`] needs to meet every
/// combination, for operators without a reduction.
pub fn combinations(row: &Row, dtype: Scalar, input: Input) -> usize {
    let (inputs, domain) = match row.kind {
        Kind::Map(op) => (op.inputs, op.domain),
        _ => (Inputs::Same(1), Domain::Any),
    };
    let count = inputs.count();
    let each = |i: usize| {
        let dtype = inputs.dtype(i, dtype);
        match input {
            Input::All => 1usize << dtype.bits().min(20),
            _ => values::special_for(domain, dtype, i, count).len(),
        }
    };
    (0..count).map(each).product()
}

/// Whether the result of a case may lie in a tensor that the operator allocates.
pub fn has_fresh_output(case: &Case) -> bool {
    let fresh = matches!(
        case.param,
        Param::Axes { .. } | Param::Chain(_) | Param::Call(_)
    );
    case.layout == Layout::Fresh || fresh
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn subject(id: &str) -> (Case, Subject) {
        let case = Case::parse(id).unwrap_or_else(|| panic!("{id}"));
        let subject = Subject::of(&case).unwrap();
        (case, subject)
    }

    #[test]
    fn special_cases_meet_every_pair() {
        let (case, subject) = subject("add/f32/625/contiguous/special/s1");
        let row = table::row("add").unwrap();
        assert_eq!(combinations(row, Scalar::F32, Input::Special), 625);
        let x = subject.operands(&case);
        let pairs: BTreeSet<_> = x[0].bits.iter().zip(&x[1].bits).collect();
        assert_eq!(pairs.len(), 625);
    }

    #[test]
    fn exhaustive_cases_meet_everything() {
        let (case, s) = subject("neg/f16/65536/contiguous/all/s1");
        let all: BTreeSet<u64> = s.operands(&case)[0].bits.iter().copied().collect();
        assert_eq!(all.len(), 65536);
        let (case, s) = subject("add/u8/65536/contiguous/all/s1");
        let x = s.operands(&case);
        let all: BTreeSet<_> = x[0].bits.iter().zip(&x[1].bits).collect();
        assert_eq!(all.len(), 65536);
    }

    #[test]
    fn reductions_walk_the_right_elements() {
        let (case, s) = subject("sum/i32/2x3x4@0,2/transposed/exact/s1");
        let x = s.operands(&case);
        let out = &s.outcomes(&case, &x, false).unwrap()[0];
        assert_eq!(out.shape, [3]);
        let at = |i: usize, j: usize, k: usize| x[0].num(i * 12 + j * 4 + k).int();
        for (j, got) in out.values.iter().enumerate() {
            let want: i128 = (0..8).map(|n| at(n / 4, j, n % 4)).sum();
            assert_eq!(got.value.int(), want);
        }
        let (case, s) = subject("argmin/f32/0x5@0/contiguous/exact/s1");
        assert!(s.outcomes(&case, &s.operands(&case), false).is_none());
        let (case, s) = subject("sum/f32/0x5@0+keep/contiguous/exact/s1");
        let out = &s.outcomes(&case, &s.operands(&case), false).unwrap()[0];
        assert_eq!((&out.shape[..], out.values.len()), (&[1, 5][..], 5));
    }

    #[test]
    fn reductions_to_bool_give_both_results() {
        for op in ["any", "all"] {
            let (case, s) = subject(&format!("{op}/i32/200x64@1/contiguous/random/s1"));
            let values = &s.outcomes(&case, &s.operands(&case), false).unwrap()[0].values;
            let truths: BTreeSet<bool> = values.iter().map(|v| v.value.bool()).collect();
            assert_eq!(truths.len(), 2, "{op}");
        }
    }

    #[test]
    fn inputs_are_the_same_every_time() {
        let (case, s) = subject("clamp/f32/17x33/mixed/random/s3");
        let (a, b) = (s.operands(&case), s.operands(&case));
        assert!(a.iter().zip(&b).all(|(a, b)| a.bits == b.bits));
    }
}
