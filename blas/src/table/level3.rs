//! Rows of level 3.

use super::{FLOATS, Given, SINGLE_DOUBLE, routines};
use crate::level3 as blas;
use num_complex::Complex64;
use suanzi_ops::table::call::Call;
use suanzi_ops::table::{Kind, Limit, Row};

routines! {
    "blas_gemm", "C = alpha · A · B + beta · C.", FLOATS, GEMM,
        |x, c| blas::gemm(x.alpha, x.a("ta")?, x.b("tb")?, x.beta, c),
        |g: &Given| g.product(g.a("ta"), g.b("tb"), None);
    "blas_gemmt", "As gemm, one triangle of C.", SINGLE_DOUBLE, &[
            "9x5@T:5x9:moderate,T:9x9:moderate,alpha=0.5,beta=2,uplo=l,x=moderate",
            "9x5x2@T:5x9x2:moderate,T:9x9x2:moderate,alpha=0.5;1,beta=2;-1,uplo=u,x=moderate",
            "131x5@T:5x131:moderate,T:131x131:moderate,alpha=0.5,beta=2,uplo=l,x=moderate",
            "67x5x2@T:5x67x2:moderate,T:67x67x2:moderate,alpha=0.5;1,beta=2;-1,uplo=u,x=moderate",
            "5x4@T:4x6,T:5x6,uplo=u",
        ],
        |x, c| blas::gemmt(x.uplo, x.alpha, x.a("ta")?, x.b("tb")?, x.beta, c),
        |g: &Given| g.product(g.a("ta"), g.b("tb"), Some(g.uplo));
    "blas_symm", "As gemm, A symmetric, on either side.", SINGLE_DOUBLE, BESIDE,
        |x, c| blas::symm(x.side, x.uplo, (x.alpha, x.matrix(0)?), x.matrix(1)?, (x.beta, c)),
        |g: &Given| g.beside(g.dense(0).mirrored(g.uplo, false));
    "blas_hemm", "As gemm, A Hermitian, on either side.", SINGLE_DOUBLE, BESIDE,
        |x, c| blas::hemm(x.side, x.uplo, (x.alpha, x.matrix(0)?), x.matrix(1)?, (x.beta, c)),
        |g: &Given| g.beside(g.dense(0).mirrored(g.uplo, true));
    "blas_syrk", "C = alpha · A · Aᵀ + beta · C, one triangle.", SINGLE_DOUBLE, RANK_K,
        |x, c| blas::syrk(x.uplo, (x.alpha, x.matrix(0)?), (x.beta, c)),
        |g: &Given| g.product(g.dense(0), g.dense(0).t(), Some(g.uplo));
    "blas_herk", "C = alpha · A · Aᴴ + beta · C, one triangle, its diagonal real.", SINGLE_DOUBLE, RANK_K,
        |x, c| blas::herk(x.uplo, (x.alpha.re, x.matrix(0)?), (x.beta.re, c)),
        |g: &Given| g.hermitian(&[(Complex64::from(g.alpha.re), g.dense(0), g.dense(0).h())]);
    "blas_syr2k", "C = alpha · (A · Bᵀ + B · Aᵀ) + beta · C, one triangle.", SINGLE_DOUBLE, RANK_2K,
        |x, c| blas::syr2k(x.uplo, (x.alpha, x.matrix(0)?, x.matrix(1)?), (x.beta, c)),
        |g: &Given| g.terms(&[
            (g.alpha, g.dense(0), g.dense(1).t()),
            (g.alpha, g.dense(1), g.dense(0).t()),
        ], Some(g.uplo));
    "blas_her2k", "C = alpha · A · Bᴴ + conj(alpha) · B · Aᴴ + beta · C, one triangle, its diagonal real.", SINGLE_DOUBLE, RANK_2K,
        |x, c| blas::her2k(x.uplo, (x.alpha, x.matrix(0)?, x.matrix(1)?), (x.beta.re, c)),
        |g: &Given| g.hermitian(&[
            (g.alpha, g.dense(0), g.dense(1).h()),
            (g.alpha.conj(), g.dense(1), g.dense(0).h()),
        ]);
    "blas_syrkx", "As gemmt of A and Bᵀ.", SINGLE_DOUBLE, RANK_2K,
        |x, c| blas::syrkx(x.uplo, (x.alpha, x.matrix(0)?, x.matrix(1)?), (x.beta, c)),
        |g: &Given| g.product(g.dense(0), g.dense(1).t(), Some(g.uplo));
    "blas_herkx", "As gemmt of A and Bᴴ, the diagonal real.", SINGLE_DOUBLE, RANK_2K,
        |x, c| blas::herkx(x.uplo, (x.alpha, x.matrix(0)?, x.matrix(1)?), (x.beta.re, c)),
        |g: &Given| g.hermitian(&[(g.alpha, g.dense(0), g.dense(1).h())]);
    "blas_trmm", "B = alpha · A · B or alpha · B · A, A triangular.", SINGLE_DOUBLE, TRIANGULAR,
        |x, b| blas::trmm(x.side, x.uplo, x.diag, (x.alpha, x.a("ta")?), b),
        |g: &Given| g.triangular(g.a("ta"), false);
    "blas_trsm", "B = alpha · A⁻¹ · B or alpha · B · A⁻¹, A triangular.", SINGLE_DOUBLE, TRIANGULAR,
        |x, b| blas::trsm(x.side, x.uplo, x.diag, (x.alpha, x.a("ta")?), b),
        |g: &Given| g.triangular(g.a("ta"), true);
}

const GEMM: &[&str] = &[
    "5x3@T:3x7,T:5x7,alpha=0.5,beta=2",
    "13x9@T:9x35:moderate,T:13x35:moderate,alpha=-1.5,beta=0.25,x=moderate,order=ccc",
    "9x13@T:9x35:moderate,T:13x35:moderate,alpha=1,beta=1,ta=t,x=moderate,order=rcw",
    "9x13@T:35x9:moderate,T:13x35:moderate,alpha=1,beta=0,ta=t,tb=t,x=moderate,order=wcr",
    // NaN in C would show.
    "13x9@T:9x35:moderate,T:13x35,alpha=1,beta=0,x=moderate,order=rrc",
    // NaN in A would show.
    "13x9@T:9x35,T:13x35:moderate,alpha=0,beta=0.5",
    "1x9@T:9x1:moderate,T:1x1:moderate,x=moderate,order=ccc",
    "2x12x9@T:2x9x33:moderate,T:2x12x33:moderate,alpha=1,beta=1,x=moderate,order=crc",
    "5x3x2@T:3x7x2:moderate,T:5x7x2:moderate,alpha=0.5,beta=2,x=moderate",
    "13x9x2@T:9x17x2:moderate,T:13x17x2:moderate,alpha=0.5;-1,beta=0.25;2,x=moderate,order=ccc",
    "9x13x2@T:9x17x2:moderate,T:13x17x2:moderate,alpha=1;1,beta=0;1,ta=h,x=moderate,order=rcr",
    "9x13x2@T:17x9x2:moderate,T:13x17x2:moderate,ta=h,tb=h,beta=1,x=moderate,order=wrw",
    "9x13x2@T:17x9x2:moderate,T:13x17x2:moderate,ta=t,tb=h,x=moderate,order=crr",
    "3x8x9x2@T:3x9x6x2:moderate,T:3x8x6x2:moderate,tb=n,beta=-1,x=moderate,order=rrc",
    "33x40x2@T:40x65x2:moderate,T:33x65x2:moderate,x=moderate",
    // Whole tiles of every configuration, and their edges.
    "129x9@T:9x131:moderate,T:129x131:moderate,alpha=-1.5,beta=0.25,x=moderate",
    "67x5x2@T:5x131x2:moderate,T:67x131x2:moderate,alpha=0.5;-1,beta=0.25;2,x=moderate,order=ccc",
    "12x0@T:0x32,T:12x32:moderate,beta=-1",
    "0x4@T:4x3,T:0x3,beta=1",
    "3x4@T:4x3,T:4x3",
    "3x4@T:5x3,T:3x3",
];

const BESIDE: &[&str] = &[
    "7x7@T:7x5:moderate,T:7x5:moderate,alpha=0.5,beta=2,uplo=l,side=l,x=moderate",
    "13x13@T:35x13:moderate,T:35x13:moderate,alpha=-1,beta=1,uplo=u,side=r,x=moderate,order=crc",
    "13x13@T:13x35:moderate,T:13x35,uplo=u,side=l,x=moderate,order=rcr",
    "6x6x2@T:6x5x2:moderate,T:6x5x2:moderate,alpha=1;2,beta=1;-1,uplo=l,side=l,x=moderate",
    "6x6x2@T:5x6x2:moderate,T:5x6x2:moderate,beta=1,uplo=u,side=r,x=moderate,order=ccc",
    "2x6x6x2@T:2x5x6x2:moderate,T:2x5x6x2:moderate,beta=1,uplo=l,side=r,x=moderate",
    "131x131@T:131x67:moderate,T:131x67:moderate,alpha=0.5,beta=2,uplo=l,side=l,x=moderate",
    "67x67x2@T:67x5x2:moderate,T:67x5x2:moderate,alpha=1;2,beta=1;-1,uplo=u,side=l,x=moderate",
    "5x6@T:6x3,T:5x3",
];

const RANK_K: &[&str] = &[
    "7x5@T:7x7:moderate,alpha=0.5,beta=2,uplo=l,x=moderate",
    "33x9@T:33x33:moderate,alpha=-1,beta=1,uplo=u,x=moderate,order=cc",
    "9x3@T:9x9,beta=0,uplo=l,x=moderate,order=wr",
    "7x5x2@T:7x7x2:moderate,alpha=0.5,beta=2,uplo=l,x=moderate",
    "17x5x2@T:17x17x2:moderate,alpha=1;-1,beta=0.5;1,uplo=u,x=moderate,order=cc",
    "4x0x2@T:4x4x2:moderate,alpha=2,beta=0.5,uplo=u",
    "2x7x5@T:2x7x7:moderate,beta=1,uplo=u,x=moderate",
    "131x5@T:131x131:moderate,alpha=0.5,beta=2,uplo=l,x=moderate",
    "67x5x2@T:67x67x2:moderate,alpha=1;-1,beta=0.5;1,uplo=u,x=moderate",
    // More than one product.
    "515x2@T:515x515:moderate,alpha=0.5,beta=2,uplo=l,x=moderate,order=cc",
    "515x2@T:515x515:moderate,alpha=0.5,beta=2,uplo=u,x=moderate,order=rc",
    "7x5@T:6x6",
];

const RANK_2K: &[&str] = &[
    "7x5@T:7x5:moderate,T:7x7:moderate,alpha=0.5,beta=2,uplo=l,x=moderate",
    "33x9@T:33x9:moderate,T:33x33:moderate,alpha=-1,beta=1,uplo=u,x=moderate,order=crc",
    "7x5x2@T:7x5x2:moderate,T:7x7x2:moderate,alpha=0.5;2,beta=2,uplo=l,x=moderate",
    "17x5x2@T:17x5x2:moderate,T:17x17x2:moderate,alpha=1;-1,beta=0.5,uplo=u,x=moderate,order=ccc",
    "131x5@T:131x5:moderate,T:131x131:moderate,alpha=0.5,beta=2,uplo=l,x=moderate",
    "67x5x2@T:67x5x2:moderate,T:67x67x2:moderate,alpha=0.5;2,beta=2,uplo=u,x=moderate",
    "7x5@T:7x4,T:7x7",
];

const TRIANGULAR: &[&str] = &[
    "7x7@T:7x5:moderate,alpha=0.5,uplo=l,x=near1",
    "33x33@T:33x9:moderate,uplo=u,x=near1,order=cc",
    "13x13@T:6x13:moderate,alpha=2,uplo=u,side=r,x=near1",
    "13x13@T:6x13:moderate,alpha=2,uplo=l,side=r,diag=u,x=near1,order=cw",
    "70x70@T:70x9:moderate,uplo=l,diag=u,x=near1",
    "70x70@T:70x9:moderate,uplo=u,ta=t,x=near1",
    "131x131@T:131x3:moderate,uplo=l,x=near1,order=cc",
    "131x131@T:3x131:moderate,uplo=l,side=r,ta=t,x=near1",
    "9x9x2@T:9x5x2:moderate,alpha=0.5;1,uplo=l,x=near1",
    "66x66x2@T:66x3x2:moderate,uplo=u,ta=h,x=near1,order=cc",
    "9x9x2@T:5x9x2:moderate,uplo=l,side=r,diag=u,ta=t,x=near1",
    "2x9x9@T:2x9x5:moderate,uplo=u,x=near1",
    "5x5@T:5x3,alpha=0,uplo=u",
    "5x5@T:5x0,uplo=u,x=near1",
    "5x5@T:4x3,uplo=u",
    "5x4@T:5x3,uplo=u",
];
