//! Libraries of layers: convolutions by descriptors, in plain loops.
//!
//! Strict as the rest: a descriptor that was not set, lengths that do not fit each other, tensors or a
//! workspace outside of memory, a kind or an algorithm that is none are errors. f32 without the
//! arithmetic of its own precision is rounded to TF32, as the vendor's library does.

use crate::Handle;
use crate::blas::Element;
use crate::driver::{current, inside, settle, stream_of};
use crate::flavour::Flavour;
use crate::objects::{self, Object};
use half::{bf16, f16};
use std::ffi::{CStr, c_char, c_int, c_void};

type Status = Result<(), c_int>;

const NOT_INITIALIZED: c_int = 1001;
const BAD_PARAM: c_int = 2000;
const NOT_SUPPORTED: c_int = 3000;

/// The numbers of kinds.
const FLOAT: c_int = 0;
const DOUBLE: c_int = 1;
const HALF: c_int = 2;
const BFLOAT16: c_int = 9;
/// The number of the arithmetic that takes no matrix units.
const FMA: c_int = 3;

/// A tensor, or weights, whose strides follow from their format.
#[derive(Clone, Debug)]
pub struct Tensor {
    kind: c_int,
    lengths: Vec<usize>,
    strides: Vec<usize>,
}

/// A convolution.
#[derive(Clone, Debug)]
pub struct Convolution {
    pads: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
    sums: c_int,
    groups: usize,
    math: c_int,
}

fn check(good: bool) -> Status {
    good.then_some(()).ok_or(BAD_PARAM)
}

fn bytes_of(kind: c_int) -> Result<usize, c_int> {
    match kind {
        FLOAT => Ok(4),
        DOUBLE => Ok(8),
        HALF | BFLOAT16 => Ok(2),
        _ => Err(BAD_PARAM),
    }
}

/// Numbers for each axis, none below `least`.
///
/// # Safety
/// The pointer is null or to as many.
unsafe fn numbers(from: *const c_int, count: c_int, least: c_int) -> Result<Vec<usize>, c_int> {
    check(!from.is_null())?;
    // SAFETY: the caller's promise.
    let given = unsafe { std::slice::from_raw_parts(from, count as usize) };
    check(given.iter().all(|&n| n >= least))?;
    Ok(given.iter().map(|&n| n as usize).collect())
}

/// Makes an object.
///
/// # Safety
/// The pointer is null or may be written.
unsafe fn give(f: &Flavour, out: *mut Handle, object: Object) -> Status {
    check(!out.is_null())?;
    // SAFETY: the caller's promise.
    unsafe { out.write(objects::add(f, object)) };
    Ok(())
}

/// A status in words.
pub fn words(code: c_int) -> *const c_char {
    let words: &CStr = match code {
        0 => c"CUDNN_STATUS_SUCCESS",
        NOT_INITIALIZED => c"CUDNN_STATUS_NOT_INITIALIZED",
        BAD_PARAM => c"CUDNN_STATUS_BAD_PARAM",
        NOT_SUPPORTED => c"CUDNN_STATUS_NOT_SUPPORTED",
        _ => c"CUDNN_UNKNOWN_STATUS",
    };
    words.as_ptr()
}

pub unsafe fn create(f: &Flavour, out: *mut Handle) -> Status {
    current(f).map_err(|_| NOT_INITIALIZED)?;
    // SAFETY: the header's promise.
    unsafe { give(f, out, Object::Dnn(None)) }
}

pub unsafe fn destroy(f: &Flavour, handle: Handle) -> Status {
    match objects::get(f, handle) {
        Ok(Object::Dnn(_)) => objects::remove(f, handle).map(drop),
        _ => Err(NOT_INITIALIZED),
    }
}

pub unsafe fn set_stream(f: &Flavour, handle: Handle, stream: Handle) -> Status {
    let known = objects::get(f, handle).is_ok_and(|o| matches!(o, Object::Dnn(_)));
    let stream = stream_of(f, stream);
    check(known && stream.is_ok())?;
    objects::replace(f, handle, Object::Dnn(stream.ok()));
    Ok(())
}

pub unsafe fn tensor(f: &Flavour, out: *mut Handle) -> Status {
    // SAFETY: the header's promise.
    unsafe { give(f, out, Object::Tensor(None)) }
}

pub unsafe fn tensor_set(
    f: &Flavour,
    of: Handle,
    kind: c_int,
    axes: c_int,
    lengths: *const c_int,
    strides: *const c_int,
) -> Status {
    let known = objects::get(f, of).is_ok_and(|o| matches!(o, Object::Tensor(_)));
    check(known && (4..=8).contains(&axes))?;
    bytes_of(kind)?;
    // SAFETY: the header's promise.
    let (lengths, strides) = unsafe { (numbers(lengths, axes, 1)?, numbers(strides, axes, 1)?) };
    let tensor = Tensor {
        kind,
        lengths,
        strides,
    };
    objects::replace(f, of, Object::Tensor(Some(tensor)));
    Ok(())
}

pub unsafe fn filter(f: &Flavour, out: *mut Handle) -> Status {
    // SAFETY: the header's promise.
    unsafe { give(f, out, Object::Filter(None)) }
}

pub unsafe fn filter_set(
    f: &Flavour,
    of: Handle,
    kind: c_int,
    format: c_int,
    axes: c_int,
    lengths: *const c_int,
) -> Status {
    let known = objects::get(f, of).is_ok_and(|o| matches!(o, Object::Filter(_)));
    check(known && (4..=8).contains(&axes) && (0..=1).contains(&format))?;
    bytes_of(kind)?;
    // SAFETY: the header's promise.
    let lengths = unsafe { numbers(lengths, axes, 1) }?;
    // NCHW, NHWC.
    let order: Vec<usize> = match format {
        0 => (0..lengths.len()).collect(),
        _ => [0].into_iter().chain(2..lengths.len()).chain([1]).collect(),
    };
    let (mut strides, mut next) = (vec![0; lengths.len()], 1);
    for &axis in order.iter().rev() {
        strides[axis] = next;
        next *= lengths[axis];
    }
    let weights = Tensor {
        kind,
        lengths,
        strides,
    };
    objects::replace(f, of, Object::Filter(Some(weights)));
    Ok(())
}

pub unsafe fn convolution(f: &Flavour, out: *mut Handle) -> Status {
    // SAFETY: the header's promise.
    unsafe { give(f, out, Object::Convolution(None)) }
}

#[allow(clippy::too_many_arguments)]
pub unsafe fn convolution_set(
    f: &Flavour,
    of: Handle,
    axes: c_int,
    pads: *const c_int,
    strides: *const c_int,
    dilations: *const c_int,
    mode: c_int,
    sums: c_int,
) -> Status {
    let known = objects::get(f, of).is_ok_and(|o| matches!(o, Object::Convolution(_)));
    check(known && (2..=6).contains(&axes) && (0..=1).contains(&mode))?;
    // 1: the window is not turned round.
    if mode == 0 {
        return Err(NOT_SUPPORTED);
    }
    bytes_of(sums)?;
    // SAFETY: the header's promise.
    let set = unsafe {
        Convolution {
            pads: numbers(pads, axes, 0)?,
            strides: numbers(strides, axes, 1)?,
            dilations: numbers(dilations, axes, 1)?,
            sums,
            groups: 1,
            math: 0,
        }
    };
    objects::replace(f, of, Object::Convolution(Some(set)));
    Ok(())
}

fn convolution_of(f: &Flavour, of: Handle) -> Result<Convolution, c_int> {
    match objects::get(f, of) {
        Ok(Object::Convolution(Some(set))) => Ok(set),
        _ => Err(BAD_PARAM),
    }
}

pub unsafe fn convolution_groups(f: &Flavour, of: Handle, groups: c_int) -> Status {
    let mut set = convolution_of(f, of)?;
    check(groups >= 1)?;
    set.groups = groups as usize;
    objects::replace(f, of, Object::Convolution(Some(set)));
    Ok(())
}

pub unsafe fn convolution_math(f: &Flavour, of: Handle, math: c_int) -> Status {
    let mut set = convolution_of(f, of)?;
    check((0..=FMA).contains(&math))?;
    set.math = math;
    objects::replace(f, of, Object::Convolution(Some(set)));
    Ok(())
}

/// Destroys a descriptor of any sort.
pub unsafe fn forget(f: &Flavour, of: Handle) -> Status {
    match objects::get(f, of) {
        Ok(Object::Tensor(_) | Object::Filter(_) | Object::Convolution(_)) => {
            objects::remove(f, of).map(drop)
        }
        _ => Err(BAD_PARAM),
    }
}

/// A convolution whose parts fit each other.
struct Asked {
    x: Tensor,
    w: Tensor,
    y: Tensor,
    by: Convolution,
    /// What its algorithm wants.
    workspace: usize,
}

fn asked(
    f: &Flavour,
    handle: Handle,
    [x, w, by, y]: [Handle; 4],
    algorithm: c_int,
) -> Result<Asked, c_int> {
    current(f).map_err(|_| NOT_INITIALIZED)?;
    match objects::get(f, handle) {
        Ok(Object::Dnn(Some(stream))) => settle(&stream)?,
        _ => return Err(NOT_INITIALIZED),
    }
    let tensor = |of| match objects::get(f, of) {
        Ok(Object::Tensor(Some(t))) => Ok(t),
        _ => Err(BAD_PARAM),
    };
    let (x, y, by) = (tensor(x)?, tensor(y)?, convolution_of(f, by)?);
    let Ok(Object::Filter(Some(w))) = objects::get(f, w) else {
        return Err(BAD_PARAM);
    };
    let rank = x.lengths.len();
    let same_rank = [w.lengths.len(), y.lengths.len(), by.pads.len() + 2] == [rank; 3];
    check(same_rank && w.kind == x.kind && y.kind == x.kind)?;
    let sums = if x.kind == DOUBLE { DOUBLE } else { FLOAT };
    check(by.sums == sums)?;
    let channels = x.lengths[1] == w.lengths[1] * by.groups && w.lengths[0] % by.groups == 0;
    check(channels && y.lengths[0] == x.lengths[0] && y.lengths[1] == w.lengths[0])?;
    for i in 0..rank - 2 {
        let room = x.lengths[i + 2] + 2 * by.pads[i];
        let reach = (w.lengths[i + 2] - 1) * by.dilations[i] + 1;
        let places = room.checked_sub(reach).ok_or(BAD_PARAM)? / by.strides[i] + 1;
        check(y.lengths[i + 2] == places)?;
    }
    let workspace = match algorithm {
        0 => 0,
        // So that callers have to ask for memory, and to go on to another one.
        1 if rank == 4 => 16 * w.lengths[0],
        1..=7 => return Err(NOT_SUPPORTED),
        _ => return Err(BAD_PARAM),
    };
    Ok(Asked {
        x,
        w,
        y,
        by,
        workspace,
    })
}

#[allow(clippy::too_many_arguments)]
pub unsafe fn workspace(
    f: &Flavour,
    handle: Handle,
    x: Handle,
    w: Handle,
    by: Handle,
    y: Handle,
    algorithm: c_int,
    out: *mut usize,
) -> Status {
    let bytes = asked(f, handle, [x, w, by, y], algorithm)?.workspace;
    check(!out.is_null())?;
    // SAFETY: the header's promise.
    unsafe { out.write(bytes) };
    Ok(())
}

#[allow(clippy::too_many_arguments)]
pub unsafe fn forward(
    f: &Flavour,
    handle: Handle,
    alpha: *const c_void,
    x_of: Handle,
    x: u64,
    w_of: Handle,
    w: u64,
    by: Handle,
    algorithm: c_int,
    space: u64,
    bytes: usize,
    beta: *const c_void,
    y_of: Handle,
    y: u64,
) -> Status {
    let asked = asked(f, handle, [x_of, w_of, by, y_of], algorithm)?;
    check(!alpha.is_null() && !beta.is_null() && bytes >= asked.workspace)?;
    if asked.workspace > 0 {
        inside(space, bytes).map_err(|_| BAD_PARAM)?;
    }
    for (tensor, at) in [(&asked.x, x), (&asked.w, w), (&asked.y, y)] {
        let axes = tensor.lengths.iter().zip(&tensor.strides);
        let last: usize = axes.map(|(n, s)| (n - 1) * s).sum();
        let bytes = bytes_of(tensor.kind)?;
        inside(at, (last + 1) * bytes).map_err(|_| BAD_PARAM)?;
    }
    // SAFETY: the tensors lie in memory, as was just seen; the factors are of the kind of the sums.
    unsafe {
        let factor = |p: *const c_void| match asked.by.sums {
            DOUBLE => p.cast::<f64>().read(),
            _ => p.cast::<f32>().read().into(),
        };
        let factors = [factor(alpha), factor(beta)];
        match asked.x.kind {
            FLOAT => sum::<f32>(&asked, [x, w, y], factors),
            DOUBLE => sum::<f64>(&asked, [x, w, y], factors),
            HALF => sum::<f16>(&asked, [x, w, y], factors),
            _ => sum::<bf16>(&asked, [x, w, y], factors),
        }
    }
    Ok(())
}

/// The next place of a shape, the last axis first; false after the last one.
fn next(lengths: &[usize], place: &mut [usize]) -> bool {
    for (p, &n) in place.iter_mut().zip(lengths).rev() {
        *p += 1;
        if *p < n {
            return true;
        }
        *p = 0;
    }
    false
}

fn offset(t: &Tensor, place: &[usize]) -> usize {
    place.iter().zip(&t.strides).map(|(p, s)| p * s).sum()
}

/// # Safety
/// The tensors lie in memory.
unsafe fn sum<T: Element>(asked: &Asked, [x, w, y]: [u64; 3], [alpha, beta]: [f64; 2]) {
    let Asked {
        x: image,
        w: window,
        y: result,
        by,
        ..
    } = asked;
    let rounds = image.kind == FLOAT && by.math != FMA;
    let seen = |v: f64| match rounds {
        // TF32 has 10 bits of fraction.
        true => f32::from_bits((v as f32).to_bits() & !0x1fff).into(),
        false => v,
    };
    let of_group = window.lengths[0] / by.groups;
    let rank = image.lengths.len();
    let mut place = vec![0; rank];
    loop {
        let (mut sum, mut at) = (0.0, vec![0; rank]);
        loop {
            let mut from = vec![place[0], place[1] / of_group * window.lengths[1] + at[1]];
            for i in 0..rank - 2 {
                let p = place[i + 2] * by.strides[i] + at[i + 2] * by.dilations[i];
                // Before the image it wraps, and is not below the length either.
                from.push(p.wrapping_sub(by.pads[i]));
            }
            at[0] = place[1];
            let is_inside = from.iter().zip(&image.lengths).all(|(p, n)| p < n);
            // SAFETY: the caller's promise.
            let (left, right) = unsafe {
                let pixel = || (x as *const T).add(offset(image, &from)).read().wide();
                let weight = (w as *const T).add(offset(window, &at)).read().wide();
                (if is_inside { pixel() } else { 0.0 }, weight)
            };
            sum += seen(left) * seen(right);
            if !next(&window.lengths[1..], &mut at[1..]) {
                break;
            }
        }
        // SAFETY: the caller's promise.
        unsafe {
            let out = (y as *mut T).add(offset(result, &place));
            let kept = match beta {
                0.0 => 0.0,
                beta => beta * out.read().wide(),
            };
            out.write(T::narrow(alpha * sum + kept));
        }
        if !next(&result.lengths, &mut place) {
            return;
        }
    }
}
