//! The walk over a kernel: declarations, statements, and where expressions are evaluated.

use super::types::scalar;
use super::{place, scalar_words};
use crate::ir::*;
use crate::types::Type;
use naga::{
    AddressSpace, BuiltIn, Expression, Function, Handle, LocalVariable, Span, Statement, TypeInner,
};
use std::collections::HashMap;

/// A result, or what stands in the way in words.
pub type Check<T> = Result<T, String>;

/// A loop is unrolled here (drivers unroll by rules of their own) up to this many statements.
const UNROLL_LIMIT: u64 = 4096;

/// The module under construction. Names follow naga: a *pointer* is an expression that refers to
/// memory, and nothing is loaded until an [`Expression::Load`] of it is evaluated.
pub struct Lowerer<'k> {
    pub kernel: &'k Kernel,
    pub module: naga::Module,
    pub function: Function,
    /// The open statement list; callers of [`Lowerer::nested`] hold the outer ones.
    block: naga::Block,
    /// The naga expression behind each value that is in scope.
    values: Vec<Option<Handle<Expression>>>,
    pub literals: HashMap<Const, Handle<Expression>>,
    pub places: HashMap<Place, place::Memory>,
    vars: Vec<Handle<Expression>>,
    pub fragments: Vec<Handle<Expression>>,
    /// Entry-point arguments that exist already.
    arguments: HashMap<BuiltIn, Handle<Expression>>,
}

/// Lowers a kernel to a module with one entry point.
pub fn lower(kernel: &Kernel) -> Check<naga::Module> {
    let mut l = Lowerer {
        kernel,
        module: naga::Module::default(),
        function: Function::default(),
        block: naga::Block::new(),
        values: vec![None; kernel.exprs.len()],
        literals: HashMap::new(),
        places: HashMap::new(),
        vars: vec![],
        fragments: vec![],
        arguments: HashMap::new(),
    };
    l.declare_memory()?;
    for (i, &ty) in kernel.vars.iter().enumerate() {
        let ty = l.value_type(ty)?;
        let var = l.local(format!("v{i}"), ty);
        l.vars.push(var);
    }
    l.declare_fragments()?;
    l.implicit_values()?;
    l.statements(&kernel.body)?;

    let Lowerer {
        mut module,
        mut function,
        block,
        ..
    } = l;
    function.body = block;
    module.entry_points.push(naga::EntryPoint {
        name: kernel.name.clone(),
        stage: naga::ShaderStage::Compute,
        early_depth_test: None,
        workgroup_size: kernel.workgroup,
        workgroup_size_overrides: None,
        function,
        mesh_info: None,
        task_payload: None,
        incoming_ray_payload: None,
    });
    Ok(module)
}

impl Lowerer<'_> {
    // Expressions.

    /// Appends an expression without evaluating it: the result of a statement.
    pub fn append(&mut self, expr: Expression) -> Handle<Expression> {
        self.function.expressions.append(expr, Span::UNDEFINED)
    }

    /// Appends an expression and evaluates it here, if it is of those that are evaluated.
    pub fn push(&mut self, expr: Expression) -> Handle<Expression> {
        let implicit = expr.needs_pre_emit();
        let h = self.append(expr);
        if implicit {
            return h;
        }
        if let Some(Statement::Emit(range)) = self.block.last_mut()
            && let Some((first, last)) = range.first_and_last()
            && last.index() + 1 == h.index()
        {
            *range = naga::Range::new_from_bounds(first, h);
        } else {
            self.statement(Statement::Emit(naga::Range::new_from_bounds(h, h)));
        }
        h
    }

    /// Appends a statement.
    pub fn statement(&mut self, s: Statement) {
        self.block.push(s, Span::UNDEFINED);
    }

    /// Runs `f` with a fresh statement list and returns what it wrote.
    fn nested(&mut self, f: impl FnOnce(&mut Self) -> Check<()>) -> Check<naga::Block> {
        let outer = std::mem::take(&mut self.block);
        let done = f(self);
        let inner = std::mem::replace(&mut self.block, outer);
        done.map(|()| inner)
    }

    /// The naga expression behind a value.
    pub fn value(&self, v: Value) -> Check<Handle<Expression>> {
        self.values[v.0 as usize].ok_or_else(|| format!("%{} is used outside its scope", v.0))
    }

    /// The pointer to a variable.
    pub fn var(&self, id: Id) -> Handle<Expression> {
        self.vars[id.0 as usize]
    }

    /// Declares a variable of the work-item, zero at entry, and returns the pointer to it.
    pub fn local(&mut self, name: String, ty: Handle<naga::Type>) -> Handle<Expression> {
        let var = LocalVariable {
            name: Some(name),
            ty,
            init: None,
        };
        let var = self.function.local_variables.append(var, Span::UNDEFINED);
        self.append(Expression::LocalVariable(var))
    }

    /// Evaluates, at entry, the values that the language never emits.
    fn implicit_values(&mut self) -> Check<()> {
        let kernel = self.kernel;
        let words = self.declare_scalars()?;
        for (i, expr) in kernel.exprs.iter().enumerate() {
            let ty = kernel.types[i];
            self.values[i] = match *expr {
                Expr::Const(c) => {
                    let value = self.constant(c)?;
                    Some(self.splat(value, ty.lanes)?)
                }
                Expr::Param(id) => Some(self.parameter(id, words)?),
                Expr::Builtin(b) => Some(self.builtin(b)?),
                _ => None,
            };
        }
        Ok(())
    }

    /// Reads a scalar parameter from the scalars' array.
    fn parameter(
        &mut self,
        id: Id,
        words: Option<Handle<Expression>>,
    ) -> Check<Handle<Expression>> {
        let index = id.0 as usize;
        let scalar_of = |p: &Param| match p.kind {
            ParamKind::Scalar(s) => Some(s),
            ParamKind::Buffer { .. } => None,
        };
        let params = &self.kernel.params;
        let (Some(kind), Some(words)) = (params.get(index).and_then(scalar_of), words) else {
            return Err(format!("parameter {index} is not a scalar"));
        };
        let before = params[..index].iter().filter_map(scalar_of);
        let first: u32 = before.map(scalar_words).sum();
        let word = |l: &mut Self, index| {
            let pointer = l.push(Expression::AccessIndex { base: words, index });
            l.push(Expression::Load { pointer })
        };
        let mut bits = word(self, first);
        if scalar_words(kind) == 2 {
            let high = word(self, first + 1);
            let [low, high] = [bits, high].map(|w| self.cast(w, naga::Scalar::U64));
            let shift = self.u32(32)?;
            let high = self.binary(naga::BinaryOperator::ShiftLeft, high, shift);
            bits = self.binary(naga::BinaryOperator::InclusiveOr, low, high);
        }
        if kind.is_unsigned() {
            return Ok(bits);
        }
        Ok(self.push(Expression::As {
            expr: bits,
            kind: scalar(kind)?.kind,
            convert: None,
        }))
    }

    fn builtin(&mut self, b: Builtin) -> Check<Handle<Expression>> {
        let (name, builtin, axis) = match b {
            Builtin::GlobalId(a) => ("global_id", BuiltIn::GlobalInvocationId, Some(a)),
            Builtin::LocalId(a) => ("local_id", BuiltIn::LocalInvocationId, Some(a)),
            Builtin::GroupId(a) => ("group_id", BuiltIn::WorkGroupId, Some(a)),
            Builtin::NumGroups(a) => ("num_groups", BuiltIn::NumWorkGroups, Some(a)),
            Builtin::LocalLinear => ("local_linear", BuiltIn::LocalInvocationIndex, None),
            Builtin::SubgroupSize => ("subgroup_size", BuiltIn::SubgroupSize, None),
            Builtin::SubgroupLane => ("subgroup_lane", BuiltIn::SubgroupInvocationId, None),
            Builtin::SubgroupId => ("subgroup_id", BuiltIn::SubgroupId, None),
        };
        let argument = match self.arguments.get(&builtin) {
            Some(&h) => h,
            None => self.argument(name, builtin, axis.is_some()),
        };
        Ok(match axis {
            None => argument,
            Some(axis) => self.push(Expression::AccessIndex {
                base: argument,
                index: axis.into(),
            }),
        })
    }

    fn argument(&mut self, name: &str, builtin: BuiltIn, is_vec3: bool) -> Handle<Expression> {
        let scalar = naga::Scalar::U32;
        let ty = self.insert_type(if is_vec3 {
            let size = naga::VectorSize::Tri;
            TypeInner::Vector { size, scalar }
        } else {
            TypeInner::Scalar(scalar)
        });
        let index = self.function.arguments.len() as u32;
        self.function.arguments.push(naga::FunctionArgument {
            name: Some(name.to_string()),
            ty,
            binding: Some(naga::Binding::BuiltIn(builtin)),
        });
        let h = self.append(Expression::FunctionArgument(index));
        self.arguments.insert(builtin, h);
        h
    }

    // Statements.

    fn statements(&mut self, block: &Block) -> Check<()> {
        block.iter().try_for_each(|s| self.stmt(s))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Check<()> {
        match stmt {
            Stmt::Emit(v) => {
                let h = self.expression(*v)?;
                self.values[v.0 as usize] = Some(h);
            }
            Stmt::StoreVar(id, v) => {
                let (pointer, value) = (self.var(*id), self.value(*v)?);
                self.statement(Statement::Store { pointer, value });
            }
            Stmt::Store {
                place,
                index,
                value,
                aligned,
            } => self.store(*place, *index, *aligned, *value)?,
            Stmt::Atomic {
                op,
                place,
                index,
                value,
                compare,
                result,
            } => {
                let h = self.atomic(*op, *place, *index, *value, *compare)?;
                self.values[result.0 as usize] = Some(h);
            }
            Stmt::If {
                cond,
                then,
                otherwise,
            } => {
                let condition = self.value(*cond)?;
                let accept = self.nested(|l| l.statements(then))?;
                let reject = self.nested(|l| l.statements(otherwise))?;
                self.statement(Statement::If {
                    condition,
                    accept,
                    reject,
                });
            }
            Stmt::For {
                index,
                start,
                end,
                step,
                body,
                unroll,
            } => match self.iterations([*start, *end, *step], body, *unroll) {
                Some(indices) => {
                    for bits in indices {
                        let scalar = self.kernel.ty(*index).scalar;
                        let h = self.constant(Const { scalar, bits })?;
                        self.values[index.0 as usize] = Some(h);
                        self.statements(body)?;
                    }
                }
                None => self.counted_loop(*index, [*start, *end, *step], body)?,
            },
            Stmt::Barrier(b) => {
                let mut flags = naga::Barrier::WORK_GROUP;
                flags.set(naga::Barrier::STORAGE, *b == Barrier::Buffers);
                self.statement(Statement::ControlBarrier(flags));
            }
            Stmt::Frag(op) => self.fragment(op)?,
        }
        Ok(())
    }

    /// The bits of the index in each iteration of a loop that is to be unrolled, and can be.
    fn iterations(&self, bounds: [Value; 3], body: &Block, unroll: bool) -> Option<Vec<u64>> {
        let ty = self.kernel.ty(bounds[0]).scalar;
        let mask = u64::MAX >> (64 - ty.bits());
        let constant = |v: Value| match *self.kernel.expr(v) {
            Expr::Const(c) => Some(match ty.is_signed_int() {
                true if ty.bits() == 32 => i128::from(c.bits as u32 as i32),
                true => i128::from(c.bits as i64),
                false => i128::from(c.bits),
            }),
            _ => None,
        };
        let [start, end, step] = [
            constant(bounds[0])?,
            constant(bounds[1])?,
            constant(bounds[2])?,
        ];
        if !unroll || step <= 0 {
            return None;
        }
        let count = (end - start).max(0).checked_add(step - 1)? / step;
        let size = count.checked_mul(count_statements(body) as i128)?;
        if size > i128::from(UNROLL_LIMIT) {
            return None;
        }
        Some(
            (0..count)
                .map(|i| (start + i * step) as u64 & mask)
                .collect(),
        )
    }

    /// `for` as naga's loop: the index lies in a variable, is tested at the top of the body and
    /// stepped in the continuing part.
    fn counted_loop(&mut self, index: Value, bounds: [Value; 3], body: &Block) -> Check<()> {
        use naga::BinaryOperator::{Add, GreaterEqual};
        let [start, end, step] = bounds;
        let (start, end, step) = (self.value(start)?, self.value(end)?, self.value(step)?);
        let ty = self.value_type(self.kernel.ty(index))?;
        let pointer = self.local(format!("i{}", index.0), ty);
        self.statement(Statement::Store {
            pointer,
            value: start,
        });
        let mut current = None;
        let body = self.nested(|l| {
            let i = l.push(Expression::Load { pointer });
            current = Some(i);
            l.values[index.0 as usize] = Some(i);
            let condition = l.binary(GreaterEqual, i, end);
            let accept = l.nested(|l| {
                l.statement(Statement::Break);
                Ok(())
            })?;
            l.statement(Statement::If {
                condition,
                accept,
                reject: naga::Block::new(),
            });
            l.statements(body)
        })?;
        let continuing = self.nested(|l| {
            if let Some(i) = current {
                let value = l.binary(Add, i, step);
                l.statement(Statement::Store { pointer, value });
            }
            Ok(())
        })?;
        self.statement(Statement::Loop {
            body,
            continuing,
            break_if: None,
        });
        Ok(())
    }

    /// The type of a subgroup operation's result, which naga wants spelt out.
    pub fn statement_result(&mut self, ty: Type) -> Check<Handle<Expression>> {
        let ty = self.value_type(ty)?;
        Ok(self.append(Expression::SubgroupOperationResult { ty }))
    }

    /// An array type: `len` elements, or as many as the buffer has.
    pub fn array_type(
        &mut self,
        elem: Type,
        atomic: bool,
        len: Option<u32>,
    ) -> Check<Handle<naga::Type>> {
        let scalar = scalar(elem.scalar)?;
        let base = match atomic {
            true => self.insert_type(TypeInner::Atomic(scalar)),
            false => self.value_type(elem)?,
        };
        let size = match len {
            None => naga::ArraySize::Dynamic,
            Some(n) => naga::ArraySize::Constant(
                std::num::NonZeroU32::new(n).ok_or("an array without elements")?,
            ),
        };
        Ok(self.insert_type(TypeInner::Array {
            base,
            size,
            stride: u32::from(scalar.width) * u32::from(elem.lanes),
        }))
    }

    /// A module-level variable, at a group and binding if it is a buffer; the pointer to it.
    pub fn global(
        &mut self,
        name: &str,
        space: AddressSpace,
        binding: Option<(u32, u32)>,
        ty: Handle<naga::Type>,
    ) -> Handle<Expression> {
        let var = naga::GlobalVariable {
            name: Some(name.to_string()),
            space,
            binding: binding.map(|(group, binding)| naga::ResourceBinding { group, binding }),
            ty,
            init: None,
            memory_decorations: naga::MemoryDecorations::empty(),
        };
        let var = self.module.global_variables.append(var, Span::UNDEFINED);
        self.append(Expression::GlobalVariable(var))
    }
}

fn count_statements(block: &Block) -> usize {
    block
        .iter()
        .map(|s| match s {
            Stmt::If {
                then, otherwise, ..
            } => 1 + count_statements(then) + count_statements(otherwise),
            // An inner loop is unrolled first, so its iterations count; ten is a guess at them.
            Stmt::For { body, .. } => 1 + 10 * count_statements(body),
            _ => 1,
        })
        .sum()
}
