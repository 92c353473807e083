//! What a plugin's device says of itself, checked and turned into this library's terms.

use crate::caps::{Caps, DeviceKind};
use crate::plugin::load::text;
use suanzi_codegen::emit_c::{Dialect, described};
use suanzi_codegen::target::{Support, Target};
use suanzi_plugin::{Caps as Raw, flags, kind};

/// A device's description.
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its driver's.
    pub driver: String,
    /// What kernels are printed in.
    pub dialect: &'static Dialect,
    /// What it can do.
    pub caps: Caps,
}

/// An empty structure for the plugin to fill in.
pub fn blank() -> Raw {
    Raw {
        size: size_of::<Raw>(),
        name: std::ptr::null(),
        driver: std::ptr::null(),
        dialect: std::ptr::null(),
        memory_bytes: 0,
        max_alloc: 0,
        kind: 0,
        flags: 0,
        compute_units: 0,
        max_workgroup: 0,
        max_groups: [0; 3],
        shared_bytes: 0,
        subgroup_min: 0,
        subgroup_max: 0,
    }
}

/// Believes what can be.
///
/// # Safety
/// Texts are null, or end with 0.
///
/// # Errors
/// What cannot be, in words that follow "device 0".
pub unsafe fn read(raw: &Raw) -> Result<Described, String> {
    // SAFETY: the caller's promise.
    let (name, driver, dialect) = unsafe {
        (
            text(raw.name, "name")?,
            text(raw.driver, "driver")?,
            text(raw.dialect, "dialect")?,
        )
    };
    let dialect = described(&dialect).map_err(|e| format!("has a dialect that cannot be: {e}"))?;
    possible(raw)?;
    let has = |flag: u32| raw.flags & flag != 0;
    let most = dialect.target();
    let there = raw.subgroup_max > 0;
    let subgroup =
        (there && !dialect.subgroups.is_empty()).then_some((raw.subgroup_min, raw.subgroup_max));
    let native = |yes, otherwise| if yes { Support::Native } else { otherwise };
    let target = Target {
        f16: native(has(flags::F16) && dialect.native_f16, dialect.f16),
        f64: native(has(flags::F64), Support::Missing),
        fused_fma: has(flags::FMA),
        subgroups: subgroup.is_some(),
        atomic64: has(flags::ATOMIC64),
        fragments: match has(flags::FRAGMENTS) {
            true => most.fragments.clone(),
            false => vec![],
        },
        ..most
    };
    let mut emulated = vec![];
    for (missing, what) in [
        (target.f16 != Support::Native, "f16 arithmetic through f32"),
        (
            target.bf16 != Support::Native,
            "bf16 arithmetic through f32",
        ),
        (!target.fused_fma, "fma in software"),
    ] {
        if missing {
            emulated.push(what.to_string());
        }
    }
    let caps = Caps {
        kind: match raw.kind {
            kind::CPU => DeviceKind::Cpu,
            _ => DeviceKind::Gpu,
        },
        target,
        compute_units: raw.compute_units,
        max_workgroup: raw.max_workgroup,
        max_groups: raw.max_groups,
        shared_bytes: raw.shared_bytes,
        memory_bytes: raw.memory_bytes,
        max_alloc: raw.max_alloc,
        vector_bytes: 16,
        subgroup,
        host: has(flags::HOST),
        denormals_f32: has(flags::DENORMALS),
        exact_division: has(flags::EXACT_DIVISION),
        emulated,
    };
    Ok(Described {
        name,
        driver,
        dialect,
        caps,
    })
}

fn possible(raw: &Raw) -> Result<(), String> {
    let Raw {
        memory_bytes,
        max_alloc,
        max_groups,
        max_workgroup,
        subgroup_min: least,
        subgroup_max: most,
        ..
    } = *raw;
    let width = |w: u32| w.is_power_of_two() && w <= 1024;
    let rules = [
        (
            raw.size == size_of::<Raw>(),
            format!("a structure of {} bytes", raw.size),
        ),
        (raw.kind <= kind::CPU, format!("kind {}", raw.kind)),
        (
            raw.flags & !flags::KNOWN == 0,
            format!("flags {:#x}", raw.flags),
        ),
        (memory_bytes > 0, "no memory".into()),
        (
            (1..=memory_bytes).contains(&max_alloc),
            format!("allocations of at most {max_alloc} of {memory_bytes} bytes of memory"),
        ),
        (raw.compute_units > 0, "no compute units".into()),
        (
            (1..=1 << 16).contains(&max_workgroup),
            format!("work-groups of at most {max_workgroup} work-items"),
        ),
        (
            !max_groups.contains(&0),
            format!("at most {max_groups:?} work-groups"),
        ),
        (
            (least, most) == (0, 0) || width(least) && width(most) && least <= most,
            format!("subgroups of {least} to {most} lanes"),
        ),
    ];
    match rules.into_iter().find(|rule| !rule.0) {
        None => Ok(()),
        Some((_, what)) => Err(format!("has caps that cannot be: {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Raw {
        Raw {
            name: c"Chip".as_ptr(),
            driver: c"chip 1.0".as_ptr(),
            dialect: c"cuda".as_ptr(),
            memory_bytes: 1 << 30,
            max_alloc: 1 << 28,
            compute_units: 4,
            max_workgroup: 256,
            max_groups: [1 << 31, 1 << 16, 1 << 16],
            subgroup_min: 32,
            subgroup_max: 32,
            ..blank()
        }
    }

    fn refused(change: impl FnOnce(&mut Raw)) -> String {
        let mut raw = good();
        change(&mut raw);
        // SAFETY: the texts are constants.
        unsafe { read(&raw) }.err().expect("impossible caps")
    }

    #[test]
    fn what_can_be_is_believed() {
        // SAFETY: the texts are constants.
        let device = unsafe { read(&good()) }.unwrap();
        assert_eq!(
            (device.name.as_str(), device.dialect.name),
            ("Chip", "cuda")
        );
        assert_eq!(device.caps.subgroup, Some((32, 32)));
        let target = &device.caps.target;
        assert!(target.subgroups && !target.fused_fma && target.fragments.is_empty());
        assert_eq!(target.f64, Support::Missing);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(refused(|c| c.name = std::ptr::null()).contains("no name: null"));
        assert!(refused(|c| c.driver = c"".as_ptr()).contains("no driver: it is empty"));
        assert!(refused(|c| c.name = c"\xff".as_ptr()).contains("not UTF-8"));
        assert!(refused(|c| c.dialect = c"ptx".as_ptr()).contains("no dialect `ptx`"));
        assert!(refused(|c| c.dialect = c"base = 1".as_ptr()).contains("`base` must be text"));
        assert!(refused(|c| c.max_workgroup = 0).contains("at most 0 work-items"));
        assert!(refused(|c| c.max_alloc = 1 << 31).contains("bytes of memory"));
        assert!(refused(|c| c.subgroup_max = 48).contains("32 to 48 lanes"));
        assert!(refused(|c| c.subgroup_min = 64).contains("64 to 32 lanes"));
        assert!(refused(|c| c.max_groups[1] = 0).contains("work-groups"));
        assert!(refused(|c| c.kind = 7).contains("kind 7"));
        assert!(refused(|c| c.flags = 1 << 20).contains("flags 0x100000"));
        assert!(refused(|c| c.size = 8).contains("8 bytes"));
    }
}
