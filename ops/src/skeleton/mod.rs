//! The kernel skeletons that operators are put into.
//!
//! - [`graph`]: an expression flattened into leaves, scalars and operations.
//! - [`access`]: how leaves are addressed: offsets, strides, vector loads, index width.
//! - [`map`]: `out[i] = f(in[i]…)`.
//! - [`reduce`]: `out[o] = finish(⊕ over r of lift(f(in[o, r]…)))`.
//! - [`scan`]: the running ⊕ along an axis.
//! - [`contract`]: `out[m, n] = epilogue(Σ over k of A[m, k] · B[k, n])`.
//! - [`layers`]: a vendor's library in place of a kernel.
//! - [`each`]: numbered tasks over buffers, for what is no map.
//! - [`sort`]: rows of keys in order.
//! - [`runs`]: rows with equal ids folded.
//!
//! A skeleton makes a *plan* from shapes and the device's caps. The plan's structural part is the
//! program's cache key; everything else (lengths, strides, offsets, constants) is passed as scalar
//! parameters, so that one program serves many shapes.

mod access;
mod contract;
mod each;
mod graph;
pub(crate) mod layers;
mod map;
mod reduce;
mod runs;
mod scan;
mod sort;

use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::table::{self, Kind, Row};
use crate::tensor::Tensor;
use suanzi_backends::{Context, DeviceKind};
use suanzi_codegen::{Kernel, Scalar};

pub use access::{Positions, index_width};
pub use contract::{
    Contract, Packed, Reach, Tiles, Wanted, contract, contract_into, contract_with,
};
pub(crate) use contract::{shipped, tuned};
pub use each::{By, Each, Io};
pub(crate) use map::map;
pub(crate) use reduce::{Order, reduce};
pub use runs::Fold;
pub(crate) use runs::Runs;
pub use scan::Span;
pub(crate) use scan::{Scan, scan};
pub(crate) use sort::{key::Key, sort_rows};

/// What a plan needs to know of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub kind: DeviceKind,
    pub units: u32,
    pub max_workgroup: u32,
    pub max_groups: [u32; 3],
    pub shared_bytes: u32,
    pub vector_bytes: u32,
}

impl Machine {
    fn of(tensor: &Tensor) -> Machine {
        Machine::on(tensor.context())
    }

    pub fn on(ctx: &Context) -> Machine {
        let caps = ctx.device().caps();
        Machine {
            kind: caps.kind,
            units: caps.compute_units.max(1),
            max_workgroup: caps.max_workgroup,
            max_groups: caps.max_groups,
            shared_bytes: caps.shared_bytes,
            vector_bytes: caps.vector_bytes,
        }
    }

    /// A usual machine of a kind, for printing kernels without a device.
    fn usual(kind: DeviceKind) -> Machine {
        Machine {
            kind,
            units: 8,
            max_workgroup: 1024,
            max_groups: [65_535; 3],
            shared_bytes: 16 << 10,
            vector_bytes: 64,
        }
    }

    /// The largest power of two that is a legal work-group size, at most `wanted`.
    fn workgroup(&self, wanted: u32) -> u32 {
        let most = wanted.min(self.max_workgroup).max(1);
        1 << most.ilog2()
    }

    /// Groups along two axes that make at least `groups` together.
    fn grid(&self, groups: u64) -> [u32; 3] {
        let x = groups.min(u64::from(self.max_groups[0])).max(1);
        [x as u32, groups.div_ceil(x) as u32, 1]
    }
}

/// The kernel that an operator becomes on a device of some kind, for contiguous inputs: what
/// `suanzi show` prints. Casts are shown to f32 (from f32: to f16).
///
/// # Errors
/// [`Error::Dtype`] where the operator does not take the dtype.
pub fn kernel_for(row: &Row, dtype: Scalar, kind: DeviceKind) -> Result<Kernel> {
    if !row.dtypes.contains(&dtype) {
        let takes: Vec<&str> = row.dtypes.iter().map(|d| d.name()).collect();
        return Err(Error::dtype(
            row.name,
            [dtype],
            format!("it takes {}", takes.join(" ")),
        ));
    }
    let machine = Machine::usual(kind);
    let graph = match row.kind {
        Kind::Map(op) => {
            let leaves: Vec<Scalar> = (0..op.inputs.count())
                .map(|i| op.inputs.dtype(i, dtype))
                .collect();
            graph::Graph::of_map(row.name, &op, &leaves, op.output.dtype(dtype), 1 << 20)
        }
        Kind::Cast(cast) => {
            let to = if dtype == Scalar::F32 {
                Scalar::F16
            } else {
                Scalar::F32
            };
            graph::Graph::of_cast(cast.mode, dtype, to, 1 << 20)
        }
        Kind::Call(_) => {
            let why = "it has no single kernel; run it with SUANZI_DUMP to see those it launches";
            return Err(Error::value(row.name, why));
        }
        Kind::Create(_) => graph::Graph::of_scalars(row.name == "iota", dtype, 1 << 20),
        Kind::Reduce(op) => {
            let graph = graph::Graph::of_leaf(dtype, 1 << 10, 1 << 10);
            return reduce::kernel_for(row.name, op.of(dtype), graph, machine)
                .map_err(|e| Error::backend(row.name, [], e.into()));
        }
    };
    map::kernel_for(row.name, graph, machine).map_err(|e| Error::backend(row.name, [], e.into()))
}

/// One kernel for each row of the table and each kind of device, in f32 or the row's first dtype:
/// for snapshots, compile checks and sanitizers.
pub fn sample_kernels(kind: DeviceKind) -> Vec<Kernel> {
    table::rows()
        .filter_map(|row| {
            let dtype = if row.dtypes.contains(&Scalar::F32) {
                Scalar::F32
            } else {
                row.dtypes[0]
            };
            kernel_for(row, dtype, kind).ok()
        })
        .collect()
}

/// A failure of the device while an expression ran.
fn failed(op: &str, expr: &Expr, source: suanzi_backends::Error) -> Error {
    Error::backend(op, [expr.shape()], source)
}
