//! What a device's arithmetic really is, whatever its driver says: one small kernel, whose operations
//! over 64 chosen values are compared bit by bit with this machine's own.

use crate::device::{Arg, Device};
use crate::error::Result;
use bytemuck::Pod;
use suanzi_codegen::ir::{Access, BinOp, Builtin, UnOp, Value};
use suanzi_codegen::{Builder, Place, Scalar};

/// Values that each operation is tried on.
const N: usize = 64;

/// How a device does what kernels say, in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    /// `fma` is rounded once: by the device, or by what the legaliser writes in its place.
    pub fused_fma: bool,
    /// Denormals survive.
    pub denormals_f32: bool,
    /// Division is correctly rounded.
    pub exact_division: bool,
    /// So are square roots.
    pub exact_sqrt: bool,
    /// Products and sums become an `fma`, though they must not.
    pub contracts: bool,
    /// Sums are taken in another order, though they must not be.
    pub reassociates: bool,
}

impl Arithmetic {
    /// In words.
    pub fn words(&self, own_fma: bool) -> String {
        let fma = match (self.fused_fma, own_fma) {
            (true, true) => "fma fused",
            (true, false) => "fma fused in software",
            (false, _) => "fma NOT FUSED",
        };
        let pick = |good: bool, yes: &'static str, no: &'static str| if good { yes } else { no };
        [
            fma,
            pick(self.denormals_f32, "denormals kept", "denormals flushed"),
            pick(self.exact_division, "division exact", "division inexact"),
            pick(self.exact_sqrt, "square root exact", "square root inexact"),
            pick(!self.contracts, "no contraction", "CONTRACTS"),
            pick(!self.reassociates, "no reassociation", "REASSOCIATES"),
        ]
        .join(", ")
    }
}

/// Finds out what a device does in f32.
///
/// # Errors
/// What compiling, launching or reading the probe gave.
pub fn measure(device: &dyn Device) -> Result<Arithmetic> {
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
    Ok(Arithmetic {
        fused_fma: same(&out[0], |i| a[i].mul_add(b[i], c[i])),
        contracts: !same(&out[1], |i| a[i] * b[i] + c[i]),
        reassociates: !same(&out[2], |i| (a[i] + b[i]) - a[i]),
        denormals_f32: same(&out[3], |i| d[i] * 0.5) && same(&out[4], |i| d[i] * 2.0),
        exact_division: same(&out[5], |i| a[i] / b[i]),
        exact_sqrt: same(&out[6], |i| a[i].abs().sqrt()),
    })
}

/// Runs a kernel that maps element `i` of the inputs to element `i` of each output.
pub(crate) fn map<I: Pod, O: Pod + Default>(
    device: &dyn Device,
    name: &str,
    kinds: (Scalar, Scalar),
    inputs: &[Vec<I>],
    f: impl FnOnce(&mut Builder, &[Value]) -> Vec<Value>,
) -> Result<Vec<Vec<O>>> {
    let items = 1 << device.caps().max_workgroup.clamp(1, N as u32).ilog2();
    let mut b = Builder::new(name, [items, 1, 1]);
    let places: Vec<Place> = (0..inputs.len())
        .map(|i| b.buffer(&format!("in{i}"), kinds.0, Access::Read))
        .collect();
    let out = b.buffer("out", kinds.1, Access::ReadWrite);
    let id = b.builtin(Builtin::GlobalId(0));
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
    device.launch(&program, [N as u32 / items, 1, 1], &args)?;
    device.read(
        &memories[inputs.len()],
        0,
        bytemuck::cast_slice_mut(&mut flat),
    )?;
    Ok(flat.chunks(N).map(<[O]>::to_vec).collect())
}

/// True if every element is, bit for bit, what `expected` gives.
pub(crate) fn same<O: Pod>(got: &[O], expected: impl Fn(usize) -> O) -> bool {
    let bytes = |x: &O| bytemuck::bytes_of(x).to_vec();
    got.iter()
        .enumerate()
        .all(|(i, x)| bytes(x) == bytes(&expected(i)))
}

/// `N` values with full mantissas and exponents near zero.
pub(crate) fn spread(seed: u64) -> Vec<u64> {
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
pub(crate) fn floats(seed: u64) -> Vec<f32> {
    let float = |r: u64| {
        let exponent = 119 + ((r >> 24) & 15) as u32;
        f32::from_bits((r as u32 & 0x807f_ffff) | exponent << 23)
    };
    spread(seed).into_iter().map(float).collect()
}
