//! Expressions: what each operation is in C.

use super::dialect::Need;
use super::print::{Printer, Text, Use, suffix};
use super::template::{Args, expand};
use crate::ir::*;
use crate::types::{Scalar, Type};

impl Printer<'_> {
    /// The right-hand side of an emitted value.
    pub fn expr(&mut self, v: Value) -> Text {
        let k = self.kernel;
        let ty = k.ty(v);
        match k.expr(v) {
            Expr::Const(_)
            | Expr::Param(_)
            | Expr::Builtin(_)
            | Expr::LoopIndex
            | Expr::AtomicResult => self.operand(v),
            Expr::Unary(op, a) => self.unary(*op, *a),
            Expr::Binary(op, a, b) => self.binary(v, *op, *a, *b),
            Expr::Fma(a, b, c) => {
                self.can_compute(ty)?;
                let [a, b, c] = [self.operand(*a)?, self.operand(*b)?, self.operand(*c)?];
                self.call(self.dialect.math.fma, ty, &[&a, &b, &c])
            }
            Expr::Select { cond, yes, no } => {
                let (y, n) = (self.operand_of(v, *yes)?, self.operand_of(v, *no)?);
                if ty.lanes == 1 {
                    return Ok(format!("{} ? {y} : {n}", self.operand(*cond)?));
                }
                let c = self.mask_operand(*cond, self.selecting_kind(v))?;
                self.call(self.vectors()?.select, ty, &[&c, &y, &n])
            }
            Expr::Cast(a, _) => self.cast(v, *a),
            Expr::Bitcast(a) => {
                let text = self.operand(*a)?;
                self.bitcast_text(&text, k.ty(*a), ty)
            }
            Expr::Splat(a) => {
                let text = self.lane_operand(*a)?;
                self.compose(ty, &text)
            }
            Expr::Compose(parts) => {
                if let Some(shuffle) = k.shuffle(v) {
                    return self.shuffle(ty, &shuffle);
                }
                let parts: Result<Vec<_>, _> =
                    parts.iter().map(|p| self.lane_operand(*p)).collect();
                self.compose(ty, &parts?.join(", "))
            }
            Expr::Extract(a, lane) => {
                let vectors = self.vectors()?;
                let (mut text, lane) = (self.operand(*a)?, format!("{lane:x}"));
                if matches!(k.expr(*a), Expr::Const(_)) {
                    text = format!("({text})");
                }
                let lane = self.call(vectors.lane, ty, &[&text, &lane])?;
                Ok(match ty.scalar {
                    Scalar::Bool => format!("{lane} != 0"),
                    _ => lane,
                })
            }
            Expr::LoadVar(id) => Ok(format!("x{}", id.0)),
            Expr::Load {
                place,
                index,
                aligned,
            } => self.load(*place, *index, ty, *aligned),
            Expr::Subgroup(op, a, arg) => self.subgroup(*op, *a, *arg),
            Expr::Intrinsic(name, args) => {
                let row = self.dialect.intrinsics.iter().find(|r| r.0 == name);
                let (_, single, double) = row.ok_or_else(|| {
                    format!(
                        "intrinsic `{name}`: {} does not define it",
                        self.dialect.name
                    )
                })?;
                let template = match ty.scalar {
                    Scalar::F64 => double,
                    _ => single,
                };
                self.can_compute(ty)?;
                let args: Result<Vec<_>, _> = args.iter().map(|a| self.operand(*a)).collect();
                let args = args?;
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                self.call(template, ty, &args)
            }
        }
    }

    fn unary(&mut self, op: UnOp, a: Value) -> Text {
        use UnOp::*;
        let ty = self.kernel.ty(a);
        self.can_compute(ty)?;
        let text = self.operand(a)?;
        let a = text.as_str();
        let math = &self.dialect.math;
        let wide = usize::from(ty.scalar.bytes() == 8);
        match op {
            Neg if ty.scalar.is_float() => Ok(format!("-{a}")),
            Neg => self.wrapping("-", ty, None, a),
            Not if ty.scalar == Scalar::Bool && ty.lanes == 1 => Ok(format!("!{a}")),
            Not => self.narrowed(ty, format!("~{a}")),
            Abs if ty.scalar.is_float() => self.call(math.abs, ty, &[a]),
            Abs if ty.scalar.is_unsigned() => Ok(text),
            Abs if ty.lanes == 1 => {
                let negated = self.wrapping("-", ty, None, a)?;
                Ok(format!("{a} < 0 ? {negated} : {a}"))
            }
            Abs => {
                let size = self.call(self.vectors()?.abs, ty, &[a])?;
                self.bitcast_text(&size, ty.with(ty.scalar.to_unsigned()), ty)
            }
            Floor | Ceil | Rint => {
                self.need(Need::Round, 1);
                let template = match op {
                    Floor => math.floor,
                    Ceil => math.ceil,
                    _ => math.rint,
                };
                self.call(template, ty, &[a])
            }
            Trunc => self.call(math.trunc, ty, &[a]),
            Sqrt => self.call(math.sqrt, ty, &[a]),
            Popcount | Clz if ty.scalar.bytes() < 4 => self.unlegalised(op, ty),
            Popcount => self.call(self.dialect.popcount[wide], ty, &[a]),
            Clz => self.call(self.dialect.clz[wide], ty, &[a]),
            IsNan | IsInf => self.unlegalised(op, ty),
        }
    }

    fn binary(&mut self, v: Value, op: BinOp, a: Value, b: Value) -> Text {
        use BinOp::*;
        let ty = self.kernel.ty(a);
        self.can_compute(ty)?;
        let (a, b) = (self.operand_of(v, a)?, self.operand_of(v, b)?);
        let symbol = match op {
            Add => "+",
            Sub => "-",
            Mul => "*",
            Div => "/",
            Rem => "%",
            And => "&",
            Or => "|",
            Xor => "^",
            Shl => "<<",
            Shr => ">>",
            Eq => "==",
            Ne => "!=",
            Lt => "<",
            Le => "<=",
            Gt => ">",
            Ge => ">=",
            MulHi => return self.mul_hi(ty, &a, &b),
            Min | Max => return self.extremum(op, ty, &a, &b),
        };
        let plain = format!("{a} {symbol} {b}");
        match op {
            Rem if ty.scalar.is_float() => self.unlegalised(op, ty),
            _ if op.is_comparison() || ty.scalar.is_float() || ty.scalar == Scalar::Bool => {
                Ok(plain)
            }
            Add | Sub | Mul | Shl => self.wrapping(symbol, ty, Some(&a), &b),
            _ => self.narrowed(ty, plain),
        }
    }

    fn mul_hi(&mut self, ty: Type, a: &str, b: &str) -> Text {
        let row = match ty.scalar {
            Scalar::I32 => 0,
            Scalar::U32 => 1,
            Scalar::I64 => 2,
            _ => 3,
        };
        self.call(self.dialect.mul_hi[row], ty, &[a, b])
    }

    fn extremum(&mut self, op: BinOp, ty: Type, a: &str, b: &str) -> Text {
        if ty.scalar.is_float() {
            return self.unlegalised(op, ty);
        }
        let less = op == BinOp::Min;
        if ty.lanes > 1 {
            let v = self.vectors()?;
            return self.call(if less { v.min } else { v.max }, ty, &[a, b]);
        }
        let sign = if less { '<' } else { '>' };
        Ok(format!("{a} {sign} {b} ? {a} : {b}"))
    }

    /// Integer arithmetic modulo the width: signed overflow is undefined in C, and kinds narrower
    /// than int are promoted to signed int, so both go through an unsigned kind.
    fn wrapping(&mut self, symbol: &str, ty: Type, a: Option<&str>, b: &str) -> Text {
        let unsigned = match ty {
            Type { scalar, lanes: 1 } if scalar.bytes() < 4 => Scalar::U32.into(),
            _ => ty.with(ty.scalar.to_unsigned()),
        };
        let b = self.reinterpreted(b, ty, unsigned)?;
        let text = match a {
            Some(a) => format!("{} {symbol} {b}", self.reinterpreted(a, ty, unsigned)?),
            None => format!("{symbol}{b}"),
        };
        if unsigned == ty {
            Ok(text)
        } else if ty.lanes == 1 {
            Ok(format!("({})({text})", self.type_name(ty)?))
        } else {
            self.bitcast_text(&text, unsigned, ty)
        }
    }

    fn reinterpreted(&mut self, text: &str, from: Type, to: Type) -> Text {
        if from == to {
            Ok(text.to_string())
        } else if to.lanes == 1 {
            Ok(format!("({}){text}", self.type_name(to)?))
        } else {
            self.bitcast_text(text, from, to)
        }
    }

    /// An integer result brought back from C's promotion of narrow scalars to int.
    fn narrowed(&mut self, ty: Type, text: String) -> Text {
        if ty.lanes == 1 && ty.scalar.bytes() < 4 {
            Ok(format!("({})({text})", self.type_name(ty)?))
        } else {
            Ok(text)
        }
    }

    fn cast(&mut self, v: Value, a: Value) -> Text {
        let (from, to) = (self.kernel.ty(a), self.kernel.ty(v));
        let text = self.operand(a)?;
        if from.scalar == Scalar::Bf16 || to.scalar == Scalar::Bf16 {
            return Err(format!("cast of {from} to {to}: legalise first"));
        }
        if self.holds_f16_in_f32() {
            match (from.scalar, to.scalar) {
                (Scalar::F16, Scalar::F32) => return Ok(text),
                (Scalar::F32, Scalar::F16) if self.use_of(v) < Use::Computed => return Ok(text),
                (Scalar::F32, Scalar::F16) => {
                    self.need(Need::F16, 1);
                    self.need(Need::ConvertF16, to.lanes);
                    return self.call(self.dialect.half.round, to, &[&text]);
                }
                (Scalar::F16, _) | (_, Scalar::F16) => {
                    return Err(format!("cast of {from} to {to}: legalise first"));
                }
                _ => {}
            }
        }
        let ty = self.type_name(to)?;
        match (from.scalar, to.scalar, to.lanes) {
            (_, Scalar::Bool, 1) => Ok(format!("{text} != 0")),
            (_, _, 1) => Ok(format!("({ty}){text}")),
            (s, Scalar::Bool, n) => {
                let zero = self.literal(Const { scalar: s, bits: 0 }, n)?;
                Ok(format!("{text} != {zero}"))
            }
            (Scalar::Bool, _, n) => {
                let one = Const {
                    scalar: self.mask_kind(a),
                    bits: 1,
                };
                let text = self.mask_operand(a, one.scalar)?;
                let bit = format!("{text} & {}", self.literal(one, n)?);
                self.call(self.vectors()?.convert, to, &[&bit])
            }
            _ => self.call(self.vectors()?.convert, to, &[&text]),
        }
    }

    /// A value's bits as another type of the same size.
    pub fn bitcast_text(&mut self, text: &str, from: Type, to: Type) -> Text {
        let f16 = [from.scalar, to.scalar].contains(&Scalar::F16);
        if f16 && from.scalar != to.scalar && self.holds_f16_in_f32() {
            return Err(format!("bits of {from} as {to}: legalise first"));
        }
        let b = &self.dialect.bitcasts;
        let template = match (from.scalar, to.scalar) {
            (Scalar::F32, Scalar::F32) | (Scalar::F64, Scalar::F64) => return Ok(text.to_string()),
            (Scalar::F32, _) => b.from_f32,
            (_, Scalar::F32) => b.to_f32,
            (Scalar::F64, _) => b.from_f64,
            (_, Scalar::F64) => b.to_f64,
            _ => b.ints,
        };
        self.call(template, to, &[text])
    }

    fn subgroup(&mut self, op: SubgroupOp, a: Value, arg: Option<Value>) -> Text {
        self.subgroups_exist()?;
        let ty = self.kernel.ty(a);
        let row = self.dialect.subgroups.iter().find(|r| r.0 == op);
        let (_, template) =
            row.ok_or_else(|| format!("subgroup {op:?}: {} lacks it", self.dialect.name))?;
        self.need(Need::Subgroups, 1);
        let a = self.operand(a)?;
        let arg = arg.map_or(Ok(String::new()), |v| self.operand(v))?;
        let t = self.type_name(ty)?;
        let u = match ty.scalar {
            s if s.is_int() => self.type_name(s.to_unsigned().into())?,
            _ => t.clone(),
        };
        let args = Args {
            operands: &[&a, &arg],
            named: &[('t', &t), ('u', &u)],
        };
        expand(template, args)
    }

    /// A vector of scalars that are separated by commas, or one for all lanes.
    pub fn compose(&mut self, ty: Type, lanes: &str) -> Text {
        let template = self.vectors()?.compose;
        self.call(template, ty, &[lanes])
    }

    fn shuffle(&mut self, ty: Type, shuffle: &Shuffle) -> Text {
        let mask = match ty.scalar.bytes() {
            1 => Scalar::U8,
            2 if ty.scalar != Scalar::F16 || !self.holds_f16_in_f32() => Scalar::U16,
            8 => Scalar::U64,
            _ => Scalar::U32,
        };
        self.need(Need::Shuffle, ty.lanes);
        let mask = self.type_name(ty.with(mask))?;
        let (left, right) = (self.operand(shuffle.left)?, self.operand(shuffle.right)?);
        let lanes: Vec<String> = shuffle.lanes.iter().map(u8::to_string).collect();
        let template = self.vectors()?.shuffle;
        self.call(template, ty, &[&mask, &left, &right, &lanes.join(", ")])
    }

    /// A scalar as a lane of a vector: a bool becomes a mask.
    fn lane_operand(&mut self, v: Value) -> Text {
        let text = self.operand(v)?;
        Ok(match self.kernel.ty(v).scalar {
            Scalar::Bool => format!("{text} ? -1 : 0"),
            _ => text,
        })
    }

    /// Fills in a row that has operands and a result type only.
    pub fn call(&mut self, template: &str, ty: Type, operands: &[&str]) -> Text {
        let (t, n) = (self.type_name(ty)?, suffix(ty.lanes));
        let f = if ty.scalar == Scalar::F64 { "" } else { "f" };
        let args = Args {
            operands,
            named: &[('t', &t), ('n', &n), ('f', f)],
        };
        expand(template, args)
    }

    /// The dialect's vectors.
    pub fn vectors(&self) -> Result<&'static super::Vectors, String> {
        self.dialect
            .vectors
            .ok_or_else(|| format!("{} has no vectors", self.dialect.name))
    }

    /// Arithmetic on f16 and bf16 is there only where the target does it.
    fn can_compute(&self, ty: Type) -> Result<(), String> {
        let promoted = match ty.scalar {
            Scalar::F16 => self.holds_f16_in_f32(),
            s => s == Scalar::Bf16,
        };
        if promoted {
            return Err(format!("arithmetic on {ty}: legalise first"));
        }
        Ok(())
    }

    fn unlegalised(&self, op: impl std::fmt::Debug, ty: Type) -> Text {
        Err(format!("{op:?} of {ty}: legalise first"))
    }
}
