//! The four routines that make rotations: rotg (real and complex) and rotmg. Scalars only.

use crate::scalar::{Real, Scalar};
use num_traits::{Float, One, Zero, cast};

/// The smallest number whose inverse does not overflow, and that inverse.
fn safe<R: Real>() -> (R, R) {
    let min = <R as Float>::min_positive_value();
    (min, <R as One>::one() / min)
}

/// Real: r = ±√(a²+b²), c = a/r, s = b/r, and z from which c and s can be had back.
pub fn rotg<R: Real>(a: &mut R, b: &mut R, c: &mut R, s: &mut R) {
    let (zero, one) = (<R as Zero>::zero(), <R as One>::one());
    let (min, max) = safe::<R>();
    let (na, nb) = (Float::abs(*a), Float::abs(*b));
    if nb == zero {
        (*c, *s, *b) = (one, zero, zero);
    } else if na == zero {
        (*c, *s, *a, *b) = (zero, one, *b, one);
    } else {
        let scale = Float::min(max, Float::max(min, Float::max(na, nb)));
        let sign = Float::signum(if na > nb { *a } else { *b });
        let (u, v) = (*a / scale, *b / scale);
        let r = sign * (scale * Float::sqrt(u * u + v * v));
        (*c, *s) = (*a / r, *b / r);
        let z = if na > nb {
            *s
        } else if *c != zero {
            one / *c
        } else {
            one
        };
        (*a, *b) = (r, z);
    }
}

/// Complex: [c s; -conj(s) c]·[a; b] = [r; 0] with real c; a becomes r.
///
/// With p = |a| and q = √(|a|²+|b|²): c = p/q, r = a·q/p, s = (a/p)·conj(b)/q. Everything is
/// first divided by powers of two that bring |a| and |b| near 1.
pub fn rotg_complex<T: Scalar>(a: &mut T, b: T, c: &mut T::Real, s: &mut T) {
    let (zero, one) = (<T::Real as Zero>::zero(), <T::Real as One>::one());
    let largest = |v: T| Float::max(Float::abs(v.re()), Float::abs(v.im()));
    let (ma, mb) = (largest(*a), largest(b));
    if b.is_zero() {
        (*c, *s) = (one, T::zero());
        return;
    }
    let power = |v: T::Real| {
        let e = Float::floor(Float::log2(v));
        let limit = Float::floor(Float::log2(safe::<T::Real>().1)) - one;
        Float::powf(
            cast::<f64, T::Real>(2.0).unwrap_or(one),
            Float::max(-limit, Float::min(limit, e)),
        )
    };
    let modulus = |v: T| Float::hypot(v.re(), v.im());
    if a.is_zero() {
        let u = power(mb);
        let g = b.scale(one / u);
        let d = modulus(g);
        (*c, *s, *a) = (zero, g.conj().scale(one / d), T::real(d * u));
        return;
    }
    // Both over the larger's power of two; a much smaller a over its own.
    let u = power(Float::max(ma, mb));
    let v = power(ma);
    let (f, g) = (a.scale(one / v), b.scale(one / u));
    let w = v / u; // |a| in units of u is |f|·w
    let p = modulus(f);
    let q = Float::hypot(p * w, modulus(g));
    let phase = f.scale(one / p);
    *c = (p * w) / q;
    *s = phase * g.conj().scale(one / q);
    *a = phase.scale(q).scale(u);
}

/// The modified rotation H that makes the second component of (√d1·x1, √d2·y1) zero, kept within
/// a range by factors of 4096².
pub fn rotmg<R: Real>(d1: &mut R, d2: &mut R, x1: &mut R, y1: R, param: &mut [R; 5]) {
    let (zero, one) = (<R as Zero>::zero(), <R as One>::one());
    let gam = cast::<f64, R>(4096.0).unwrap_or(one);
    let gamsq = gam * gam;
    let two = one + one;
    let (mut h11, mut h12, mut h21, mut h22) = (zero, zero, zero, zero);
    let mut flag;
    if *d1 < zero {
        flag = -one;
        (*d1, *d2, *x1) = (zero, zero, zero);
    } else {
        let p2 = *d2 * y1;
        if p2 == zero {
            param[0] = -two;
            return;
        }
        let p1 = *d1 * *x1;
        let q2 = p2 * y1;
        let q1 = p1 * *x1;
        if Float::abs(q1) > Float::abs(q2) {
            h21 = -y1 / *x1;
            h12 = p2 / p1;
            let u = one - h12 * h21;
            if u > zero {
                flag = zero;
                *d1 /= u;
                *d2 /= u;
                *x1 *= u;
            } else {
                // Only rounding gets here.
                flag = -one;
                (h12, h21) = (zero, zero);
                (*d1, *d2, *x1) = (zero, zero, zero);
            }
        } else if q2 < zero {
            flag = -one;
            (*d1, *d2, *x1) = (zero, zero, zero);
        } else {
            flag = one;
            h11 = p1 / p2;
            h22 = *x1 / y1;
            let u = one + h11 * h22;
            (*d1, *d2) = (*d2 / u, *d1 / u);
            *x1 = y1 * u;
        }
        // From here on all of H is stored: flag -1, with what the flag implied written out.
        let mut store_all = |h11: &mut R, h12: &mut R, h21: &mut R, h22: &mut R| {
            if flag == zero {
                (*h11, *h22) = (one, one);
            } else if flag == one {
                (*h21, *h12) = (-one, one);
            }
            flag = -one;
        };
        if *d1 != zero {
            while *d1 <= one / gamsq || *d1 >= gamsq {
                store_all(&mut h11, &mut h12, &mut h21, &mut h22);
                if *d1 <= one / gamsq {
                    *d1 *= gamsq;
                    (*x1, h11, h12) = (*x1 / gam, h11 / gam, h12 / gam);
                } else {
                    *d1 /= gamsq;
                    (*x1, h11, h12) = (*x1 * gam, h11 * gam, h12 * gam);
                }
                if !Float::is_finite(*d1) {
                    break;
                }
            }
        }
        if *d2 != zero {
            while Float::abs(*d2) <= one / gamsq || Float::abs(*d2) >= gamsq {
                store_all(&mut h11, &mut h12, &mut h21, &mut h22);
                if Float::abs(*d2) <= one / gamsq {
                    *d2 *= gamsq;
                    (h21, h22) = (h21 / gam, h22 / gam);
                } else {
                    *d2 /= gamsq;
                    (h21, h22) = (h21 * gam, h22 * gam);
                }
                if !Float::is_finite(*d2) {
                    break;
                }
            }
        }
    }
    if flag < zero {
        *param = [flag, h11, h21, h12, h22];
    } else if flag == zero {
        (param[0], param[2], param[3]) = (flag, h21, h12);
    } else {
        (param[0], param[1], param[4]) = (flag, h11, h22);
    }
}
