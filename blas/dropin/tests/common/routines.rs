//! The routines of levels 2 and 3 as a table: from one line per routine come the typed calls of its
//! Fortran and its C form, with arguments held in a list.

use super::{Element, symbol};
use std::ffi::c_int;

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    Fortran,
    ColumnMajor,
    RowMajor,
    /// In C, with a layout that is none.
    WrongLayout,
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub enum Value<T: Element> {
    /// An option, as its letter in Fortran.
    Letter(u8),
    Int(i32),
    Scalar(T),
    /// A real scalar of a complex routine.
    Real(T::Real),
    /// An array by its place in the list of arrays.
    Array(usize),
    Address(*mut T),
}

/// The number of an option in C; 99 for what is no option.
fn number(name: &str, letter: u8) -> c_int {
    let base = match name {
        "uplo" => [(b'U', 121), (b'L', 122)].as_slice(),
        "diag" => &[(b'N', 131), (b'U', 132)],
        "side" => &[(b'L', 141), (b'R', 142)],
        _ => &[(b'N', 111), (b'T', 112), (b'C', 113)],
    };
    let row = base.iter().find(|r| r.0 == letter.to_ascii_uppercase());
    row.map_or(99, |r| r.1)
}

/// The type of a parameter in both ABIs.
trait Kind<T: Element> {
    type F;
    type C;
    fn f(value: &Value<T>) -> Self::F;
    fn c(name: &str, value: &Value<T>) -> Self::C;
}

macro_rules! kinds {
    ($($kind:ident: $value:ident($x:ident), $f:ty, $c:ty, |$name:ident| $as_f:expr, $as_c:expr;)*) => {$(
        pub struct $kind;
        impl<T: Element> Kind<T> for $kind {
            type F = $f;
            type C = $c;
            fn f(value: &Value<T>) -> $f {
                let Value::$value($x) = value else { panic!("{value:?}") };
                $as_f
            }
            fn c($name: &str, value: &Value<T>) -> $c {
                let Value::$value($x) = value else { panic!("{value:?}") };
                $as_c
            }
        }
    )*};
}
kinds! {
    Choice: Letter(x), *const u8, c_int, |name| x, number(name, *x);
    Int: Int(x), *const i32, i32, |_name| x, *x;
    Scalar: Scalar(x), *const T, T::ByValue, |_name| x, T::by_value(x);
    Real: Real(x), *const T::Real, T::Real, |_name| x, *x;
    Array: Address(x), *mut T, *mut T, |_name| *x, *x;
}

/// A routine: its name without the letter of the type, its parameters, and its two forms.
pub struct Routine<T: Element> {
    pub stem: &'static str,
    /// Name and kind.
    pub parameters: Vec<(&'static str, &'static str)>,
    fortran: fn(&str, &[Value<T>]),
    c: fn(&str, c_int, &[Value<T>]),
}

impl<T: Element> Routine<T> {
    pub fn name(&self) -> String {
        format!("{}{}", T::LETTER, self.stem)
    }

    /// Calls with these arguments, in which addresses have taken the places of arrays.
    pub fn call(&self, abi: Abi, arguments: &[Value<T>]) {
        let name = self.name();
        match abi {
            Abi::Fortran => (self.fortran)(&format!("{name}_"), arguments),
            Abi::ColumnMajor => (self.c)(&format!("cblas_{name}"), 102, arguments),
            Abi::WrongLayout => (self.c)(&format!("cblas_{name}"), 100, arguments),
            Abi::RowMajor => (self.c)(&format!("cblas_{name}"), 101, arguments),
        }
    }
}

macro_rules! routines {
    ($($letters:literal $($stem:ident)+: $parameters:tt;)*) => {
        /// The routines of a type.
        pub fn routines<T: Element>() -> Vec<Routine<T>> {
            let mut all = Vec::new();
            $($(if $letters.contains(T::LETTER) {
                all.push(routines!(@one $stem $parameters));
            })+)*
            all
        }
    };
    (@one $stem:ident ($($name:ident: $kind:ident),*)) => {
        Routine::<T> {
            stem: stringify!($stem),
            parameters: vec![$((stringify!($name), stringify!($kind))),*],
            fortran: |routine, values| {
                let f: unsafe extern "C" fn($(<$kind as Kind<T>>::F),*) = symbol(routine);
                let mut values = values.iter();
                // SAFETY: the type is the routine's; whoever made the arguments answers for them.
                unsafe { f($(<$kind as Kind<T>>::f(routines!(@next values $name))),*) }
            },
            c: |routine, layout, values| {
                let f: unsafe extern "C" fn(c_int, $(<$kind as Kind<T>>::C),*) = symbol(routine);
                let mut values = values.iter();
                // SAFETY: as above.
                unsafe { f(layout, $(<$kind as Kind<T>>::c(stringify!($name), routines!(@next values $name))),*) }
            },
        }
    };
    (@next $values:ident $name:ident) => {
        $values.next().expect(stringify!($name))
    };
}

routines! {
    "sdcz" gemv: (trans: Choice, m: Int, n: Int, alpha: Scalar, a: Array, lda: Int, x: Array, incx: Int, beta: Scalar, y: Array, incy: Int);
    "sdcz" gbmv: (trans: Choice, m: Int, n: Int, kl: Int, ku: Int, alpha: Scalar, a: Array, lda: Int, x: Array, incx: Int, beta: Scalar, y: Array, incy: Int);
    "sd" symv: (uplo: Choice, n: Int, alpha: Scalar, a: Array, lda: Int, x: Array, incx: Int, beta: Scalar, y: Array, incy: Int);
    "cz" hemv: (uplo: Choice, n: Int, alpha: Scalar, a: Array, lda: Int, x: Array, incx: Int, beta: Scalar, y: Array, incy: Int);
    "sd" sbmv: (uplo: Choice, n: Int, k: Int, alpha: Scalar, a: Array, lda: Int, x: Array, incx: Int, beta: Scalar, y: Array, incy: Int);
    "cz" hbmv: (uplo: Choice, n: Int, k: Int, alpha: Scalar, a: Array, lda: Int, x: Array, incx: Int, beta: Scalar, y: Array, incy: Int);
    "sd" spmv: (uplo: Choice, n: Int, alpha: Scalar, a: Array, x: Array, incx: Int, beta: Scalar, y: Array, incy: Int);
    "cz" hpmv: (uplo: Choice, n: Int, alpha: Scalar, a: Array, x: Array, incx: Int, beta: Scalar, y: Array, incy: Int);
    "sdcz" trmv trsv: (uplo: Choice, trans: Choice, diag: Choice, n: Int, a: Array, lda: Int, x: Array, incx: Int);
    "sdcz" tbmv tbsv: (uplo: Choice, trans: Choice, diag: Choice, n: Int, k: Int, a: Array, lda: Int, x: Array, incx: Int);
    "sdcz" tpmv tpsv: (uplo: Choice, trans: Choice, diag: Choice, n: Int, a: Array, x: Array, incx: Int);
    "sd" ger: (m: Int, n: Int, alpha: Scalar, x: Array, incx: Int, y: Array, incy: Int, a: Array, lda: Int);
    "cz" geru gerc: (m: Int, n: Int, alpha: Scalar, x: Array, incx: Int, y: Array, incy: Int, a: Array, lda: Int);
    "sd" syr: (uplo: Choice, n: Int, alpha: Real, x: Array, incx: Int, a: Array, lda: Int);
    "cz" her: (uplo: Choice, n: Int, alpha: Real, x: Array, incx: Int, a: Array, lda: Int);
    "sd" spr: (uplo: Choice, n: Int, alpha: Real, x: Array, incx: Int, a: Array);
    "cz" hpr: (uplo: Choice, n: Int, alpha: Real, x: Array, incx: Int, a: Array);
    "sd" syr2: (uplo: Choice, n: Int, alpha: Scalar, x: Array, incx: Int, y: Array, incy: Int, a: Array, lda: Int);
    "cz" her2: (uplo: Choice, n: Int, alpha: Scalar, x: Array, incx: Int, y: Array, incy: Int, a: Array, lda: Int);
    "sd" spr2: (uplo: Choice, n: Int, alpha: Scalar, x: Array, incx: Int, y: Array, incy: Int, a: Array);
    "cz" hpr2: (uplo: Choice, n: Int, alpha: Scalar, x: Array, incx: Int, y: Array, incy: Int, a: Array);
    "sdcz" gemm: (transa: Choice, transb: Choice, m: Int, n: Int, k: Int, alpha: Scalar, a: Array, lda: Int, b: Array, ldb: Int, beta: Scalar, c: Array, ldc: Int);
    "sdcz" symm: (side: Choice, uplo: Choice, m: Int, n: Int, alpha: Scalar, a: Array, lda: Int, b: Array, ldb: Int, beta: Scalar, c: Array, ldc: Int);
    "cz" hemm: (side: Choice, uplo: Choice, m: Int, n: Int, alpha: Scalar, a: Array, lda: Int, b: Array, ldb: Int, beta: Scalar, c: Array, ldc: Int);
    "sdcz" syrk: (uplo: Choice, trans: Choice, n: Int, k: Int, alpha: Scalar, a: Array, lda: Int, beta: Scalar, c: Array, ldc: Int);
    "cz" herk: (uplo: Choice, trans: Choice, n: Int, k: Int, alpha: Real, a: Array, lda: Int, beta: Real, c: Array, ldc: Int);
    "sdcz" syr2k: (uplo: Choice, trans: Choice, n: Int, k: Int, alpha: Scalar, a: Array, lda: Int, b: Array, ldb: Int, beta: Scalar, c: Array, ldc: Int);
    "cz" her2k: (uplo: Choice, trans: Choice, n: Int, k: Int, alpha: Scalar, a: Array, lda: Int, b: Array, ldb: Int, beta: Real, c: Array, ldc: Int);
    "sdcz" trmm trsm: (side: Choice, uplo: Choice, trans: Choice, diag: Choice, m: Int, n: Int, alpha: Scalar, a: Array, lda: Int, b: Array, ldb: Int);
}
