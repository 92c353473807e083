//! Every operation of the kernel language, in every kind, on every device found: the bits must be
//! those that the built-in interpreter gives.
//!
//! Inputs are special values and numbers of all sizes, every pair of them for two operands. Where
//! a device says in its caps that it is weaker (division, denormals), those results or inputs are
//! left out.

use std::sync::Arc;
use suanzi_backends::{Arg, Device, Error, Memory, registry};
use suanzi_codegen::ir::{Access, BinOp, Builtin, CastMode, UnOp, Value};
use suanzi_codegen::{Builder, Kernel, Place, Scalar};

const UNARY: &[UnOp] = &[
    UnOp::Neg,
    UnOp::Not,
    UnOp::Abs,
    UnOp::Floor,
    UnOp::Ceil,
    UnOp::Trunc,
    UnOp::Rint,
    UnOp::Sqrt,
    UnOp::IsNan,
    UnOp::IsInf,
    UnOp::Popcount,
    UnOp::Clz,
];

const BINARY: &[BinOp] = &[
    BinOp::Add,
    BinOp::Sub,
    BinOp::Mul,
    BinOp::Div,
    BinOp::Rem,
    BinOp::MulHi,
    BinOp::Min,
    BinOp::Max,
    BinOp::And,
    BinOp::Or,
    BinOp::Xor,
    BinOp::Shl,
    BinOp::Shr,
    BinOp::Eq,
    BinOp::Ne,
    BinOp::Lt,
    BinOp::Le,
    BinOp::Gt,
    BinOp::Ge,
];

/// (exponent bits all set, sign bit) of a float kind.
fn float_masks(s: Scalar) -> (u64, u64) {
    let (exponent, mantissa) = s.float_format();
    (((1 << exponent) - 1) << mantissa, 1 << (s.bits() - 1))
}

/// The bits of the inputs of a kind.
fn inputs(s: Scalar, denormals: bool) -> Vec<u64> {
    if s == Scalar::Bool {
        return vec![0, 1, 1, 0];
    }
    let mask = u64::MAX >> (64 - s.bits());
    let mut bits: Vec<u64> = vec![0, 1, 2, 7, mask, mask >> 1, (mask >> 1) + 1, 100, mask - 6];
    if s.is_float() {
        let (infinity, sign) = float_masks(s);
        // The exponent of 1 is all bits but the highest.
        let one = (infinity >> 1) & infinity;
        let lowest_normal = infinity & infinity.wrapping_neg();
        bits.extend([sign, infinity, infinity | sign, infinity | (infinity >> 1)]);
        bits.extend([one, one | sign, one + 1, infinity - 1, lowest_normal]);
        // Halves and large integers: where rounding to integers decides.
        for exponent in [0, 1, 2, 9, 15, 22, 30, 31, 32, 62, 63, 64] {
            let scaled = one + exponent * lowest_normal;
            if scaled < infinity {
                bits.extend([scaled, scaled | (lowest_normal >> 1), (scaled + 1) | sign]);
            }
        }
        if !denormals {
            let tiny = |b: &u64| b & infinity == 0 && b & !sign != 0;
            bits.retain(|b| !tiny(b));
        }
    } else {
        let shifts = (0..s.bits()).step_by(3);
        bits.extend(shifts.map(|i| 0x9e37_79b9_7f4a_7c15 >> (64 - s.bits() + i)));
    }
    // A multiple of every vector width.
    while !bits.len().is_multiple_of(4) {
        bits.push(bits[bits.len() / 2]);
    }
    bits
}

fn bytes_of(s: Scalar, bits: &[u64]) -> Vec<u8> {
    let element = |b: &u64| b.to_le_bytes()[..s.bytes()].to_vec();
    bits.iter().flat_map(element).collect()
}

/// A buffer for the results of one kind, one result after the other, each over all elements.
struct Output {
    place: Place,
    kind: Scalar,
    count: usize,
}

/// A kernel with its input's bytes and its outputs.
struct Case {
    kernel: Kernel,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Output>,
    elements: usize,
    lanes: u8,
    /// What each result of each output is, in words.
    what: Vec<Vec<String>>,
}

fn run(d: &dyn Device, case: &Case) -> Option<Vec<Vec<u8>>> {
    let program = match d.compile(&case.kernel, None) {
        Ok(compiled) => compiled.program,
        Err(Error::Unsupported { source, .. }) => {
            println!("{}: {source}", d.info().id);
            return None;
        }
        Err(e) => panic!("{e}"),
    };
    let mut memories: Vec<Memory> = vec![];
    for input in &case.inputs {
        let memory = d.alloc(input.len() as u64).expect("memory");
        d.write(&memory, 0, input).expect("a write");
        memories.push(memory);
    }
    for o in &case.outputs {
        let bytes = o.count.max(1) * case.elements * o.kind.bytes();
        let memory = d.alloc(bytes as u64).expect("memory");
        d.write(&memory, 0, &vec![0; bytes]).expect("a write");
        memories.push(memory);
    }
    let args: Vec<Arg<'_>> = memories.iter().map(Arg::Buffer).collect();
    let groups = (case.elements / usize::from(case.lanes)) as u32;
    d.launch(&program, [groups, 1, 1], &args).expect("a launch");
    let outputs = memories[case.inputs.len()..].iter().map(|memory| {
        let mut data = vec![0; memory.bytes as usize];
        d.read(memory, 0, &mut data).expect("a read");
        data
    });
    Some(outputs.collect())
}

/// Stores a result of the case's outputs, of the kind that it has.
fn emit(b: &mut Builder, case: &mut Case, first: Value, value: Value, what: String) {
    let kind = b.ty(value).scalar;
    let slot = case.outputs.iter().position(|o| o.kind == kind);
    let slot = slot.expect("an output of every kind");
    let o = &mut case.outputs[slot];
    let start = b.u32((o.count * case.elements) as u32);
    let at = b.add(start, first);
    b.store(o.place, at, value, false);
    o.count += 1;
    case.what[slot].push(what);
}

/// An empty case over so many elements, with outputs of these kinds.
fn case(
    name: String,
    lanes: u8,
    inputs: &[(Scalar, Vec<u64>)],
    kinds: &[Scalar],
    fill: impl FnOnce(&mut Builder, &mut Case, Value, &[Value]),
) -> Case {
    let mut b = Builder::new(name, [1, 1, 1]);
    let mut places = vec![];
    for (i, (s, _)) in inputs.iter().enumerate() {
        places.push(b.buffer(&format!("in{i}"), *s, Access::Read));
    }
    let mut outputs = vec![];
    for &kind in kinds {
        let place = b.buffer(&format!("out_{kind}"), kind, Access::ReadWrite);
        outputs.push(Output {
            place,
            kind,
            count: 0,
        });
    }
    let group = b.builtin(Builtin::GroupId(0));
    let width = b.u32(lanes.into());
    let first = b.mul(group, width);
    let values: Vec<Value> = places
        .iter()
        .map(|&p| b.load(p, first, lanes, true))
        .collect();
    let mut case = Case {
        kernel: Builder::new("empty", [1, 1, 1]).finish_unverified(),
        inputs: inputs.iter().map(|(s, bits)| bytes_of(*s, bits)).collect(),
        what: vec![vec![]; outputs.len()],
        outputs,
        elements: inputs[0].1.len(),
        lanes,
    };
    fill(&mut b, &mut case, first, &values);
    case.kernel = b.finish().expect("a valid kernel");
    case
}

/// Every operation of a kind that takes two operands or one, over every pair of inputs.
fn operations(s: Scalar, lanes: u8, d: &dyn Device) -> Case {
    let values = inputs(s, d.caps().denormals_f32);
    let pairs = |pick: fn(usize, usize) -> usize| -> Vec<u64> {
        let n = values.len();
        (0..n * n).map(|i| values[pick(i, n)]).collect()
    };
    let operands = [(s, pairs(|i, n| i % n)), (s, pairs(|i, n| i / n))];
    let mut kinds = vec![s];
    if s != Scalar::Bool {
        kinds.push(Scalar::Bool);
    }
    let exact = d.caps().exact_division || !s.is_float();
    case(
        format!("operations_{s}_{lanes}"),
        lanes,
        &operands,
        &kinds,
        |b, case, first, v| {
            for &op in UNARY {
                use UnOp::*;
                let fits = match op {
                    Neg => s != Scalar::Bool,
                    Abs => s != Scalar::Bool,
                    Not => !s.is_float(),
                    Popcount | Clz => s.is_int(),
                    Sqrt => s.is_float() && exact,
                    _ => s.is_float(),
                };
                if fits {
                    let r = b.un(op, v[0]);
                    emit(b, case, first, r, format!("{op:?}"));
                }
            }
            for &op in BINARY {
                use BinOp::*;
                let fits = match op {
                    MulHi => s.is_int() && s.bytes() >= 4,
                    Shl | Shr => s.is_int(),
                    And | Or | Xor => !s.is_float(),
                    Eq | Ne => true,
                    Div => s != Scalar::Bool && exact,
                    _ => s != Scalar::Bool,
                };
                if fits {
                    let r = b.bin(op, v[0], v[1]);
                    emit(b, case, first, r, format!("{op:?}"));
                }
            }
            if s.is_float() {
                let r = b.fma(v[0], v[1], v[0]);
                emit(b, case, first, r, "Fma".into());
            }
            let smaller = match s {
                Scalar::Bool => v[0],
                _ => b.bin(BinOp::Lt, v[0], v[1]),
            };
            let r = b.select(smaller, v[1], v[0]);
            emit(b, case, first, r, "Select".into());
        },
    )
}

/// Every conversion from a kind.
fn conversions(s: Scalar, lanes: u8, d: &dyn Device) -> Case {
    let operands = [(s, inputs(s, d.caps().denormals_f32))];
    case(
        format!("conversions_{s}_{lanes}"),
        lanes,
        &operands,
        &Scalar::ALL,
        |b, case, first, v| {
            for to in Scalar::ALL {
                for mode in [CastMode::Saturate, CastMode::Wrap] {
                    let r = b.cast(v[0], to, mode);
                    emit(b, case, first, r, format!("to {to}, {mode:?}"));
                }
                if to.bytes() == s.bytes() && to != Scalar::Bool && s != Scalar::Bool {
                    let r = b.bitcast(v[0], to);
                    emit(b, case, first, r, format!("bits as {to}"));
                }
            }
        },
    )
}

fn bits_at(s: Scalar, data: &[u8], i: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..s.bytes()].copy_from_slice(&data[i * s.bytes()..][..s.bytes()]);
    u64::from_le_bytes(bytes)
}

/// Equal, or both NaN.
fn same(s: Scalar, a: u64, b: u64) -> bool {
    let nan = |x: u64| {
        let (infinity, sign) = float_masks(s);
        s.is_float() && x & !sign > infinity
    };
    a == b || (nan(a) && nan(b))
}

/// True for a float result that a device which flushes denormals may give otherwise.
fn denormal(s: Scalar, x: u64) -> bool {
    let (infinity, sign) = float_masks(s);
    s.is_float() && x & infinity == 0 && x & !sign != 0
}

fn compare(d: &dyn Device, cpu: &dyn Device, case: &Case) -> bool {
    let Some(got) = run(d, case) else {
        return false;
    };
    let expected = run(cpu, case).expect("the interpreter runs everything");
    let mut wrong = vec![];
    for (slot, o) in case.outputs.iter().enumerate() {
        for i in 0..o.count * case.elements {
            let [x, y] = [&got, &expected].map(|data| bits_at(o.kind, &data[slot], i));
            let flushed = !d.caps().denormals_f32 && denormal(o.kind, y);
            if !same(o.kind, x, y) && !flushed {
                let what = &case.what[slot][i / case.elements];
                let at = i % case.elements;
                let from: Vec<String> = case
                    .inputs
                    .iter()
                    .map(|data| {
                        let size = data.len() / case.elements;
                        let hex: Vec<String> = data[at * size..][..size]
                            .iter()
                            .rev()
                            .map(|b| format!("{b:02x}"))
                            .collect();
                        hex.concat()
                    })
                    .collect();
                wrong.push(format!("{what} of {from:?}: {x:x}, not {y:x}"));
            }
        }
    }
    let name = &case.kernel.name;
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{}: {name}: {wrong:#?}", d.info().id);
    true
}

fn drivers() -> (Arc<dyn Device>, Vec<Arc<dyn Device>>) {
    let cpu = registry::open("cpu").expect("the built-in device");
    let others = registry::devices();
    let others = others.into_iter().filter(|d| d.info().backend != "cpu");
    let others: Vec<_> = others.collect();
    if others.is_empty() {
        let required = std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_some();
        assert!(!required, "no device but the built-in one");
        println!("did not run: no device but the built-in one");
    }
    (cpu, others)
}

#[test]
fn operations_agree() {
    let (cpu, devices) = drivers();
    for d in devices {
        let mut ran = 0;
        for s in Scalar::ALL {
            for lanes in [1, 4] {
                ran += usize::from(compare(&*d, &*cpu, &operations(s, lanes, &*d)));
            }
        }
        assert!(ran >= 2 * 9, "{}: only {ran} kinds ran", d.info().id);
    }
}

#[test]
fn conversions_agree() {
    let (cpu, devices) = drivers();
    for d in devices {
        for s in Scalar::ALL {
            for lanes in [1, 4] {
                compare(&*d, &*cpu, &conversions(s, lanes, &*d));
            }
        }
    }
}

#[test]
fn variables_loops_and_branches_agree() {
    let (cpu, devices) = drivers();
    for d in devices {
        let n = 64;
        let operands = [(Scalar::U32, (0..n).collect::<Vec<u64>>())];
        let kinds = [Scalar::U32, Scalar::I64];
        let case = case(
            "control".into(),
            1,
            &operands,
            &kinds,
            |b, case, first, v| {
                let (zero, one, three) = (b.u32(0), b.u32(1), b.u32(3));
                // Collatz steps, at most 40, with a triangle of loops inside.
                let x = b.var(v[0]);
                let steps = b.var(zero);
                let limit = b.u32(40);
                b.for_(zero, limit, one, false, |b, i| {
                    let now = b.get(x);
                    let running = b.bin(BinOp::Gt, now, one);
                    b.if_(running, |b| {
                        let odd = b.bin(BinOp::And, now, one);
                        let odd = b.bin(BinOp::Eq, odd, one);
                        b.if_else(
                            odd,
                            |b| {
                                let next = b.mul(now, three);
                                let next = b.add(next, one);
                                b.set(x, next);
                            },
                            |b| {
                                let next = b.bin(BinOp::Shr, now, one);
                                b.set(x, next);
                            },
                        );
                        let count = b.get(steps);
                        let count = b.add(count, one);
                        b.set(steps, count);
                    });
                    b.for_(zero, i, three, false, |b, j| {
                        let sum = b.get(steps);
                        let sum = b.bin(BinOp::Xor, sum, j);
                        b.set(steps, sum);
                    });
                });
                let result = b.get(steps);
                emit(b, case, first, result, "steps".into());
                // An unrolled loop of negative indices over a private array.
                let mine = b.private("mine", Scalar::I64, 8);
                let [from, to, by] = [-8, 0, 2].map(|x| b.int(Scalar::I64, x));
                let wide = b.cast(v[0], Scalar::I64, CastMode::Wrap);
                let total = b.var(from);
                for unroll in [true, false] {
                    b.for_(from, to, by, unroll, |b, i| {
                        let at = b.cast(i, Scalar::U32, CastMode::Wrap);
                        let seven = b.u32(7);
                        let at = b.bin(BinOp::And, at, seven);
                        let product = b.mul(i, wide);
                        b.store(mine, at, product, false);
                        let back = b.load(mine, at, 1, false);
                        let sum = b.get(total);
                        let sum = b.add(sum, back);
                        b.set(total, sum);
                    });
                }
                let sum = b.get(total);
                emit(b, case, first, sum, "sum".into());
            },
        );
        assert!(compare(&*d, &*cpu, &case));
    }
}
