//! Checks that are the same on every device: ranges, arguments and limits. A bad call is refused
//! here, before it reaches a driver.

use crate::caps::Caps;
use crate::device::{Arg, DeviceInfo, Memory};
use crate::error::{Error, Result};
use crate::vendor::{Matrix, Strided};
use std::ops::Range;
use suanzi_codegen::ir::{Access, Param, ParamKind};
use suanzi_codegen::{Kernel, Scalar, Unsupported};

fn invalid<T>(info: &DeviceInfo, what: String) -> Result<T> {
    Err(Error::Invalid {
        device: info.id.clone(),
        what,
    })
}

/// The error for a handle of another device.
pub fn foreign(info: &DeviceInfo) -> Error {
    Error::Invalid {
        device: info.id.clone(),
        what: "a buffer of another device was passed; copy it to this device first".into(),
    }
}

/// `bytes` from `offset` lie inside `memory`.
pub fn range(
    info: &DeviceInfo,
    call: &str,
    memory: &Memory,
    offset: u64,
    bytes: u64,
) -> Result<()> {
    match offset.checked_add(bytes) {
        Some(end) if end <= memory.bytes => Ok(()),
        _ => invalid(
            info,
            format!(
                "{call} of {bytes} bytes at offset {offset} does not fit a buffer of {} bytes",
                memory.bytes
            ),
        ),
    }
}

/// Both ends of a copy lie inside, and do not overlap.
pub fn copy(
    info: &DeviceInfo,
    src: &Memory,
    from: u64,
    dst: &Memory,
    to: u64,
    bytes: u64,
) -> Result<()> {
    range(info, "copy", src, from, bytes)?;
    range(info, "copy", dst, to, bytes)?;
    if src.same(dst) && from < to + bytes && to < from + bytes {
        return invalid(
            info,
            format!("copy of {bytes} bytes from offset {from} to {to} of one buffer overlaps"),
        );
    }
    Ok(())
}

/// A matrix of a product lies inside its memory; the bytes that it spans.
pub fn matrix(
    info: &DeviceInfo,
    dtype: Scalar,
    name: &str,
    matrix: &Matrix<'_>,
    rows: u64,
    cols: u64,
) -> Result<Range<u64>> {
    let lengths = [rows, cols].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let strided = Strided {
        memory: matrix.memory,
        offset: matrix.offset,
        shape: &lengths,
        strides: &[matrix.row_stride, matrix.col_stride],
    };
    tensor(info, dtype, name, &strided)
}

/// A tensor of a library's operation, `name` in messages, lies inside its memory; the bytes that it
/// spans.
pub fn tensor(info: &DeviceInfo, dtype: Scalar, name: &str, t: &Strided<'_>) -> Result<Range<u64>> {
    if t.shape.len() != t.strides.len() {
        return invalid(info, format!("{name} has a stride too many or too few"));
    }
    if t.shape.contains(&0) {
        return Ok(0..0);
    }
    let (mut first, mut last) = (i128::from(t.offset), i128::from(t.offset));
    for (&n, &stride) in t.shape.iter().zip(t.strides) {
        // What saturates is outside of any memory, which has less than 2^64 bytes.
        let reach = (n as i128 - 1).saturating_mul(i128::from(stride));
        first = first.saturating_add(reach.min(0));
        last = last.saturating_add(reach.max(0));
    }
    let bytes = dtype.bytes() as i128;
    let end = last.saturating_add(1).saturating_mul(bytes);
    if first < 0 || end > i128::from(t.memory.bytes) {
        return invalid(
            info,
            format!(
                "{name} ({:?} {dtype}, offset {}, strides {:?}) reaches outside its buffer \
                 of {} bytes",
                t.shape, t.offset, t.strides, t.memory.bytes
            ),
        );
    }
    // Both ends are inside the memory, whose size is a u64.
    Ok((first * bytes) as u64..end as u64)
}

/// The arguments of a launch are what the kernel's parameters ask for, and nothing that is
/// written has a second name.
pub fn args(info: &DeviceInfo, kernel: &str, params: &[Param], args: &[Arg<'_>]) -> Result<()> {
    if params.len() != args.len() {
        return invalid(
            info,
            format!(
                "kernel `{kernel}` takes {} arguments, {} were passed",
                params.len(),
                args.len()
            ),
        );
    }
    for (i, (param, arg)) in params.iter().zip(args).enumerate() {
        let wrong = |wants: &str| {
            let what = format!(
                "argument `{}` of kernel `{kernel}` must be {wants}",
                param.name
            );
            invalid(info, what)
        };
        match (param.kind, arg) {
            (ParamKind::Scalar(scalar), Arg::Scalar(c)) if c.scalar == scalar => {}
            (ParamKind::Scalar(scalar), _) => return wrong(scalar.name()),
            (ParamKind::Buffer { .. }, Arg::Scalar(_)) => return wrong("a buffer"),
            (ParamKind::Buffer { access, .. }, Arg::Buffer(memory)) => {
                let clash = params[..i].iter().zip(args).find(|(p, a)| {
                    let written = access == Access::ReadWrite || is_written(p);
                    written && matches!(a, Arg::Buffer(other) if other.same(memory))
                });
                if let Some((other, _)) = clash {
                    return invalid(
                        info,
                        format!(
                            "one buffer is passed to kernel `{kernel}` as `{}` and as `{}`, and \
                             it is written; use another buffer for the result",
                            other.name, param.name
                        ),
                    );
                }
            }
        }
    }
    Ok(())
}

fn is_written(param: &Param) -> bool {
    matches!(
        param.kind,
        ParamKind::Buffer {
            access: Access::ReadWrite,
            ..
        }
    )
}

/// A launch has no more work-groups than the device allows.
pub fn groups(info: &DeviceInfo, caps: &Caps, kernel: &str, groups: [u32; 3]) -> Result<()> {
    if groups.iter().zip(caps.max_groups).all(|(&n, max)| n <= max) {
        return Ok(());
    }
    invalid(
        info,
        format!(
            "{groups:?} work-groups of kernel `{kernel}` exceed the limit {:?}; split the launch",
            caps.max_groups
        ),
    )
}

/// The kernel's work-group and shared memory fit the device.
pub fn limits(info: &DeviceInfo, caps: &Caps, kernel: &Kernel) -> Result<()> {
    let (items, shared) = (kernel.workgroup_len(), kernel.shared_bytes());
    let what = if items > caps.max_workgroup {
        format!(
            "a work-group of {items}, the limit is {}",
            caps.max_workgroup
        )
    } else if shared > caps.shared_bytes {
        format!(
            "{shared} bytes of shared memory, the limit is {}",
            caps.shared_bytes
        )
    } else {
        return Ok(());
    };
    Err(Error::Unsupported {
        device: info.id.clone(),
        source: Unsupported {
            kernel: kernel.name.clone(),
            what,
        },
    })
}

/// An allocation is within the device's limit for one.
pub fn allocation(info: &DeviceInfo, caps: &Caps, bytes: u64) -> Result<()> {
    if bytes <= caps.max_alloc {
        return Ok(());
    }
    Err(Error::OutOfMemory {
        device: info.id.clone(),
        bytes,
        what: format!("one allocation is at most {} bytes", caps.max_alloc),
    })
}
