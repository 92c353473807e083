//! The ABI, as tables: for each routine its parameters, and for each type its name in Fortran and
//! in C. One line of a table makes two exported functions, which read the parameters each in its
//! manner (see `args::Param`) and call the same generic routine.

use crate::args::{Caller, Chosen, Diag, Op, Param, Side, Uplo};
use crate::dispatch::Entry;
use crate::scalar::Scalar;
use crate::{Int, error, routines};
use num_complex::Complex;

type C32 = Complex<f32>;
type C64 = Complex<f64>;
type Trans = Chosen<Op>;
type Half = Chosen<Uplo>;
type Unit = Chosen<Diag>;
type Where = Chosen<Side>;

/// Routines of level 1, which know no layout; the C form has the same parameters and result.
macro_rules! vectors {
    ($($routine:ident $args:tt -> $out:ty { $($name:literal $f:ident $c:ident $t:ty),+ })*) => {
        $($( vectors!{ @one $routine $args $out, $name $f $c $t } )+)*
    };
    (@one $routine:ident ($($arg:ident : $kind:ty),*) $out:ty, $name:literal $f:ident $c:ident $t:ty) => {
        const _: () = {
            #[allow(dead_code)]
            type T = $t;
            #[allow(dead_code)]
            type R = <$t as Scalar>::Real;
            static ENTRY: Entry = Entry::new($name);
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $f($($arg: <$kind as Param>::F),*) -> $out {
                // SAFETY: the caller's arguments are as BLAS describes them.
                unsafe { routines::$routine::<T>(&ENTRY, $(<$kind as Param>::from_fortran($arg)),*) }
            }
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $c($($arg: <$kind as Param>::C),*) -> $out {
                // SAFETY: the caller's arguments are as CBLAS describes them.
                unsafe { routines::$routine::<T>(&ENTRY, $(<$kind as Param>::from_c($arg)),*) }
            }
        };
    };
}

/// Routines of levels 2 and 3, whose C form begins with the layout.
macro_rules! matrices {
    ($($routine:ident $args:tt { $($name:literal $f:ident $c:ident $t:ty),+ })*) => {
        $($( matrices!{ @one $routine $args, $name $f $c $t } )+)*
    };
    (@one $routine:ident ($($arg:ident : $kind:ty),*), $name:literal $f:ident $c:ident $t:ty) => {
        const _: () = {
            type T = $t;
            #[allow(dead_code)]
            type R = <$t as Scalar>::Real;
            static ENTRY: Entry = Entry::new($name);
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $f($($arg: <$kind as Param>::F),*) {
                let who = Caller { entry: &ENTRY, c: false, row: false };
                // SAFETY: the caller's arguments are as BLAS describes them.
                unsafe {
                    // A wrong argument was reported: there is nothing else to do.
                    let _ = routines::$routine::<T>(who, $(<$kind as Param>::from_fortran($arg)),*);
                }
            }
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $c(layout: i32, $($arg: <$kind as Param>::C),*) {
                let row = match layout {
                    101 => true,
                    102 => false,
                    other => return error::report_number($name, 1, "layout", other),
                };
                let who = Caller { entry: &ENTRY, c: true, row };
                // SAFETY: the caller's arguments are as CBLAS describes them.
                unsafe {
                    // As above.
                    let _ = routines::$routine::<T>(who, $(<$kind as Param>::from_c($arg)),*);
                }
            }
        };
    };
}

vectors! {
    axpy(n: Int, alpha: T, x: *const T, incx: Int, y: *mut T, incy: Int) -> () {
        "saxpy" saxpy_ cblas_saxpy f32, "daxpy" daxpy_ cblas_daxpy f64,
        "caxpy" caxpy_ cblas_caxpy C32, "zaxpy" zaxpy_ cblas_zaxpy C64
    }
    copy(n: Int, x: *const T, incx: Int, y: *mut T, incy: Int) -> () {
        "scopy" scopy_ cblas_scopy f32, "dcopy" dcopy_ cblas_dcopy f64,
        "ccopy" ccopy_ cblas_ccopy C32, "zcopy" zcopy_ cblas_zcopy C64
    }
    swap(n: Int, x: *mut T, incx: Int, y: *mut T, incy: Int) -> () {
        "sswap" sswap_ cblas_sswap f32, "dswap" dswap_ cblas_dswap f64,
        "cswap" cswap_ cblas_cswap C32, "zswap" zswap_ cblas_zswap C64
    }
    scal(n: Int, alpha: T, x: *mut T, incx: Int) -> () {
        "sscal" sscal_ cblas_sscal f32, "dscal" dscal_ cblas_dscal f64,
        "cscal" cscal_ cblas_cscal C32, "zscal" zscal_ cblas_zscal C64
    }
    scal_real(n: Int, alpha: R, x: *mut T, incx: Int) -> () {
        "csscal" csscal_ cblas_csscal C32, "zdscal" zdscal_ cblas_zdscal C64
    }
    dotu(n: Int, x: *const T, incx: Int, y: *const T, incy: Int) -> T {
        "sdot" sdot_ cblas_sdot f32, "ddot" ddot_ cblas_ddot f64
    }
    asum(n: Int, x: *const T, incx: Int) -> R {
        "sasum" sasum_ cblas_sasum f32, "dasum" dasum_ cblas_dasum f64,
        "scasum" scasum_ cblas_scasum C32, "dzasum" dzasum_ cblas_dzasum C64
    }
    nrm2(n: Int, x: *const T, incx: Int) -> R {
        "snrm2" snrm2_ cblas_snrm2 f32, "dnrm2" dnrm2_ cblas_dnrm2 f64,
        "scnrm2" scnrm2_ cblas_scnrm2 C32, "dznrm2" dznrm2_ cblas_dznrm2 C64
    }
    cabs1(x: *const T) -> R {
        "scabs1" scabs1_ cblas_scabs1 C32, "dcabs1" dcabs1_ cblas_dcabs1 C64
    }
    rot(n: Int, x: *mut T, incx: Int, y: *mut T, incy: Int, c: R, s: R) -> () {
        "srot" srot_ cblas_srot f32, "drot" drot_ cblas_drot f64,
        "csrot" csrot_ cblas_csrot C32, "zdrot" zdrot_ cblas_zdrot C64
    }
    rotm(n: Int, x: *mut T, incx: Int, y: *mut T, incy: Int, param: *const T) -> () {
        "srotm" srotm_ cblas_srotm f32, "drotm" drotm_ cblas_drotm f64
    }
    rotg(a: *mut T, b: *mut T, c: *mut T, s: *mut T) -> () {
        "srotg" srotg_ cblas_srotg f32, "drotg" drotg_ cblas_drotg f64
    }
    rotg_complex(a: *mut T, b: *const T, c: *mut R, s: *mut T) -> () {
        "crotg" crotg_ cblas_crotg C32, "zrotg" zrotg_ cblas_zrotg C64
    }
    rotmg(d1: *mut T, d2: *mut T, x1: *mut T, y1: T, param: *mut T) -> () {
        "srotmg" srotmg_ cblas_srotmg f32, "drotmg" drotmg_ cblas_drotmg f64
    }
    dsdot(n: Int, x: *const T, incx: Int, y: *const T, incy: Int) -> f64 {
        "dsdot" dsdot_ cblas_dsdot f32
    }
    sdsdot(n: Int, b: f32, x: *const T, incx: Int, y: *const T, incy: Int) -> f32 {
        "sdsdot" sdsdot_ cblas_sdsdot f32
    }
}

matrices! {
    gemv(trans: Trans, m: Int, n: Int, alpha: T, a: *const T, lda: Int, x: *const T, incx: Int, beta: T, y: *mut T, incy: Int) {
        "sgemv" sgemv_ cblas_sgemv f32, "dgemv" dgemv_ cblas_dgemv f64,
        "cgemv" cgemv_ cblas_cgemv C32, "zgemv" zgemv_ cblas_zgemv C64
    }
    gbmv(trans: Trans, m: Int, n: Int, kl: Int, ku: Int, alpha: T, a: *const T, lda: Int, x: *const T, incx: Int, beta: T, y: *mut T, incy: Int) {
        "sgbmv" sgbmv_ cblas_sgbmv f32, "dgbmv" dgbmv_ cblas_dgbmv f64,
        "cgbmv" cgbmv_ cblas_cgbmv C32, "zgbmv" zgbmv_ cblas_zgbmv C64
    }
    symv(uplo: Half, n: Int, alpha: T, a: *const T, lda: Int, x: *const T, incx: Int, beta: T, y: *mut T, incy: Int) {
        "ssymv" ssymv_ cblas_ssymv f32, "dsymv" dsymv_ cblas_dsymv f64,
        "chemv" chemv_ cblas_chemv C32, "zhemv" zhemv_ cblas_zhemv C64
    }
    sbmv(uplo: Half, n: Int, k: Int, alpha: T, a: *const T, lda: Int, x: *const T, incx: Int, beta: T, y: *mut T, incy: Int) {
        "ssbmv" ssbmv_ cblas_ssbmv f32, "dsbmv" dsbmv_ cblas_dsbmv f64,
        "chbmv" chbmv_ cblas_chbmv C32, "zhbmv" zhbmv_ cblas_zhbmv C64
    }
    spmv(uplo: Half, n: Int, alpha: T, ap: *const T, x: *const T, incx: Int, beta: T, y: *mut T, incy: Int) {
        "sspmv" sspmv_ cblas_sspmv f32, "dspmv" dspmv_ cblas_dspmv f64,
        "chpmv" chpmv_ cblas_chpmv C32, "zhpmv" zhpmv_ cblas_zhpmv C64
    }
    trmv(uplo: Half, trans: Trans, diag: Unit, n: Int, a: *const T, lda: Int, x: *mut T, incx: Int) {
        "strmv" strmv_ cblas_strmv f32, "dtrmv" dtrmv_ cblas_dtrmv f64,
        "ctrmv" ctrmv_ cblas_ctrmv C32, "ztrmv" ztrmv_ cblas_ztrmv C64
    }
    trsv(uplo: Half, trans: Trans, diag: Unit, n: Int, a: *const T, lda: Int, x: *mut T, incx: Int) {
        "strsv" strsv_ cblas_strsv f32, "dtrsv" dtrsv_ cblas_dtrsv f64,
        "ctrsv" ctrsv_ cblas_ctrsv C32, "ztrsv" ztrsv_ cblas_ztrsv C64
    }
    tbmv(uplo: Half, trans: Trans, diag: Unit, n: Int, k: Int, a: *const T, lda: Int, x: *mut T, incx: Int) {
        "stbmv" stbmv_ cblas_stbmv f32, "dtbmv" dtbmv_ cblas_dtbmv f64,
        "ctbmv" ctbmv_ cblas_ctbmv C32, "ztbmv" ztbmv_ cblas_ztbmv C64
    }
    tbsv(uplo: Half, trans: Trans, diag: Unit, n: Int, k: Int, a: *const T, lda: Int, x: *mut T, incx: Int) {
        "stbsv" stbsv_ cblas_stbsv f32, "dtbsv" dtbsv_ cblas_dtbsv f64,
        "ctbsv" ctbsv_ cblas_ctbsv C32, "ztbsv" ztbsv_ cblas_ztbsv C64
    }
    tpmv(uplo: Half, trans: Trans, diag: Unit, n: Int, ap: *const T, x: *mut T, incx: Int) {
        "stpmv" stpmv_ cblas_stpmv f32, "dtpmv" dtpmv_ cblas_dtpmv f64,
        "ctpmv" ctpmv_ cblas_ctpmv C32, "ztpmv" ztpmv_ cblas_ztpmv C64
    }
    tpsv(uplo: Half, trans: Trans, diag: Unit, n: Int, ap: *const T, x: *mut T, incx: Int) {
        "stpsv" stpsv_ cblas_stpsv f32, "dtpsv" dtpsv_ cblas_dtpsv f64,
        "ctpsv" ctpsv_ cblas_ctpsv C32, "ztpsv" ztpsv_ cblas_ztpsv C64
    }
    geru(m: Int, n: Int, alpha: T, x: *const T, incx: Int, y: *const T, incy: Int, a: *mut T, lda: Int) {
        "sger" sger_ cblas_sger f32, "dger" dger_ cblas_dger f64,
        "cgeru" cgeru_ cblas_cgeru C32, "zgeru" zgeru_ cblas_zgeru C64
    }
    gerc(m: Int, n: Int, alpha: T, x: *const T, incx: Int, y: *const T, incy: Int, a: *mut T, lda: Int) {
        "cgerc" cgerc_ cblas_cgerc C32, "zgerc" zgerc_ cblas_zgerc C64
    }
    syr(uplo: Half, n: Int, alpha: R, x: *const T, incx: Int, a: *mut T, lda: Int) {
        "ssyr" ssyr_ cblas_ssyr f32, "dsyr" dsyr_ cblas_dsyr f64,
        "cher" cher_ cblas_cher C32, "zher" zher_ cblas_zher C64
    }
    spr(uplo: Half, n: Int, alpha: R, x: *const T, incx: Int, ap: *mut T) {
        "sspr" sspr_ cblas_sspr f32, "dspr" dspr_ cblas_dspr f64,
        "chpr" chpr_ cblas_chpr C32, "zhpr" zhpr_ cblas_zhpr C64
    }
    syr2(uplo: Half, n: Int, alpha: T, x: *const T, incx: Int, y: *const T, incy: Int, a: *mut T, lda: Int) {
        "ssyr2" ssyr2_ cblas_ssyr2 f32, "dsyr2" dsyr2_ cblas_dsyr2 f64,
        "cher2" cher2_ cblas_cher2 C32, "zher2" zher2_ cblas_zher2 C64
    }
    spr2(uplo: Half, n: Int, alpha: T, x: *const T, incx: Int, y: *const T, incy: Int, ap: *mut T) {
        "sspr2" sspr2_ cblas_sspr2 f32, "dspr2" dspr2_ cblas_dspr2 f64,
        "chpr2" chpr2_ cblas_chpr2 C32, "zhpr2" zhpr2_ cblas_zhpr2 C64
    }
    gemm(transa: Trans, transb: Trans, m: Int, n: Int, k: Int, alpha: T, a: *const T, lda: Int, b: *const T, ldb: Int, beta: T, c: *mut T, ldc: Int) {
        "sgemm" sgemm_ cblas_sgemm f32, "dgemm" dgemm_ cblas_dgemm f64,
        "cgemm" cgemm_ cblas_cgemm C32, "zgemm" zgemm_ cblas_zgemm C64
    }
    symm(side: Where, uplo: Half, m: Int, n: Int, alpha: T, a: *const T, lda: Int, b: *const T, ldb: Int, beta: T, c: *mut T, ldc: Int) {
        "ssymm" ssymm_ cblas_ssymm f32, "dsymm" dsymm_ cblas_dsymm f64,
        "csymm" csymm_ cblas_csymm C32, "zsymm" zsymm_ cblas_zsymm C64
    }
    hemm(side: Where, uplo: Half, m: Int, n: Int, alpha: T, a: *const T, lda: Int, b: *const T, ldb: Int, beta: T, c: *mut T, ldc: Int) {
        "chemm" chemm_ cblas_chemm C32, "zhemm" zhemm_ cblas_zhemm C64
    }
    syrk(uplo: Half, trans: Trans, n: Int, k: Int, alpha: T, a: *const T, lda: Int, beta: T, c: *mut T, ldc: Int) {
        "ssyrk" ssyrk_ cblas_ssyrk f32, "dsyrk" dsyrk_ cblas_dsyrk f64,
        "csyrk" csyrk_ cblas_csyrk C32, "zsyrk" zsyrk_ cblas_zsyrk C64
    }
    herk(uplo: Half, trans: Trans, n: Int, k: Int, alpha: R, a: *const T, lda: Int, beta: R, c: *mut T, ldc: Int) {
        "cherk" cherk_ cblas_cherk C32, "zherk" zherk_ cblas_zherk C64
    }
    syr2k(uplo: Half, trans: Trans, n: Int, k: Int, alpha: T, a: *const T, lda: Int, b: *const T, ldb: Int, beta: T, c: *mut T, ldc: Int) {
        "ssyr2k" ssyr2k_ cblas_ssyr2k f32, "dsyr2k" dsyr2k_ cblas_dsyr2k f64,
        "csyr2k" csyr2k_ cblas_csyr2k C32, "zsyr2k" zsyr2k_ cblas_zsyr2k C64
    }
    her2k(uplo: Half, trans: Trans, n: Int, k: Int, alpha: T, a: *const T, lda: Int, b: *const T, ldb: Int, beta: R, c: *mut T, ldc: Int) {
        "cher2k" cher2k_ cblas_cher2k C32, "zher2k" zher2k_ cblas_zher2k C64
    }
    trmm(side: Where, uplo: Half, trans: Trans, diag: Unit, m: Int, n: Int, alpha: T, a: *const T, lda: Int, b: *mut T, ldb: Int) {
        "strmm" strmm_ cblas_strmm f32, "dtrmm" dtrmm_ cblas_dtrmm f64,
        "ctrmm" ctrmm_ cblas_ctrmm C32, "ztrmm" ztrmm_ cblas_ztrmm C64
    }
    trsm(side: Where, uplo: Half, trans: Trans, diag: Unit, m: Int, n: Int, alpha: T, a: *const T, lda: Int, b: *mut T, ldb: Int) {
        "strsm" strsm_ cblas_strsm f32, "dtrsm" dtrsm_ cblas_dtrsm f64,
        "ctrsm" ctrsm_ cblas_ctrsm C32, "ztrsm" ztrsm_ cblas_ztrsm C64
    }
}

/// i?amax: Fortran counts from 1 and has 0 for nothing, C counts from 0.
macro_rules! amax {
    ($($name:literal $f:ident $c:ident $t:ty),+) => {$(
        const _: () = {
            static ENTRY: Entry = Entry::new($name);
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $f(n: *const Int, x: *const $t, incx: *const Int) -> Int {
                // SAFETY: the caller's arguments are as BLAS describes them.
                unsafe { routines::iamax(&ENTRY, *n, x, *incx) as Int }
            }
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $c(n: Int, x: *const $t, incx: Int) -> usize {
                // SAFETY: the caller's arguments are as CBLAS describes them.
                unsafe { routines::iamax(&ENTRY, n, x, incx).saturating_sub(1) }
            }
        };
    )+};
}
amax!("isamax" isamax_ cblas_isamax f32, "idamax" idamax_ cblas_idamax f64,
      "icamax" icamax_ cblas_icamax C32, "izamax" izamax_ cblas_izamax C64);

/// Complex products of vectors: Fortran returns them, C writes them through an address.
macro_rules! dots {
    ($($name:literal $f:ident $c:ident $routine:ident $t:ty),+) => {$(
        const _: () = {
            static ENTRY: Entry = Entry::new($name);
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $f(n: *const Int, x: *const $t, incx: *const Int, y: *const $t, incy: *const Int) -> $t {
                // SAFETY: the caller's arguments are as BLAS describes them.
                unsafe { routines::$routine(&ENTRY, *n, x, *incx, y, *incy) }
            }
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $c(n: Int, x: *const $t, incx: Int, y: *const $t, incy: Int, out: *mut $t) {
                // SAFETY: the caller's arguments are as CBLAS describes them.
                unsafe { *out = routines::$routine(&ENTRY, n, x, incx, y, incy) }
            }
        };
    )+};
}
dots!("cdotu" cdotu_ cblas_cdotu_sub dotu C32, "cdotc" cdotc_ cblas_cdotc_sub dotc C32,
      "zdotu" zdotu_ cblas_zdotu_sub dotu C64, "zdotc" zdotc_ cblas_zdotc_sub dotc C64);

/// The Fortran helpers of the reference's CBLAS: functions that write their result through an
/// address behind the other parameters.
macro_rules! helpers {
    ($($name:ident $f:ident ($($arg:ident : $kind:ty),*) -> $out:ty;)*) => {$(
        const _: () = {
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($arg: $kind),*, out: *mut $out) {
                unsafe extern "C" {
                    fn $f($($arg: $kind),*) -> $out;
                }
                // SAFETY: the function of this library with just these parameters.
                unsafe { *out = $f($($arg),*) }
            }
        };
    )*};
}
helpers! {
    sdotsub_ sdot_(n: *const Int, x: *const f32, incx: *const Int, y: *const f32, incy: *const Int) -> f32;
    ddotsub_ ddot_(n: *const Int, x: *const f64, incx: *const Int, y: *const f64, incy: *const Int) -> f64;
    dsdotsub_ dsdot_(n: *const Int, x: *const f32, incx: *const Int, y: *const f32, incy: *const Int) -> f64;
    sdsdotsub_ sdsdot_(n: *const Int, b: *const f32, x: *const f32, incx: *const Int, y: *const f32, incy: *const Int) -> f32;
    cdotusub_ cdotu_(n: *const Int, x: *const C32, incx: *const Int, y: *const C32, incy: *const Int) -> C32;
    cdotcsub_ cdotc_(n: *const Int, x: *const C32, incx: *const Int, y: *const C32, incy: *const Int) -> C32;
    zdotusub_ zdotu_(n: *const Int, x: *const C64, incx: *const Int, y: *const C64, incy: *const Int) -> C64;
    zdotcsub_ zdotc_(n: *const Int, x: *const C64, incx: *const Int, y: *const C64, incy: *const Int) -> C64;
    sasumsub_ sasum_(n: *const Int, x: *const f32, incx: *const Int) -> f32;
    dasumsub_ dasum_(n: *const Int, x: *const f64, incx: *const Int) -> f64;
    scasumsub_ scasum_(n: *const Int, x: *const C32, incx: *const Int) -> f32;
    dzasumsub_ dzasum_(n: *const Int, x: *const C64, incx: *const Int) -> f64;
    snrm2sub_ snrm2_(n: *const Int, x: *const f32, incx: *const Int) -> f32;
    dnrm2sub_ dnrm2_(n: *const Int, x: *const f64, incx: *const Int) -> f64;
    scnrm2sub_ scnrm2_(n: *const Int, x: *const C32, incx: *const Int) -> f32;
    dznrm2sub_ dznrm2_(n: *const Int, x: *const C64, incx: *const Int) -> f64;
    isamaxsub_ isamax_(n: *const Int, x: *const f32, incx: *const Int) -> Int;
    idamaxsub_ idamax_(n: *const Int, x: *const f64, incx: *const Int) -> Int;
    icamaxsub_ icamax_(n: *const Int, x: *const C32, incx: *const Int) -> Int;
    izamaxsub_ izamax_(n: *const Int, x: *const C64, incx: *const Int) -> Int;
    scabs1sub_ scabs1_(x: *const C32) -> f32;
    dcabs1sub_ dcabs1_(x: *const C64) -> f64;
}
