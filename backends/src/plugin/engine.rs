//! A plugin's own library, behind [`crate::vendor::Blas`] and [`crate::vendor::Dnn`]: each operation is
//! planned, run once, and its plan given back.

use super::session::{About, Buffer, Planned, Session};
use crate::check;
use crate::error::{Error, Result};
use crate::vendor::{Blas, Convolution, Dnn, Elementwise, Gemm, Matrix, Strided};
use std::ffi::CString;
use std::ptr;
use std::sync::Arc;
use suanzi_codegen::Scalar;
use suanzi_plugin::{MAX_AXES, Memory, Op, Tensor, op};

/// Axes of an image that the header has room for.
const MAX_IMAGE: usize = 3;

/// The library of one device.
pub struct Engine {
    session: Arc<Session>,
    name: String,
}

/// What a plugin is asked for.
struct Asked<'a> {
    dtype: Scalar,
    /// Each with its name in messages, in the order of the header.
    tensors: &'a [(&'a str, Strided<'a>)],
    /// All but the size and the tensors.
    what: Op,
}

/// An operation that says nothing yet.
fn blank(kind: u32) -> Op {
    Op {
        size: size_of::<Op>(),
        kind,
        tensor_count: 0,
        tensors: ptr::null(),
        scalars: [0.0; 2],
        name: ptr::null(),
        groups: 1,
        padding: [0; 6],
        stride: [1; 3],
        dilation: [1; 3],
    }
}

impl Engine {
    /// The library of a device, if its plugin has one.
    pub fn of(session: &Arc<Session>) -> Option<Engine> {
        session.table().plan.map(|_| Engine {
            session: session.clone(),
            name: session.title(),
        })
    }

    fn memory(&self, tensor: &Strided<'_>) -> Result<Memory> {
        let buffer = tensor.memory.get::<Buffer>(&self.session.info)?;
        match Arc::ptr_eq(&buffer.session, &self.session) {
            true => Ok(buffer.raw),
            false => Err(check::foreign(&self.session.info)),
        }
    }

    /// Plans an operation and runs it; `Ok(false)` where the plugin does not do it.
    fn ask(&self, asked: &Asked<'_>) -> Result<bool> {
        if asked.tensors.iter().any(|t| t.1.shape.len() > MAX_AXES) {
            return Ok(false);
        }
        let (mut memory, mut tensors) = (vec![], vec![]);
        for (name, tensor) in asked.tensors {
            memory.push(self.memory(tensor)?);
            check::tensor(&self.session.info, asked.dtype, name, tensor)?;
            tensors.push(described(asked.dtype, tensor));
        }
        let what = Op {
            tensor_count: tensors.len() as u32,
            tensors: tensors.as_ptr(),
            ..asked.what
        };
        let (mut raw, mut workspace) = (ptr::null_mut(), 0);
        let planned = self.session.call("plan", About::Nothing, |table, device| {
            let f = table.plan?;
            // SAFETY: the header's signature; the tensors, and the name that the caller holds,
            // outlive the call.
            Some(unsafe { f(device, &what, &mut raw, &mut workspace) })
        });
        match planned {
            Err(Error::Unsupported { .. }) => return Ok(false),
            other => other?,
        }
        if raw.is_null() {
            return Err(self
                .session
                .plugin_error("planned an operation and gave no plan".to_string()));
        }
        let plan = Planned {
            raw,
            session: &self.session,
        };
        let space = match workspace {
            0 => None,
            bytes => Some(self.session.alloc(bytes)?),
        };
        let at = space.as_ref().map_or(0, |b| b.raw);
        self.session.call("run", About::Nothing, |table, device| {
            let f = table.run?;
            // SAFETY: the header's signature; the memories are this device's, and the tensors lie
            // inside them. What is recorded runs before the workspace is freed, in order.
            Some(unsafe { f(device, plan.raw, memory.as_ptr(), memory.len(), at) })
        })?;
        Ok(true)
    }
}

/// A tensor of at most [`MAX_AXES`] axes, for the plugin.
fn described(dtype: Scalar, from: &Strided<'_>) -> Tensor {
    let mut tensor = Tensor {
        size: size_of::<Tensor>(),
        dtype: dtype as u32,
        axes: from.shape.len() as u32,
        offset: from.offset,
        shape: [0; MAX_AXES],
        strides: [0; MAX_AXES],
    };
    for (i, (&n, &stride)) in from.shape.iter().zip(from.strides).enumerate() {
        (tensor.shape[i], tensor.strides[i]) = (n as u64, stride);
    }
    tensor
}

impl Blas for Engine {
    fn name(&self) -> &str {
        &self.name
    }

    fn does(&self, _: Scalar) -> bool {
        // The plan of a product says.
        true
    }

    fn gemm(&self, gemm: &Gemm<'_>) -> Result<bool> {
        let [Ok(m), Ok(n), Ok(k)] = [gemm.m, gemm.n, gemm.k].map(usize::try_from) else {
            return Ok(false);
        };
        let shapes = [[m, k], [k, n], [m, n]];
        let matrices = [&gemm.a, &gemm.b, &gemm.c];
        let strides = matrices.map(|m: &Matrix<'_>| [m.row_stride, m.col_stride]);
        let strided = |i: usize| Strided {
            memory: matrices[i].memory,
            offset: matrices[i].offset,
            shape: &shapes[i],
            strides: &strides[i],
        };
        self.ask(&Asked {
            dtype: gemm.dtype,
            tensors: &[
                ("matrix A", strided(0)),
                ("matrix B", strided(1)),
                ("matrix C", strided(2)),
            ],
            what: Op {
                scalars: [gemm.alpha, gemm.beta],
                ..blank(op::GEMM)
            },
        })
    }
}

impl Dnn for Engine {
    fn name(&self) -> &str {
        &self.name
    }

    fn convolution(&self, c: &Convolution<'_>) -> Result<bool> {
        let axes = c.strides.len();
        let mut what = Op {
            scalars: [c.alpha, c.beta],
            ..blank(op::CONVOLUTION)
        };
        let mut fits = (1..=MAX_IMAGE).contains(&axes)
            && c.pads.len() == axes
            && c.dilations.len() == axes
            && [&c.x, &c.w, &c.y].iter().all(|t| t.shape.len() == axes + 2);
        let mut small = |value: usize| {
            let value = u32::try_from(value);
            fits &= value.is_ok();
            value.unwrap_or(0)
        };
        what.groups = small(c.groups);
        for i in 0..axes.min(MAX_IMAGE) {
            let (before, after) = c.pads.get(i).copied().unwrap_or_default();
            what.padding[2 * i] = small(before);
            what.padding[2 * i + 1] = small(after);
            what.stride[i] = small(c.strides[i]);
            what.dilation[i] = small(c.dilations.get(i).copied().unwrap_or(1));
        }
        if !fits {
            return Ok(false);
        }
        self.ask(&Asked {
            dtype: c.dtype,
            tensors: &[("tensor X", c.x), ("tensor W", c.w), ("tensor Y", c.y)],
            what,
        })
    }

    fn elementwise(&self, e: &Elementwise<'_>) -> Result<bool> {
        let Ok(name) = CString::new(e.name) else {
            return Ok(false);
        };
        let inputs = e.inputs.iter().map(|&input| ("an input", input));
        let tensors: Vec<_> = inputs.chain([("the result", e.out)]).collect();
        self.ask(&Asked {
            dtype: e.dtype,
            tensors: &tensors,
            what: Op {
                name: name.as_ptr(),
                ..blank(op::ELEMENTWISE)
            },
        })
    }
}
