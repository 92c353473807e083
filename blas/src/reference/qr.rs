//! What QR factorisations should give, and how far off they may be.
//!
//! Scales are first-order bounds of what an error of `(2m + 6) · eps · |aⱼ|` in column j does to the factors (Higham, *Accuracy
//! and Stability of Numerical Algorithms*, 19.3 and 19.9; the change of R is `up(X + Xᴴ) · R`, `X = Qᴴ · ΔA · R⁻¹`).

use super::factor::{Sizes, minus};
use super::{Dense, Entry, ZERO};
use crate::matrix::Side;
use suanzi_ops::reference::dd::Dd;

fn conj(x: Entry) -> Entry {
    Entry { im: -x.im, ..x }
}

fn real(re: Dd) -> Entry {
    Entry { re, ..ZERO }
}

/// `|x|²`.
fn square(x: Entry) -> Dd {
    x.times(conj(x)).re
}

/// The root of the sum of squares.
fn length(x: impl Iterator<Item = Entry>) -> f64 {
    x.map(|e| square(e).rounded()).sum::<f64>().sqrt()
}

/// Element `(i, j)` of the reflectors' matrix: ones on its diagonal.
fn reflector(v: &Dense, i: usize, j: usize) -> Entry {
    match i.cmp(&j) {
        std::cmp::Ordering::Less => ZERO,
        std::cmp::Ordering::Equal => Entry::of(1.0, 0.0),
        std::cmp::Ordering::Greater => v.at(0, i, j),
    }
}

/// Columns of `c` from `from` on become `(I - tau · v · vᴴ)` times themselves, v being column `j`.
fn reflect(v: &Dense, j: usize, tau: Entry, c: &mut Dense, from: usize) {
    for column in from..c.n {
        let mut sum = ZERO;
        for i in j..c.m {
            let product = conj(reflector(v, i, j)).times(c.at(0, i, column));
            sum = sum.plus(product);
        }
        let sum = sum.times(tau);
        for i in j..c.m {
            let less = reflector(v, i, j).times(sum);
            *c.entry(i, column) = minus(c.at(0, i, column), less);
        }
    }
}

/// R, `min(m, n)` rows of it and zeros below, and the first columns of Q: both of `A = Q · R`.
pub(crate) fn qr(a: &Dense) -> [Dense; 2] {
    let [mut rs, mut qs] = [vec![], vec![]];
    for mut one in a.singles() {
        let original = one.clone();
        let (m, n) = (one.m, one.n);
        let k = m.min(n);
        let mut taus = vec![];
        for j in 0..k {
            let alpha = one.at(0, j, j);
            let below = (j + 1..m).fold(Dd::ZERO, |sum, i| sum + square(one.at(0, i, j)));
            if below == Dd::ZERO && alpha.im == Dd::ZERO {
                taus.push(ZERO);
                continue;
            }
            let norm = (square(alpha) + below).sqrt();
            let beta = if alpha.re.rounded() >= 0.0 {
                -norm
            } else {
                norm
            };
            let divisor = minus(alpha, real(beta));
            let tau = minus(real(beta), alpha).over(real(beta));
            for i in j + 1..m {
                *one.entry(i, j) = one.at(0, i, j).over(divisor);
            }
            let v = one.clone();
            reflect(&v, j, conj(tau), &mut one, j + 1);
            *one.entry(j, j) = real(beta);
            taus.push(tau);
        }
        let mut q = one.identity_of(m, k);
        for j in (0..k).rev() {
            reflect(&one, j, taus[j], &mut q, j);
        }
        let mut r = one.like(m, n, |_, i, j| if i > j { ZERO } else { one.at(0, i, j) });
        scale(&original, &mut q, &mut r);
        rs.push(r);
        qs.push(q);
    }
    [a.gathered(rs), a.gathered(qs)]
}

fn scale(a: &Dense, q: &mut Dense, r: &mut Dense) {
    let (m, n) = (a.m, a.n);
    let k = m.min(n);
    let norms: Vec<f64> = (0..n)
        .map(|j| length((0..m).map(|i| a.at(0, i, j))))
        .collect();
    let corner = r.like(k, k, |b, i, j| r.at(b, i, j));
    let inverse = Sizes::dense(&corner.inverted());
    let sizes = Sizes::dense(r);
    // |X| where every element of Qᴴ · ΔA may be as large as its column.
    let x: Vec<f64> = (0..k)
        .map(|j| (0..=j).map(|l| norms[l] * inverse.at(l, j)).sum())
        .collect();
    let both = Sizes::of(k, k, |i, j| x[i] + x[j]);
    let changed = both.only(|i, j| i <= j).times(&sizes.block(0..k, 0..k));
    let beside = both.times(&sizes.block(0..k, k..n));
    let relative = changed.times(&inverse);
    let turned = Sizes::dense(q).times(&relative);
    let steps = (2 * m + 6) as f64;
    for i in 0..k {
        for (j, norm) in norms.iter().enumerate().skip(i) {
            let size = match j < k {
                true => changed.at(i, j),
                false => norm + beside.at(i, j - k),
            };
            r.entry(i, j).scale = steps * size;
        }
    }
    for i in 0..m {
        for (j, x) in x.iter().enumerate() {
            q.entry(i, j).scale = steps * (x + turned.at(i, j));
        }
    }
}

/// C times a product of reflectors, or of their conjugates; the scale is that of its columns (rows, on the right).
pub(crate) fn reflected(v: &Dense, taus: &[Entry], side: Side, adjoint: bool, c: &Dense) -> Dense {
    let k = taus.len() / v.singles().len().max(1);
    let mut done = vec![];
    for (number, (v, c)) in v.singles().iter().zip(c.singles()).enumerate() {
        let taus = &taus[number * k..(number + 1) * k];
        // C · Q is (Qᴴ · Cᴴ)ᴴ.
        let (mut x, inverse) = match side {
            Side::Left => (c, adjoint),
            Side::Right => (c.h(), !adjoint),
        };
        let steps = (2 * x.m + 6) as f64;
        let norms: Vec<f64> = (0..x.n)
            .map(|j| length((0..x.m).map(|i| x.at(0, i, j))))
            .collect();
        for step in 0..k {
            let j = if inverse { step } else { k - 1 - step };
            let tau = if inverse { conj(taus[j]) } else { taus[j] };
            reflect(v, j, tau, &mut x, 0);
        }
        for i in 0..x.m {
            for (j, norm) in norms.iter().enumerate() {
                x.entry(i, j).scale = steps * norm;
            }
        }
        done.push(match side {
            Side::Left => x,
            Side::Right => x.h(),
        });
    }
    c.gathered(done)
}

/// Factors with which reflectors are unitary, rounded as a dtype would be: `2 / |v|²`, and of complex matrices also
/// `(1 ± i) / |v|²`. For each matrix one for each of its first `k` columns.
pub(crate) fn unitary(v: &Dense, k: usize, single: bool) -> Vec<Entry> {
    let round = |x: f64| if single { f64::from(x as f32) } else { x };
    let mut taus = vec![];
    for one in v.singles() {
        for j in 0..k {
            let squares = length((j..one.m).map(|i| reflector(&one, i, j))).powi(2);
            let (re, im) = match (one.complex, j % 3) {
                (true, 1) => (1.0, 1.0),
                (true, 2) => (1.0, -1.0),
                _ => (2.0, 0.0),
            };
            taus.push(Entry::of(round(re / squares), round(im / squares)));
        }
    }
    taus
}
