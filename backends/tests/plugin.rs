//! Devices of a plugin, on the simulator: samples at every subgroup width and random kernels give the
//! interpreter's bits; what this library's device promises holds.

#[path = "common/compare.rs"]
mod compare;

use std::sync::{Arc, Once};
use std::time::Duration;
use suanzi_backends::{Arg, Device, Error, plugin, registry};
use suanzi_codegen::interp::Options;
use suanzi_codegen::ir::{Access, Builtin};
use suanzi_codegen::samples::SAMPLES;
use suanzi_codegen::testing::{Case, Floats, Spec};
use suanzi_codegen::{Builder, Kernel, Scalar};

/// The three devices, of 32, 64 and 128 lanes.
fn devices() -> Vec<Arc<dyn Device>> {
    static ADDED: Once = Once::new();
    ADDED.call_once(|| {
        let test = std::env::current_exe().expect("this test is a file");
        // Cargo builds a dependency's libraries beside the tests.
        plugin::add(&[test.with_file_name("libsuanzi_sim.so")]);
    });
    let found = registry::discover_plugins();
    assert!(found.absent.is_empty(), "{:?}", found.absent);
    let ids: Vec<&str> = found.devices.iter().map(|d| d.info().id.as_str()).collect();
    assert_eq!(ids, ["simulator:0", "simulator:1", "simulator:2"]);
    found.devices
}

/// `out[i] = in[i] + 1`.
fn add_one() -> Kernel {
    let mut b = Builder::new("add_one", [64, 1, 1]);
    let x = b.buffer("x", Scalar::U32, Access::Read);
    let out = b.buffer("out", Scalar::U32, Access::ReadWrite);
    let (id, one) = (b.builtin(Builtin::GlobalId(0)), b.u32(1));
    let v = b.load(x, id, 1, false);
    let v = b.add(v, one);
    b.store(out, id, v, false);
    b.finish().expect("a valid kernel")
}

#[test]
fn samples_agree_with_the_interpreter_at_every_width() {
    for device in devices() {
        let (width, _) = device.caps().subgroup.expect("it has subgroups");
        let mut ran = 0;
        for sample in SAMPLES {
            let case = Case::sample(sample, 1).expect("valid");
            let options = Options {
                subgroup_width: width,
                ..Options::default()
            };
            let expected = case.interpret(options).expect("runs");
            match compare::run(&*device, &case) {
                Ok(found) => {
                    let difference = case.difference(&expected, &found);
                    assert_eq!(difference, None, "{} at {width}", sample.name);
                    ran += 1;
                }
                Err(Error::Unsupported { .. }) => assert_eq!(sample.name, "fragments"),
                Err(error) => panic!("{} at {width}: {error}", sample.name),
            }
        }
        assert_eq!(ran, SAMPLES.len() - 1);
    }
}

#[test]
fn random_kernels_agree_with_the_interpreter() {
    let devices = devices();
    for seed in 0..48u64 {
        let device = &devices[seed as usize % devices.len()];
        let target = &device.caps().target;
        let case = Spec::new(seed * 7919 + 1, 10 + seed as u32 % 40, Floats::Any, target)
            .case()
            .expect("valid");
        let expected = case.interpret(Options::default()).expect("runs");
        let found = compare::run(&**device, &case).expect("runs");
        let difference = case.difference(&expected, &found);
        let source = || device.compile(&case.kernel, None).expect("it did").source;
        let source = || source().map_or(String::new(), |(text, _)| text);
        assert_eq!(difference, None, "seed {seed}:\n{}", source());
    }
}

#[test]
fn memory_and_launches_keep_their_promises() {
    for device in devices() {
        let program = device.compile(&add_one(), None).expect("a program").program;
        let data: Vec<u8> = (0..256u32).flat_map(u32::to_le_bytes).collect();
        let (x, out) = (device.alloc(1024).unwrap(), device.alloc(1024).unwrap());
        device.write(&x, 0, &data).unwrap();
        let args = [Arg::Buffer(&x), Arg::Buffer(&out)];
        let time = device.timed(&mut || {
            let inner = device.timed(&mut || device.launch(&program, [4, 1, 1], &args))?;
            assert!(inner > Duration::ZERO);
            Ok(())
        });
        assert!(time.unwrap() > Duration::ZERO);
        device.copy(&out, 0, &x, 512, 512).unwrap();
        device.launch(&program, [0, 1, 1], &args).unwrap();
        device.submit().unwrap();
        let mut bytes = vec![0; 1024];
        device.read(&x, 0, &mut bytes).unwrap();
        let got: Vec<u32> = bytes
            .chunks(4)
            .map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]))
            .collect();
        let expected: Vec<u32> = (0..128).chain(1..129).collect();
        assert_eq!(got, expected);

        let says = |result: Result<(), Error>| result.unwrap_err().to_string();
        assert!(says(device.write(&x, 1020, &[0; 8])).contains("does not fit"));
        assert!(says(device.launch(&program, [1, 1, 1], &args[..1])).contains("takes 2 arguments"));
        assert!(says(device.launch(&program, [1, 1 << 20, 1], &args)).contains("exceed the limit"));
        let huge = device.alloc(device.caps().max_alloc + 1).map(drop);
        assert!(matches!(huge, Err(Error::OutOfMemory { .. })));
    }
    let devices = devices();
    let foreign = devices[0].alloc(16).unwrap();
    let refused = devices[1].write(&foreign, 0, &[0]).unwrap_err();
    assert!(refused.to_string().contains("another device"), "{refused}");
}
