//! The OpenCL backend against real drivers: whatever OpenCL device there is, normally PoCL.
//!
//! Without a device the tests say that they did not run; with `SUANZI_REQUIRE_DRIVERS=1` that is
//! a failure.

mod common;
#[path = "common/compare.rs"]
mod compare;

use common::add_one;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use suanzi_backends::opencl::{self, OpenCl};
use suanzi_backends::{Arg, Device, Error, Memory, Program};
use suanzi_codegen::interp::Options;
use suanzi_codegen::ir::{Access, Builtin, Const};
use suanzi_codegen::samples::SAMPLES;
use suanzi_codegen::testing::Case;
use suanzi_codegen::{Builder, Kernel, Scalar};

/// The first OpenCL device, if there is one; see the head of this file.
fn device() -> Option<OpenCl> {
    match opencl::devices() {
        Ok(devices) => devices.into_iter().next(),
        Err(error) if std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_some_and(|v| v == "1") => {
            panic!("SUANZI_REQUIRE_DRIVERS=1, but {error}")
        }
        Err(error) => {
            eprintln!("NOT RUN: {error}");
            None
        }
    }
}

fn upload(device: &OpenCl, data: &[i32]) -> Memory {
    let memory = device.alloc(data.len() as u64 * 4).expect("memory");
    let bytes = bytemuck::cast_slice(data);
    device.write(&memory, 0, bytes).expect("a write");
    memory
}

fn download(device: &OpenCl, memory: &Memory) -> Vec<i32> {
    let mut out = vec![0; memory.bytes as usize / 4];
    let bytes = bytemuck::cast_slice_mut(&mut out);
    device.read(memory, 0, bytes).expect("a read");
    out
}

fn compile(device: &OpenCl, kernel: &Kernel) -> Program {
    let compiled = device.compile(kernel, None).expect("a program");
    compiled.program
}

/// `out[i] = x[i] * factor`.
fn scale() -> Kernel {
    let mut b = Builder::new("scale", [4, 1, 1]);
    let x = b.buffer("x", Scalar::I32, Access::Read);
    let factor = b.scalar("factor", Scalar::I32);
    let out = b.buffer("out", Scalar::I32, Access::ReadWrite);
    let i = b.builtin(Builtin::GlobalId(0));
    let value = b.load(x, i, 1, false);
    let product = b.mul(value, factor);
    b.store(out, i, product, false);
    b.finish().expect("a valid kernel")
}

fn i32_arg(value: i32) -> Arg<'static> {
    Arg::Scalar(Const {
        scalar: Scalar::I32,
        bits: u64::from(value as u32),
    })
}

/// A kernel with a work-group and a shared array of the given sizes, to be refused.
fn large(workgroup: [u32; 3], shared: u32) -> Kernel {
    let mut b = Builder::new("large", workgroup);
    let out = b.buffer("out", Scalar::I32, Access::ReadWrite);
    let zero = b.u32(0);
    let mut value = b.int(Scalar::I32, 7);
    if shared > 0 {
        let array = b.shared("array", Scalar::I32, shared);
        b.store(array, zero, value, false);
        value = b.load(array, zero, 1, false);
    }
    b.store(out, zero, value, false);
    b.finish().expect("a valid kernel")
}

#[test]
fn says_who_it_is() {
    let Some(device) = device() else { return };
    let (info, caps) = (device.info(), device.caps());
    assert_eq!((info.id.as_str(), info.backend), ("opencl:0", "opencl"));
    assert!(!info.name.is_empty() && !info.name.contains('\0'));
    assert_eq!(info.driver.split(", ").count(), 3, "{}", info.driver);
    assert!(caps.compute_units > 0 && caps.max_workgroup > 0 && caps.shared_bytes >= 1024);
    assert!(caps.max_alloc <= caps.memory_bytes && caps.max_alloc > 1 << 20);
    let f16 = caps.target.f16 == suanzi_codegen::target::Support::Native;
    assert_eq!(f16, !caps.emulated.iter().any(|e| e.starts_with("f16")));
    assert_eq!(caps.target.subgroups, caps.subgroup.is_some());
}

#[test]
fn numbers_devices() {
    let Some(_) = device() else { return };
    let count = opencl::devices().expect("devices").len();
    assert!(opencl::device(count - 1).expect("a device").is_some());
    assert!(opencl::device(count).expect("no error").is_none());
}

#[test]
fn memory_round_trips() {
    let Some(device) = device() else { return };
    let memory = upload(&device, &[1, 2, 3, 4, 5, 6]);
    device.write(&memory, 8, &[9, 0, 0, 0]).expect("a write");
    device.copy(&memory, 0, &memory, 16, 8).expect("a copy");
    assert_eq!(download(&device, &memory), [1, 2, 9, 4, 1, 2]);
    let other = device.alloc(8).expect("memory");
    device.copy(&memory, 8, &other, 4, 4).expect("a copy");
    device.copy(&memory, 0, &other, 0, 0).expect("no copy");
    device.write(&other, 0, &[5, 0, 0, 0]).expect("a write");
    device.write(&other, 8, &[]).expect("no write");
    assert_eq!(download(&device, &other), [5, 9]);
    device.read(&other, 8, &mut []).expect("no read");
}

#[test]
fn ranges_are_checked() {
    let Some(device) = device() else { return };
    let memory = device.alloc(16).expect("memory");
    let past = [
        device.write(&memory, 13, &[0; 4]),
        device.write(&memory, u64::MAX, &[0; 4]),
        device.read(&memory, 16, &mut [0]),
        device.copy(&memory, 0, &memory, 12, 8),
        device.copy(&memory, 0, &memory, 4, 8),
    ];
    for result in past {
        assert!(matches!(result, Err(Error::Invalid { .. })), "{result:?}");
    }
}

#[test]
fn launches_in_order() {
    let Some(device) = device() else { return };
    let program = compile(&device, &add_one("add_one"));
    let mut from = upload(&device, &[10, 20, 30, 40, 50, 60, 70, 80]);
    let mut to = device.alloc(from.bytes).expect("memory");
    for _ in 0..101 {
        let args = [Arg::Buffer(&from), Arg::Buffer(&to)];
        device.launch(&program, [2, 1, 1], &args).expect("a launch");
        std::mem::swap(&mut from, &mut to);
    }
    device.submit().expect("submitted");
    assert_eq!(
        download(&device, &from),
        [111, 121, 131, 141, 151, 161, 171, 181]
    );
}

#[test]
fn arguments_follow_every_change() {
    let Some(device) = device() else { return };
    let program = compile(&device, &scale());
    let x = upload(&device, &[1, 2, 3, 4]);
    for factor in [3, 3, -5, 0, 3] {
        // A new buffer each time: its handle may be one that was released.
        let out = device.alloc(16).expect("memory");
        let args = [Arg::Buffer(&x), i32_arg(factor), Arg::Buffer(&out)];
        device.launch(&program, [1, 1, 1], &args).expect("a launch");
        let expected = [factor, 2 * factor, 3 * factor, 4 * factor];
        assert_eq!(download(&device, &out), expected);
    }
}

#[test]
fn data_is_copied_before_a_write_returns() {
    let Some(device) = device() else { return };
    let memory = device.alloc(4 << 20).expect("memory");
    let mut data = vec![0u8; 1 << 20];
    // More than may be pending, so that the writer must wait for the device now and then.
    for round in 0..100u8 {
        data.fill(round);
        let offset = u64::from(round % 4) << 20;
        device.write(&memory, offset, &data).expect("a write");
    }
    data.fill(255);
    let mut out = vec![0; 4 << 20];
    device.read(&memory, 0, &mut out).expect("a read");
    for (part, value) in out.chunks(1 << 20).zip([96, 97, 98, 99]) {
        assert!(part.iter().all(|&b| b == value));
    }
}

#[test]
fn memory_may_be_dropped_before_the_device_is_done() {
    let Some(device) = device() else { return };
    let program = compile(&device, &add_one("add_one"));
    let data = vec![1; 1 << 16];
    let kept = upload(&device, &data);
    for _ in 0..20 {
        let (x, out) = (
            upload(&device, &data),
            device.alloc(4 << 16).expect("memory"),
        );
        let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
        device
            .launch(&program, [1 << 14, 1, 1], &args)
            .expect("a launch");
        device.copy(&out, 0, &kept, 0, 4 << 16).expect("a copy");
    }
    drop(program);
    assert!(download(&device, &kept).iter().all(|&v| v == 2));
    // And it outlives the device's own handle.
    drop(device);
    drop(kept);
}

#[test]
fn nothing_to_do_is_nothing() {
    let Some(device) = device() else { return };
    let program = compile(&device, &add_one("add_one"));
    let (x, out) = (upload(&device, &[1; 4]), upload(&device, &[7; 4]));
    let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
    device
        .launch(&program, [0, 1, 1], &args)
        .expect("no launch");
    device
        .launch(&program, [1, 1, 0], &args)
        .expect("no launch");
    assert_eq!(download(&device, &out), [7; 4]);
}

#[test]
fn wrong_arguments_are_refused() {
    let Some(device) = device() else { return };
    let program = compile(&device, &scale());
    let (x, out) = (upload(&device, &[1; 4]), upload(&device, &[7; 4]));
    let (bx, bout) = (Arg::Buffer(&x), Arg::Buffer(&out));
    let float = Arg::Scalar(Const {
        scalar: Scalar::F32,
        bits: 0,
    });
    let wrong: [&[Arg<'_>]; 6] = [
        &[],
        &[bx, i32_arg(2)],
        &[bx, i32_arg(2), bout, bout],
        &[bx, bx, bout],
        &[bx, float, bout],
        &[bx, i32_arg(2), bx],
    ];
    for args in wrong {
        let result = device.launch(&program, [1, 1, 1], args);
        assert!(matches!(result, Err(Error::Invalid { .. })), "{result:?}");
    }
    assert_eq!(download(&device, &out), [7; 4]);
}

#[test]
fn what_is_foreign_is_refused() {
    let Some(device) = device() else { return };
    let other = opencl::device(0).expect("a device").expect("a device");
    let theirs = upload(&other, &[1; 4]);
    let unknown = Memory::new(16, "another backend's");
    let (ours, program) = (upload(&device, &[2; 4]), compile(&device, &add_one("f")));
    let mut bytes = [0; 4];
    for foreign in [&theirs, &unknown] {
        let results = [
            device.write(foreign, 0, &[0; 4]),
            device.read(foreign, 0, &mut bytes),
            device.copy(foreign, 0, &ours, 0, 4),
            device.copy(&ours, 0, foreign, 0, 4),
            device.launch(
                &program,
                [1, 1, 1],
                &[Arg::Buffer(foreign), Arg::Buffer(&ours)],
            ),
        ];
        for result in results {
            let text = result.expect_err("refused").to_string();
            assert!(text.contains("another device"), "{text}");
        }
    }
    let theirs = compile(&other, &add_one("f"));
    let out = upload(&device, &[0; 4]);
    let args = [Arg::Buffer(&ours), Arg::Buffer(&out)];
    let result = device.launch(&theirs, [1, 1, 1], &args);
    assert!(matches!(result, Err(Error::Invalid { .. })), "{result:?}");
}

#[test]
fn too_much_memory_is_refused() {
    let Some(device) = device() else { return };
    for bytes in [device.caps().max_alloc + 1, u64::MAX] {
        match device.alloc(bytes) {
            Err(Error::OutOfMemory { bytes: asked, .. }) => assert_eq!(asked, bytes),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{bytes} bytes were allocated"),
        }
    }
}

#[test]
fn exhausted_memory_is_an_error_of_the_allocation() {
    let Some(device) = device() else { return };
    let (total, most) = (device.caps().memory_bytes, device.caps().max_alloc);
    let mut held = vec![];
    let error = loop {
        match device.alloc(most) {
            Ok(memory) => held.push(memory),
            Err(error) => break error,
        }
        assert!(
            held.len() as u64 <= total / most,
            "more memory than there is"
        );
    };
    assert!(matches!(error, Error::OutOfMemory { bytes, .. } if bytes == most));
    held.clear();
    device.sync().expect("the device still works");
    let memory = upload(&device, &[1, 2]);
    assert_eq!(download(&device, &memory), [1, 2]);
}

#[test]
fn limits_are_refused_before_the_driver() {
    let Some(device) = device() else { return };
    let (group, shared) = (device.caps().max_workgroup, device.caps().shared_bytes);
    for kernel in [
        large([group + 1, 1, 1], 0),
        large([1, 1, u32::MAX / 2], 0),
        large([1, 1, 1], shared / 4 + 1),
    ] {
        let result = device.compile(&kernel, None).map(drop);
        let error = result.expect_err("refused");
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("large"), "{error}");
    }
    let kernel = large([1, 1, 1], shared / 4);
    let program = compile(&device, &kernel);
    let out = device.alloc(4).expect("memory");
    let args = [Arg::Buffer(&out)];
    device.launch(&program, [1, 1, 1], &args).expect("a launch");
    assert_eq!(download(&device, &out), [7]);
}

#[test]
fn the_drivers_log_is_in_the_error() {
    let Some(device) = device() else { return };
    let kernel = add_one("broken");
    let broken = "__kernel void broken(__global int *x, __global int *out) { out[0] = nobody; }";
    let result = device.compile_source(&kernel, broken.into(), None);
    match result.map(drop) {
        Err(Error::Compile { kernel, log, .. }) => {
            assert_eq!(kernel, "broken");
            assert!(log.contains("nobody"), "{log}");
        }
        other => panic!("{other:?}"),
    }
    // Text that compiles but is not this kernel.
    for other in [
        "__kernel void another(__global int *x, __global int *out) {}",
        "__kernel void broken(__global int *x) {}",
    ] {
        let result = device.compile_source(&kernel, other.into(), None).map(drop);
        assert!(matches!(result, Err(Error::Compile { .. })), "{result:?}");
    }
}

#[test]
fn binaries_are_used_or_ignored() {
    let Some(device) = device() else { return };
    let device = device.with_binaries(true);
    let kernel = add_one("add_one");
    let first = device.compile(&kernel, None).expect("a program");
    let binary = first.binary.expect("a binary");
    let check = |program: &Program| {
        let (x, out) = (upload(&device, &[1; 4]), upload(&device, &[7; 4]));
        let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
        device.launch(program, [1, 1, 1], &args).expect("a launch");
        assert_eq!(download(&device, &out), [2; 4]);
    };
    check(&first.program);
    let again = device.compile(&kernel, Some(&binary));
    let again = again.expect("a program");
    check(&again.program);
    assert!(again.binary.as_ref() == Some(&binary));

    let another = device.compile(&scale(), None).expect("a program").binary;
    let mut bent = binary.clone();
    bent[binary.len() / 2] ^= 1;
    let damaged: [&[u8]; 5] = [
        b"",
        b"damaged",
        &binary[..binary.len() / 2],
        &bent,
        &another.expect("a binary"),
    ];
    for damaged in damaged {
        let compiled = device.compile(&kernel, Some(damaged)).expect("a program");
        check(&compiled.program);
        assert!(compiled.binary.is_some_and(|b| b.len() > 100));
    }
}

#[test]
fn sources_are_handed_out() {
    let Some(device) = device() else { return };
    let compiled = device
        .compile(&add_one("add_one"), None)
        .expect("a program");
    let (text, extension) = compiled.source.expect("text");
    assert_eq!(extension, "cl");
    assert!(text.contains("add_one"), "{text}");
}

#[test]
fn threads_share_a_device_and_a_program() {
    let Some(device) = device() else { return };
    let device = Arc::new(device);
    let program = compile(&device, &scale());
    thread::scope(|scope| {
        for t in 1..=4 {
            let (device, program) = (&device, &program);
            scope.spawn(move || {
                let x = upload(device, &[t; 4]);
                let out = device.alloc(16).expect("memory");
                for factor in 0..200 {
                    let args = [Arg::Buffer(&x), i32_arg(factor), Arg::Buffer(&out)];
                    device.launch(program, [1, 1, 1], &args).expect("a launch");
                    if factor % 10 == 9 {
                        assert_eq!(download(device, &out), [t * factor; 4]);
                    }
                }
            });
        }
    });
}

#[test]
fn time_is_measured() {
    let Some(device) = device() else { return };
    let program = compile(&device, &add_one("add_one"));
    let data = vec![1; 1 << 20];
    let (x, out) = (
        upload(&device, &data),
        device.alloc(4 << 20).expect("memory"),
    );
    let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
    let launch = || device.launch(&program, [1 << 18, 1, 1], &args);
    launch().expect("a launch");
    let started = Instant::now();
    let mut runs = 0;
    let five = device.timed(&mut || {
        runs += 1;
        // Nested measurements are separate.
        let one = device.timed(&mut || launch())?;
        assert!(one > Duration::ZERO);
        (1..5).try_for_each(|_| launch())
    });
    let (five, wall) = (five.expect("a time"), started.elapsed());
    assert_eq!(runs, 1);
    assert!(five > Duration::ZERO && five < wall, "{five:?} of {wall:?}");
    let nothing = device.timed(&mut || Ok(())).expect("a time");
    assert_eq!(nothing, Duration::ZERO);
    let refused = device.timed(&mut || device.launch(&program, [1, 1, 1], &[]));
    assert!(matches!(refused, Err(Error::Invalid { .. })));
    launch().expect("the device still works");
    assert!(download(&device, &out).iter().all(|&v| v == 2));
}

#[test]
fn samples_agree_with_the_interpreter() {
    let Some(device) = device() else { return };
    let caps = device.caps();
    let mut ran = vec![];
    for sample in SAMPLES {
        let case = Case::sample(sample, 1).expect("valid");
        let options = Options {
            subgroup_width: caps.subgroup.map_or(1, |(least, _)| least),
            ..Options::default()
        };
        let expected = case.interpret(options).expect("runs");
        match compare::run(&device, &case) {
            Ok(found) => {
                let difference = case.difference(&expected, &found);
                assert_eq!(difference, None, "{}", sample.name);
                ran.push(sample.name);
            }
            Err(Error::Unsupported { source, .. }) => {
                let lacks = match sample.name {
                    "subgroups" => caps.subgroup.is_none_or(|(least, most)| least != most),
                    "fragments" => caps.target.fragments.is_empty(),
                    _ => false,
                };
                assert!(lacks, "{source}");
            }
            Err(error) => panic!("{}: {error}", sample.name),
        }
    }
    assert!(ran.len() >= SAMPLES.len() - 2, "only {ran:?}");
}
