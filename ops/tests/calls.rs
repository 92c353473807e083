//! The examples of the rows of kind Call, on every device found, against their references: values
//! of moderate size and a few special ones, in two layouts. The conformance suite does more.

use suanzi_backends::Context;
use suanzi_ops::table::call::{Array, Call, Example, Operand, Values};
use suanzi_ops::table::{Kind, Limit, Row, rows};
use suanzi_ops::{Num, Scalar, Tensor};

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        self.0 >> 33
    }
    fn below(&mut self, n: i64) -> i64 {
        (self.next() % n.max(1) as u64) as i64
    }
}

fn values(o: &Operand, rng: &mut Rng, exact: bool) -> Vec<Num> {
    let n: usize = o.shape.iter().product();
    let t = o.dtype;
    let num = |i: i64| {
        if t.is_float() {
            Num::Float(i as f64)
        } else {
            Num::Int(i.into())
        }
    };
    let mut out: Vec<Num> = (0..n)
        .map(|_| match o.values {
            Values::Index(k) => num(rng.below(2 * k) - k),
            Values::Offset(k) | Values::Sorted(k) => num(rng.below(k)),
            Values::Wild(k) => num(rng.below(4 * k) - 2 * k),
            Values::Few(k) => num(rng.below(k) - if t.is_unsigned() { 0 } else { k / 2 }),
            Values::NearOne if t.is_float() => {
                Num::Float(1.0 + (rng.below(64) - 32) as f64 / 2048.0)
            }
            _ if t == Scalar::Bool => Num::Bool(rng.below(2) == 1),
            _ if t.is_float() && !exact && rng.below(13) == 0 => {
                let special = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-40];
                Num::Float(special[rng.below(6) as usize])
            }
            _ if t.is_float() && !exact => Num::Float((rng.below(4001) - 2000) as f64 / 64.0),
            _ if t.is_float() => Num::Float((rng.below(17) - 8) as f64),
            _ => Num::Int(i128::from(rng.next() << 33 | rng.next())),
        })
        .map(|x| x.round(t))
        .collect();
    if matches!(o.values, Values::Sorted(_) | Values::Ascending) {
        let last = o.shape.last().copied().unwrap_or(1).max(1);
        for row in out.chunks_mut(last) {
            row.sort_by(|a, b| match (a, b) {
                (Num::Int(a), Num::Int(b)) => a.cmp(b),
                (a, b) => (a.float().is_nan(), a.float())
                    .partial_cmp(&(b.float().is_nan(), b.float()))
                    .unwrap_or(std::cmp::Ordering::Equal),
            });
        }
    }
    out
}

fn upload(ctx: &Context, a: &Array, turned: bool) -> Tensor {
    let rank = a.shape.len();
    let bytes = |values: &mut dyn Iterator<Item = Num>| -> Vec<u8> {
        let bits = values.map(|v| v.to_bits(a.dtype).to_le_bytes());
        bits.flat_map(|b| b[..a.dtype.bytes()].to_vec()).collect()
    };
    if !turned || rank == 0 {
        let raw = bytes(&mut a.values.iter().copied());
        return Tensor::from_bytes(ctx, a.dtype, &a.shape, &raw).unwrap();
    }
    // Stored with the axes in reverse order, each backwards.
    let shape: Vec<usize> = a.shape.iter().rev().copied().collect();
    let stored = Array::from_fn(a.dtype, &shape, |at| {
        let at: Vec<usize> = at
            .iter()
            .rev()
            .zip(&a.shape)
            .map(|(&i, &d)| d - 1 - i)
            .collect();
        a.at(&at)
    });
    let raw = bytes(&mut stored.values.iter().copied());
    let mut t = Tensor::from_bytes(ctx, a.dtype, &shape, &raw).unwrap();
    let axes: Vec<i64> = (0..rank as i64).rev().collect();
    t = t.permute(&axes).unwrap();
    (0..rank as i64).fold(t, |t, axis| t.flip(axis).unwrap())
}

fn check(
    row: &Row,
    call: &Call,
    text: &str,
    dtype: Scalar,
    ctx: &Context,
    turned: bool,
    exact: bool,
) -> Result<(), String> {
    let example = Example::parse(text, dtype, call.creates).ok_or("malformed")?;
    let mut rng = Rng(text.len() as u64 * 77 + 5);
    let inputs: Vec<Array> = example
        .operands
        .iter()
        .map(|o| Array::new(o.dtype, &o.shape, values(o, &mut rng, exact)))
        .collect();
    let expected = (call.reference)(&inputs, &example.attrs);
    let tensors: Vec<Tensor> = inputs.iter().map(|a| upload(ctx, a, turned)).collect();
    let got = (call.run)(ctx, &tensors, &example.attrs);
    let (expected, got) = match (expected, got) {
        (None, Err(suanzi_ops::Error::Backend { .. })) => {
            return Err("refused by the device".into());
        }
        (None, Err(_)) => return Ok(()),
        (None, Ok(_)) => return Err("not refused".into()),
        (Some(_), Err(e)) => return Err(e.to_string()),
        (Some(e), Ok(g)) => (e, g),
    };
    if expected.len() != got.len() {
        return Err(format!("{} results", got.len()));
    }
    for (k, (e, g)) in expected.iter().zip(&got).enumerate() {
        if e.dtype != g.dtype() || e.shape != g.shape() {
            return Err(format!(
                "result {k}: {} {:?} not {} {:?}",
                g.dtype(),
                g.shape(),
                e.dtype,
                e.shape
            ));
        }
        let bytes = g.read_bytes().map_err(|e| e.to_string())?;
        for (i, &want) in e.values.iter().enumerate() {
            let have = Num::from_le_bytes(e.dtype, &bytes[i * e.dtype.bytes()..]);
            let (w, h) = (want.round(e.dtype), have);
            let same = w.to_bits(e.dtype) == h.to_bits(e.dtype)
                || (w.float().is_nan() && h.float().is_nan());
            let slack = match (row.limit)(dtype) {
                Limit::Sum(c) | Limit::Mean(c) if e.dtype.is_float() && !e.scale.is_empty() => {
                    c * 1.2e-7 * e.scale[i]
                }
                Limit::Product(c) if e.dtype.is_float() && !e.terms.is_empty() => {
                    c * 1.2e-7 * e.terms[i] as f64 * w.float().abs()
                }
                Limit::Ulp(c) if e.dtype.is_float() => c * 1.2e-7 * w.float().abs(),
                _ => 0.0,
            };
            let ulp = match e.dtype {
                Scalar::F16 => 1e-3,
                Scalar::Bf16 => 8e-3,
                _ => 0.0,
            };
            let slack = if slack > 0.0 {
                slack + ulp * w.float().abs()
            } else {
                0.0
            };
            let near = (w.float() - h.float()).abs() <= slack;
            if !same && !near {
                return Err(format!("result {k}, element {i}: {h:?}, not {w:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn examples_of_calls() {
    let wanted = std::env::var("CALLS").unwrap_or_default();
    let devices = std::env::var("DEVICES").unwrap_or("cpu,opencl:0,vulkan:0".into());
    let mut bad = vec![];
    for name in devices.split(',') {
        let Ok(ctx) = Context::open(name) else {
            continue;
        };
        for row in rows() {
            let Kind::Call(call) = row.kind else { continue };
            if !wanted.is_empty() && !wanted.split(',').any(|w| row.name == w) {
                continue;
            }
            let begin = std::time::Instant::now();
            for (i, text) in call.examples.iter().enumerate() {
                let all = i == 0;
                let one = [if row.dtypes.contains(&Scalar::F32) {
                    Scalar::F32
                } else {
                    row.dtypes[0]
                }];
                for &dtype in if all { row.dtypes } else { &one[..] } {
                    for turned in [false, true] {
                        for exact in [false, true] {
                            if let Err(e) = check(row, &call, text, dtype, &ctx, turned, exact) {
                                bad.push(format!(
                                    "{name} {}/{dtype}/{text} turned={turned} exact={exact}: {e}",
                                    row.name
                                ));
                            }
                        }
                    }
                }
            }
            eprintln!("{name} {}: {:?}", row.name, begin.elapsed());
        }
    }
    assert!(bad.is_empty(), "{} bad\n{}", bad.len(), bad.join("\n"));
}
