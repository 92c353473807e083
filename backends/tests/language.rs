//! The language means the same on every device: each operation of each kind, on special values
//! and random bits, gives the bits that the interpreter gives. NaNs are equal to each other.
//!
//! Runs on every device there is besides the interpreter; with `SUANZI_REQUIRE_DRIVERS=1` it is a
//! failure if there is none.

#[path = "../../codegen/tests/legalise/values.rs"]
mod values;

use suanzi_backends::{Arg, Device, registry};
use suanzi_codegen::Scalar::{self, *};
use suanzi_codegen::ir::*;
use suanzi_codegen::{Builder, Kernel, Type, Value};

/// Elements of each input.
const LEN: usize = 2048;
const GROUP: u32 = 16;

/// One result of a kernel: its name, and how it comes from the inputs.
type Row = (String, Box<dyn Fn(&mut Builder, &[Value]) -> Value>);

/// A kernel of three inputs of one kind, and an output of one kind with a section for each row.
struct Case {
    input: Scalar,
    output: Scalar,
    lanes: u8,
    rows: Vec<Row>,
}

impl Case {
    fn kernel(&self) -> Kernel {
        let mut b = Builder::new("language", [GROUP, 1, 1]);
        let inputs = ["x", "y", "z"].map(|name| b.buffer(name, self.input, Access::Read));
        let out = b.buffer("out", self.output, Access::ReadWrite);
        let id = b.builtin(Builtin::GlobalId(0));
        let width = b.u32(self.lanes.into());
        let index = b.mul(id, width);
        let x = inputs.map(|place| b.load(place, index, self.lanes, true));
        for (i, (_, f)) in self.rows.iter().enumerate() {
            let r = f(&mut b, &x);
            let section = b.u32((i * LEN) as u32);
            let at = b.add(index, section);
            b.store(out, at, r, true);
        }
        b.finish().expect("a valid kernel")
    }

    fn run(&self, device: &dyn Device, kernel: &Kernel) -> Vec<u64> {
        let program = device.compile(kernel, None).expect("a program").program;
        let inputs: Vec<_> = (0..3)
            .map(|k| {
                let bytes = values::to_bytes(self.input, &values::inputs(self.input, k, LEN));
                let memory = device.alloc(bytes.len() as u64).expect("memory");
                device.write(&memory, 0, &bytes).expect("a write");
                memory
            })
            .collect();
        let mut bytes = vec![0xa5; self.rows.len() * LEN * self.output.bytes()];
        let out = device.alloc(bytes.len() as u64).expect("memory");
        device.write(&out, 0, &bytes).expect("a write");
        let memories = inputs.iter().chain([&out]);
        let args: Vec<Arg> = memories.map(Arg::Buffer).collect();
        let groups = LEN as u32 / GROUP / u32::from(self.lanes);
        device
            .launch(&program, [groups, 1, 1], &args)
            .expect("a launch");
        device.read(&out, 0, &mut bytes).expect("a read");
        values::from_bytes(self.output, &bytes)
    }

    /// What differs between two devices: at most one line for each row.
    fn compare(&self, reference: &dyn Device, device: &dyn Device) -> Vec<String> {
        let kernel = self.kernel();
        let expected = self.run(reference, &kernel);
        let got = self.run(device, &kernel);
        let input: Vec<Vec<u64>> = (0..3).map(|k| values::inputs(self.input, k, LEN)).collect();
        let differs = |i: &usize| {
            let both_nan = [expected[*i], got[*i]]
                .into_iter()
                .all(|v| values::is_nan(self.output, v));
            expected[*i] != got[*i] && !both_nan
        };
        let report = |(row, (name, _)): (usize, &Row)| {
            let section = row * LEN..(row + 1) * LEN;
            let count = section.clone().filter(differs).count();
            let i = section.clone().find(differs)?;
            let at = i - section.start;
            Some(format!(
                "{}: {name} of {}x{} ({:#x}, {:#x}, {:#x}) gives {:#x}, not {:#x}; {count} differ",
                device.info().id,
                self.input,
                self.lanes,
                input[0][at],
                input[1][at],
                input[2][at],
                got[i],
                expected[i],
            ))
        };
        self.rows.iter().enumerate().filter_map(report).collect()
    }
}

fn check(cases: impl Fn(&dyn Device) -> Vec<Case>) {
    let cpu = registry::open("cpu").expect("the interpreter");
    let mut others = registry::devices();
    others.retain(|d| d.info().backend != "cpu");
    if others.is_empty() {
        let required = std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_some_and(|v| v == "1");
        assert!(
            !required,
            "SUANZI_REQUIRE_DRIVERS=1, but there is no device"
        );
        eprintln!("NOT RUN: there is no device besides the interpreter");
    }
    let mut wrong = vec![];
    for device in others {
        for case in cases(&*device) {
            wrong.extend(case.compare(&*cpu, &*device));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn kinds(device: &dyn Device) -> impl Iterator<Item = Scalar> + Clone + '_ {
    let missing = suanzi_codegen::target::Support::Missing;
    let has = move |s: &Scalar| device.caps().target.support(*s) != missing;
    Scalar::ALL.into_iter().filter(has)
}

/// Each kind with some lane count, all of them met by turns.
fn with_lanes(kinds: impl Iterator<Item = Scalar>) -> impl Iterator<Item = (Scalar, u8)> {
    kinds.zip(Type::LANES.into_iter().cycle())
}

fn unary(op: UnOp) -> Row {
    (format!("{op:?}"), Box::new(move |b, x| b.un(op, x[0])))
}

fn binary(op: BinOp) -> Row {
    (
        format!("{op:?}"),
        Box::new(move |b, x| b.bin(op, x[0], x[1])),
    )
}

#[test]
fn operations() {
    use BinOp::*;
    use UnOp::*;
    check(|device| {
        let rows = |s: Scalar| -> Vec<Row> {
            let mut rows = vec![];
            if s == Bool {
                rows.extend([Not].map(unary));
                rows.extend([And, Or, Xor].map(binary));
                return rows;
            }
            rows.extend([Neg, Abs].map(unary));
            rows.extend([Add, Sub, Mul, Div, Rem, Min, Max].map(binary));
            if s.is_float() {
                rows.extend([Floor, Ceil, Trunc, Rint, Sqrt].map(unary));
                rows.push(("Fma".into(), Box::new(|b, x| b.fma(x[0], x[1], x[2]))));
            } else {
                rows.extend([Not, Popcount, Clz].map(unary));
                rows.extend([And, Or, Xor, Shl, Shr].map(binary));
                if s.bytes() >= 4 {
                    rows.push(binary(MulHi));
                }
            }
            rows
        };
        with_lanes(kinds(device))
            .map(|(s, lanes)| Case {
                input: s,
                output: s,
                lanes,
                rows: rows(s),
            })
            .collect()
    });
}

#[test]
fn tests_and_comparisons() {
    use BinOp::*;
    use UnOp::*;
    check(|device| {
        let rows = |s: Scalar| -> Vec<Row> {
            let mut rows: Vec<Row> = [Eq, Ne].map(binary).into();
            if s != Bool {
                rows.extend([Lt, Le, Gt, Ge].map(binary));
            }
            if s.is_float() {
                rows.extend([IsNan, IsInf].map(unary));
            }
            rows
        };
        with_lanes(kinds(device))
            .map(|(s, lanes)| Case {
                input: s,
                output: Bool,
                lanes,
                rows: rows(s),
            })
            .collect()
    });
}

/// The results are widened, so that one kernel has a kind's casts to all integers, and another
/// its casts to all floats.
#[test]
fn casts() {
    check(|device| {
        let all: Vec<Scalar> = kinds(device).collect();
        let has = |s: Scalar| all.contains(&s);
        let widest = |wide: Scalar, narrow: Scalar| if has(wide) { wide } else { narrow };
        let (int, float) = (widest(I64, I32), widest(F64, F32));
        let casts = |to: Scalar, wide: Scalar| {
            [CastMode::Saturate, CastMode::Wrap].map(|mode| -> Row {
                let name = format!("{mode:?} cast to {to}");
                let cast = move |b: &mut Builder, x: &[Value]| {
                    let r = b.cast(x[0], to, mode);
                    b.cast(r, wide, CastMode::Wrap)
                };
                (name, Box::new(cast))
            })
        };
        let outputs = [int, float].into_iter();
        let pairs = outputs.flat_map(|wide| all.iter().map(move |from| (*from, wide)));
        pairs
            .zip(Type::LANES.into_iter().cycle())
            .map(|((from, wide), lanes)| Case {
                input: from,
                output: wide,
                lanes,
                rows: all
                    .iter()
                    .filter(|to| **to != from && to.is_float() == wide.is_float())
                    .flat_map(|to| casts(*to, wide))
                    .collect(),
            })
            .collect()
    });
}
