//! Fused chains: expressions of several map operators that end in a store or in a reduction.
//!
//! Their operators are exact, so the reference is the rows' references one after another, each
//! rounded to the kind that the chain computes in. f16 and bf16 are held in f32 between steps.

use crate::rng::Rng;
use crate::table::{self, Inputs, Kind, Limit};
use suanzi_codegen::ir::CastMode;
use suanzi_ops::{Num, Scalar};

/// A chain. Values are numbered: the inputs first, then one for each step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Number of inputs, all of the case's dtype.
    pub inputs: usize,
    /// What is computed, in order.
    pub steps: Vec<Step>,
    /// What happens to the last value: a reduction over the last axis, or a store.
    pub reduce: Option<&'static str>,
}

/// A step of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A map operator on earlier values.
    Map(&'static str, Vec<usize>),
    /// A saturating conversion of an earlier value.
    Cast(Scalar, usize),
}

impl Chain {
    /// The chain with a name, if it takes this dtype.
    pub fn named(name: &str, dtype: Scalar, seed: u64) -> Option<Chain> {
        let map = |op: &'static str, args: &[usize]| Step::Map(op, args.to_vec());
        let (inputs, steps, reduce) = match name {
            // min(max(x·y + z, y), z)
            "affine" => (
                3,
                vec![
                    map("mul", &[0, 1]),
                    map("add", &[3, 2]),
                    map("maximum", &[4, 1]),
                    map("minimum", &[5, 2]),
                ],
                None,
            ),
            // |x − y| · |x − y| − x
            "distance" => (
                2,
                vec![
                    map("sub", &[0, 1]),
                    map("abs", &[2]),
                    map("mul", &[3, 3]),
                    map("sub", &[4, 0]),
                ],
                None,
            ),
            // x < y ? x + y : |x| · y
            "select" => (
                2,
                vec![
                    map("lt", &[0, 1]),
                    map("add", &[0, 1]),
                    map("abs", &[0]),
                    map("mul", &[4, 1]),
                    map("where", &[2, 3, 5]),
                ],
                None,
            ),
            // (x < y) and not (y = z) xor (x ≥ z)
            "logic" => (
                3,
                vec![
                    map("lt", &[0, 1]),
                    map("eq", &[1, 2]),
                    map("logical_not", &[4]),
                    map("logical_and", &[3, 5]),
                    map("ge", &[0, 2]),
                    map("logical_xor", &[6, 7]),
                ],
                None,
            ),
            "bits" => (
                3,
                vec![
                    map("bitwise_and", &[0, 1]),
                    map("bitwise_xor", &[3, 2]),
                    map("bitwise_not", &[4]),
                    map("bitwise_or", &[5, 0]),
                    map("popcount", &[6]),
                ],
                None,
            ),
            // Through f32 and back.
            "widen" => (
                2,
                vec![
                    Step::Cast(Scalar::F32, 0),
                    Step::Cast(Scalar::F32, 1),
                    map("mul", &[2, 3]),
                    map("add", &[4, 2]),
                    Step::Cast(dtype, 5),
                ],
                None,
            ),
            // Σ |x − y| · z over the last axis.
            "total" => (
                3,
                vec![
                    map("sub", &[0, 1]),
                    map("abs", &[3]),
                    map("mul", &[4, 2]),
                    map("add", &[5, 0]),
                ],
                Some("sum"),
            ),
            "random" => return Some(Chain::random(dtype, seed, false)),
            "random-reduced" => return Some(Chain::random(dtype, seed, true)),
            _ => return None,
        };
        let chain = Chain {
            inputs,
            steps,
            reduce,
        };
        chain.dtypes(dtype).map(|_| chain)
    }

    /// Four to eight random steps of exact operators.
    fn random(dtype: Scalar, seed: u64, reduced: bool) -> Chain {
        let mut rng = Rng::from_text(dtype.name(), seed ^ 0x5eed);
        let inputs = 2 + rng.below(2);
        let mut chain = Chain {
            inputs,
            steps: vec![],
            reduce: None,
        };
        let mut dtypes = vec![dtype; inputs];
        let wanted = 4 + rng.below(5);
        while chain.steps.len() < wanted {
            // Mostly the newest value, so that the chain is long rather than broad.
            let newest = dtypes.len() - 1;
            let first = if rng.one_in(4) {
                rng.below(dtypes.len())
            } else {
                newest
            };
            if rng.one_in(6) {
                let to = *rng.pick(&Scalar::ALL);
                chain.steps.push(Step::Cast(to, first));
                dtypes.push(to);
                continue;
            }
            let rows: Vec<&table::Row> = table::rows().filter(|r| exact_map(r)).collect();
            let row = rng.pick(&rows);
            let Kind::Map(op) = row.kind else { continue };
            let data = dtypes[first];
            if !row.dtypes.contains(&data) {
                continue;
            }
            let mut args = vec![];
            for i in 0..op.inputs.count() {
                let want = op.inputs.dtype(i, data);
                let fit: Vec<usize> = (0..dtypes.len()).filter(|&v| dtypes[v] == want).collect();
                match fit.is_empty() {
                    true => break,
                    false => args.push(*rng.pick(&fit)),
                }
            }
            if args.len() < op.inputs.count() {
                continue;
            }
            let main = usize::from(op.inputs == Inputs::Condition);
            args[main] = first;
            dtypes.push(op.output.dtype(data));
            chain.steps.push(Step::Map(row.name, args));
        }
        if reduced {
            let last = dtypes[dtypes.len() - 1];
            let mut names = vec!["max", "min", "argmax", "any", "all"];
            names.retain(|n| table::row(n).is_ok_and(|r| r.dtypes.contains(&last)));
            chain.reduce = Some(*rng.pick(&names));
        }
        chain
    }

    /// The dtype of every value, or `None` where an operator does not take what it is given.
    pub fn dtypes(&self, dtype: Scalar) -> Option<Vec<Scalar>> {
        let mut dtypes = vec![dtype; self.inputs];
        for step in &self.steps {
            dtypes.push(match step {
                Step::Cast(to, from) => {
                    dtypes.get(*from)?;
                    *to
                }
                Step::Map(name, args) => {
                    let row = table::row(name).ok()?;
                    let Kind::Map(op) = row.kind else { return None };
                    let main = usize::from(op.inputs == Inputs::Condition);
                    let data = *dtypes.get(*args.get(main)?)?;
                    let typed =
                        |(i, &v): (usize, &usize)| dtypes.get(v) == Some(&op.inputs.dtype(i, data));
                    let fits = args.len() == op.inputs.count()
                        && args.iter().enumerate().all(typed)
                        && row.dtypes.contains(&data);
                    if !fits {
                        return None;
                    }
                    op.output.dtype(data)
                }
            });
        }
        if let Some(name) = self.reduce {
            let row = table::row(name).ok()?;
            let takes = row.dtypes.contains(dtypes.last()?);
            if !takes || !matches!(row.kind, Kind::Reduce(_)) {
                return None;
            }
        }
        Some(dtypes)
    }

    /// The last value for one element, by the rows' references. `adjust` is applied to every
    /// value, given its dtype.
    pub fn reference(
        &self,
        dtypes: &[Scalar],
        inputs: &[Num],
        adjust: &dyn Fn(Scalar, Num) -> Num,
    ) -> Num {
        let mut values: Vec<Num> = inputs.to_vec();
        for step in &self.steps {
            let dtype = dtypes[values.len()];
            let value = match step {
                Step::Cast(to, from) => {
                    let Ok(table::Row {
                        kind: Kind::Cast(cast),
                        ..
                    }) = table::row("cast")
                    else {
                        return Num::Float(f64::NAN);
                    };
                    (cast.reference)(dtypes[*from], *to, values[*from]).round(*to)
                }
                Step::Map(name, args) => {
                    let Ok(table::Row {
                        kind: Kind::Map(op),
                        ..
                    }) = table::row(name)
                    else {
                        return Num::Float(f64::NAN);
                    };
                    let main = usize::from(op.inputs == Inputs::Condition);
                    let data = held(dtypes[args[main]]);
                    let x: Vec<Num> = args.iter().map(|&a| values[a]).collect();
                    (op.reference)(data, &x).round(held(dtype))
                }
            };
            values.push(adjust(dtype, value));
        }
        values[values.len() - 1]
    }

    /// How the steps convert.
    pub const MODE: CastMode = CastMode::Saturate;
}

/// The kind that a value is held in between the steps.
fn held(dtype: Scalar) -> Scalar {
    match dtype {
        Scalar::F16 | Scalar::Bf16 => Scalar::F32,
        s => s,
    }
}

/// Map operators whose result is exact for every dtype.
fn exact_map(row: &table::Row) -> bool {
    let exact = row.dtypes.iter().all(|&d| (row.limit)(d) == Limit::Exact);
    matches!(row.kind, Kind::Map(_)) && exact && row.name != "copy"
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: [&str; 7] = [
        "affine", "distance", "select", "logic", "bits", "widen", "total",
    ];
    const RANDOM: [&str; 2] = ["random", "random-reduced"];

    #[test]
    fn fixed_chains_exist_for_some_dtype_and_have_four_steps() {
        for name in FIXED {
            let takes = |d: &&Scalar| Chain::named(name, **d, 0).is_some();
            let count = Scalar::ALL.iter().filter(takes).count();
            assert!(count >= 8, "{name}: {count}");
            let chain = Scalar::ALL
                .iter()
                .find_map(|&d| Chain::named(name, d, 0))
                .unwrap();
            assert!(chain.steps.len() >= 4, "{name}");
        }
    }

    #[test]
    fn random_chains_are_well_typed_and_repeat() {
        for dtype in Scalar::ALL {
            for seed in 0..50 {
                for name in RANDOM {
                    let chain = Chain::named(name, dtype, seed).unwrap();
                    assert!(chain.dtypes(dtype).is_some(), "{chain:?}");
                    assert!(chain.steps.len() >= 4);
                    assert_eq!(Some(chain), Chain::named(name, dtype, seed));
                }
            }
        }
    }

    #[test]
    fn the_reference_follows_the_steps() {
        let chain = Chain::named("affine", Scalar::I32, 0).unwrap();
        let dtypes = chain.dtypes(Scalar::I32).unwrap();
        let x = [Num::Int(3), Num::Int(-4), Num::Int(5)];
        // min(max(3·-4 + 5, -4), 5)
        assert_eq!(chain.reference(&dtypes, &x, &|_, v| v), Num::Int(-4));
    }
}
