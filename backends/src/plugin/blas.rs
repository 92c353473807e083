//! A plugin's own matrix library, behind [`crate::vendor::Blas`].

use super::session::{About, Buffer, Planned, Session};
use crate::check;
use crate::error::{Error, Result};
use crate::vendor::{Blas, Gemm, Matrix};
use std::ptr;
use std::sync::Arc;
use suanzi_codegen::Scalar;
use suanzi_plugin::{MAX_AXES, Memory, Op, Tensor, op};

/// The library of one device.
pub struct Engine {
    session: Arc<Session>,
    name: String,
}

impl Engine {
    /// The library of a device, if its plugin has one.
    pub fn of(session: &Arc<Session>) -> Option<Engine> {
        session.table().plan.map(|_| Engine {
            session: session.clone(),
            name: session.title(),
        })
    }

    fn buffer<'a>(&self, matrix: &Matrix<'a>) -> Result<&'a Buffer> {
        let buffer = matrix.memory.get::<Buffer>(&self.session.info)?;
        match Arc::ptr_eq(&buffer.session, &self.session) {
            true => Ok(buffer),
            false => Err(check::foreign(&self.session.info)),
        }
    }
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
        let memory: [Memory; 3] = [
            self.buffer(&gemm.a)?.raw,
            self.buffer(&gemm.b)?.raw,
            self.buffer(&gemm.c)?.raw,
        ];
        let (m, n, k) = (gemm.m, gemm.n, gemm.k);
        let tensor = |matrix: &Matrix<'_>, name: &str, rows: u64, cols: u64| -> Result<Tensor> {
            check::matrix(&self.session.info, gemm.dtype, name, matrix, rows, cols)?;
            let mut tensor = Tensor {
                size: size_of::<Tensor>(),
                dtype: gemm.dtype as u32,
                axes: 2,
                offset: matrix.offset,
                shape: [0; MAX_AXES],
                strides: [0; MAX_AXES],
            };
            tensor.shape[..2].copy_from_slice(&[rows, cols]);
            tensor.strides[..2].copy_from_slice(&[matrix.row_stride, matrix.col_stride]);
            Ok(tensor)
        };
        let tensors = [
            tensor(&gemm.a, "A", m, k)?,
            tensor(&gemm.b, "B", k, n)?,
            tensor(&gemm.c, "C", m, n)?,
        ];
        let what = Op {
            size: size_of::<Op>(),
            kind: op::GEMM,
            tensor_count: 3,
            tensors: tensors.as_ptr(),
            scalars: [gemm.alpha, gemm.beta],
            name: ptr::null(),
            groups: 1,
            padding: [0; 6],
            stride: [1; 3],
            dilation: [1; 3],
        };
        let (mut raw, mut workspace) = (ptr::null_mut(), 0);
        let planned = self.session.call("plan", About::Nothing, |table, device| {
            let f = table.plan?;
            // SAFETY: the header's signature; the tensors outlive the call.
            Some(unsafe { f(device, &what, &mut raw, &mut workspace) })
        });
        match planned {
            Err(Error::Unsupported { .. }) => return Ok(false),
            other => other?,
        }
        if raw.is_null() {
            return Err(self
                .session
                .plugin_error("planned a product and gave no plan".to_string()));
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
            // SAFETY: the header's signature; the memories are this device's, and the matrices lie
            // inside them. What is recorded runs before the workspace is freed, in order.
            Some(unsafe { f(device, plan.raw, memory.as_ptr(), memory.len(), at) })
        })?;
        Ok(true)
    }
}
