//! Compilation: kernel to SPIR-V to pipeline, and what is kept of it for the next process.

use super::device::Vulkan;
use crate::check;
use crate::device::{Compiled, Program};
use crate::error::{Error, Result};
use suanzi_codegen::hash::stable_hash;
use suanzi_codegen::ir::{Access, Param, ParamKind};
use suanzi_codegen::{Kernel, Unsupported, emit_naga, legalise};

/// The backend's handle behind a [`Program`].
pub struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub bindings: wgpu::BindGroupLayout,
    /// The kernel's parameters as the caller knows them.
    pub params: Vec<Param>,
}

/// What a later compile of the same kernel needs: the SPIR-V, and the driver's pipeline cache.
struct Binary {
    spirv: Vec<u32>,
    cache: Vec<u8>,
}

/// First bytes of a stored binary, with a version of its format.
const MAGIC: [u8; 8] = *b"SZVULK01";

impl Binary {
    /// Magic, hash of the rest, length of the SPIR-V in words, SPIR-V, pipeline cache.
    fn to_bytes(&self) -> Vec<u8> {
        let mut rest = (self.spirv.len() as u64).to_le_bytes().to_vec();
        rest.extend(self.spirv.iter().flat_map(|w| w.to_le_bytes()));
        rest.extend(&self.cache);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(stable_hash(&rest[..]).to_le_bytes());
        bytes.extend(rest);
        bytes
    }

    /// `None` for what is damaged or of another make.
    fn from_bytes(bytes: &[u8]) -> Option<Binary> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (hash, rest) = rest.split_at_checked(16)?;
        if stable_hash(rest).to_le_bytes() != hash {
            return None;
        }
        let (length, rest) = rest.split_at_checked(8)?;
        let length = u64::from_le_bytes(length.try_into().ok()?);
        let length = usize::try_from(length).ok()?.checked_mul(4)?;
        let (spirv, cache) = rest.split_at_checked(length)?;
        let word = |c: &[u8]| u32::from_le_bytes([c[0], c[1], c[2], c[3]]);
        Some(Binary {
            spirv: spirv.chunks_exact(4).map(word).collect(),
            cache: cache.to_vec(),
        })
    }
}

impl Vulkan {
    /// Legalises and compiles a kernel.
    pub(super) fn compile_kernel(
        &self,
        kernel: &Kernel,
        binary: Option<&[u8]>,
    ) -> Result<Compiled> {
        check::limits(&self.info, &self.caps, kernel)?;
        self.fits(kernel)?;
        let mut source = None;
        let known = binary.and_then(Binary::from_bytes);
        let (spirv, cache) = match known {
            Some(b) => (b.spirv, Some(b.cache)),
            None => {
                let legal = legalise(kernel, &self.caps.target).map_err(|e| self.unsupported(e))?;
                source = emit_naga::to_wgsl(&legal).ok().map(|text| (text, "wgsl"));
                let spirv = emit_naga::to_spirv_with(&legal, &self.controls);
                (spirv.map_err(|e| self.unsupported(e))?, None)
            }
        };
        let (pipeline, cache) = self.pipeline(kernel, &spirv, cache.as_deref())?;
        Ok(Compiled {
            program: Program::new(&kernel.name, pipeline),
            source,
            binary: Some(Binary { spirv, cache }.to_bytes()),
        })
    }

    fn unsupported(&self, source: Unsupported) -> Error {
        Error::Unsupported {
            device: self.gpu.id.clone(),
            source,
        }
    }

    /// Checks what wgpu cannot check, since it does not look into our SPIR-V.
    fn fits(&self, kernel: &Kernel) -> Result<()> {
        let l = self.gpu.device.limits();
        let sides = [
            l.max_compute_workgroup_size_x,
            l.max_compute_workgroup_size_y,
            l.max_compute_workgroup_size_z,
        ];
        let too_long = kernel
            .workgroup
            .iter()
            .zip(sides)
            .any(|(&n, most)| n > most);
        let buffers = emit_naga::buffer_bindings(kernel) as u32;
        // One is for the scalars.
        let most = l.max_storage_buffers_per_shader_stage - 1;
        let what = if too_long {
            format!(
                "a work-group of {:?}, the limit is {sides:?}",
                kernel.workgroup
            )
        } else if buffers > most {
            format!("{buffers} buffers, the limit is {most}")
        } else {
            return Ok(());
        };
        Err(self.unsupported(Unsupported {
            kernel: kernel.name.clone(),
            what,
        }))
    }

    /// Makes the pipeline; returns what the driver wants kept of it, too.
    fn pipeline(
        &self,
        kernel: &Kernel,
        spirv: &[u32],
        cache: Option<&[u8]>,
    ) -> Result<(Pipeline, Vec<u8>)> {
        let device = &self.gpu.device;
        let made = self.gpu.scoped(0, || {
            let entries = layout(&kernel.params);
            let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(&kernel.name),
                entries: &entries,
            });
            let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(&kernel.name),
                bind_group_layouts: &[Some(&bindings)],
                immediate_size: 0,
            });
            let module = wgpu::ShaderModuleDescriptorPassthrough {
                label: Some(kernel.name.as_str()),
                entry_points: vec![wgpu::PassthroughShaderEntryPoint {
                    name: kernel.name.as_str().into(),
                    workgroup_size: kernel.workgroup.into(),
                }]
                .into(),
                spirv: Some(spirv.into()),
                ..Default::default()
            };
            // SAFETY: the SPIR-V was written from a verified kernel by the emitter, and validated
            // by naga, or carries the hash of such; it declares the bindings of `layout`.
            let module = unsafe { device.create_shader_module_passthrough(module) };
            let cache = device
                .features()
                .contains(wgpu::Features::PIPELINE_CACHE)
                .then(|| {
                    let descriptor = wgpu::PipelineCacheDescriptor {
                        label: None,
                        data: cache.filter(|c| !c.is_empty()),
                        fallback: true,
                    };
                    // SAFETY: the data came from `get_data` of the same device and driver (that is
                    // what binaries are keyed by) and is unchanged, by its hash.
                    unsafe { device.create_pipeline_cache(&descriptor) }
                });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&kernel.name),
                layout: Some(&layout),
                module: &module,
                entry_point: Some(&kernel.name),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: cache.as_ref(),
            });
            let data = cache.and_then(|c| c.get_data()).unwrap_or_default();
            let pipeline = Pipeline {
                pipeline,
                bindings,
                params: kernel.params.clone(),
            };
            (pipeline, data)
        });
        made.map_err(|e| Error::Compile {
            device: self.gpu.id.clone(),
            kernel: kernel.name.clone(),
            log: e.to_string(),
        })
    }
}

/// The bindings of the emitter's calling convention.
fn layout(params: &[Param]) -> Vec<wgpu::BindGroupLayoutEntry> {
    let buffers = params.iter().filter_map(|p| match p.kind {
        ParamKind::Buffer { access, .. } => Some(access == Access::Read),
        ParamKind::Scalar(_) => None,
    });
    let has_scalars = params
        .iter()
        .any(|p| matches!(p.kind, ParamKind::Scalar(_)));
    let scalars = has_scalars.then_some(true);
    let entry = |(i, read_only): (usize, bool)| wgpu::BindGroupLayoutEntry {
        binding: i as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    buffers.chain(scalars).enumerate().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_comes_back_and_a_damaged_one_does_not() {
        let binary = Binary {
            spirv: vec![1, 2, 3],
            cache: vec![4; 9],
        };
        let bytes = binary.to_bytes();
        let back = Binary::from_bytes(&bytes).expect("an intact binary");
        assert_eq!((back.spirv, back.cache), (binary.spirv, binary.cache));
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 1;
            assert!(Binary::from_bytes(&damaged).is_none(), "byte {i}");
            assert!(Binary::from_bytes(&bytes[..i]).is_none(), "cut at {i}");
        }
    }
}
