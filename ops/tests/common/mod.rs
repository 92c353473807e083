//! What the tests of operators share: the devices found, and random numbers.
#![allow(dead_code)]

use suanzi_backends::Context;

/// The built-in device and the first of each driver. With SUANZI_REQUIRE_DRIVERS=1 a driver that
/// is missing is a failure.
pub fn devices() -> Vec<Context> {
    let required = std::env::var("SUANZI_REQUIRE_DRIVERS").is_ok_and(|v| v == "1");
    let mut found = vec![Context::open("cpu").expect("the built-in device")];
    for name in ["opencl:0", "vulkan:0"] {
        match Context::open(name) {
            Ok(ctx) => found.push(ctx),
            Err(e) if required => panic!("{e}"),
            Err(e) => eprintln!("not run on {name}: {e}"),
        }
    }
    found
}

/// A small generator of its own (splitmix64), so that tests do not rest on what they test.
pub struct Random(u64);

impl Random {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * 2f64.powi(-53)
    }
}
