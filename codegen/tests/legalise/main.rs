//! The legalised kernel gives what the original gives: the interpreter runs both, on special
//! values and random bits, for every operation, kind and lane count, and for targets that differ
//! in everything the legaliser looks at.

mod memory;
mod values;

use rayon::prelude::*;
use suanzi_codegen::Scalar::{self, *};
use suanzi_codegen::interp::{Arg, Memory, Options, Program};
use suanzi_codegen::ir::*;
use suanzi_codegen::legalise::check_legal;
use suanzi_codegen::samples::SAMPLES;
use suanzi_codegen::target::{Soft, Support, Target};
use suanzi_codegen::{Builder, Type, Value, legalise};

/// Elements of each buffer.
const LEN: usize = 2048;
const GROUP: u32 = 16;

/// Does everything but promises nothing beyond it.
fn native() -> Target {
    Target {
        soft: vec![
            Soft::MulHi,
            Soft::Int64ToF32,
            Soft::F64ToF32,
            Soft::Div,
            Soft::Sqrt,
            Soft::SignExtend,
            Soft::WholeF64,
        ],
        ..Target::all()
    }
}

fn opencl() -> Target {
    Target {
        bool: Support::Storage,
        f16: Support::Storage,
        bf16: Support::Storage,
        ..Target::all()
    }
}

fn storage() -> Target {
    Target {
        int8: Support::Storage,
        int16: Support::Storage,
        f16: Support::Storage,
        bf16: Support::Packed,
        max_lanes: 2,
        fused_fma: false,
        ..Target::all()
    }
}

fn shader() -> Target {
    Target {
        bool: Support::Packed,
        int8: Support::Packed,
        bf16: Support::Packed,
        max_lanes: 4,
        fused_fma: false,
        soft: vec![Soft::MulHi],
        ..Target::all()
    }
}

fn poor() -> Target {
    Target {
        bool: Support::Packed,
        int8: Support::Packed,
        int16: Support::Packed,
        int64: Support::Missing,
        f16: Support::Packed,
        bf16: Support::Packed,
        f64: Support::Missing,
        max_lanes: 1,
        fused_fma: false,
        soft: vec![Soft::MulHi, Soft::Div, Soft::Sqrt],
        subgroups: false,
        atomic64: false,
        fragments: vec![],
    }
}

fn targets() -> [(&'static str, Target); 5] {
    [
        ("native", native()),
        ("opencl", opencl()),
        ("storage", storage()),
        ("shader", shader()),
        ("poor", poor()),
    ]
}

/// A kernel, its launch, and what its buffers begin with; the last one is the output.
struct Case {
    kernel: Kernel,
    groups: u32,
    buffers: Vec<(Scalar, Vec<u64>)>,
}

impl Case {
    /// `out = f(inputs)`, with so many lanes, whatever `f` builds.
    fn map(
        name: String,
        inputs: &[Scalar],
        output: Scalar,
        lanes: u8,
        f: impl Fn(&mut Builder, &[Value]) -> Value,
    ) -> Case {
        let mut b = Builder::new(name, [GROUP, 1, 1]);
        let places: Vec<Place> = (0..inputs.len())
            .map(|i| b.buffer(&format!("in{i}"), inputs[i], Access::Read))
            .collect();
        let out = b.buffer("out", output, Access::ReadWrite);
        let id = b.builtin(Builtin::GlobalId(0));
        let width = b.u32(lanes.into());
        let index = b.mul(id, width);
        let values: Vec<Value> = places
            .iter()
            .map(|place| b.load(*place, index, lanes, true))
            .collect();
        let r = f(&mut b, &values);
        b.store(out, index, r, true);
        let mut buffers: Vec<(Scalar, Vec<u64>)> = (0..inputs.len())
            .map(|i| (inputs[i], values::inputs(inputs[i], i, LEN)))
            .collect();
        // Not what any operation leaves everywhere.
        let poison = (0..LEN as u64).map(|i| (i / 3) & 1).collect();
        buffers.push((output, poison));
        Case {
            kernel: b.finish().unwrap(),
            groups: LEN as u32 / GROUP / u32::from(lanes),
            buffers,
        }
    }

    /// Whether the target lacks a kind that the kernel uses.
    fn beyond(&self, t: &Target) -> bool {
        let k = &self.kernel;
        let values = k.types.iter().map(|ty| ty.scalar);
        let buffers = self.buffers.iter().map(|b| b.0);
        values
            .chain(buffers)
            .any(|s| t.support(s) == Support::Missing)
    }

    /// Runs a version of the kernel; the output, as elements of the kind it had originally.
    fn run(&self, kernel: &Kernel) -> Vec<u64> {
        let options = Options {
            parallel: false,
            ..Options::default()
        };
        let program = Program::new(kernel, options).unwrap();
        let memories: Vec<Memory> = self
            .buffers
            .iter()
            .map(|(s, values)| {
                let bytes = values::to_bytes(*s, values);
                let memory = Memory::new(bytes.len()).unwrap();
                memory.write(0, &bytes).unwrap();
                memory
            })
            .collect();
        let args: Vec<Arg> = memories.iter().map(Arg::Buffer).collect();
        program.run([self.groups, 1, 1], &args).unwrap();
        let out = memories.last().unwrap();
        let mut bytes = vec![0; out.len()];
        out.read(0, &mut bytes).unwrap();
        values::from_bytes(self.buffers.last().unwrap().0, &bytes)
    }

    /// Runs the original and what it becomes for each target.
    fn check(&self) {
        let name = &self.kernel.name;
        let (kind, initial) = self.buffers.last().unwrap();
        let expected = self.run(&self.kernel);
        assert!(&expected != initial, "{name} does nothing");
        for (target_name, target) in targets() {
            let legal = legalise(&self.kernel, &target);
            if self.beyond(&target) {
                let e = legal.expect_err("the target lacks a kind");
                assert!(e.what.contains("which this target lacks"), "{e}");
                continue;
            }
            let legal = legal.unwrap_or_else(|e| panic!("{target_name}: {e}"));
            check_legal(&legal, &target).unwrap_or_else(|e| panic!("{target_name}: {e}"));
            let got = self.run(&legal);
            for i in 0..expected.len() {
                let (e, g) = (expected[i], got[i]);
                let both_nan = values::is_nan(*kind, e) && values::is_nan(*kind, g);
                let inputs = self.buffers[..self.buffers.len() - 1].iter();
                let inputs: Vec<String> = inputs
                    .map(|(s, v)| format!("{s} {:#x}", v.get(i).unwrap_or(&0)))
                    .collect();
                assert!(
                    e == g || both_nan,
                    "{name} on {target_name}, element {i}: {inputs:?} give {e:#x}, legalised {g:#x}"
                );
            }
        }
    }
}

fn ints() -> impl Iterator<Item = Scalar> {
    Scalar::ALL.into_iter().filter(|s| s.is_int())
}

fn floats() -> impl Iterator<Item = Scalar> {
    Scalar::ALL.into_iter().filter(|s| s.is_float())
}

fn numbers() -> impl Iterator<Item = Scalar> {
    ints().chain(floats())
}

/// Builds and checks a case for each kind and lane count.
fn for_each(kinds: impl Iterator<Item = Scalar>, f: impl Fn(Scalar, u8) -> Case + Sync) {
    let all: Vec<(Scalar, u8)> = kinds
        .flat_map(|s| Type::LANES.map(|lanes| (s, lanes)))
        .collect();
    all.par_iter().for_each(|&(s, lanes)| f(s, lanes).check());
}

#[test]
fn unary_operations() {
    use UnOp::*;
    let one = |op: UnOp, kinds: Vec<Scalar>| {
        for_each(kinds.into_iter(), |s, lanes| {
            let out = match op {
                IsNan | IsInf => Bool,
                _ => s,
            };
            let name = format!("{op:?}_{s}x{lanes}");
            Case::map(name, &[s], out, lanes, |b, x| b.un(op, x[0]))
        });
    };
    for op in [Neg, Abs] {
        one(op, numbers().collect());
    }
    for op in [Floor, Ceil, Trunc, Rint, Sqrt, IsNan, IsInf] {
        one(op, floats().collect());
    }
    for op in [Popcount, Clz] {
        one(op, ints().collect());
    }
    one(Not, ints().chain([Bool]).collect());
}

#[test]
fn binary_operations() {
    use BinOp::*;
    let one = |op: BinOp, kinds: Vec<Scalar>| {
        for_each(kinds.into_iter(), |s, lanes| {
            let out = if op.is_comparison() { Bool } else { s };
            let name = format!("{op:?}_{s}x{lanes}");
            Case::map(name, &[s, s], out, lanes, |b, x| b.bin(op, x[0], x[1]))
        });
    };
    for op in [Add, Sub, Mul, Div, Rem, Min, Max, Lt, Le, Gt, Ge] {
        one(op, numbers().collect());
    }
    for op in [Eq, Ne] {
        one(op, Scalar::ALL.to_vec());
    }
    for op in [And, Or, Xor] {
        one(op, ints().chain([Bool]).collect());
    }
    for op in [Shl, Shr] {
        one(op, ints().collect());
    }
    one(MulHi, vec![I32, U32, I64, U64]);
}

#[test]
fn divisions_by_constants() {
    use BinOp::*;
    for op in [Div, Rem, Shl, Shr] {
        for by in [-1, 0, 1, 3, 7, 9] {
            for_each(ints(), |s, lanes| {
                let name = format!("{op:?}_{s}x{lanes}");
                Case::map(name, &[s], s, lanes, |b, x| {
                    let k = b.int(s.x(lanes), by);
                    b.bin(op, x[0], k)
                })
            });
        }
    }
}

#[test]
fn fused_multiply_add() {
    for_each(floats(), |s, lanes| {
        let name = format!("fma_{s}x{lanes}");
        Case::map(name, &[s, s, s], s, lanes, |b, x| b.fma(x[0], x[1], x[2]))
    });
}

/// Sums that nearly cancel, and results at the edge of the denormals: where a rounding too many
/// shows.
#[test]
fn fused_multiply_add_that_cancels() {
    for_each(floats(), |s, lanes| {
        let name = format!("fma_cancels_{s}x{lanes}");
        Case::map(name, &[s, s, s], s, lanes, |b, x| {
            let product = b.mul(x[0], x[1]);
            let opposite = b.un(UnOp::Neg, product);
            let rest = b.fma(x[0], x[1], opposite);
            b.fma(rest, x[2], x[0])
        })
    });
}

#[test]
fn casts() {
    for mode in [CastMode::Saturate, CastMode::Wrap] {
        for to in Scalar::ALL {
            for_each(Scalar::ALL.into_iter().filter(|s| *s != to), |s, lanes| {
                let name = format!("cast_{mode:?}_{s}x{lanes}_{to}");
                Case::map(name, &[s], to, lanes, |b, x| b.cast(x[0], to, mode))
            });
        }
    }
}

#[test]
fn bitcasts() {
    for to in numbers() {
        let same_size = numbers().filter(|s| s.bytes() == to.bytes() && *s != to);
        for_each(same_size, |s, lanes| {
            let name = format!("bitcast_{s}x{lanes}_{to}");
            let mut case = Case::map(name, &[s], to, lanes, |b, x| b.bitcast(x[0], to));
            // The payload of a NaN is nobody's promise.
            let input = &mut case.buffers[0];
            input.1.iter_mut().for_each(|v| {
                if values::is_nan(s, *v) || values::is_nan(to, *v) {
                    *v = 0;
                }
            });
            case
        });
    }
}

#[test]
fn constants_variables_and_lanes() {
    for_each(Scalar::ALL.into_iter(), |s, lanes| {
        let name = format!("lanes_{s}x{lanes}");
        Case::map(name, &[s, s], s, lanes, |b, x| {
            let ty = s.x(lanes);
            let constants: Vec<Value> = values::specials(s)
                .into_iter()
                .filter(|v| !values::is_nan(s, *v))
                .map(|v| b.bits(ty, v))
                .collect();
            let var = b.var(x[0]);
            for c in constants {
                let same = b.bin(BinOp::Eq, x[1], c);
                let old = b.get(var);
                let new = b.select(same, x[1], old);
                b.set(var, new);
            }
            // A rotation of the lanes, and a splat of the first where the inputs are equal.
            let v = b.get(var);
            let turned: Vec<Value> = (0..lanes).map(|i| b.extract(v, (i + 1) % lanes)).collect();
            let turned = b.compose(&turned);
            let first = b.extract(v, 0);
            let first = b.splat(first, lanes);
            let same = b.bin(BinOp::Eq, x[0], x[1]);
            b.select(same, first, turned)
        })
    });
}

#[test]
fn loops_and_branches() {
    for_each(numbers(), |s, lanes| {
        let name = format!("loop_{s}x{lanes}");
        Case::map(name, &[s, s], s, lanes, |b, x| {
            let sum = b.var(x[0]);
            let (zero, one, end) = (b.u32(0), b.u32(1), b.u32(5));
            b.for_(zero, end, one, false, |b, i| {
                let odd = b.bin(BinOp::And, i, one);
                let odd = b.bin(BinOp::Eq, odd, one);
                b.if_else(
                    odd,
                    |b| {
                        let v = b.get(sum);
                        let v = b.add(v, x[1]);
                        b.set(sum, v);
                    },
                    |b| {
                        let v = b.get(sum);
                        let v = b.mul(v, x[1]);
                        b.set(sum, v);
                    },
                );
            });
            b.get(sum)
        })
    });
}

#[test]
fn intrinsics_of_promoted_kinds() {
    let kinds = [F16, Bf16].into_iter();
    for_each(kinds, |s, lanes| {
        let name = format!("recip_{s}x{lanes}");
        Case::map(name, &[s], s, lanes, |b, x| b.intrinsic("native_recip", x))
    });
}

#[test]
fn samples_become_legal_or_say_why() {
    for (target_name, target) in targets() {
        let mut legal = 0;
        for sample in SAMPLES {
            let kernel = (sample.kernel)().unwrap();
            match legalise(&kernel, &target) {
                Ok(k) => {
                    check_legal(&k, &target).unwrap_or_else(|e| panic!("{target_name}: {e}"));
                    // Nothing is left to do a second time.
                    let again = legalise(&k, &target);
                    again.unwrap_or_else(|e| panic!("{target_name}, again: {e}"));
                    legal += 1;
                }
                Err(e) => assert!(e.what.contains("which this target lacks"), "{e}"),
            }
        }
        assert!(legal >= 3, "{target_name}: {legal} samples");
    }
}

#[test]
fn what_cannot_be_had_is_refused_with_a_reason() {
    let refusal = |build: &dyn Fn(&mut Builder)| {
        let mut b = Builder::new("k", [32, 1, 1]);
        build(&mut b);
        let kernel = b.finish().unwrap();
        assert!(legalise(&kernel, &Target::all()).is_ok());
        legalise(&kernel, &poor()).unwrap_err().to_string()
    };
    let wide = refusal(&|b| {
        let out = b.buffer("out", I64, Access::ReadWrite);
        let i = b.builtin(Builtin::LocalLinear);
        let x = b.int(I64, 1);
        b.store(out, i, x, true);
    });
    assert_eq!(
        wide,
        "kernel `k` cannot run on this target: needs i64, which this target lacks"
    );
    let subgroup = refusal(&|b| {
        let out = b.buffer("out", U32, Access::ReadWrite);
        let lane = b.builtin(Builtin::SubgroupLane);
        b.store(out, lane, lane, true);
    });
    assert!(subgroup.contains("needs subgroup operations"), "{subgroup}");
}

/// Guards cost: a divisor or a shift that is seen to be harmless gets none.
#[test]
fn idle_guards_are_left_out() {
    let selects = |f: &dyn Fn(&mut Builder, &[Value]) -> Value| {
        let case = Case::map("guards".into(), &[U32, U32], U32, 1, f);
        let legal = legalise(&case.kernel, &Target::all()).unwrap();
        let is_select = |e: &&Expr| matches!(e, Expr::Select { .. });
        legal.exprs.iter().filter(is_select).count()
    };
    assert_eq!(selects(&|b, x| b.bin(BinOp::Div, x[0], x[1])), 2);
    let nonzero = |b: &mut Builder, x: Value| {
        let one = b.u32(1);
        b.bin(BinOp::Max, x, one)
    };
    let safe = |b: &mut Builder, x: &[Value]| {
        let y = nonzero(b, x[1]);
        b.bin(BinOp::Div, x[0], y)
    };
    assert_eq!(selects(&safe), 0);
}

/// The check has teeth: what a target lacks is seen in a kernel that was not legalised for it.
#[test]
fn the_check_sees_what_was_left() {
    use UnOp::*;
    let case = |f: &dyn Fn(&mut Builder, &[Value]) -> Value, s, out, lanes| {
        Case::map("left".into(), &[s, s], out, lanes, f).kernel
    };
    let left = [
        case(&|b, x| b.un(Neg, x[0]), F32, F32, 1),
        case(&|b, x| b.un(Abs, x[0]), I32, I32, 1),
        case(&|b, x| b.bin(BinOp::Min, x[0], x[1]), F32, F32, 1),
        case(&|b, x| b.bin(BinOp::Rem, x[0], x[1]), F32, F32, 1),
        case(&|b, x| b.fma(x[0], x[1], x[0]), F32, F32, 1),
        case(&|b, x| b.add(x[0], x[1]), F32, F32, 8),
        case(&|b, x| b.add(x[0], x[1]), I8, I8, 1),
        case(&|b, x| b.bin(BinOp::And, x[0], x[1]), Bool, Bool, 1),
        case(&|b, x| b.cast(x[0], I32, CastMode::Saturate), F32, I32, 1),
    ];
    let target = shader();
    for kernel in left {
        let e = check_legal(&kernel, &target).unwrap_err();
        let legal = legalise(&kernel, &target).unwrap();
        check_legal(&legal, &target).unwrap_or_else(|e| panic!("{e}"));
        assert!(!e.what.is_empty());
    }
}
