//! Memory for panels, kept by each thread from call to call.

use std::cell::Cell;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

thread_local! {
    static KEPT: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Uninitialised memory, aligned to cache lines.
pub struct Workspace(Vec<Line>);

impl Workspace {
    /// Room for `n` elements of type `T`, from what the thread keeps.
    #[inline(always)]
    pub fn take<T>(n: usize) -> Workspace {
        if n == 0 {
            return Workspace(Vec::new());
        }
        let lines = (n * size_of::<T>()).div_ceil(size_of::<Line>());
        // A thread that is ending keeps nothing any more.
        let mut kept = KEPT.try_with(Cell::take).unwrap_or_default();
        if kept.capacity() < lines {
            kept = Vec::with_capacity(lines);
        }
        Workspace(kept)
    }

    #[inline(always)]
    pub fn ptr<T>(&self) -> *mut T {
        self.0.as_ptr().cast_mut().cast()
    }

    /// Keeps the memory for the next call.
    #[inline(always)]
    pub fn give_back(self) {
        if self.0.capacity() > 0 {
            // As above: then it is freed.
            let _ = KEPT.try_with(|k| k.set(self.0));
        }
    }
}
