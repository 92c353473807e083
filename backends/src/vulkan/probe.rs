//! What an adapter really does, where Vulkan promises little: a few small kernels on opening.
//!
//! Vulkan lets `fma` round twice, division be 2.5 ULP off, denormals be flushed and conversions
//! round as they like. The language does not, so the legaliser has to know. Each probe runs an
//! operation over 64 chosen values and compares bit by bit with this machine's own arithmetic.

use super::device::Vulkan;
use crate::error::Result;
use crate::probe::{floats, map, measure, same, spread};
use half::f16;
use suanzi_codegen::Scalar;
use suanzi_codegen::emit_naga::Features;
use suanzi_codegen::ir::{BinOp, CastMode, UnOp};
use suanzi_codegen::target::Soft;

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
                self.soft.contains(&Soft::SignExtend),
                "conversions from i32 to i64 are software",
            ),
            (
                self.soft.contains(&Soft::WholeF64),
                "floor, ceil, trunc and rint of f64 are software",
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
    let arithmetic = measure(device)?;
    let mut found = Found {
        denormals_f32: arithmetic.denormals_f32,
        exact_division: arithmetic.exact_division && arithmetic.exact_sqrt,
        fused_fma: arithmetic.fused_fma,
        contracts: arithmetic.contracts || arithmetic.reassociates,
        half: false,
        soft: vec![],
    };
    if features.f64 && features.int64 {
        let (division, conversion) = double(device)?;
        found.exact_division &= division;
        if !conversion {
            found.soft.push(Soft::F64ToF32);
        }
        if !whole(device)? {
            found.soft.push(Soft::WholeF64);
        }
    }
    if features.int64 && !int64(device)? {
        found.soft.push(Soft::Int64ToF32);
    }
    if features.int64 && !sign_extends(device)? {
        found.soft.push(Soft::SignExtend);
    }
    found.half = features.f16 && half(device)?;
    Ok(found)
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

/// True if f64 becomes a whole number as IEEE 754 says.
fn whole(device: &Vulkan) -> Result<bool> {
    // From below one half to where nothing is below the point, of both signs, and ties.
    let value = |(i, r): (usize, u64)| {
        let sign = if r & 1 == 0 { 1.0 } else { -1.0 };
        let size = 2f64.powi(i as i32 - 4);
        let fraction = (r >> 11) as f64 / 2f64.powi(53);
        sign * match i % 3 {
            0 => size * (1.0 + fraction),
            1 => size.floor() + 0.5,
            _ => fraction / 2.0,
        }
    };
    let a: Vec<f64> = spread(9).into_iter().enumerate().map(value).collect();
    let f64 = (Scalar::F64, Scalar::F64);
    let ops = [UnOp::Floor, UnOp::Ceil, UnOp::Trunc, UnOp::Rint];
    let out: Vec<Vec<f64>> = map(
        device,
        "probe_whole",
        f64,
        std::slice::from_ref(&a),
        |k, v| ops.map(|op| k.un(op, v[0])).to_vec(),
    )?;
    let expected = |x: f64| [x.floor(), x.ceil(), x.trunc(), x.round_ties_even()];
    Ok((0..4).all(|op| same(&out[op], |i| expected(a[i])[op])))
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

/// True if an i32 that has become an i64 is still on the same side of a constant.
fn sign_extends(device: &Vulkan) -> Result<bool> {
    let a: Vec<i32> = spread(8).into_iter().map(|r| r as i32).collect();
    let kinds = (Scalar::I32, Scalar::I32);
    let out: Vec<Vec<i32>> = map(
        device,
        "probe_sign_extend",
        kinds,
        std::slice::from_ref(&a),
        |k, v| {
            let wide = k.cast(v[0], Scalar::I64, CastMode::Wrap);
            let ordered = [BinOp::Lt, BinOp::Le, BinOp::Gt, BinOp::Ge].map(|op| {
                let zero = k.int(Scalar::I64, 0);
                let holds = k.bin(op, wide, zero);
                k.cast(holds, Scalar::I32, CastMode::Wrap)
            });
            ordered.to_vec()
        },
    )?;
    let expected = |x: i32| [x < 0, x <= 0, x > 0, x >= 0].map(i32::from);
    Ok((0..4).all(|op| same(&out[op], |i| expected(a[i])[op])))
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
