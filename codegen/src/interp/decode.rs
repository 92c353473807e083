//! From a verified kernel to [`Code`]: gives every value a slot and every operation a function.

use super::access::{self, Region};
use super::code::Access;
use super::code::*;
use super::lanes::{self, LaneFn, Operands};
use super::liveness::{self, Liveness};
use super::{InterpError, atomics, subgroup};
use crate::intrinsics;
use crate::ir::*;
use crate::types::{Scalar, Type};
use std::collections::HashMap;

/// Alignment of slots, in bytes.
const ALIGN: usize = 64;

/// Hands out ranges of the arena, and takes them back by size.
#[derive(Default)]
struct Arena {
    end: usize,
    free: HashMap<usize, Vec<u32>>,
}

impl Arena {
    fn take(&mut self, bytes: usize) -> u32 {
        let bytes = bytes.next_multiple_of(ALIGN);
        if let Some(at) = self.free.get_mut(&bytes).and_then(Vec::pop) {
            return at;
        }
        let at = self.end;
        self.end = self.end.saturating_add(bytes);
        // An arena past 4 GiB is refused when decoding is done.
        at as u32
    }

    fn give(&mut self, at: u32, bytes: usize) {
        let bytes = bytes.next_multiple_of(ALIGN);
        self.free.entry(bytes).or_default().push(at);
    }
}

struct Decoder<'a> {
    kernel: &'a Kernel,
    live: Liveness,
    arena: Arena,
    group_len: usize,
    batch: usize,
    subgroups: usize,
    /// Slot of each value that has one.
    slots: Vec<Option<u32>>,
    /// Temporary slots by the position after which they are free.
    expiring: HashMap<u32, Vec<(u32, usize)>>,
    position: u32,
    vars: Vec<u32>,
    shared: Vec<Region>,
    private: Vec<Region>,
    fragments: Vec<FragSlot>,
    fills: Vec<Fill>,
    zeroed: Vec<(u32, u32)>,
    poisoned: Vec<(u32, u32)>,
}

/// Decodes for `batch` groups at a time.
pub fn decode(kernel: &Kernel, batch: u32, subgroup_width: u32) -> Result<Code, InterpError> {
    let group_len = kernel.workgroup_len();
    let mut d = Decoder {
        kernel,
        live: liveness::analyse(kernel),
        arena: Arena::default(),
        group_len: group_len as usize,
        batch: batch as usize,
        subgroups: group_len.div_ceil(subgroup_width) as usize,
        slots: vec![None; kernel.exprs.len()],
        expiring: HashMap::new(),
        position: 0,
        vars: vec![],
        shared: vec![],
        private: vec![],
        fragments: vec![],
        fills: vec![],
        zeroed: vec![],
        poisoned: vec![],
    };
    d.persistent();
    let body = d.block(&kernel.body)?;
    if d.arena.end > u32::MAX as usize {
        return Err(d.unsupported(format!(
            "a work-group needs {} bytes of registers and arrays; at most 4 GiB can be had",
            d.arena.end
        )));
    }
    Ok(Code {
        group_len,
        batch,
        lanes: group_len * batch,
        arena: d.arena.end,
        fills: d.fills,
        zeroed: d.zeroed,
        poisoned: d.poisoned,
        body,
    })
}

impl Decoder<'_> {
    fn unsupported(&self, what: String) -> InterpError {
        InterpError::Unsupported {
            kernel: self.kernel.name.clone(),
            what,
        }
    }

    /// Work-items run together.
    fn items(&self) -> usize {
        self.group_len * self.batch
    }

    /// Scalars in a slot of this type.
    fn count(&self, ty: Type) -> usize {
        usize::from(ty.lanes) * self.items()
    }

    /// Bytes of a slot of this type.
    fn bytes(&self, ty: Type) -> usize {
        self.count(ty) * ty.scalar.bytes()
    }

    /// Gives slots to what lives as long as the kernel: constants, parameters, built-ins,
    /// variables, arrays and fragments.
    fn persistent(&mut self) {
        let kernel = self.kernel;
        for (i, expr) in kernel.exprs.iter().enumerate() {
            let source = match *expr {
                Expr::Const(c) => Source::Const(c.bits),
                Expr::Param(id) => Source::Param(id.0),
                Expr::Builtin(b) => Source::Builtin(b),
                _ => continue,
            };
            if !self.live.used[i] {
                continue;
            }
            let ty = kernel.types[i];
            let at = self.arena.take(self.bytes(ty));
            self.slots[i] = Some(at);
            self.fills.push(Fill {
                at,
                width: ty.lanes.into(),
                scalar: ty.scalar,
                source,
            });
        }
        for &ty in &kernel.vars {
            let bytes = self.bytes(ty);
            let at = self.arena.take(bytes);
            self.vars.push(at);
            self.zeroed.push((at, bytes as u32));
        }
        for &shape in &kernel.fragments {
            let (rows, cols) = shape.dims();
            let stride = rows as usize * cols as usize * shape.elem.bytes();
            let stride = stride.next_multiple_of(ALIGN);
            let bytes = stride * self.subgroups * self.batch;
            let at = self.arena.take(bytes);
            self.zeroed.push((at, bytes as u32));
            self.fragments.push(FragSlot {
                at,
                stride: stride as u32,
                shape,
            });
        }
        for array in &kernel.shared {
            let stride = array.len as usize * array.elem.bytes();
            let stride = stride.next_multiple_of(ALIGN);
            let at = self.arena.take(stride * self.batch);
            self.poisoned.push((at, (stride * self.batch) as u32));
            self.shared.push(Region::Shared {
                at,
                len: array.len,
                stride: stride as u32,
            });
        }
        for array in &kernel.private {
            let bytes = array.len as usize * array.elem.bytes();
            let bytes = bytes.saturating_mul(self.items());
            let at = self.arena.take(bytes);
            self.poisoned.push((at, bytes as u32));
            self.private.push(Region::Private { at, len: array.len });
        }
    }

    /// Where a value that has been defined lies.
    fn slot(&self, v: Value) -> u32 {
        match self.kernel.expr(v) {
            Expr::Bitcast(a) => self.slot(*a),
            Expr::Extract(a, lane) => {
                let lane_bytes = self.bytes(self.kernel.ty(v));
                self.slot(*a) + u32::from(*lane) * lane_bytes as u32
            }
            Expr::LoadVar(id) if self.live.reads_var[v.0 as usize] => self.vars[id.0 as usize],
            // The verifier has seen that every value is defined before it is used.
            _ => self.slots[v.0 as usize].unwrap_or(0),
        }
    }

    /// Gives a value a slot until its last use.
    fn define(&mut self, v: Value) -> u32 {
        let bytes = self.bytes(self.kernel.ty(v));
        let at = self.arena.take(bytes);
        self.slots[v.0 as usize] = Some(at);
        let last = self.live.last[v.0 as usize];
        self.expiring.entry(last).or_default().push((at, bytes));
        at
    }

    /// Steps to the next position, as [`liveness`] counts them.
    fn advance(&mut self) {
        for (at, bytes) in self.expiring.remove(&self.position).unwrap_or_default() {
            self.arena.give(at, bytes);
        }
        self.position += 1;
    }

    fn block(&mut self, block: &[Stmt]) -> Result<Vec<Op>, InterpError> {
        let mut ops = vec![];
        for stmt in block {
            self.advance();
            self.stmt(stmt, &mut ops)?;
        }
        Ok(ops)
    }

    fn stmt(&mut self, stmt: &Stmt, ops: &mut Vec<Op>) -> Result<(), InterpError> {
        let bool_bytes = self.bytes(Scalar::Bool.into());
        ops.push(match stmt {
            Stmt::Emit(v) => return self.emit(*v, ops),
            Stmt::StoreVar(var, v) => {
                let ty = self.kernel.ty(*v);
                Op::SetVar {
                    scalar: ty.scalar,
                    to: Operands {
                        out: self.vars[var.0 as usize],
                        args: [self.slot(*v), 0, 0],
                        n: self.count(ty) as u32,
                    },
                }
            }
            Stmt::Store {
                place,
                index,
                value,
                ..
            } => {
                let ty = self.kernel.ty(*value);
                let run = access::store(ty.scalar, self.kernel.ty(*index).scalar, *place);
                let mut access = self.access(*place, *index, ty.lanes);
                access.value = self.slot(*value);
                Op::Store(run, access)
            }
            Stmt::Atomic {
                op,
                place,
                index,
                value,
                compare,
                result,
            } => {
                let ty = self.kernel.ty(*value);
                let run = atomics::find(ty.scalar)
                    .ok_or_else(|| self.unsupported(format!("atomic on {ty}")))?;
                let mut access = self.access(*place, *index, 1);
                access.value = self.slot(*value);
                Op::Atomic {
                    run,
                    op: *op,
                    access,
                    compare: self.slot(compare.unwrap_or(*value)),
                    result: self.define(*result),
                }
            }
            Stmt::If {
                cond,
                then,
                otherwise,
            } => {
                let masks = [self.arena.take(bool_bytes), self.arena.take(bool_bytes)];
                let cond = self.slot(*cond);
                let then = self.block(then)?;
                let otherwise = self.block(otherwise)?;
                for at in masks {
                    self.arena.give(at, bool_bytes);
                }
                Op::If {
                    cond,
                    masks,
                    then,
                    otherwise,
                }
            }
            Stmt::For {
                index,
                start,
                end,
                step,
                body,
                ..
            } => {
                let mask = self.arena.take(bool_bytes);
                let [start, end, step] = [start, end, step].map(|v| self.slot(*v));
                let slot = self.define(*index);
                self.advance();
                let body = self.block(body)?;
                self.advance();
                self.arena.give(mask, bool_bytes);
                Op::For {
                    scalar: self.kernel.ty(*index).scalar,
                    index: slot,
                    start,
                    end,
                    step,
                    mask,
                    body,
                }
            }
            Stmt::Barrier(_) => Op::Barrier,
            Stmt::Frag(op) => Op::Frag(self.frag(op)),
        });
        Ok(())
    }

    fn access(&self, place: Place, index: Value, lanes: u8) -> Access {
        Access {
            place,
            region: match place {
                Place::Buffer(id) => Region::Buffer(id.0),
                Place::Shared(id) => self.shared[id.0 as usize],
                Place::Private(id) => self.private[id.0 as usize],
            },
            index: self.slot(index),
            long: self.kernel.ty(index).scalar == Scalar::U64,
            value: 0,
            width: lanes.into(),
        }
    }

    fn frag(&self, op: &FragOp) -> FragCode {
        let slot = |id: &Id| self.fragments[id.0 as usize];
        match op {
            FragOp::Fill(frag, v) => FragCode::Fill {
                frag: slot(frag),
                value: self.slot(*v),
            },
            FragOp::MulAdd { acc, a, b } => FragCode::MulAdd {
                acc: slot(acc),
                a: slot(a),
                b: slot(b),
            },
            FragOp::Load {
                frag,
                place,
                index,
                stride,
                layout,
            }
            | FragOp::Store {
                frag,
                place,
                index,
                stride,
                layout,
            } => FragCode::Transfer {
                frag: slot(frag),
                access: self.access(*place, *index, 1),
                stride: self.slot(*stride),
                stride_long: self.kernel.ty(*stride).scalar == Scalar::U64,
                layout: *layout,
                store: matches!(op, FragOp::Store { .. }),
            },
        }
    }

    fn emit(&mut self, v: Value, ops: &mut Vec<Op>) -> Result<(), InterpError> {
        let kernel = self.kernel;
        let (expr, ty) = (kernel.expr(v), kernel.ty(v));
        let aliased = match expr {
            Expr::Bitcast(_) | Expr::Extract(..) => true,
            Expr::LoadVar(_) => self.live.reads_var[v.0 as usize],
            _ => false,
        };
        // A load is kept although unused: its index must still be inside.
        let unused = !self.live.used[v.0 as usize] && !matches!(expr, Expr::Load { .. });
        if aliased || unused {
            return Ok(());
        }
        let out = self.define(v);
        let n = self.count(ty) as u32;
        // The kind that the operation works on, which for a comparison is not the result's.
        let of = |a: Value| kernel.ty(a).scalar;
        let (run, args): (Option<LaneFn>, &[Value]) = match expr {
            Expr::Unary(op, a) => (lanes::unary(*op, of(*a)), &[*a]),
            Expr::Binary(op, a, b) => (lanes::binary(*op, of(*a)), &[*a, *b]),
            Expr::Fma(a, b, c) => (lanes::fma(ty.scalar), &[*a, *b, *c]),
            Expr::Select { cond, yes, no } => (Some(lanes::select(ty.scalar)), &[*cond, *yes, *no]),
            Expr::Cast(a, mode) => (lanes::cast(of(*a), ty.scalar, *mode), &[*a]),
            _ => return self.emit_other(v, out, ops),
        };
        let run = run.ok_or_else(|| self.unsupported(format!("{expr:?} of {ty}")))?;
        let mut at = Operands {
            out,
            args: [0; 3],
            n,
        };
        for (slot, a) in at.args.iter_mut().zip(args) {
            *slot = self.slot(*a);
        }
        ops.push(Op::Lanes(run, at));
        Ok(())
    }

    /// Expressions that are not one function over whole slots.
    fn emit_other(&mut self, v: Value, out: u32, ops: &mut Vec<Op>) -> Result<(), InterpError> {
        let (expr, ty) = (self.kernel.expr(v), self.kernel.ty(v));
        match expr {
            Expr::LoadVar(id) => {
                let from = self.vars[id.0 as usize];
                ops.push(self.copy(ty, out, from));
            }
            Expr::Splat(_) | Expr::Compose(_) => {
                let lane = Type::from(ty.scalar);
                for i in 0..usize::from(ty.lanes) {
                    let from = match expr {
                        Expr::Compose(parts) => self.slot(parts[i]),
                        Expr::Splat(a) => self.slot(*a),
                        _ => 0,
                    };
                    let to = out + (i * self.bytes(lane)) as u32;
                    ops.push(self.copy(lane, to, from));
                }
            }
            Expr::Load { place, index, .. } => {
                let run = access::load(ty.scalar, self.kernel.ty(*index).scalar, *place);
                let mut access = self.access(*place, *index, ty.lanes);
                access.value = out;
                ops.push(Op::Load(run, access));
            }
            Expr::Subgroup(op, a, arg) => {
                let run = subgroup::find(*op, ty.scalar)
                    .ok_or_else(|| self.unsupported(format!("subgroup {op:?} of {ty}")))?;
                let arg = arg.map_or(0, |arg| self.slot(arg));
                let at = Operands {
                    out,
                    args: [self.slot(*a), arg, 0],
                    n: self.items() as u32,
                };
                ops.push(Op::Subgroup(run, at));
            }
            Expr::Intrinsic(name, args) => {
                let row = intrinsics::find(name);
                let (row, run) = row
                    .zip(lanes::call(ty.scalar))
                    .ok_or_else(|| self.unsupported(format!("intrinsic `{name}` of {ty}")))?;
                ops.push(Op::Call {
                    run,
                    eval: row.eval,
                    args: args.iter().map(|a| self.slot(*a)).collect(),
                    out,
                    n: self.count(ty) as u32,
                });
            }
            _ => return Err(self.unsupported(format!("{expr:?} cannot be emitted"))),
        }
        Ok(())
    }

    fn copy(&self, ty: Type, out: u32, from: u32) -> Op {
        let at = Operands {
            out,
            args: [from, 0, 0],
            n: self.count(ty) as u32,
        };
        Op::Lanes(lanes::copy(ty.scalar), at)
    }
}
