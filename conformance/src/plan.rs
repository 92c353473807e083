//! Which cases a profile runs, and how many it promises.
//!
//! The list comes from tables of recipes, applied to every operator and dtype; the promise is
//! computed from the lengths of the same tables without making a case, so that a loop that loses
//! cases is noticed.

use crate::case::{CHAIN, Case, Param};
use crate::chain;
use crate::layout::Layout;
use crate::subject::combinations;
use crate::sweep;
use crate::table::{self, Kind, Limit, Row};
use crate::values::Input;
use std::collections::BTreeMap;
use suanzi_ops::Scalar;
use suanzi_ops::table::call::Example;

/// How much is run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Every operator, dtype and cast, a few minutes.
    Smoke,
    /// Every layout and edge for every dtype, and large arrays.
    Full,
}

/// For whom a recipe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Every dtype.
    Each,
    /// The operator's lead dtype; in the full profile every dtype.
    Lead,
    /// The lead dtype of a few operators ([`SHAPERS`]), which stand for all in the smoke profile:
    /// operators share their skeletons, and each layout is another kernel to compile. In the full
    /// profile every dtype of every operator.
    Shapers,
    /// The lead dtype, in the full profile only.
    Deep,
}

use Input::*;
use Layout::*;
use Who::*;

/// Lengths on both sides of every tile edge: vectors of 2 to 16, work-groups of 256, segments of
/// 1024 and 4096.
const EDGES: [usize; 22] = [
    1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 1023, 1024, 1025, 4095, 4096, 4097,
];

type Recipe = (Who, &'static [usize], Layout, Input);

/// For operators without reduced axes. A shape of `SPECIALS` stands for as many elements as the
/// combinations of special values need. The first two have the longest rest of a vector.
const MAPS: &[Recipe] = &[
    (Each, SPECIALS, Contiguous, Special),
    (Each, &[1007], Contiguous, Random),
    (Each, &[0], Contiguous, Random),
    (Lead, &[], Contiguous, Random),
    (Lead, &[1, 1, 1], Contiguous, Random),
    (Lead, &[3, 0, 5], Rotated, Random),
    (Lead, &[2, 3, 1, 5, 7], Contiguous, Exact),
    (Lead, &[2049], Fresh, Random),
    (Lead, &[17, 33], Fresh, Exact),
    (Lead, &[1023], Offset, Random),
    (Lead, &[257], Offset, Special),
    (Shapers, &[2, 3, 1, 5, 7], Rotated, Random),
    (Shapers, &[33, 65], Transposed, Random),
    (Shapers, &[3, 17, 19], Transposed, Exact),
    (Shapers, &[5, 6, 7], Rotated, Random),
    (Shapers, &[19, 31], Pitched, Random),
    (Shapers, &[7, 257], Stepped, Random),
    (Shapers, &[5, 6, 7], Stepped, Random),
    (Shapers, &[129], Reversed, Random),
    (Shapers, &[9, 10, 11], Reversed, Random),
    (Shapers, &[12, 13], Expanded, Random),
    (Shapers, &[4, 5, 6], Expanded, Exact),
    (Shapers, &[5, 7, 9], Mixed, Random),
    (Shapers, &[6, 7, 8], Views, Random),
    (Shapers, &[64, 65], Views, Random),
    (Deep, &[1_048_583], Contiguous, Random),
    (Deep, &[1025, 1023], Transposed, Random),
    (Deep, &[1023, 1025], Pitched, Random),
    (Deep, &[65_537, 3], Rotated, Random),
    (Deep, &[3, 65_537], Stepped, Random),
];

/// As [`MAPS`], for operators of two or more inputs.
const BROADCASTS: &[Recipe] = &[
    (Shapers, &[17, 33], Row, Random),
    (Shapers, &[17, 33], Column, Random),
    (Shapers, &[17, 33], Layout::Scalar, Random),
    (Shapers, &[17, 33], Outer, Random),
    (Shapers, &[3, 17, 1], Row, Random),
    (Lead, &[3, 0, 4], Row, Random),
    (Shapers, &[5, 17, 32], Column, Exact),
    (Deep, &[513, 511], Row, Random),
    (Deep, &[513, 511], Column, Random),
    (Deep, &[513, 511], Outer, Random),
];

/// Operators that are run in every layout in the smoke profile: of each arity, to bool, plain
/// copying, and a reduction of values and one of positions.
const SHAPERS: &[&str] = &["add", "lt", "where", "abs", "copy", "sum", "argmin"];

/// Layouts that take turns beside [`MAPS`]: one for every third pair of operator and dtype in the
/// smoke profile, one for each pair in the full one.
const TURNS: &[(Layout, &[usize])] = &[
    (Transposed, &[17, 33]),
    (Stepped, &[5, 67]),
    (Rotated, &[5, 6, 7]),
    (Reversed, &[9, 41]),
    (Pitched, &[13, 29]),
    (Offset, &[1023]),
    (Mixed, &[7, 8, 9]),
    (Expanded, &[11, 12, 3]),
    (Views, &[10, 11, 12]),
];

const SPECIALS: &[usize] = &[usize::MAX];

type Axes = (&'static [usize], bool);

/// For reductions: every dtype.
const REDUCTIONS: &[(Who, &[usize], Axes, Layout, Input)] = &[
    (Each, &[33, 257], (&[1], false), Contiguous, Special),
    (Each, &[257, 33], (&[0], false), Contiguous, Random),
    // Rows that one item does alone.
    (Each, &[33, 17], (&[1], false), Contiguous, Random),
    // In parts, which a second kernel joins.
    (Each, &[8193], (&[], false), Contiguous, Exact),
    (Each, &[3, 8193], (&[1], false), Contiguous, Special),
    (Each, &[0, 5], (&[0], true), Contiguous, Random),
    (Lead, &[3, 17, 5], (&[1], true), Contiguous, Special),
    // Every subset of three axes.
    (Shapers, &[5, 17, 33], (&[0], false), Contiguous, Random),
    (Shapers, &[5, 17, 33], (&[1], false), Contiguous, Exact),
    (Shapers, &[5, 17, 33], (&[2], true), Contiguous, Random),
    (Shapers, &[5, 17, 33], (&[0, 1], false), Contiguous, Random),
    (Shapers, &[5, 17, 33], (&[0, 2], true), Contiguous, Exact),
    (Shapers, &[5, 17, 33], (&[1, 2], false), Contiguous, Random),
    (Shapers, &[5, 17, 33], (&[0, 1, 2], true), Contiguous, Exact),
    (Shapers, &[5, 17, 33], (&[], false), Contiguous, Random),
    (Lead, &[2, 3, 5, 4, 3], (&[1, 3], true), Rotated, Random),
    (Lead, &[], (&[], false), Contiguous, Random),
    (Lead, &[1], (&[0], true), Contiguous, Random),
    (Shapers, &[7, 1, 3], (&[1], false), Contiguous, Random),
    (Lead, &[5, 0], (&[0], false), Contiguous, Random),
    (Lead, &[5, 0, 3], (&[1], true), Contiguous, Random),
    (Lead, &[0], (&[], false), Contiguous, Random),
    (Shapers, &[1023], (&[0], false), Offset, Random),
    (Shapers, &[33, 65], (&[1], false), Transposed, Random),
    (Shapers, &[33, 65], (&[0], false), Transposed, Exact),
    (Shapers, &[19, 131], (&[1], false), Pitched, Random),
    (Shapers, &[7, 130], (&[1], true), Stepped, Random),
    (Shapers, &[130, 7], (&[0], false), Stepped, Random),
    (Shapers, &[9, 10, 11], (&[0, 2], false), Reversed, Special),
    (Shapers, &[129], (&[], true), Reversed, Random),
    (Shapers, &[12, 13], (&[0], false), Expanded, Random),
    (Shapers, &[6, 7, 8], (&[1, 2], false), Views, Random),
    (Lead, &[65_537], (&[], false), Contiguous, Special),
    (Shapers, &[3, 65_537], (&[1], false), Contiguous, Exact),
    (Shapers, &[65_537, 3], (&[0], false), Contiguous, Exact),
    (Shapers, &[257, 259], (&[], false), Pitched, Random),
    (Deep, &[1_048_583], (&[], false), Contiguous, Random),
    (Deep, &[1_048_583], (&[0], true), Contiguous, Exact),
    (Deep, &[2, 524_309], (&[1], false), Contiguous, Special),
    (Deep, &[524_309, 2], (&[0], false), Contiguous, Random),
    (Deep, &[1025, 1025], (&[0], false), Contiguous, Random),
    (Deep, &[1025, 1025], (&[1], false), Transposed, Random),
    (Deep, &[3, 100_003, 3], (&[1], false), Contiguous, Exact),
];

/// For casts: every pair of dtypes; the lead is f32.
const CASTS: &[Recipe] = &[
    (Each, &[2000], Contiguous, Special),
    (Each, &[1029], Contiguous, Random),
    (Lead, &[1029], Offset, Random),
    (Lead, &[17, 33], Transposed, Random),
    (Lead, &[0], Contiguous, Random),
    (Lead, &[], Fresh, Random),
    (Deep, &[100_003], Contiguous, Random),
    (Deep, &[9, 10, 11], Stepped, Random),
];

/// For operators that make a tensor from scalars.
const CREATIONS: &[Recipe] = &[
    (Each, &[4097], Contiguous, Exact),
    (Each, &[257], Fresh, Special),
    (Each, &[3, 5, 7], Rotated, Random),
    (Each, &[0], Contiguous, Exact),
    (Lead, &[], Contiguous, Special),
    (Lead, &[65_537], Offset, Random),
    (Lead, &[33, 31], Stepped, Exact),
    (Deep, &[1_048_583], Contiguous, Random),
];

/// Layouts of the first example of a call, for its lead dtype; the others take turns with these.
const CALL_LAYOUTS: [Layout; 7] = [
    Contiguous, Transposed, Stepped, Reversed, Offset, Rotated, Pitched,
];

type ChainRecipe = (&'static str, Who, &'static [usize], Layout, Input, u64);

/// Seeds and shapes of fused chains: (who, shape, layout, input, number of seeds). Random chains
/// differ by seed.
const CHAINS: &[ChainRecipe] = &[
    ("affine", Each, &[4097], Contiguous, Exact, 1),
    ("affine", Lead, &[17, 33], Mixed, Random, 1),
    ("distance", Each, &[1025], Fresh, Exact, 1),
    ("select", Each, &[561], Contiguous, Random, 1),
    ("logic", Each, &[257], Contiguous, Special, 1),
    ("bits", Each, &[255], Contiguous, Random, 1),
    ("widen", Lead, &[33, 17], Transposed, Exact, 1),
    ("widen", Each, &[561], Contiguous, Exact, 1),
    ("total", Each, &[33, 257], Contiguous, Exact, 1),
    ("total", Each, &[9, 1025], Contiguous, Random, 1),
    ("random", Each, &[625], Contiguous, Special, 1),
    ("random", Lead, &[5, 6, 7], Mixed, Random, 6),
    ("random-reduced", Each, &[9, 130], Contiguous, Random, 1),
    ("random-reduced", Lead, &[5, 6, 70], Rotated, Random, 4),
    ("random", Deep, &[4097], Contiguous, Random, 60),
    ("random-reduced", Deep, &[17, 257], Contiguous, Random, 40),
];

/// What a recipe's [`Who`] is asked about an operator.
#[derive(Clone, Copy)]
struct Asked {
    profile: Profile,
    /// Dtypes of the operator.
    dtypes: usize,
    shaper: bool,
    /// Its error is only measured: layouts and edges are those of the skeleton anyhow.
    measured: bool,
}

impl Who {
    /// Whether a recipe is for a dtype.
    fn includes(self, asked: Asked, lead: bool) -> bool {
        match (self, asked.profile) {
            (Each, _) => true,
            _ if asked.measured => false,
            (Lead, Profile::Smoke) => lead,
            (Shapers, Profile::Smoke) => lead && asked.shaper,
            (Lead | Shapers, Profile::Full) => true,
            (Deep, _) => lead && asked.profile == Profile::Full,
        }
    }

    /// For how many dtypes a recipe is.
    fn count(self, asked: Asked) -> usize {
        match (self, asked.profile) {
            (Each, _) => asked.dtypes,
            _ if asked.measured => 0,
            (Lead | Shapers, Profile::Full) => asked.dtypes,
            (Shapers, Profile::Smoke) => usize::from(asked.shaper),
            (Lead, Profile::Smoke) | (Deep, Profile::Full) => 1,
            (Deep, Profile::Smoke) => 0,
        }
    }
}

impl Asked {
    fn of(profile: Profile, row: &Row) -> Asked {
        Asked {
            profile,
            dtypes: row.dtypes.len(),
            shaper: SHAPERS.contains(&row.name),
            measured: (row.limit)(row.dtypes[0]) == Limit::Measured,
        }
    }
}

/// In the smoke profile, how many pairs of operator and dtype share one turn of [`TURNS`].
const TURN: usize = 3;

/// The dtype that gets the most cases: f32 where the operator takes it, else i32, else the first.
fn lead(dtypes: &[Scalar]) -> Option<Scalar> {
    [Scalar::F32, Scalar::I32]
        .into_iter()
        .find(|d| dtypes.contains(d))
        .or(dtypes.first().copied())
}

fn is_lead(row: &Row, dtype: Scalar) -> bool {
    lead(row.dtypes) == Some(dtype)
}

/// Inputs that a map operator has.
fn arity(row: &Row) -> usize {
    match row.kind {
        Kind::Map(op) => op.inputs.count(),
        _ => 0,
    }
}

/// Most combinations that are run exhaustively.
const EXHAUSTIVE: usize = 1 << 16;

/// Whether every input combination of an operator is run.
fn exhaustive(row: &Row, dtype: Scalar) -> bool {
    combinations(row, dtype, All) <= EXHAUSTIVE && dtype != Scalar::Bool
}

/// As many elements as the combinations of special values need, and a rest of any vector.
fn specials(row: &Row, dtype: Scalar) -> usize {
    combinations(row, dtype, Special).next_multiple_of(16) + 15
}

/// The cases of a profile, in the order of the table.
pub fn cases(profile: Profile) -> Vec<Case> {
    let mut out = vec![];
    for (number, row) in table::rows().enumerate() {
        let asked = Asked::of(profile, row);
        for (turn, &dtype) in row.dtypes.iter().enumerate() {
            let lead = is_lead(row, dtype);
            let mut add = |shape: &[usize], param, layout, input| {
                out.push(Case {
                    op: row.name.into(),
                    dtype,
                    shape: shape.to_vec(),
                    param,
                    layout,
                    input,
                    seed: 1,
                });
            };
            match row.kind {
                Kind::Map(_) => {
                    for &(who, shape, layout, input) in MAPS {
                        if who.includes(asked, lead) {
                            let specials = [specials(row, dtype)];
                            let shape = if shape == SPECIALS { &specials } else { shape };
                            add(shape, Param::None, layout, input);
                        }
                    }
                    if profile == Profile::Full || (number + turn).is_multiple_of(TURN) {
                        let (layout, shape) = TURNS[(number + turn) / TURN % TURNS.len()];
                        add(shape, Param::None, layout, Special);
                    }
                    if arity(row) > 1 {
                        for &(who, shape, layout, input) in BROADCASTS {
                            if who.includes(asked, lead) {
                                add(shape, Param::None, layout, input);
                            }
                        }
                    }
                    if Lead.includes(asked, lead) {
                        for n in EDGES {
                            add(&[n], Param::None, Contiguous, Random);
                        }
                    }
                    if exhaustive(row, dtype) {
                        add(
                            &[combinations(row, dtype, All)],
                            Param::None,
                            Contiguous,
                            All,
                        );
                    }
                    if profile == Profile::Full
                        && dtype == Scalar::F32
                        && sweep::takes(row).is_some()
                    {
                        out.extend((1..=sweep::CHUNKS).map(|seed| Case {
                            op: row.name.into(),
                            dtype,
                            shape: vec![sweep::CHUNK],
                            param: Param::None,
                            layout: Contiguous,
                            input: All,
                            seed,
                        }));
                    }
                }
                Kind::Reduce(_) => {
                    for &(who, shape, (axes, keepdims), layout, input) in REDUCTIONS {
                        if who.includes(asked, lead) {
                            let axes = axes.to_vec();
                            add(shape, Param::Axes { axes, keepdims }, layout, input);
                        }
                    }
                    if Shapers.includes(asked, lead) {
                        for n in EDGES {
                            let axis = |a| Param::Axes {
                                axes: vec![a],
                                keepdims: false,
                            };
                            add(&[n], axis(0), Contiguous, Exact);
                            add(&[3, n], axis(1), Contiguous, Random);
                            add(&[n, 3], axis(0), Contiguous, Random);
                        }
                    }
                }
                Kind::Cast(_) => {
                    for to in Scalar::ALL {
                        for &(who, shape, layout, input) in CASTS {
                            if who.includes(asked, lead) {
                                add(shape, Param::To(to), layout, input);
                            }
                        }
                        if exhaustive(row, dtype) {
                            let n = combinations(row, dtype, All);
                            add(&[n], Param::To(to), Contiguous, All);
                        }
                    }
                }
                Kind::Call(call) => {
                    // The second example of a dtype that is not the lead.
                    let other = 1 + turn % (call.examples.len() - 1).max(1);
                    for (i, text) in call.examples.iter().enumerate() {
                        let Some((shape, rest)) = Example::split(text) else {
                            continue;
                        };
                        let mut add =
                            |layout, input| add(&shape, Param::Call(rest.into()), layout, input);
                        if i == 0 {
                            add(Contiguous, Random);
                        }
                        if i == 0 && !call.creates {
                            add(Contiguous, Special);
                            for layout in &CALL_LAYOUTS[1..] {
                                if Lead.includes(asked, lead) {
                                    add(*layout, Random);
                                }
                            }
                        } else if i > 0 && (Lead.includes(asked, lead) || i == other) {
                            let layout = CALL_LAYOUTS[(number + i) % CALL_LAYOUTS.len()];
                            add(layout, Random);
                        }
                    }
                }
                Kind::Create(_) => {
                    for &(who, shape, layout, input) in CREATIONS {
                        if who.includes(asked, lead) {
                            add(shape, Param::None, layout, input);
                        }
                    }
                }
            }
        }
    }
    out.extend(chains(profile));
    out
}

/// What chains are asked as.
fn chain_asked(profile: Profile) -> Asked {
    Asked {
        profile,
        dtypes: Scalar::ALL.len(),
        shaper: true,
        measured: false,
    }
}

fn chains(profile: Profile) -> Vec<Case> {
    let mut out = vec![];
    for &(name, who, shape, layout, input, seeds) in CHAINS {
        for dtype in Scalar::ALL {
            if !who.includes(chain_asked(profile), dtype == Scalar::F32) {
                continue;
            }
            for seed in 1..=seeds {
                if chain::Chain::named(name, dtype, seed).is_some() {
                    out.push(Case {
                        op: CHAIN.into(),
                        dtype,
                        shape: shape.to_vec(),
                        param: Param::Chain(name.into()),
                        layout,
                        input,
                        seed,
                    });
                }
            }
        }
    }
    out
}

/// How many cases of each operator a profile promises.
pub fn promise(profile: Profile) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for (number, row) in table::rows().enumerate() {
        let asked = Asked::of(profile, row);
        let of = |list: &[Recipe]| -> usize { list.iter().map(|r| r.0.count(asked)).sum() };
        let all = row.dtypes.iter().filter(|&&d| exhaustive(row, d)).count();
        let edges = Lead.count(asked) * EDGES.len();
        let count = match row.kind {
            Kind::Map(_) => {
                let turns = match profile {
                    // Multiples of TURN in number..number + dtypes.
                    Profile::Smoke => {
                        (number + asked.dtypes).div_ceil(TURN) - number.div_ceil(TURN)
                    }
                    Profile::Full => asked.dtypes,
                };
                let broadcasts = if arity(row) > 1 { of(BROADCASTS) } else { 0 };
                let chunks = match (profile, sweep::takes(row)) {
                    (Profile::Full, Some(_)) => sweep::CHUNKS as usize,
                    _ => 0,
                };
                of(MAPS) + turns + broadcasts + edges + all + chunks
            }
            Kind::Reduce(_) => {
                let base: usize = REDUCTIONS.iter().map(|r| r.0.count(asked)).sum();
                base + 3 * Shapers.count(asked) * EDGES.len()
            }
            Kind::Cast(_) => Scalar::ALL.len() * (of(CASTS) + all),
            Kind::Create(_) => of(CREATIONS),
            Kind::Call(call) => {
                let leads = Lead.count(asked);
                let firsts = match call.creates {
                    true => asked.dtypes,
                    false => 2 * asked.dtypes + leads * (CALL_LAYOUTS.len() - 1),
                };
                let others = call.examples.len() - 1;
                firsts + leads * others + (asked.dtypes - leads) * others.min(1)
            }
        };
        out.insert(row.name.to_string(), count);
    }
    let takes = |name, d: Scalar| usize::from(chain::Chain::named(name, d, 1).is_some());
    let count = CHAINS.iter().map(|&(name, who, .., seeds)| {
        let asked = chain_asked(profile);
        let dtypes = Scalar::ALL
            .iter()
            .filter(|&&d| who.includes(asked, d == Scalar::F32));
        dtypes.map(|&d| takes(name, d)).sum::<usize>() * seeds as usize
    });
    out.insert(CHAIN.into(), count.sum());
    out
}

/// How many cases of each operator a list holds.
pub fn count<'a>(cases: impl IntoIterator<Item = &'a Case>) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for case in cases {
        *out.entry(case.op.clone()).or_insert(0) += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_list_keeps_the_promise() {
        for profile in [Profile::Smoke, Profile::Full] {
            assert_eq!(count(&cases(profile)), promise(profile));
        }
        let smoke: usize = promise(Profile::Smoke).values().sum();
        let full: usize = promise(Profile::Full).values().sum();
        assert!(smoke >= 2000 && full > 3 * smoke, "{smoke} {full}");
    }

    #[test]
    fn ids_are_unique_and_can_be_run_again() {
        for profile in [Profile::Smoke, Profile::Full] {
            let mut seen = BTreeSet::new();
            for case in cases(profile) {
                let id = case.to_string();
                assert_eq!(Case::parse(&id).as_ref(), Some(&case), "{id}");
                assert!(seen.insert(id), "{case} is there twice");
            }
        }
    }

    #[test]
    fn every_row_dtype_and_cast_is_covered() {
        let covered: BTreeSet<(String, Scalar, String)> = cases(Profile::Smoke)
            .into_iter()
            .map(|c| (c.op, c.dtype, c.param.to_string()))
            .collect();
        for row in table::rows() {
            for &dtype in row.dtypes {
                let has = |param: &str| covered.contains(&(row.name.into(), dtype, param.into()));
                match row.kind {
                    Kind::Cast(_) => {
                        for to in Scalar::ALL {
                            assert!(has(&format!("@{to}")), "{} {dtype} {to}", row.name);
                        }
                    }
                    Kind::Call(call) => {
                        let (_, rest) = Example::split(call.examples[0]).unwrap();
                        let param = Param::Call(rest.into()).to_string();
                        assert!(has(&param), "{} {dtype}", row.name);
                    }
                    Kind::Reduce(_) => assert!(has("@all"), "{} {dtype}", row.name),
                    _ => assert!(has(""), "{} {dtype}", row.name),
                }
            }
        }
    }
}
