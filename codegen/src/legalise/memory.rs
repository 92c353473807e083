//! Memory of the kinds that a target cannot address: bools as bytes, 16-bit floats as u16, and
//! bytes and halves inside u32 words.
//!
//! A buffer that is packed into words is expected to begin at a word and to end at one. Stores of
//! less than a word leave its other elements alone even while other work-items store to those:
//! one atomic clears, a second one sets.

use super::casts::{decode, encode, held};
use super::ops::low_bits;
use super::range::alignment;
use super::walk::StoreTo;
use crate::builder::Builder;
use crate::ir::*;
use crate::target::{Support, Target};
use crate::types::Scalar::{self, *};

/// What memory of an element kind is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// Elements of a kind.
    Plain(Scalar),
    /// Words that hold several elements of this many bits, the lowest first.
    Words(u32),
}

fn cell(t: &Target, elem: Scalar) -> Cell {
    use Support::*;
    let carrier = |s: Scalar| match t.support(s) {
        Native | Storage => Cell::Plain(s),
        Packed | Missing => Cell::Words(s.bits()),
    };
    match elem {
        Bool => carrier(U8),
        F16 if t.f16 == Packed => carrier(U16),
        Bf16 if t.bf16 != Native => carrier(U16),
        I8 | U8 | I16 | U16 => carrier(elem),
        _ => Cell::Plain(elem),
    }
}

/// The element kind that a buffer or array has in the legal kernel.
pub fn memory_kind(t: &Target, elem: Scalar) -> Scalar {
    match cell(t, elem) {
        Cell::Plain(s) => s,
        Cell::Words(_) => U32,
    }
}

/// Replaces the element kinds of all declarations.
pub fn declare(t: &Target, k: &mut Kernel) {
    for p in &mut k.params {
        if let ParamKind::Buffer { elem, .. } = &mut p.kind {
            *elem = memory_kind(t, *elem);
        }
    }
    for a in k.shared.iter_mut().chain(&mut k.private) {
        if let Cell::Words(bits) = cell(t, a.elem) {
            a.len = a.len.div_ceil(32 / bits);
        }
        a.elem = memory_kind(t, a.elem);
    }
}

/// A load of elements of a kind, as the kind that holds it.
pub fn load(
    b: &mut Builder,
    t: &Target,
    (place, index, aligned): (Place, Value, bool),
    elem: Scalar,
    lanes: u8,
) -> Value {
    match cell(t, elem) {
        Cell::Plain(kind) => {
            let x = b.load(place, index, lanes, aligned);
            if kind == elem {
                b.convert(x, held(t, elem))
            } else if elem == Bool && held(t, kind) == kind {
                b.is_nonzero(x)
            } else {
                let u = b.convert(x, U32);
                decode(b, t, u, elem)
            }
        }
        Cell::Words(bits) => {
            let u = load_words(b, (place, index, aligned), bits, lanes);
            decode(b, t, u, elem)
        }
    }
}

/// A store of a held value to elements of a kind.
pub fn store(b: &mut Builder, t: &Target, to: StoreTo, elem: Scalar) {
    let StoreTo {
        place,
        index,
        value,
        aligned,
    } = to;
    match cell(t, elem) {
        Cell::Plain(kind) => {
            let x = if kind == elem {
                b.convert(value, kind)
            } else if elem == Bool && held(t, kind) == kind {
                b.flag(value, kind)
            } else {
                let u = encode(b, t, value, elem);
                b.convert(u, kind)
            };
            b.store(place, index, x, aligned);
        }
        Cell::Words(bits) => {
            let u = encode(b, t, value, elem);
            let to = StoreTo { value: u, ..to };
            store_words(b, to, bits);
        }
    }
}

/// The shift, in bits, at which an element begins in its word.
fn offset(b: &mut Builder, index: Value, bits: u32) -> Value {
    let element = b.and(index, u64::from(32 / bits - 1));
    let element = b.convert(element, U32);
    b.shl(element, bits.trailing_zeros())
}

/// The word that an element lies in.
fn word(b: &mut Builder, index: Value, bits: u32) -> Value {
    b.shr(index, (32 / bits).trailing_zeros())
}

/// Whether an access is aligned, as promised or as its index shows, and whether it begins a word.
fn alignments(
    b: &Builder,
    index: Value,
    (promised, lanes): (bool, u8),
    per_word: u8,
) -> (bool, bool) {
    let known = alignment(b, index);
    let aligned = promised || known >= lanes.trailing_zeros();
    let whole = lanes >= per_word && aligned;
    (aligned, whole || known >= per_word.trailing_zeros())
}

/// Elements of 8 or 16 bits, each zero-extended to u32.
fn load_words(
    b: &mut Builder,
    (place, index, aligned): (Place, Value, bool),
    bits: u32,
    lanes: u8,
) -> Value {
    let per_word = (32 / bits) as u8;
    let count = lanes.div_ceil(per_word);
    let first = word(b, index, bits);
    let (aligned, at_word) = alignments(b, index, (aligned, lanes), per_word);
    let words = if at_word && lanes >= per_word {
        b.load(place, first, count, aligned)
    } else if aligned || lanes == 1 {
        let w = b.load(place, first, 1, true);
        let down = offset(b, index, bits);
        b.bin(BinOp::Shr, w, down)
    } else {
        // The elements straddle words: take each word together with the next. The last one is
        // that of the last element, so that no word past the end is read.
        let last = b.plus(index, i64::from(lanes) - 1);
        let last = word(b, last, bits);
        let mut all: Vec<Value> = (0..count)
            .map(|i| {
                let at = b.plus(first, i.into());
                b.load(place, at, 1, true)
            })
            .collect();
        all.push(b.load(place, last, 1, true));
        let down = offset(b, index, bits);
        let up = b.k_minus(31, down);
        let parts: Vec<Value> = all
            .windows(2)
            .map(|w| {
                let low = b.bin(BinOp::Shr, w[0], down);
                let high = b.shl(w[1], 1);
                let high = b.bin(BinOp::Shl, high, up);
                b.bin(BinOp::Or, low, high)
            })
            .collect();
        b.compose(&parts)
    };
    unpack(b, words, bits, lanes)
}

/// Spreads words over lanes.
fn unpack(b: &mut Builder, words: Value, bits: u32, lanes: u8) -> Value {
    let per_word = (32 / bits) as u8;
    let spread: Vec<Value> = (0..lanes).map(|i| b.extract(words, i / per_word)).collect();
    let spread = b.compose(&spread);
    let moved = if lanes == 1 {
        spread
    } else {
        let ty = b.ty(spread);
        let down = b.pattern(ty, |i| u64::from(i * bits % 32));
        b.bin(BinOp::Shr, spread, down)
    };
    b.and(moved, low_bits(bits))
}

/// Gathers lanes into words; the inverse of [`unpack`].
fn pack(b: &mut Builder, x: Value, bits: u32) -> Value {
    let ty = b.ty(x);
    if ty.lanes == 1 {
        return x;
    }
    let up = b.pattern(ty, |i| u64::from(i * bits % 32));
    let moved = b.bin(BinOp::Shl, x, up);
    let lanes: Vec<Value> = (0..ty.lanes).map(|i| b.extract(moved, i)).collect();
    let words: Vec<Value> = lanes
        .chunks((32 / bits) as usize)
        .map(|chunk| {
            let rest = &chunk[1..];
            rest.iter()
                .fold(chunk[0], |w, part| b.bin(BinOp::Or, w, *part))
        })
        .collect();
    b.compose(&words)
}

fn store_words(b: &mut Builder, to: StoreTo, bits: u32) {
    let lanes = b.ty(to.value).lanes;
    let per_word = (32 / bits) as u8;
    let (aligned, at_word) = alignments(b, to.index, (to.aligned, lanes), per_word);
    if at_word && lanes >= per_word {
        let words = pack(b, to.value, bits);
        let first = word(b, to.index, bits);
        b.store(to.place, first, words, aligned);
    } else if aligned || lanes == 1 {
        let part = pack(b, to.value, bits);
        merge(b, to.place, to.index, part, (bits, u32::from(lanes) * bits));
    } else {
        for i in 0..lanes {
            let element = b.extract(to.value, i);
            let index = b.plus(to.index, i.into());
            merge(b, to.place, index, element, (bits, bits));
        }
    }
}

/// Replaces `count` bits of a word, from the element at `index` on.
fn merge(b: &mut Builder, place: Place, index: Value, part: Value, (bits, count): (u32, u32)) {
    let at = word(b, index, bits);
    let up = offset(b, index, bits);
    let part = b.bin(BinOp::Shl, part, up);
    let mask = b.like(part, low_bits(count));
    let mask = b.bin(BinOp::Shl, mask, up);
    let keep = b.un(UnOp::Not, mask);
    if matches!(place, Place::Private(_)) {
        let old = b.load(place, at, 1, true);
        let old = b.bin(BinOp::And, old, keep);
        let new = b.bin(BinOp::Or, old, part);
        b.store(place, at, new, true);
    } else {
        b.atomic(AtomicOp::And, place, at, keep);
        b.atomic(AtomicOp::Or, place, at, part);
    }
}
