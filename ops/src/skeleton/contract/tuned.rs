//! Tiles as tuning sees them: the candidates, the class of shapes that a winner is for, and how tiles
//! are written down.

use super::super::Machine;
use super::tiles::{Stage, Tiles};
use std::fmt;
use std::str::FromStr;
use suanzi_backends::{Context, DeviceKind};
use suanzi_codegen::Scalar;

/// Lengths up to which a side is `s`mall, and `m`iddling; others are `l`arge.
const SIDES: [(usize, char); 3] = [(32, 's'), (256, 'm'), (usize::MAX, 'l')];

/// Rows whose length is a multiple of this are aligned.
const ALIGNED: usize = 16;

/// What a winner is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Of the sums.
    pub kind: Scalar,
    /// Of m and n.
    sides: [char; 2],
    /// Whether rows of C are.
    aligned: bool,
}

impl Class {
    /// The class of a shape.
    pub fn of(kind: Scalar, m: usize, n: usize) -> Class {
        let side = |d: usize| SIDES.iter().find(|s| d <= s.0).map_or('l', |s| s.1);
        Class {
            kind,
            sides: [side(m), side(n)],
            aligned: n.is_multiple_of(ALIGNED),
        }
    }

    /// Every class.
    pub fn all() -> impl Iterator<Item = Class> {
        let sides = SIDES
            .iter()
            .flat_map(|m| SIDES.iter().map(|n| [m.1, n.1]))
            .flat_map(|sides| [(sides, true), (sides, false)]);
        Scalar::ALL.into_iter().flat_map(move |kind| {
            sides.clone().map(move |(sides, aligned)| Class {
                kind,
                sides,
                aligned,
            })
        })
    }
}

/// `contract f32 ls aligned`: the kind of the sums, small, middling or large m and n, and whether rows of C are aligned.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [m, n] = self.sides;
        let aligned = if self.aligned { "aligned" } else { "unaligned" };
        write!(f, "contract {} {m}{n} {aligned}", self.kind)
    }
}

impl Tiles {
    /// The tuned tiles for a shape, if there are any and they are not larger than it, with the text
    /// under which they are known.
    pub fn tuned(ctx: &Context, key: &str, m: usize, n: usize) -> Option<(Tiles, String)> {
        let text = ctx.tuned().best(key)?;
        let tiles: Tiles = text.parse().ok()?;
        tiles.within(m, n).then_some((tiles, text))
    }

    /// Whether they are not larger than a shape, or not by much.
    pub(super) fn within(&self, m: usize, n: usize) -> bool {
        let rows = self.rows() as usize <= m.next_power_of_two();
        rows && self.columns() as usize <= n.next_power_of_two()
    }

    /// Everything that may be worth trying on a machine.
    pub(crate) fn candidates(machine: Machine, kind: Scalar) -> Vec<Tiles> {
        let mut all = vec![];
        // Of a register.
        let own = machine.vector_bytes / kind.bytes().max(4) as u32;
        match machine.kind {
            DeviceKind::Cpu => {
                for lanes in [own / 2, own, 2 * own] {
                    for (mr, nr) in (1..=16).flat_map(|mr| (1..=4).map(move |nr| (mr, nr))) {
                        // As many sums as there may be registers: two registers may be a vector.
                        if mr * nr <= 32 / lanes.div_ceil(own) {
                            all.extend([1, 2, 4].map(|unroll| Tiles {
                                group: [1, 1],
                                mr,
                                nr,
                                lanes: lanes as u8,
                                stage: Stage::Panels { unroll },
                            }));
                        }
                    }
                }
            }
            DeviceKind::Gpu => {
                for group in [[8, 8], [8, 16], [16, 8], [16, 16], [8, 32], [32, 8]] {
                    for (mr, nr) in [(1, 1), (2, 1), (4, 1), (8, 1), (4, 2), (8, 2), (8, 4)] {
                        for kc in [4, 8, 16, 32] {
                            for (lanes, pad) in [(1, 1), (2, 2), (4, 0), (4, 4)] {
                                all.push(Tiles {
                                    group,
                                    mr,
                                    nr,
                                    lanes,
                                    stage: Stage::Shared { kc, pad },
                                });
                            }
                        }
                    }
                }
            }
            DeviceKind::Interpreter => {}
        }
        all.retain(|t| t.fits(machine, kind));
        all
    }
}

/// `16x16 8x2x4 shared 8 4`: the group, rows and vectors and lanes of an item, depth and padding; or
/// `1x1 12x2x16 panels 2`.
impl fmt::Display for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([gm, gn], mr, nr, lanes) = (self.group, self.mr, self.nr, self.lanes);
        write!(f, "{gm}x{gn} {mr}x{nr}x{lanes} ")?;
        match self.stage {
            Stage::Panels { unroll } => write!(f, "panels {unroll}"),
            Stage::Shared { kc, pad } => write!(f, "shared {kc} {pad}"),
        }
    }
}

impl FromStr for Tiles {
    type Err = ();

    fn from_str(text: &str) -> Result<Tiles, ()> {
        let words: Vec<&str> = text.split(' ').collect();
        let [group, item, stage @ ..] = &words[..] else {
            return Err(());
        };
        let numbers = |text: &str| -> Result<Vec<u32>, ()> {
            let positive = |n: &str| n.parse().ok().filter(|&n| 0 < n && n <= 1024).ok_or(());
            text.split('x').map(positive).collect()
        };
        let (group, item) = (numbers(group)?, numbers(item)?);
        let (&[gm, gn], &[mr, nr, lanes]) = (&group[..], &item[..]) else {
            return Err(());
        };
        let number = |n: &str| n.parse::<u32>().map_err(drop);
        let tiles = Tiles {
            group: [gm, gn],
            mr,
            nr,
            lanes: u8::try_from(lanes).map_err(drop)?,
            stage: match stage {
                ["panels", unroll] => Stage::Panels {
                    unroll: number(unroll)?,
                },
                ["shared", kc, pad] => Stage::Shared {
                    kc: number(kc)?,
                    pad: number(pad)?,
                },
                _ => return Err(()),
            },
        };
        tiles.is_sound().then_some(tiles).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back() {
        for kind in [DeviceKind::Cpu, DeviceKind::Gpu] {
            for kind_of_sums in [Scalar::F32, Scalar::F64] {
                let all = Tiles::candidates(Machine::usual(kind), kind_of_sums);
                assert!(all.len() > 100);
                for tiles in all {
                    assert_eq!(tiles.to_string().parse(), Ok(tiles));
                }
            }
        }
        for wrong in [
            "",
            "16x16",
            "1x1 12x2x16 panels",
            "1x1 0x2x16 panels 2",
            "1x1 12x2x3 panels 2",
            "1x1 12x2x16 panels 0",
            "2x1 12x2x16 panels 2",
            "16x16 8x2x4 shared 0 4",
            "16x16 8x2x4 shared 8 3",
            "16x16 8x2x4 shared 8 99999999999",
        ] {
            assert_eq!(wrong.parse::<Tiles>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn shapes_of_a_class_share_their_tiles() {
        let key = |m, n| Class::of(Scalar::F32, m, n).to_string();
        assert_eq!(key(1024, 32), "contract f32 ls aligned");
        assert_eq!(key(33, 257), "contract f32 ml unaligned");
        assert_eq!(key(5000, 16), key(257, 32));
    }
}
