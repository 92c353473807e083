//! Artifacts on disk, by all that they were made from: sources are equal where vendors and widths
//! are not, and then one compilation serves them all.
//!
//! The disk is a convenience: whatever is wrong with it costs a compilation.

use crate::artifact::unsealed;
use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// FNV-1a over 128 bits.
pub fn key(parts: &[&str]) -> u128 {
    let mut hash: u128 = 0x6c62272e07bb014262b821756295c58d;
    for part in parts {
        for &byte in part.as_bytes().iter().chain(&[0xff]) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000000001000000000000000000013B);
        }
    }
    hash
}

/// `suanzi-sim` in the folder of compiled programs: `SUANZI_CACHE_DIR` (empty or `off`: none), else
/// in the user's caches.
fn folder() -> Option<PathBuf> {
    let set = |name| env::var_os(name).map(PathBuf::from);
    let full = |name| set(name).filter(|v| !v.as_os_str().is_empty());
    let programs = match set("SUANZI_CACHE_DIR") {
        Some(dir) if dir.as_os_str().is_empty() || dir.as_os_str() == "off" => return None,
        Some(dir) => dir,
        None => full("XDG_CACHE_HOME")
            .or_else(|| full("HOME").map(|home| home.join(".cache")))?
            .join("suanzi"),
    };
    Some(programs.join("suanzi-sim"))
}

fn file(key: u128) -> Option<PathBuf> {
    Some(folder()?.join(format!("{key:032x}.so")))
}

/// What was kept under a key.
pub fn find(key: u128) -> Option<Vec<u8>> {
    let artifact = fs::read(file(key)?).ok()?;
    unsealed(&artifact).is_some().then_some(artifact)
}

/// Keeps an artifact. The file is moved to its place, so that nobody sees half of one.
pub fn keep(key: u128, artifact: &[u8]) {
    let write = || {
        let file = file(key)?;
        let folder = file.parent()?;
        fs::create_dir_all(folder).ok()?;
        let mut new = tempfile::NamedTempFile::new_in(folder).ok()?;
        new.write_all(artifact).ok()?;
        new.persist(file).ok()
    };
    // A folder that cannot be written costs a compilation, the next time.
    let _ = write();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_parts_apart() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["a"]), key(&["a"]));
    }
}
