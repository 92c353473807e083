//! Tiles that this library ships: what `suanzi tune` found on a device of each class. They are taken where nothing was
//! tuned on the device itself, and a rule ([`Tiles::choose`]) where there is nothing here either.

use super::super::Machine;
use super::tiles::Tiles;
use super::tuned::Class;
use std::sync::LazyLock;
use suanzi_backends::DeviceKind;
use suanzi_codegen::Scalar;

/// Classes of devices, and of each the winners by class of shapes, as `suanzi tune` prints both. A row is for what is
/// faster than the rule by more than a machine's noise, measured on a device of that class; none has been found so far.
const TABLES: &[(&str, &[(&str, &str)])] = &[];

/// The class of a device: its kind, and on a CPU the bytes of its vector registers.
fn class(machine: Machine) -> &'static str {
    match (machine.kind, machine.vector_bytes) {
        (DeviceKind::Cpu, 64..) => "cpu 64",
        (DeviceKind::Cpu, 32..) => "cpu 32",
        (DeviceKind::Cpu, _) => "cpu 16",
        (DeviceKind::Gpu, _) => "gpu",
        (DeviceKind::Interpreter, _) => "interpreter",
    }
}

static PARSED: LazyLock<Vec<(&str, Class, Tiles)>> = LazyLock::new(|| {
    let rows = TABLES
        .iter()
        .flat_map(|(device, rows)| rows.iter().map(move |row| (*device, row)));
    rows.filter_map(|(device, (class, tiles))| {
        let class = Class::all().find(|c| c.to_string() == *class)?;
        Some((device, class, tiles.parse().ok()?))
    })
    .collect()
});

impl Tiles {
    /// What is taken where nothing was tuned: what ships for the device's class, or what the rule says.
    pub(crate) fn usual(machine: Machine, kind: Scalar, m: usize, n: usize) -> Tiles {
        let (device, class) = (class(machine), Class::of(kind, m, n));
        let shipped = PARSED.iter().find(|row| (row.0, row.1) == (device, class));
        let fits = |t: &Tiles| t.fits(machine, kind) && t.within(m, n);
        match shipped.map(|row| row.2).filter(fits) {
            Some(tiles) => tiles,
            None => Tiles::choose(machine, kind, m, n),
        }
    }
}

/// Every configuration for sums of a kind that is taken on some device without tuning.
pub fn all(kind: Scalar) -> Vec<Tiles> {
    let kinds = [DeviceKind::Cpu, DeviceKind::Gpu, DeviceKind::Interpreter].map(Machine::usual);
    let machines = kinds.into_iter().flat_map(|machine| {
        [(16, 64), (16, 1024), (32, 1024), (64, 1024)].map(|(vector_bytes, max_workgroup)| {
            Machine {
                vector_bytes,
                max_workgroup,
                ..machine
            }
        })
    });
    let mut all = vec![];
    for machine in machines {
        let sides = || (0..=10).flat_map(|e| [1 << e, 3 << e]);
        for (m, n) in sides().flat_map(|m| sides().map(move |n| (m, n))) {
            for n in [n, n + 1] {
                let found = Tiles::usual(machine, kind, m, n);
                if !all.contains(&found) {
                    all.push(found);
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_can_be_taken() {
        let rows: usize = TABLES.iter().map(|(_, rows)| rows.len()).sum();
        assert_eq!(PARSED.len(), rows);
        for (at, (device, class, _)) in PARSED.iter().enumerate() {
            let twice = PARSED[..at].iter().any(|r| (r.0, r.1) == (*device, *class));
            assert!(!twice, "{device}: {class} has two rows");
        }
        for (device, class, tiles) in &*PARSED {
            let taken = all(class.kind).contains(tiles);
            assert!(taken, "{device}: {class}: {tiles} is never taken");
        }
    }

    #[test]
    fn a_device_without_a_row_has_the_rule() {
        let machine = Machine {
            vector_bytes: 16,
            ..Machine::usual(DeviceKind::Cpu)
        };
        let tiles = Tiles::usual(machine, Scalar::F32, 1024, 1024);
        assert_eq!(tiles, Tiles::choose(machine, Scalar::F32, 1024, 1024));
        assert_eq!(tiles.lanes, 4);
    }
}
