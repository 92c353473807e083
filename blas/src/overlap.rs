//! Whether views of one memory have elements in common.
//!
//! A view's positions are `offset + Σ eᵢ · sᵢ`, so two views meet where `Σ dᵢ · sᵢ = D` for some whole `dᵢ` in ranges.
//! Strides of matrices are nested (a row within a column within a batch), and then hardly more than one `dᵢ` can be
//! right on each axis; where they are not, the search gives up, and the views count as apart.

use crate::{Error, Result};
use suanzi_ops::Tensor;

/// Attempts before the search gives up.
const ATTEMPTS: usize = 10_000;

/// How a view walks its memory.
#[derive(Clone, Debug)]
struct View {
    offset: i128,
    /// Length and stride, where there is more than one element.
    axes: Vec<(i128, i128)>,
}

/// A stride, and how often it may be taken.
#[derive(Clone, Copy, Debug)]
struct Range {
    stride: i128,
    least: i128,
    most: i128,
}

impl View {
    fn of(t: &Tensor) -> View {
        View::new(t.offset(), t.shape(), t.strides())
    }

    /// With strides that are not negative.
    fn new(offset: usize, shape: &[usize], strides: &[i64]) -> View {
        let mut view = View {
            offset: offset as i128,
            axes: vec![],
        };
        for (&length, &stride) in shape.iter().zip(strides).filter(|x| *x.0 > 1) {
            let (length, stride) = (length as i128, i128::from(stride));
            if stride < 0 {
                view.offset += (length - 1) * stride;
            }
            view.axes.push((length, stride.abs()));
        }
        view
    }

    /// Whether an element of both lies in one place.
    fn meets(&self, other: &View) -> bool {
        let own = self.axes.iter().map(|&(length, stride)| Range {
            stride,
            least: 0,
            most: length - 1,
        });
        let theirs = other.axes.iter().map(|&(length, stride)| Range {
            stride,
            least: 1 - length,
            most: 0,
        });
        let mut ranges: Vec<Range> = vec![];
        for next in own.chain(theirs).filter(|r| r.stride > 0) {
            match ranges.iter_mut().find(|r| r.stride == next.stride) {
                Some(same) => {
                    same.least += next.least;
                    same.most += next.most;
                }
                None => ranges.push(next),
            }
        }
        ranges.sort_by_key(|r| std::cmp::Reverse(r.stride));
        reaches(&ranges, other.offset - self.offset, &mut ATTEMPTS.clone())
    }

    /// Whether two of its elements lie in one place.
    fn repeats(&self) -> bool {
        let mut ranges: Vec<Range> = self
            .axes
            .iter()
            .map(|&(length, stride)| Range {
                stride,
                least: 1 - length,
                most: length - 1,
            })
            .collect();
        ranges.sort_by_key(|r| std::cmp::Reverse(r.stride));
        if ranges.iter().any(|r| r.stride == 0) {
            return true;
        }
        // Of two elements the axis in which they differ first: there the second one is further on.
        (0..ranges.len()).any(|axis| {
            let mut rest = ranges[axis..].to_vec();
            rest[0].least = 1;
            reaches(&rest, 0, &mut ATTEMPTS.clone())
        })
    }
}

/// Whether a sum of strides is `target`.
fn reaches(ranges: &[Range], target: i128, attempts: &mut usize) -> bool {
    let Some((first, rest)) = ranges.split_first() else {
        return target == 0;
    };
    let least: i128 = rest.iter().map(|r| r.least * r.stride).sum();
    let most: i128 = rest.iter().map(|r| r.most * r.stride).sum();
    let from = -(most - target).div_euclid(first.stride);
    let to = (target - least).div_euclid(first.stride);
    for steps in from.max(first.least)..=to.min(first.most) {
        if *attempts == 0 {
            return false;
        }
        *attempts -= 1;
        if reaches(rest, target - steps * first.stride, attempts) {
            return true;
        }
    }
    false
}

/// Refuses a result that overlaps an operand, or itself.
///
/// # Errors
/// [`Error::Value`] with the routine and the arguments' names.
pub(crate) fn apart(
    op: &str,
    (name, out): (&str, &Tensor),
    operands: &[(&str, &Tensor)],
) -> Result<()> {
    let view = View::of(out);
    if view.repeats() {
        let why = format!("elements of {name} lie in one place, and {name} is written");
        return Err(Error::value(op, why));
    }
    for (other, operand) in operands {
        if shared(out, operand) && view.meets(&View::of(operand)) {
            let why = format!("{name} overlaps {other}, which is read while {name} is written");
            return Err(Error::value(op, why));
        }
    }
    Ok(())
}

/// Whether two tensors are views of one memory, element on element.
pub(crate) fn shared(x: &Tensor, y: &Tensor) -> bool {
    std::ptr::eq(x.buffer().memory(), y.buffer().memory())
        && x.dtype().bytes() == y.dtype().bytes()
        && x.numel() > 0
        && y.numel() > 0
}

/// Whether a result lies where an operand does, element for element, so that maps may write it.
pub(crate) fn same(x: &Tensor, y: &Tensor) -> bool {
    let walk = |t: &Tensor| (t.offset(), t.shape().to_vec(), t.strides().to_vec());
    shared(x, y) && walk(x) == walk(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn places(offset: usize, shape: &[usize], strides: &[i64]) -> Vec<i64> {
        let mut all = vec![offset as i64];
        for (&length, &stride) in shape.iter().zip(strides) {
            let step = |p: i64| (0..length as i64).map(move |i| p + i * stride);
            all = all.into_iter().flat_map(step).collect();
        }
        all
    }

    fn view() -> impl Strategy<Value = (usize, Vec<usize>, Vec<i64>)> {
        let axes = prop::collection::vec((1usize..5, -20i64..20), 1..4);
        (200usize..260, axes).prop_map(|(offset, axes)| {
            let (shape, strides) = axes.into_iter().unzip();
            (offset, shape, strides)
        })
    }

    proptest! {
        #[test]
        fn views_meet_where_their_elements_do(x in view(), y in view()) {
            let [a, b] = [&x, &y].map(|v| View::new(v.0, &v.1, &v.2));
            let [p, q] = [&x, &y].map(|v| places(v.0, &v.1, &v.2));
            let both = p.iter().any(|place| q.contains(place));
            prop_assert_eq!(a.meets(&b), both);
            let different: BTreeSet<i64> = p.iter().copied().collect();
            prop_assert_eq!(a.repeats(), different.len() < p.len());
        }
    }

    #[test]
    fn blocks_of_a_matrix_are_apart() {
        // Rows 0..3 and 3..7 of a matrix with columns 9 apart, and of a batch of them.
        let above = View::new(0, &[8, 3, 5], &[100, 1, 9]);
        let below = View::new(3, &[8, 4, 5], &[100, 1, 9]);
        assert!(!above.meets(&below) && !below.meets(&above));
        assert!(above.meets(&View::new(2, &[8, 4, 5], &[100, 1, 9])));
        assert!(!View::new(0, &[4096, 4096], &[1, 8192]).meets(&View::new(
            4096,
            &[4096, 4096],
            &[1, 8192]
        )));
    }
}
