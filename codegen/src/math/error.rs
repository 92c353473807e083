//! Error functions, in f32 and f64, on any number of lanes.
//!
//! Near zero a polynomial; elsewhere the complement, `e^(-a²)` times a function that is nearly
//! 1 / (1 + 2a): the square's rounding error goes into the exponential, so that results keep their
//! precision down to the denormals. Every function has one branch for all lanes.

use super::exp::{of_small, reduced};
use super::log::natural;
use super::parts::Pair;
use super::term::{Term, formula};
use crate::builder::Builder;
use crate::ir::Value;

/// `erf x / x - 1` in x² for |x| ≤ 1, with the relative error of erf after it.
const ERF: [&[f64]; 2] = [
    // 2^-27.9
    &[
        1.2837917e-1,
        -3.7612626e-1,
        1.12835854e-1,
        -2.6853811e-2,
        5.188327e-3,
        -8.0101873e-4,
        7.85384e-5,
    ],
    // 2^-56.3
    &[
        0.1283791670955126,
        -0.3761263890318375,
        0.11283791670954857,
        -0.02686617064507288,
        0.005223977624780717,
        -0.0008548326978733875,
        0.00012055331036605004,
        -1.4925593500027053e-5,
        1.6460972710336265e-6,
        -1.6350024126726862e-7,
        1.4657872698435198e-8,
        -1.1365639188777729e-9,
        5.945217808441767e-11,
    ],
];

/// `(1 + 2a) e^(a²) erfc a` in q = (a - k) / (a + k) for a in [0, 10.6] with k = 2, and in f64 for a in
/// [0, 28] with k = 4; with the relative error after it.
const ERFC: [&[f64]; 2] = [
    // 2^-25.0
    &[
        1.2769784e0,
        -9.2763886e-2,
        -1.6603148e-1,
        1.6405286e-1,
        -5.4203816e-2,
        -8.041635e-3,
        8.63436e-3,
        1.2627163e-3,
        -1.2521609e-3,
        -3.521593e-4,
        3.260786e-5,
    ],
    // 2^-54.0
    &[
        1.2329951186255526,
        -0.1396211168405629,
        0.015379652102619764,
        0.06809705425473661,
        -0.10103906603630114,
        0.0937328349968237,
        -0.06633036581256392,
        0.03716751556185444,
        -0.016197734048423888,
        0.005031969763553004,
        -0.0007577734048706726,
        -0.0001992555611865746,
        0.00015062247162859582,
        -2.4402941719209365e-5,
        -1.122528322727782e-5,
        5.717295574934967e-6,
        3.0195674672067854e-7,
        -8.342406444217908e-7,
        6.238875655223018e-8,
        1.1456132993527867e-7,
        -7.778747172608402e-9,
        -1.3386213874280682e-8,
        -1.717624405177695e-9,
    ],
];

/// `erfinv x / x` in w - 2.5 for w = -log(1 - x²) in [0, 5], in f64 in w - 3.125 for w in [0, 6.25];
/// with the relative error after it.
const CENTRE: [&[f64]; 2] = [
    // 2^-23.6
    &[
        1.5014094e0,
        2.4664028e-1,
        -4.177387e-3,
        -1.2527419e-3,
        2.1834443e-4,
        -4.963348e-6,
        -3.4627042e-6,
        4.6617077e-7,
        2.3232586e-8,
        -8.79107e-9,
    ],
    // 2^-54.5
    &[
        1.6536545626831027,
        0.24015818242558826,
        -0.006033670871427754,
        -0.0007407025341539551,
        0.00018673420802425638,
        -1.3882523395791218e-5,
        -1.3654691844351133e-6,
        4.2347881907737247e-7,
        -2.9070382774496097e-8,
        -4.112661977711452e-9,
        1.0512183981775591e-9,
        -5.414238998839989e-11,
        -1.2976958201313537e-11,
        2.6303545812736643e-12,
        -8.117010360472435e-14,
        -3.998978091484849e-14,
        6.594702056178587e-15,
        -4.286522927656206e-17,
        -1.300392252938927e-16,
        1.575974582904271e-17,
        1.1444179877536252e-18,
        -3.5754839703701404e-19,
        -1.0091943315865448e-21,
        3.3757228448062295e-21,
    ],
];

/// The same in √w - 3 for w in [5, 17.4], in f64 in √w - 3.25 for w in [6.25, 16].
const TAIL: [&[f64]; 2] = [
    // 2^-25.0
    &[
        2.8329768e0,
        1.0016749e0,
        9.444541e-3,
        -7.635315e-3,
        5.693274e-3,
        -3.6066428e-3,
        1.4687843e-3,
        -3.884039e-5,
        -2.965853e-4,
        1.0297912e-4,
    ],
    // 2^-53.3
    &[
        3.0838856104922208,
        1.0052589676941657,
        0.005370914553570904,
        -0.0037512085082629025,
        0.00249144209701851,
        -0.0016882755342527249,
        0.0009532893630734391,
        -0.0003550378308182688,
        2.403126313812095e-5,
        6.82872487421399e-5,
        -4.731901555488574e-5,
        1.2464433343569993e-5,
        2.9258240034903583e-6,
        -3.9840777975869146e-6,
        1.4985463928359602e-6,
        -3.0265109615471006e-8,
        -2.7118707753713236e-7,
        1.339415713019018e-7,
        6.344935208499012e-10,
        -1.618717251980819e-8,
    ],
];

/// The same in √w - 5 for w in [16, 36.8], which only f64 reaches.
const FAR_TAIL: &[f64] =
    // 2^-52.5
    &[
        4.849906401408584,
        1.0103004648645444,
        -0.0001387193183410549,
        -0.0002150301197757946,
        7.599527712077124e-5,
        -1.9681771539303058e-5,
        4.526061931839645e-6,
        -9.930235344912623e-7,
        2.2900727494020246e-7,
        -6.757727885959876e-8,
        2.9142928982241903e-8,
        -1.521275027301911e-8,
        7.62152726915807e-9,
        -3.5190643328925064e-9,
        1.5040728663398492e-9,
        -4.0927478111766066e-10,
        -2.6200054863332786e-11,
        3.601916474448085e-11,
    ];

/// The error function.
pub fn erf(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let a = x.abs();
        let z = a * a;
        let near = z.poly(z.pick(ERF[0], ERF[1])).mul_add(a, a);
        // From here on it is 1.
        let bound = a.pick(4.0, 6.0);
        let far = 1.0 - complement(a.gt(bound).select(bound, a));
        a.lt(1.0).select(near, far).flipped_like(x)
    })
}

/// The complement of the error function, `1 - erf x`.
pub fn erfc(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let a = x.abs();
        // From here on it is 0.
        let bound = a.pick(11.0, 28.0);
        let y = complement(a.gt(bound).select(bound, a));
        x.lt(0.0).select(2.0 - y, y)
    })
}

/// The complement without its exponential, `e^x²·erfc x`, for x not below 0.
pub fn erfcx(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let bound = x.pick(11.0, 28.0);
        let far = x.gt(bound);
        // The asymptotic series, whose next term is below 2^-38 at 11 and 2^-57 at 28.
        let z = 0.5 / (x * x);
        let series: &[f64] = &[1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0];
        let beyond = z.poly(series) / (x * ROOT_PI);
        far.select(beyond, scaled_complement(far.select(bound, x)))
    })
}

/// `√π`.
const ROOT_PI: f64 = 1.772_453_850_905_516;

/// `erfc a` for a from 0 to 11 (f64: 28).
fn complement(a: Term<'_>) -> Term<'_> {
    let square = Pair::product(a, a);
    let (n, r) = reduced(-square.hi);
    (of_small(r - square.lo) * scaled_complement(a)).scaled(n.whole())
}

/// `e^a²·erfc a`.
fn scaled_complement(a: Term<'_>) -> Term<'_> {
    let k = a.pick(2.0, 4.0);
    let q = (a - k) / (a + k);
    q.poly(q.pick(ERFC[0], ERFC[1])) / a.mul_add(2.0, 1.0)
}

/// The inverse of the error function; infinite at ±1, NaN beyond.
pub fn erfinv(b: &mut Builder, x: Value) -> Value {
    formula(b, [x], |[x]| {
        let w = -natural(x.fma(-x, 1.0));
        let root = w.sqrt();
        let [(centre, end), (tail, tail_end)] = x.pick(
            [(2.5, 5.0), (3.0, f64::INFINITY)],
            [(3.125, 6.25), (3.25, 4.0)],
        );
        let mut ratio = (root - tail).poly(x.pick(TAIL[0], TAIL[1]));
        if x.is_wide() {
            ratio = root.lt(tail_end).select(ratio, (root - 5.0).poly(FAR_TAIL));
        }
        let near = (w - centre).poly(x.pick(CENTRE[0], CENTRE[1]));
        let y = w.lt(end).select(near, ratio) * x;
        let edge = x.c(f64::INFINITY).flipped_like(x);
        x.abs().eq(1.0).select(edge, y)
    })
}
