//! Matrix fragments: each subgroup holds the whole matrix, row-major, in the arena.

use super::access::View;
use super::code::{FragCode, FragSlot};
use super::convert::{CastFrom, Widen};
use super::ops::{Bool, Element, Number};
use super::slots::{Slots, by_kind, by_size};
use crate::ir::Layout;

/// An element of a transfer that lies outside the memory, and the work-item it is blamed on.
pub struct Outside {
    /// First work-item of the subgroup.
    pub item: usize,
    /// The element.
    pub index: u64,
}

/// Runs an operation for every active subgroup.
///
/// # Safety
/// As for [`super::access::AccessFn`].
pub unsafe fn run(view: &View, op: &FragCode, mask: Option<&[Bool]>) -> Result<(), Outside> {
    for (i, lanes) in view.subgroups().enumerate() {
        let item = lanes.start;
        // Control flow is uniform over a group: all of a subgroup is active, or none.
        if mask.is_some_and(|m| m[item].0 == 0) {
            continue;
        }
        // SAFETY: passed on.
        unsafe {
            match op {
                FragCode::Fill { frag, value } => fill(view, frag, *value, i, item),
                FragCode::MulAdd { acc, a, b } => mul_add(view.slots, [acc, a, b], i),
                FragCode::Transfer { frag, .. } => {
                    by_size!(frag.shape.elem, T => transfer::<T>(view, op, i, item))?;
                }
            }
        }
    }
    Ok(())
}

impl FragSlot {
    fn len(&self) -> usize {
        let (rows, cols) = self.shape.dims();
        rows as usize * cols as usize
    }

    /// First byte of a subgroup's matrix.
    fn of(&self, subgroup: usize) -> u32 {
        self.at + self.stride * subgroup as u32
    }
}

/// # Safety
/// As for [`run`].
unsafe fn fill(view: &View, frag: &FragSlot, value: u32, subgroup: usize, item: usize) {
    by_size!(frag.shape.elem, T => {
        // SAFETY: passed on; the value has the fragment's kind.
        let value = unsafe { view.scalar::<T>(value, item) };
        // SAFETY: passed on.
        unsafe { view.slots.get_mut::<T>(frag.of(subgroup), frag.len()) }.fill(value);
    });
}

/// The elements of memory that a transfer touches for the subgroup of a work-item, in the order of
/// the fragment's own.
pub fn elements(view: &View, op: &FragCode, item: usize) -> impl Iterator<Item = u64> + use<> {
    let (shape, start, stride, layout) = match op {
        FragCode::Transfer {
            frag,
            access,
            stride,
            stride_long,
            layout,
            ..
        } => {
            // SAFETY: the decoder gave index and stride slots of these kinds.
            let [start, stride] = unsafe {
                [
                    view.index(access.index, access.long, item),
                    view.index(*stride, *stride_long, item),
                ]
            };
            (frag.shape.dims(), start, stride, *layout)
        }
        _ => ((0, 0), 0, 0, Layout::RowMajor),
    };
    let position = (0..u64::from(shape.0))
        .flat_map(move |row| (0..u64::from(shape.1)).map(move |col| (row, col)));
    position.map(move |(row, col)| {
        let (far, near) = match layout {
            Layout::RowMajor => (row, col),
            Layout::ColMajor => (col, row),
        };
        start
            .saturating_add(far.saturating_mul(stride))
            .saturating_add(near)
    })
}

/// # Safety
/// As for [`run`].
unsafe fn transfer<T: Element>(
    view: &View,
    op: &FragCode,
    subgroup: usize,
    item: usize,
) -> Result<(), Outside> {
    let FragCode::Transfer {
        frag,
        access,
        store,
        ..
    } = op
    else {
        return Ok(());
    };
    let mut spans = view.spans::<T>(access.region);
    let Some(span) = spans.find(|s| s.items.contains(&item)) else {
        return Ok(());
    };
    // SAFETY: passed on.
    let matrix = unsafe { view.slots.get_mut::<T>(frag.of(subgroup), frag.len()) };
    for (m, index) in matrix.iter_mut().zip(elements(view, op, item)) {
        if index >= span.len as u64 {
            return Err(Outside { item, index });
        }
        let at = span.ptr.wrapping_add(index as usize);
        // SAFETY: the element is inside the span.
        unsafe {
            match store {
                true => at.write(*m),
                false => *m = at.read(),
            }
        }
    }
    Ok(())
}

/// `acc += a · b`, k ascending, each product and each sum rounded to the accumulator's kind.
///
/// # Safety
/// As for [`run`]; the fragments fit each other.
unsafe fn mul_add(slots: Slots, [acc, a, b]: [&FragSlot; 3], subgroup: usize) {
    /// # Safety
    /// As for [`run`].
    unsafe fn widened<E: Widen, C: CastFrom<E::Wide>>(
        slots: Slots,
        f: &FragSlot,
        subgroup: usize,
    ) -> Vec<C> {
        // SAFETY: passed on.
        let from = unsafe { slots.get::<E>(f.of(subgroup), f.len()) };
        from.iter().map(|e| C::wrap(e.widen())).collect()
    }

    /// # Safety
    /// As for [`run`].
    unsafe fn product<C: Number>(
        slots: Slots,
        acc: &FragSlot,
        [a, b]: [Vec<C>; 2],
        subgroup: usize,
    ) {
        let (n, k) = (usize::from(acc.shape.n), usize::from(acc.shape.k));
        // SAFETY: passed on.
        let c = unsafe { slots.get_mut::<C>(acc.of(subgroup), acc.len()) };
        for (a, c) in a.chunks_exact(k).zip(c.chunks_exact_mut(n)) {
            for (&a, b) in a.iter().zip(b.chunks_exact(n)) {
                for (c, &b) in c.iter_mut().zip(b) {
                    *c = c.add(a.mul(b));
                }
            }
        }
    }

    by_kind!(numbers, acc.shape.elem, C => by_kind!(numbers, a.shape.elem, E => {
        // SAFETY: passed on.
        unsafe {
            let operands = [a, b].map(|f| widened::<E, C>(slots, f, subgroup));
            product::<C>(slots, acc, operands, subgroup);
        }
    }));
}
