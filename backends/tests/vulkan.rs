//! The Vulkan backend on every Vulkan device of this machine, normally lavapipe.
//!
//! Without a device the tests say that they did not run; with `SUANZI_REQUIRE_DRIVERS=1` that is a
//! failure.

#[path = "common/sampling.rs"]
mod sampling;

use sampling::{download, of_width, run, upload};
use std::sync::Arc;
use suanzi_backends::{Arg, Device, Error, registry, vulkan};
use suanzi_codegen::ir::{Access, BinOp, Builtin, Const, Value};
use suanzi_codegen::samples::{SAMPLES, sample};
use suanzi_codegen::{Builder, Kernel, Scalar};

fn devices() -> Vec<Arc<dyn Device>> {
    vulkan::enumerate().unwrap_or_else(|e| {
        let required = std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_some();
        assert!(!required, "{e}");
        println!("did not run: {e}");
        vec![]
    })
}

fn u32_arg(x: u32) -> Arg<'static> {
    Arg::Scalar(Const {
        scalar: Scalar::U32,
        bits: x.into(),
    })
}

/// `x[i] = x[i] * factor + i` for `i < n`.
fn affine() -> Kernel {
    let mut b = Builder::new("affine", [32, 1, 1]);
    let x = b.buffer("x", Scalar::U32, Access::ReadWrite);
    let factor = b.scalar("factor", Scalar::U32);
    let n = b.scalar("n", Scalar::U32);
    let i = b.builtin(Builtin::GlobalId(0));
    let inside = b.bin(BinOp::Lt, i, n);
    b.if_(inside, |b| {
        let v = b.load(x, i, 1, false);
        let v = b.mul(v, factor);
        let v = b.add(v, i);
        b.store(x, i, v, false);
    });
    b.finish().expect("a valid kernel")
}

#[test]
fn samples_give_the_bits_that_the_interpreter_gives() {
    let cpu = registry::open("cpu").expect("the built-in device");
    for d in devices() {
        let mut ran = vec![];
        for s in SAMPLES {
            // What a subgroup computes depends on its width.
            if s.name == "subgroups" {
                continue;
            }
            if let Some(got) = run(&*d, s) {
                let expected = run(&*cpu, s).expect("the interpreter runs everything");
                assert!(got == expected, "{}: {got:?} is not {expected:?}", s.name);
                ran.push(s.name);
            }
        }
        assert!(ran.len() >= SAMPLES.len() - 3, "only {ran:?}");
    }
}

/// What a subgroup computes depends on its width, so the interpreter is told this device's.
#[test]
fn subgroups_give_the_bits_that_the_interpreter_gives() {
    for d in devices() {
        let Some((width, most)) = d.caps().subgroup else {
            continue;
        };
        let s = sample("subgroups").expect("a sample");
        if width != most {
            println!("{}: the width of a subgroup varies", d.info().id);
            continue;
        }
        let expected = of_width(s, width);
        let got = run(&*d, s).expect("subgroups are supported");
        for (got, expected) in got.iter().zip(&expected) {
            assert!(
                got == expected,
                "{}: {got:?} is not {expected:?}",
                d.info().id
            );
        }
    }
}

#[test]
fn commands_run_in_the_order_in_which_they_are_recorded() {
    for d in devices() {
        let d = &*d;
        let program = d.compile(&affine(), None).expect("a program").program;
        let n = 1000u32;
        let x = upload(d, &vec![1u32; n as usize]);
        let mut model = vec![1u32; n as usize];
        // More launches than one submission takes, with writes and copies between them.
        let saved = d.alloc(x.bytes).expect("memory");
        for round in 0..200u32 {
            d.launch(
                &program,
                [n.div_ceil(32), 1, 1],
                &[Arg::Buffer(&x), u32_arg(round | 1), u32_arg(n)],
            )
            .expect("a launch");
            for (i, m) in model.iter_mut().enumerate() {
                *m = m.wrapping_mul(round | 1).wrapping_add(i as u32);
            }
            if round % 7 == 0 {
                let at = (round % n) as usize;
                d.write(&x, at as u64 * 4, &round.to_le_bytes())
                    .expect("a write");
                model[at] = round;
            }
            if round % 11 == 0 {
                d.copy(&x, 0, &saved, 0, x.bytes).expect("a copy");
                d.copy(&saved, 0, &x, 4, x.bytes - 4).expect("a copy");
                model.copy_within(0..n as usize - 1, 1);
            }
        }
        assert_eq!(download::<u32>(d, &x), model, "{}", d.info().name);
    }
}

#[test]
fn transfers_begin_and_end_at_any_byte() {
    for d in devices() {
        let d = &*d;
        const LEN: usize = 301;
        let mut seed = 1u32;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
            (seed >> 8) as usize % below
        };
        let mut models = [vec![7u8; LEN], vec![9u8; LEN]];
        let memories = [upload(d, &models[0]), upload(d, &models[1])];
        for round in 0..150 {
            let bytes = random(if round % 2 == 0 { 9 } else { 120 });
            let (from, to) = (random(LEN - bytes + 1), random(LEN - bytes + 1));
            let (src, dst) = (random(2), random(2));
            match random(3) {
                0 => {
                    let data: Vec<u8> = (0..bytes).map(|_| random(256) as u8).collect();
                    d.write(&memories[dst], to as u64, &data).expect("a write");
                    models[dst][to..to + bytes].copy_from_slice(&data);
                }
                1 => {
                    let overlap = src == dst && from < to + bytes && to < from + bytes;
                    let copied = d.copy(
                        &memories[src],
                        from as u64,
                        &memories[dst],
                        to as u64,
                        bytes as u64,
                    );
                    if overlap {
                        assert!(matches!(copied, Err(Error::Invalid { .. })), "{copied:?}");
                        continue;
                    }
                    copied.expect("a copy");
                    let data = models[src][from..from + bytes].to_vec();
                    models[dst][to..to + bytes].copy_from_slice(&data);
                }
                _ => {
                    let mut data = vec![0; bytes];
                    d.read(&memories[src], from as u64, &mut data)
                        .expect("a read");
                    assert_eq!(data, models[src][from..from + bytes], "round {round}");
                }
            }
        }
        for (memory, model) in memories.iter().zip(&models) {
            assert_eq!(&download::<u8>(d, memory), model);
        }
    }
}

#[test]
fn threads_share_a_device() {
    for d in devices() {
        let program = d.compile(&affine(), None).expect("a program").program;
        std::thread::scope(|scope| {
            for t in 0..4u32 {
                let (d, program) = (&*d, &program);
                scope.spawn(move || {
                    let x = upload(d, &vec![t; 500]);
                    for _ in 0..100 {
                        let args = [Arg::Buffer(&x), u32_arg(1), u32_arg(500)];
                        d.launch(program, [16, 1, 1], &args).expect("a launch");
                    }
                    let expected: Vec<u32> = (0..500).map(|i| t + 100 * i).collect();
                    assert_eq!(download::<u32>(d, &x), expected);
                });
            }
        });
    }
}

#[test]
fn a_large_read_comes_in_pieces() {
    for d in devices() {
        let data: Vec<u32> = (0..9 << 20).collect();
        let memory = upload(&*d, &data);
        let mut back = vec![0u8; data.len() * 4 - 3];
        d.read(&memory, 1, &mut back).expect("a read");
        let bytes: &[u8] = bytemuck::cast_slice(&data);
        assert!(back == bytes[1..bytes.len() - 2]);
    }
}

#[test]
fn floats_are_neither_contracted_nor_reassociated() {
    for d in devices() {
        let mut b = Builder::new("exact", [64, 1, 1]);
        let [x, y] = ["x", "y"].map(|n| b.buffer(n, Scalar::F32, Access::Read));
        let out = b.buffer("out", Scalar::F32, Access::ReadWrite);
        let i = b.builtin(Builtin::GlobalId(0));
        let (x, y) = (b.load(x, i, 1, false), b.load(y, i, 1, false));
        // The error of a sum: zero for whoever believes that floats are numbers.
        let sum = b.add(x, y);
        let part = b.sub(sum, x);
        let error = b.sub(y, part);
        let product = b.mul(x, y);
        let total = b.add(product, error);
        b.store(out, i, total, false);
        let kernel = b.finish().expect("a valid kernel");
        let value = |i: u32| f32::from_bits(0x3f80_0000 + i * 0x4_8765);
        let x: Vec<f32> = (0..64).map(value).collect();
        let y: Vec<f32> = x.iter().rev().map(|v| v * 1e-3).collect();
        let program = d.compile(&kernel, None).expect("a program").program;
        let (mx, my) = (upload(&*d, &x), upload(&*d, &y));
        let out = d.alloc(256).expect("memory");
        let args = [&mx, &my, &out].map(Arg::Buffer);
        d.launch(&program, [1, 1, 1], &args).expect("a launch");
        let expected: Vec<f32> = x
            .iter()
            .zip(&y)
            .map(|(x, y)| x * y + (y - ((x + y) - x)))
            .collect();
        assert_eq!(download::<f32>(&*d, &out), expected);
    }
}

#[test]
fn a_kept_binary_gives_the_same_program_and_a_damaged_one_is_ignored() {
    for d in devices() {
        let kernel = affine();
        let binary = d.compile(&kernel, None).expect("a program").binary;
        let binary = binary.expect("a binary");
        let mut damaged = binary.clone();
        damaged[40] ^= 1;
        for (binary, scratch) in [(&binary, false), (&damaged, true), (&vec![1, 2, 3], true)] {
            let compiled = d.compile(&kernel, Some(binary)).expect("a program");
            assert_eq!(compiled.source.is_some(), scratch);
            let x = upload(&*d, &[1u32, 1, 1]);
            let args = [Arg::Buffer(&x), u32_arg(3), u32_arg(3)];
            d.launch(&compiled.program, [1, 1, 1], &args)
                .expect("a launch");
            assert_eq!(download::<u32>(&*d, &x), [3, 4, 5]);
        }
    }
}

#[test]
fn bad_calls_are_refused_with_a_reason() {
    for d in devices() {
        let d = &*d;
        let caps = d.caps();
        let too_much = d.alloc(caps.max_alloc + 1).err();
        assert!(
            matches!(too_much, Some(Error::OutOfMemory { .. })),
            "{too_much:?}"
        );
        // Allocates without touching it more than there is; all of it comes back.
        for _ in 0..2 {
            let mut taken = vec![];
            let full = loop {
                match d.alloc(caps.max_alloc) {
                    Ok(memory) => taken.push(memory),
                    Err(e) => break e,
                }
            };
            assert!(matches!(full, Error::OutOfMemory { .. }), "{full}");
            assert!(!taken.is_empty());
            drop(taken);
            d.sync().expect("the device is well");
        }
        let x = upload(d, &[0u32; 4]);
        let invalid = |r: Result<(), Error>| {
            let e = r.expect_err("a refusal");
            assert!(matches!(e, Error::Invalid { .. }), "{e}");
        };
        invalid(d.write(&x, 14, &[0; 4]));
        invalid(d.read(&x, u64::MAX, &mut [0; 4]));
        let program = d.compile(&affine(), None).expect("a program").program;
        invalid(d.launch(&program, [1, 1, 1], &[Arg::Buffer(&x)]));
        let args = [Arg::Buffer(&x), u32_arg(1), u32_arg(0)];
        invalid(d.launch(&program, [caps.max_groups[0] + 1, 1, 1], &args));
        d.launch(&program, [0, 1, 1], &args).expect("nothing to do");

        let mut b = Builder::new("wide", [caps.max_workgroup + 1, 1, 1]);
        let out = b.buffer("out", Scalar::U32, Access::ReadWrite);
        let i: Value = b.builtin(Builtin::LocalId(0));
        b.store(out, i, i, false);
        let refused = d.compile(&b.finish().expect("a valid kernel"), None).err();
        assert!(
            matches!(refused, Some(Error::Unsupported { .. })),
            "{refused:?}"
        );
        d.sync().expect("the device is well");
    }
}

#[test]
fn time_is_measured_on_the_device() {
    for d in devices() {
        let d = &*d;
        let program = d.compile(&affine(), None).expect("a program").program;
        let n = 1 << 20;
        let x = upload(d, &vec![1u32; n]);
        let args = [Arg::Buffer(&x), u32_arg(3), u32_arg(n as u32)];
        let time = |launches: u32| {
            d.timed(&mut || {
                (0..launches).try_for_each(|_| d.launch(&program, [n as u32 / 32, 1, 1], &args))
            })
            .expect("a time")
        };
        time(1);
        let (one, many) = (time(1), time(100));
        assert!(many > one * 10, "{one:?} for 1, {many:?} for 100");
    }
}

/// What the validation layer is to look at: run by the test below in a process of its own.
#[test]
fn work_for_the_validation_layer() {
    if std::env::var("SUANZI_VALIDATE").is_err() {
        return;
    }
    commands_run_in_the_order_in_which_they_are_recorded();
    transfers_begin_and_end_at_any_byte();
    time_is_measured_on_the_device();
    for d in devices() {
        for name in [
            "cast_select",
            "half_storage",
            "integers",
            "histogram",
            "subgroups",
        ] {
            let kernel = sample(name).expect("a sample").kernel;
            let kernel = kernel().expect("a valid kernel");
            match d.compile(&kernel, None) {
                Ok(_) | Err(Error::Unsupported { .. }) => {}
                Err(e) => panic!("{e}"),
            }
        }
    }
    for message in vulkan::validation_messages() {
        println!("VALIDATION {message}");
    }
    println!("LISTENED");
}

#[test]
fn the_validation_layer_has_nothing_to_say() {
    let program = std::env::current_exe().expect("this program");
    let run = std::process::Command::new(program)
        .args(["--exact", "work_for_the_validation_layer", "--nocapture"])
        .env("SUANZI_VALIDATE", "1")
        .output()
        .expect("this program runs");
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && text.contains("LISTENED"), "{text}");
    let said: Vec<&str> = text.lines().filter(|l| l.contains("VALIDATION")).collect();
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn what_is_emulated_is_said() {
    for d in devices() {
        let caps = d.caps();
        println!("{:?}\n{caps:#?}", d.info());
        assert!(caps.emulated.iter().any(|e| e.contains("packed")));
        assert!(caps.max_alloc > 0 && caps.memory_bytes >= caps.max_alloc);
    }
}
