//! Reductions of statistics, and the order of additions that all devices share. What single
//! reductions compute is the conformance suite's affair.

mod common;

use common::{Random, devices};
use half::f16;
use suanzi_backends::Context;
use suanzi_ops::{Element, Error, Expr, Reduction, Tensor, ops};

#[test]
fn extremes_come_with_their_positions() {
    for ctx in devices() {
        let data = [3.0f32, 9.0, -1.0, 9.0, f32::NAN, 2.0, f32::NAN, -5.0];
        let x = Tensor::from_slice(&ctx, &[2, 4], &data).unwrap();
        let (value, at) = ops::max_with_index(&x, &[1], true).unwrap();
        assert_eq!((value.shape(), at.shape()), (&[2, 1][..], &[2, 1][..]));
        let value = value.to_vec::<f32>().unwrap();
        assert!(value[0] == 9.0 && value[1].is_nan());
        assert_eq!(at.to_vec::<i64>().unwrap(), [1, 0]);
        let (value, at) = ops::min_with_index(&x, &[0], false).unwrap();
        let value = value.to_vec::<f32>().unwrap();
        assert!(value[0].is_nan() && value[2].is_nan());
        assert_eq!((value[1], value[3]), (2.0, -5.0));
        assert_eq!(at.to_vec::<i64>().unwrap(), [1, 1, 1, 1]);
        // So long that it is cut into parts.
        let n = 300_001;
        let long: Vec<i32> = (0..n).map(|i| i * 7919 % 65_537).collect();
        let x = Tensor::from_slice(&ctx, &[n as usize], &long).unwrap();
        let (value, at) = ops::max_with_index(&x, &[], false).unwrap();
        let first = long.iter().position(|&v| v == 65_536).unwrap();
        assert_eq!(value.to_vec::<i32>().unwrap(), [65_536]);
        assert_eq!(at.to_vec::<i64>().unwrap(), [first as i64]);
        // Nothing but the least there is, and where it is not alone.
        for n in [1, 3, 40, 5000, 300_001] {
            let worst = vec![f32::NEG_INFINITY; n];
            let first = |data: &[f32]| {
                let x = Tensor::from_slice(&ctx, &[n], data).unwrap();
                let [along, down] = [x.clone(), x.unsqueeze(1).unwrap().expand(&[n, 20]).unwrap()];
                let along = ops::argmax(&along, &[0], false).unwrap();
                let down = ops::argmax(&down, &[0], false).unwrap();
                let [along, down] = [along, down].map(|t| t.to_vec::<i64>().unwrap());
                assert!(down.iter().all(|&at| at == along[0]), "{along:?}, {down:?}");
                along[0] as usize
            };
            assert_eq!(first(&worst), 0);
            for (value, last) in [(f32::MIN, f32::MIN), (-0.0, 0.0), (f32::NAN, -f32::NAN)] {
                let mut data = worst.clone();
                (data[n * 2 / 3], data[n - 1]) = (value, last);
                if n * 2 / 3 < n - 1 {
                    assert_eq!(first(&data), n * 2 / 3, "{value} among {n}");
                }
            }
            let x = Tensor::from_slice(&ctx, &[n], &vec![u32::MAX; n]).unwrap();
            let least = ops::argmin(&x, &[0], false).unwrap();
            assert_eq!(least.to_vec::<i64>().unwrap(), [0]);
        }
        let empty = Tensor::from_slice::<f32>(&ctx, &[2, 0], &[]).unwrap();
        let refused = ops::max_with_index(&empty, &[1], false);
        assert!(matches!(refused, Err(Error::Shape { .. })));
        assert!(ops::min_with_index(&empty, &[0], false).is_ok());
    }
}

#[test]
fn a_norm_reaches_as_far_as_its_dtype() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let norm = |data: &[f32]| {
            let x = Tensor::from_slice(&ctx, &[data.len()], data).unwrap();
            ops::norm_l2(&x, &[], false)
                .unwrap()
                .to_vec::<f32>()
                .unwrap()[0]
        };
        for unit in [1e-42f32, 1e-30, 1e-19, 1.0, 1e18, 5e37] {
            let got = norm(&[3.0 * unit, -4.0 * unit]);
            let want = (25f64 * f64::from(unit) * f64::from(unit)).sqrt();
            let near = (f64::from(got) - want).abs() <= want * 3e-7 + 3e-45;
            assert!(near, "{got} for {want} on {id}");
        }
        // Classes that meet each other.
        assert_eq!(norm(&[1e30, 1.0, 1e-30]), 1e30);
        assert_eq!(
            norm(&[1e-19, 1e-19]),
            (2f64.sqrt() * f64::from(1e-19f32)) as f32
        );
        assert!(norm(&[f32::INFINITY, 1.0]).is_infinite());
        assert!(norm(&[f32::NAN, 1e30, 1e-30]).is_nan() && norm(&[f32::NAN, 1e-30]).is_nan());
    }
}

#[test]
fn variance_of_a_long_and_far_away_tensor() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        // Mean 10^4, deviation 1: sums of squares would lose it all.
        let data: Vec<f32> = (0..200_000)
            .map(|i| 1e4 + if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        let x = Tensor::from_slice(&ctx, &[200_000], &data).unwrap();
        let got = ops::var(&x, &[], 0, false)
            .unwrap()
            .to_vec::<f32>()
            .unwrap()[0];
        assert!((got - 1.0).abs() < 1e-2, "{got} on {id}");
        let got = ops::std(&x, &[0], 1, true).unwrap();
        assert_eq!(got.shape(), [1]);
        assert!((got.to_vec::<f32>().unwrap()[0] - 1.0).abs() < 1e-2);
        let error = ops::var(&x, &[0], 2, false).unwrap_err().to_string();
        assert!(error.contains("correction 2"), "{error}");
        assert!(ops::reproducible::std(&x, &[0], 3, false).is_err());
        let one = Tensor::from_slice(&ctx, &[1], &[5.0f32]).unwrap();
        let of_one = |c| {
            ops::var(&one, &[0], c, false)
                .unwrap()
                .to_vec::<f32>()
                .unwrap()[0]
        };
        assert!(of_one(0) == 0.0 && of_one(1).is_nan());
        let inf = Tensor::from_slice(&ctx, &[2], &[1.0f32, f32::INFINITY]).unwrap();
        let var = ops::var(&inf, &[0], 0, false).unwrap();
        assert!(var.to_vec::<f32>().unwrap()[0].is_nan());
    }
}

/// Bits of reductions over awkward shapes and strides, in a fixed order.
fn fixed<T: Element>(
    ctx: &Context,
    names: &[&str],
    make: impl Fn(f64) -> T,
) -> Vec<(String, Vec<u8>)> {
    let cases: [(&[usize], &[i64]); 4] = [
        (&[2], &[0]),
        (&[70_001], &[]),
        (&[257, 65], &[0]),
        (&[7, 33, 41], &[0, 2]),
    ];
    let mut out = vec![];
    for (shape, axes) in cases {
        let mut random = Random::new(shape.iter().product::<usize>() as u64);
        let n: usize = shape.iter().product();
        let data: Vec<T> = (0..n).map(|_| make(random.unit() * 2.0 - 1.0)).collect();
        let x = Tensor::from_slice(ctx, shape, &data).unwrap();
        // The same elements under other strides must give the same bits, too.
        let turned = x.flip(0).unwrap().contiguous().unwrap().flip(0).unwrap();
        for name in names {
            let options = Reduction {
                keepdims: false,
                reproducible: true,
            };
            let run = |x: Expr| {
                let result = x.reduce_with(name, axes, options).unwrap();
                result.read_bytes().unwrap()
            };
            let bits = run(x.expr());
            assert_eq!(bits, run(turned.expr()), "{name} {shape:?}");
            out.push((format!("{name} {} {shape:?} {axes:?}", x.dtype()), bits));
        }
    }
    out
}

#[test]
fn a_fixed_order_gives_the_same_bits_on_every_device() {
    let all = |ctx: &Context| -> Vec<(String, Vec<u8>)> {
        let mut out = fixed(ctx, &["sum", "mean", "prod", "norm_l2", "var"], |v| {
            v as f32
        });
        out.extend(fixed(ctx, &["sum", "std"], |v| v));
        out.extend(fixed(ctx, &["sum", "var"], f16::from_f64));
        out
    };
    let devices = devices();
    let expected = all(&devices[0]);
    for ctx in &devices[1..] {
        let id = &ctx.device().info().id;
        for (want, got) in expected.iter().zip(all(ctx)) {
            assert_eq!(*want, got, "on {id}");
        }
    }
}

#[test]
fn the_fixed_order_is_the_documented_one() {
    let ctx = &devices()[0];
    let mut random = Random::new(7);
    let data: Vec<f32> = (0..9000).map(|_| random.unit() as f32).collect();
    let level = |xs: &[f32]| -> Vec<f32> {
        let block = |xs: &[f32]| {
            let mut chains = [0f32; 64];
            for (i, x) in xs.iter().enumerate() {
                chains[i % 64] += x;
            }
            let mut half = 32;
            while half > 0 {
                (0..half).for_each(|i| chains[i] += chains[i + half]);
                half /= 2;
            }
            chains[0]
        };
        xs.chunks(4096).map(block).collect()
    };
    let want = level(&level(&data))[0];
    let x = Tensor::from_slice(ctx, &[9000], &data).unwrap();
    let got = ops::reproducible::sum(&x, &[], false).unwrap();
    assert_eq!(got.to_vec::<f32>().unwrap(), [want]);
}
