//! Where operands lie: a view inside a guarded buffer, and which view each operand of a case has.
//!
//! The arithmetic on strides here is the reference's own; it shares nothing with the tensors'.

use crate::rng::Rng;

/// How a case lays out its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Row-major everywhere; the result in a tensor that the operator allocates.
    Fresh,
    /// Row-major and well aligned.
    Contiguous,
    /// Row-major, each operand at another odd offset.
    Offset,
    /// Rows longer than the view.
    Pitched,
    /// Axes reversed in memory.
    Transposed,
    /// Axes rotated in memory; the result too.
    Rotated,
    /// Every second or third element along every axis; the result too.
    Stepped,
    /// Negative strides; the result too.
    Reversed,
    /// Stride 0 along every other axis of the inputs.
    Expanded,
    /// Another of these for every operand.
    Mixed,
    /// Built from slice, flip, permute, reshape and expand rather than from strides.
    Views,
    /// The second input is a row, broadcast over the first.
    Row,
    /// The second input is a column, broadcast over the first.
    Column,
    /// The second input is 0-d, broadcast over the first.
    Scalar,
    /// A column against a row: the result is larger than either.
    Outer,
}

impl Layout {
    /// Every layout, with its name in a case's id.
    pub const NAMES: [(Layout, &'static str); 15] = [
        (Layout::Fresh, "fresh"),
        (Layout::Contiguous, "contiguous"),
        (Layout::Offset, "offset"),
        (Layout::Pitched, "pitched"),
        (Layout::Transposed, "transposed"),
        (Layout::Rotated, "rotated"),
        (Layout::Stepped, "stepped"),
        (Layout::Reversed, "reversed"),
        (Layout::Expanded, "expanded"),
        (Layout::Mixed, "mixed"),
        (Layout::Views, "views"),
        (Layout::Row, "row"),
        (Layout::Column, "column"),
        (Layout::Scalar, "scalar"),
        (Layout::Outer, "outer"),
    ];

    /// True for layouts that are about a second input.
    pub fn broadcasts(self) -> bool {
        use Layout::*;
        matches!(self, Row | Column | Scalar | Outer)
    }
}

/// One operand's way of lying in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Offset,
    Pitched,
    Transposed,
    Rotated,
    Stepped,
    Reversed,
}

/// A view inside a buffer of `total` elements, of which all others are guards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Axes of the view.
    pub shape: Vec<usize>,
    /// In elements.
    pub strides: Vec<i64>,
    /// First element.
    pub offset: usize,
    /// Elements of the buffer.
    pub total: usize,
}

/// Elements of guard on either side, at least: as wide as the widest vector times four.
const GUARD: usize = 64;

impl Placement {
    fn new(way: Way, shape: &[usize], salt: usize) -> Placement {
        let rank = shape.len();
        let order: Vec<usize> = match way {
            Way::Transposed => (0..rank).rev().collect(),
            Way::Rotated => (1..rank).chain(0..rank.min(1)).collect(),
            _ => (0..rank).collect(),
        };
        let step = match way {
            Way::Stepped => 2 + salt % 2,
            _ => 1,
        };
        // From the innermost axis in memory outwards.
        let mut strides = vec![0i64; rank];
        let mut size = 1;
        for (depth, &axis) in order.iter().rev().enumerate() {
            size *= step;
            strides[axis] = size as i64;
            size *= shape[axis].max(1);
            if way == Way::Pitched && depth == 0 {
                size += 3 + salt;
            }
        }
        let mut offset = GUARD + if way == Way::Offset { 1 + 2 * salt } else { 0 };
        if way == Way::Reversed {
            for (axis, stride) in strides.iter_mut().enumerate() {
                // Every axis for the first operand, every other one for the next.
                if (axis + salt).is_multiple_of(2) || salt == 0 {
                    offset += shape[axis].saturating_sub(1) * *stride as usize;
                    *stride = -*stride;
                }
            }
        }
        Placement {
            shape: shape.to_vec(),
            strides,
            offset,
            // Not a multiple of anything, so that a kernel that works in whole vectors shows.
            total: GUARD + size + 2 * GUARD + 5,
        }
    }

    /// The buffer element of each view element, in row-major order.
    pub fn elements(&self) -> Vec<usize> {
        walk(&self.shape, &self.strides, self.offset)
    }
}

/// `offset + Σ index · stride` for each index of a shape, in row-major order.
pub fn walk(shape: &[usize], strides: &[i64], offset: usize) -> Vec<usize> {
    if shape.contains(&0) {
        return vec![];
    }
    let mut out = vec![offset];
    for (&d, &s) in shape.iter().zip(strides) {
        let mut next = Vec::with_capacity(out.len() * d);
        for &base in &out {
            next.extend((0..d as i64).map(|i| (base as i64 + i * s) as usize));
        }
        out = next;
    }
    out
}

/// Row-major strides.
pub fn row_major(shape: &[usize]) -> Vec<i64> {
    let mut strides = vec![1i64; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i].max(1) as i64;
    }
    strides
}

/// For each element of `to`, in row-major order, the linear position in `shape`, which is aligned
/// at the last axis and stretched where it is 1.
pub fn stretched(shape: &[usize], to: &[usize]) -> Vec<usize> {
    let lead = to.len() - shape.len();
    let own = row_major(shape);
    let strides: Vec<i64> = (0..to.len())
        .map(|i| match i.checked_sub(lead) {
            Some(j) if shape[j] == to[i] => own[j],
            _ => 0,
        })
        .collect();
    walk(to, &strides, 0)
}

/// An input as a case lays it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputView {
    /// Axes of the distinct elements: what is generated and stored.
    pub stored: Placement,
    /// Axes of the view that the operator is given; where it differs from the stored shape, the
    /// view repeats elements by a stride of 0.
    pub shape: Vec<usize>,
    /// Whether the view is made from named operations instead of strides.
    pub by_views: bool,
}

/// Lays out input `i` of an operator whose result, before any reduction, has `shape`.
pub fn input(layout: Layout, shape: &[usize], i: usize) -> InputView {
    let plain = |way, shape: &[usize]| InputView {
        stored: Placement::new(way, shape, i),
        shape: shape.to_vec(),
        by_views: false,
    };
    let rank = shape.len();
    match layout {
        Layout::Fresh | Layout::Contiguous => plain(Way::Plain, shape),
        Layout::Offset => plain(Way::Offset, shape),
        Layout::Pitched => plain(Way::Pitched, shape),
        Layout::Transposed => plain(Way::Transposed, shape),
        Layout::Rotated => plain(Way::Rotated, shape),
        Layout::Stepped => plain(Way::Stepped, shape),
        Layout::Reversed => plain(Way::Reversed, shape),
        Layout::Mixed => {
            let ways = [Way::Transposed, Way::Plain, Way::Stepped, Way::Reversed];
            plain(ways[i % ways.len()], shape)
        }
        Layout::Expanded => {
            let mut stored = shape.to_vec();
            for d in stored.iter_mut().skip(i % 2).step_by(2) {
                *d = (*d).min(1);
            }
            InputView {
                shape: shape.to_vec(),
                ..plain(Way::Plain, &stored)
            }
        }
        Layout::Views => InputView {
            by_views: true,
            ..plain(Way::Plain, shape)
        },
        Layout::Row if i > 0 => plain(Way::Plain, &shape[rank.saturating_sub(1)..]),
        Layout::Column | Layout::Outer if i % 2 == 1 && rank > 0 => {
            let mut column = shape.to_vec();
            column[rank - 1] = column[rank - 1].min(1);
            plain(Way::Plain, &column)
        }
        Layout::Scalar if i > 0 => plain(Way::Plain, &[]),
        Layout::Outer => plain(Way::Plain, &shape[rank.saturating_sub(1)..]),
        Layout::Row | Layout::Column | Layout::Scalar => plain(Way::Plain, shape),
    }
}

/// Lays out a result.
pub fn output(layout: Layout, shape: &[usize]) -> Placement {
    let way = match layout {
        Layout::Offset => Way::Offset,
        Layout::Pitched => Way::Pitched,
        Layout::Rotated => Way::Rotated,
        Layout::Stepped => Way::Stepped,
        Layout::Reversed => Way::Reversed,
        Layout::Mixed => Way::Transposed,
        _ => Way::Plain,
    };
    Placement::new(way, shape, 3)
}

/// Bytes that nothing should read or write: NaN for floats, so that a stray read shows in the
/// result; for others a pattern.
pub fn guard(total_bytes: usize, float: bool, rng: &mut Rng) -> Vec<u8> {
    match float {
        true => vec![0xff; total_bytes],
        false => (0..total_bytes)
            .map(|_| 0xa0 | (rng.bits() as u8 & 0x0f))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_placement_overlaps_or_leaves_its_buffer() {
        for shape in [
            &[][..],
            &[1],
            &[0],
            &[7],
            &[3, 5],
            &[2, 3, 4],
            &[2, 0, 3],
            &[2, 1, 3, 1, 2],
        ] {
            for (layout, name) in Layout::NAMES {
                let mut all = vec![output(layout, shape)];
                all.extend((0..3).map(|i| input(layout, shape, i).stored));
                for p in all {
                    let elements = p.elements();
                    let distinct: BTreeSet<usize> = elements.iter().copied().collect();
                    assert_eq!(distinct.len(), elements.len(), "{name} {shape:?} {p:?}");
                    assert_eq!(elements.len(), p.shape.iter().product::<usize>());
                    let inside = |&e: &usize| e >= GUARD && e + GUARD < p.total;
                    assert!(elements.iter().all(inside), "{name} {shape:?} {p:?}");
                }
            }
        }
    }

    #[test]
    fn inputs_stretch_to_the_shape() {
        for (layout, name) in Layout::NAMES {
            for i in 0..3 {
                let view = input(layout, &[3, 5], i);
                let back = stretched(&view.stored.shape, &[3, 5]);
                assert_eq!(back.len(), 15, "{name}");
                let n: usize = view.stored.shape.iter().product();
                assert_eq!(back.iter().max(), Some(&(n - 1)), "{name} {i}");
            }
        }
        assert_eq!(stretched(&[2, 1], &[2, 3]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(stretched(&[3], &[2, 3]), [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn layouts_are_what_they_say() {
        assert_eq!(output(Layout::Rotated, &[2, 3, 5]).strides, [1, 10, 2]);
        assert_eq!(input(Layout::Transposed, &[2, 3], 0).stored.strides, [1, 2]);
        assert_eq!(input(Layout::Reversed, &[2, 3], 0).stored.strides, [-3, -1]);
        assert_eq!(input(Layout::Stepped, &[2, 3], 0).stored.strides, [12, 2]);
        assert_eq!(input(Layout::Offset, &[4], 1).stored.offset % 2, 1);
        assert_eq!(input(Layout::Expanded, &[4, 5], 0).stored.shape, [1, 5]);
    }
}
