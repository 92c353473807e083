//! Memory: allocation, and transfers at any byte.
//!
//! Vulkan copies and fills whole words. A transfer that begins or ends inside a word is finished
//! by a small kernel that merges bytes, so that it stays in the queue like everything else.

use super::device::Vulkan;
use super::gpu::Gpu;
use super::recorder::Recorder;
use crate::device::{Memory, Program};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use suanzi_codegen::ir::{Access, BinOp, Builtin, UnOp, Value};
use suanzi_codegen::{Builder, Kernel, Scalar, VerifyError};

/// Buffers are padded to this: whole words, and whole vectors of four words.
const GRANULE: u64 = 16;

/// Bytes that one read moves at a time.
const STAGING: u64 = 16 << 20;

/// The backend's handle behind a [`Memory`].
pub struct Buffer {
    pub buffer: wgpu::Buffer,
    /// Its share of the device's memory, given back when it is dropped.
    _share: Option<Share>,
}

/// Bytes taken from the device's memory. Software and integrated devices would go on allocating
/// from the host until that is out of memory.
struct Share {
    bytes: u64,
    used: Arc<AtomicU64>,
}

impl Share {
    fn take(used: &Arc<AtomicU64>, bytes: u64, most: u64) -> Option<Share> {
        let share = Share {
            bytes,
            used: used.clone(),
        };
        // Dropping the share gives the bytes back.
        (used.fetch_add(bytes, Ordering::Relaxed) + bytes <= most).then_some(share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A range of a buffer, in bytes.
#[derive(Clone, Copy)]
pub struct Range<'a> {
    pub buffer: &'a wgpu::Buffer,
    pub at: u64,
}

/// Allocates memory that kernels and copies may use; at most `most` bytes at a time in all.
pub fn alloc(gpu: &Gpu, bytes: u64, most: u64) -> Result<Memory> {
    let Some(share) = Share::take(&gpu.used, bytes.next_multiple_of(GRANULE), most) else {
        return Err(Error::OutOfMemory {
            device: gpu.id.clone(),
            bytes,
            what: format!(
                "{} of {most} bytes are in use",
                gpu.used.load(Ordering::Relaxed)
            ),
        });
    };
    let buffer = create(gpu, bytes)?;
    let handle = Buffer {
        buffer,
        _share: Some(share),
    };
    Ok(Memory::new(bytes, handle))
}

fn create(gpu: &Gpu, bytes: u64) -> Result<wgpu::Buffer> {
    let size = bytes.max(1).next_multiple_of(GRANULE);
    gpu.scoped(bytes, || {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    })
}

/// A buffer that the host reads, of `STAGING` bytes.
fn create_staging(gpu: &Gpu) -> Result<wgpu::Buffer> {
    gpu.scoped(STAGING, || {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: STAGING,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    })
}

impl Vulkan {
    /// Records a write of any bytes.
    pub(super) fn write_bytes(
        &self,
        recorder: &mut Recorder,
        dst: Range<'_>,
        end_of_memory: bool,
        data: &[u8],
    ) -> Result<()> {
        let gpu = &self.gpu;
        let whole = data.len() / 4 * 4;
        if dst.at.is_multiple_of(4) && (whole == data.len() || end_of_memory) {
            recorder.write(gpu, dst.buffer, dst.at, &data[..whole])?;
            if whole < data.len() {
                // What is behind the end of the memory is padding.
                let mut last = [0; 4];
                last[..data.len() - whole].copy_from_slice(&data[whole..]);
                recorder.write(gpu, dst.buffer, dst.at + whole as u64, &last)?;
            }
            return Ok(());
        }
        // In a buffer of its own at the same place within a word, then copied from there.
        let phase = dst.at % 4;
        let mut padded = vec![0; phase as usize];
        padded.extend(data);
        padded.resize(padded.len().next_multiple_of(4), 0);
        let buffer = create(gpu, padded.len() as u64)?;
        recorder.write(gpu, &buffer, 0, &padded)?;
        let src = Range {
            buffer: &buffer,
            at: phase,
        };
        self.copy_bytes(recorder, src, dst, data.len() as u64)
    }

    /// Records a copy of any bytes between two ranges.
    pub(super) fn copy_bytes(
        &self,
        recorder: &mut Recorder,
        src: Range<'_>,
        dst: Range<'_>,
        bytes: u64,
    ) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        if src.buffer == dst.buffer {
            // wgpu copies between different buffers only.
            let phase = src.at % 4;
            let between = create(&self.gpu, phase + bytes)?;
            let between = Range {
                buffer: &between,
                at: phase,
            };
            self.copy_bytes(recorder, src, between, bytes)?;
            return self.copy_bytes(recorder, between, dst, bytes);
        }
        if src.at % 4 != dst.at % 4 {
            return self.merge(recorder, src, dst, bytes);
        }
        let head = (dst.at.next_multiple_of(4) - dst.at).min(bytes);
        let body = (bytes - head) / 4 * 4;
        let tail = bytes - head - body;
        let forward = |r: Range<'_>, by: u64| (r.buffer.clone(), r.at + by);
        if body > 0 {
            let ((s, from), (d, to)) = (forward(src, head), forward(dst, head));
            let commands = recorder.commands(&self.gpu);
            commands.copy_buffer_to_buffer(&s, from, &d, to, Some(body));
        }
        for (by, bytes) in [(0, head), (head + body, tail)] {
            if bytes > 0 {
                let ((s, from), (d, to)) = (forward(src, by), forward(dst, by));
                let src = Range {
                    buffer: &s,
                    at: from,
                };
                let dst = Range { buffer: &d, at: to };
                self.merge(recorder, src, dst, bytes)?;
            }
        }
        Ok(())
    }

    /// Records a copy by the kernel, a launch for as much as one launch can do.
    fn merge(
        &self,
        recorder: &mut Recorder,
        src: Range<'_>,
        dst: Range<'_>,
        bytes: u64,
    ) -> Result<()> {
        let program = self.merge_program()?;
        let per_launch = u64::from(self.caps.max_groups[0]) * u64::from(MERGE_GROUP) * 4 - 4;
        let mut done = 0;
        while done < bytes {
            let now = per_launch.min(bytes - done);
            let (from, to) = (src.at + done, dst.at + done);
            let words = (to % 4 + now).div_ceil(4);
            let groups = [words.div_ceil(MERGE_GROUP.into()) as u32, 1, 1];
            let scalars = [src.buffer.size() / 4 - 1, from, to, now].map(|x| x as u32);
            let buffers = [src.buffer, dst.buffer];
            self.record(
                recorder,
                program.get(&self.info)?,
                groups,
                &buffers,
                &scalars,
            )?;
            done += now;
        }
        Ok(())
    }

    fn merge_program(&self) -> Result<Program> {
        if let Some(program) = self.merge.get() {
            return Ok(program.clone());
        }
        let program = self.compile_kernel(&merge_kernel()?, None)?.program;
        Ok(self.merge.get_or_init(|| program).clone())
    }

    /// Waits for everything recorded, then reads any bytes.
    pub(super) fn read_bytes(&self, src: Range<'_>, out: &mut [u8]) -> Result<()> {
        let gpu = &self.gpu;
        let staging = self.staging.lock().ok().and_then(|mut s| s.pop());
        let staging = match staging {
            Some(buffer) => buffer,
            None => create_staging(gpu)?,
        };
        let mut at = src.at;
        let mut rest = out;
        while !rest.is_empty() {
            let skip = at % 4;
            let (now, later) = rest.split_at_mut(rest.len().min((STAGING - 4) as usize));
            let words = (skip + now.len() as u64).next_multiple_of(4);
            let submission = {
                let mut recorder = self.recorder()?;
                let commands = recorder.commands(gpu);
                commands.copy_buffer_to_buffer(src.buffer, at - skip, &staging, 0, Some(words));
                recorder.submit(gpu)?
            };
            let slice = staging.slice(..words);
            let (sender, receiver) = std::sync::mpsc::channel();
            slice.map_async(wgpu::MapMode::Read, move |r| {
                // The receiver is gone if waiting failed; the error is reported there.
                let _ = sender.send(r);
            });
            gpu.wait(Some(submission))?;
            let mapped = receiver.recv().map_err(|e| gpu.driver("vkMapMemory", e))?;
            mapped.map_err(|e| gpu.driver("vkMapMemory", e))?;
            {
                let view = slice
                    .get_mapped_range()
                    .map_err(|e| gpu.driver("vkMapMemory", e))?;
                let skip = skip as usize;
                now.copy_from_slice(&view[skip..skip + now.len()]);
            }
            staging.unmap();
            at += now.len() as u64;
            rest = later;
        }
        if let Ok(mut all) = self.staging.lock() {
            all.push(staging);
        }
        Ok(())
    }
}

/// Work-items of a group of the merging kernel.
const MERGE_GROUP: u32 = 64;

/// `dst[to .. to + bytes] = src[from .. from + bytes]` in bytes, over arrays of words: each
/// work-item assembles one word of `dst` from two of `src`, and keeps the bytes outside the range.
fn merge_kernel() -> std::result::Result<Kernel, VerifyError> {
    let mut b = Builder::new("suanzi_merge_bytes", [MERGE_GROUP, 1, 1]);
    let src = b.buffer("src", Scalar::U32, Access::Read);
    let dst = b.buffer("dst", Scalar::U32, Access::ReadWrite);
    let last = b.scalar("last", Scalar::U32);
    let from = b.scalar("from", Scalar::U32);
    let to = b.scalar("to", Scalar::U32);
    let bytes = b.scalar("bytes", Scalar::U32);
    let [zero, two, three, eight, word] = [0, 2, 3, 8, 32].map(|n| b.u32(n));
    let ones = b.u32(u32::MAX);

    let id = b.builtin(Builtin::GlobalId(0));
    let first = b.bin(BinOp::Shr, to, two);
    let index = b.add(first, id);
    let start = b.bin(BinOp::Shl, index, two);
    let end = b.add(to, bytes);
    let inside = b.bin(BinOp::Lt, start, end);
    b.if_(inside, |b| {
        // The byte of `src` under the word's first byte; up to 3 before the array, modulo 2^32.
        let shift = b.sub(from, to);
        let origin = b.add(start, shift);
        let offset = b.bin(BinOp::And, origin, three);
        let low_index = b.bin(BinOp::Shr, origin, two);
        let one = b.u32(1);
        let high_index = b.add(low_index, one);
        // A word before the array has the largest index; the one after that is 0 again. Words
        // outside the array hold no byte of the range, so any other is read in their place.
        let wrap = b.u32(u32::MAX >> 2);
        let high_index = b.bin(BinOp::And, high_index, wrap);
        let load = |b: &mut Builder, index: Value| {
            let index = b.bin(BinOp::Min, index, last);
            b.load(src, index, 1, false)
        };
        let (low, high) = (load(b, low_index), load(b, high_index));
        let bits = b.mul(offset, eight);
        let low = b.bin(BinOp::Shr, low, bits);
        // A shift by 32 would be a shift by 0.
        let left = b.sub(word, bits);
        let high = b.bin(BinOp::Shl, high, left);
        let aligned = b.bin(BinOp::Eq, bits, zero);
        let high = b.select(aligned, zero, high);
        let value = b.bin(BinOp::Or, low, high);

        // Bytes before `to` and from `end` on are kept.
        let before = b.bin(BinOp::Max, to, start);
        let before = b.sub(before, start);
        let before = b.mul(before, eight);
        let mask = b.bin(BinOp::Shl, ones, before);
        let behind = b.sub(end, start);
        let four = b.u32(4);
        let behind = b.bin(BinOp::Min, behind, four);
        let behind = b.mul(behind, eight);
        let keep_high = b.bin(BinOp::Shl, ones, behind);
        let full = b.bin(BinOp::Eq, behind, word);
        let keep_high = b.select(full, zero, keep_high);
        let high_mask = b.un(UnOp::Not, keep_high);
        let mask = b.bin(BinOp::And, mask, high_mask);

        let old = b.load(dst, index, 1, false);
        let keep = b.un(UnOp::Not, mask);
        let old = b.bin(BinOp::And, old, keep);
        let new = b.bin(BinOp::And, value, mask);
        let merged = b.bin(BinOp::Or, old, new);
        b.store(dst, index, merged, false);
    });
    b.finish()
}
