//! What the limits of the conformance suite leave open: near the zeros of lgamma at 1 and 2, which
//! floats hit, its error is small relative to the result, though its limit there is absolute.

use suanzi_backends::Context;
use suanzi_ops::{Tensor, ops};

#[test]
fn lgamma_meets_its_zeros_at_one_and_two() {
    let ctx = Context::open("cpu").expect("the built-in device");
    let steps = (0..4000u32).flat_map(|k| {
        [1.0f32, 2.0].into_iter().flat_map(move |zero| {
            let bits = zero.to_bits();
            [
                f32::from_bits(bits + k * k),
                f32::from_bits(bits - k * k / 2),
            ]
        })
    });
    let x: Vec<f32> = steps.collect();
    let t = Tensor::from_slice(&ctx, &[x.len()], &x).unwrap();
    let y = ops::lgamma(&t).unwrap().eval().unwrap();
    for (x, got) in x.iter().zip(y.to_vec::<f32>().unwrap()) {
        let want = libm::lgamma(f64::from(*x));
        let error = (f64::from(got) - want).abs();
        let allowed = 8.0 * f64::from(f32::EPSILON) * want.abs();
        assert!(error <= allowed, "{x:e}: {got:e}, expected {want:e}");
    }
}
