//! A stable hash of a kernel: the key of program caches, equal between runs and machines.

use std::hash::{Hash, Hasher};

/// FNV-1a over 128 bits: wide enough that two kernels do not collide, and the same everywhere.
struct Fnv128(u128);

impl Hasher for Fnv128 {
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.0 = (self.0 ^ u128::from(b)).wrapping_mul(0x0000000001000000000000000000013B);
        }
    }

    fn finish(&self) -> u64 {
        self.0 as u64
    }
}

/// Hashes anything to 128 bits.
pub fn stable_hash<T: Hash + ?Sized>(value: &T) -> u128 {
    let mut h = Fnv128(0x6c62272e07bb014262b821756295c58d);
    value.hash(&mut h);
    h.0
}
