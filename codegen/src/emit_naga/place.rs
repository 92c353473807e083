//! Memory: buffers, shared and private arrays, plain and atomic accesses.

use super::lower::{Check, Lowerer};
use crate::ir::*;
use crate::types::Scalar;
use naga::{AddressSpace, AtomicFunction, Expression, Handle, Literal, Statement, StorageAccess};
use std::collections::HashSet;

/// A declared buffer or array.
#[derive(Clone, Copy)]
pub struct Memory {
    /// The pointer to the whole.
    pub pointer: Handle<Expression>,
    /// Elements, where the declaration says.
    pub len: Option<u32>,
}

/// The places that some atomic touches. naga types atomic memory apart: every access to it is
/// atomic then, loads and stores included.
fn atomic_places(kernel: &Kernel) -> HashSet<Place> {
    let mut places = HashSet::new();
    kernel.for_each_stmt(&mut |s| {
        if let Stmt::Atomic { place, .. } = s {
            places.insert(*place);
        }
    });
    places
}

impl Lowerer<'_> {
    /// Declares every buffer, shared and private array of the kernel.
    pub fn declare_memory(&mut self) -> Check<()> {
        let kernel = self.kernel;
        let atomics = atomic_places(kernel);
        let mut binding = 0;
        for (i, p) in kernel.params.iter().enumerate() {
            let ParamKind::Buffer { elem, access } = p.kind else {
                continue;
            };
            let place = Place::Buffer(Id(i as u32));
            let ty = self.array_type(elem, atomics.contains(&place), None)?;
            let access = match access {
                Access::Read => StorageAccess::LOAD,
                Access::ReadWrite => StorageAccess::LOAD | StorageAccess::STORE,
            };
            let space = AddressSpace::Storage { access };
            let pointer = self.global(&p.name, space, Some(binding), ty);
            self.places.insert(place, Memory { pointer, len: None });
            binding += 1;
        }
        for (i, a) in kernel.shared.iter().enumerate() {
            let place = Place::Shared(Id(i as u32));
            let ty = self.array_type(a.elem, atomics.contains(&place), Some(a.len))?;
            let pointer = self.global(&a.name, AddressSpace::WorkGroup, None, ty);
            let len = Some(a.len);
            self.places.insert(place, Memory { pointer, len });
        }
        for (i, a) in kernel.private.iter().enumerate() {
            let ty = self.array_type(a.elem, false, Some(a.len))?;
            let pointer = self.local(a.name.clone(), ty);
            let len = Some(a.len);
            self.places
                .insert(Place::Private(Id(i as u32)), Memory { pointer, len });
        }
        Ok(())
    }

    /// Declares the array of scalar parameters, if there are any, and returns the pointer to it.
    pub fn declare_scalars(&mut self) -> Check<Option<Handle<Expression>>> {
        let params = &self.kernel.params;
        if params.len() == super::buffer_bindings(self.kernel) {
            return Ok(None);
        }
        let binding = super::buffer_bindings(self.kernel) as u32;
        let ty = self.array_type(Scalar::U32, false, None)?;
        let space = AddressSpace::Storage {
            access: StorageAccess::LOAD,
        };
        Ok(Some(self.global("scalars", space, Some(binding), ty)))
    }

    /// The pointer to element `index + lane`.
    pub fn element(&mut self, place: Place, index: Value, lane: u32) -> Check<Handle<Expression>> {
        let memory = *self
            .places
            .get(&place)
            .ok_or_else(|| format!("{place:?} does not exist"))?;
        let base = memory.pointer;
        if let Expr::Const(c) = *self.kernel.expr(index) {
            let index = u32::try_from(c.bits)
                .ok()
                .and_then(|i| i.checked_add(lane))
                .ok_or_else(|| format!("index {} is past what Vulkan addresses", c.bits))?;
            return Ok(self.push(Expression::AccessIndex { base, index }));
        }
        let mut at = self.index(index)?;
        if lane > 0 {
            let lane = self.u32(lane)?;
            at = self.binary(naga::BinaryOperator::Add, at, lane);
        }
        // The index of an unrolled loop may be past the end where a guard keeps the access from
        // running; naga refuses to see that, so the access goes to the last element.
        if let (Expression::Literal(Literal::U32(i)), Some(len)) =
            (&self.function.expressions[at], memory.len)
            && *i >= len
        {
            at = self.u32(len - 1)?;
        }
        Ok(self.push(Expression::Access { base, index: at }))
    }

    /// An index as u32: Vulkan binds at most 4 GiB, so the upper half of a u64 index is zero.
    pub fn index(&mut self, index: Value) -> Check<Handle<Expression>> {
        let h = self.value(index)?;
        Ok(match self.kernel.ty(index).scalar {
            Scalar::U64 => self.cast(h, naga::Scalar::U32),
            _ => h,
        })
    }

    /// Reads the lanes of `ty` from consecutive elements.
    pub fn load(
        &mut self,
        place: Place,
        index: Value,
        ty: crate::types::Type,
    ) -> Check<Handle<Expression>> {
        let mut lanes = Vec::with_capacity(ty.lanes.into());
        for lane in 0..ty.lanes.into() {
            let pointer = self.element(place, index, lane)?;
            lanes.push(self.push(Expression::Load { pointer }));
        }
        match lanes[..] {
            [one] => Ok(one),
            _ => self.compose(ty, lanes),
        }
    }

    /// Writes the lanes of a value to consecutive elements.
    pub fn store(&mut self, place: Place, index: Value, value: Value) -> Check<()> {
        let lanes = self.kernel.ty(value).lanes;
        let value = self.value(value)?;
        for lane in 0..lanes.into() {
            let part = match lanes {
                1 => value,
                _ => self.push(Expression::AccessIndex {
                    base: value,
                    index: lane,
                }),
            };
            let pointer = self.element(place, index, lane)?;
            self.statement(Statement::Store {
                pointer,
                value: part,
            });
        }
        Ok(())
    }

    /// Read-modify-write; returns the old value.
    pub fn atomic(
        &mut self,
        op: AtomicOp,
        place: Place,
        index: Value,
        value: Value,
        compare: Option<Value>,
    ) -> Check<Handle<Expression>> {
        let pointer = self.element(place, index, 0)?;
        let ty = self.kernel.ty(value);
        let value = self.value(value)?;
        let compare = compare.map(|c| self.value(c)).transpose()?;
        let fun = match op {
            AtomicOp::Add => AtomicFunction::Add,
            AtomicOp::Min => AtomicFunction::Min,
            AtomicOp::Max => AtomicFunction::Max,
            AtomicOp::And => AtomicFunction::And,
            AtomicOp::Or => AtomicFunction::InclusiveOr,
            AtomicOp::Xor => AtomicFunction::ExclusiveOr,
            AtomicOp::Exchange => AtomicFunction::Exchange { compare: None },
            AtomicOp::CompareExchange => AtomicFunction::Exchange { compare },
        };
        let comparison = op == AtomicOp::CompareExchange;
        let result_ty = match comparison {
            false => self.value_type(ty)?,
            true => {
                let scalar = super::types::scalar(ty.scalar)?;
                let ty = naga::PredeclaredType::AtomicCompareExchangeWeakResult(scalar);
                self.module.generate_predeclared_type(ty)
            }
        };
        let result = self.append(Expression::AtomicResult {
            ty: result_ty,
            comparison,
        });
        self.statement(Statement::Atomic {
            pointer,
            fun,
            value,
            result: Some(result),
        });
        Ok(match comparison {
            false => result,
            true => self.push(Expression::AccessIndex {
                base: result,
                index: 0,
            }),
        })
    }
}
