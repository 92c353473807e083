//! Operations across the lanes of a subgroup. A lane that does not exist or is not active gives
//! the asker's own value to shuffles: the language leaves that open.

use super::access::View;
use super::lanes::Operands;
use super::ops::{Bits, Bool, Element, Number};
use super::slots::by_kind;
use crate::ir::SubgroupOp;
use crate::types::Scalar;
use std::ops::Range;

/// An operation over every subgroup; its arguments are the value and the lane argument.
///
/// # Safety
/// As for [`super::access::AccessFn`].
pub type SubgroupFn = unsafe fn(&View, &Operands, Option<&[Bool]>);

/// One subgroup's part of the operands.
struct Group<'a, T> {
    value: &'a [T],
    arg: &'a [u32],
    out: &'a mut [T],
    mask: Option<&'a [Bool]>,
}

impl<T: Element> Group<'_, T> {
    fn active(&self, lane: usize) -> bool {
        lane < self.value.len() && self.mask.is_none_or(|m| m[lane].0 != 0)
    }

    fn lanes(&self) -> Range<usize> {
        0..self.value.len()
    }

    /// Combines the active values and gives the result to every lane.
    fn reduce(&mut self, f: impl Fn(T, T) -> T) {
        let active = self.lanes().filter(|&i| self.active(i));
        if let Some(r) = active.map(|i| self.value[i]).reduce(f) {
            self.out.fill(r);
        }
    }

    /// Running sum of the active values, before or after adding the lane's own.
    fn scan(&mut self, inclusive: bool)
    where
        T: Number,
    {
        let mut sum = T::zeroed();
        for i in self.lanes() {
            if self.active(i) {
                let next = sum.add(self.value[i]);
                self.out[i] = if inclusive { next } else { sum };
                sum = next;
            }
        }
    }

    /// Each lane takes the value of another.
    fn shuffle(&mut self, from: impl Fn(usize, usize) -> usize) {
        for i in self.lanes() {
            let lane = from(i, self.arg[i] as usize);
            self.out[i] = self.value[if self.active(lane) { lane } else { i }];
        }
    }
}

/// Runs `f` on each subgroup.
///
/// # Safety
/// As for [`SubgroupFn`].
unsafe fn each<T: Element>(
    view: &View,
    at: &Operands,
    mask: Option<&[Bool]>,
    has_arg: bool,
    f: impl Fn(&mut Group<T>),
) {
    let n = view.items;
    // SAFETY: promised by the caller; the result has a slot of its own.
    let (value, out) = unsafe { (view.slots.get(at.args[0], n), view.slots.get_mut(at.out, n)) };
    let arg = match has_arg {
        // SAFETY: as above; lane arguments are u32.
        true => unsafe { view.slots.get(at.args[1], n) },
        false => &[],
    };
    for lanes in view.subgroups() {
        f(&mut Group {
            value: &value[lanes.clone()],
            arg: if has_arg { &arg[lanes.clone()] } else { arg },
            out: &mut out[lanes.clone()],
            mask: mask.map(|m| &m[lanes]),
        });
    }
}

/// A [`SubgroupFn`] for each line, generic over the kinds of a trait.
macro_rules! subgroup_ops {
    ($($name:ident<$bound:ident>($arg:literal) = $f:expr;)*) => { $(
        /// # Safety
        /// As for [`SubgroupFn`].
        unsafe fn $name<T: $bound>(view: &View, at: &Operands, mask: Option<&[Bool]>) {
            // SAFETY: passed on.
            unsafe { each::<T>(view, at, mask, $arg, $f) }
        }
    )* };
}

subgroup_ops! {
    add<Number>(false) = |g| g.reduce(T::add);
    min<Number>(false) = |g| g.reduce(T::min);
    max<Number>(false) = |g| g.reduce(T::max);
    exclusive<Number>(false) = |g| g.scan(false);
    inclusive<Number>(false) = |g| g.scan(true);
    shuffle<Element>(true) = |g| g.shuffle(|_, arg| arg);
    shuffle_xor<Element>(true) = |g| g.shuffle(|lane, arg| lane ^ arg);
    shuffle_down<Element>(true) = |g| g.shuffle(usize::saturating_add);
    all<Bits>(false) = |g| g.reduce(T::and);
    any<Bits>(false) = |g| g.reduce(T::or);
}

macro_rules! for_values {
    ($s:expr, $f:ident) => {
        by_kind!($s, T => $f::<T> as SubgroupFn, I32 i32, I64 i64, U32 u32, U64 u64, F32 f32, F64 f64)
    };
}

/// An operation on a kind; `None` where there is none.
pub fn find(op: SubgroupOp, s: Scalar) -> Option<SubgroupFn> {
    match op {
        SubgroupOp::Add => for_values!(s, add),
        SubgroupOp::Min => for_values!(s, min),
        SubgroupOp::Max => for_values!(s, max),
        SubgroupOp::ExclusiveAdd => for_values!(s, exclusive),
        SubgroupOp::InclusiveAdd => for_values!(s, inclusive),
        SubgroupOp::Broadcast | SubgroupOp::Shuffle => for_values!(s, shuffle),
        SubgroupOp::ShuffleXor => for_values!(s, shuffle_xor),
        SubgroupOp::ShuffleDown => for_values!(s, shuffle_down),
        SubgroupOp::All => Some(all::<Bool>),
        SubgroupOp::Any => Some(any::<Bool>),
    }
}
