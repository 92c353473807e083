//! The built-in device: an asynchronous queue over the interpreter, and errors that name names.

mod common;

use common::{Fake, add_one};
use std::sync::Arc;
use std::time::{Duration, Instant};
use suanzi_backends::{Arg, Context, Device, Error, Memory, Program, Settings, cpu, registry};
use suanzi_codegen::ir::{Access, BinOp, Builtin, Const};
use suanzi_codegen::{Builder, Kernel, Scalar};

fn open() -> Arc<dyn Device> {
    cpu::open().unwrap()
}

fn upload(device: &dyn Device, data: &[i32]) -> Memory {
    let bytes: &[u8] = bytemuck::cast_slice(data);
    let memory = device.alloc(bytes.len() as u64).unwrap();
    device.write(&memory, 0, bytes).unwrap();
    memory
}

fn download(device: &dyn Device, memory: &Memory) -> Vec<i32> {
    let mut data = vec![0; memory.bytes as usize / 4];
    device
        .read(memory, 0, bytemuck::cast_slice_mut(&mut data))
        .unwrap();
    data
}

fn compile(device: &dyn Device, kernel: &Kernel) -> Program {
    device.compile(kernel, None).unwrap().program
}

/// `out[i]` = the sum of `x` over so many turns: takes a while.
fn slow(turns: i64) -> Kernel {
    let mut b = Builder::new("slow", [64, 1, 1]);
    let out = b.buffer("out", Scalar::I32, Access::ReadWrite);
    let i = b.builtin(Builtin::GlobalId(0));
    let zero = b.int(Scalar::I32, 0);
    let one = b.int(Scalar::I32, 1);
    let end = b.int(Scalar::I32, turns);
    let sum = b.var(zero);
    b.for_(zero, end, one, false, |b, n| {
        let old = b.get(sum);
        let new = b.bin(BinOp::Xor, old, n);
        b.set(sum, new);
    });
    let sum = b.get(sum);
    b.store(out, i, sum, false);
    b.finish().unwrap()
}

/// The error's text, with the parts that it must have.
fn says(error: Option<Error>, parts: &[&str]) -> Error {
    let error = error.expect("an error");
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    error
}

#[test]
fn write_launch_copy_read() {
    let device = open();
    let x = upload(&*device, &[1, 2, 3, 4, 5, 6, 7, i32::MAX]);
    let out = upload(&*device, &[0; 8]);
    let program = compile(&*device, &add_one("add_one"));
    let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
    device.launch(&program, [2, 1, 1], &args).unwrap();
    assert_eq!(download(&*device, &out), [2, 3, 4, 5, 6, 7, 8, i32::MIN]);
    device.copy(&out, 4, &x, 20, 12).unwrap();
    device.copy(&x, 0, &x, 16, 4).unwrap();
    assert_eq!(download(&*device, &x), [1, 2, 3, 4, 1, 3, 4, 5]);
    device.launch(&program, [2, 0, 1], &args).unwrap();
    device.sync().unwrap();
}

#[test]
fn a_context_runs_on_it() {
    let context = Context::with_settings(open(), Settings::default());
    let (x, out) = (context.alloc(16).unwrap(), context.alloc(16).unwrap());
    let data = [1i32, 2, 3, 4];
    let device = context.device();
    device
        .write(x.memory(), 0, bytemuck::cast_slice(&data))
        .unwrap();
    let mut build = || Ok(add_one("add_one"));
    let (result, records) = context.trace(|| {
        let program = context.program(1, &mut build)?;
        let args = [Arg::Buffer(x.memory()), Arg::Buffer(out.memory())];
        context.launch("add", &program, [1, 1, 1], &args)
    });
    result.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(download(device, out.memory())[..4], [2, 3, 4, 5]);
}

#[test]
fn recording_does_not_wait_and_writes_copy() {
    let device = open();
    let program = compile(&*device, &slow(300_000));
    let out = upload(&*device, &[0; 64]);
    let other = upload(&*device, &[0; 4]);
    let launch = || device.launch(&program, [1, 1, 1], &[Arg::Buffer(&out)]);
    // One attempt proves it, since a device that waited would fail them all; any one may be
    // spoilt by a machine that gives this thread no time.
    let attempts: Vec<_> = (0..20)
        .map(|n| {
            device.sync().unwrap();
            let start = Instant::now();
            launch().unwrap();
            let mut data = vec![n; 4];
            device
                .write(&other, 0, bytemuck::cast_slice(&data))
                .unwrap();
            data.fill(-1);
            device.submit().unwrap();
            let recorded = start.elapsed();
            device.sync().unwrap();
            assert_eq!(download(&*device, &other), [n; 4]);
            (recorded, start.elapsed())
        })
        .collect();
    assert!(
        attempts
            .iter()
            .any(|(recorded, done)| *recorded * 2 < *done),
        "to record, of the whole: {attempts:?}"
    );
}

#[test]
fn only_the_device_is_timed() {
    let device = open();
    let program = compile(&*device, &slow(300_000));
    let out = upload(&*device, &[0; 64]);
    let rest = Duration::from_millis(100);
    let launches = |count: usize| {
        let time = device.timed(&mut || {
            std::thread::sleep(rest);
            (0..count).try_for_each(|_| device.launch(&program, [1, 1, 1], &[Arg::Buffer(&out)]))
        });
        time.unwrap()
    };
    assert!(launches(0) < rest / 10);
    // As above: the least of several, since a machine may be busy with other things.
    let least = |count| (0..5).map(|_| launches(count)).min().unwrap();
    let (one, four) = (least(1), least(4));
    assert!(one < rest && four > one * 2, "{one:?}, {four:?}");
}

#[test]
fn memory_dropped_before_its_command_ran_is_still_there() {
    let device = open();
    let slow = compile(&*device, &slow(100_000));
    let add = compile(&*device, &add_one("add_one"));
    let out = upload(&*device, &[0; 64]);
    let result = upload(&*device, &[0; 4]);
    device
        .launch(&slow, [1, 1, 1], &[Arg::Buffer(&out)])
        .unwrap();
    let x = upload(&*device, &[1, 2, 3, 4]);
    let args = [Arg::Buffer(&x), Arg::Buffer(&result)];
    device.launch(&add, [1, 1, 1], &args).unwrap();
    drop((x, out, add));
    assert_eq!(download(&*device, &result), [2, 3, 4, 5]);
}

#[test]
fn an_access_out_of_bounds_names_the_kernel_once() {
    let device = open();
    let (x, out) = (upload(&*device, &[0; 6]), upload(&*device, &[0; 8]));
    let program = compile(&*device, &add_one("past_the_end"));
    let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
    device.launch(&program, [2, 1, 1], &args).unwrap();
    let error = says(device.sync().err(), &["cpu", "`past_the_end`", "`x`", "6"]);
    assert!(matches!(error, Error::Kernel { .. }), "{error}");
    assert_eq!(
        error.to_string().matches("past_the_end").count(),
        1,
        "{error}"
    );
    device.sync().unwrap();
    device.launch(&program, [1, 1, 1], &args).unwrap();
    assert_eq!(download(&*device, &out)[..4], [1; 4]);
}

#[test]
fn reading_after_a_failure_reports_it() {
    let device = open();
    let (x, out) = (upload(&*device, &[0; 6]), upload(&*device, &[0; 8]));
    let program = compile(&*device, &add_one("past_the_end"));
    let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
    device.launch(&program, [2, 1, 1], &args).unwrap();
    let mut bytes = [0; 32];
    says(device.read(&out, 0, &mut bytes).err(), &["past_the_end"]);
}

#[test]
fn ranges_are_checked() {
    let device = open();
    let memory = upload(&*device, &[0; 4]);
    let mut bytes = [0; 8];
    for offset in [9, 16, u64::MAX] {
        let parts = ["cpu", "16 bytes", "offset"];
        says(device.write(&memory, offset, &bytes).err(), &parts);
        says(device.read(&memory, offset, &mut bytes).err(), &parts);
        says(device.copy(&memory, offset, &memory, 0, 8).err(), &parts);
        says(device.copy(&memory, 0, &memory, offset, 8).err(), &parts);
    }
    says(device.copy(&memory, 0, &memory, 4, 8).err(), &["overlaps"]);
    device.copy(&memory, 0, &memory, 8, 8).unwrap();
    device.copy(&memory, 4, &memory, 4, 0).unwrap();
    device.sync().unwrap();
}

#[test]
fn arguments_are_checked() {
    let device = open();
    let (x, out) = (upload(&*device, &[0; 4]), upload(&*device, &[0; 4]));
    let program = compile(&*device, &add_one("add_one"));
    let launch = |args: &[Arg<'_>]| device.launch(&program, [1, 1, 1], args).err();
    let one = Arg::Scalar(Const {
        scalar: Scalar::I32,
        bits: 1,
    });
    says(launch(&[Arg::Buffer(&x)]), &["`add_one`", "2", "1"]);
    says(launch(&[Arg::Buffer(&x), one]), &["`out`", "a buffer"]);
    let twice = says(
        launch(&[Arg::Buffer(&x), Arg::Buffer(&x)]),
        &["`x`", "`out`", "another buffer"],
    );
    assert!(matches!(twice, Error::Invalid { .. }));
    let groups = [u32::MAX, 1, 1];
    let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
    says(device.launch(&program, groups, &args).err(), &["split"]);

    let mut b = Builder::new("fill", [4, 1, 1]);
    let out_place = b.buffer("out", Scalar::I32, Access::ReadWrite);
    let value = b.scalar("value", Scalar::I32);
    let i = b.builtin(Builtin::GlobalId(0));
    b.store(out_place, i, value, false);
    let fill = compile(&*device, &b.finish().unwrap());
    let float = Arg::Scalar(Const {
        scalar: Scalar::F32,
        bits: 0,
    });
    for wrong in [float, Arg::Buffer(&x)] {
        let args = [Arg::Buffer(&out), wrong];
        says(
            device.launch(&fill, [1, 1, 1], &args).err(),
            &["`value`", "i32"],
        );
    }
    device
        .launch(&fill, [1, 1, 1], &[Arg::Buffer(&out), one])
        .unwrap();
    assert_eq!(download(&*device, &out), [1; 4]);
}

#[test]
fn handles_of_other_devices_are_refused() {
    let device = open();
    let fake = Fake::new();
    let mine = upload(&*device, &[0; 4]);
    let program = compile(&*device, &add_one("add_one"));
    for other in [fake.alloc(16).unwrap(), open().alloc(16).unwrap()] {
        let parts = ["cpu", "another device"];
        says(device.write(&other, 0, &[0]).err(), &parts);
        says(device.read(&other, 0, &mut [0]).err(), &parts);
        says(device.copy(&mine, 0, &other, 0, 1).err(), &parts);
        let args = [Arg::Buffer(&other), Arg::Buffer(&mine)];
        says(device.launch(&program, [1, 1, 1], &args).err(), &parts);
    }
    let foreign = fake.compile(&add_one("add_one"), None).unwrap().program;
    let launched = device.launch(&foreign, [1, 1, 1], &[]);
    says(launched.err(), &["`add_one`", "another device"]);
}

#[test]
fn kernels_that_do_not_fit_are_refused() {
    let device = open();
    let refused = |kernel: &Kernel| device.compile(kernel, None).err();

    let mut invalid = add_one("invalid");
    invalid.types[0] = Scalar::F64.into();
    let error = says(refused(&invalid), &["`invalid`"]);
    assert!(matches!(error, Error::Verify(_)), "{error}");

    let wide = Builder::new("wide", [2048, 1, 1]).finish().unwrap();
    let error = says(refused(&wide), &["cpu", "`wide`", "2048", "1024"]);
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");

    let mut b = Builder::new("big", [1, 1, 1]);
    b.shared("tile", Scalar::F64, 10_000);
    says(refused(&b.finish().unwrap()), &["`big`", "80000", "65536"]);
}

#[test]
fn memory_is_bounded_and_comes_back() {
    let device = cpu::open_with_memory(1 << 20).unwrap();
    let error = says(device.alloc(2 << 20).err(), &["cpu", "2097152"]);
    assert!(matches!(error, Error::OutOfMemory { .. }));
    for _ in 0..3 {
        let most = device.alloc(600 << 10).unwrap();
        says(device.alloc(600 << 10).err(), &["out of memory"]);
        let rest = device.alloc(400 << 10).unwrap();
        drop((most, rest));
    }
    // More than any machine has.
    let device = cpu::open_with_memory(u64::MAX).unwrap();
    says(device.alloc(u64::MAX / 2).err(), &["out of memory"]);
}

#[test]
fn names_are_resolved() {
    assert_eq!(registry::open("cpu").unwrap().info().id, "cpu");
    assert_eq!(Context::open("cpu:0").unwrap().device().info().id, "cpu");
    for name in ["cpu:1", "cpu:x", "gpu", "", "cpu:0:0", ":", "CPU"] {
        let error = says(registry::open(name).err(), &["cpu", "suanzi devices"]);
        let Error::UnknownDevice { name: n, available } = error else {
            panic!("{name}: {error}");
        };
        assert_eq!(n, name);
        assert!(available.contains("cpu"));
    }
    let found = registry::discover();
    assert!(found.devices.iter().any(|d| d.info().id == "cpu"));
}

#[test]
fn many_threads_share_a_device() {
    let device = open();
    let program = compile(&*device, &add_one("add_one"));
    std::thread::scope(|s| {
        for t in 0..6 {
            let (device, program) = (&*device, &program);
            s.spawn(move || {
                for i in 0..50 {
                    let x = upload(device, &[t, i, 0, -1]);
                    let out = device.alloc(16).unwrap();
                    let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
                    device.launch(program, [1, 1, 1], &args).unwrap();
                    assert_eq!(download(device, &out), [t + 1, i + 1, 1, 0]);
                }
            });
        }
    });
}
