//! Level 1 against plain loops.

use super::{C, Element, Random, close, symbol};

type In<T> = *const T;
type Update<T> = unsafe extern "C" fn(In<i32>, In<T>, In<T>, In<i32>, *mut T, In<i32>);
type Scale<T> = unsafe extern "C" fn(In<i32>, In<T>, *mut T, In<i32>);
type Move<T> = unsafe extern "C" fn(In<i32>, *mut T, In<i32>, *mut T, In<i32>);
type Dot<T> = unsafe extern "C" fn(In<i32>, In<T>, In<i32>, In<T>, In<i32>) -> T;
type Sum<T, R> = unsafe extern "C" fn(In<i32>, In<T>, In<i32>) -> R;
type Rotate<T, R> = unsafe extern "C" fn(In<i32>, *mut T, In<i32>, *mut T, In<i32>, In<R>, In<R>);

/// A vector of random elements, by its place in memory.
#[derive(Clone)]
struct Vector<T> {
    n: usize,
    inc: i32,
    data: Vec<T>,
}

impl<T: Element> Vector<T> {
    fn random(n: usize, inc: i32, r: &mut Random) -> Self {
        let data = (0..n * inc.unsigned_abs() as usize)
            .map(|_| r.element())
            .collect();
        Vector { n, inc, data }
    }
    fn at(&self, i: usize) -> T {
        let i = if self.inc < 0 { self.n - 1 - i } else { i };
        self.data[i * self.inc.unsigned_abs() as usize]
    }
    fn p(&mut self) -> *mut T {
        self.data.as_mut_ptr()
    }
}

/// Calls one routine of level 1, drawn like its operands, and checks the result.
pub fn check<T: Element>(n: usize, r: &mut Random) {
    let pick = |r: &mut Random, from: usize| ((r.next() + 1.0) / 2.0 * from as f64) as usize;
    let incs: [i32; 2] = std::array::from_fn(|_| [1, 1, -1, 2, -3][pick(r, 5)]);
    let (mut x, mut y) = (
        Vector::<T>::random(n, incs[0], r),
        Vector::<T>::random(n, incs[1], r),
    );
    let (old_x, old_y) = (x.clone(), y.clone());
    let alpha: T = r.element();
    let length = n as i32;
    let complex = matches!(T::LETTER, 'c' | 'z');
    let letter = T::LETTER;
    // Sums of sizes; and names of routines with two letters.
    let sized = match letter {
        'c' => "sc".to_string(),
        'z' => "dz".to_string(),
        l => l.to_string(),
    };
    let each = |what: &str, good: &dyn Fn(usize) -> bool| {
        let wrong = (0..n).find(|&i| !good(i));
        assert_eq!(wrong, None, "{letter}{what} {n} {incs:?}");
    };
    let whole = |what: &str, good: bool| assert!(good, "{letter}{what} {n} {incs:?}");
    // SAFETY: the types are the routines'; the vectors have the length and increments that are passed.
    unsafe {
        match pick(r, 8) {
            0 => {
                let f: Update<T> = symbol(&format!("{letter}axpy_"));
                f(&length, &alpha, x.p(), &incs[0], y.p(), &incs[1]);
                each("axpy", &|i| {
                    close(
                        y.at(i),
                        [alpha.c() * x.at(i).c(), old_y.at(i).c()].into_iter(),
                    )
                });
            }
            1 => {
                let inc = incs[0].abs();
                x.inc = inc;
                let old = x.clone();
                let f: Scale<T> = symbol(&format!("{letter}scal_"));
                f(&length, &alpha, x.p(), &inc);
                each("scal", &|i| {
                    close(x.at(i), [alpha.c() * old.at(i).c()].into_iter())
                });
            }
            2 => {
                let f: Move<T> = symbol(&format!("{letter}copy_"));
                f(&length, x.p(), &incs[0], y.p(), &incs[1]);
                each("copy", &|i| {
                    y.at(i) == old_x.at(i) && x.at(i) == old_x.at(i)
                });
            }
            3 => {
                let f: Move<T> = symbol(&format!("{letter}swap_"));
                f(&length, x.p(), &incs[0], y.p(), &incs[1]);
                each("swap", &|i| {
                    y.at(i) == old_x.at(i) && x.at(i) == old_y.at(i)
                });
            }
            4 => {
                let conj = complex && pick(r, 2) == 1;
                let name = if conj {
                    "dotc"
                } else if complex {
                    "dotu"
                } else {
                    "dot"
                };
                let f: Dot<T> = symbol(&format!("{letter}{name}_"));
                let got = f(&length, x.p(), &incs[0], y.p(), &incs[1]);
                let left = |i| {
                    if conj {
                        x.at(i).c().conj()
                    } else {
                        x.at(i).c()
                    }
                };
                whole(name, close(got, (0..n).map(|i| left(i) * y.at(i).c())));
            }
            5 => {
                let inc = incs[0].abs();
                x.inc = inc;
                let sum: Sum<T, T::Real> = symbol(&format!("{sized}asum_"));
                let norm: Sum<T, T::Real> = symbol(&format!("{sized}nrm2_"));
                let (sum, norm) = (
                    T::widen(sum(&length, x.p(), &inc)),
                    T::widen(norm(&length, x.p(), &inc)),
                );
                let real = |v: f64| C::new(v, 0.0);
                let parts = |i: usize| x.at(i).c().re.abs() + x.at(i).c().im.abs();
                whole(
                    "asum",
                    close(T::of(real(sum)), (0..n).map(|i| real(parts(i)))),
                );
                // The square of the norm, where rounding to T is of no account beside the bound.
                whole(
                    "nrm2",
                    close(
                        T::of(real(norm * norm)),
                        (0..n).map(|i| real(x.at(i).c().norm_sqr())),
                    ),
                );
            }
            6 => {
                let inc = incs[0].abs();
                x.inc = inc;
                let f: Sum<T, i32> = symbol(&format!("i{letter}amax_"));
                let got = f(&length, x.p(), &inc) as usize;
                let size = |i: usize| x.at(i).c().re.abs() + x.at(i).c().im.abs();
                let largest = (0..n).map(size).fold(0.0, f64::max);
                // Sizes are rounded sums: another as large but for rounding may be meant.
                whole(
                    "amax",
                    (1..=n).contains(&got) && size(got - 1) >= largest * (1.0 - 2.0 * T::EPS),
                );
            }
            _ => {
                let name = match letter {
                    'c' => "csrot_",
                    'z' => "zdrot_",
                    's' => "srot_",
                    _ => "drot_",
                };
                let f: Rotate<T, T::Real> = symbol(name);
                let (c, s) = (T::real(0.6), T::real(0.8));
                f(&length, x.p(), &incs[0], y.p(), &incs[1], &c, &s);
                let (c, s) = (T::widen(c), T::widen(s));
                each("rot", &|i| {
                    let (a, b) = (old_x.at(i).c(), old_y.at(i).c());
                    close(x.at(i), [a * c, b * s].into_iter())
                        && close(y.at(i), [b * c, -a * s].into_iter())
                });
            }
        }
    }
}
