//! Matrix fragments as naga's cooperative matrices.
//!
//! A fragment is a variable that holds a matrix: it is loaded for every use, which drivers resolve
//! as they do for any variable. naga has f16 and f32 elements and 8 or 16 rows and columns; it has
//! no way to fill a matrix but with zeros.

use super::lower::{Check, Lowerer};
use super::types::scalar;
use crate::ir::*;
use crate::types::Scalar;
use naga::{
    CooperativeData, CooperativeRole, CooperativeSize, Expression, Handle, Statement, TypeInner,
};

fn cooperative_size(n: u32) -> Check<CooperativeSize> {
    match n {
        8 => Ok(CooperativeSize::Eight),
        16 => Ok(CooperativeSize::Sixteen),
        n => Err(format!(
            "a fragment with {n} rows or columns: naga has 8 and 16"
        )),
    }
}

/// The naga type of a fragment.
pub fn matrix_type(f: &Fragment) -> Check<TypeInner> {
    if !matches!(f.elem, Scalar::F16 | Scalar::F32) {
        return Err(format!("a fragment of {}: naga has f16 and f32", f.elem));
    }
    let (rows, columns) = f.dims();
    Ok(TypeInner::CooperativeMatrix {
        columns: cooperative_size(columns)?,
        rows: cooperative_size(rows)?,
        scalar: scalar(f.elem)?,
        role: match f.role {
            Role::A => CooperativeRole::A,
            Role::B => CooperativeRole::B,
            Role::Accumulator => CooperativeRole::C,
        },
    })
}

impl Lowerer<'_> {
    /// Declares a variable for every fragment.
    pub fn declare_fragments(&mut self) -> Check<()> {
        for (i, f) in self.kernel.fragments.iter().enumerate() {
            let ty = matrix_type(f)?;
            let ty = self.insert_type(ty);
            let var = self.local(format!("f{i}"), ty);
            self.fragments.push(var);
        }
        Ok(())
    }

    /// Runs an operation on fragments.
    pub fn fragment(&mut self, op: &FragOp) -> Check<()> {
        match op {
            FragOp::Fill(id, v) => {
                let zero = matches!(self.kernel.expr(*v), Expr::Const(Const { bits: 0, .. }));
                if !zero {
                    return Err("a fragment is filled with something but the constant 0".into());
                }
                let ty = matrix_type(&self.kernel.fragments[id.0 as usize])?;
                let ty = self.insert_type(ty);
                let value = self.push(Expression::ZeroValue(ty));
                self.set_fragment(*id, value);
            }
            FragOp::Load {
                frag,
                place,
                index,
                stride,
                layout,
            } => {
                let data = self.matrix_data(*place, *index, *stride, *layout)?;
                let f = &self.kernel.fragments[frag.0 as usize];
                let TypeInner::CooperativeMatrix {
                    columns,
                    rows,
                    role,
                    ..
                } = matrix_type(f)?
                else {
                    return Err(format!("{f:?} is no matrix"));
                };
                let value = self.push(Expression::CooperativeLoad {
                    columns,
                    rows,
                    role,
                    data,
                });
                self.set_fragment(*frag, value);
            }
            FragOp::MulAdd { acc, a, b } => {
                let [a, b, c] = [a, b, acc].map(|id| self.get_fragment(*id));
                let value = self.push(Expression::CooperativeMultiplyAdd { a, b, c });
                self.set_fragment(*acc, value);
            }
            FragOp::Store {
                frag,
                place,
                index,
                stride,
                layout,
            } => {
                let data = self.matrix_data(*place, *index, *stride, *layout)?;
                let target = self.get_fragment(*frag);
                self.statement(Statement::CooperativeStore { target, data });
            }
        }
        Ok(())
    }

    fn matrix_data(
        &mut self,
        place: Place,
        index: Value,
        stride: Value,
        layout: Layout,
    ) -> Check<CooperativeData> {
        Ok(CooperativeData {
            pointer: self.element(place, index, 0)?,
            stride: self.index(stride)?,
            row_major: layout == Layout::RowMajor,
        })
    }

    fn get_fragment(&mut self, id: Id) -> Handle<Expression> {
        let pointer = self.fragments[id.0 as usize];
        self.push(Expression::Load { pointer })
    }

    fn set_fragment(&mut self, id: Id, value: Handle<Expression>) {
        let pointer = self.fragments[id.0 as usize];
        self.statement(Statement::Store { pointer, value });
    }
}
