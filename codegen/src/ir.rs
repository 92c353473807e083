//! The kernel language: an arena of SSA expressions plus structured statements.
//!
//! Expressions have no side effects; [`Stmt::Emit`] says where one is evaluated, exactly once.
//! Constants, parameters, built-ins, loop indices and statement results are never emitted: they
//! are available wherever their scope is. Control flow is `if` and the counted `for`, and nothing
//! else, because every structured target has these two.
//!
//! The semantics below are total: each operation has one result on every device, which the
//! interpreter ([`crate::interp`]) computes and the legaliser ([`crate::legalise`]) makes true
//! where a target's own operation is weaker.

use crate::types::{Scalar, Type};

/// An expression of a [`Kernel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub u32);

/// An index into one of the kernel's tables (`params`, `shared`, `private`, `vars`, `fragments`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub u32);

/// A statement list.
pub type Block = Vec<Stmt>;

/// A whole kernel.
///
/// `Hash` covers the content and leaves out nothing: two kernels with the same hash generate the
/// same source, which is what program caches are keyed by (see [`crate::hash`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// A C identifier; becomes the entry point's name.
    pub name: String,
    /// Buffers and scalars, in call order.
    pub params: Vec<Param>,
    /// Work-group size, fixed at build time.
    pub workgroup: [u32; 3],
    /// Arrays shared by a work-group.
    pub shared: Vec<Array>,
    /// Arrays private to a work-item.
    pub private: Vec<Array>,
    /// Mutable variables of a work-item, zero at entry.
    pub vars: Vec<Type>,
    /// Matrix fragments, each held by a subgroup together; zero at entry.
    pub fragments: Vec<Fragment>,
    /// The expression arena; operands come before their users.
    pub exprs: Vec<Expr>,
    /// The type of each expression.
    pub types: Vec<Type>,
    /// What a work-item does.
    pub body: Block,
}

/// A kernel parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param {
    /// A C identifier.
    pub name: String,
    /// What is passed.
    pub kind: ParamKind,
}

/// What a kernel parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// A device buffer, addressed in elements.
    Buffer {
        /// The element kind in memory.
        elem: Scalar,
        /// Whether the kernel may write it.
        access: Access,
    },
    /// A scalar passed by value: i32, u32, i64, u64, f32 or f64.
    Scalar(Scalar),
}

/// How a kernel uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Only read; may alias other read buffers.
    Read,
    /// Read and written; aliases nothing else.
    ReadWrite,
}

/// A fixed-size array in shared or private memory. Its content is undefined at entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Array {
    /// A C identifier.
    pub name: String,
    /// The element kind.
    pub elem: Scalar,
    /// Number of elements.
    pub len: u32,
}

/// A constant: the bits of one scalar, splat to every lane of the expression's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Const {
    /// Kind of the scalar.
    pub scalar: Scalar,
    /// Its bits, zero-extended; 0 or 1 for bool.
    pub bits: u64,
}

/// Where a load or store goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A buffer parameter.
    Buffer(Id),
    /// A work-group array.
    Shared(Id),
    /// A private array.
    Private(Id),
}

/// Work-item identity; each is a u32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Builtin {
    /// `group_id * workgroup + local_id` along an axis.
    GlobalId(u8),
    /// Position inside the work-group along an axis.
    LocalId(u8),
    /// Position of the work-group along an axis.
    GroupId(u8),
    /// Number of work-groups along an axis.
    NumGroups(u8),
    /// Linear position inside the work-group, axis 0 fastest.
    LocalLinear,
    /// Width of this subgroup.
    SubgroupSize,
    /// Lane inside the subgroup.
    SubgroupLane,
    /// Subgroup inside the work-group.
    SubgroupId,
}

/// One operand. Types are those of the operand unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnOp {
    /// Negation; integers wrap; for floats the sign bit is flipped.
    Neg,
    /// Bitwise complement of an integer, logical of a bool.
    Not,
    /// Magnitude; integers wrap (`abs(MIN) = MIN`); for floats the sign bit is cleared.
    Abs,
    /// Float rounded down.
    Floor,
    /// Float rounded up.
    Ceil,
    /// Float rounded towards zero.
    Trunc,
    /// Float rounded to nearest, ties to even.
    Rint,
    /// Float square root.
    Sqrt,
    /// Float to bool.
    IsNan,
    /// Float to bool.
    IsInf,
    /// Number of set bits of an integer.
    Popcount,
    /// Leading zero bits of an integer; the width for zero.
    Clz,
}

/// Two operands of one type. Comparisons give bool lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinOp {
    /// Sum; integers wrap.
    Add,
    /// Difference; integers wrap.
    Sub,
    /// Product; integers wrap.
    Mul,
    /// Quotient. Integers truncate, `x / 0 = 0`, `MIN / -1 = MIN`.
    Div,
    /// Remainder with the sign of the dividend, exact (C's `%` and `fmod`). Integers: `x % 0 = 0`.
    Rem,
    /// Upper half of the double-width product of i32, u32, i64 or u64.
    MulHi,
    /// Smaller. NaN if either is NaN; `-0 < +0` (IEEE 754-2019 `minimum`).
    Min,
    /// Larger. NaN if either is NaN; `-0 < +0` (IEEE 754-2019 `maximum`).
    Max,
    /// Bitwise for integers, logical for bool.
    And,
    /// Bitwise for integers, logical for bool.
    Or,
    /// Bitwise for integers, logical for bool.
    Xor,
    /// Left shift; the amount is taken modulo the width.
    Shl,
    /// Right shift, arithmetic for signed kinds; the amount is taken modulo the width.
    Shr,
    /// Equal; false if either is NaN.
    Eq,
    /// Not equal; true if either is NaN.
    Ne,
    /// Less; false if either is NaN.
    Lt,
    /// Less or equal; false if either is NaN.
    Le,
    /// Greater; false if either is NaN.
    Gt,
    /// Greater or equal; false if either is NaN.
    Ge,
}

impl BinOp {
    /// True for the six comparisons, whose result is bool.
    pub const fn is_comparison(self) -> bool {
        use BinOp::*;
        matches!(self, Eq | Ne | Lt | Le | Gt | Ge)
    }
}

/// How a conversion treats values that the destination cannot hold.
///
/// Both round to nearest even into floats (out of range gives infinity), truncate floats towards
/// zero into integers, map bool to 0 or 1, and map to bool by `x != 0` (NaN is true).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CastMode {
    /// Into integers: the nearest representable value; NaN gives 0.
    Saturate,
    /// Integers keep their low bits. Floats go through saturating i64 first (u64 where the value
    /// is positive and the destination is u64), then keep the low bits.
    Wrap,
}

/// Operations across the lanes of a subgroup. The value type is a 32-bit or 64-bit scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubgroupOp {
    /// Sum over active lanes (order undefined for floats).
    Add,
    /// Smallest over active lanes.
    Min,
    /// Largest over active lanes.
    Max,
    /// Sum over active lanes before this one.
    ExclusiveAdd,
    /// Sum over active lanes up to and including this one.
    InclusiveAdd,
    /// The value of lane `arg` (u32, uniform over the subgroup).
    Broadcast,
    /// The value of lane `arg`.
    Shuffle,
    /// The value of lane `self ^ arg` (`arg` uniform).
    ShuffleXor,
    /// The value of lane `self + arg` (`arg` uniform); undefined past the end.
    ShuffleDown,
    /// Bool to bool: true if all active lanes are true.
    All,
    /// Bool to bool: true if any active lane is true.
    Any,
}

impl SubgroupOp {
    /// True if the operation takes a lane argument.
    pub const fn has_arg(self) -> bool {
        use SubgroupOp::*;
        matches!(self, Broadcast | Shuffle | ShuffleXor | ShuffleDown)
    }
}

/// An expression; see [`Kernel::types`] for its type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// A constant, splat.
    Const(Const),
    /// The value of a scalar parameter.
    Param(Id),
    /// Work-item identity.
    Builtin(Builtin),
    /// The index of the [`Stmt::For`] that names this value.
    LoopIndex,
    /// The result of the [`Stmt::Atomic`] that names this value.
    AtomicResult,
    /// One operand.
    Unary(UnOp, Value),
    /// Two operands of one type.
    Binary(BinOp, Value, Value),
    /// `a * b + c` with one rounding (f16 and bf16: one rounding in f32, then one more).
    Fma(Value, Value, Value),
    /// Lane-wise `cond ? yes : no`.
    Select {
        /// Bool with the lanes of the operands.
        cond: Value,
        /// Taken where true.
        yes: Value,
        /// Taken where false.
        no: Value,
    },
    /// Conversion to the expression's type.
    Cast(Value, CastMode),
    /// The same bits in another kind of the same size.
    Bitcast(Value),
    /// A scalar in every lane.
    Splat(Value),
    /// A vector from scalars.
    Compose(Vec<Value>),
    /// One lane.
    Extract(Value, u8),
    /// The current value of a variable.
    LoadVar(Id),
    /// `lanes` consecutive elements from `index`.
    Load {
        /// Where from.
        place: Place,
        /// First element: a u32 or u64 scalar.
        index: Value,
        /// The index is known to be a multiple of the lane count, and the elements to lie inside.
        aligned: bool,
    },
    /// Across the subgroup; evaluated in subgroup-uniform control flow.
    Subgroup(SubgroupOp, Value, Option<Value>),
    /// A named function of [`crate::intrinsics`]: a dialect may define it, the interpreter does.
    Intrinsic(String, Vec<Value>),
}

/// What an atomic does to memory; the result is the old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// Wrapping sum.
    Add,
    /// Smaller.
    Min,
    /// Larger.
    Max,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Replace.
    Exchange,
    /// Replace if equal to the comparand.
    CompareExchange,
}

/// Which memory a barrier orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Barrier {
    /// The work-group waits; shared memory is ordered.
    Shared,
    /// The work-group waits; shared memory and buffers are ordered.
    Buffers,
}

/// The part a fragment plays in `D = A·B + C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// m × k.
    A,
    /// k × n.
    B,
    /// m × n.
    Accumulator,
}

/// A matrix spread over the registers of one subgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// Element kind.
    pub elem: Scalar,
    /// Part played.
    pub role: Role,
    /// Rows of the accumulator.
    pub m: u8,
    /// Columns of the accumulator.
    pub n: u8,
    /// Depth.
    pub k: u8,
}

impl Fragment {
    /// (rows, columns) of this fragment.
    pub const fn dims(self) -> (u32, u32) {
        match self.role {
            Role::A => (self.m as u32, self.k as u32),
            Role::B => (self.k as u32, self.n as u32),
            Role::Accumulator => (self.m as u32, self.n as u32),
        }
    }
}

/// Order of a matrix in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `index + row * stride + col`.
    RowMajor,
    /// `index + col * stride + row`.
    ColMajor,
}

/// Operations on fragments; evaluated in subgroup-uniform control flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FragOp {
    /// Every element becomes a scalar value.
    Fill(Id, Value),
    /// Read a matrix from a buffer or shared array whose element kind is the fragment's.
    Load {
        /// Destination.
        frag: Id,
        /// Source memory.
        place: Place,
        /// First element.
        index: Value,
        /// Elements between rows (or columns).
        stride: Value,
        /// Order in memory.
        layout: Layout,
    },
    /// `acc += a · b`, each product and sum in the accumulator's kind, k ascending in the
    /// interpreter and in any order on a device.
    MulAdd {
        /// Accumulator.
        acc: Id,
        /// Left operand.
        a: Id,
        /// Right operand.
        b: Id,
    },
    /// Write a matrix.
    Store {
        /// Source.
        frag: Id,
        /// Destination memory.
        place: Place,
        /// First element.
        index: Value,
        /// Elements between rows (or columns).
        stride: Value,
        /// Order in memory.
        layout: Layout,
    },
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stmt {
    /// Evaluate an expression here.
    Emit(Value),
    /// Assign a variable.
    StoreVar(Id, Value),
    /// Write the lanes of a value to consecutive elements.
    Store {
        /// Where to.
        place: Place,
        /// First element: a u32 or u64 scalar.
        index: Value,
        /// What; its scalar is the element kind.
        value: Value,
        /// As for [`Expr::Load`].
        aligned: bool,
    },
    /// Read-modify-write of one element of i32, u32, i64 or u64.
    Atomic {
        /// What to do.
        op: AtomicOp,
        /// A buffer or shared array.
        place: Place,
        /// Element.
        index: Value,
        /// Operand.
        value: Value,
        /// Comparand of [`AtomicOp::CompareExchange`].
        compare: Option<Value>,
        /// An [`Expr::AtomicResult`] that receives the old value.
        result: Value,
    },
    /// Conditional.
    If {
        /// A bool scalar.
        cond: Value,
        /// Where true.
        then: Block,
        /// Where false.
        otherwise: Block,
    },
    /// `for (index = start; index < end; index += step)`. The index does not wrap: the caller
    /// guarantees that `end + step` fits its kind.
    For {
        /// An [`Expr::LoopIndex`] of i32, u32, i64 or u64.
        index: Value,
        /// First value.
        start: Value,
        /// Bound, exclusive.
        end: Value,
        /// Positive.
        step: Value,
        /// Repeated part.
        body: Block,
        /// A hint to the emitter: unroll the whole loop.
        unroll: bool,
    },
    /// All work-items of the group wait here; only in uniform control flow.
    Barrier(Barrier),
    /// On matrix fragments.
    Frag(FragOp),
}

impl Expr {
    /// True for expressions that are never the subject of a [`Stmt::Emit`].
    pub const fn is_implicit(&self) -> bool {
        matches!(
            self,
            Expr::Const(_)
                | Expr::Param(_)
                | Expr::Builtin(_)
                | Expr::LoopIndex
                | Expr::AtomicResult
        )
    }

    /// Calls `f` on each operand, in order.
    pub fn for_each_operand(&self, mut f: impl FnMut(Value)) {
        match self {
            Expr::Const(_)
            | Expr::Param(_)
            | Expr::Builtin(_)
            | Expr::LoopIndex
            | Expr::AtomicResult
            | Expr::LoadVar(_) => {}
            Expr::Unary(_, a)
            | Expr::Cast(a, _)
            | Expr::Bitcast(a)
            | Expr::Splat(a)
            | Expr::Extract(a, _) => f(*a),
            Expr::Binary(_, a, b) => [*a, *b].into_iter().for_each(f),
            Expr::Fma(a, b, c) => [*a, *b, *c].into_iter().for_each(f),
            Expr::Select { cond, yes, no } => [*cond, *yes, *no].into_iter().for_each(f),
            Expr::Compose(parts) => parts.iter().copied().for_each(f),
            Expr::Load { index, .. } => f(*index),
            Expr::Subgroup(_, a, arg) => {
                f(*a);
                arg.iter().copied().for_each(f);
            }
            Expr::Intrinsic(_, args) => args.iter().copied().for_each(f),
        }
    }
}

/// Lanes of one or two vectors of the result's own type, put together: the vectors, and for each
/// lane its place in both laid end to end.
pub struct Shuffle {
    /// The first.
    pub left: Value,
    /// The second; the first again if there is only one.
    pub right: Value,
    /// Where each lane comes from.
    pub lanes: Vec<u8>,
}

impl Shuffle {
    /// What the parts of a [`Expr::Compose`] of type `ty` are, if they are a shuffle that a device
    /// may do at once.
    pub fn of<'a>(
        parts: &[Value],
        ty: Type,
        expr: impl Fn(Value) -> &'a Expr,
        type_of: impl Fn(Value) -> Type,
    ) -> Option<Shuffle> {
        if ty.lanes < 4 || ty.scalar == Scalar::Bool {
            return None;
        }
        let mut sources: Vec<Value> = vec![];
        let mut lanes = vec![];
        for part in parts {
            let Expr::Extract(from, lane) = *expr(*part) else {
                return None;
            };
            if !sources.contains(&from) {
                sources.push(from);
            }
            let which = sources.iter().position(|&s| s == from)? as u8;
            if which > 1 || type_of(from) != ty {
                return None;
            }
            lanes.push(which * ty.lanes + lane);
        }
        Some(Shuffle {
            left: *sources.first()?,
            right: *sources.last()?,
            lanes,
        })
    }
}

impl Kernel {
    /// The shuffle that a value is.
    pub fn shuffle(&self, v: Value) -> Option<Shuffle> {
        match self.expr(v) {
            Expr::Compose(parts) => {
                Shuffle::of(parts, self.ty(v), |v| self.expr(v), |v| self.ty(v))
            }
            _ => None,
        }
    }

    /// The expression behind a value.
    pub fn expr(&self, v: Value) -> &Expr {
        &self.exprs[v.0 as usize]
    }

    /// The type of a value.
    pub fn ty(&self, v: Value) -> Type {
        self.types[v.0 as usize]
    }

    /// The element kind of a place, or `None` if it does not exist or is not a buffer.
    pub fn elem(&self, place: Place) -> Option<Scalar> {
        match place {
            Place::Buffer(id) => match self.params.get(id.0 as usize)?.kind {
                ParamKind::Buffer { elem, .. } => Some(elem),
                ParamKind::Scalar(_) => None,
            },
            Place::Shared(id) => self.shared.get(id.0 as usize).map(|a| a.elem),
            Place::Private(id) => self.private.get(id.0 as usize).map(|a| a.elem),
        }
    }

    /// Work-items of a work-group.
    pub fn workgroup_len(&self) -> u32 {
        self.workgroup.iter().product()
    }

    /// Bytes of shared memory.
    pub fn shared_bytes(&self) -> u32 {
        self.shared
            .iter()
            .map(|a| a.len * a.elem.bytes() as u32)
            .sum()
    }

    /// Calls `f` on every statement, outer ones first.
    pub fn for_each_stmt<'a>(&'a self, f: &mut impl FnMut(&'a Stmt)) {
        fn walk<'a>(block: &'a [Stmt], f: &mut impl FnMut(&'a Stmt)) {
            for stmt in block {
                f(stmt);
                match stmt {
                    Stmt::If {
                        then, otherwise, ..
                    } => {
                        walk(then, f);
                        walk(otherwise, f);
                    }
                    Stmt::For { body, .. } => walk(body, f),
                    _ => {}
                }
            }
        }
        walk(&self.body, f);
    }
}
