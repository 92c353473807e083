//! Commands on their way to the queue: one encoder, one compute pass as long as launches follow
//! each other, and the scalar arguments of all of them in one buffer.

use super::gpu::Gpu;
use crate::error::Result;

/// Launches after which the encoder goes to the queue, so that the device starts while the host
/// still records.
const LAUNCHES: u32 = 64;

/// Bytes of scalar arguments that an encoder holds.
const SCALARS: u64 = 64 << 10;

/// Bytes of writes after which the queue is told to carry them out; wgpu keeps a copy until then.
const WRITES: u64 = 64 << 20;

/// What is recorded and not yet submitted.
pub struct Recorder {
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    launches: u32,
    /// Bytes written through the queue since the last submission.
    written: u64,
    /// The scalar arguments of the recorded launches, at their places in `arena`.
    scalars: Vec<u8>,
    arena: wgpu::Buffer,
    alignment: u64,
}

impl Recorder {
    pub fn new(gpu: &Gpu) -> Recorder {
        let arena = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("scalars"),
            size: SCALARS,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Recorder {
            pass: None,
            encoder: None,
            launches: 0,
            written: 0,
            scalars: vec![],
            arena,
            alignment: gpu
                .device
                .limits()
                .min_storage_buffer_offset_alignment
                .into(),
        }
    }

    /// Places the scalar arguments of a launch, and returns the buffer and where they lie in it.
    pub fn place_scalars(&mut self, gpu: &Gpu, words: &[u32]) -> Result<(&wgpu::Buffer, u64)> {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        if bytes.len() as u64 > SCALARS {
            let what = format!(
                "{} bytes of scalar arguments; at most {SCALARS}",
                bytes.len()
            );
            return Err(gpu.invalid(what));
        }
        let mut start = (self.scalars.len() as u64).next_multiple_of(self.alignment);
        if start + bytes.len() as u64 > SCALARS {
            self.submit(gpu)?;
            start = 0;
        }
        self.scalars.resize(start as usize, 0);
        self.scalars.extend(bytes);
        Ok((&self.arena, start))
    }

    /// Records a launch; submits if many are recorded.
    pub fn dispatch(
        &mut self,
        gpu: &Gpu,
        pipeline: &wgpu::ComputePipeline,
        bindings: &wgpu::BindGroup,
        groups: [u32; 3],
    ) -> Result<()> {
        if self.pass.is_none() {
            let encoder = self.commands(gpu);
            let pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            self.pass = Some(pass.forget_lifetime());
        }
        if let Some(pass) = &mut self.pass {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, bindings, &[]);
            let [x, y, z] = groups;
            pass.dispatch_workgroups(x, y, z);
        }
        self.launches += 1;
        if self.launches >= LAUNCHES {
            self.submit(gpu)?;
        }
        Ok(())
    }

    /// The encoder, for commands other than launches.
    pub fn commands(&mut self, gpu: &Gpu) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        self.encoder.get_or_insert_with(|| {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            gpu.device.create_command_encoder(&descriptor)
        })
    }

    /// Writes through the queue, after everything recorded. Offset and length are multiples of 4.
    pub fn write(&mut self, gpu: &Gpu, dst: &wgpu::Buffer, offset: u64, data: &[u8]) -> Result<()> {
        // The queue writes before the commands of the next submission.
        if self.encoder.is_some() {
            self.submit(gpu)?;
        }
        gpu.queue.write_buffer(dst, offset, data);
        self.written += data.len() as u64;
        if self.written >= WRITES {
            self.submit(gpu)?;
        }
        Ok(())
    }

    /// Hands everything to the queue.
    pub fn submit(&mut self, gpu: &Gpu) -> Result<wgpu::SubmissionIndex> {
        self.pass = None;
        let commands = self.encoder.take().map(wgpu::CommandEncoder::finish);
        if !self.scalars.is_empty() {
            gpu.queue.write_buffer(&self.arena, 0, &self.scalars);
            self.scalars.clear();
        }
        let index = gpu.queue.submit(commands);
        (self.launches, self.written) = (0, 0);
        // Frees what the device is done with; never waits.
        let polled = gpu.device.poll(wgpu::PollType::Poll);
        gpu.check()?;
        polled.map_err(|e| gpu.driver("vkGetSemaphoreCounterValue", e))?;
        Ok(index)
    }
}
