//! How a contraction is cut: one struct of parameters for both ends of the range of machines.
//!
//! On a CPU a work-group is one item that holds a tile of C in registers and reads its operands
//! from packed panels; on a GPU a group of items stages blocks of both operands in shared memory.
//! The kernel is the same but for where the operands of a step come from ([`Stage`]).

use super::super::Machine;
use suanzi_backends::DeviceKind;
use suanzi_codegen::Scalar;

/// The parameters of a contraction's kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tiles {
    /// Work-items of a group along m and along n.
    pub group: [u32; 2],
    /// Rows of an item.
    pub mr: u32,
    /// Vectors of an item along n,
    pub nr: u32,
    /// of this many lanes each.
    pub lanes: u8,
    /// Where the operands of a step come from.
    pub stage: Stage,
}

/// Where the operands of a step along k come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// From memory: B in panels of the tile's width, A in panels of its height or where it lies.
    Panels {
        /// Steps along k in one turn of the loop.
        unroll: u32,
    },
    /// From shared memory, staged by the group.
    Shared {
        /// Steps along k that are staged at once.
        kc: u32,
        /// Elements added to a row of shared memory, so that its columns are in different banks.
        pad: u32,
    },
}

/// Tiles for GPUs, best first: items along m and n, rows and vectors of an item, depth. The last
/// one fits 64 items and 16 KiB for every kind.
const GPU: [([u32; 2], u32, u32, u32); 3] =
    [([16, 16], 8, 2, 8), ([16, 16], 4, 1, 16), ([8, 8], 4, 1, 8)];

/// Row tiles for which a CPU reads B where it lies: a panel would be used a few times only.
const FEW: usize = 2;

/// Steps along k that a CPU's item does with one tile before the next: as many rows of A and a panel of B come from the
/// second-level cache as fast as they are used.
pub const DEPTH: u32 = 384;

/// Steps along k in a piece: pieces are of much the same length, and whole vectors where there are several.
pub fn piece(k: usize) -> u64 {
    let pieces = k.div_ceil(DEPTH as usize);
    (k.div_ceil(pieces) as u64).next_multiple_of(16)
}

/// Rows, and columns, of the block of tiles of a CPU's item.
const BLOCK: u32 = 512;

/// Bytes of an item's arrays, at most: rows of A and waiting sums. A driver may have them on a thread's stack.
const ARRAYS: u32 = 3840 << 10;

/// Blocks that each unit should have, so that all have the same to do.
const BLOCKS_OF_A_UNIT: u64 = 2;

impl Tiles {
    /// For a machine, the kind that sums are held in, and the lengths of m and n.
    pub(crate) fn choose(machine: Machine, kind: Scalar, m: usize, n: usize) -> Tiles {
        let pow2 = |n: usize, most: usize| n.next_power_of_two().min(most) as u32;
        match machine.kind {
            DeviceKind::Cpu => {
                let lanes = pow2(n, machine.vector_bytes as usize / kind.bytes().max(4));
                // Held in registers, with two vectors of each: there are 32 of the widest, else 16.
                let rows = if machine.vector_bytes < 64 { 6 } else { 12 };
                Tiles {
                    group: [1, 1],
                    mr: if m >= rows {
                        rows as u32
                    } else {
                        pow2(m, rows / 3 * 2)
                    },
                    nr: if n > lanes as usize { 2 } else { 1 },
                    lanes: lanes as u8,
                    stage: Stage::Panels { unroll: 2 },
                }
            }
            DeviceKind::Gpu => {
                let tiles = GPU.map(|(group, mr, nr, kc)| Tiles {
                    group,
                    mr,
                    nr,
                    lanes: 4,
                    stage: Stage::Shared { kc, pad: 4 },
                });
                let [.., least] = tiles;
                let fits = |t: &Tiles| {
                    t.fits(machine, kind)
                        && t.rows() as usize <= m.next_power_of_two()
                        && t.columns() as usize <= n.next_power_of_two()
                };
                tiles.into_iter().find(fits).unwrap_or(least)
            }
            DeviceKind::Interpreter => Tiles {
                group: [pow2(m, 32), pow2(n, 32)],
                mr: 1,
                nr: 1,
                lanes: 1,
                stage: Stage::Shared { kc: 16, pad: 1 },
            },
        }
    }

    /// Whether a kernel can be made of them at all.
    pub fn is_sound(&self) -> bool {
        let lanes = [1, 2, 4, 8, 16].contains(&self.lanes);
        lanes
            && match self.stage {
                Stage::Panels { unroll } => self.items() == 1 && unroll > 0 && unroll <= 16,
                // Vectors in shared memory are aligned.
                Stage::Shared { kc, pad } => {
                    (1..=64).contains(&kc) && pad.is_multiple_of(self.lanes.into()) && pad <= 64
                }
            }
    }

    /// Whether a machine has room for them.
    pub(crate) fn fits(&self, machine: Machine, kind: Scalar) -> bool {
        self.is_sound()
            && self.items() <= machine.max_workgroup
            && self.shared_bytes(kind) <= machine.shared_bytes
    }

    /// Work-items of a group.
    pub fn items(&self) -> u32 {
        self.group[0] * self.group[1]
    }

    /// Rows of a group.
    pub fn rows(&self) -> u32 {
        self.group[0] * self.mr
    }

    /// Columns of a group.
    pub fn columns(&self) -> u32 {
        self.group[1] * self.nr * u32::from(self.lanes)
    }

    /// Steps along k that are done with a tile before anything else is.
    pub fn steps(&self) -> u32 {
        match self.stage {
            Stage::Panels { .. } => DEPTH,
            Stage::Shared { kc, .. } => kc,
        }
    }

    /// Elements of shared memory from one step along k to the next, of A and of B.
    pub fn pitches(&self) -> [u32; 2] {
        match self.stage {
            Stage::Panels { .. } => [0, 0],
            Stage::Shared { pad, .. } => [self.rows() + pad, self.columns() + pad],
        }
    }

    /// Shared memory of a group.
    pub fn shared_bytes(&self, kind: Scalar) -> u32 {
        match self.stage {
            Stage::Panels { .. } => 0,
            Stage::Shared { kc, .. } => {
                kc * self.pitches().iter().sum::<u32>() * kind.bytes() as u32
            }
        }
    }

    /// Row tiles that are done with one panel of B before the next one, so that it is read from a
    /// near cache.
    pub fn rows_kept(&self) -> u64 {
        8
    }

    /// The most tiles of a CPU's block, down and across.
    pub fn block(&self, kind: Scalar) -> [u32; 2] {
        let rows = ARRAYS / (kind.bytes() as u32 * (DEPTH + BLOCK));
        [rows.min(BLOCK) / self.rows(), BLOCK / self.columns()].map(|most| most.max(1))
    }

    /// Tiles of a CPU's block, down and across: as large as may be, but enough blocks for all units, of much the same
    /// size, and as many for each unit; more where they have not all the same to do.
    pub(crate) fn blocks(
        &self,
        machine: Machine,
        kind: Scalar,
        batches: u64,
        tiles: [u64; 2],
        all_alike: bool,
    ) -> [u64; 2] {
        let units = u64::from(machine.units);
        let least = BLOCKS_OF_A_UNIT * units * if all_alike { 1 } else { 4 };
        let mut most = self.block(kind).map(u64::from);
        let counts = |most: [u64; 2]| [0, 1].map(|i| tiles[i].div_ceil(most[i]));
        let even = |counts: [u64; 2]| [0, 1].map(|i| tiles[i].div_ceil(counts[i]));
        let [rows, columns] = [self.rows(), self.columns()].map(u64::from);
        loop {
            let [down, across] = counts(most);
            let block = even([down, across]);
            if batches * down * across >= least || block == [1, 1] {
                let fair = |down: &u64| (batches * down * across).is_multiple_of(units);
                let down = (down..down + units).find(fair).unwrap_or(down);
                return even([down.min(tiles[0]), across]);
            }
            let wide = block[1] > 1 && block[1] * columns > block[0] * rows;
            let longer = usize::from(wide || block[0] == 1);
            most[longer] = block[longer].div_ceil(2);
            most[1 - longer] = block[1 - longer];
        }
    }

    /// Rows of C that are too few to make panels of B worth while.
    pub fn few(&self) -> usize {
        FEW * self.rows() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(kind: DeviceKind, max_workgroup: u32) -> Machine {
        Machine {
            max_workgroup,
            ..Machine::usual(kind)
        }
    }

    #[test]
    fn every_kind_fits_the_smallest_gpu() {
        for kind in [Scalar::F32, Scalar::F64, Scalar::I32, Scalar::I64] {
            let t = Tiles::choose(machine(DeviceKind::Gpu, 64), kind, 4096, 4096);
            assert!(t.items() <= 64 && t.shared_bytes(kind) <= 16 << 10, "{t:?}");
        }
        let large = Tiles::choose(machine(DeviceKind::Gpu, 256), Scalar::F32, 4096, 4096);
        assert_eq!((large.rows(), large.columns()), (128, 128));
        assert!(large.shared_bytes(Scalar::F32) <= 16 << 10);
    }

    #[test]
    fn vectors_in_shared_memory_are_aligned() {
        for (group, mr, nr, kc) in GPU {
            let stage = Stage::Shared { kc, pad: 4 };
            let t = Tiles {
                group,
                mr,
                nr,
                lanes: 4,
                stage,
            };
            assert!(t.pitches()[1].is_multiple_of(4));
        }
    }
}
