//! Atomic read-modify-write: work-items of a group in order, groups truly at the same time.

use super::access::View;
use super::code::Access;
use super::ops::{Bool, Element};
use super::slots::by_kind;
use crate::ir::AtomicOp;
use crate::types::Scalar;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering::SeqCst};

/// An atomic on the elements of active work-items: operation, access (its value is the operand),
/// slot of the comparand, slot of the old values, mask.
///
/// # Safety
/// As for [`super::access::AccessFn`].
pub type AtomicFn =
    unsafe fn(&View, AtomicOp, &Access, u32, u32, Option<&[Bool]>) -> Result<(), usize>;

trait Word: Element {
    /// Applies the operation and returns the old value.
    ///
    /// # Safety
    /// `at` is valid, aligned, and at this time only accessed atomically.
    unsafe fn apply(at: *mut Self, op: AtomicOp, value: Self, compare: Self) -> Self;
}

macro_rules! word {
    ($($t:ident: $atomic:ident;)*) => { $(
        impl Word for $t {
            unsafe fn apply(at: *mut $t, op: AtomicOp, value: $t, compare: $t) -> $t {
                // SAFETY: promised by the caller.
                let a = unsafe { $atomic::from_ptr(at) };
                match op {
                    AtomicOp::Add => a.fetch_add(value, SeqCst),
                    AtomicOp::Min => a.fetch_min(value, SeqCst),
                    AtomicOp::Max => a.fetch_max(value, SeqCst),
                    AtomicOp::And => a.fetch_and(value, SeqCst),
                    AtomicOp::Or => a.fetch_or(value, SeqCst),
                    AtomicOp::Xor => a.fetch_xor(value, SeqCst),
                    AtomicOp::Exchange => a.swap(value, SeqCst),
                    AtomicOp::CompareExchange => {
                        match a.compare_exchange(compare, value, SeqCst, SeqCst) {
                            Ok(old) | Err(old) => old,
                        }
                    }
                }
            }
        }
    )* };
}
word! { i32: AtomicI32; u32: AtomicU32; i64: AtomicI64; u64: AtomicU64; }

/// # Safety
/// As for [`AtomicFn`].
unsafe fn run<T: Word>(
    view: &View,
    op: AtomicOp,
    access: &Access,
    compare: u32,
    result: u32,
    mask: Option<&[Bool]>,
) -> Result<(), usize> {
    let n = view.items;
    // SAFETY: promised by the caller; the result has a slot of its own.
    let (value, compare, result) = unsafe {
        (
            view.slots.get::<T>(access.value, n),
            view.slots.get::<T>(compare, n),
            view.slots.get_mut::<T>(result, n),
        )
    };
    for span in view.spans::<T>(access.region) {
        for i in span.items.clone() {
            if mask.is_some_and(|m| m[i].0 == 0) {
                continue;
            }
            // SAFETY: promised by the caller.
            let index = unsafe { view.index(access.index, access.long, i) };
            if index >= span.len as u64 {
                return Err(i);
            }
            // SAFETY: inside the span, which is aligned to 64 bytes; a kernel that also accesses
            // the element otherwise at the same time breaks the language's rules.
            let at = unsafe { span.ptr.add(index as usize) };
            // SAFETY: as above.
            result[i] = unsafe { T::apply(at, op, value[i], compare[i]) };
        }
    }
    Ok(())
}

/// Atomics on a kind; `None` where there are none.
pub fn find(kind: Scalar) -> Option<AtomicFn> {
    by_kind!(words, kind, T => run::<T> as AtomicFn)
}
