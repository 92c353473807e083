//! The table of what is run: how many cases of each operator, and why others are not.
//!
//! ```text
//! run Add 8
//! skip Cast test_cast_*FLOAT4* 6: 4-bit floats are no dtype here
//! skip * *_expanded* 480: the same operator as a graph of others
//! ```
//!
//! A case belongs to the first `skip` line that names its operator (or `*`) and matches its name,
//! else to the `run` line of its operator. Every number must be right: a case that no line claims,
//! or that is missing, is an error.

use crate::case::Case;
use globset::{Glob, GlobMatcher};
use std::collections::{BTreeMap, BTreeSet};

/// The manifest of this repository.
pub const OURS: &str = include_str!("../manifest");

/// A manifest, read.
#[derive(Debug, Default)]
pub struct Manifest {
    /// Cases to run for each operator.
    run: BTreeMap<String, usize>,
    skip: Vec<Skip>,
}

/// Cases that are not run.
#[derive(Debug)]
struct Skip {
    op: String,
    cases: GlobMatcher,
    count: usize,
}

/// The cases of a folder, as a manifest divides them.
pub struct Selection<'a> {
    /// Those to run.
    pub run: Vec<&'a Case>,
    /// How many are excluded.
    pub excluded: usize,
    /// Where numbers are not the manifest's.
    pub mismatches: Vec<String>,
}

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    /// Which line is malformed, and how.
    pub fn parse(text: &str) -> Result<Manifest, String> {
        let mut manifest = Manifest::default();
        for (i, line) in text.lines().enumerate() {
            let bad = |why: &str| format!("line {} of the manifest, `{line}`: {why}", i + 1);
            let (head, reason) = line.split_once(':').unwrap_or((line, ""));
            match head.split_whitespace().collect::<Vec<_>>()[..] {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["run", op, count] => {
                    let count = count.parse().map_err(|_| bad("no number of cases"))?;
                    if manifest.run.insert(op.into(), count).is_some() {
                        return Err(bad("the operator is there twice"));
                    }
                }
                ["skip", op, pattern, count] => {
                    if reason.trim().is_empty() {
                        return Err(bad("no reason after a colon"));
                    }
                    manifest.skip.push(Skip {
                        op: op.into(),
                        cases: Glob::new(pattern)
                            .map_err(|_| bad("no pattern"))?
                            .compile_matcher(),
                        count: count.parse().map_err(|_| bad("no number of cases"))?,
                    });
                }
                _ => return Err(bad("neither `run OP N` nor `skip OP CASES N: why`")),
            }
        }
        Ok(manifest)
    }

    /// The operators that are run.
    pub fn operators(&self) -> impl Iterator<Item = &str> {
        self.run.keys().map(String::as_str)
    }

    /// Divides cases, and finds where numbers are not as they should be.
    pub fn select<'a>(&self, cases: &'a [Case]) -> Selection<'a> {
        let mut skipped = vec![0; self.skip.len()];
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        let mut run = vec![];
        for case in cases {
            let claims =
                |s: &Skip| (s.op == "*" || s.op == case.op) && s.cases.is_match(&case.name);
            match self.skip.iter().position(claims) {
                Some(i) => skipped[i] += 1,
                None => {
                    *found.entry(&case.op).or_default() += 1;
                    run.push(case);
                }
            }
        }
        let mut mismatches = vec![];
        for (skip, &count) in self.skip.iter().zip(&skipped) {
            if skip.count != count {
                let (op, cases) = (&skip.op, skip.cases.glob());
                mismatches.push(format!(
                    "skip {op} {cases}: {count} cases, the manifest has {}",
                    skip.count
                ));
            }
        }
        let ops: BTreeSet<&str> = self.operators().chain(found.keys().copied()).collect();
        for op in ops {
            let count = |m: Option<&usize>| m.copied().unwrap_or(0);
            let (here, there) = (count(found.get(op)), count(self.run.get(op)));
            if here != there {
                mismatches.push(format!("run {op}: {here} cases, the manifest has {there}"));
            }
        }
        Selection {
            run,
            excluded: skipped.iter().sum(),
            mismatches,
        }
    }
}
