//! SPIR-V: naga's writer, then what it has no way to say.
//!
//! The language promises that nothing is contracted or reassociated unless written as `fma`.
//! Vulkan promises that only for operations decorated `NoContraction`, which naga does not write
//! (Mesa, for one, rewrites `(a + b) - a` into `b` without it). So every float operation is
//! decorated here, and the float controls that the device has are declared.

use super::{emit, unsupported, validate};
use crate::ir::Kernel;
use crate::legalise::Unsupported;
use naga::back::spv as writer;
use spirv::{Capability, Decoration, ExecutionMode, Op};

/// The float controls (`VK_KHR_shader_float_controls`, core in Vulkan 1.2) that a device has, each
/// for floats of 16, 32 and 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FloatControls {
    /// Signed zeros, infinities and NaN are kept.
    pub preserve_special: [bool; 3],
    /// Denormals are kept.
    pub preserve_denormals: [bool; 3],
    /// Conversions and arithmetic round to nearest even.
    pub round_to_even: [bool; 3],
}

/// The kernel as SPIR-V 1.3 for Vulkan 1.1, for a device without float controls.
///
/// # Errors
/// As [`to_spirv_with`].
pub fn to_spirv(kernel: &Kernel) -> Result<Vec<u32>, Unsupported> {
    to_spirv_with(kernel, &FloatControls::default())
}

/// The kernel as SPIR-V 1.3 for Vulkan 1.1, without run-time checks: kernels address memory they
/// were given, their loops end, and what divides was made safe by the legaliser.
///
/// # Errors
/// [`Unsupported`] if the kernel cannot be lowered or written.
pub fn to_spirv_with(kernel: &Kernel, controls: &FloatControls) -> Result<Vec<u32>, Unsupported> {
    let module = emit(kernel)?;
    let info = validate(&module).map_err(|what| unsupported(kernel, what))?;
    let bindings = module
        .global_variables
        .iter()
        .filter_map(|(_, var)| var.binding)
        .map(|b| {
            // The other groups are further views of the buffers in group 0.
            let info = writer::BindingInfo {
                descriptor_set: 0,
                binding: b.binding,
                binding_array_size: None,
            };
            (b, info)
        })
        .collect();
    let unchecked = naga::proc::BoundsCheckPolicy::Unchecked;
    let options = writer::Options {
        lang_version: (1, 3),
        flags: writer::WriterFlags::empty(),
        fake_missing_bindings: false,
        binding_map: bindings,
        bounds_check_policies: naga::proc::BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        zero_initialize_workgroup_memory: writer::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        // Kernels have no inputs and outputs of 16 bits, and few drivers have the capability.
        use_storage_input_output_16: false,
        ..writer::Options::default()
    };
    let words = writer::write_vec(&module, &info, &options, None)
        .map_err(|e| unsupported(kernel, format!("SPIR-V cannot be written: {e}")))?;
    Ok(finish(&words, controls))
}

/// Words before the first instruction.
const HEADER: usize = 5;

/// The instructions of a module: opcode and words, the first of which holds both length and opcode.
fn instructions(words: &[u32]) -> impl Iterator<Item = (u32, &[u32])> {
    let mut rest = words.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let first = *rest.first()?;
        let (this, next) = rest.split_at_checked((first >> 16).max(1) as usize)?;
        rest = next;
        Some((first & 0xffff, this))
    })
}

fn instruction(op: Op, operands: &[u32]) -> Vec<u32> {
    let mut words = vec![(operands.len() as u32 + 1) << 16 | op as u32];
    words.extend(operands);
    words
}

/// Operations whose rounding is part of a kernel's meaning.
const EXACT: &[Op] = &[
    Op::FNegate,
    Op::FAdd,
    Op::FSub,
    Op::FMul,
    Op::FDiv,
    Op::FRem,
    Op::VectorTimesScalar,
    Op::FConvert,
    Op::FOrdEqual,
    Op::FOrdLessThan,
    Op::FOrdLessThanEqual,
    Op::FOrdGreaterThan,
    Op::FOrdGreaterThanEqual,
    Op::ExtInst,
];

/// The order of a module's sections that matters here; what comes later is one more.
fn section(op: u32) -> u8 {
    const BEFORE_ANNOTATIONS: &[(Op, u8)] = &[
        (Op::Capability, 0),
        (Op::Extension, 1),
        (Op::ExtInstImport, 2),
        (Op::MemoryModel, 2),
        (Op::EntryPoint, 2),
        (Op::ExecutionMode, 2),
        (Op::ExecutionModeId, 2),
        (Op::String, 3),
        (Op::SourceExtension, 3),
        (Op::Source, 3),
        (Op::SourceContinued, 3),
        (Op::Name, 3),
        (Op::MemberName, 3),
        (Op::ModuleProcessed, 3),
    ];
    let row = BEFORE_ANNOTATIONS.iter().find(|row| row.0 as u32 == op);
    row.map_or(4, |row| row.1)
}

/// Adds the decorations and the float controls, each at the end of its section.
fn finish(words: &[u32], controls: &FloatControls) -> Vec<u32> {
    // additions[s] goes in front of the first instruction of a section after s.
    let mut additions: [Vec<u32>; 4] = Default::default();
    for (op, inst) in instructions(words) {
        if EXACT.iter().any(|e| *e as u32 == op)
            && let Some(&result) = inst.get(2)
        {
            let decorate = [result, Decoration::NoContraction as u32];
            additions[3].extend(instruction(Op::Decorate, &decorate));
        }
    }
    for variable in aliases(words) {
        let decorate = [variable, Decoration::Aliased as u32];
        additions[3].extend(instruction(Op::Decorate, &decorate));
    }
    float_controls(words, controls, &mut additions);

    let mut out = words[..HEADER.min(words.len())].to_vec();
    let mut done = 0;
    for (op, inst) in instructions(words) {
        while done < usize::from(section(op)) {
            out.append(&mut additions[done]);
            done += 1;
        }
        out.extend(inst);
    }
    out
}

/// The variables that share a binding with another one.
fn aliases(words: &[u32]) -> Vec<u32> {
    let bound: Vec<(u32, u32)> = instructions(words)
        .filter(|(op, _)| *op == Op::Decorate as u32)
        .filter_map(|(_, inst)| match *inst {
            [_, id, kind, binding] if kind == Decoration::Binding as u32 => Some((id, binding)),
            _ => None,
        })
        .collect();
    let shared = |b: &(u32, u32)| bound.iter().filter(|other| other.1 == b.1).count() > 1;
    bound.iter().filter(|b| shared(b)).map(|b| b.0).collect()
}

fn float_controls(words: &[u32], controls: &FloatControls, additions: &mut [Vec<u32>; 4]) {
    let entry =
        |(op, inst): (u32, &[u32])| (op == Op::EntryPoint as u32).then(|| inst.get(2).copied())?;
    let Some(entry) = instructions(words).find_map(entry) else {
        return;
    };
    let table = [
        (
            controls.preserve_special,
            Capability::SignedZeroInfNanPreserve,
            ExecutionMode::SignedZeroInfNanPreserve,
        ),
        (
            controls.preserve_denormals,
            Capability::DenormPreserve,
            ExecutionMode::DenormPreserve,
        ),
        (
            controls.round_to_even,
            Capability::RoundingModeRTE,
            ExecutionMode::RoundingModeRTE,
        ),
    ];
    let declares = |width: u32| {
        instructions(words)
            .any(|(op, inst)| op == Op::TypeFloat as u32 && inst.get(2) == Some(&width))
    };
    let widths: Vec<(usize, u32)> = [16, 32, 64]
        .into_iter()
        .enumerate()
        .filter(|w| declares(w.1))
        .collect();
    for (has, capability, mode) in table {
        let mut any = false;
        for &(i, width) in widths.iter().filter(|w| has[w.0]) {
            let _ = i;
            any = true;
            let operands = [entry, mode as u32, width];
            additions[2].extend(instruction(Op::ExecutionMode, &operands));
        }
        if any {
            additions[0].extend(instruction(Op::Capability, &[capability as u32]));
        }
    }
    if !additions[0].is_empty() {
        let name = c"SPV_KHR_float_controls".to_bytes_with_nul();
        let mut text = name.to_vec();
        text.resize(name.len().next_multiple_of(4), 0);
        let text: Vec<u32> = text
            .chunks_exact(4)
            .map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]))
            .collect();
        additions[1].extend(instruction(Op::Extension, &text));
    }
}
