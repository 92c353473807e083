//! The elements that routines are measured for.

use bytemuck::Pod;
use num_complex::Complex;
use suanzi_ops::Scalar;

/// f32, f64, and complex numbers of both.
pub trait Number: Pod + PartialEq + Send + Sync {
    /// `f32`, `f64`, `c64`, `c128`.
    const NAME: &'static str;
    /// The letter of its routines.
    const LETTER: char;
    /// It has two parts.
    const COMPLEX: bool;
    /// What its parts are.
    const PART: Scalar;
    /// The distance from 1 to the next number.
    const EPS: f64;
    /// As CBLAS takes a scalar: by value, and complex ones by address.
    type Argument: Copy;

    /// The nearest number to parts, the second one being dropped by reals.
    fn of(re: f64, im: f64) -> Self;

    /// In f64.
    fn wide(self) -> Complex<f64>;

    /// As an argument, as long as it lives.
    fn argument(&self) -> Self::Argument;

    /// Its parts.
    fn parts() -> usize {
        1 + usize::from(Self::COMPLEX)
    }
}

macro_rules! numbers {
    ($($real:ident $letter:literal, $name:literal $complex_letter:literal;)*) => {$(
        impl Number for $real {
            const NAME: &'static str = stringify!($real);
            const LETTER: char = $letter;
            const COMPLEX: bool = false;
            const PART: Scalar = <$real as suanzi_ops::Element>::DTYPE;
            const EPS: f64 = $real::EPSILON as f64;
            type Argument = $real;

            fn of(re: f64, _: f64) -> $real {
                re as $real
            }

            fn wide(self) -> Complex<f64> {
                Complex::new(self.into(), 0.0)
            }

            fn argument(&self) -> $real {
                *self
            }
        }

        impl Number for Complex<$real> {
            const NAME: &'static str = $name;
            const LETTER: char = $complex_letter;
            const COMPLEX: bool = true;
            const PART: Scalar = <$real as Number>::PART;
            const EPS: f64 = <$real as Number>::EPS;
            type Argument = *const Complex<$real>;

            fn of(re: f64, im: f64) -> Complex<$real> {
                Complex::new(re as $real, im as $real)
            }

            fn wide(self) -> Complex<f64> {
                Complex::new(self.re.into(), self.im.into())
            }

            fn argument(&self) -> *const Complex<$real> {
                self
            }
        }
    )*};
}

numbers! {
    f32 's', "c64" 'c';
    f64 'd', "c128" 'z';
}
