//! Expressions: one naga expression each where naga has it, a few where it has not.

use super::lower::{Check, Lowerer};
use super::types::scalar;
use crate::ir::*;
use crate::types::{Scalar, Type};
use naga::{
    BinaryOperator, CollectiveOperation, Expression, GatherMode, Handle, MathFunction,
    RelationalFunction, Statement, SubgroupOperation, UnaryOperator,
};

/// The intrinsics of [`crate::intrinsics`] that are one function of the device.
const INTRINSICS: &[(&str, MathFunction)] = &[
    ("native_exp", MathFunction::Exp),
    ("native_exp2", MathFunction::Exp2),
    ("native_log", MathFunction::Log),
    ("native_log2", MathFunction::Log2),
    ("native_rsqrt", MathFunction::InverseSqrt),
    ("native_sinh", MathFunction::Sinh),
    ("native_cosh", MathFunction::Cosh),
    ("native_tanh", MathFunction::Tanh),
    ("native_asinh", MathFunction::Asinh),
    ("native_acosh", MathFunction::Acosh),
    ("native_atanh", MathFunction::Atanh),
    ("native_sin", MathFunction::Sin),
    ("native_cos", MathFunction::Cos),
    ("native_tan", MathFunction::Tan),
    ("native_asin", MathFunction::Asin),
    ("native_acos", MathFunction::Acos),
    ("native_atan", MathFunction::Atan),
    ("native_atan2", MathFunction::Atan2),
    ("native_pow", MathFunction::Pow),
];

fn is_int(kind: naga::ScalarKind) -> bool {
    matches!(kind, naga::ScalarKind::Sint | naga::ScalarKind::Uint)
}

impl Lowerer<'_> {
    /// Evaluates a value here.
    pub fn expression(&mut self, v: Value) -> Check<Handle<Expression>> {
        let kernel = self.kernel;
        let ty = kernel.ty(v);
        match kernel.expr(v) {
            Expr::Const(_)
            | Expr::Param(_)
            | Expr::Builtin(_)
            | Expr::LoopIndex
            | Expr::AtomicResult => Err(format!("%{} is never emitted", v.0)),
            Expr::Unary(op, a) => self.unary(*op, *a),
            Expr::Binary(op, a, b) => self.binary_op(*op, *a, *b),
            Expr::Fma(a, b, c) => {
                let [a, b, c] = [self.value(*a)?, self.value(*b)?, self.value(*c)?];
                Ok(self.math(MathFunction::Fma, a, &[b, c]))
            }
            Expr::Select { cond, yes, no } => {
                let (condition, accept, reject) =
                    (self.value(*cond)?, self.value(*yes)?, self.value(*no)?);
                Ok(self.push(Expression::Select {
                    condition,
                    accept,
                    reject,
                }))
            }
            Expr::Cast(a, _) => {
                let (from, to) = (scalar(kernel.ty(*a).scalar)?, scalar(ty.scalar)?);
                let mut a = self.value(*a)?;
                // naga's SPIR-V widens by the sign of the result; the language, by the operand's.
                let integers = is_int(from.kind) && is_int(to.kind);
                if integers && from.kind != to.kind && to.width > from.width {
                    a = self.cast(
                        a,
                        naga::Scalar {
                            kind: from.kind,
                            ..to
                        },
                    );
                }
                Ok(self.cast(a, to))
            }
            Expr::Bitcast(a) => {
                let expr = self.value(*a)?;
                let kind = scalar(ty.scalar)?.kind;
                Ok(self.push(Expression::As {
                    expr,
                    kind,
                    convert: None,
                }))
            }
            Expr::Splat(a) => {
                let a = self.value(*a)?;
                self.splat(a, ty.lanes)
            }
            Expr::Compose(parts) => {
                let parts: Check<Vec<_>> = parts.iter().map(|p| self.value(*p)).collect();
                self.compose(ty, parts?)
            }
            Expr::Extract(a, lane) => {
                let base = self.value(*a)?;
                Ok(match kernel.ty(*a).lanes {
                    1 => base,
                    _ => self.push(Expression::AccessIndex {
                        base,
                        index: (*lane).into(),
                    }),
                })
            }
            Expr::LoadVar(id) => {
                let pointer = self.var(*id);
                Ok(self.push(Expression::Load { pointer }))
            }
            Expr::Load {
                place,
                index,
                aligned,
            } => self.load(*place, *index, *aligned, ty),
            Expr::Subgroup(op, a, arg) => self.subgroup(*op, ty, *a, *arg),
            Expr::Intrinsic(name, args) => self.intrinsic(name, ty, args),
        }
    }

    /// A vector from scalars.
    pub fn compose(
        &mut self,
        ty: Type,
        components: Vec<Handle<Expression>>,
    ) -> Check<Handle<Expression>> {
        let ty = self.value_type(ty)?;
        Ok(self.push(Expression::Compose { ty, components }))
    }

    /// Two operands, as naga defines the operator.
    pub fn binary(
        &mut self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Handle<Expression> {
        self.push(Expression::Binary { op, left, right })
    }

    fn not(&mut self, expr: Handle<Expression>) -> Handle<Expression> {
        let op = UnaryOperator::LogicalNot;
        self.push(Expression::Unary { op, expr })
    }

    fn math(
        &mut self,
        fun: MathFunction,
        arg: Handle<Expression>,
        rest: &[Handle<Expression>],
    ) -> Handle<Expression> {
        self.push(Expression::Math {
            fun,
            arg,
            arg1: rest.first().copied(),
            arg2: rest.get(1).copied(),
            arg3: None,
        })
    }

    /// A scalar constant in every lane of a type.
    fn every_lane(&mut self, ty: Type, bits: u64) -> Check<Handle<Expression>> {
        let c = self.constant(Const {
            scalar: ty.scalar,
            bits,
        })?;
        self.splat(c, ty.lanes)
    }

    fn unary(&mut self, op: UnOp, a: Value) -> Check<Handle<Expression>> {
        let ty = self.kernel.ty(a);
        let expr = self.value(a)?;
        let fun = match op {
            UnOp::Neg if ty.scalar.is_unsigned() => {
                let zero = self.every_lane(ty, 0)?;
                return Ok(self.binary(BinaryOperator::Subtract, zero, expr));
            }
            UnOp::Neg | UnOp::Not => {
                let op = match (op, ty.scalar) {
                    (UnOp::Neg, _) => UnaryOperator::Negate,
                    (_, Scalar::Bool) => UnaryOperator::LogicalNot,
                    _ => UnaryOperator::BitwiseNot,
                };
                return Ok(self.push(Expression::Unary { op, expr }));
            }
            UnOp::IsNan | UnOp::IsInf => {
                let fun = match op {
                    UnOp::IsNan => RelationalFunction::IsNan,
                    _ => RelationalFunction::IsInf,
                };
                let argument = expr;
                return Ok(self.push(Expression::Relational { fun, argument }));
            }
            UnOp::Popcount | UnOp::Clz if ty.scalar.bytes() != 4 => {
                return Err(format!("{op:?} of {ty}: it must be legalised"));
            }
            UnOp::Abs => MathFunction::Abs,
            UnOp::Floor => MathFunction::Floor,
            UnOp::Ceil => MathFunction::Ceil,
            UnOp::Trunc => MathFunction::Trunc,
            UnOp::Rint => MathFunction::Round,
            UnOp::Sqrt => MathFunction::Sqrt,
            UnOp::Popcount => MathFunction::CountOneBits,
            UnOp::Clz => MathFunction::CountLeadingZeros,
        };
        Ok(self.math(fun, expr, &[]))
    }

    fn binary_op(&mut self, op: BinOp, a: Value, b: Value) -> Check<Handle<Expression>> {
        let ty = self.kernel.ty(a);
        let (left, right) = (self.value(a)?, self.value(b)?);
        let is_bool = ty.scalar == Scalar::Bool;
        let op = match op {
            BinOp::Add => BinaryOperator::Add,
            BinOp::Sub => BinaryOperator::Subtract,
            BinOp::Mul => BinaryOperator::Multiply,
            BinOp::Div => BinaryOperator::Divide,
            BinOp::Rem => BinaryOperator::Modulo,
            BinOp::And => BinaryOperator::And,
            BinOp::Or => BinaryOperator::InclusiveOr,
            BinOp::Xor if is_bool => BinaryOperator::NotEqual,
            BinOp::Xor => BinaryOperator::ExclusiveOr,
            BinOp::Eq => BinaryOperator::Equal,
            // naga writes an *ordered* comparison, which is false for NaN.
            BinOp::Ne if ty.scalar.is_float() => {
                let equal = self.binary(BinaryOperator::Equal, left, right);
                return Ok(self.not(equal));
            }
            BinOp::Ne => BinaryOperator::NotEqual,
            BinOp::Lt => BinaryOperator::Less,
            BinOp::Le => BinaryOperator::LessEqual,
            BinOp::Gt => BinaryOperator::Greater,
            BinOp::Ge => BinaryOperator::GreaterEqual,
            BinOp::Min => return Ok(self.math(MathFunction::Min, left, &[right])),
            BinOp::Max => return Ok(self.math(MathFunction::Max, left, &[right])),
            BinOp::Shl | BinOp::Shr => {
                let amount = self.shift_amount(ty, b)?;
                let op = match op {
                    BinOp::Shl => BinaryOperator::ShiftLeft,
                    _ => BinaryOperator::ShiftRight,
                };
                return Ok(self.binary(op, left, amount));
            }
            BinOp::MulHi => return Err(format!("MulHi of {ty}: it must be legalised")),
        };
        Ok(self.binary(op, left, right))
    }

    /// A shift amount as naga wants it, which is u32; the legaliser keeps it below the width.
    fn shift_amount(&mut self, ty: Type, amount: Value) -> Check<Handle<Expression>> {
        if let Expr::Const(c) = *self.kernel.expr(amount) {
            return self.every_lane(ty.with(Scalar::U32), c.bits);
        }
        let h = self.value(amount)?;
        Ok(match ty.scalar {
            Scalar::U32 => h,
            _ => self.cast(h, naga::Scalar::U32),
        })
    }

    fn subgroup(
        &mut self,
        op: SubgroupOp,
        ty: Type,
        a: Value,
        arg: Option<Value>,
    ) -> Check<Handle<Expression>> {
        use CollectiveOperation::{ExclusiveScan, InclusiveScan, Reduce};
        let argument = self.value(a)?;
        let arg = arg.map(|v| self.value(v)).transpose()?;
        let gather = |mode: fn(Handle<Expression>) -> GatherMode| {
            arg.map(mode)
                .ok_or_else(|| format!("{op:?} lacks its lane"))
        };
        enum How {
            Collective(SubgroupOperation, CollectiveOperation),
            Gather(GatherMode),
        }
        let how = match op {
            SubgroupOp::Add => How::Collective(SubgroupOperation::Add, Reduce),
            SubgroupOp::Min => How::Collective(SubgroupOperation::Min, Reduce),
            SubgroupOp::Max => How::Collective(SubgroupOperation::Max, Reduce),
            SubgroupOp::ExclusiveAdd => How::Collective(SubgroupOperation::Add, ExclusiveScan),
            SubgroupOp::InclusiveAdd => How::Collective(SubgroupOperation::Add, InclusiveScan),
            SubgroupOp::All => How::Collective(SubgroupOperation::All, Reduce),
            SubgroupOp::Any => How::Collective(SubgroupOperation::Any, Reduce),
            // SPIR-V before 1.5 broadcasts from a constant lane only; naga writes a shuffle for
            // both.
            SubgroupOp::Broadcast | SubgroupOp::Shuffle => {
                How::Gather(gather(GatherMode::Shuffle)?)
            }
            SubgroupOp::ShuffleXor => How::Gather(gather(GatherMode::ShuffleXor)?),
            SubgroupOp::ShuffleDown => How::Gather(gather(GatherMode::ShuffleDown)?),
        };
        let result = self.statement_result(ty)?;
        self.statement(match how {
            How::Collective(op, collective_op) => Statement::SubgroupCollectiveOperation {
                op,
                collective_op,
                argument,
                result,
            },
            How::Gather(mode) => Statement::SubgroupGather {
                mode,
                argument,
                result,
            },
        });
        Ok(result)
    }

    fn intrinsic(&mut self, name: &str, ty: Type, args: &[Value]) -> Check<Handle<Expression>> {
        let args: Check<Vec<_>> = args.iter().map(|a| self.value(*a)).collect();
        let args = args?;
        let (&a, rest) = args
            .split_first()
            .ok_or_else(|| format!("intrinsic `{name}` of no arguments"))?;
        if name == "native_recip" {
            let one = match ty.scalar {
                Scalar::F16 => half::f16::ONE.to_bits().into(),
                Scalar::F32 => 1f32.to_bits().into(),
                _ => 1f64.to_bits(),
            };
            let one = self.every_lane(ty, one)?;
            return Ok(self.binary(BinaryOperator::Divide, one, a));
        }
        match INTRINSICS.iter().find(|row| row.0 == name) {
            Some(_) if ty.scalar == Scalar::F64 && name != "native_rsqrt" => {
                Err(format!("Vulkan has no `{name}` of f64"))
            }
            Some((_, fun)) => Ok(self.math(*fun, a, rest)),
            None => Err(format!("Vulkan has no `{name}`")),
        }
    }
}
