//! Examples that are not written down: every combination of a routine's letters on small matrices, and products on the
//! edges of every cut that ships.

use std::collections::BTreeSet;
use suanzi_ops::table::call::Call;
use suanzi_ops::table::{Kind, Row};
use suanzi_ops::{Scalar, tuning};

/// A row with all its examples.
pub(super) fn extended(row: &'static Row) -> Row {
    let kind = match row.kind {
        Kind::Call(call) => Kind::Call(Call {
            examples: with(call.examples, further(row.name)),
            ..call
        }),
        other => other,
    };
    Row { kind, ..*row }
}

/// The table lives as long as the process.
fn with(given: &'static [&'static str], more: Vec<String>) -> &'static [&'static str] {
    let mut seen: BTreeSet<&str> = given.iter().copied().collect();
    let mut all = given.to_vec();
    for text in more {
        let text: &'static str = text.leak();
        if seen.insert(text) {
            all.push(text);
        }
    }
    all.leak()
}

fn further(name: &str) -> Vec<String> {
    match name {
        "blas_gemm" => [products(), edges()].concat(),
        "blas_symm" | "blas_hemm" => beside(),
        "blas_syrk" | "blas_herk" => on_triangles(&[]),
        "blas_syr2k" | "blas_her2k" | "blas_syrkx" | "blas_herkx" | "blas_gemmt" => {
            on_triangles(&["B"])
        }
        "blas_trmm" | "blas_trsm" => triangular(),
        "blas_trmv" | "blas_trsv" => triangular_vectors(),
        "blas_gemv" => with_vectors(),
        "blas_symv" | "blas_hemv" => symmetric_with_vectors(),
        "blas_ger" | "blas_gerc" => outer(),
        _ => vec![],
    }
}

/// What takes turns: how operands lie, and factors.
const ORDERS: [&str; 7] = ["rrr", "ccc", "rcw", "wbc", "bwr", "crb", "zcr"];
const FACTORS: [[&str; 2]; 4] = [["0.5", "2"], ["-1", "0"], ["1", "1"], ["2", "-0.5"]];
const COMPLEX_FACTORS: [[&str; 2]; 4] = [
    ["0.5;1", "2;-1"],
    ["1;-1", "0"],
    ["1", "1"],
    ["-2", "0.5;1"],
];

/// The rest of an example whose last operand is C: factors, and C not to be read where beta is 0.
fn rest(turn: usize, c: &str, complex: bool) -> String {
    let [alpha, beta] = if complex { COMPLEX_FACTORS } else { FACTORS }[turn % 4];
    let c = if beta == "0" {
        c.to_string()
    } else {
        format!("{c}:moderate")
    };
    let order = ORDERS[turn % ORDERS.len()];
    format!("{c},alpha={alpha},beta={beta},x=moderate,order={order}")
}

/// A shape with its parts.
fn size(m: usize, n: usize, complex: bool) -> String {
    format!("{m}x{n}{}", if complex { "x2" } else { "" })
}

fn transpositions(complex: bool) -> &'static [&'static str] {
    if complex {
        &["n", "t", "h"]
    } else {
        &["n", "t"]
    }
}

fn turned(m: usize, n: usize, by: &str, complex: bool) -> String {
    if by == "n" {
        size(m, n, complex)
    } else {
        size(n, m, complex)
    }
}

fn products() -> Vec<String> {
    let mut all = vec![];
    for complex in [false, true] {
        for ta in transpositions(complex) {
            for tb in transpositions(complex) {
                let (a, b) = (turned(7, 4, ta, complex), turned(4, 9, tb, complex));
                let rest = rest(all.len(), &format!("T:{}", size(7, 9, complex)), complex);
                all.push(format!("{a}@T:{b}:moderate,{rest},ta={ta},tb={tb}"));
            }
        }
    }
    all
}

fn beside() -> Vec<String> {
    let mut all = vec![];
    for complex in [false, true] {
        for (side, n) in [("l", 9), ("r", 6)] {
            for uplo in ["l", "u"] {
                let (a, b) = (size(n, n, complex), size(9, 6, complex));
                let rest = rest(all.len() + 1, &format!("T:{b}"), complex);
                all.push(format!("{a}@T:{b}:moderate,{rest},side={side},uplo={uplo}"));
            }
        }
    }
    all
}

/// Rank-k updates, with another matrix or without.
fn on_triangles(more: &[&str]) -> Vec<String> {
    let mut all = vec![];
    for complex in [false, true] {
        for uplo in ["l", "u"] {
            for k in [1, 4] {
                let a = size(9, k, complex);
                let b: String = more.iter().map(|_| format!("T:{a}:moderate,")).collect();
                let rest = rest(
                    all.len() + 1,
                    &format!("T:{}", size(9, 9, complex)),
                    complex,
                );
                all.push(format!("{a}@{b}{rest},uplo={uplo}"));
            }
        }
    }
    all
}

fn triangular() -> Vec<String> {
    let mut all = vec![];
    for complex in [false, true] {
        for side in ["l", "r"] {
            for uplo in ["l", "u"] {
                for diag in ["n", "u"] {
                    for ta in transpositions(complex) {
                        let b = if side == "l" {
                            size(9, 4, complex)
                        } else {
                            size(4, 9, complex)
                        };
                        let order = &ORDERS[all.len() % 6][..2];
                        let alpha = if complex { "0.5;1" } else { "-2" };
                        all.push(format!(
                            "{}@T:{b}:moderate,alpha={alpha},side={side},uplo={uplo},diag={diag},ta={ta},x=near1,order={order}",
                            size(9, 9, complex)
                        ));
                    }
                }
            }
        }
    }
    all
}

fn triangular_vectors() -> Vec<String> {
    let mut all = vec![];
    for complex in [false, true] {
        for uplo in ["l", "u"] {
            for diag in ["n", "u"] {
                for ta in transpositions(complex) {
                    let (a, x) = (size(9, 9, complex), size(9, 1, complex));
                    let order = &ORDERS[all.len() % 6][..2];
                    all.push(format!(
                        "{a}@T:{x}:moderate,uplo={uplo},diag={diag},ta={ta},x=near1,order={order}"
                    ));
                }
            }
        }
    }
    all
}

fn with_vectors() -> Vec<String> {
    let mut all = vec![];
    for complex in [false, true] {
        for ta in transpositions(complex) {
            for order in ["rzb", "cbw", "zwr", "bbb"] {
                let (a, x) = (turned(7, 5, ta, complex), size(5, 1, complex));
                let [alpha, beta] = if complex { COMPLEX_FACTORS } else { FACTORS }[all.len() % 4];
                let y = size(7, 1, complex);
                let y = if beta == "0" {
                    y
                } else {
                    format!("{y}:moderate")
                };
                all.push(format!("{a}@T:{x}:moderate,T:{y},alpha={alpha},beta={beta},ta={ta},x=moderate,order={order}"));
            }
        }
    }
    all
}

fn symmetric_with_vectors() -> Vec<String> {
    let mut all = vec![];
    for complex in [false, true] {
        for uplo in ["l", "u"] {
            for order in ["rzb", "cbw", "wwr"] {
                let (a, x) = (size(9, 9, complex), size(9, 1, complex));
                let alpha = if complex { "0.5;1" } else { "-2" };
                all.push(format!("{a}@T:{x}:moderate,T:{x}:moderate,alpha={alpha},beta=1,uplo={uplo},x=moderate,order={order}"));
            }
        }
    }
    all
}

fn outer() -> Vec<String> {
    let mut all = vec![];
    for complex in [false, true] {
        for order in ["zbr", "bzc", "wrw"] {
            let [x, y, a] = [(7, 1), (5, 1), (7, 5)].map(|(m, n)| size(m, n, complex));
            let alpha = if complex { "0.5;1" } else { "-2" };
            all.push(format!(
                "{x}@T:{y}:moderate,T:{a}:moderate,alpha={alpha},beta=1,x=moderate,order={order}"
            ));
        }
    }
    all
}

/// Products one less, as many and one more than the rows, columns and steps of each cut that ships, unless another cut
/// of the same kind has the same edges.
fn edges() -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut all = vec![];
    for tiles in [Scalar::F32, Scalar::F64]
        .into_iter()
        .flat_map(tuning::shipped)
    {
        let (rows, columns, steps) = (
            tiles.rows() as usize,
            tiles.columns() as usize,
            tiles.steps() as usize,
        );
        let group = tiles.items() > 1;
        let new = [
            (group, 'm', rows),
            (group, 'n', columns),
            (group, 'k', steps),
        ]
        .map(|edge| seen.insert(edge));
        if !new.contains(&true) {
            continue;
        }
        let less = |length: usize| (length - 1).max(1);
        for [m, k, n] in [
            [less(rows), less(steps), columns + 1],
            [rows, steps, columns],
            [rows + 1, steps + 1, less(columns)],
        ] {
            all.push(format!(
                "{m}x{k}@T:{k}x{n}:moderate,T:{m}x{n}:moderate,alpha=-1.5,beta=0.25,x=moderate"
            ));
        }
        // Of complex C a number is two columns.
        let (m, n) = (rows + 1, columns / 2 + 1);
        all.push(format!(
            "{m}x{steps}x2@T:{steps}x{n}x2:moderate,T:{m}x{n}x2,alpha=1;-1,x=moderate"
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_that_ships_has_its_edges() {
        let all = edges();
        for dtype in [Scalar::F32, Scalar::F64] {
            for tiles in tuning::shipped(dtype) {
                for length in [tiles.rows(), tiles.rows() + 1] {
                    let start = format!("{length}x");
                    assert!(all.iter().any(|e| e.starts_with(&start)), "{tiles} {all:?}");
                }
                for length in [tiles.columns(), tiles.columns() + 1] {
                    let b = format!("x{length}:moderate,T:");
                    assert!(all.iter().any(|e| e.contains(&b)), "{tiles} {all:?}");
                }
            }
        }
    }

    #[test]
    fn routines_with_letters_have_all_of_them() {
        assert_eq!(further("blas_trsm").len(), 16 + 24);
        assert_eq!(
            further("blas_trsm").iter().collect::<BTreeSet<_>>().len(),
            40
        );
        assert_eq!(products().len(), 4 + 9);
    }
}
