//! What `emit_naga` makes of the sample kernels: validated, and kept as WGSL where WGSL has the
//! words. Review changes with `cargo insta review`.

use suanzi_codegen::emit_naga::{self, Features, FloatControls};
use suanzi_codegen::ir::{Fragment, Role};
use suanzi_codegen::samples::SAMPLES;
use suanzi_codegen::{Kernel, Scalar, Target, legalise};

/// An adapter that has everything which naga can express.
fn everything() -> Target {
    let fragment = |elem, role| Fragment {
        elem,
        role,
        m: 16,
        n: 16,
        k: 16,
    };
    emit_naga::target(&Features {
        f16: true,
        int16: true,
        int64: true,
        f64: true,
        fused_fma: true,
        soft: vec![],
        subgroups: true,
        atomic64: true,
        fragments: vec![
            fragment(Scalar::F16, Role::A),
            fragment(Scalar::F16, Role::B),
            fragment(Scalar::F32, Role::Accumulator),
        ],
    })
}

/// An adapter with 32-bit integers, f32 and 64-bit integers, and nothing else.
fn little() -> Target {
    emit_naga::target(&Features {
        int64: true,
        ..Features::default()
    })
}

/// The samples that a target can run, legalised for it.
fn samples(target: &Target) -> Vec<Kernel> {
    SAMPLES
        .iter()
        .map(|s| (s.kernel)().unwrap_or_else(|e| panic!("{}: {e}", s.name)))
        .filter_map(|k| legalise(&k, target).ok())
        .collect()
}

#[test]
fn only_what_an_adapter_lacks_is_left_out() {
    assert_eq!(samples(&everything()).len(), SAMPLES.len());
    let names: Vec<String> = samples(&little()).into_iter().map(|k| k.name).collect();
    let missing: Vec<&str> = SAMPLES
        .iter()
        .map(|s| s.name)
        .filter(|name| !names.iter().any(|n| n == name))
        .collect();
    assert_eq!(missing, ["subgroups", "fragments"]);
}

#[test]
fn every_sample_lowers_to_a_valid_module() {
    for target in [everything(), little()] {
        for kernel in samples(&target) {
            let module = emit_naga::emit(&kernel).unwrap_or_else(|e| panic!("{e}"));
            emit_naga::validate(&module).unwrap_or_else(|e| panic!("{}: {e}", kernel.name));
        }
    }
}

#[test]
fn every_sample_is_written_as_spirv() {
    let controls = FloatControls {
        preserve_special: [true; 3],
        preserve_denormals: [true; 3],
        round_to_even: [true; 3],
    };
    for target in [everything(), little()] {
        for kernel in samples(&target) {
            let words =
                emit_naga::to_spirv_with(&kernel, &controls).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(words[0], 0x0723_0203, "{}: magic number", kernel.name);
        }
    }
}

#[test]
fn wgsl_snapshots() {
    for kernel in samples(&everything()) {
        match emit_naga::to_wgsl(&kernel) {
            Ok(text) => insta::assert_snapshot!(kernel.name.clone(), text),
            Err(e) => println!("{e}"),
        }
    }
}
