//! Building kernels: each method appends an expression and emits it where the builder stands.
//!
//! The builder folds nothing and checks nothing beyond what it needs to infer types; the verifier
//! ([`crate::verify`]) runs in [`Builder::finish`] and reports what was built wrongly.

use crate::interp::convert::CastFrom;
use crate::ir::*;
use crate::types::{Scalar, Type};
use crate::verify::{self, VerifyError};

/// A kernel under construction.
pub struct Builder {
    kernel: Kernel,
    /// Open blocks; the innermost is last.
    blocks: Vec<Block>,
}

impl Builder {
    /// Starts a kernel with a fixed work-group size.
    pub fn new(name: impl Into<String>, workgroup: [u32; 3]) -> Builder {
        Builder {
            kernel: Kernel {
                name: name.into(),
                params: vec![],
                workgroup,
                shared: vec![],
                private: vec![],
                vars: vec![],
                fragments: vec![],
                exprs: vec![],
                types: vec![],
                body: vec![],
            },
            blocks: vec![vec![]],
        }
    }

    /// Starts a kernel that has the declarations of another and none of its code, for rewriters.
    pub fn with_declarations(of: &Kernel) -> Builder {
        let mut b = Builder::new(of.name.clone(), of.workgroup);
        b.kernel.params = of.params.clone();
        b.kernel.shared = of.shared.clone();
        b.kernel.private = of.private.clone();
        b.kernel.vars = of.vars.clone();
        b.kernel.fragments = of.fragments.clone();
        b
    }

    /// Verifies and returns the kernel.
    pub fn finish(self) -> Result<Kernel, VerifyError> {
        let kernel = self.finish_unverified();
        verify::verify(&kernel)?;
        Ok(kernel)
    }

    /// Returns the kernel without verifying it, for tests of the verifier.
    pub fn finish_unverified(mut self) -> Kernel {
        self.kernel.body = self.blocks.pop().unwrap_or_default();
        self.kernel
    }

    // Declarations.

    /// Adds a buffer parameter.
    pub fn buffer(&mut self, name: &str, elem: Scalar, access: Access) -> Place {
        Place::Buffer(self.param(name, ParamKind::Buffer { elem, access }))
    }

    /// Adds a scalar parameter and returns its value.
    pub fn scalar(&mut self, name: &str, scalar: Scalar) -> Value {
        let id = self.param(name, ParamKind::Scalar(scalar));
        self.push(Expr::Param(id), scalar.into())
    }

    fn param(&mut self, name: &str, kind: ParamKind) -> Id {
        self.kernel.params.push(Param {
            name: name.to_string(),
            kind,
        });
        Id(self.kernel.params.len() as u32 - 1)
    }

    /// Declares a work-group array.
    pub fn shared(&mut self, name: &str, elem: Scalar, len: u32) -> Place {
        self.kernel.shared.push(Array {
            name: name.to_string(),
            elem,
            len,
        });
        Place::Shared(Id(self.kernel.shared.len() as u32 - 1))
    }

    /// Declares an array private to the work-item.
    pub fn private(&mut self, name: &str, elem: Scalar, len: u32) -> Place {
        self.kernel.private.push(Array {
            name: name.to_string(),
            elem,
            len,
        });
        Place::Private(Id(self.kernel.private.len() as u32 - 1))
    }

    /// Declares a variable and assigns it.
    pub fn var(&mut self, init: Value) -> Id {
        let id = self.var_of(self.ty(init));
        self.set(id, init);
        id
    }

    /// Declares a variable, zero at entry.
    pub fn var_of(&mut self, ty: Type) -> Id {
        self.kernel.vars.push(ty);
        Id(self.kernel.vars.len() as u32 - 1)
    }

    /// Declares a matrix fragment.
    pub fn fragment(&mut self, fragment: Fragment) -> Id {
        self.kernel.fragments.push(fragment);
        Id(self.kernel.fragments.len() as u32 - 1)
    }

    // Expressions.

    /// The type of a value.
    pub fn ty(&self, v: Value) -> Type {
        self.kernel.ty(v)
    }

    /// The kernel so far.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    fn push(&mut self, expr: Expr, ty: Type) -> Value {
        let value = Value(self.kernel.exprs.len() as u32);
        let implicit = expr.is_implicit();
        self.kernel.exprs.push(expr);
        self.kernel.types.push(ty);
        if !implicit {
            self.stmt(Stmt::Emit(value));
        }
        value
    }

    /// Appends any expression of a given type, for rewriters; emits it unless it is implicit.
    pub fn raw(&mut self, expr: Expr, ty: Type) -> Value {
        self.push(expr, ty)
    }

    /// Appends any statement.
    pub fn stmt(&mut self, stmt: Stmt) {
        self.blocks.last_mut().expect("a block is open").push(stmt);
    }

    /// A constant given by its bits.
    pub fn bits(&mut self, ty: impl Into<Type>, bits: u64) -> Value {
        let ty = ty.into();
        let scalar = ty.scalar;
        self.push(Expr::Const(Const { scalar, bits }), ty)
    }

    /// An integer (or bool) constant; wraps to the kind. Float kinds get the nearest float.
    pub fn int(&mut self, ty: impl Into<Type>, value: i64) -> Value {
        let ty = ty.into();
        if ty.scalar.is_float() {
            return self.float(ty, value as f64);
        }
        let bits = match ty.scalar {
            Scalar::Bool => (value != 0) as u64,
            s if s.bytes() == 8 => value as u64,
            s => value as u64 & ((1u64 << s.bits()) - 1),
        };
        self.bits(ty, bits)
    }

    /// A float constant, rounded to the kind. Integer kinds get the truncated value.
    pub fn float(&mut self, ty: impl Into<Type>, value: f64) -> Value {
        let ty = ty.into();
        let bits = match ty.scalar {
            Scalar::F64 => value.to_bits(),
            Scalar::F32 => u64::from((value as f32).to_bits()),
            Scalar::F16 => u64::from(half::f16::saturate(value).to_bits()),
            Scalar::Bf16 => u64::from(half::bf16::saturate(value).to_bits()),
            _ => return self.int(ty, value as i64),
        };
        self.bits(ty, bits)
    }

    /// A u32 constant.
    pub fn u32(&mut self, value: u32) -> Value {
        self.bits(Scalar::U32, value.into())
    }

    /// A bool constant.
    pub fn bool(&mut self, value: bool) -> Value {
        self.bits(Scalar::Bool, value.into())
    }

    /// Work-item identity.
    pub fn builtin(&mut self, b: Builtin) -> Value {
        self.push(Expr::Builtin(b), Scalar::U32.into())
    }

    /// One operand.
    pub fn un(&mut self, op: UnOp, a: Value) -> Value {
        let ty = self.ty(a);
        let ty = match op {
            UnOp::IsNan | UnOp::IsInf => ty.to_bool(),
            _ => ty,
        };
        self.push(Expr::Unary(op, a), ty)
    }

    /// Two operands. A scalar meeting a vector is splat.
    pub fn bin(&mut self, op: BinOp, a: Value, b: Value) -> Value {
        let lanes = self.ty(a).lanes.max(self.ty(b).lanes);
        let (a, b) = (self.splat(a, lanes), self.splat(b, lanes));
        let ty = self.ty(a);
        let ty = if op.is_comparison() { ty.to_bool() } else { ty };
        self.push(Expr::Binary(op, a, b), ty)
    }

    /// `a + b`.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.bin(BinOp::Add, a, b)
    }

    /// `a - b`.
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.bin(BinOp::Sub, a, b)
    }

    /// `a * b`.
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.bin(BinOp::Mul, a, b)
    }

    /// `a * b + c`, rounded once.
    pub fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        let ty = self.ty(a);
        self.push(Expr::Fma(a, b, c), ty)
    }

    /// Lane-wise choice. Scalars meeting vectors are splat.
    pub fn select(&mut self, cond: Value, yes: Value, no: Value) -> Value {
        let lanes = [cond, yes, no].map(|v| self.ty(v).lanes);
        let lanes = lanes.into_iter().max().unwrap_or(1);
        let [cond, yes, no] = [cond, yes, no].map(|v| self.splat(v, lanes));
        let ty = self.ty(yes);
        self.push(Expr::Select { cond, yes, no }, ty)
    }

    /// Conversion of each lane; nothing if the kind is already right.
    pub fn cast(&mut self, a: Value, to: Scalar, mode: CastMode) -> Value {
        let ty = self.ty(a);
        if ty.scalar == to {
            return a;
        }
        self.push(Expr::Cast(a, mode), ty.with(to))
    }

    /// The same bits as another kind of the same size.
    pub fn bitcast(&mut self, a: Value, to: Scalar) -> Value {
        let ty = self.ty(a);
        if ty.scalar == to {
            return a;
        }
        self.push(Expr::Bitcast(a), ty.with(to))
    }

    /// A scalar in every lane; a value that has the lanes already is returned as it is.
    pub fn splat(&mut self, a: Value, lanes: u8) -> Value {
        let ty = self.ty(a);
        if ty.lanes == lanes {
            return a;
        }
        if let Expr::Const(c) = *self.kernel.expr(a) {
            return self.push(Expr::Const(c), c.scalar.x(lanes));
        }
        self.push(Expr::Splat(a), ty.scalar.x(lanes))
    }

    /// A vector from scalars; one scalar is returned as it is.
    pub fn compose(&mut self, parts: &[Value]) -> Value {
        match parts {
            [one] => *one,
            _ => {
                let scalar = self.ty(parts[0]).scalar;
                self.push(Expr::Compose(parts.to_vec()), scalar.x(parts.len() as u8))
            }
        }
    }

    /// One lane of a vector; a scalar is returned as it is.
    pub fn extract(&mut self, a: Value, lane: u8) -> Value {
        let ty = self.ty(a);
        if ty.lanes == 1 {
            return a;
        }
        self.push(Expr::Extract(a, lane), ty.scalar.into())
    }

    /// The current value of a variable.
    pub fn get(&mut self, var: Id) -> Value {
        let ty = self.kernel.vars[var.0 as usize];
        self.push(Expr::LoadVar(var), ty)
    }

    /// `lanes` consecutive elements.
    pub fn load(&mut self, place: Place, index: Value, lanes: u8, aligned: bool) -> Value {
        let elem = self.kernel.elem(place).unwrap_or(Scalar::U32);
        let expr = Expr::Load {
            place,
            index,
            aligned,
        };
        self.push(expr, elem.x(lanes))
    }

    /// Across the subgroup.
    pub fn subgroup(&mut self, op: SubgroupOp, a: Value, arg: Option<Value>) -> Value {
        let ty = self.ty(a);
        self.push(Expr::Subgroup(op, a, arg), ty)
    }

    /// A named function; its type is that of its first argument.
    pub fn intrinsic(&mut self, name: &str, args: &[Value]) -> Value {
        let ty = self.ty(args[0]);
        self.push(Expr::Intrinsic(name.to_string(), args.to_vec()), ty)
    }

    // Statements.

    /// Assigns a variable.
    pub fn set(&mut self, var: Id, value: Value) {
        self.stmt(Stmt::StoreVar(var, value));
    }

    /// Writes consecutive elements.
    pub fn store(&mut self, place: Place, index: Value, value: Value, aligned: bool) {
        self.stmt(Stmt::Store {
            place,
            index,
            value,
            aligned,
        });
    }

    /// Read-modify-write; returns the old value.
    pub fn atomic(&mut self, op: AtomicOp, place: Place, index: Value, value: Value) -> Value {
        self.atomic_full(op, place, index, value, None)
    }

    /// Replaces the element by `value` if it equals `compare`; returns the old value.
    pub fn compare_exchange(
        &mut self,
        place: Place,
        index: Value,
        compare: Value,
        value: Value,
    ) -> Value {
        self.atomic_full(
            AtomicOp::CompareExchange,
            place,
            index,
            value,
            Some(compare),
        )
    }

    fn atomic_full(
        &mut self,
        op: AtomicOp,
        place: Place,
        index: Value,
        value: Value,
        compare: Option<Value>,
    ) -> Value {
        let ty = self.ty(value);
        let result = self.push(Expr::AtomicResult, ty);
        self.stmt(Stmt::Atomic {
            op,
            place,
            index,
            value,
            compare,
            result,
        });
        result
    }

    /// Waits for the work-group.
    pub fn barrier(&mut self, barrier: Barrier) {
        self.stmt(Stmt::Barrier(barrier));
    }

    /// An operation on fragments.
    pub fn frag(&mut self, op: FragOp) {
        self.stmt(Stmt::Frag(op));
    }

    /// Runs `f` with a fresh block open and returns what it built.
    pub fn block(&mut self, f: impl FnOnce(&mut Builder)) -> Block {
        self.blocks.push(vec![]);
        f(self);
        self.blocks.pop().expect("the block that was opened")
    }

    /// `if cond { then }`.
    pub fn if_(&mut self, cond: Value, then: impl FnOnce(&mut Builder)) {
        self.if_else(cond, then, |_| {});
    }

    /// `if cond { then } else { otherwise }`.
    pub fn if_else(
        &mut self,
        cond: Value,
        then: impl FnOnce(&mut Builder),
        otherwise: impl FnOnce(&mut Builder),
    ) {
        let then = self.block(then);
        let otherwise = self.block(otherwise);
        self.stmt(Stmt::If {
            cond,
            then,
            otherwise,
        });
    }

    /// A counted loop; `f` receives the index.
    pub fn for_(
        &mut self,
        start: Value,
        end: Value,
        step: Value,
        unroll: bool,
        f: impl FnOnce(&mut Builder, Value),
    ) {
        let ty = self.ty(start);
        let index = self.push(Expr::LoopIndex, ty);
        let body = self.block(|b| f(b, index));
        self.stmt(Stmt::For {
            index,
            start,
            end,
            step,
            body,
            unroll,
        });
    }
}
