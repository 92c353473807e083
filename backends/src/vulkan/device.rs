//! The [`Device`] trait over the rest of this backend.

use super::gpu::Gpu;
use super::memory::{self, Buffer, Range};
use super::program::Pipeline;
use super::recorder::Recorder;
use super::{adapter, probe};
use crate::caps::{Caps, DeviceKind};
use crate::check;
use crate::device::{Arg, Compiled, Device, DeviceInfo, Memory, Program};
use crate::error::{Error, Result};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};
use suanzi_codegen::Kernel;
use suanzi_codegen::emit_naga::{self, FloatControls};

/// An opened Vulkan device.
pub struct Vulkan {
    pub(super) info: DeviceInfo,
    pub(super) caps: Caps,
    pub(super) gpu: Gpu,
    pub(super) controls: FloatControls,
    /// The kernel that copies bytes which are not whole words, once it was needed.
    pub(super) merge: OnceLock<Program>,
    /// Buffers for reading that are not in use.
    pub(super) staging: Mutex<Vec<wgpu::Buffer>>,
    recorder: Mutex<Recorder>,
}

impl Vulkan {
    /// Opens an adapter, and finds out what it really does.
    pub fn open(index: usize, adapter: &wgpu::Adapter) -> Result<Vulkan> {
        let info = adapter::info(index, adapter);
        if !adapter
            .features()
            .contains(wgpu::Features::PASSTHROUGH_SHADERS)
        {
            return Err(Error::NoDriver {
                backend: "vulkan",
                what: format!("{} does not take SPIR-V as it is", info.name),
            });
        }
        let gpu = Gpu::open(adapter, &info.id, adapter::wanted(adapter))?;
        let physical = adapter::physical(adapter);
        let mut features = adapter::features(adapter);
        let caps = caps(adapter, &physical, &features);
        let recorder = Mutex::new(Recorder::new(&gpu));
        let mut device = Vulkan {
            info,
            caps,
            gpu,
            controls: physical.controls,
            merge: OnceLock::new(),
            staging: Mutex::new(vec![]),
            recorder,
        };
        let found = probe::run(&device, &features)?;
        found.apply(&mut features);
        device.caps.target = emit_naga::target(&features);
        device.caps.denormals_f32 = found.denormals_f32;
        device.caps.exact_division = found.exact_division;
        device.caps.emulated = found.emulated(&features);
        Ok(device)
    }

    pub(super) fn recorder(&self) -> Result<MutexGuard<'_, Recorder>> {
        self.recorder.lock().map_err(|_| Error::DeviceLost {
            device: self.info.id.clone(),
            what: "a thread panicked while it recorded commands".into(),
        })
    }

    /// A place in the buffer behind a memory.
    fn range<'a>(&self, memory: &'a Memory, at: u64) -> Result<Range<'a>> {
        let buffer = &memory.get::<Buffer>(&self.info)?.buffer;
        Ok(Range { buffer, at })
    }

    /// Records a launch of what was checked: the buffers and the scalars' words, in order.
    pub(super) fn record(
        &self,
        recorder: &mut Recorder,
        pipeline: &Pipeline,
        groups: [u32; 3],
        buffers: &[&wgpu::Buffer],
        scalars: &[u32],
    ) -> Result<()> {
        let gpu = &self.gpu;
        let mut entries: Vec<wgpu::BindGroupEntry<'_>> = buffers
            .iter()
            .enumerate()
            .map(|(i, buffer)| wgpu::BindGroupEntry {
                binding: i as u32,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let arena;
        if !scalars.is_empty() {
            let (buffer, offset) = recorder.place_scalars(gpu, scalars)?;
            arena = buffer.clone();
            entries.push(wgpu::BindGroupEntry {
                binding: entries.len() as u32,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &arena,
                    offset,
                    size: std::num::NonZeroU64::new(scalars.len() as u64 * 4),
                }),
            });
        }
        let bindings = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.bindings,
            entries: &entries,
        });
        recorder.dispatch(gpu, &pipeline.pipeline, &bindings, groups)
    }

    /// Device time between two timestamps, or `None` where the device has no clock.
    fn clock(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Option<Duration>> {
        let gpu = &self.gpu;
        let clock =
            wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS;
        if !gpu.device.features().contains(clock) {
            return Ok(None);
        }
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        let ticks = gpu.scoped(16, || {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("ticks"),
                size: 16,
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        })?;
        let stamp = |index: u32| -> Result<()> {
            let mut recorder = self.recorder()?;
            recorder.commands(gpu).write_timestamp(&queries, index);
            Ok(())
        };
        stamp(0)?;
        work()?;
        stamp(1)?;
        let mut recorder = self.recorder()?;
        recorder
            .commands(gpu)
            .resolve_query_set(&queries, 0..2, &ticks, 0);
        drop(recorder);
        let mut bytes = [0u8; 16];
        let range = Range {
            buffer: &ticks,
            at: 0,
        };
        self.read_bytes(range, &mut bytes)?;
        let [start, end]: [u64; 2] = bytemuck::cast(bytes);
        let period = f64::from(gpu.queue.get_timestamp_period());
        let nanoseconds = end.saturating_sub(start) as f64 * period;
        Ok(Some(Duration::from_nanos(nanoseconds as u64)))
    }
}

impl Device for Vulkan {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn alloc(&self, bytes: u64) -> Result<Memory> {
        check::allocation(&self.info, &self.caps, bytes)?;
        memory::alloc(&self.gpu, bytes, self.caps.memory_bytes)
    }

    fn write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()> {
        let bytes = data.len() as u64;
        check::range(&self.info, "write", dst, offset, bytes)?;
        let range = self.range(dst, offset)?;
        if data.is_empty() {
            return Ok(());
        }
        let end_of_memory = offset + bytes == dst.bytes;
        self.write_bytes(&mut *self.recorder()?, range, end_of_memory, data)
    }

    fn read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()> {
        check::range(&self.info, "read", src, offset, out.len() as u64)?;
        let range = self.range(src, offset)?;
        if out.is_empty() {
            return self.sync();
        }
        self.read_bytes(range, out)
    }

    fn copy(&self, src: &Memory, from: u64, dst: &Memory, to: u64, bytes: u64) -> Result<()> {
        check::copy(&self.info, src, from, dst, to, bytes)?;
        let (src, dst) = (self.range(src, from)?, self.range(dst, to)?);
        self.copy_bytes(&mut *self.recorder()?, src, dst, bytes)
    }

    fn compile(&self, kernel: &Kernel, binary: Option<&[u8]>) -> Result<Compiled> {
        self.compile_kernel(kernel, binary)
    }

    fn launch(&self, program: &Program, groups: [u32; 3], args: &[Arg<'_>]) -> Result<()> {
        if groups.contains(&0) {
            return Ok(());
        }
        let pipeline: &Pipeline = program.get(&self.info)?;
        check::groups(&self.info, &self.caps, &program.name, groups)?;
        check::args(&self.info, &program.name, &pipeline.params, args)?;
        let mut buffers = vec![];
        let mut scalars = vec![];
        for arg in args {
            match arg {
                Arg::Buffer(memory) => buffers.push(&memory.get::<Buffer>(&self.info)?.buffer),
                Arg::Scalar(c) => emit_naga::pack_scalar(&mut scalars, c.scalar, c.bits),
            }
        }
        self.record(&mut *self.recorder()?, pipeline, groups, &buffers, &scalars)
    }

    fn submit(&self) -> Result<()> {
        self.recorder()?.submit(&self.gpu)?;
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let submission = self.recorder()?.submit(&self.gpu)?;
        self.gpu.wait(Some(submission))
    }

    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        self.sync()?;
        let start = Instant::now();
        if let Some(time) = self.clock(work)? {
            return Ok(time);
        }
        work()?;
        self.sync()?;
        Ok(start.elapsed())
    }
}

/// Caps by the adapter's own account; what is probed comes later.
fn caps(
    adapter: &wgpu::Adapter,
    physical: &adapter::Physical,
    features: &emit_naga::Features,
) -> Caps {
    let (info, l) = (adapter.get_info(), adapter.limits());
    let units = match info.device_type {
        wgpu::DeviceType::Cpu => std::thread::available_parallelism().map_or(1, |n| n.get()) as u32,
        // Where nobody says: as many as a small GPU has.
        _ => physical.compute_units.unwrap_or(16),
    };
    let max_alloc = l.max_buffer_size.min(l.max_storage_buffer_binding_size);
    Caps {
        // Software devices too run neighbouring items in the lanes of one vector register.
        kind: DeviceKind::Gpu,
        target: emit_naga::target(features),
        compute_units: units,
        max_workgroup: l.max_compute_invocations_per_workgroup,
        max_groups: [l.max_compute_workgroups_per_dimension; 3],
        shared_bytes: l.max_compute_workgroup_storage_size,
        memory_bytes: physical.memory_bytes.max(max_alloc),
        max_alloc,
        vector_bytes: 16,
        subgroup: features
            .subgroups
            .then_some((info.subgroup_min_size, info.subgroup_max_size)),
        host: info.device_type == wgpu::DeviceType::Cpu,
        denormals_f32: false,
        exact_division: false,
        emulated: vec![],
    }
}
