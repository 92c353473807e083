//! Random kernels give the same bits on every device as on the interpreter.
//!
//! Without a driver the tests say that they did not run; with `SUANZI_REQUIRE_DRIVERS=1` that is
//! a failure. `PROPTEST_CASES` sets how many kernels each test tries, `PROPTEST_RNG_SEED` which.

#[path = "common/compare.rs"]
mod compare;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::sync::Arc;
use suanzi_backends::{Device, registry};
use suanzi_codegen::emit_c::{self, OPENCL};
use suanzi_codegen::interp::Options;
use suanzi_codegen::legalise;
use suanzi_codegen::testing::{Case, Floats, Spec};

/// The first device of a backend, if there is one; see the head of this file.
fn device(backend: &str) -> Option<Arc<dyn Device>> {
    let required = std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_some_and(|v| v == "1");
    match registry::open(backend) {
        Ok(device) => Some(device),
        Err(error) if required => panic!("SUANZI_REQUIRE_DRIVERS=1, but {error}"),
        Err(error) => {
            eprintln!("NOT RUN: {error}");
            None
        }
    }
}

/// What to look at when a case fails: the kernel as C, since the IR is hard to read.
fn source(case: &Case) -> String {
    let target = OPENCL.target();
    let text = legalise(&case.kernel, &target).and_then(|k| emit_c::emit(&k, &OPENCL, &target));
    text.unwrap_or_else(|error| error.to_string())
}

/// Seeds and sizes of kernels that once failed: an i64 that was an i32, compared with a constant by Mesa 22.3.
const FOUND: &[(u64, u32)] = &[(11714544930148199117, 9)];

/// Runs random kernels on a device and compares.
fn compare(backend: &str, floats: Floats) {
    let Some(device) = device(backend) else {
        return;
    };
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 64,
    };
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let target = &device.caps().target;
    let spec = |(seed, size)| Spec {
        // PoCL keeps what a barrier parts in memory, vectors of bool in a bit a lane; LLVM (14, 15) then
        // reads a single lane as if lanes were bytes.
        lasting_masks: backend != "opencl",
        ..Spec::new(seed, size, floats, target)
    };
    let agrees = |spec: Spec| {
        let fail = |what: String| Err(TestCaseError::fail(what));
        let case = spec
            .case()
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        let expected = match case.interpret(Options::default()) {
            Ok(buffers) => buffers,
            Err(error) => return fail(format!("interpreter: {error}")),
        };
        match compare::run(&*device, &case) {
            Err(error) => fail(format!("{error}\n{}", source(&case))),
            Ok(found) => match case.difference(&expected, &found) {
                Some(what) => fail(format!("{what}\n{}", source(&case))),
                None => Ok(()),
            },
        }
    };
    for &found in FOUND {
        agrees(spec(found)).unwrap_or_else(|error| panic!("{backend}: {error}"));
    }
    let specs = (any::<u64>().no_shrink(), 0u32..50).prop_map(spec);
    if let Err(error) = runner.run(&specs, agrees) {
        panic!("{backend}: {error}");
    }
}

/// Floats may round, be infinite or NaN where the device promises IEEE 754's answers.
fn compare_any(backend: &str) {
    let Some(device) = device(backend) else {
        return;
    };
    let caps = device.caps();
    match caps.exact_division && caps.denormals_f32 {
        true => compare(backend, Floats::Any),
        false => eprintln!("NOT RUN: {backend} does not round as IEEE 754 says"),
    }
}

#[test]
fn opencl_agrees() {
    compare("opencl", Floats::Exact);
}

#[test]
fn opencl_agrees_on_all_floats() {
    compare_any("opencl");
}

#[test]
fn vulkan_agrees() {
    compare("vulkan", Floats::Exact);
}

#[test]
fn vulkan_agrees_on_all_floats() {
    compare_any("vulkan");
}

#[test]
fn cpu_agrees() {
    compare("cpu", Floats::Exact);
}

#[test]
fn cpu_agrees_on_all_floats() {
    compare_any("cpu");
}
