//! Each operation of the interpreter on special values of each kind, against plain arithmetic in
//! wider kinds that shares nothing with it.

use suanzi_codegen::interp::{Arg, Memory, Options, Program};
use suanzi_codegen::ir::*;
use suanzi_codegen::{Builder, Scalar, Value};

/// Runs `f` on each tuple of scalars, given and returned as bits. Goes through memory and through
/// vectors of 1 and of 4 lanes, which must agree.
fn run(
    kinds: &[Scalar],
    out: Scalar,
    columns: &[Vec<u64>],
    f: impl Fn(&mut Builder, &[Value]) -> Value,
) -> Vec<u64> {
    let n = columns[0].len();
    let results = [1u8, 4].map(|lanes| {
        let padded = n.next_multiple_of(usize::from(lanes));
        let mut b = Builder::new("op", [32, 1, 1]);
        let i = b.builtin(Builtin::GlobalId(0));
        let end = b.u32((padded / usize::from(lanes)) as u32);
        let inside = b.bin(BinOp::Lt, i, end);
        let width = b.u32(lanes.into());
        let inputs: Vec<Place> = (0..kinds.len())
            .map(|k| b.buffer(&format!("x{k}"), kinds[k], Access::Read))
            .collect();
        let output = b.buffer("r", out, Access::ReadWrite);
        b.if_(inside, |b| {
            let at = b.mul(i, width);
            let x: Vec<Value> = inputs.iter().map(|&p| b.load(p, at, lanes, true)).collect();
            let r = f(b, &x);
            b.store(output, at, r, true);
        });
        let program = Program::new(&b.finish().unwrap(), Options::default()).unwrap();
        let memories: Vec<Memory> = kinds
            .iter()
            .zip(columns)
            .map(|(k, c)| memory(*k, c, padded))
            .collect();
        let result = memory(out, &[], padded);
        let mut args: Vec<Arg> = memories.iter().map(Arg::Buffer).collect();
        args.push(Arg::Buffer(&result));
        program
            .run([(padded as u32).div_ceil(32), 1, 1], &args)
            .unwrap();
        read(out, &result, n)
    });
    assert_eq!(results[0], results[1], "vectors differ from scalars");
    results.into_iter().next().unwrap()
}

fn memory(kind: Scalar, bits: &[u64], len: usize) -> Memory {
    let m = Memory::new(len * kind.bytes()).unwrap();
    for (i, b) in bits.iter().enumerate() {
        m.write(i * kind.bytes(), &b.to_le_bytes()[..kind.bytes()])
            .unwrap();
    }
    m
}

fn read(kind: Scalar, m: &Memory, n: usize) -> Vec<u64> {
    (0..n)
        .map(|i| {
            let mut bytes = [0; 8];
            m.read(i * kind.bytes(), &mut bytes[..kind.bytes()])
                .unwrap();
            u64::from_le_bytes(bytes)
        })
        .collect()
}

fn mask(kind: Scalar) -> u64 {
    u64::MAX >> (64 - 8 * kind.bytes())
}

fn int(kind: Scalar, bits: u64) -> i128 {
    if kind == Scalar::Bool {
        return (bits != 0).into();
    }
    let unused = 64 - kind.bits();
    match kind.is_signed_int() {
        true => ((bits << unused) as i64 >> unused).into(),
        false => bits.into(),
    }
}

/// Wraps.
fn from_int(kind: Scalar, x: i128) -> u64 {
    x as u64 & mask(kind)
}

fn limits(kind: Scalar) -> (i128, i128) {
    match kind.is_signed_int() {
        true => (-(1 << (kind.bits() - 1)), (1 << (kind.bits() - 1)) - 1),
        false => (0, (1 << kind.bits()) - 1),
    }
}

fn float(kind: Scalar, bits: u64) -> f64 {
    match kind {
        Scalar::F16 => half::f16::from_bits(bits as u16).into(),
        Scalar::Bf16 => half::bf16::from_bits(bits as u16).into(),
        Scalar::F32 => f32::from_bits(bits as u32).into(),
        _ => f64::from_bits(bits),
    }
}

/// The nearest f16 or bf16, ties to even, by looking at the two neighbours among all of them;
/// `above(m)` says how the number compares with the exact value `m`.
fn nearest_half(kind: Scalar, negative: bool, above: impl Fn(f64) -> std::cmp::Ordering) -> u64 {
    let infinity: u64 = if kind == Scalar::F16 { 0x7c00 } else { 0x7f80 };
    // Infinity stands where the next finite value would be.
    let past = if kind == Scalar::F16 {
        65536.0
    } else {
        2f64.powi(128)
    };
    let value = |bits: u64| {
        if bits == infinity {
            past
        } else {
            float(kind, bits)
        }
    };
    let (mut low, mut high) = (0, infinity);
    if above(past).is_ge() {
        low = infinity;
    }
    while high - low > 1 && low != infinity {
        let middle = (low + high) / 2;
        if above(value(middle)).is_ge() {
            low = middle
        } else {
            high = middle
        }
    }
    let rounded = if low == infinity {
        infinity
    } else {
        match above((value(low) + value(high)) / 2.0) {
            std::cmp::Ordering::Less => low,
            std::cmp::Ordering::Greater => high,
            std::cmp::Ordering::Equal => low + low % 2,
        }
    };
    rounded | u64::from(negative) << 15
}

fn from_float(kind: Scalar, x: f64) -> u64 {
    match kind {
        Scalar::F64 => x.to_bits(),
        Scalar::F32 => (x as f32).to_bits().into(),
        Scalar::F16 if x.is_nan() => 0x7e00,
        Scalar::Bf16 if x.is_nan() => 0x7fc0,
        _ => nearest_half(kind, x.is_sign_negative(), |m| x.abs().total_cmp(&m)),
    }
}

fn int_to_float(kind: Scalar, x: i128) -> u64 {
    match kind {
        Scalar::F64 => (x as f64).to_bits(),
        Scalar::F32 => (x as f32).to_bits().into(),
        // The magnitudes that matter are whole numbers or exact halves.
        _ => nearest_half(kind, x < 0, |m| {
            (x.abs() * 2).cmp(&((m * 2.0).ceil() as i128))
        }),
    }
}

/// Makes all NaNs the same.
fn canonical(kind: Scalar, bits: u64) -> u64 {
    if kind.is_float() && float(kind, bits).is_nan() {
        u64::MAX
    } else {
        bits
    }
}

fn check(kind: Scalar, what: &str, inputs: &[Vec<u64>], got: &[u64], want: impl Fn(usize) -> u64) {
    for (i, g) in got.iter().enumerate() {
        let (g, w) = (canonical(kind, *g), canonical(kind, want(i)));
        let x: Vec<_> = inputs.iter().map(|c| format!("{:#x}", c[i])).collect();
        assert_eq!(g, w, "{what} of {x:?} is {g:#x}, not {w:#x}");
    }
}

fn specials(kind: Scalar) -> Vec<u64> {
    if kind == Scalar::Bool {
        return vec![0, 1];
    }
    if kind.is_int() {
        let (min, max) = limits(kind);
        let near = [
            0,
            1,
            2,
            3,
            7,
            8,
            31,
            33,
            64,
            -1,
            -2,
            -7,
            min,
            min + 1,
            max,
            max - 1,
            max / 2,
        ];
        return near.map(|x| from_int(kind, x)).to_vec();
    }
    let (exponent, mantissa) = kind.float_format();
    let infinity = ((1u64 << exponent) - 1) << mantissa;
    let smallest_normal = 1 << mantissa;
    let positive = [
        0,
        1,
        3,
        smallest_normal - 1,
        smallest_normal,
        infinity - 1,
        infinity,
    ]
    .into_iter()
    .chain([infinity | 1 << (mantissa - 1)])
    .chain(
        [
            0.5, 1.0, 1.5, 2.5, 3.0, 3.7, 100.3, 126.5, 127.5, 255.5, 1e-3,
        ]
        .map(|x| from_float(kind, x)),
    );
    let sign = 1u64 << (exponent + mantissa);
    positive.flat_map(|x| [x, x | sign]).collect()
}

/// Every pair of special values.
fn pairs(kind: Scalar) -> Vec<Vec<u64>> {
    let s = specials(kind);
    let all = s.iter().flat_map(|&a| s.iter().map(move |&b| [a, b]));
    let (a, b) = all.map(|[a, b]| (a, b)).unzip();
    vec![a, b]
}

const INTS: [Scalar; 8] = {
    use Scalar::*;
    [I8, I16, I32, I64, U8, U16, U32, U64]
};
const FLOATS: [Scalar; 4] = [Scalar::F16, Scalar::Bf16, Scalar::F32, Scalar::F64];

#[test]
fn binary_operations_of_integers() {
    use BinOp::*;
    for kind in INTS {
        let inputs = pairs(kind);
        let ops = [
            Add, Sub, Mul, Div, Rem, MulHi, Min, Max, And, Or, Xor, Shl, Shr,
        ];
        for op in ops {
            if op == MulHi && kind.bytes() < 4 {
                continue;
            }
            let got = run(&[kind; 2], kind, &inputs, |b, x| b.bin(op, x[0], x[1]));
            check(kind, &format!("{op:?} {kind}"), &inputs, &got, |i| {
                let [a, b] = [0, 1].map(|c| int(kind, inputs[c][i]));
                let shift = b.rem_euclid(kind.bits().into()) as u32;
                from_int(
                    kind,
                    match op {
                        Add => a + b,
                        Sub => a - b,
                        Mul => a.wrapping_mul(b),
                        Div => a.checked_div(b).unwrap_or(0),
                        Rem => a.checked_rem(b).unwrap_or(0),
                        MulHi if kind == Scalar::U64 => ((a as u128 * b as u128) >> 64) as i128,
                        MulHi => (a * b) >> kind.bits(),
                        Min => a.min(b),
                        Max => a.max(b),
                        And => a & b,
                        Or => a | b,
                        Xor => a ^ b,
                        Shl => a << shift,
                        _ => a >> shift,
                    },
                )
            });
        }
    }
}

#[test]
fn comparisons_of_every_kind() {
    use BinOp::*;
    for kind in Scalar::ALL {
        let inputs = pairs(kind);
        for op in [Eq, Ne, Lt, Le, Gt, Ge] {
            if kind == Scalar::Bool && !matches!(op, Eq | Ne) {
                continue;
            }
            let got = run(&[kind; 2], Scalar::Bool, &inputs, |b, x| {
                b.bin(op, x[0], x[1])
            });
            check(
                Scalar::Bool,
                &format!("{op:?} {kind}"),
                &inputs,
                &got,
                |i| {
                    let order = match kind.is_float() {
                        true => float(kind, inputs[0][i]).partial_cmp(&float(kind, inputs[1][i])),
                        false => Some(int(kind, inputs[0][i]).cmp(&int(kind, inputs[1][i]))),
                    };
                    match op {
                        Eq => order.is_some_and(|o| o.is_eq()),
                        Ne => order.is_none_or(|o| o.is_ne()),
                        Lt => order.is_some_and(|o| o.is_lt()),
                        Le => order.is_some_and(|o| o.is_le()),
                        Gt => order.is_some_and(|o| o.is_gt()),
                        _ => order.is_some_and(|o| o.is_ge()),
                    }
                    .into()
                },
            );
        }
    }
}

#[test]
fn binary_operations_of_floats() {
    use BinOp::*;
    for kind in FLOATS {
        let inputs = pairs(kind);
        for op in [Add, Sub, Mul, Div, Rem, Min, Max] {
            let got = run(&[kind; 2], kind, &inputs, |b, x| b.bin(op, x[0], x[1]));
            check(kind, &format!("{op:?} {kind}"), &inputs, &got, |i| {
                let [a, b] = [0, 1].map(|c| float(kind, inputs[c][i]));
                // total_cmp orders -0 before +0.
                let ordered = |o: std::cmp::Ordering| if o.is_lt() { a } else { b };
                let r = match op {
                    Add => a + b,
                    Sub => a - b,
                    Mul => a * b,
                    Div => a / b,
                    Rem => a % b,
                    _ if a.is_nan() || b.is_nan() => f64::NAN,
                    Min => ordered(a.total_cmp(&b)),
                    _ => ordered(b.total_cmp(&a)),
                };
                // A double holds enough bits that rounding twice is as good as once; halves are
                // rounded to f32 on the way by definition.
                from_float(
                    kind,
                    if kind == Scalar::F64 {
                        r
                    } else {
                        f64::from(r as f32)
                    },
                )
            });
        }
    }
}

#[test]
fn unary_operations() {
    use UnOp::*;
    for kind in Scalar::ALL {
        let inputs = vec![specials(kind)];
        let bool_ = |b: bool| u64::from(b);
        for op in [
            Neg, Not, Abs, Floor, Ceil, Trunc, Rint, Sqrt, IsNan, IsInf, Popcount, Clz,
        ] {
            let valid = match op {
                Neg | Abs => kind != Scalar::Bool,
                Not => !kind.is_float(),
                Popcount | Clz => kind.is_int(),
                _ => kind.is_float(),
            };
            if !valid {
                continue;
            }
            let out = if matches!(op, IsNan | IsInf) {
                Scalar::Bool
            } else {
                kind
            };
            let got = run(&[kind], out, &inputs, |b, x| b.un(op, x[0]));
            check(out, &format!("{op:?} {kind}"), &inputs, &got, |i| {
                let bits = inputs[0][i];
                if !kind.is_float() {
                    let x = int(kind, bits);
                    return from_int(
                        kind,
                        match op {
                            Neg => -x,
                            Not if kind == Scalar::Bool => 1 - x,
                            Not => !x,
                            Abs => x.abs(),
                            Popcount => bits.count_ones().into(),
                            _ => (bits.leading_zeros() - (64 - kind.bits())).into(),
                        },
                    );
                }
                let x = float(kind, bits);
                let sign = 1 << (8 * kind.bytes() - 1);
                match op {
                    Neg => bits ^ sign,
                    Abs => bits & !sign,
                    IsNan => bool_(x.is_nan()),
                    IsInf => bool_(x.is_infinite()),
                    Floor => from_float(kind, x.floor()),
                    Ceil => from_float(kind, x.ceil()),
                    Trunc => from_float(kind, x.trunc()),
                    Rint => from_float(kind, x.round_ties_even()),
                    _ if kind == Scalar::F64 => from_float(kind, x.sqrt()),
                    _ => from_float(kind, f64::from(x.sqrt() as f32)),
                }
            });
        }
    }
}

#[test]
fn logic_of_bools_reads_any_nonzero_byte_as_true() {
    use BinOp::*;
    let inputs = vec![vec![0, 0, 1, 1, 2, 255, 0x80], vec![0, 1, 0, 1, 1, 2, 0]];
    for op in [And, Or, Xor, Eq, Ne] {
        let got = run(&[Scalar::Bool; 2], Scalar::Bool, &inputs, |b, x| {
            b.bin(op, x[0], x[1])
        });
        check(Scalar::Bool, &format!("{op:?}"), &inputs, &got, |i| {
            let [a, b] = [0, 1].map(|c| inputs[c][i] != 0);
            match op {
                And => a && b,
                Or => a || b,
                Eq => a == b,
                _ => a != b,
            }
            .into()
        });
    }
}

#[test]
fn fma_rounds_once() {
    for kind in FLOATS {
        let two = pairs(kind);
        let s = specials(kind);
        let c = (0..two[0].len()).map(|i| s[i * 7 % s.len()]).collect();
        let inputs = vec![two[0].clone(), two[1].clone(), c];
        let got = run(&[kind; 3], kind, &inputs, |b, x| b.fma(x[0], x[1], x[2]));
        check(kind, &format!("fma {kind}"), &inputs, &got, |i| {
            let [a, b, c] = [0, 1, 2].map(|k| float(kind, inputs[k][i]));
            match kind {
                Scalar::F64 => a.mul_add(b, c).to_bits(),
                _ => from_float(kind, (a as f32).mul_add(b as f32, c as f32).into()),
            }
        });
    }
    // The product's low half survives only if it is not rounded before the sum.
    let x = 1.0f32 + f32::EPSILON;
    let bits = |x: f32| vec![u64::from(x.to_bits())];
    let got = run(
        &[Scalar::F32; 3],
        Scalar::F32,
        &[bits(x), bits(x), bits(-(x * x))],
        |b, x| b.fma(x[0], x[1], x[2]),
    );
    assert_eq!(f32::from_bits(got[0] as u32), f32::EPSILON * f32::EPSILON);
}

#[test]
fn select_chooses_bits() {
    for kind in Scalar::ALL {
        let two = pairs(kind);
        let cond = (0..two[0].len() as u64).map(|i| i % 3 % 2).collect();
        let inputs = vec![cond, two[0].clone(), two[1].clone()];
        let got = run(&[Scalar::Bool, kind, kind], kind, &inputs, |b, x| {
            b.select(x[0], x[1], x[2])
        });
        for (i, g) in got.iter().enumerate() {
            assert_eq!(*g, inputs[if inputs[0][i] != 0 { 1 } else { 2 }][i]);
        }
    }
}

/// Special values, and for wide kinds some that narrower ones round.
fn cast_inputs(kind: Scalar) -> Vec<u64> {
    let mut all = specials(kind);
    if kind.is_int() {
        for bit in 6..kind.bits() - 1 {
            // A tie of bf16's or f16's eighth or eleventh bit, exact, and just off it.
            for tie in [
                1i128 << bit | 1 << bit >> 8,
                1 << bit | 3 << bit >> 8,
                1 << bit | 1 << bit >> 11,
            ] {
                all.extend([tie - 1, tie, tie + 1, -tie].map(|x| from_int(kind, x)));
            }
        }
    }
    if kind.is_float() {
        let near = [
            65503.0,
            65519.0,
            65520.0,
            65519.999,
            3.3895e38,
            3.396e38,
            1e300,
            2f64.powi(31),
            2f64.powi(32) - 128.0,
        ];
        let more = [
            2f64.powi(63),
            2f64.powi(64),
            1.5 * 2f64.powi(63),
            2f64.powi(-24),
            2f64.powi(-25),
            3e-8,
            6e-41,
            1e-300,
        ];
        let ties = [
            1.0 + 2f64.powi(-11),
            1.0 + 2f64.powi(-8),
            1.0 + 3.0 * 2f64.powi(-8),
        ];
        let around = ties.iter().flat_map(|t| [t.next_down(), *t, t.next_up()]);
        let positive: Vec<f64> = near.into_iter().chain(more).chain(around).collect();
        all.extend(
            positive
                .iter()
                .flat_map(|x| [from_float(kind, *x), from_float(kind, -x)]),
        );
    }
    all
}

#[test]
fn casts_between_all_kinds() {
    for from in Scalar::ALL {
        let inputs = vec![cast_inputs(from)];
        for to in Scalar::ALL {
            for mode in [CastMode::Saturate, CastMode::Wrap] {
                if from == to {
                    continue;
                }
                let got = run(&[from], to, &inputs, |b, x| b.cast(x[0], to, mode));
                check(
                    to,
                    &format!("{mode:?} cast {from} to {to}"),
                    &inputs,
                    &got,
                    |i| reference_cast(from, to, mode, inputs[0][i]),
                );
            }
        }
    }
}

fn reference_cast(from: Scalar, to: Scalar, mode: CastMode, bits: u64) -> u64 {
    if !from.is_float() {
        let x = int(from, bits);
        return match to {
            Scalar::Bool => (x != 0).into(),
            _ if to.is_float() => int_to_float(to, x),
            _ if mode == CastMode::Wrap => from_int(to, x),
            _ => from_int(to, x.clamp(limits(to).0, limits(to).1)),
        };
    }
    let x = float(from, bits);
    let saturated = |kind: Scalar| {
        let (min, max) = limits(kind);
        if x.is_nan() {
            0
        } else {
            (x.trunc() as i128).clamp(min, max)
        }
    };
    match (to, mode) {
        (Scalar::Bool, _) => (x != 0.0).into(),
        _ if to.is_float() => from_float(to, x),
        (_, CastMode::Saturate) => from_int(to, saturated(to)),
        (Scalar::U64, _) if x > 0.0 => from_int(to, saturated(to)),
        _ => from_int(to, saturated(Scalar::I64)),
    }
}

#[test]
fn every_half_widens_and_comes_back() {
    for kind in [Scalar::F16, Scalar::Bf16] {
        let inputs = vec![(0..1 << 16).collect::<Vec<u64>>()];
        let wide = run(&[kind], Scalar::F32, &inputs, |b, x| {
            b.cast(x[0], Scalar::F32, CastMode::Saturate)
        });
        check(Scalar::F32, "widening", &inputs, &wide, |i| {
            (float(kind, inputs[0][i]) as f32).to_bits().into()
        });
        let back = run(&[Scalar::F32], kind, &[wide], |b, x| {
            b.cast(x[0], kind, CastMode::Saturate)
        });
        check(kind, "narrowing", &inputs, &back, |i| inputs[0][i]);
    }
}

#[test]
fn bitcasts_keep_bits() {
    for from in Scalar::ALL {
        for to in Scalar::ALL {
            let bool_ = from == Scalar::Bool || to == Scalar::Bool;
            if from.bytes() != to.bytes() || from == to || bool_ {
                continue;
            }
            let inputs = vec![specials(from)];
            let got = run(&[from], to, &inputs, |b, x| b.bitcast(x[0], to));
            assert_eq!(got, inputs[0], "{from} to {to}");
        }
    }
}

#[test]
fn intrinsics_are_their_rows() {
    for row in suanzi_codegen::intrinsics::INTRINSICS {
        for kind in FLOATS {
            let inputs =
                vec![[0.5, 1.0, 2.0, 3.5].map(|x| from_float(kind, x)).to_vec(); row.arity];
            let got = run(&vec![kind; row.arity], kind, &inputs, |b, x| {
                b.intrinsic(row.name, x)
            });
            check(kind, row.name, &inputs, &got, |i| {
                let x: Vec<f64> = inputs.iter().map(|c| float(kind, c[i])).collect();
                from_float(kind, (row.eval)(&x))
            });
        }
    }
}
