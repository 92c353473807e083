//! Golden sources: every sample, and every operation, in every dialect of the C family.
//!
//! What a dialect cannot have is a snapshot too, of the reason.

use suanzi_codegen::emit_c::{self, DIALECTS, Dialect};
use suanzi_codegen::ir::*;
use suanzi_codegen::samples::SAMPLES;
use suanzi_codegen::target::Support;
use suanzi_codegen::types::Scalar::{self, *};
use suanzi_codegen::{Builder, Target, legalise};

#[test]
fn samples_print_as_before() {
    for dialect in DIALECTS {
        let target = dialect.target();
        for sample in SAMPLES {
            let kernel = (sample.kernel)().expect("samples are valid");
            let text = legalise(&kernel, &target)
                .and_then(|k| emit_c::emit(&k, dialect, &target))
                .unwrap_or_else(|e| e.to_string());
            insta::assert_snapshot!(format!("{}-{}", sample.name, dialect.name), text);
        }
    }
}

/// A dialect that is described in TOML: its exceptions, and the base's for the rest.
#[test]
fn a_described_dialect_prints_as_before() {
    let chip = emit_c::described(include_str!("chip.toml")).expect("a good description");
    let target = chip.target();
    let mut text = String::new();
    for name in [
        "reduce_tree",
        "subgroups",
        "histogram",
        "half_storage",
        "fragments",
    ] {
        let sample = suanzi_codegen::samples::sample(name).expect("a sample");
        let kernel = (sample.kernel)().expect("samples are valid");
        text += &legalise(&kernel, &target)
            .and_then(|k| emit_c::emit(&k, chip, &target))
            .unwrap_or_else(|e| e.to_string() + "\n");
    }
    insta::assert_snapshot!("described-chip", text);
}

/// These kernels are legal as they are built, so that what is seen is the printer alone.
#[test]
fn operations_print_as_before() {
    for dialect in DIALECTS {
        let mut text = String::new();
        let widest = dialect.target().max_lanes;
        for lanes in [1, 4].into_iter().filter(|n| *n <= widest) {
            for s in [Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, F32, F64] {
                text += &print(dialect, &operations(s, lanes));
            }
            text += &print(dialect, &conversions(lanes));
        }
        for s in [I32, U32, I64, U64] {
            text += &print(dialect, &atomics(s));
        }
        insta::assert_snapshot!(format!("operations-{}", dialect.name), text);
    }
}

/// f16 arithmetic where the device has it, half of it in vectors.
#[test]
fn native_f16_prints_as_before() {
    let dialect = &emit_c::OPENCL;
    let mut target = dialect.target();
    target.f16 = Support::Native;
    let text: String = [1, 4]
        .map(|lanes| print_for(dialect, &operations_in(F16, F16, lanes), &target))
        .concat();
    insta::assert_snapshot!("native_f16-opencl", text);
}

fn print(dialect: &Dialect, kernel: &Kernel) -> String {
    print_for(dialect, kernel, &dialect.target())
}

fn print_for(dialect: &Dialect, kernel: &Kernel, target: &Target) -> String {
    let source = emit_c::emit(kernel, dialect, target);
    source.unwrap_or_else(|e| panic!("{}: {e}", dialect.name)) + "\n// next\n"
}

/// Applies each legal operation of a kind to `a[i]` and `b[i]`; result number k goes to
/// `out[i + k * 1024]`.
fn operations(s: Scalar, lanes: u8) -> Kernel {
    operations_in(s, if s == F16 { F32 } else { s }, lanes)
}

/// The same with the arithmetic done in another kind.
fn operations_in(s: Scalar, arithmetic: Scalar, lanes: u8) -> Kernel {
    let mut b = Builder::new(format!("operations_{s}x{lanes}"), [1, 1, 1]);
    let memory = if s == Bool { U8 } else { s };
    let [x, y] = ["a", "b"].map(|name| b.buffer(name, memory, Access::Read));
    let out = b.buffer("out", memory, Access::ReadWrite);
    let (id, n) = (b.builtin(Builtin::GlobalId(0)), b.u32(lanes.into()));
    let i = b.mul(id, n);
    let [x, y] = [x, y].map(|p| {
        let v = b.load(p, i, lanes, s == F32);
        b.cast(v, arithmetic, CastMode::Wrap)
    });
    let mut results = vec![x, y];
    let (unary, binary): (&[UnOp], &[BinOp]) = legal(s);
    for op in unary {
        results.push(b.un(*op, x));
    }
    for op in binary {
        let r = b.bin(*op, x, y);
        if op.is_comparison() {
            let chosen = b.select(r, x, y);
            results.push(chosen);
        } else {
            results.push(r);
        }
    }
    if arithmetic == s && s.is_float() {
        results.push(b.fma(x, y, x));
        for row in suanzi_codegen::intrinsics::INTRINSICS {
            results.push(b.intrinsic(row.name, &vec![x; row.arity]));
        }
        for value in [0.1, -2.5, -0.0, f64::INFINITY, f64::NAN, 1e-310, 1e-40] {
            let c = b.float(s.x(lanes), value);
            results.push(c);
        }
    } else {
        for value in [
            0,
            1,
            -1,
            i64::MIN >> 32 >> (32 - s.bits().min(32)),
            i64::MIN,
        ] {
            let c = b.int(b.ty(x), value);
            results.push(c);
        }
    }
    let middle = b.extract(x, lanes / 2);
    results.push(b.splat(middle, lanes));
    let parts: Vec<Value> = (0..lanes).rev().map(|lane| b.extract(x, lane)).collect();
    results.push(b.compose(&parts));
    for (k, r) in results.into_iter().enumerate() {
        let offset = b.u32(k as u32 * 1024);
        let at = b.add(i, offset);
        let r = b.cast(r, memory, CastMode::Wrap);
        b.store(out, at, r, s == F32);
    }
    b.finish().expect("valid")
}

/// Division and shifts are left out: they are legal only with guards.
fn legal(s: Scalar) -> (&'static [UnOp], &'static [BinOp]) {
    use BinOp::*;
    use UnOp::*;
    match s {
        Bool => (&[Not], &[And, Or, Xor, Eq, Ne]),
        F16 | F32 | F64 => (
            &[Neg, Abs, Floor, Ceil, Trunc, Rint, Sqrt],
            &[Add, Sub, Mul, Div, Eq, Ne, Lt, Le, Gt, Ge],
        ),
        I8 | I16 | U8 | U16 => (
            &[Neg, Not, Abs],
            &[
                Add, Sub, Mul, Min, Max, And, Or, Xor, Eq, Ne, Lt, Le, Gt, Ge,
            ],
        ),
        _ => (
            &[Neg, Not, Abs, Popcount, Clz],
            &[
                Add, Sub, Mul, MulHi, Min, Max, And, Or, Xor, Eq, Ne, Lt, Le, Gt, Ge,
            ],
        ),
    }
}

/// Guarded division and shifts, and casts between kinds, of `a[i]` in i32.
fn conversions(lanes: u8) -> Kernel {
    let mut b = Builder::new(format!("conversions_x{lanes}"), [8, 2, 1]);
    let input = b.buffer("a", I32, Access::Read);
    let floats = b.buffer("floats", F32, Access::Read);
    let out = b.buffer("out", F32, Access::ReadWrite);
    let bits = b.buffer("bits", U32, Access::ReadWrite);
    let tile = b.shared("tile", F16, 64 * u32::from(lanes));
    let scratch = b.private("scratch", F32, 2 * u32::from(lanes));
    let (id, n) = (b.builtin(Builtin::LocalLinear), b.u32(lanes.into()));
    let i = b.mul(id, n);
    let x = b.load(input, i, lanes, false);
    let mut sum = b.load(floats, i, lanes, true);
    let seven = b.int(I32, 7);
    for op in [BinOp::Div, BinOp::Rem, BinOp::Shl, BinOp::Shr] {
        let r = b.bin(op, x, seven);
        for to in [I8, U8, I16, U16, U32, I64, U64, F64] {
            let narrow = b.cast(r, to, CastMode::Wrap);
            let three = b.int(b.ty(narrow), 3);
            let narrow = match to.is_int() {
                true => b.bin(op, narrow, three),
                false => narrow,
            };
            let float = b.cast(narrow, F32, CastMode::Wrap);
            sum = b.add(sum, float);
        }
    }
    b.store(scratch, i, sum, true);
    let whole = b.cast(sum, I64, CastMode::Wrap);
    let half = b.cast(sum, F16, CastMode::Wrap);
    let back = b.cast(half, F32, CastMode::Wrap);
    let rounded = b.add(back, sum);
    let rounded = b.cast(rounded, F16, CastMode::Wrap);
    b.store(tile, i, rounded, true);
    b.barrier(Barrier::Buffers);
    let half = b.load(tile, i, lanes, false);
    let half = b.cast(half, F32, CastMode::Wrap);
    b.store(out, i, half, false);
    let wide = b.cast(half, F64, CastMode::Wrap);
    let wide = b.bitcast(wide, U64);
    let other = b.bitcast(whole, U64);
    let wide = b.bin(BinOp::Xor, wide, other);
    let wide = b.bitcast(wide, F64);
    let wide = b.cast(wide, F32, CastMode::Wrap);
    let narrow = b.bitcast(wide, U32);
    let back = b.bitcast(narrow, F32);
    let zero = b.float(F32, 0.0);
    let nonzero = b.bin(BinOp::Ne, back, zero);
    let flag = b.cast(nonzero, U32, CastMode::Wrap);
    let one = b.int(U32, 1);
    let flags = b.bin(BinOp::And, flag, one);
    b.store(bits, i, flags, false);
    b.finish().expect("valid")
}

/// Each atomic, on a buffer and on a shared array.
fn atomics(s: Scalar) -> Kernel {
    use AtomicOp::*;
    let mut b = Builder::new(format!("atomics_{s}"), [4, 1, 1]);
    let out = b.buffer("out", s, Access::ReadWrite);
    let tile = b.shared("tile", s, 8);
    let i = b.builtin(Builtin::LocalId(0));
    let zero = b.int(s, 0);
    b.store(tile, i, zero, false);
    b.barrier(Barrier::Shared);
    let mut v = b.int(s, 3);
    for place in [tile, out] {
        for op in [Add, Min, Max, And, Or, Xor, Exchange] {
            let old = b.atomic(op, place, i, v);
            v = b.add(v, old);
        }
        v = b.compare_exchange(place, i, zero, v);
    }
    b.atomic(Add, out, i, v);
    b.finish().expect("valid")
}
