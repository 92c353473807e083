//! Binaries of drivers, behind a checksum of them and of all that they were made from: drivers do
//! not check what they are given, and some end the process over a damaged one.

use suanzi_codegen::hash::stable_hash;

/// Bytes before the driver's own in a binary.
const SEAL: usize = size_of::<u128>();

/// A driver's binary behind its seal; `origin` stands for everything that it depends on.
pub fn sealed(binary: &[u8], origin: u128) -> Vec<u8> {
    let sum = stable_hash(&(origin, binary));
    [&sum.to_le_bytes(), binary].concat()
}

/// The driver's part of a binary, if the seal fits.
pub fn unsealed(bytes: &[u8], origin: u128) -> Option<&[u8]> {
    let (sum, binary) = bytes.split_at_checked(SEAL)?;
    (sum == stable_hash(&(origin, binary)).to_le_bytes()).then_some(binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_hold() {
        let whole = sealed(b"binary", 5);
        assert_eq!(unsealed(&whole, 5), Some(b"binary".as_slice()));
        assert_eq!(unsealed(&whole, 6), None);
        for cut in 0..whole.len() {
            assert_eq!(unsealed(&whole[..cut], 5), None);
            let mut bent = whole.clone();
            bent[cut] ^= 1;
            assert_eq!(unsealed(&bent, 5), None);
        }
    }
}
