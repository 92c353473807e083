//! The statements of a random kernel: control flow, variables, and memory that each work-item
//! shares with others only behind barriers or through commuting atomics.

use super::values::{AT_REST, Array, Values, scalar_bits};
use super::{Case, Data, Floats, Rng, Spec};
use crate::builder::Builder;
use crate::ir::*;
use crate::types::Scalar::{self, *};
use crate::types::Type;
use crate::verify::VerifyError;

/// Work-group sizes, and work-groups along each axis.
const SHAPES: &[([u32; 3], [u32; 3])] = &[
    ([1, 1, 1], [7, 1, 1]),
    ([4, 1, 1], [3, 1, 1]),
    ([16, 1, 1], [2, 1, 1]),
    ([8, 2, 1], [2, 2, 1]),
    ([3, 1, 1], [1, 3, 2]),
    ([2, 2, 2], [1, 1, 3]),
    ([64, 1, 1], [2, 1, 1]),
];

/// Loops run at most this often.
const TURNS: i64 = 6;

/// A buffer in which each work-item owns `stride` elements; `cut` of the last are missing.
struct Output {
    place: Place,
    elem: Scalar,
    stride: u8,
    /// The number of elements, as a parameter.
    len: Value,
}

/// A buffer that all work-items change with one operation.
struct Bins {
    place: Place,
    elem: Scalar,
    len: u32,
    op: AtomicOp,
}

struct Writer<'a> {
    values: Values<'a>,
    data: Vec<Data>,
    workgroup: u32,
    /// Statements left.
    fuel: u32,
    /// Blocks open.
    depth: u32,
    /// All work-items of the group are here.
    uniform: bool,
    bins: Option<Bins>,
    shared: u32,
}

/// What a buffer of random elements holds.
pub fn random_bytes(rng: &mut Rng, elem: Scalar, len: usize, floats: Floats) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len * elem.bytes());
    for _ in 0..len {
        let bits = scalar_bits(rng, elem, floats).to_le_bytes();
        bytes.extend(&bits[..elem.bytes()]);
    }
    bytes
}

/// Builds a case.
pub fn build(spec: &Spec) -> Result<Case, VerifyError> {
    let mut rng = Rng::new(spec.seed);
    let (workgroup, groups) = rng.one(SHAPES);
    let mut builder = Builder::new("random", workgroup);
    let b = &mut builder;
    let mut w = Writer {
        values: Values {
            spec,
            rng,
            pool: vec![],
            vars: vec![],
            arrays: vec![],
        },
        data: vec![],
        workgroup: workgroup.iter().product(),
        fuel: spec.size,
        depth: 0,
        uniform: true,
        bins: None,
        shared: 0,
    };
    let items = w.workgroup * groups.iter().product::<u32>();
    w.inputs(b);
    let outputs = w.outputs(b, items);
    w.bins(b);
    w.identity(b);
    w.variables(b);
    w.statements(b);
    let item = w.item(b);
    for output in outputs {
        w.output(b, &output, item);
    }
    Ok(Case {
        kernel: builder.finish()?,
        groups,
        args: w.data,
    })
}

impl Writer<'_> {
    fn random_bytes(&mut self, elem: Scalar, len: u32) -> Vec<u8> {
        random_bytes(
            &mut self.values.rng,
            elem,
            len as usize,
            self.values.spec.floats,
        )
    }

    fn inputs(&mut self, b: &mut Builder) {
        for i in 0..3 {
            let elem = self.values.kind();
            let len = 16 + self.values.rng.below(50) as u32;
            let place = b.buffer(&format!("in{i}"), elem, Access::Read);
            let bytes = self.random_bytes(elem, len);
            self.data.push(Data::Buffer(bytes));
            self.values.arrays.push(Array { place, elem, len });
        }
        let passed = [I32, U32, I64, U64, F32, F64];
        let passed = passed.iter().filter(|s| self.values.spec.kinds.contains(s));
        let passed: Vec<Scalar> = passed.copied().collect();
        for i in 0..2 {
            let scalar = match passed.is_empty() {
                true => U32,
                false => self.values.rng.one(&passed),
            };
            let bits = self.values.bits(scalar);
            let value = b.scalar(&format!("scalar{i}"), scalar);
            self.data.push(Data::Scalar(Const { scalar, bits }));
            self.values.know(b, value, AT_REST);
        }
    }

    fn outputs(&mut self, b: &mut Builder, items: u32) -> Vec<Output> {
        let mut outputs = vec![];
        for i in 0..3 {
            let elem = self.values.kind();
            let stride = self.values.rng.one(&[1, 1, 2, 4, 8, 16]);
            let cut = self.values.rng.below(2 * usize::from(stride)) as u32;
            let len = (items * u32::from(stride) - cut.min(items * u32::from(stride) - 1)).max(1);
            let place = b.buffer(&format!("out{i}"), elem, Access::ReadWrite);
            // Not zero, so that a write where none belongs shows.
            let bytes = self.random_bytes(elem, len);
            self.data.push(Data::Buffer(bytes));
            let value = b.scalar(&format!("len{i}"), U32);
            self.data.push(Data::Scalar(Const {
                scalar: U32,
                bits: len.into(),
            }));
            outputs.push(Output {
                place,
                elem,
                stride,
                len: value,
            });
        }
        outputs
    }

    fn bins(&mut self, b: &mut Builder) {
        use AtomicOp::*;
        let spec = self.values.spec;
        let wide = |s: &Scalar| spec.atomic64 || s.bytes() == 4;
        let there = |s: &Scalar| spec.kinds.contains(s) && wide(s);
        let kinds: Vec<Scalar> = [I32, U32, I64, U64].into_iter().filter(there).collect();
        if kinds.is_empty() {
            return;
        }
        let elem = self.values.rng.one(&kinds);
        let op = self.values.rng.one(&[Add, Min, Max, And, Or, Xor]);
        let len = 1 + self.values.rng.below(9) as u32;
        let place = b.buffer("bins", elem, Access::ReadWrite);
        let bytes = self.random_bytes(elem, len);
        self.data.push(Data::Buffer(bytes));
        self.bins = Some(Bins {
            place,
            elem,
            len,
            op,
        });
    }

    fn identity(&mut self, b: &mut Builder) {
        use Builtin::*;
        for builtin in [
            GlobalId(0),
            GroupId(1),
            LocalId(2),
            NumGroups(0),
            LocalLinear,
        ] {
            let value = b.builtin(builtin);
            self.values.know(b, value, AT_REST);
        }
        let item = self.item(b);
        self.values.know(b, item, AT_REST);
    }

    /// The linear number of this work-item in the launch.
    fn item(&mut self, b: &mut Builder) -> Value {
        let mut group = b.builtin(Builtin::GroupId(2));
        for axis in [1, 0] {
            let count = b.builtin(Builtin::NumGroups(axis));
            let id = b.builtin(Builtin::GroupId(axis));
            let before = b.mul(group, count);
            group = b.add(before, id);
        }
        let size = b.u32(self.workgroup);
        let first = b.mul(group, size);
        let local = b.builtin(Builtin::LocalLinear);
        b.add(first, local)
    }

    fn variables(&mut self, b: &mut Builder) {
        for _ in 0..3 {
            let ty = self.values.any_type();
            self.variable(b, ty);
        }
    }

    fn variable(&mut self, b: &mut Builder, ty: Type) {
        let ty = match self.values.lasts(ty) {
            true => ty,
            false => ty.scalar.x(1),
        };
        let init = self.values.any(b, ty);
        let init = self.values.at_rest(b, init);
        let id = b.var(init);
        self.values.vars.push((id, ty));
    }

    fn statements(&mut self, b: &mut Builder) {
        while self.fuel > 0 {
            self.statement(b);
        }
    }

    fn statement(&mut self, b: &mut Builder) {
        self.fuel -= 1;
        match self.values.rng.below(20) {
            0..=9 => {
                self.values.operation(b);
            }
            10..=11 => {
                let ty = self.values.any_type();
                self.values.load(b, ty);
            }
            12..=13 => self.assign(b),
            14 if self.depth < 3 => self.branch(b),
            15 if self.depth < 3 => self.repeat(b),
            16 => self.private(b),
            17..=18 if self.uniform && self.shared < 4 => self.exchange(b),
            19 => self.atomic(b),
            _ => {
                self.values.operation(b);
            }
        }
    }

    fn assign(&mut self, b: &mut Builder) {
        if self.values.rng.once_in(4) {
            let ty = self.values.any_type();
            return self.variable(b, ty);
        }
        let (id, ty) = self.values.rng.one(&self.values.vars.clone());
        let value = self.values.any(b, ty);
        let value = self.values.at_rest(b, value);
        b.set(id, value);
    }

    /// A block of a few statements; what it makes known is forgotten at its end.
    fn block(
        &mut self,
        b: &mut Builder,
        uniform: bool,
        first: impl FnOnce(&mut Self, &mut Builder),
    ) -> Block {
        let fuel = self.fuel.min(1 + self.values.rng.below(6) as u32);
        let outer = (self.fuel - fuel, self.uniform);
        let known = (
            self.values.pool.len(),
            self.values.vars.len(),
            self.values.arrays.len(),
        );
        self.fuel = fuel;
        self.uniform &= uniform;
        self.depth += 1;
        let block = b.block(|b| {
            first(self, b);
            self.statements(b);
            // Something of the block is seen outside.
            self.assign(b);
        });
        self.depth -= 1;
        (self.fuel, self.uniform) = outer;
        self.values.pool.truncate(known.0);
        self.values.vars.truncate(known.1);
        self.values.arrays.truncate(known.2);
        block
    }

    fn branch(&mut self, b: &mut Builder) {
        let uniform = self.uniform && self.values.rng.once_in(2);
        let cond = match uniform {
            true => {
                let group = b.builtin(Builtin::GroupId(0));
                let limit = b.u32(1);
                b.bin(BinOp::Lt, group, limit)
            }
            false => self.values.any(b, Bool.x(1)).value,
        };
        let then = self.block(b, uniform, |_, _| {});
        let otherwise = match self.values.rng.once_in(2) {
            true => self.block(b, uniform, |_, _| {}),
            false => vec![],
        };
        b.stmt(Stmt::If {
            cond,
            then,
            otherwise,
        });
    }

    fn repeat(&mut self, b: &mut Builder) {
        let there = |s: &Scalar| self.values.spec.kinds.contains(s);
        let kinds: Vec<Scalar> = [U32, I32, I64, U64].into_iter().filter(there).collect();
        let kind = match kinds.is_empty() {
            true => U32,
            false => self.values.rng.one(&kinds),
        };
        let uniform = self.uniform && self.values.rng.once_in(2);
        let first = self.values.rng.below(3) as i64;
        let first = match kind.is_signed_int() {
            true => -first,
            false => first,
        };
        let start = b.int(kind, first);
        let step = 1 + self.values.rng.below(3) as i64;
        let turns = self.values.rng.below(TURNS as usize) as i64;
        let end = match uniform {
            true => b.int(kind, first + turns),
            false => {
                // Different for each work-item.
                let any = self.values.any(b, kind.x(1));
                let most = b.int(kind, 3);
                b.bin(BinOp::And, any.value, most)
            }
        };
        let step = b.int(kind, step);
        let index = b.raw(Expr::LoopIndex, kind.into());
        let unroll = self.values.rng.once_in(3);
        let body = self.block(b, uniform, |w, b| {
            w.values.know(b, index, AT_REST);
        });
        b.stmt(Stmt::For {
            index,
            start,
            end,
            step,
            body,
            unroll,
        });
    }

    /// A private array, filled, changed somewhere, and then read at will.
    fn private(&mut self, b: &mut Builder) {
        let elem = self.values.kind();
        let len = 4 + self.values.rng.below(9) as u32;
        let name = format!("private{}", b.kernel().private.len());
        let place = b.private(&name, elem, len);
        let fill = self.values.any(b, elem.x(1));
        let fill = self.values.at_rest(b, fill);
        let (start, end, step) = (b.u32(0), b.u32(len), b.u32(1));
        b.for_(start, end, step, false, |b, i| {
            b.store(place, i, fill, false)
        });
        let lanes = self.values.rng.one(&[1, 2, 4]);
        let value = self.values.any(b, elem.x(lanes));
        let value = self.values.at_rest(b, value);
        let (index, aligned) = self.values.index(b, len, lanes);
        b.store(place, index, value, aligned);
        self.values.arrays.push(Array { place, elem, len });
        self.values.load(b, elem.x(lanes));
    }

    /// Each work-item writes its part of a shared array, and all read all of it.
    fn exchange(&mut self, b: &mut Builder) {
        self.shared += 1;
        let elem = self.values.kind();
        let stride = self.values.rng.one(&[1, 2, 4]);
        let len = self.workgroup * u32::from(stride);
        let name = format!("shared{}", b.kernel().shared.len());
        let place = b.shared(&name, elem, len);
        // Inside a loop, the last turn's readers may not be done.
        b.barrier(Barrier::Shared);
        let value = self.values.any(b, elem.x(stride));
        let value = self.values.at_rest(b, value);
        let local = b.builtin(Builtin::LocalLinear);
        let parts = b.u32(stride.into());
        let own = b.mul(local, parts);
        let aligned = self.values.rng.once_in(2);
        b.store(place, own, value, aligned);
        b.barrier(self.values.rng.one(&[Barrier::Shared, Barrier::Buffers]));
        self.values.arrays.push(Array { place, elem, len });
        self.values.load(b, elem.x(stride));
    }

    fn atomic(&mut self, b: &mut Builder) {
        let Some(Bins {
            place,
            elem,
            len,
            op,
        }) = self.bins
        else {
            return;
        };
        let value = self.values.any(b, elem.x(1));
        let (index, _) = self.values.index(b, len, 1);
        b.atomic(op, place, index, value.value);
    }

    /// Writes this work-item's part of an output: whole, or one by one where it is cut.
    fn output(&mut self, b: &mut Builder, output: &Output, item: Value) {
        let Output {
            place,
            elem,
            stride,
            len,
        } = *output;
        let value = self.values.any(b, elem.x(stride));
        let value = self.values.at_rest(b, value);
        let aligned = self.values.rng.once_in(2);
        let parts = b.u32(stride.into());
        let first = b.mul(item, parts);
        let end = b.add(first, parts);
        let whole = b.bin(BinOp::Le, end, len);
        b.if_else(
            whole,
            |b| b.store(place, first, value, aligned),
            |b| {
                let one = b.u32(1);
                let last = b.extract(value, stride - 1);
                b.for_(first, len, one, false, |b, i| {
                    b.store(place, i, last, false)
                });
            },
        );
    }
}
