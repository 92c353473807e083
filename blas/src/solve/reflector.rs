//! The kernel that factors a panel by reflectors.

use super::panel::{Kernel, Number, Panel, TOGETHER};
use crate::Result;
use crate::matrix::Matrix;
use suanzi_codegen::ir::{BinOp, Id, UnOp};
use suanzi_codegen::{Builder, Place, Value};
use suanzi_ops::Tensor;

/// A panel is factored; its first column is column `first` of `k`.
pub(super) fn factor(
    op: &'static str,
    a: &Matrix,
    tau: &Tensor,
    k: usize,
    first: usize,
) -> Result<()> {
    let parts = if a.is_complex() { 2 } else { 1 };
    Kernel {
        op,
        name: "qr_panel",
        a,
        outs: &[tau],
        ins: &[],
        scalars: &[
            ("k", a.m().min(a.n()) as u64),
            ("first", (first * parts) as u64),
            ("taus", (k * parts) as u64),
        ],
    }
    .by_matrix(panel)
}

fn panel(b: &mut Builder, p: &Panel<'_>, matrix: Value) {
    let io = p.io;
    let (m, n) = (io.p("m"), io.p("n"));
    let (start, one) = (io.x.int(b, 0), io.x.int(b, 1));
    let parts = io.x.int(b, p.parts.into());
    let shared = p.shared(b, &[p.kind; 4]);
    b.for_(start, io.p("k"), one, false, |b, j| {
        let column = p.column(b, j);
        let below = b.add(j, one);
        let at = p.down(b, column, j);
        let alpha = p.number(b, at);
        // Items meet in it, so that all have read the column before it changes.
        let house = house(b, p, &shared, alpha, [column, below, m]);
        p.once(b, |b| {
            let taus = b.mul(matrix, io.p("taus"));
            let taus = b.add(taus, io.p("first"));
            let to = io.x.step(b, taus, j, parts);
            let tau = p.compose(b, house.tau);
            io.store(b, 1, to, tau);
            let diagonal = p.compose(b, house.diagonal);
            p.store(b, at, diagonal);
        });
        let by = p.nonzero(b, house.divisor);
        let by = p.divisor(b, by);
        p.rows(b, below, m, |b, i, rows| {
            let at = p.down(b, column, i);
            let x = p.load(b, at, rows);
            let x = p.quotient(b, x, by);
            p.store(b, at, x);
        });
        // Everybody's rows below are his own: the columns on the right need no barrier before.
        let factor = house.tau.conj(b).neg(b);
        let rows = [column, j, m];
        p.groups(b, [below, n], TOGETHER, |b, c, count| {
            reflect_columns(b, p, &shared, rows, (c, count), factor);
        });
        p.meet(b);
    });
}

/// The reflector of a column.
struct House {
    tau: Number,
    /// What the diagonal's element becomes.
    diagonal: Number,
    /// What elements below are divided by; zero if they are zero.
    divisor: Number,
}

/// From the diagonal's element and the rows below. Everything is divided by the largest part, so that squares
/// neither overflow nor vanish.
fn house(
    b: &mut Builder,
    p: &Panel<'_>,
    shared: &[Place],
    alpha: Number,
    [column, below, m]: [Value; 3],
) -> House {
    let zero = p.float(b, 0.0);
    let most = over_rows(b, p, [column, below, m], |b, all, x| {
        let size = b.un(UnOp::Abs, x);
        b.bin(BinOp::Max, all, size)
    });
    let join = |b: &mut Builder, x: &[Value], y: &[Value]| vec![b.bin(BinOp::Max, x[0], y[0])];
    let most = folded(b, most, join);
    let most = p.fold(b, shared, &most, join)[0];
    let parts: Vec<Value> = [alpha.re].into_iter().chain(alpha.im).collect();
    let most = parts.iter().fold(most, |most, &part| {
        let size = b.un(UnOp::Abs, part);
        b.bin(BinOp::Max, most, size)
    });
    let empty = b.bin(BinOp::Eq, most, zero);
    let one = p.float(b, 1.0);
    let most = b.select(empty, one, most);
    let squares = over_rows(b, p, [column, below, m], |b, all, x| {
        let lanes = b.ty(x).lanes;
        let most = b.splat(most, lanes);
        let x = b.bin(BinOp::Div, x, most);
        b.fma(x, x, all)
    });
    let join = |b: &mut Builder, x: &[Value], y: &[Value]| vec![b.add(x[0], y[0])];
    let squares = folded(b, squares, join);
    let squares = p.fold(b, shared, &squares, join)[0];
    let scaled: Vec<Value> = parts.iter().map(|&x| b.bin(BinOp::Div, x, most)).collect();
    let norm = scaled.iter().fold(squares, |sum, &x| b.fma(x, x, sum));
    let norm = b.un(UnOp::Sqrt, norm);
    let positive = b.bin(BinOp::Ge, scaled[0], zero);
    let minus = b.un(UnOp::Neg, norm);
    let beta = b.select(positive, minus, norm);
    let mut none = b.bin(BinOp::Eq, squares, zero);
    if let Some(&im) = scaled.get(1) {
        let real = b.bin(BinOp::Eq, im, zero);
        none = b.bin(BinOp::And, none, real);
    }
    let unless_none =
        |b: &mut Builder, value: Value, otherwise: Value| b.select(none, otherwise, value);
    let gap = b.sub(beta, scaled[0]);
    let re = b.bin(BinOp::Div, gap, beta);
    let im = scaled.get(1).map(|&im| {
        let minus = b.un(UnOp::Neg, im);
        b.bin(BinOp::Div, minus, beta)
    });
    let beta = b.mul(beta, most);
    let less = b.sub(alpha.re, beta);
    House {
        tau: Number {
            re: unless_none(b, re, zero),
            im: im.map(|im| unless_none(b, im, zero)),
        },
        diagonal: Number {
            re: unless_none(b, beta, alpha.re),
            im: alpha.im.map(|_| zero),
        },
        divisor: Number {
            re: unless_none(b, less, zero),
            im: alpha.im.map(|im| unless_none(b, im, zero)),
        },
    }
}

/// All parts of a column's rows, put together lane by lane: what vectors have, and what single rows have.
fn over_rows(
    b: &mut Builder,
    p: &Panel<'_>,
    [column, from, to]: [Value; 3],
    join: impl Fn(&mut Builder, Value, Value) -> Value,
) -> Vec<Value> {
    let all: Vec<(u8, Id)> = widths(p)
        .into_iter()
        .map(|rows| {
            let none = b.float(p.kind.x(rows * p.parts), 0.0);
            (rows, b.var(none))
        })
        .collect();
    p.rows(b, from, to, |b, i, rows| {
        let at = p.down(b, column, i);
        let x = p.load(b, at, rows);
        for &(_, var) in all.iter().filter(|a| a.0 == rows) {
            let before = b.get(var);
            let after = join(b, before, x);
            b.set(var, after);
        }
    });
    all.iter().map(|&(_, var)| b.get(var)).collect()
}

/// How many rows are walked at once.
fn widths(p: &Panel<'_>) -> Vec<u8> {
    match p.lanes {
        1 => vec![1],
        lanes => vec![1, lanes],
    }
}

/// The lanes of vectors put together.
fn folded(
    b: &mut Builder,
    vectors: Vec<Value>,
    join: impl Fn(&mut Builder, &[Value], &[Value]) -> Vec<Value>,
) -> Vec<Value> {
    let mut all: Option<Vec<Value>> = None;
    for vector in vectors {
        for lane in 0..b.ty(vector).lanes {
            let next = vec![b.extract(vector, lane)];
            all = Some(match all {
                Some(all) => join(b, &all, &next),
                None => next,
            });
        }
    }
    all.unwrap_or_default()
}

/// Columns `c..c + count` less `factor · (vᴴ · column) · v`, v being column `j`, whose element `j` is one.
fn reflect_columns(
    b: &mut Builder,
    p: &Panel<'_>,
    shared: &[Place],
    [column, j, m]: [Value; 3],
    (c, count): (Value, u64),
    factor: Number,
) {
    let one = p.io.x.int(b, 1);
    let below = b.add(j, one);
    let targets: Vec<Value> = (0..count)
        .map(|i| {
            let i = p.io.x.int(b, i);
            let c = b.add(c, i);
            p.column(b, c)
        })
        .collect();
    // For each width and column: products as they are, and crosswise where numbers are pairs.
    let mut sums: Vec<(u8, usize, Vec<Id>)> = vec![];
    for rows in widths(p) {
        for target in 0..targets.len() {
            let none = b.float(p.kind.x(rows * p.parts), 0.0);
            let vars = (0..p.parts).map(|_| b.var(none)).collect();
            sums.push((rows, target, vars));
        }
    }
    p.rows(b, below, m, |b, i, rows| {
        let at = p.down(b, column, i);
        let v = p.load(b, at, rows);
        for (_, target, vars) in sums.iter().filter(|s| s.0 == rows) {
            let at = p.down(b, targets[*target], i);
            let x = p.load(b, at, rows);
            for (crosswise, &var) in vars.iter().enumerate() {
                let x = if crosswise == 1 { swapped(b, x) } else { x };
                let before = b.get(var);
                let after = b.fma(v, x, before);
                b.set(var, after);
            }
        }
    });
    let mut own = vec![];
    for target in 0..targets.len() {
        for crosswise in 0..usize::from(p.parts) {
            let mut sum: Option<Value> = None;
            for (_, _, vars) in sums.iter().filter(|s| s.1 == target) {
                let vector = b.get(vars[crosswise]);
                for lane in 0..b.ty(vector).lanes {
                    let next = b.extract(vector, lane);
                    // The imaginary part of conj(v) · x: re · im - im · re.
                    let less = crosswise == 1 && lane % 2 == 1;
                    sum = Some(match (sum, less) {
                        (Some(sum), true) => b.sub(sum, next),
                        (Some(sum), false) => b.add(sum, next),
                        (None, _) => next,
                    });
                }
            }
            own.extend(sum);
        }
    }
    let diagonals: Vec<(Value, Value)> = targets
        .iter()
        .map(|&target| {
            let at = p.down(b, target, j);
            (at, p.load(b, at, 1))
        })
        .collect();
    // Items meet in it, so that all have read the row of the diagonal.
    let sums = p.fold(b, shared, &own, |b, x, y| {
        x.iter().zip(y).map(|(&x, &y)| b.add(x, y)).collect()
    });
    let mut factors = vec![];
    for (sum, &(at, old)) in sums.chunks(p.parts.into()).zip(&diagonals) {
        let sum = b.compose(sum);
        let sum = b.add(sum, old);
        let none = b.float(p.kind.x(p.parts), 0.0);
        let less = p.add_product(b, none, sum, factor);
        p.once(b, |b| {
            let new = b.add(old, less);
            p.store(b, at, new);
        });
        factors.push(p.number_of(b, less));
    }
    p.rows(b, below, m, |b, i, rows| {
        let at = p.down(b, column, i);
        let v = p.load(b, at, rows);
        for (&target, &factor) in targets.iter().zip(&factors) {
            let at = p.down(b, target, i);
            let old = p.load(b, at, rows);
            let new = p.add_product(b, old, v, factor);
            p.store(b, at, new);
        }
    });
}

/// With the parts of each pair swapped.
fn swapped(b: &mut Builder, x: Value) -> Value {
    let lanes = b.ty(x).lanes;
    let turned: Vec<Value> = (0..lanes).map(|i| b.extract(x, i ^ 1)).collect();
    b.compose(&turned)
}
