//! Work that never ends, on a simulated device: one clear error, and the process goes on.

use std::time::{Duration, Instant};
use suanzi_backends::cudalike::simulated;
use suanzi_backends::{Arg, Error, registry};
use suanzi_codegen::ir::{Access, BinOp, Const};
use suanzi_codegen::{Builder, Kernel, Scalar};

/// x[0] changes, `turns` times.
fn counting() -> Kernel {
    let mut b = Builder::new("counting", [1, 1, 1]);
    let x = b.buffer("x", Scalar::U64, Access::ReadWrite);
    let turns = b.scalar("turns", Scalar::U64);
    let (zero, one) = (b.int(Scalar::U64, 0), b.int(Scalar::U64, 1));
    b.for_(zero, turns, one, false, |b, i| {
        // What is added depends on what is there, so that no compiler knows the end.
        let before = b.load(x, zero, 1, true);
        let mixed = b.bin(BinOp::Xor, before, i);
        let after = b.mul(mixed, mixed);
        b.store(x, zero, after, true);
    });
    b.finish().expect("a valid kernel")
}

fn turns(n: u64) -> Arg<'static> {
    Arg::Scalar(Const {
        scalar: Scalar::U64,
        bits: n,
    })
}

#[test]
fn work_that_never_ends_is_an_error_and_other_devices_go_on() {
    // SAFETY: the only test of this process, before it does anything else.
    unsafe { std::env::set_var("SUANZI_TIMEOUT", "1") };
    if let Err(e) = simulated::devices() {
        let required = std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_some();
        assert!(!required, "{e}");
        return println!("did not run: {e}");
    }
    for name in ["sim:cuda", "sim:maca"] {
        let d = registry::open(name).expect("a device");
        let memory = d.alloc(8).expect("memory");
        let compiled = d.compile(&counting(), None).expect("a program");
        let launch = |n| d.launch(&compiled.program, [1; 3], &[Arg::Buffer(&memory), turns(n)]);
        // Work that ends is none of it.
        d.write(&memory, 0, &2u64.to_le_bytes()).expect("a write");
        launch(1000).expect("a launch");
        let mut out = [0; 8];
        d.read(&memory, 0, &mut out).expect("an end");
        let before = out;

        launch(u64::MAX).expect("a launch");
        let start = Instant::now();
        let Err(Error::DeviceLost { what, .. }) = d.read(&memory, 0, &mut out) else {
            panic!("{name}: it never ends");
        };
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(out, before, "nobody writes what was to be read");
        for word in [
            "StreamSynchronize",
            "1 s",
            "SUANZI_TIMEOUT",
            "libsuanzi_sim_shim",
            "start the process again",
        ] {
            assert!(what.contains(word), "{name}: {what}");
        }
        // From now on at once, whatever is asked for; and nothing waits when it is dropped.
        let start = Instant::now();
        assert!(matches!(d.sync(), Err(Error::DeviceLost { .. })));
        assert!(matches!(launch(1), Err(Error::DeviceLost { .. })));
        assert!(matches!(d.alloc(8), Err(Error::DeviceLost { .. })));
        drop((memory, compiled));
        assert!(start.elapsed() < Duration::from_millis(500));
    }
}
