//! Level 3 on the host: each routine is a few products (see `product`), or a triangle in place
//! (see `triangular`).

use crate::args::{Diag, Side, Uplo};
use crate::kernels::{self, tile::Keep};
use crate::operand::{Operand, View};
use crate::product::Product;
use crate::scalar::Scalar;
use crate::triangular::Triangular;

/// C := beta·C where C is kept.
unsafe fn scale<T: Scalar>(m: usize, n: usize, beta: T, c: *mut T, ldc: usize, keep: Keep) {
    for j in 0..n {
        let (lo, hi) = match keep {
            Keep::All => (0, m),
            Keep::Upper(_) => (0, j + 1),
            Keep::Lower(_) => (j, m),
        };
        // SAFETY: the caller's matrix has these rows in column j.
        unsafe { kernels::times(hi - lo, beta, c.add(j * ldc + lo)) };
    }
}

/// C := alpha·A·B + beta·C.
pub unsafe fn gemm<T: Scalar>(
    m: usize,
    n: usize,
    k: usize,
    alpha: T,
    a: View<T>,
    b: View<T>,
    beta: T,
    c: *mut T,
    ldc: usize,
) {
    let (a, b) = (Operand::Dense(a), Operand::Dense(b.transposed()));
    // SAFETY: the caller's promise.
    unsafe {
        if alpha.is_zero() || k == 0 {
            return scale(m, n, beta, c, ldc, Keep::All);
        }
        Product {
            m,
            n,
            k,
            alpha,
            a,
            b,
            beta,
            c,
            ldc: ldc as isize,
            keep: Keep::All,
        }
        .run();
    }
}

/// C := alpha·A·B + beta·C or alpha·B·A + beta·C, with a symmetric or Hermitian A.
pub unsafe fn symm<T: Scalar>(
    herm: bool,
    side: Side,
    uplo: Uplo,
    m: usize,
    n: usize,
    alpha: T,
    a: View<T>,
    b: View<T>,
    beta: T,
    c: *mut T,
    ldc: usize,
) {
    let a = Operand::Symmetric {
        view: a,
        uplo,
        herm,
    };
    // SAFETY: the caller's promise.
    unsafe {
        if alpha.is_zero() {
            return scale(m, n, beta, c, ldc, Keep::All);
        }
        let (k, a, b) = match side {
            Side::Left => (m, a, Operand::Dense(b.transposed())),
            Side::Right => (n, Operand::Dense(b), a.transposed()),
        };
        Product {
            m,
            n,
            k,
            alpha,
            a,
            b,
            beta,
            c,
            ldc: ldc as isize,
            keep: Keep::All,
        }
        .run();
    }
}

/// Makes the diagonal real.
unsafe fn real_diagonal<T: Scalar>(n: usize, c: *mut T, ldc: usize) {
    for j in 0..n {
        // SAFETY: the caller's matrix has this element.
        unsafe {
            let d = c.add(j * ldc + j);
            *d = T::real((*d).re());
        }
    }
}

/// The sum of the products, on top of beta·C, in one triangle of C.
unsafe fn update<T: Scalar>(
    herm: bool,
    uplo: Uplo,
    n: usize,
    k: usize,
    products: &[(T, View<T>, View<T>)],
    beta: T,
    c: *mut T,
    ldc: usize,
) {
    let keep = match uplo {
        Uplo::Upper => Keep::Upper(0),
        Uplo::Lower => Keep::Lower(0),
    };
    // SAFETY: the caller's promise.
    unsafe {
        if herm {
            real_diagonal(n, c, ldc);
        }
        if k == 0 || products[0].0.is_zero() {
            return scale(n, n, beta, c, ldc, keep);
        }
        for (i, &(alpha, a, b)) in products.iter().enumerate() {
            let (a, b) = (Operand::Dense(a), Operand::Dense(b));
            let beta = if i == 0 { beta } else { T::one() };
            Product {
                m: n,
                n,
                k,
                alpha,
                a,
                b,
                beta,
                c,
                ldc: ldc as isize,
                keep,
            }
            .run();
        }
        if herm {
            real_diagonal(n, c, ldc);
        }
    }
}

/// C := alpha·op(A)·op(A)ᵗ + beta·C, or with the conjugate transpose; `a` is n x k already.
pub unsafe fn syrk<T: Scalar>(
    herm: bool,
    uplo: Uplo,
    trans: bool,
    n: usize,
    k: usize,
    alpha: T,
    a: View<T>,
    beta: T,
    c: *mut T,
    ldc: usize,
) {
    let (left, right) = (a.conj_if(herm && trans), a.conj_if(herm && !trans));
    // SAFETY: the caller's promise.
    unsafe { update(herm, uplo, n, k, &[(alpha, left, right)], beta, c, ldc) }
}

/// C := alpha·A·Bᵗ + alpha·B·Aᵗ + beta·C, or alpha·A·Bᴴ + conj(alpha)·B·Aᴴ + beta·C.
pub unsafe fn syr2k<T: Scalar>(
    herm: bool,
    uplo: Uplo,
    trans: bool,
    n: usize,
    k: usize,
    alpha: T,
    a: View<T>,
    b: View<T>,
    beta: T,
    c: *mut T,
    ldc: usize,
) {
    let (left, right) = (herm && trans, herm && !trans);
    let products = [
        (alpha, a.conj_if(left), b.conj_if(right)),
        (alpha.conj_if(herm), b.conj_if(left), a.conj_if(right)),
    ];
    // SAFETY: the caller's promise.
    unsafe { update(herm, uplo, n, k, &products, beta, c, ldc) }
}

/// B := alpha·op(A)·B or alpha·B·op(A), or with the inverse; `a` is op(A), `trans` says whether
/// its triangle is transposed against `uplo`.
pub unsafe fn triangular<T: Scalar>(
    solve: bool,
    side: Side,
    uplo: Uplo,
    trans: bool,
    diag: Diag,
    m: usize,
    n: usize,
    alpha: T,
    a: View<T>,
    b: *mut T,
    ldb: usize,
) {
    let b_view = View {
        at: b.cast_const(),
        rs: 1,
        cs: ldb as isize,
        conj: false,
    };
    let mut upper = (uplo == Uplo::Upper) != trans;
    let (r, k, mut u, mut x) = match side {
        Side::Right => (m, n, a, b_view),
        Side::Left => (n, m, a.transposed(), b_view.transposed()),
    };
    upper ^= side == Side::Left;
    if !upper {
        // Reversing both orders makes a lower triangle an upper one.
        let last = k - 1;
        u = View {
            rs: -u.rs,
            cs: -u.cs,
            ..u.from(last, last)
        };
        x = View {
            cs: -x.cs,
            ..x.from(0, last)
        };
    }
    // SAFETY: the caller's promise.
    unsafe {
        if alpha.is_zero() {
            return scale(m, n, alpha, b, ldb, Keep::All);
        }
        Triangular {
            solve,
            unit: diag == Diag::Unit,
            r,
            k,
            alpha,
            u,
            x,
        }
        .run();
    }
}
