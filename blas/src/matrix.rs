//! Matrices as views of tensors, and as operands.

use crate::vector::Vector;
use std::ops::Range;
use suanzi_ops::{Error, Result, Scalar, Tensor};

/// Which triangle of a matrix is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Uplo {
    /// On and above the diagonal.
    Upper,
    /// On and below the diagonal.
    Lower,
}

/// What is on the diagonal of a triangular matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Diag {
    /// What is stored.
    NonUnit,
    /// Ones, whatever is stored.
    Unit,
}

/// On which side of the other matrix the structured one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// `A · B`.
    Left,
    /// `B · A`.
    Right,
}

impl Uplo {
    /// The triangle of the transposed matrix.
    pub fn flipped(self) -> Uplo {
        match self {
            Uplo::Upper => Uplo::Lower,
            Uplo::Lower => Uplo::Upper,
        }
    }
}

/// A matrix on a device, or a batch of them: a view of a tensor.
///
/// The tensor's shape is `[batch.., m, n]`, or `[batch.., m, n, 2]` where elements are complex. Any
/// strides: row-major, column-major with any leading dimension ([`Matrix::column_major`]), reversed.
#[derive(Clone, Debug)]
pub struct Matrix {
    tensor: Tensor,
    complex: bool,
}

impl Matrix {
    /// Of real numbers: `[batch.., m, n]`.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are fewer than two axes.
    pub fn real(tensor: &Tensor) -> Result<Matrix> {
        Matrix::new(tensor, false)
    }

    /// Of complex numbers: `[batch.., m, n, 2]`, the parts side by side.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are fewer than three axes, or the last is not 2 side by side.
    pub fn complex(tensor: &Tensor) -> Result<Matrix> {
        let pairs = tensor.shape().last() == Some(&2) && tensor.strides().last() == Some(&1);
        if !pairs {
            let why = "the parts of complex numbers are the last axis, two side by side";
            return Err(Error::shape("matrix", [tensor.shape()], why));
        }
        Matrix::new(tensor, true)
    }

    fn new(tensor: &Tensor, complex: bool) -> Result<Matrix> {
        if tensor.shape().len() < 2 + usize::from(complex) {
            return Err(Error::shape(
                "matrix",
                [tensor.shape()],
                "a matrix has two axes",
            ));
        }
        let tensor = tensor.clone();
        Ok(Matrix { tensor, complex })
    }

    /// Of a tensor that is known to fit.
    pub(crate) fn of(tensor: Tensor, complex: bool) -> Matrix {
        Matrix { tensor, complex }
    }

    /// An `m` by `n` matrix whose columns are `ld` elements apart, as in BLAS: element `(i, j)` is
    /// element `i + j · ld` of the memory, from the tensor's first one. The tensor's dtype and
    /// `complex` say what an element is.
    ///
    /// # Errors
    /// [`Error::Value`] where `ld < max(1, m)` or sizes overflow, [`Error::Shape`] where the memory is too small.
    pub fn column_major(
        memory: &Tensor,
        [m, n]: [usize; 2],
        ld: usize,
        complex: bool,
    ) -> Result<Matrix> {
        if ld < m.max(1) {
            let why = format!("the leading dimension {ld} is less than {m} rows");
            return Err(Error::value("matrix", why));
        }
        let parts = 1 + usize::from(complex);
        let Some(step) = i64::try_from(ld)
            .ok()
            .and_then(|ld| ld.checked_mul(parts as i64))
        else {
            let why = format!("the leading dimension {ld} is more than positions can count");
            return Err(Error::value("matrix", why));
        };
        let (shape, strides) = match complex {
            false => (vec![m, n], vec![1, step]),
            true => (vec![m, n, 2], vec![2, step, 1]),
        };
        let view = memory.as_strided(&shape, &strides, memory.offset());
        let tensor = view.map_err(|_| {
            let least = (ld as u128 * n.saturating_sub(1) as u128 + m as u128) * parts as u128;
            let has = memory.capacity() - memory.offset();
            let why =
                format!("columns {ld} apart need {least} elements of memory, which has {has}");
            Error::shape("matrix", [&shape[..]], why)
        })?;
        Ok(Matrix { tensor, complex })
    }

    /// The tensor that it is a view of.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Whether its elements are pairs.
    pub fn is_complex(&self) -> bool {
        self.complex
    }

    /// The dtype of its elements' parts.
    pub fn dtype(&self) -> Scalar {
        self.tensor.dtype()
    }

    /// Rows.
    pub fn m(&self) -> usize {
        self.tensor.shape()[self.nb()]
    }

    /// Columns.
    pub fn n(&self) -> usize {
        self.tensor.shape()[self.nb() + 1]
    }

    /// The axes before the matrix.
    pub fn batch(&self) -> &[usize] {
        &self.tensor.shape()[..self.nb()]
    }

    /// The number of axes before the matrix.
    pub(crate) fn nb(&self) -> usize {
        self.tensor.shape().len() - 2 - usize::from(self.complex)
    }

    /// From row to row and from column to column, in real numbers.
    pub(crate) fn steps(&self) -> [i64; 2] {
        let nb = self.nb();
        [self.tensor.strides()[nb], self.tensor.strides()[nb + 1]]
    }

    /// The transposed matrix: the same memory.
    pub fn t(&self) -> Matrix {
        let mut axes: Vec<i64> = (0..self.tensor.shape().len() as i64).collect();
        axes.swap(self.nb(), self.nb() + 1);
        let tensor = self.tensor.permute(&axes);
        Matrix {
            // Two of its own axes are swapped.
            tensor: tensor.unwrap_or_else(|_| self.tensor.clone()),
            complex: self.complex,
        }
    }

    /// Some rows and columns of it: the same memory. Clamped to what there is.
    ///
    /// # Errors
    /// None for a matrix that was made here.
    pub fn block(&self, rows: Range<usize>, columns: Range<usize>) -> Result<Matrix> {
        let nb = self.nb() as i64;
        let tensor = self
            .tensor
            .slice(nb, rows.start as i64, rows.end as i64, 1)?
            .slice(nb + 1, columns.start as i64, columns.end as i64, 1)?;
        let complex = self.complex;
        Ok(Matrix { tensor, complex })
    }

    /// As an operand, conjugated and transposed.
    pub fn h(&self) -> Operand {
        Operand::from(self.t()).conj()
    }

    /// As an operand of a form.
    pub fn with(&self, form: Form) -> Operand {
        Operand {
            form,
            ..Operand::from(self)
        }
    }
}

/// What a matrix that is not stored whole is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// It is stored whole.
    General,
    /// The other triangle is its mirror image.
    Symmetric(Uplo),
    /// The other triangle is its conjugated mirror image; the diagonal is real. As [`Form::Symmetric`]
    /// where elements are.
    Hermitian(Uplo),
    /// The other triangle is zero.
    Triangular(Uplo, Diag),
}

impl Form {
    fn flipped(self) -> Form {
        match self {
            Form::General => Form::General,
            Form::Symmetric(uplo) => Form::Symmetric(uplo.flipped()),
            Form::Hermitian(uplo) => Form::Hermitian(uplo.flipped()),
            Form::Triangular(uplo, diag) => Form::Triangular(uplo.flipped(), diag),
        }
    }
}

/// Elements of a packed triangle of `n` rows, if they can be counted.
pub(crate) fn packed_count(n: usize) -> Option<usize> {
    Some(n.checked_mul(n.checked_add(1)?)? / 2)
}

/// How the elements of an operand lie in its matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Where they belong.
    Full,
    /// Element `(i, j)` of an `m`-row matrix at `(ku + i - j, j)`; zero elsewhere.
    Band { m: usize, kl: usize, ku: usize },
    /// The columns of a triangle of `n` rows, one after the other, in a single row.
    Packed { n: usize, uplo: Uplo },
    /// As the matrix says, but from where a table says for each of the first axis.
    Scattered,
}

/// A matrix as it enters a product. The triangle that its form does not name is not used.
#[derive(Clone, Debug)]
pub struct Operand {
    pub(crate) matrix: Matrix,
    pub(crate) storage: Storage,
    /// Rows and columns are swapped, where the storage is not full.
    pub(crate) swapped: bool,
    pub(crate) form: Form,
    pub(crate) conj: bool,
    /// Where in the memory each matrix begins (i64), where the storage is scattered.
    pub(crate) places: Option<Tensor>,
}

impl Operand {
    /// A band matrix of `m` rows as BLAS stores it: `matrix` has `kl + ku + 1` rows, the diagonal in row
    /// `ku`, and as many columns as the band matrix.
    ///
    /// # Errors
    /// [`Error::Shape`] where it has fewer rows.
    pub fn band(matrix: &Matrix, m: usize, kl: usize, ku: usize) -> Result<Operand> {
        let rows = kl.checked_add(ku).and_then(|k| k.checked_add(1));
        if rows.is_none_or(|rows| matrix.m() < rows) {
            let why = format!("a band of {kl} + 1 + {ku} diagonals has as many rows");
            return Err(Error::shape("band", [matrix.tensor().shape()], why));
        }
        Ok(Operand {
            storage: Storage::Band { m, kl, ku },
            ..Operand::from(matrix)
        })
    }

    /// A symmetric, Hermitian or triangular matrix of `n` rows of which one triangle is stored, column
    /// by column: `packed` has `n (n + 1) / 2` elements.
    ///
    /// # Errors
    /// [`Error::Shape`] where it has fewer, [`Error::Value`] where the form is general.
    pub fn packed(packed: &Vector, n: usize, form: Form) -> Result<Operand> {
        let uplo = match form {
            Form::Symmetric(uplo) | Form::Hermitian(uplo) | Form::Triangular(uplo, _) => uplo,
            Form::General => {
                return Err(Error::value("packed", "a general matrix cannot be packed"));
            }
        };
        if packed_count(n).is_none_or(|count| packed.n() < count) {
            let why = format!("a packed matrix of {n} rows has {n} ({n} + 1) / 2 elements");
            return Err(Error::shape("packed", [packed.tensor().shape()], why));
        }
        Ok(Operand {
            storage: Storage::Packed { n, uplo },
            form,
            ..Operand::from(packed.column().t())
        })
    }

    /// Of a form; the triangle is that of the operand as it is.
    pub fn with(mut self, form: Form) -> Operand {
        self.form = form;
        self
    }

    /// Rows.
    pub fn m(&self) -> usize {
        self.lengths()[0]
    }

    /// Columns.
    pub fn n(&self) -> usize {
        self.lengths()[1]
    }

    fn lengths(&self) -> [usize; 2] {
        let [m, n] = match self.storage {
            Storage::Full | Storage::Scattered => [self.matrix.m(), self.matrix.n()],
            Storage::Band { m, .. } => [m, self.matrix.n()],
            Storage::Packed { n, .. } => [n, n],
        };
        if self.swapped { [n, m] } else { [m, n] }
    }

    /// Transposed.
    pub fn t(&self) -> Operand {
        let form = self.form.flipped();
        match self.storage {
            Storage::Full => Operand {
                matrix: self.matrix.t(),
                form,
                ..self.clone()
            },
            _ => Operand {
                swapped: !self.swapped,
                form,
                ..self.clone()
            },
        }
    }

    /// Conjugated. What is real stays as it is.
    pub fn conj(mut self) -> Operand {
        self.conj ^= self.matrix.is_complex();
        self
    }

    /// Conjugated and transposed.
    pub fn h(&self) -> Operand {
        self.t().conj()
    }
}

impl From<&Matrix> for Operand {
    fn from(matrix: &Matrix) -> Operand {
        Operand::from(matrix.clone())
    }
}

impl From<Matrix> for Operand {
    fn from(matrix: Matrix) -> Operand {
        Operand {
            matrix,
            storage: Storage::Full,
            swapped: false,
            form: Form::General,
            conj: false,
            places: None,
        }
    }
}

impl From<&Operand> for Operand {
    fn from(operand: &Operand) -> Operand {
        operand.clone()
    }
}
