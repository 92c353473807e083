//! Arithmetic on shapes and strides. Shapes are in elements, outermost axis first.

use crate::error::{Error, Result};

/// Number of elements; 1 for a 0-d shape, 0 where any axis is 0.
pub fn numel(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// [`numel`], or `None` where it does not fit.
pub fn checked_numel(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

/// Row-major strides.
pub fn contiguous_strides(shape: &[usize]) -> Vec<i64> {
    let mut strides = vec![1i64; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i].max(1) as i64;
    }
    strides
}

/// The shape that all shapes broadcast to, by NumPy's rule: aligned at the last axis, an axis of 1
/// stretches.
///
/// # Errors
/// [`Error::Shape`] naming all shapes where two axes differ and neither is 1.
pub fn broadcast<'a>(
    op: &str,
    shapes: impl IntoIterator<Item = &'a [usize]> + Clone,
) -> Result<Vec<usize>> {
    let rank = shapes
        .clone()
        .into_iter()
        .map(<[_]>::len)
        .max()
        .unwrap_or(0);
    let mut out = vec![1; rank];
    for shape in shapes.clone() {
        for (o, &d) in out[rank - shape.len()..].iter_mut().zip(shape) {
            if *o == 1 {
                *o = d;
            } else if d != 1 && d != *o {
                let why = format!("axes of {o} and {d} do not broadcast; reshape or expand one");
                return Err(Error::shape(op, shapes, why));
            }
        }
    }
    Ok(out)
}

/// Strides of a tensor as seen from a shape that it broadcasts to.
pub fn broadcast_strides(shape: &[usize], strides: &[i64], to: &[usize]) -> Vec<i64> {
    let lead = to.len() - shape.len();
    (0..to.len())
        .map(|i| match i.checked_sub(lead) {
            Some(j) if shape[j] == to[i] && to[i] != 1 => strides[j],
            _ => 0,
        })
        .collect()
}

/// Axes sorted and without repetition; negative ones count from the end.
///
/// # Errors
/// [`Error::Axis`] for an axis out of range, [`Error::Shape`] for one named twice.
pub fn normalise_axes(op: &str, axes: &[i64], shape: &[usize]) -> Result<Vec<usize>> {
    let mut out = Vec::with_capacity(axes.len());
    for &axis in axes {
        out.push(normalise_axis(op, axis, shape)?);
    }
    out.sort_unstable();
    if out.windows(2).any(|w| w[0] == w[1]) {
        return Err(Error::shape(
            op,
            [shape],
            format!("axes {axes:?} name one twice"),
        ));
    }
    Ok(out)
}

/// One axis; a negative one counts from the end.
///
/// # Errors
/// [`Error::Axis`] where it is out of range.
pub fn normalise_axis(op: &str, axis: i64, shape: &[usize]) -> Result<usize> {
    let rank = shape.len() as i64;
    if axis < -rank || axis >= rank {
        return Err(Error::Axis {
            op: op.to_string(),
            axis,
            shape: shape.to_vec(),
        });
    }
    Ok(axis.rem_euclid(rank) as usize)
}

/// Least and greatest element offset that a strided view touches, relative to its first element.
/// (0, 0) for an empty view.
pub fn extent(shape: &[usize], strides: &[i64]) -> (i64, i64) {
    if shape.contains(&0) {
        return (0, 0);
    }
    shape
        .iter()
        .zip(strides)
        .fold((0, 0), |(lo, hi), (&d, &s)| {
            let last = i64::try_from(d - 1).unwrap_or(i64::MAX);
            let reach = last.saturating_mul(s);
            (
                lo.saturating_add(reach.min(0)),
                hi.saturating_add(reach.max(0)),
            )
        })
}

/// An iteration space shared by several operands: axes outermost first, and the stride of each
/// operand along each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Length of each axis.
    pub dims: Vec<usize>,
    /// `strides[operand][axis]`.
    pub strides: Vec<Vec<i64>>,
}

impl Space {
    /// The axes in the order in which the first operand lies in memory.
    pub fn sorted(&self) -> Space {
        let mut order: Vec<usize> = (0..self.dims.len()).collect();
        order.sort_by_key(|&axis| std::cmp::Reverse(self.strides[0][axis].unsigned_abs()));
        self.ordered(&order)
    }

    /// The axes in a given order.
    pub fn ordered(&self, order: &[usize]) -> Space {
        let pick = |strides: &Vec<i64>| order.iter().map(|&a| strides[a]).collect();
        Space {
            dims: order.iter().map(|&a| self.dims[a]).collect(),
            strides: self.strides.iter().map(pick).collect(),
        }
    }

    /// Makes two axes of one: of each `by` steps, one step stays there, and the steps between become an
    /// axis before `place`.
    pub fn split(&mut self, axis: usize, by: usize, place: usize) {
        self.dims[axis] /= by;
        self.dims.insert(place, by);
        for strides in &mut self.strides {
            let step = strides[axis];
            strides[axis] *= by as i64;
            strides.insert(place, step);
        }
    }

    /// Drops axes of length 1 and merges neighbours that every operand walks as one.
    pub fn collapse(&self) -> Space {
        let mut dims: Vec<usize> = vec![];
        let mut strides: Vec<Vec<i64>> = vec![vec![]; self.strides.len()];
        for axis in 0..self.dims.len() {
            let d = self.dims[axis];
            if d == 1 {
                continue;
            }
            let merges = !dims.is_empty()
                && strides
                    .iter()
                    .zip(&self.strides)
                    .all(|(out, s)| out.last() == Some(&(s[axis] * d as i64)));
            match dims.last_mut() {
                Some(last) if merges => {
                    *last *= d;
                    for (out, s) in strides.iter_mut().zip(&self.strides) {
                        *out.last_mut().expect("as long as dims") = s[axis];
                    }
                }
                _ => {
                    dims.push(d);
                    for (out, s) in strides.iter_mut().zip(&self.strides) {
                        out.push(s[axis]);
                    }
                }
            }
        }
        Space { dims, strides }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_aligns_at_the_last_axis() {
        assert_eq!(
            broadcast("t", [&[2, 1, 3][..], &[4, 1]]).unwrap(),
            [2, 4, 3]
        );
        assert_eq!(broadcast("t", [&[][..], &[0]]).unwrap(), [0]);
        assert!(broadcast("t", [&[2][..], &[3]]).is_err());
        assert_eq!(broadcast_strides(&[4, 1], &[1, 1], &[2, 4, 3]), [0, 1, 0]);
    }

    #[test]
    fn collapsing_merges_what_all_operands_walk_as_one() {
        let s = Space {
            dims: vec![2, 1, 3, 4],
            strides: vec![vec![12, 99, 4, 1], vec![0, 0, 4, 1]],
        };
        let c = s.collapse();
        assert_eq!(c.dims, [2, 12]);
        assert_eq!(c.strides, [vec![12, 1], vec![0, 1]]);
    }

    #[test]
    fn extents_reach_both_ways() {
        assert_eq!(extent(&[3, 4], &[-4, 1]), (-8, 3));
        assert_eq!(extent(&[0, 4], &[9, 1]), (0, 0));
    }
}
