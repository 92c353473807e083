//! What is measured: routines of BLAS and LAPACK by name, their sizes and their work.

use super::number::Number;
use clap::ValueEnum;

/// What one run measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Every routine that has a bar, at the sizes that it has one for, then convolution
    Bars,
    /// Products of square and skinny matrices, and batches of small ones
    Gemm,
    /// Vectors
    Level1,
    /// Matrices with vectors
    Level2,
    /// Matrices with matrices
    Level3,
    /// Factorisations
    Solve,
    /// Convolutions: those of ResNet-50, beside ONNX Runtime
    Conv,
    /// Maps, moves and reductions, beside the device's own copy
    Ops,
}

/// A routine. Matrices are column-major; the triangle is the lower one, on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `C = A · B`
    Gemm,
    /// `C = A · B` for each of a batch of matrices, which lie one after the other
    GemmBatch,
    /// `C = A · B`, A symmetric
    Symm,
    /// `C = A · Aᵀ`
    Syrk,
    /// `C = A · Bᵀ + B · Aᵀ`
    Syr2k,
    /// `C = A · C`, A triangular
    Trmm,
    /// `C = A⁻¹ · C`, A triangular
    Trsm,
    /// `C = P · L · U`, C being a copy of A
    Getrf,
    /// `C = L · Lᴴ`, C being a copy of A
    Potrf,
    /// `c = A · b`
    Gemv,
    /// `c = Aᵀ · b`
    GemvT,
    /// `c = A · b`, A symmetric
    Symv,
    /// `C = a · bᵀ + C`
    Ger,
    /// `c = a`
    Copy,
    /// `c = -c`
    Scal,
    /// `c = a / 2 + c`
    Axpy,
    /// `Σ a · b`
    Dot,
    /// `√Σ a²`
    Nrm2,
    /// `Σ |a|`
    Asum,
}

use Op::*;

impl Group {
    /// Its routines.
    pub fn ops(self) -> &'static [Op] {
        match self {
            Group::Gemm => &[Gemm, GemmBatch],
            Group::Level1 => &[Copy, Scal, Axpy, Dot, Nrm2, Asum],
            Group::Level2 => &[Gemv, GemvT, Symv, Ger],
            Group::Level3 => &[Symm, Syrk, Syr2k, Trmm, Trsm],
            Group::Solve => &[Getrf, Potrf],
            Group::Bars => &[
                Gemm, GemmBatch, Symm, Syrk, Syr2k, Trmm, Trsm, Getrf, Potrf, Gemv, GemvT, Symv,
                Ger,
            ],
            Group::Conv | Group::Ops => &[],
        }
    }
}

impl Op {
    /// BLAS's or LAPACK's name without the letter; `gemv_t` is gemv with `TRANS = 'T'`.
    pub fn name(self) -> &'static str {
        match self {
            Gemm => "gemm",
            GemmBatch => "gemm_batch",
            Getrf => "getrf",
            Potrf => "potrf",
            Symm => "symm",
            Syrk => "syrk",
            Syr2k => "syr2k",
            Trmm => "trmm",
            Trsm => "trsm",
            Gemv => "gemv",
            GemvT => "gemv_t",
            Symv => "symv",
            Ger => "ger",
            Copy => "copy",
            Scal => "scal",
            Axpy => "axpy",
            Dot => "dot",
            Nrm2 => "nrm2",
            Asum => "asum",
        }
    }

    /// m, n and k of each case.
    pub fn sizes(self) -> Vec<[usize; 3]> {
        match self {
            Gemm => {
                let square = [64, 128, 256, 512, 1024, 2048, 4096].map(|n| [n; 3]);
                let skinny = [
                    [64, 2048, 2048],
                    [2048, 64, 2048],
                    [2048, 2048, 64],
                    [512, 512, 8192],
                ];
                [&square[..], &skinny].concat()
            }
            GemmBatch => [8, 16, 32, 64, 128].map(|n| [n; 3]).into(),
            Symm | Syrk | Syr2k | Trmm | Trsm | Getrf | Potrf => {
                [64, 128, 256, 512, 1024, 2048].map(|n| [n; 3]).into()
            }
            Gemv | GemvT | Symv | Ger => [64, 256, 1024, 2048, 4096].map(|n| [n, n, 1]).into(),
            _ => (2..=7).map(|e| [1, 10usize.pow(e), 1]).collect(),
        }
    }

    /// Matrices of a batch: as many as make a million elements, at most 4096; 1 of what has none.
    pub fn batch(self, [m, n, _]: [usize; 3]) -> usize {
        match self {
            GemmBatch => ((1 << 20) / (m * n)).clamp(1, 4096),
            _ => 1,
        }
    }

    /// Rows and columns of A, B and C; none of what it does not have. The columns of a batch's
    /// matrices follow one another.
    pub fn shapes(self, [m, n, k]: [usize; 3]) -> [[usize; 2]; 3] {
        let none = [0, 0];
        match self {
            GemmBatch => {
                let batch = self.batch([m, n, k]);
                [[m, k * batch], [k, n * batch], [m, n * batch]]
            }
            Getrf | Potrf => [[n, n], none, [n, n]],
            Gemm => [[m, k], [k, n], [m, n]],
            Symm => [[m, m], [m, n], [m, n]],
            Syrk => [[n, k], none, [n, n]],
            Syr2k => [[n, k], [n, k], [n, n]],
            Trmm | Trsm => [[m, m], none, [m, n]],
            Gemv => [[m, n], [n, 1], [m, 1]],
            GemvT => [[m, n], [m, 1], [n, 1]],
            Symv => [[n, n], [n, 1], [n, 1]],
            Ger => [[m, 1], [n, 1], [m, n]],
            Copy | Axpy => [[n, 1], none, [n, 1]],
            Scal => [none, none, [n, 1]],
            Dot => [[n, 1], [n, 1], [1, 1]],
            Nrm2 | Asum => [[n, 1], none, [1, 1]],
        }
    }

    /// Whether it is measured for complex numbers.
    pub fn is_complex(self) -> bool {
        self.unit() == "GFLOP/s"
    }

    /// Floating-point operations on real numbers.
    pub fn flops<T: Number>(self, size: [usize; 3]) -> f64 {
        let [m, n, k] = size.map(|d| d as f64);
        // A product of complex numbers and its sum are four of each.
        let each = if T::COMPLEX { 4.0 } else { 1.0 };
        each * match self {
            GemmBatch => 2.0 * m * n * k * self.batch(size) as f64,
            Getrf => 2.0 / 3.0 * n * n * n,
            Potrf => n * n * n / 3.0,
            Gemm => 2.0 * m * n * k,
            Symm => 2.0 * m * m * n,
            Syrk => n * (n + 1.0) * k,
            Syr2k => 2.0 * n * (n + 1.0) * k,
            Trmm | Trsm => m * m * n,
            Gemv | GemvT | Ger => 2.0 * m * n,
            Symv => 2.0 * n * n,
            Copy => 0.0,
            Scal | Asum => n,
            Axpy | Dot | Nrm2 => 2.0 * n,
        }
    }

    /// Bytes that must move: each input read once, each output written once.
    pub fn bytes<T: Number>(self, size: [usize; 3]) -> f64 {
        let [a, b, c] = self
            .shapes(size)
            .map(|[rows, columns]| (rows * columns) as f64);
        let elements = match self {
            Gemm | GemmBatch => a + b + c,
            Getrf => a + c,
            Potrf => (a + c) / 2.0,
            Symm => a / 2.0 + b + c,
            Syrk => a + c / 2.0,
            Syr2k => a + b + c / 2.0,
            Trmm | Trsm => a / 2.0 + 2.0 * c,
            Gemv | GemvT => a + b + c,
            Symv => a / 2.0 + b + c,
            Ger | Axpy => a + b + 2.0 * c,
            Copy => a + c,
            Scal => 2.0 * c,
            Dot | Nrm2 | Asum => a + b,
        };
        elements * size_of::<T>() as f64
    }

    /// What a rate counts.
    pub fn work<T: Number>(self, size: [usize; 3]) -> f64 {
        match self.unit() {
            "GFLOP/s" => self.flops::<T>(size),
            _ => self.bytes::<T>(size),
        }
    }

    /// The unit of its rate.
    pub fn unit(self) -> &'static str {
        match self {
            Gemm | GemmBatch | Symm | Syrk | Syr2k | Trmm | Trsm | Getrf | Potrf => "GFLOP/s",
            _ => "GB/s",
        }
    }
}
