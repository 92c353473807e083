//! Loads and stores: bounds checks, and the short cuts for work-items that touch neighbours.

use super::code::Access;
use super::ops::{Bool, Element};
use super::slots::{Slots, by_size};
use crate::ir::Place;
use crate::types::Scalar;
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
pub trait Index: Element {
    /// Widened; the interpreter needs a 64-bit host for buffers past 4 GiB, as the buffers do.
    fn at(self) -> u64;
}

impl Index for u32 {
    #[inline(always)]
    fn at(self) -> u64 {
        self.into()
    }
}

impl Index for u64 {
    #[inline(always)]
    fn at(self) -> u64 {
        self
    }
}

/// How the indices of a span's work-items lie.
enum Pattern {
    /// Each `width` after the one before, from this element.
    Run(usize),
    /// Anyhow.
    Any,
}

/// Checks that the accesses of active work-items lie inside `len` elements and finds their pattern.
///
/// # Errors
/// The first work-item whose access does not lie inside.
#[inline(always)]
fn check<I: Index>(
    index: &[I],
    width: u64,
    len: u64,
    mask: Option<&[Bool]>,
) -> Result<Pattern, usize> {
    let inside = |i: I| i.at().checked_add(width).is_some_and(|end| end <= len);
    let Some(mask) = mask else {
        let first = index[0].at();
        let n = index.len() as u64;
        let last = first.saturating_add(width * (n - 1));
        if index[index.len() - 1].at() == last {
            let steps = index.iter().zip(0..);
            let off = steps.fold(0, |off, (i, k)| off | (i.at() ^ (first + width * k)));
            if off == 0 && last.saturating_add(width) <= len {
                return Ok(Pattern::Run(first as usize));
            }
        }
        let largest = index.iter().fold(0, |m: u64, i| m.max(i.at()));
        if largest.checked_add(width).is_some_and(|end| end <= len) {
            return Ok(Pattern::Any);
        }
        return match index.iter().position(|&i| !inside(i)) {
            Some(item) => Err(item),
            None => Ok(Pattern::Any),
        };
    };
    let outside = |(i, m): (&I, &Bool)| m.0 != 0 && !inside(*i);
    match index.iter().zip(mask).position(outside) {
        Some(item) => Err(item),
        None => Ok(Pattern::Any),
    }
}

/// A kind as it lies in memory.
trait Stored: Element {
    /// The value of what was read: a bool may be any nonzero byte.
    fn clean(self) -> Self;
}

impl Stored for Bool {
    #[inline(always)]
    fn clean(self) -> Bool {
        (self.0 != 0).into()
    }
}

macro_rules! stored {
    ($($t:ident)*) => { $(impl Stored for $t {
        #[inline(always)]
        fn clean(self) -> $t { self }
    })* };
}
stored!(u8 u16 u32 u64);

/// # Safety
/// As for [`AccessFn`].
unsafe fn load_span<T: Stored, I: Index>(
    view: &View,
    access: &Access,
    mask: Option<&[Bool]>,
) -> Result<(), usize> {
    let (items, width) = (view.items, access.width as usize);
    // SAFETY: promised by the caller; buffers and arrays are not slots.
    let (index, out) = unsafe {
        (
            view.slots.get::<I>(access.index, items),
            view.slots.get_mut::<T>(access.value, items * width),
        )
    };
    for span in view.spans::<T>(access.region) {
        let first = span.items.start;
        let index = &index[span.items.clone()];
        let mask = mask.map(|m| &m[span.items.clone()]);
        let pattern =
            check(index, width as u64, span.len as u64, mask).map_err(|item| first + item)?;
        for l in 0..width {
            let out = &mut out[l * items..][span.items.clone()];
            match pattern {
                Pattern::Run(start) => {
                    let from = span.ptr.wrapping_add(start + l);
                    for (i, r) in out.iter_mut().enumerate() {
                        // SAFETY: `check` found the whole run inside.
                        *r = unsafe { from.add(i * width).read() }.clean();
                    }
                }
                Pattern::Any => {
                    for (i, r) in out.iter_mut().enumerate() {
                        if mask.is_none_or(|m| m[i].0 != 0) {
                            // SAFETY: `check` found the elements of active work-items inside.
                            *r = unsafe { span.ptr.add(index[i].at() as usize + l).read() }.clean();
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// # Safety
/// As for [`AccessFn`].
unsafe fn store_span<T: Stored, I: Index>(
    view: &View,
    access: &Access,
    mask: Option<&[Bool]>,
) -> Result<(), usize> {
    let (items, width) = (view.items, access.width as usize);
    // SAFETY: promised by the caller; buffers and arrays are not slots.
    let (index, value) = unsafe {
        (
            view.slots.get::<I>(access.index, items),
            view.slots.get::<T>(access.value, items * width),
        )
    };
    for span in view.spans::<T>(access.region) {
        let first = span.items.start;
        let index = &index[span.items.clone()];
        let mask = mask.map(|m| &m[span.items.clone()]);
        let pattern =
            check(index, width as u64, span.len as u64, mask).map_err(|item| first + item)?;
        for l in 0..width {
            let value = &value[l * items..][span.items.clone()];
            match pattern {
                Pattern::Run(start) => {
                    let to = span.ptr.wrapping_add(start + l);
                    for (i, v) in value.iter().enumerate() {
                        // SAFETY: `check` found the whole run inside.
                        unsafe { to.add(i * width).write(*v) };
                    }
                }
                Pattern::Any => {
                    for (i, v) in value.iter().enumerate() {
                        if mask.is_none_or(|m| m[i].0 != 0) {
                            // SAFETY: `check` found the elements of active work-items inside.
                            unsafe { span.ptr.add(index[i].at() as usize + l).write(*v) };
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Both directions for private arrays, whose elements are interleaved by work-item.
///
/// # Safety
/// As for [`AccessFn`].
unsafe fn private<T: Stored, I: Index, const STORE: bool>(
    view: &View,
    access: &Access,
    mask: Option<&[Bool]>,
) -> Result<(), usize> {
    let (items, width) = (view.items, access.width as usize);
    // SAFETY: promised by the caller.
    let index = unsafe { view.slots.get::<I>(access.index, items) };
    for span in view.spans::<T>(access.region) {
        check(index, width as u64, span.len as u64, mask)?;
        let slot = view.slots.0.wrapping_add(access.value as usize).cast::<T>();
        let element = index[0].at();
        let same = mask.is_none() && index.iter().fold(0, |off, i| off | (i.at() ^ element)) == 0;
        for l in 0..width {
            for (i, at) in index.iter().enumerate() {
                if mask.is_some_and(|m| m[i].0 == 0) {
                    continue;
                }
                let at = if same { element } else { at.at() };
                let memory = span.ptr.wrapping_add((at as usize + l) * items + i);
                let slot = slot.wrapping_add(l * items + i);
                // SAFETY: `check` found the element inside; the value's slot holds `width` lanes.
                unsafe {
                    match STORE {
                        true => memory.write(slot.read()),
                        false => slot.write(memory.read().clean()),
                    }
                }
            }
        }
    }
    Ok(())
}

fn pick<T: Stored, const STORE: bool>(index: Scalar, place: Place) -> AccessFn {
    match (place, STORE, index == Scalar::U64) {
        (Place::Private(_), _, false) => private::<T, u32, STORE>,
        (Place::Private(_), _, true) => private::<T, u64, STORE>,
        (_, false, false) => load_span::<T, u32>,
        (_, false, true) => load_span::<T, u64>,
        (_, true, false) => store_span::<T, u32>,
        (_, true, true) => store_span::<T, u64>,
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
