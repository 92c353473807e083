//! Level 3 against plain loops, at sizes around the edges of tiles and blocks, where outside
//! suites have only small ones. Whatever must not be read is NaN.

mod common;

use common::*;
use num_complex::Complex;

type Int = i32;
type Gemm<T> = unsafe extern "C" fn(
    *const u8,
    *const u8,
    *const Int,
    *const Int,
    *const Int,
    *const T,
    *const T,
    *const Int,
    *const T,
    *const Int,
    *const T,
    *mut T,
    *const Int,
);
type Symm<T> = unsafe extern "C" fn(
    *const u8,
    *const u8,
    *const Int,
    *const Int,
    *const T,
    *const T,
    *const Int,
    *const T,
    *const Int,
    *const T,
    *mut T,
    *const Int,
);
type Syrk<T> = unsafe extern "C" fn(
    *const u8,
    *const u8,
    *const Int,
    *const Int,
    *const T,
    *const T,
    *const Int,
    *const T,
    *mut T,
    *const Int,
);
type Syr2k<T> = unsafe extern "C" fn(
    *const u8,
    *const u8,
    *const Int,
    *const Int,
    *const T,
    *const T,
    *const Int,
    *const T,
    *const Int,
    *const T,
    *mut T,
    *const Int,
);
type Trxm<T> = unsafe extern "C" fn(
    *const u8,
    *const u8,
    *const u8,
    *const u8,
    *const Int,
    *const Int,
    *const T,
    *const T,
    *const Int,
    *mut T,
    *const Int,
);

fn int(n: usize) -> Int {
    n as Int
}

fn routine<T: Element, F: Copy>(name: &str) -> F {
    symbol(&format!("{}{name}_", T::LETTER))
}

fn complex<T: Element>() -> bool {
    matches!(T::LETTER, 'c' | 'z')
}

/// Runs the test for each type.
macro_rules! each_type {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check::$name::<f32>();
            check::$name::<f64>();
            check::$name::<Complex<f32>>();
            check::$name::<Complex<f64>>();
        }
    )*};
}
each_type!(gemm symm syrk syr2k triangular);

mod check {
    use super::*;

    pub fn gemm<T: Element>() {
        let f: Gemm<T> = routine::<T, _>("gemm");
        let mut r = Random(1);
        let sizes = [
            (1, 1, 1),
            (7, 9, 5),
            (17, 16, 15),
            (24, 8, 24),
            (25, 9, 23),
            (47, 49, 33),
            (97, 31, 64),
            (193, 10, 257),
            (49, 17, 1025),
            (10, 1033, 40),
            (200, 210, 100),
            (3, 300, 300),
        ];
        for (m, n, k) in sizes {
            for (ta, tb) in [
                (b'N', b'N'),
                (b'T', b'N'),
                (b'N', b'C'),
                (b'C', b'T'),
                (b'C', b'C'),
            ] {
                let (rows_a, cols_a) = if ta == b'N' { (m, k) } else { (k, m) };
                let (rows_b, cols_b) = if tb == b'N' { (k, n) } else { (n, k) };
                let a = Matrix::<T>::random(rows_a, cols_a, &mut r);
                let b = Matrix::<T>::random(rows_b, cols_b, &mut r);
                for beta in [C::new(0.0, 0.0), C::new(0.5, -0.25)] {
                    let (alpha, beta): (T, T) = (r.element(), T::of(beta));
                    let zero = beta.c() == C::default();
                    let nan = T::of(C::new(f64::NAN, f64::NAN));
                    let before = Matrix::new(m, n, |_, _| if zero { nan } else { r.element() });
                    let mut c = before.clone();
                    // SAFETY: the matrices have these sizes.
                    unsafe {
                        f(
                            &ta,
                            &tb,
                            &int(m),
                            &int(n),
                            &int(k),
                            &alpha,
                            a.data.as_ptr(),
                            &int(a.ld),
                            b.data.as_ptr(),
                            &int(b.ld),
                            &beta,
                            c.data.as_mut_ptr(),
                            &int(c.ld),
                        );
                    }
                    assert!(c.guards_stand());
                    for (i, j) in (0..m * n).map(|e| (e % m, e / m)) {
                        let old = if zero {
                            C::default()
                        } else {
                            beta.c() * before.at(i, j)
                        };
                        let terms = (0..k).map(|p| alpha.c() * op(&a, ta, i, p) * op(&b, tb, p, j));
                        assert!(
                            close(c.data[i + j * c.ld], terms.chain([old])),
                            "{}gemm {}{} {m} {n} {k} at {i} {j}",
                            T::LETTER,
                            ta as char,
                            tb as char
                        );
                    }
                }
            }
        }
    }

    /// A triangle of a random matrix, NaN beside it.
    fn half<T: Element>(n: usize, uplo: u8, r: &mut Random) -> Matrix<T> {
        let nan = T::of(C::new(f64::NAN, f64::NAN));
        let stored = |i: usize, j: usize| if uplo == b'U' { i <= j } else { i >= j };
        Matrix::new(n, n, |i, j| if stored(i, j) { r.element() } else { nan })
    }

    pub fn symm<T: Element>() {
        let mut r = Random(2);
        for herm in [false, true] {
            if herm && !complex::<T>() {
                continue;
            }
            let f: Symm<T> = routine::<T, _>(if herm { "hemm" } else { "symm" });
            for (m, n) in [
                (1, 1),
                (9, 7),
                (26, 25),
                (50, 33),
                (200, 40),
                (30, 290),
                (300, 9),
            ] {
                for (side, uplo) in [(b'L', b'U'), (b'L', b'L'), (b'R', b'U'), (b'R', b'L')] {
                    let order = if side == b'L' { m } else { n };
                    let a = half::<T>(order, uplo, &mut r);
                    let full = |i: usize, j: usize| {
                        let stored = (i <= j) == (uplo == b'U');
                        match i == j {
                            true if herm => C::new(a.at(i, i).re, 0.0),
                            true => a.at(i, i),
                            false if stored => a.at(i, j),
                            false if herm => a.at(j, i).conj(),
                            false => a.at(j, i),
                        }
                    };
                    let b = Matrix::<T>::random(m, n, &mut r);
                    let before = Matrix::<T>::random(m, n, &mut r);
                    let (alpha, beta): (T, T) = (r.element(), r.element());
                    let mut c = before.clone();
                    // SAFETY: the matrices have these sizes.
                    unsafe {
                        f(
                            &side,
                            &uplo,
                            &int(m),
                            &int(n),
                            &alpha,
                            a.data.as_ptr(),
                            &int(a.ld),
                            b.data.as_ptr(),
                            &int(b.ld),
                            &beta,
                            c.data.as_mut_ptr(),
                            &int(c.ld),
                        );
                    }
                    assert!(c.guards_stand());
                    for (i, j) in (0..m * n).map(|e| (e % m, e / m)) {
                        let terms = (0..order).map(|p| match side {
                            b'L' => alpha.c() * full(i, p) * b.at(p, j),
                            _ => alpha.c() * b.at(i, p) * full(p, j),
                        });
                        let old = beta.c() * before.at(i, j);
                        assert!(
                            close(c.data[i + j * c.ld], terms.chain([old])),
                            "{} {herm} {}{} {m} {n} at {i} {j}",
                            T::LETTER,
                            side as char,
                            uplo as char
                        );
                    }
                }
            }
        }
    }

    pub fn syrk<T: Element>() {
        rank_k::<T>(false);
    }
    pub fn syr2k<T: Element>() {
        rank_k::<T>(true);
    }

    fn rank_k<T: Element>(two: bool) {
        let mut r = Random(3);
        for herm in [false, true] {
            if herm && !complex::<T>() {
                continue;
            }
            let (base, op_t) = if herm { ("her", b'C') } else { ("syr", b'T') };
            for (n, k) in [(1, 3), (8, 8), (25, 17), (50, 300), (201, 30), (310, 12)] {
                for (uplo, trans) in [(b'U', b'N'), (b'L', b'N'), (b'U', op_t), (b'L', op_t)] {
                    let (rows, cols) = if trans == b'N' { (n, k) } else { (k, n) };
                    let (a, b) = (
                        Matrix::<T>::random(rows, cols, &mut r),
                        Matrix::<T>::random(rows, cols, &mut r),
                    );
                    let real = |c: C| if herm { C::new(c.re, 0.0) } else { c };
                    let alpha = if two {
                        r.element::<T>()
                    } else {
                        T::of(real(r.element::<T>().c()))
                    };
                    let beta = T::of(real(r.element::<T>().c()));
                    let before = half::<T>(n, uplo, &mut r);
                    let mut c = before.clone();
                    // SAFETY: the matrices have these sizes; a real scalar is the front of a complex one.
                    unsafe {
                        if two {
                            let f: Syr2k<T> = routine::<T, _>(&format!("{base}2k"));
                            f(
                                &uplo,
                                &trans,
                                &int(n),
                                &int(k),
                                &alpha,
                                a.data.as_ptr(),
                                &int(a.ld),
                                b.data.as_ptr(),
                                &int(b.ld),
                                &beta,
                                c.data.as_mut_ptr(),
                                &int(c.ld),
                            );
                        } else {
                            let f: Syrk<T> = routine::<T, _>(&format!("{base}k"));
                            f(
                                &uplo,
                                &trans,
                                &int(n),
                                &int(k),
                                &alpha,
                                a.data.as_ptr(),
                                &int(a.ld),
                                &beta,
                                c.data.as_mut_ptr(),
                                &int(c.ld),
                            );
                        }
                    }
                    assert!(c.guards_stand());
                    let mirror = |z: C| if herm { z.conj() } else { z };
                    let row = |x: &Matrix<T>, i: usize, p: usize| op(x, trans, i, p);
                    for (i, j) in (0..n * n).map(|e| (e % n, e / n)) {
                        if (i < j && uplo == b'L') || (i > j && uplo == b'U') {
                            assert!(c.at(i, j).re.is_nan());
                            continue;
                        }
                        let first = |p: usize| {
                            let other = if two { row(&b, j, p) } else { row(&a, j, p) };
                            alpha.c() * row(&a, i, p) * mirror(other)
                        };
                        let second = |p: usize| match two {
                            true => mirror(alpha.c()) * row(&b, i, p) * mirror(row(&a, j, p)),
                            false => C::default(),
                        };
                        let old = if i == j {
                            real(before.at(i, j))
                        } else {
                            before.at(i, j)
                        };
                        let terms = (0..k)
                            .flat_map(|p| [first(p), second(p)])
                            .chain([beta.c() * old]);
                        assert!(
                            close(c.data[i + j * c.ld], terms),
                            "{}{base} {two} {}{} {n} {k} at {i} {j}",
                            T::LETTER,
                            uplo as char,
                            trans as char
                        );
                    }
                }
            }
        }
    }

    pub fn triangular<T: Element>() {
        let mut r = Random(4);
        let sides = [b'L', b'R']
            .into_iter()
            .flat_map(|s| [(s, b'U'), (s, b'L')]);
        let cases = sides.flat_map(|(s, u)| {
            [(b'N', b'N'), (b'T', b'U'), (b'C', b'N')].map(|(t, d)| (s, u, t, d))
        });
        for (side, uplo, trans, diag) in cases {
            for (m, n) in [
                (1, 1),
                (9, 7),
                (26, 50),
                (129, 40),
                (40, 130),
                (300, 25),
                (30, 300),
                (140, 300),
            ] {
                let order = if side == b'L' { m } else { n };
                let mut a = half::<T>(order, uplo, &mut r);
                let small = 1.0 / order as f64;
                for e in 0..a.data.len() {
                    let on_diagonal = e % a.ld == e / a.ld;
                    let scaled = a.data[e].c() * small;
                    a.data[e] = T::of(match on_diagonal {
                        true if diag == b'U' => C::new(f64::NAN, f64::NAN),
                        true => scaled + C::new(1.0, 0.5),
                        false => scaled,
                    });
                }
                let element = |i: usize, j: usize| {
                    let (x, y) = if trans == b'N' { (i, j) } else { (j, i) };
                    match x == y {
                        true if diag == b'U' => C::new(1.0, 0.0),
                        false if (x < y) != (uplo == b'U') => C::default(),
                        _ => op(&a, trans, i, j),
                    }
                };
                let alpha: T = r.element();
                for name in ["trmm", "trsm"] {
                    let before = Matrix::<T>::random(m, n, &mut r);
                    let mut b = before.clone();
                    let f: Trxm<T> = routine::<T, _>(name);
                    // SAFETY: the matrices have these sizes.
                    unsafe {
                        f(
                            &side,
                            &uplo,
                            &trans,
                            &diag,
                            &int(m),
                            &int(n),
                            &alpha,
                            a.data.as_ptr(),
                            &int(a.ld),
                            b.data.as_mut_ptr(),
                            &int(b.ld),
                        );
                    }
                    assert!(b.guards_stand());
                    // A product is compared; a solution is multiplied back.
                    let product = |x: &Matrix<T>, i: usize, j: usize, p: usize| match side {
                        b'L' => element(i, p) * x.at(p, j),
                        _ => x.at(i, p) * element(p, j),
                    };
                    for (i, j) in (0..m * n).map(|e| (e % m, e / m)) {
                        let good = if name == "trmm" {
                            let terms = (0..order).map(|p| alpha.c() * product(&before, i, j, p));
                            close(b.data[i + j * b.ld], terms)
                        } else {
                            let back = (0..order).map(|p| product(&b, i, j, p));
                            let target = T::of(alpha.c() * before.at(i, j));
                            close(target, back)
                        };
                        let letters = [side, uplo, trans, diag].map(char::from);
                        assert!(good, "{}{name} {letters:?} {m} {n} at {i} {j}", T::LETTER);
                    }
                }
            }
        }
    }
}
