//! Eight-bit floats over all their codes and all f16, and what quantisation refuses.

mod common;

use common::devices;
use half::f16;
use suanzi_ops::ops::{Code, Float8};
use suanzi_ops::reference::quantise as reference;
use suanzi_ops::{Error, Scalar, Tensor, ops};

#[test]
fn every_code_is_read_and_every_f16_is_written() {
    let codes: Vec<u8> = (0..=255).collect();
    let numbers: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let all = Tensor::from_slice(&ctx, &[256], &codes).unwrap();
        let halves = Tensor::from_slice(&ctx, &[65536], &numbers).unwrap();
        for format in Float8::ALL {
            let name = format.name();
            let read = ops::from_f8(&all, format, Scalar::F32)
                .unwrap()
                .eval()
                .unwrap();
            let read = read.to_vec::<f32>().unwrap();
            for (&code, got) in codes.iter().zip(&read) {
                let want = reference::from_f8(format, code) as f32;
                let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
                assert!(same, "{name} {code:#x}: {got} for {want} on {id}");
            }
            // What is read is written as it was, NaN aside.
            let numbers_read = Tensor::from_slice(&ctx, &[256], &read).unwrap();
            let back = ops::to_f8(&numbers_read, format, true)
                .unwrap()
                .eval()
                .unwrap();
            for (&code, got) in codes.iter().zip(back.to_vec::<u8>().unwrap()) {
                let x = reference::from_f8(format, code);
                assert!(
                    got == code || !x.is_finite(),
                    "{name} {code:#x} {got:#x} on {id}"
                );
            }
            for saturate in [false, true] {
                let got = ops::to_f8(&halves, format, saturate)
                    .unwrap()
                    .eval()
                    .unwrap();
                for (x, got) in numbers.iter().zip(got.to_vec::<u8>().unwrap()) {
                    let want = reference::to_f8(format, x.to_f64(), saturate);
                    assert_eq!(got, want, "{name} of {x} ({saturate}) on {id}");
                }
            }
        }
    }
}

#[test]
fn four_bits_come_back_through_a_fused_kernel() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let data: Vec<f32> = (0..70).map(|i| (i * 37 % 61) as f32 * 0.25 - 7.0).collect();
        let x = Tensor::from_slice(&ctx, &[10, 7], &data).unwrap();
        let scale = Tensor::from_slice(&ctx, &[3, 7], &[1.0f32; 21]).unwrap();
        let q = ops::quantize_linear(&x, &scale, None, Code::I4, 0, 4).unwrap();
        let packed = ops::pack_int4(&q.eval().unwrap()).unwrap().eval().unwrap();
        assert_eq!((packed.shape(), packed.dtype()), (&[10, 4][..], Scalar::U8));
        let (y, log) = ctx.trace(|| {
            let codes = ops::unpack_int4(&packed, 7, true).unwrap();
            let y = ops::dequantize_linear(codes, &scale, None, 0, 4).unwrap();
            y.eval().unwrap()
        });
        assert_eq!(log.len(), 1, "{id}");
        let want: Vec<f32> = data
            .iter()
            .map(|v| v.round_ties_even().clamp(-8.0, 7.0))
            .collect();
        assert_eq!(y.to_vec::<f32>().unwrap(), want, "{id}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let ctx = &devices()[0];
    let x = Tensor::from_slice(ctx, &[4, 6], &[1.0f32; 24]).unwrap();
    let wide = Tensor::from_slice(ctx, &[2], &[1.0f64, 2.0]).unwrap();
    let scale = |shape: &[usize]| {
        let n: usize = shape.iter().product();
        Tensor::from_slice(ctx, shape, &vec![0.5f32; n]).unwrap()
    };
    let quantised = |scale: &Tensor, axis, block| {
        ops::quantize_linear(&x, scale, None, Code::I8, axis, block).err()
    };
    assert!(matches!(
        quantised(&scale(&[5]), 1, 0),
        Some(Error::Shape { .. })
    ));
    assert!(matches!(
        quantised(&scale(&[6]), 2, 0),
        Some(Error::Axis { .. })
    ));
    assert!(matches!(
        quantised(&scale(&[2, 6]), 0, 4),
        Some(Error::Shape { .. })
    ));
    assert!(matches!(quantised(&wide, 0, 0), Some(Error::Dtype { .. })));
    assert!(quantised(&scale(&[2, 6]), 0, 2).is_none());
    let zero = Tensor::from_slice(ctx, &[6], &[1u8; 6]).unwrap();
    let mixed = ops::quantize_linear(&x, &scale(&[6]), Some(&zero), Code::I8, 1, 0);
    assert!(matches!(mixed, Err(Error::Dtype { .. })));
    let ints = Tensor::from_slice(ctx, &[2], &[1i32, 2]).unwrap();
    assert!(matches!(ops::pack_int4(&ints), Err(Error::Dtype { .. })));
    assert!(matches!(
        ops::unpack_int4(&zero, 13, false),
        Err(Error::Shape { .. })
    ));
    assert!(ops::to_f8(&ints, Float8::E5m2, true).is_err());
    assert!(ops::from_f8(&zero, Float8::E5m2, Scalar::I32).is_err());
    assert!(ops::from_f8(&ints, Float8::E5m2, Scalar::F32).is_err());
    assert!(ops::dynamic_quantize_linear(&wide).is_err());
}

#[test]
fn halves_and_a_cast_that_rounds() {
    for ctx in devices() {
        let x: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let x = Tensor::from_slice(&ctx, &[2, 6], &x).unwrap();
        let [a, gate] = ops::halves(&x, -1).unwrap();
        assert_eq!(
            gate.to_vec::<f32>().unwrap(),
            [3.0, 4.0, 5.0, 9.0, 10.0, 11.0]
        );
        assert_eq!(a.shape(), [2, 3]);
        assert!(ops::halves(&a, 1).is_err() && ops::halves(&a, 2).is_err());
        // 1 + 2^-11 is held in f32, and a cast to f16 rounds it where it stands.
        let one = Tensor::from_slice(&ctx, &[1], &[f16::ONE]).unwrap();
        let sum = ops::add(&one, 2f64.powi(-11)).unwrap();
        let rest = |x| {
            ops::sub(x, 1.0)
                .unwrap()
                .eval()
                .unwrap()
                .to_vec::<f16>()
                .unwrap()[0]
        };
        assert_eq!(rest(sum.clone()).to_f64(), 2f64.powi(-11));
        assert_eq!(rest(ops::cast(sum, Scalar::F16)), f16::ZERO);
    }
}
