//! Lowers a legalised kernel to a [`naga::Module`], with no text in between, and from there to
//! SPIR-V (what runs) or WGSL (what people read).
//!
//! # The calling convention
//!
//! - The entry point has the kernel's name and its work-group size.
//! - Everything is bound in group 0. Binding *i* is the *i*-th **buffer** parameter in parameter
//!   order (scalar parameters are skipped): a storage `array<elem>`, read-only or read-write as
//!   declared.
//! - If there are scalar parameters, they lie in one more read-only storage `array<u32>`, at the
//!   binding after the last buffer: in parameter order, one word for a 32-bit kind, two words (low
//!   word first) for a 64-bit kind, with no padding.
//!
//! - In the module (and in WGSL), group *n*, for *n* of 2 or 4, holds further views: binding *i* is
//!   the buffer at binding *i* of group 0, seen as `array<vecn<elem>>`, for aligned accesses. SPIR-V
//!   has all of them in group 0, marked as aliases; whoever binds buffers need not know.
//!
//! [`pack_scalar`] writes that array, [`buffer_bindings`] counts the bindings.
//!
//! # What lives where
//!
//! `lower` walks the statements, `expr` maps the expressions, `place` knows memory (buffers, shared
//! and private arrays, atomics), `frag` the matrix fragments, `types` the types and literals;
//! `spirv` writes SPIR-V and states there what naga cannot: that no float operation may be
//! contracted. What a target lacks is not handled here but in [`crate::legalise`]; [`target`] says
//! what that has to reach.

mod expr;
mod frag;
mod lower;
mod place;
mod spirv;
mod types;

pub use spirv::{FloatControls, to_spirv, to_spirv_with};

use crate::ir::{Fragment, Kernel, ParamKind};
use crate::legalise::Unsupported;
use crate::target::{Soft, Support, Target};
use crate::types::Scalar;

/// What an adapter has beyond the common ground of 32-bit integers and f32.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// 16-bit floats in shaders and in storage buffers, with correctly rounded conversions.
    pub f16: bool,
    /// 16-bit integers in shaders and in storage buffers.
    pub int16: bool,
    /// 64-bit integers in shaders.
    pub int64: bool,
    /// f64 in shaders.
    pub f64: bool,
    /// `fma` rounds once.
    pub fused_fma: bool,
    /// Operations that the adapter was found to do wrongly.
    pub soft: Vec<Soft>,
    /// Subgroup operations in compute shaders.
    pub subgroups: bool,
    /// 64-bit atomics of every operation.
    pub atomic64: bool,
    /// Matrix fragments of the adapter that the emitter can express; see [`can_express`].
    pub fragments: Vec<Fragment>,
}

/// The target of the legaliser for an adapter with these features.
///
/// 16-bit kinds are storage only: arithmetic in f32 (then rounded) gives the same bits as f16
/// arithmetic for every operation of the language, on every driver. f64 needs 64-bit integers too,
/// since its constants and parameters travel as bits.
pub fn target(features: &Features) -> Target {
    let has = |yes: bool, how| if yes { how } else { Support::Missing };
    // naga has no word for the upper half of a product.
    let mut soft = features.soft.clone();
    soft.push(Soft::MulHi);
    let storage = |yes: bool| {
        if yes {
            Support::Storage
        } else {
            Support::Packed
        }
    };
    Target {
        bool: Support::Packed,
        int8: Support::Packed,
        int16: storage(features.int16),
        int64: has(features.int64, Support::Native),
        f16: storage(features.f16),
        bf16: Support::Packed,
        f64: has(features.f64 && features.int64, Support::Native),
        max_lanes: 4,
        fused_fma: features.fused_fma,
        soft,
        subgroups: features.subgroups,
        atomic64: features.atomic64,
        fragments: features.fragments.clone(),
    }
}

/// True for the fragments that naga's cooperative matrices reach: f16 and f32, with 8 or 16 rows
/// and columns.
pub fn can_express(fragment: &Fragment) -> bool {
    frag::matrix_type(fragment).is_ok()
}

/// Lowers a kernel that was legalised for a [`target`] of this module.
///
/// # Errors
/// [`Unsupported`] names the first construct that naga cannot express.
pub fn emit(kernel: &Kernel) -> Result<naga::Module, Unsupported> {
    lower::lower(kernel).map_err(|what| unsupported(kernel, what))
}

/// Validates a module, with every capability that kernels may use.
///
/// # Errors
/// What naga finds wrong; a kernel that was emitted without error should never get one.
pub fn validate(module: &naga::Module) -> Result<naga::valid::ModuleInfo, String> {
    use naga::valid::{Capabilities as C, ValidationFlags, Validator};
    let capabilities = C::FLOAT64
        | C::SHADER_INT64
        | C::SHADER_INT16
        | C::SHADER_FLOAT16
        | C::SUBGROUP
        | C::SHADER_INT64_ATOMIC_ALL_OPS
        | C::COOPERATIVE_MATRIX;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    validator
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all())
        .validate(module)
        .map_err(|e| {
            let mut what = e.as_inner().to_string();
            let mut source = std::error::Error::source(e.as_inner());
            while let Some(cause) = source {
                what = format!("{what}: {cause}");
                source = cause.source();
            }
            what
        })
}

/// The kernel as WGSL, for people to read; naga's own extensions of WGSL included.
///
/// # Errors
/// [`Unsupported`] if the kernel cannot be lowered, or uses what WGSL has no words for.
pub fn to_wgsl(kernel: &Kernel) -> Result<String, Unsupported> {
    let module = emit(kernel)?;
    let info = validate(&module).map_err(|what| unsupported(kernel, what))?;
    naga::back::wgsl::write_string(&module, &info, naga::back::wgsl::WriterFlags::empty())
        .map_err(|e| unsupported(kernel, format!("WGSL has no words for it: {e}")))
}

/// Number of buffers that the kernel's entry point binds, leaving the scalars' array aside.
pub fn buffer_bindings(kernel: &Kernel) -> usize {
    let is_buffer = |kind| matches!(kind, ParamKind::Buffer { .. });
    kernel.params.iter().filter(|p| is_buffer(p.kind)).count()
}

/// Words that a scalar parameter takes in the scalars' array.
pub const fn scalar_words(scalar: Scalar) -> u32 {
    scalar.bytes().div_ceil(4) as u32
}

/// Appends a scalar argument, given by its bits, to the scalars' array.
pub fn pack_scalar(words: &mut Vec<u32>, scalar: Scalar, bits: u64) {
    words.push(bits as u32);
    if scalar_words(scalar) == 2 {
        words.push((bits >> 32) as u32);
    }
}

fn unsupported(kernel: &Kernel, what: String) -> Unsupported {
    Unsupported {
        kernel: kernel.name.clone(),
        what,
    }
}
