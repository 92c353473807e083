//! Where the elements of a matrix are: full, in a band, packed, or a vector, in either order.

use super::C;

#[derive(Clone, Copy)]
pub enum Form {
    Full { ld: usize },
    Band { ld: usize, kl: usize, ku: usize },
    Packed,
    Vector { inc: i32 },
}

/// A matrix in memory: where its elements are.
#[derive(Clone, Copy)]
pub struct Store {
    pub rows: usize,
    pub cols: usize,
    pub form: Form,
    /// The triangle that is stored, if only one is.
    pub half: Option<u8>,
    pub row_major: bool,
}

impl Store {
    /// The same memory read in column-major order: the transpose if it is row-major.
    pub fn column_major(self) -> Store {
        if !self.row_major {
            return self;
        }
        let flip = |uplo| if uplo == b'U' { b'L' } else { b'U' };
        let form = match self.form {
            Form::Band { ld, kl, ku } => Form::Band { ld, kl: ku, ku: kl },
            other => other,
        };
        let half = self.half.map(flip);
        let (rows, cols) = (self.cols, self.rows);
        Store {
            rows,
            cols,
            form,
            half,
            row_major: false,
        }
    }

    /// The least leading dimension.
    pub fn least(self) -> usize {
        let s = self.column_major();
        match s.form {
            Form::Band { kl, ku, .. } => kl + ku + 1,
            _ => s.rows.max(1),
        }
    }

    pub fn len(self) -> usize {
        let s = self.column_major();
        match s.form {
            Form::Full { ld } | Form::Band { ld, .. } => ld.max(s.least()) * s.cols,
            Form::Packed => s.cols * (s.cols + 1) / 2,
            Form::Vector { inc } => s.rows * inc.unsigned_abs().max(1) as usize,
        }
    }

    /// Where element (i, j) is, if it is stored.
    pub fn offset(self, i: usize, j: usize) -> Option<usize> {
        let s = self.column_major();
        let (i, j) = if self.row_major { (j, i) } else { (i, j) };
        match s.half {
            Some(b'U') if i > j => return None,
            Some(b'L') if i < j => return None,
            _ => {}
        }
        match s.form {
            Form::Full { ld } => Some(i + j * ld),
            Form::Band { ld, kl, ku } => (i <= j + kl && j <= i + ku).then(|| ku + i - j + j * ld),
            Form::Packed if s.half == Some(b'U') => Some(i + j * (j + 1) / 2),
            Form::Packed => Some(i + j * (2 * s.rows - j - 1) / 2),
            Form::Vector { inc } => {
                let step = inc.unsigned_abs() as usize;
                Some(if inc < 0 {
                    (s.rows - 1 - i) * step
                } else {
                    i * step
                })
            }
        }
    }

    pub fn elements(self) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..self.rows * self.cols).filter_map(move |e| {
            let (i, j) = (e % self.rows, e / self.rows);
            self.offset(i, j).map(|o| (i, j, o))
        })
    }
}

/// A matrix with all its elements.
#[derive(Clone)]
pub struct Dense {
    pub rows: usize,
    pub cols: usize,
    pub data: Vec<C>,
}

impl Dense {
    pub fn new(rows: usize, cols: usize, f: impl Fn(usize, usize) -> C) -> Dense {
        let data = (0..rows * cols).map(|e| f(e % rows, e / rows)).collect();
        Dense { rows, cols, data }
    }
    pub fn at(&self, i: usize, j: usize) -> C {
        self.data[i + j * self.rows]
    }
    pub fn op(&self, letter: u8) -> Dense {
        match letter {
            b'N' => self.clone(),
            b'T' => Dense::new(self.cols, self.rows, |i, j| self.at(j, i)),
            _ => Dense::new(self.cols, self.rows, |i, j| self.at(j, i).conj()),
        }
    }
}
