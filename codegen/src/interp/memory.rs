//! Device memory of the interpreter: a zeroed slab of bytes.
//!
//! It behaves as a device's memory does: anyone who holds it may read and write it, and ordering
//! those accesses is the caller's business. Two unordered accesses to the same bytes, one of them
//! a write, leave those bytes unspecified.

use super::InterpError;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Alignment of the first byte.
const ALIGN: usize = 64;

/// A zero-initialised slab, aligned to 64 bytes, that costs nothing until it is touched.
#[derive(Debug)]
pub struct Memory {
    /// What the allocator gave, at most `ALIGN - 1` bytes before `base`.
    block: NonNull<u8>,
    layout: Layout,
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the slab is owned, and its bytes are only reached through raw pointers.
unsafe impl Send for Memory {}
// SAFETY: as above; no reference to the bytes is ever formed, and every bit pattern is a value of
// every element kind, so unordered accesses give unspecified bytes and nothing worse.
unsafe impl Sync for Memory {}

impl Memory {
    /// Allocates `bytes` zero bytes.
    ///
    /// # Errors
    /// [`InterpError::OutOfMemory`].
    pub fn new(bytes: usize) -> Result<Memory, InterpError> {
        let full = InterpError::OutOfMemory { bytes };
        // Aligned by hand: the allocator gets lazily zeroed pages from the system only for small
        // alignments, and writes zeros itself for large ones.
        let padded = bytes.checked_add(ALIGN).ok_or(full.clone())?;
        let layout = Layout::from_size_align(padded, 1).map_err(|_| full.clone())?;
        // SAFETY: the layout is not of size zero.
        let block = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(full)?;
        let skip = block.align_offset(ALIGN);
        // SAFETY: `skip < ALIGN`, and the block is `ALIGN` bytes longer than the slab.
        let base = unsafe { block.add(skip) };
        Ok(Memory {
            block,
            layout,
            base,
            len: bytes,
        })
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for a slab of no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first byte, valid for `len` bytes, for code that the interpreter does not run; that it
    /// is ordered with what runs is the caller's business here too.
    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// The address of `offset`, if `len` bytes from there lie inside.
    fn span(&self, offset: usize, len: usize) -> Result<*mut u8, InterpError> {
        match offset.checked_add(len) {
            // SAFETY: `offset` is at most the length of the slab.
            Some(end) if end <= self.len => Ok(unsafe { self.base().add(offset) }),
            _ => Err(InterpError::OutOfRange {
                offset,
                len,
                size: self.len,
            }),
        }
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Errors
    /// [`InterpError::OutOfRange`]; nothing is written then.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), InterpError> {
        let to = self.span(offset, bytes.len())?;
        // SAFETY: the destination is inside the slab; no reference to the slab exists, so the
        // source cannot overlap it.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Copies from `offset` to `bytes`.
    ///
    /// # Errors
    /// [`InterpError::OutOfRange`]; nothing is read then.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<(), InterpError> {
        let from = self.span(offset, bytes.len())?;
        // SAFETY: as for `write`.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    /// Copies `len` bytes of another slab, or of this one, where the two ranges may overlap.
    ///
    /// # Errors
    /// [`InterpError::OutOfRange`]; nothing is written then.
    pub fn copy_from(
        &self,
        offset: usize,
        source: &Memory,
        source_offset: usize,
        len: usize,
    ) -> Result<(), InterpError> {
        let from = source.span(source_offset, len)?;
        let to = self.span(offset, len)?;
        // SAFETY: both ranges are inside their slabs; `copy` allows overlap.
        unsafe { to.copy_from(from, len) };
        Ok(())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.block.as_ptr(), self.layout) };
    }
}
