//! What an adapter really does, where Vulkan promises little: a few small kernels on opening.
//!
//! Vulkan lets `fma` round twice, division be 2.5 ULP off, denormals be flushed and conversions
//! round as they like. The language does not, so the legaliser has to know. Each probe runs an
//! operation over 64 chosen values and compares bit by bit with this machine's own arithmetic.

use super::device::Vulkan;
use crate::device::{Arg, Device};
use crate::error::Result;
use bytemuck::Pod;
use half::f16;
use suanzi_codegen::emit_naga::Features;
use suanzi_codegen::ir::{Access, BinOp, Builtin, CastMode, UnOp, Value};
use suanzi_codegen::target::Soft;
use suanzi_codegen::{Builder, Place, Scalar};

/// Values that each operation is tried on.
const N: usize = 64;

/// What was found.
pub struct Found {
    pub denormals_f32: bool,
    /// f32 and, where it exists, f64.
    pub exact_division: bool,
    fused_fma: bool,
    /// Products and sums are contracted or reassociated although they are decorated not to be.
    contracts: bool,
    half: bool,
    soft: Vec<Soft>,
}

impl Found {
    /// Takes away from the adapter's own account what it does wrongly.
    pub fn apply(&self, features: &mut Features) {
        features.fused_fma &= self.fused_fma;
        features.f16 &= self.half;
        features.soft.extend(&self.soft);
    }

    /// What is emulated, or cannot be helped, in words.
    pub fn emulated(&self, features: &Features) -> Vec<String> {
        let rows = [
            (true, "bool, i8, u8 and bf16 are packed in 32-bit words"),
            (!features.int16, "i16 and u16 are packed in 32-bit words"),
            (!features.f16, "f16 is packed in 32-bit words"),
            (features.f16, "f16 arithmetic runs in f32"),
            (!features.fused_fma, "fma is software"),
            (
                self.soft.contains(&Soft::Int64ToF32),
                "conversions from 64-bit integers to f32 are software",
            ),
            (
                self.soft.contains(&Soft::F64ToF32),
                "conversions from f64 to f32 are software",
            ),
            (
                self.contracts,
                "the driver contracts float operations although it must not: results may differ",
            ),
        ];
        rows.into_iter()
            .filter(|row| row.0)
            .map(|row| row.1.to_string())
            .collect()
    }
}

/// Runs every probe that the features allow.
pub fn run(device: &Vulkan, features: &Features) -> Result<Found> {
    let mut found = single(device)?;
    if features.f64 && features.int64 {
        let (division, conversion) = double(device)?;
        found.exact_division &= division;
        if !conversion {
            found.soft.push(Soft::F64ToF32);
        }
    }
    if features.int64 && !int64(device)? {
        found.soft.push(Soft::Int64ToF32);
    }
    found.half = features.f16 && half(device)?;
    Ok(found)
}

/// Runs a kernel that maps element `i` of the inputs to element `i` of each output.
fn map<I: Pod, O: Pod + Default>(
    device: &Vulkan,
    name: &str,
    kinds: (Scalar, Scalar),
    inputs: &[Vec<I>],
    f: impl FnOnce(&mut Builder, &[Value]) -> Vec<Value>,
) -> Result<Vec<Vec<O>>> {
    let mut b = Builder::new(name, [N as u32, 1, 1]);
    let places: Vec<Place> = (0..inputs.len())
        .map(|i| b.buffer(&format!("in{i}"), kinds.0, Access::Read))
        .collect();
    let out = b.buffer("out", kinds.1, Access::ReadWrite);
    let id = b.builtin(Builtin::LocalId(0));
    let values: Vec<Value> = places.iter().map(|&p| b.load(p, id, 1, false)).collect();
    let results = f(&mut b, &values);
    for (i, &value) in results.iter().enumerate() {
        let start = b.u32((i * N) as u32);
        let at = b.add(start, id);
        b.store(out, at, value, false);
    }
    let program = device.compile(&b.finish()?, None)?.program;

    let mut memories = vec![];
    for input in inputs {
        let bytes: &[u8] = bytemuck::cast_slice(input);
        let memory = device.alloc(bytes.len() as u64)?;
        device.write(&memory, 0, bytes)?;
        memories.push(memory);
    }
    let mut flat = vec![O::default(); results.len() * N];
    memories.push(device.alloc(size_of_val(&flat[..]) as u64)?);
    let args: Vec<Arg<'_>> = memories.iter().map(Arg::Buffer).collect();
    device.launch(&program, [1, 1, 1], &args)?;
    device.read(
        &memories[inputs.len()],
        0,
        bytemuck::cast_slice_mut(&mut flat),
    )?;
    Ok(flat.chunks(N).map(<[O]>::to_vec).collect())
}

/// True if every element is, bit for bit, what `expected` gives.
fn same<O: Pod>(got: &[O], expected: impl Fn(usize) -> O) -> bool {
    let bytes = |x: &O| bytemuck::bytes_of(x).to_vec();
    got.iter()
        .enumerate()
        .all(|(i, x)| bytes(x) == bytes(&expected(i)))
}

/// `N` values with full mantissas and exponents near zero.
fn spread(seed: u64) -> Vec<u64> {
    let mut x = seed;
    let next = |_| {
        x = x
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        x ^ (x >> 29)
    };
    (0..N).map(next).collect()
}

/// f32 of either sign between 2^-8 and 2^8.
fn floats(seed: u64) -> Vec<f32> {
    let float = |r: u64| {
        let exponent = 119 + ((r >> 24) & 15) as u32;
        f32::from_bits((r as u32 & 0x807f_ffff) | exponent << 23)
    };
    spread(seed).into_iter().map(float).collect()
}

fn single(device: &Vulkan) -> Result<Found> {
    let (a, b) = (floats(1), floats(2));
    // Cancels the rounded product, so that only its rounding error is left.
    let c: Vec<f32> = a.iter().zip(&b).map(|(a, b)| -(a * b)).collect();
    // Small enough that halving gives a denormal, and doubling takes one back.
    let tiny = |i: usize| f32::from_bits(0x0040_0000 + 0x2_0000 * i as u32);
    let d: Vec<f32> = (0..N).map(tiny).collect();
    let inputs = [a.clone(), b.clone(), c.clone(), d.clone()];
    let f32 = (Scalar::F32, Scalar::F32);
    let out: Vec<Vec<f32>> = map(device, "probe_f32", f32, &inputs, |k, v| {
        let [a, b, c, d] = [v[0], v[1], v[2], v[3]];
        let fused = k.fma(a, b, c);
        let product = k.mul(a, b);
        let cancelled = k.add(product, c);
        let sum = k.add(a, b);
        let lost = k.sub(sum, a);
        let (half, two) = (k.float(Scalar::F32, 0.5), k.float(Scalar::F32, 2.0));
        let (halved, doubled) = (k.mul(d, half), k.mul(d, two));
        let quotient = k.bin(BinOp::Div, a, b);
        let magnitude = k.un(UnOp::Abs, a);
        let root = k.un(UnOp::Sqrt, magnitude);
        vec![fused, cancelled, lost, halved, doubled, quotient, root]
    })?;
    Ok(Found {
        fused_fma: same(&out[0], |i| a[i].mul_add(b[i], c[i])),
        contracts: !(same(&out[1], |i| a[i] * b[i] + c[i])
            && same(&out[2], |i| (a[i] + b[i]) - a[i])),
        denormals_f32: same(&out[3], |i| d[i] * 0.5) && same(&out[4], |i| d[i] * 2.0),
        exact_division: same(&out[5], |i| a[i] / b[i]) && same(&out[6], |i| a[i].abs().sqrt()),
        half: false,
        soft: vec![],
    })
}

/// (division and square root are exact, conversion to f32 is)
fn double(device: &Vulkan) -> Result<(bool, bool)> {
    let wide = |seed: u64| -> Vec<f64> {
        let float =
            |r: u64| f64::from_bits((r & !(0x7ff << 52)) | ((1016 + ((r >> 52) & 15)) << 52));
        spread(seed).into_iter().map(float).collect()
    };
    let (a, b) = (wide(3), wide(4));
    let f64 = (Scalar::F64, Scalar::F64);
    let out: Vec<Vec<f64>> = map(device, "probe_f64", f64, &[a.clone(), b.clone()], |k, v| {
        let quotient = k.bin(BinOp::Div, v[0], v[1]);
        let magnitude = k.un(UnOp::Abs, v[0]);
        vec![quotient, k.un(UnOp::Sqrt, magnitude)]
    })?;
    let division = same(&out[0], |i| a[i] / b[i]) && same(&out[1], |i| a[i].abs().sqrt());

    // Every fourth a tie, every fourth a denormal of f32, every fourth too large for it.
    let narrow = |(i, x): (usize, &f64)| match i % 4 {
        0 => f64::from(*x as f32) * (1.0 + f64::from(f32::EPSILON) / 2.0),
        1 => x * 2f64.powi(-140),
        2 => x * 2f64.powi(121),
        _ => *x,
    };
    let c: Vec<f64> = a.iter().enumerate().map(narrow).collect();
    let kinds = (Scalar::F64, Scalar::F32);
    let out: Vec<Vec<f32>> = map(
        device,
        "probe_f64_f32",
        kinds,
        std::slice::from_ref(&c),
        |k, v| vec![k.cast(v[0], Scalar::F32, CastMode::Saturate)],
    )?;
    Ok((division, same(&out[0], |i| c[i] as f32)))
}

/// True if 64-bit integers become f32 with one rounding.
fn int64(device: &Vulkan) -> Result<bool> {
    // Ties, and one off a tie, at every magnitude, with all bits in use.
    let value = |(i, r): (usize, u64)| match i % 3 {
        0 => r >> (i / 2),
        1 => ((1 << 63) | (1 << 39)) >> (i / 2) | 1,
        _ => ((1 << 63) | (1 << 40) | (1 << 39)) >> (i / 2),
    };
    let a: Vec<u64> = spread(5).into_iter().enumerate().map(value).collect();
    let kinds = (Scalar::U64, Scalar::F32);
    let out: Vec<Vec<f32>> = map(
        device,
        "probe_int64",
        kinds,
        std::slice::from_ref(&a),
        |k, v| {
            let signed = k.bitcast(v[0], Scalar::I64);
            vec![
                k.cast(v[0], Scalar::F32, CastMode::Wrap),
                k.cast(signed, Scalar::F32, CastMode::Wrap),
            ]
        },
    )?;
    Ok(same(&out[0], |i| a[i] as f32) && same(&out[1], |i| a[i] as i64 as f32))
}

/// True if f32 and f16 become each other as IEEE 754 says.
fn half(device: &Vulkan) -> Result<bool> {
    let a = floats(6);
    // Every fourth a tie, every fourth a denormal of f16, every fourth near or past its largest.
    let value = |(i, x): (usize, &f32)| match i % 4 {
        0 => f16::from_f32(*x).to_f32() * (1.0 + 2f32.powi(-11)),
        1 => x * 2f32.powi(-18),
        2 => x * 2f32.powi(10),
        _ => *x,
    };
    let a: Vec<f32> = a.iter().enumerate().map(value).collect();
    let kinds = (Scalar::F32, Scalar::F16);
    let narrowed: Vec<Vec<f16>> = map(
        device,
        "probe_f32_f16",
        kinds,
        std::slice::from_ref(&a),
        |k, v| vec![k.cast(v[0], Scalar::F16, CastMode::Saturate)],
    )?;
    let b: Vec<f16> = spread(7)
        .into_iter()
        .map(|r| f16::from_bits(r as u16 & 0x83ff | (((r >> 16) as u16 % 30) << 10)))
        .collect();
    let kinds = (Scalar::F16, Scalar::F32);
    let widened: Vec<Vec<f32>> = map(
        device,
        "probe_f16_f32",
        kinds,
        std::slice::from_ref(&b),
        |k, v| vec![k.cast(v[0], Scalar::F32, CastMode::Saturate)],
    )?;
    Ok(same(&narrowed[0], |i| f16::from_f32(a[i])) && same(&widened[0], |i| b[i].to_f32()))
}
