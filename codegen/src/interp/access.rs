//! Loads and stores: bounds checks, and the short cuts for work-items that touch neighbours.

use super::code::Access;
use super::ops::{Bool, Element, Int};
use super::slots::{Slots, by_size};
use crate::ir::Place;
use crate::types::Scalar;
use std::marker::PhantomData;
use std::ops::Range;

/// The memory behind a place.
#[derive(Clone, Copy, Debug)]
pub enum Region {
    /// A parameter's buffer.
    Buffer(u32),
    /// An array in the arena, one for each group of the batch.
    Shared {
        /// First byte.
        at: u32,
        /// Elements.
        len: u32,
        /// Bytes from one group's array to the next.
        stride: u32,
    },
    /// Arrays in the arena, interleaved: element 0 of all work-items, then element 1.
    Private {
        /// First byte.
        at: u32,
        /// Elements of each work-item.
        len: u32,
    },
}

/// A buffer argument; null for a scalar's place in the list.
#[derive(Clone, Copy)]
pub struct Buffer {
    /// First byte.
    pub ptr: *mut u8,
    /// Bytes.
    pub len: usize,
}

// SAFETY: the memory behind it is `Sync`, and outlives the launch that holds this.
unsafe impl Sync for Buffer {}

/// What operations on memory see.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Values and arrays.
    pub slots: Slots,
    /// Arguments, by parameter.
    pub buffers: &'a [Buffer],
    /// Work-items run together.
    pub items: usize,
    /// Work-items of one group.
    pub group_len: usize,
    /// Work-items of one subgroup; the last of a group may have fewer.
    pub subgroup_width: usize,
}

/// Elements of one memory, and the work-items that it belongs to.
pub struct Span<T> {
    /// The work-items.
    pub items: Range<usize>,
    /// First element.
    pub ptr: *mut T,
    /// Elements.
    pub len: usize,
}

impl View<'_> {
    /// One scalar of a slot.
    ///
    /// # Safety
    /// The slot holds more than `item` scalars of this kind, and is not being written.
    pub unsafe fn scalar<T: Element>(&self, slot: u32, item: usize) -> T {
        // SAFETY: promised by the caller.
        let slot = unsafe { self.slots.get::<T>(slot, item + 1) };
        slot[item]
    }

    /// A work-item's index, u32 or u64.
    ///
    /// # Safety
    /// As for [`View::scalar`].
    pub unsafe fn index(&self, slot: u32, long: bool, item: usize) -> u64 {
        // SAFETY: promised by the caller.
        unsafe {
            match long {
                true => self.scalar::<u64>(slot, item),
                false => self.scalar::<u32>(slot, item).into(),
            }
        }
    }

    /// The subgroups of all groups.
    pub fn subgroups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (group, width) = (self.group_len, self.subgroup_width);
        (0..self.items).step_by(group).flat_map(move |first| {
            let of_group = (0..group).step_by(width);
            of_group.map(move |s| first + s..first + group.min(s + width))
        })
    }

    /// The memories of a region that is a buffer or shared: one, or one for each group. A private
    /// region is one memory too, with the elements of all work-items.
    pub fn spans<T: Element>(&self, region: Region) -> impl Iterator<Item = Span<T>> + use<'_, T> {
        let (ptr, stride, len, items) = match region {
            Region::Buffer(i) => {
                let b = self.buffers[i as usize];
                (b.ptr, 0, b.len / size_of::<T>(), self.items)
            }
            Region::Shared { at, len, stride } => {
                let ptr = self.slots.0.wrapping_add(at as usize);
                (ptr, stride as usize, len as usize, self.group_len)
            }
            Region::Private { at, len } => {
                let ptr = self.slots.0.wrapping_add(at as usize);
                (ptr, 0, len as usize, self.items)
            }
        };
        (0..self.items / items).map(move |i| Span {
            items: i * items..(i + 1) * items,
            ptr: ptr.wrapping_add(i * stride).cast(),
            len,
        })
    }
}

/// A load or store. On failure, the first active work-item that was out of bounds; nothing has
/// been stored for it or any later one of its group.
///
/// # Safety
/// The access and the mask are of the code that the view's arena was made for.
pub type AccessFn = unsafe fn(&View, &Access, Option<&[Bool]>) -> Result<(), usize>;

/// An index kind.
pub trait Index: Int {
    /// Widened.
    fn at(self) -> u64;
    /// The low bits.
    fn of(n: usize) -> Self;
}

macro_rules! index {
    ($($t:ident)*) => { $(impl Index for $t {
        #[inline(always)]
        fn at(self) -> u64 { self.into() }
        #[inline(always)]
        fn of(n: usize) -> $t { n as $t }
    })* };
}
index!(u32 u64);

/// How the indices of a span's work-items lie.
#[derive(Clone, Copy)]
enum Pattern {
    /// Each so many elements after the one before, from this element.
    Run(usize),
    /// Anyhow.
    Any,
}

/// Checks that `width` elements at each active work-item's index lie inside `len` elements, and
/// whether the indices are a run of the given step.
///
/// # Errors
/// The first work-item whose elements do not lie inside.
#[inline(always)]
fn check<I: Index>(
    index: &[I],
    step: usize,
    width: usize,
    len: usize,
    mask: Option<&[Bool]>,
) -> Result<Pattern, usize> {
    let fits = |i: u64| {
        i.checked_add(width as u64)
            .is_some_and(|end| end <= len as u64)
    };
    let Some(mask) = mask else {
        let (first, last) = (index[0], index[index.len() - 1]);
        let steps = (step * (index.len() - 1)) as u64;
        // If the last one is where it should be without wrapping, so is each on the way.
        if last.at().checked_sub(first.at()) == Some(steps) && fits(last.at()) {
            let (mut expected, mut off) = (first, I::zeroed());
            for &i in index {
                off = off.or(i.xor(expected));
                expected = expected.add(I::of(step));
            }
            if off.equal(I::zeroed()) {
                return Ok(Pattern::Run(first.at() as usize));
            }
        }
        let largest = index.iter().fold(first, |m, &i| m.max(i));
        return match fits(largest.at()) {
            true => Ok(Pattern::Any),
            false => Err(index.iter().position(|i| !fits(i.at())).unwrap_or(0)),
        };
    };
    let outside = |(i, m): (&I, &Bool)| m.0 != 0 && !fits(i.at());
    match index.iter().zip(mask).position(outside) {
        Some(item) => Err(item),
        None => Ok(Pattern::Any),
    }
}

/// A kind as it lies in memory.
trait Stored: Element {
    /// Whether any bits that are read are taken as they are.
    const RAW: bool;
    /// The value of what was read: a bool may be any nonzero byte.
    fn clean(self) -> Self;
}

impl Stored for Bool {
    const RAW: bool = false;
    #[inline(always)]
    fn clean(self) -> Bool {
        (self.0 != 0).into()
    }
}

macro_rules! stored {
    ($($t:ident)*) => { $(impl Stored for $t {
        const RAW: bool = true;
        #[inline(always)]
        fn clean(self) -> $t { self }
    })* };
}
stored!(u8 u16 u32 u64);

/// Loads or stores of a kind by an index of a kind; private arrays are interleaved by work-item.
struct Transfer<T, I, const STORE: bool, const PRIVATE: bool>(PhantomData<(T, I)>);

impl<T: Stored, I: Index, const STORE: bool, const PRIVATE: bool> Transfer<T, I, STORE, PRIVATE> {
    /// One scalar between memory and a slot.
    ///
    /// # Safety
    /// Both pointers are valid.
    #[inline(always)]
    unsafe fn one(memory: *mut T, slot: *mut T) {
        // SAFETY: promised by the caller.
        unsafe {
            match STORE {
                true => memory.write(slot.read()),
                false => slot.write(memory.read().clean()),
            }
        }
    }

    /// `n` neighbours in a slot, `step` apart in memory.
    ///
    /// # Safety
    /// Both pointers are valid for all of them, and do not overlap.
    #[inline(always)]
    unsafe fn run(memory: *mut T, step: usize, slot: *mut T, n: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            match step == 1 && (STORE || T::RAW) {
                true if STORE => memory.copy_from_nonoverlapping(slot, n),
                true => slot.copy_from_nonoverlapping(memory, n),
                false => (0..n).for_each(|i| Self::one(memory.add(i * step), slot.add(i))),
            }
        }
    }

    /// The whole operation.
    ///
    /// # Safety
    /// As for [`AccessFn`].
    #[inline(always)]
    unsafe fn all(view: &View, access: &Access, mask: Option<&[Bool]>) -> Result<(), usize> {
        let (items, width) = (view.items, access.width as usize);
        // Neighbours in memory, and in a private array the same element of each work-item, can be
        // moved together.
        let step = if PRIVATE { 0 } else { width };
        // SAFETY: promised by the caller.
        let index = unsafe { view.slots.get::<I>(access.index, items) };
        for span in view.spans::<T>(access.region) {
            let (first, n) = (span.items.start, span.items.len());
            let index = &index[span.items.clone()];
            let mask = mask.map(|m| &m[span.items.clone()]);
            let pattern = check(index, step, width, span.len, mask).map_err(|i| first + i)?;
            for l in 0..width {
                let slot = view.slots.0.wrapping_add(access.value as usize).cast::<T>();
                let slot = slot.wrapping_add(l * items + first);
                let memory = |at: usize, i: usize| match PRIVATE {
                    true => span.ptr.wrapping_add((at + l) * items + i),
                    false => span.ptr.wrapping_add(at + l),
                };
                // SAFETY: `check` found the elements of active work-items inside; the value's
                // slot has `width` times `items` scalars, and no array or buffer overlaps it.
                unsafe {
                    match (pattern, mask) {
                        (Pattern::Run(at), _) => {
                            Self::run(memory(at, 0), step.max(1), slot, n);
                        }
                        (Pattern::Any, None) => {
                            for (i, at) in index.iter().enumerate() {
                                Self::one(memory(at.at() as usize, i), slot.add(i));
                            }
                        }
                        (Pattern::Any, Some(mask)) => {
                            for (i, at) in index.iter().enumerate().filter(|(i, _)| mask[*i].0 != 0)
                            {
                                Self::one(memory(at.at() as usize, i), slot.add(i));
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Compiled for the build's baseline.
    ///
    /// # Safety
    /// As for [`AccessFn`].
    unsafe fn baseline(v: &View, a: &Access, mask: Option<&[Bool]>) -> Result<(), usize> {
        // SAFETY: passed on.
        unsafe { Self::all(v, a, mask) }
    }

    /// Compiled for wide vectors.
    ///
    /// # Safety
    /// As for [`AccessFn`], and the processor has them.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi2")]
    unsafe fn wide(v: &View, a: &Access, mask: Option<&[Bool]>) -> Result<(), usize> {
        // SAFETY: passed on.
        unsafe { Self::all(v, a, mask) }
    }

    /// The version for this processor.
    fn pick() -> AccessFn {
        #[cfg(target_arch = "x86_64")]
        if super::wide_vectors() {
            return Self::wide;
        }
        Self::baseline
    }
}

fn pick<T: Stored, const STORE: bool>(index: Scalar, place: Place) -> AccessFn {
    match (place, index == Scalar::U64) {
        (Place::Private(_), false) => Transfer::<T, u32, STORE, true>::pick(),
        (Place::Private(_), true) => Transfer::<T, u64, STORE, true>::pick(),
        (_, false) => Transfer::<T, u32, STORE, false>::pick(),
        (_, true) => Transfer::<T, u64, STORE, false>::pick(),
    }
}

/// Loads of a kind, by an index of a kind.
pub fn load(kind: Scalar, index: Scalar, place: Place) -> AccessFn {
    if kind == Scalar::Bool {
        return pick::<Bool, false>(index, place);
    }
    by_size!(kind, T => pick::<T, false>(index, place))
}

/// Stores of a kind, by an index of a kind.
pub fn store(kind: Scalar, index: Scalar, place: Place) -> AccessFn {
    if kind == Scalar::Bool {
        return pick::<Bool, true>(index, place);
    }
    by_size!(kind, T => pick::<T, true>(index, place))
}
