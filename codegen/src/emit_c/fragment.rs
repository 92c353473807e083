//! Matrix fragments.

use super::print::{Printer, Text};
use super::template::{Args, expand};
use crate::ir::*;
use crate::types::Scalar;

impl Printer<'_> {
    fn table(&self, f: Fragment) -> Result<&'static super::Fragments, String> {
        let (role, Fragment { m, n, k, elem, .. }) = (f.role, f);
        match self.dialect.fragments {
            None => Err(format!("matrix fragments: {} has none", self.dialect.name)),
            Some(_) if !self.target.fragments.contains(&f) => Err(format!(
                "matrix fragment {role:?} {m}x{n}x{k} of {elem}: the target lacks it"
            )),
            Some(table) => Ok(table),
        }
    }

    /// Declares every fragment and makes it zero.
    pub fn fragment_declarations(&mut self) -> Result<(), String> {
        for (i, f) in self.kernel.fragments.iter().enumerate() {
            let id = Id(i as u32);
            let table = self.table(*f)?;
            self.need(super::Need::Fragments, 1);
            let template = match f.role {
                Role::Accumulator => table.declare_accumulator,
                _ => table.declare_factor,
            };
            let role = table.roles[usize::from(f.role == Role::B)];
            let layout = table.factor_layouts[self.factor_layout(id)? as usize];
            let shape = [f.m, f.n, f.k].map(|x| x.to_string());
            let (elem, _) = self.element(*f)?;
            let args = Args {
                operands: &[&name(id)],
                named: &[
                    ('e', elem),
                    ('r', role),
                    ('l', layout),
                    ('m', &shape[0]),
                    ('n', &shape[1]),
                    ('k', &shape[2]),
                ],
            };
            self.line(&expand(template, args)?);
            let zero = Const {
                scalar: f.elem,
                bits: 0,
            };
            let zero = self.literal(zero, 1)?;
            let fill = self.fill(id, &zero)?;
            self.line(&fill);
        }
        Ok(())
    }

    /// An operation as a statement.
    pub fn fragment(&mut self, op: &FragOp) -> Text {
        match op {
            FragOp::Fill(id, value) => {
                let value = self.operand(*value)?;
                self.fill(*id, &value)
            }
            FragOp::Load {
                frag,
                place,
                index,
                stride,
                layout,
            } => {
                let f = self.of(*frag);
                let table = self.table(f)?;
                let template = match f.role {
                    Role::Accumulator => table.load_accumulator,
                    _ => table.load_factor,
                };
                self.transfer(template, *frag, *place, *index, *stride, *layout)
            }
            FragOp::MulAdd { acc, a, b } => {
                let template = self.table(self.of(*acc))?.mul_add;
                let args = Args {
                    operands: &[&name(*acc), &name(*a), &name(*b)],
                    named: &[],
                };
                expand(template, args)
            }
            FragOp::Store {
                frag,
                place,
                index,
                stride,
                layout,
            } => {
                let f = self.of(*frag);
                let template = self.table(f)?.store;
                if f.role != Role::Accumulator {
                    return Err(format!("store of a fragment of role {:?}", f.role));
                }
                self.transfer(template, *frag, *place, *index, *stride, *layout)
            }
        }
    }

    fn transfer(
        &mut self,
        template: &str,
        frag: Id,
        place: Place,
        index: Value,
        stride: Value,
        layout: Layout,
    ) -> Text {
        let f = self.of(frag);
        let table = self.table(f)?;
        let (elem, _) = self.element(f)?;
        let (address, stride) = (self.address(place, index)?, self.operand(stride)?);
        let args = Args {
            operands: &[&name(frag), &stride],
            named: &[
                ('e', elem),
                ('p', &address),
                ('l', table.accumulator_layouts[layout as usize]),
            ],
        };
        expand(template, args)
    }

    fn fill(&mut self, id: Id, value: &str) -> Text {
        let f = self.of(id);
        let (template, (_, conversion)) = (self.table(f)?.fill, self.element(f)?);
        let value = expand(
            conversion,
            Args {
                operands: &[value],
                named: &[],
            },
        )?;
        let args = Args {
            operands: &[&name(id), &value],
            named: &[],
        };
        expand(template, args)
    }

    fn of(&self, id: Id) -> Fragment {
        self.kernel.fragments[id.0 as usize]
    }

    fn element(&self, f: Fragment) -> Result<(&'static str, &'static str), String> {
        let find = |e: Scalar| self.table(f).map(|t| t.elems.iter().find(|row| row.0 == e));
        match find(f.elem)? {
            Some((_, name, value)) => Ok((name, value)),
            None => Err(format!(
                "matrix fragments of {}: {} lacks them",
                f.elem, self.dialect.name
            )),
        }
    }

    /// The layout that a factor is loaded in: part of its type, so there can be only one.
    fn factor_layout(&self, id: Id) -> Result<Layout, String> {
        let mut layouts = vec![];
        self.kernel.for_each_stmt(&mut |stmt| {
            if let Stmt::Frag(FragOp::Load { frag, layout, .. }) = stmt
                && *frag == id
                && !layouts.contains(layout)
            {
                layouts.push(*layout);
            }
        });
        match layouts[..] {
            [] => Ok(Layout::RowMajor),
            [one] => Ok(one),
            _ if self.of(id).role == Role::Accumulator => Ok(Layout::RowMajor),
            _ => Err(format!(
                "fragment {} is loaded in both layouts: use two fragments",
                id.0
            )),
        }
    }
}

fn name(id: Id) -> String {
    format!("f{}", id.0)
}
