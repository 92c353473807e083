//! The form of artifacts: a shared library behind a checksum, because loading half of one ends the
//! process.

/// A library as an artifact.
pub fn sealed(library: &[u8]) -> Vec<u8> {
    [&sum(library).to_le_bytes(), library].concat()
}

/// The library in an artifact, if it is whole.
pub fn unsealed(artifact: &[u8]) -> Option<&[u8]> {
    let (seal, library) = artifact.split_at_checked(8)?;
    (seal == sum(library).to_le_bytes()).then_some(library)
}

fn sum(library: &[u8]) -> u64 {
    let eights = library.chunks(8);
    eights.fold(library.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e3779b97f4a7c15)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_noticed() {
        let mut artifact = sealed(b"artifact");
        assert_eq!(unsealed(&artifact), Some(&b"artifact"[..]));
        for i in 0..artifact.len() {
            artifact[i] ^= 1;
            assert_eq!(unsealed(&artifact), None);
            artifact[i] ^= 1;
            assert_eq!(unsealed(&artifact[..i]), None);
        }
    }
}
