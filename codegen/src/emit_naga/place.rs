//! Memory: buffers, shared and private arrays, plain and atomic accesses.

use super::lower::{Check, Lowerer};
use crate::ir::*;
use crate::types::{Scalar, Type};
use naga::{AddressSpace, AtomicFunction, Expression, Handle, Literal, Statement, StorageAccess};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A declared buffer or array.
pub struct Memory {
    /// The pointers to the whole, by the width of the elements that they see.
    views: HashMap<u8, Handle<Expression>>,
    /// Scalar elements, where the declaration says.
    len: Option<u32>,
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

/// The widths at which a buffer is to be seen: aligned vectors are accessed whole.
///
/// Every width is a variable of its own over the same memory. That is sound where no work-item
/// reads through one what it wrote through another, so a buffer that is both loaded and stored is
/// seen at one width or, if that is not enough, by its scalars.
fn buffer_views(kernel: &Kernel, atomics: &HashSet<Place>) -> HashMap<Place, BTreeSet<u8>> {
    #[derive(Default)]
    struct Use {
        widths: BTreeSet<u8>,
        loaded: bool,
        stored: bool,
    }
    let mut uses: HashMap<Place, Use> = HashMap::new();
    let mut access = |place: Place, lanes: u8, aligned: bool, stores: bool| {
        let u = uses.entry(place).or_default();
        u.widths.insert(if aligned { lanes } else { 1 });
        u.loaded |= !stores;
        u.stored |= stores;
    };
    kernel.for_each_stmt(&mut |s| match s {
        Stmt::Emit(v) => {
            if let Expr::Load { place, aligned, .. } = kernel.expr(*v) {
                access(*place, kernel.ty(*v).lanes, *aligned, false);
            }
        }
        Stmt::Store {
            place,
            value,
            aligned,
            ..
        } => access(*place, kernel.ty(*value).lanes, *aligned, true),
        Stmt::Frag(FragOp::Load { place, .. }) => access(*place, 1, false, false),
        Stmt::Frag(FragOp::Store { place, .. }) => access(*place, 1, false, true),
        _ => {}
    });
    let views = uses.into_iter().map(|(place, u)| {
        let mixed = u.loaded && u.stored && u.widths.len() > 1;
        let scalars = mixed || atomics.contains(&place);
        (
            place,
            if scalars {
                BTreeSet::from([1])
            } else {
                u.widths
            },
        )
    });
    views.collect()
}

impl Lowerer<'_> {
    /// Declares every buffer, shared and private array of the kernel.
    pub fn declare_memory(&mut self) -> Check<()> {
        let kernel = self.kernel;
        let atomics = atomic_places(kernel);
        let mut views = buffer_views(kernel, &atomics);
        let mut binding = 0;
        for (i, p) in kernel.params.iter().enumerate() {
            let ParamKind::Buffer { elem, access } = p.kind else {
                continue;
            };
            let access = match access {
                Access::Read => StorageAccess::LOAD,
                Access::ReadWrite => StorageAccess::LOAD | StorageAccess::STORE,
            };
            let space = AddressSpace::Storage { access };
            let place = Place::Buffer(Id(i as u32));
            let widths = views.remove(&place).unwrap_or_else(|| BTreeSet::from([1]));
            let mut views = HashMap::new();
            for lanes in widths {
                let ty = self.array_type(elem.x(lanes), atomics.contains(&place), None)?;
                let (name, group) = match lanes {
                    1 => (p.name.clone(), 0),
                    n => (format!("{}_x{n}", p.name), u32::from(n)),
                };
                let pointer = self.global(&name, space, Some((group, binding)), ty);
                views.insert(lanes, pointer);
            }
            self.places.insert(place, Memory { views, len: None });
            binding += 1;
        }
        for (i, a) in kernel.shared.iter().enumerate() {
            let place = Place::Shared(Id(i as u32));
            let ty = self.array_type(a.elem.into(), atomics.contains(&place), Some(a.len))?;
            let pointer = self.global(&a.name, AddressSpace::WorkGroup, None, ty);
            self.declare_array(place, a.len, pointer);
        }
        for (i, a) in kernel.private.iter().enumerate() {
            let ty = self.array_type(a.elem.into(), false, Some(a.len))?;
            let pointer = self.local(a.name.clone(), ty);
            self.declare_array(Place::Private(Id(i as u32)), a.len, pointer);
        }
        Ok(())
    }

    fn declare_array(&mut self, place: Place, len: u32, pointer: Handle<Expression>) {
        let views = HashMap::from([(1, pointer)]);
        let len = Some(len);
        self.places.insert(place, Memory { views, len });
    }

    /// Declares the array of scalar parameters, if there are any, and returns the pointer to it.
    pub fn declare_scalars(&mut self) -> Check<Option<Handle<Expression>>> {
        let params = &self.kernel.params;
        if params.len() == super::buffer_bindings(self.kernel) {
            return Ok(None);
        }
        let binding = super::buffer_bindings(self.kernel) as u32;
        let ty = self.array_type(Scalar::U32.into(), false, None)?;
        let space = AddressSpace::Storage {
            access: StorageAccess::LOAD,
        };
        Ok(Some(self.global("scalars", space, Some((0, binding)), ty)))
    }

    /// The pointer to the elements of a place as a view of some width sees them, if it has that
    /// view.
    fn view(&self, place: Place, lanes: u8) -> Option<Handle<Expression>> {
        self.places.get(&place)?.views.get(&lanes).copied()
    }

    /// The pointer to element `index + lane`.
    pub fn element(&mut self, place: Place, index: Value, lane: u32) -> Check<Handle<Expression>> {
        let base = self
            .view(place, 1)
            .ok_or_else(|| format!("{place:?} has no scalars to point to"))?;
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
        let len = self.places.get(&place).and_then(|m| m.len);
        if let (Expression::Literal(Literal::U32(i)), Some(len)) =
            (&self.function.expressions[at], len)
            && *i >= len
        {
            at = self.u32(len - 1)?;
        }
        Ok(self.push(Expression::Access { base, index: at }))
    }

    /// The pointer to a whole vector at an aligned index, if the place is seen that way.
    fn vector(
        &mut self,
        place: Place,
        index: Value,
        lanes: u8,
        aligned: bool,
    ) -> Check<Option<Handle<Expression>>> {
        if !aligned || lanes == 1 {
            return Ok(None);
        }
        let Some(base) = self.view(place, lanes) else {
            return Ok(None);
        };
        let at = self.index(index)?;
        let shift = self.u32(lanes.trailing_zeros())?;
        let index = self.binary(naga::BinaryOperator::ShiftRight, at, shift);
        Ok(Some(self.push(Expression::Access { base, index })))
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
        aligned: bool,
        ty: Type,
    ) -> Check<Handle<Expression>> {
        if let Some(pointer) = self.vector(place, index, ty.lanes, aligned)? {
            return Ok(self.push(Expression::Load { pointer }));
        }
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
    pub fn store(&mut self, place: Place, index: Value, aligned: bool, value: Value) -> Check<()> {
        let lanes = self.kernel.ty(value).lanes;
        let value = self.value(value)?;
        if let Some(pointer) = self.vector(place, index, lanes, aligned)? {
            self.statement(Statement::Store { pointer, value });
            return Ok(());
        }
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
