//! Transposition, in blocks of what one register of 128 bits holds.

/// `to[c·to_step + r] := from[r·from_step + c]` for `rows` rows of `cols` contiguous elements.
///
/// # Safety
/// The elements are there, and do not overlap.
pub unsafe fn transpose<T: Copy>(
    rows: usize,
    cols: usize,
    from: *const T,
    from_step: isize,
    to: *mut T,
    to_step: isize,
) {
    let block = match size_of::<T>() {
        4 if cfg!(target_arch = "x86_64") => 4,
        8 if cfg!(target_arch = "x86_64") => 2,
        _ => 1,
    };
    let at = |r: usize, c: usize| {
        let from = from.wrapping_offset(r as isize * from_step).wrapping_add(c);
        let to = to.wrapping_offset(c as isize * to_step).wrapping_add(r);
        (from, to)
    };
    let (whole_rows, whole_cols) = (rows / block * block, cols / block * block);
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if block > 1 {
            for c in (0..whole_cols).step_by(block) {
                for r in (0..whole_rows).step_by(block) {
                    let (from, to) = at(r, c);
                    match block {
                        4 => x86::four(from.cast(), from_step, to.cast(), to_step),
                        _ => x86::two(from.cast(), from_step, to.cast(), to_step),
                    }
                }
            }
        }
        for c in 0..cols {
            let first = if block > 1 && c < whole_cols {
                whole_rows
            } else {
                0
            };
            for r in first..rows {
                let (from, to) = at(r, c);
                *to = *from;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Four by four elements of four bytes.
    #[inline(always)]
    pub unsafe fn four(from: *const f32, from_step: isize, to: *mut f32, to_step: isize) {
        // SAFETY: the caller's promise; every x86-64 has these instructions.
        unsafe {
            let row = |r: isize| _mm_loadu_ps(from.offset(r * from_step));
            let (mut a, mut b, mut c, mut d) = (row(0), row(1), row(2), row(3));
            _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
            for (r, v) in [a, b, c, d].into_iter().enumerate() {
                _mm_storeu_ps(to.offset(r as isize * to_step), v);
            }
        }
    }

    /// Two by two elements of eight bytes.
    #[inline(always)]
    pub unsafe fn two(from: *const f64, from_step: isize, to: *mut f64, to_step: isize) {
        // SAFETY: as above.
        unsafe {
            let (a, b) = (_mm_loadu_pd(from), _mm_loadu_pd(from.offset(from_step)));
            _mm_storeu_pd(to, _mm_unpacklo_pd(a, b));
            _mm_storeu_pd(to.offset(to_step), _mm_unpackhi_pd(a, b));
        }
    }
}
