//! Operators end to end on every device found: shapes, strides, fusion, errors. What each
//! operator computes is the conformance suite's affair.

mod common;

use common::devices;
use suanzi_backends::Context;
use suanzi_ops::{Error, Expr, Num, Scalar, Tensor, ops};

fn cpu() -> Context {
    Context::open("cpu").expect("the built-in device")
}

fn iota(ctx: &Context, shape: &[usize]) -> Tensor {
    ops::iota(ctx, Scalar::F32, shape, Num::Float(0.0), Num::Float(1.0)).unwrap()
}

#[test]
fn a_map_of_every_length_around_the_tile_edges() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        for n in [0usize, 1, 2, 15, 16, 17, 1023, 1024, 1025, 4097] {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let x = Tensor::from_slice(&ctx, &[n], &a).unwrap();
            let y = ops::add(&x, 1.0).unwrap().eval().unwrap();
            let expected: Vec<f32> = a.iter().map(|x| x + 1.0).collect();
            assert_eq!(y.to_vec::<f32>().unwrap(), expected, "{n} on {id}");
        }
    }
}

#[test]
fn views_broadcast_and_fuse_into_one_launch() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let x = iota(&ctx, &[3, 4]);
        let column = iota(&ctx, &[3, 1]);
        let (y, log) = ctx.trace(|| {
            let t = x.transpose(0, 1).unwrap().flip(0).unwrap();
            let sum = ops::add(&t, column.transpose(0, 1).unwrap()).unwrap();
            let chain = ops::mul(ops::abs(ops::neg(sum).unwrap()).unwrap(), 2.0).unwrap();
            chain.eval().unwrap()
        });
        assert_eq!(log.len(), 1, "{id}: {log:?}");
        assert_eq!(y.shape(), [4, 3]);
        let expected: Vec<f32> = (0..12)
            .map(|i| (i / 3, i % 3))
            .map(|(r, c)| ((c * 4 + (3 - r)) as f32 + c as f32) * 2.0)
            .collect();
        assert_eq!(y.to_vec::<f32>().unwrap(), expected);
    }
}

#[test]
fn reductions_over_every_set_of_axes() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        for shape in [[2usize, 3, 5], [4, 70, 33], [1, 1, 1], [130, 2, 1]] {
            let n: usize = shape.iter().product();
            let data: Vec<i32> = (0..n as i32).map(|i| i * 7 % 1000 - 300).collect();
            let x = Tensor::from_slice(&ctx, &shape, &data).unwrap();
            for mask in 1..8usize {
                let axes: Vec<i64> = (0..3).filter(|a| mask >> a & 1 == 1).collect();
                let kept = |i: usize, d: usize| if mask >> d & 1 == 1 { 0 } else { i };
                let out: Vec<usize> = (0..3)
                    .map(|d| if mask >> d & 1 == 1 { 1 } else { shape[d] })
                    .collect();
                let mut sum = vec![0i32; out.iter().product()];
                for (i, v) in data.iter().enumerate() {
                    let at = [
                        i / (shape[1] * shape[2]),
                        i / shape[2] % shape[1],
                        i % shape[2],
                    ];
                    let o = (0..3).fold(0, |o, d| o * out[d] + kept(at[d], d));
                    sum[o] += v;
                }
                let y = ops::sum(&x, &axes, true).unwrap();
                assert_eq!(y.shape(), out);
                assert_eq!(
                    y.to_vec::<i32>().unwrap(),
                    sum,
                    "{shape:?} {axes:?} on {id}"
                );
            }
        }
    }
}

#[test]
fn a_long_reduction_is_cut_and_joined() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let n = 1_000_003;
        let data: Vec<f32> = (0..n).map(|i| ((i * 31 % 1999) as f32) - 999.0).collect();
        let x = Tensor::from_slice(&ctx, &[n], &data).unwrap();
        let exact: f64 = data.iter().map(|&x| f64::from(x)).sum();
        let got = ops::sum(&x, &[], false).unwrap().to_vec::<f32>().unwrap()[0];
        assert!(
            (f64::from(got) - exact).abs() <= 1e-3 * exact.abs().max(1.0),
            "{got} {exact} on {id}"
        );
        let at = ops::argmax(&x, &[0], false)
            .unwrap()
            .to_vec::<i64>()
            .unwrap()[0];
        let first = data.iter().position(|&x| x == 999.0).unwrap();
        assert_eq!(at as usize, first, "{id}");
        let mean = ops::mean(&x, &[0], true).unwrap();
        assert_eq!(mean.shape(), [1]);
        let got = mean.to_vec::<f32>().unwrap()[0];
        assert!((f64::from(got) - exact / n as f64).abs() < 1e-3);
    }
}

#[test]
fn empty_reductions_give_the_identity() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let x = Tensor::from_slice::<f32>(&ctx, &[3, 0], &[]).unwrap();
        assert_eq!(
            ops::sum(&x, &[1], false).unwrap().to_vec::<f32>().unwrap(),
            [0.0; 3],
            "{id}"
        );
        assert_eq!(
            ops::max(&x, &[1], false).unwrap().to_vec::<f32>().unwrap(),
            [f32::NEG_INFINITY; 3]
        );
        assert_eq!(
            ops::all(&x, &[], false).unwrap().to_vec::<bool>().unwrap(),
            [true]
        );
        assert!(
            ops::sum(&x, &[0], false)
                .unwrap()
                .to_vec::<f32>()
                .unwrap()
                .is_empty()
        );
        assert!(matches!(
            ops::argmax(&x, &[1], false),
            Err(Error::Shape { .. })
        ));
    }
}

#[test]
fn the_destination_may_be_a_view_and_the_input_itself() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let x = iota(&ctx, &[4, 4]);
        let middle = x.slice(0, 1, 3, 1).unwrap().slice(1, 3, 0, -1).unwrap();
        ops::mul(&middle, -1.0).unwrap().eval_into(&middle).unwrap();
        let expected: Vec<f32> = (0..16)
            .map(|i| {
                let inside = (1..3).contains(&(i / 4)) && i % 4 > 0;
                if inside { -(i as f32) } else { i as f32 }
            })
            .collect();
        assert_eq!(x.to_vec::<f32>().unwrap(), expected, "{id}");
        assert!(ops::add(&x, 1.0).unwrap().eval_into(&middle).is_err());
        let one = iota(&ctx, &[1]).expand(&[4]).unwrap();
        assert!(ops::add(&one, 1.0).unwrap().eval_into(&one).is_err());
    }
}

#[test]
fn a_view_past_two_to_the_32_elements_is_indexed_in_64_bits() {
    let ctx = cpu();
    let n = (1usize << 32) + 10;
    let Ok(huge) = Tensor::empty(&ctx, Scalar::U8, &[n]) else {
        panic!("4 GiB of lazily touched memory");
    };
    let far = huge.as_strided(&[3], &[4], n - 9).unwrap();
    Expr::fill(&ctx, Scalar::U8, &[3], Num::Int(7))
        .eval_into(&far)
        .unwrap();
    assert_eq!(
        ops::add(&far, 1)
            .unwrap()
            .eval()
            .unwrap()
            .to_vec::<u8>()
            .unwrap(),
        [8; 3]
    );
    assert_eq!(
        ops::sum(&far, &[0], false).unwrap().to_vec::<u8>().unwrap(),
        [21]
    );
}

#[test]
fn errors_name_the_operator_and_what_to_do() {
    let ctx = cpu();
    let (a, b) = (iota(&ctx, &[2, 3]), iota(&ctx, &[4]));
    let text = |r: Result<Expr, Error>| r.err().expect("an error").to_string();
    let shapes = text(ops::add(&a, &b));
    assert!(
        shapes.contains("add") && shapes.contains("[2, 3], [4]"),
        "{shapes}"
    );
    let ints = Tensor::from_slice(&ctx, &[3], &[1i32, 2, 3]).unwrap();
    let dtypes = text(ops::add(&a, &ints));
    assert!(
        dtypes.contains("f32, i32") && dtypes.contains("cast"),
        "{dtypes}"
    );
    assert!(text(ops::sqrt(&ints)).contains("it takes"));
    assert!(text(ops::add(&ints, 0.5)).contains("cast"));
    let axis = ops::sum(&a, &[2], false).unwrap_err().to_string();
    assert!(axis.contains("axis 2") && axis.contains("[2, 3]"), "{axis}");
    assert!(ops::sum(&a, &[0, -2], false).is_err());
    let unknown = Expr::map("logical", &[a.expr()]).err().unwrap().to_string();
    assert!(unknown.contains("logical_and"), "{unknown}");
    let other = cpu();
    let elsewhere = iota(&other, &[2, 3]);
    assert!(matches!(
        ops::add(&a, &elsewhere),
        Err(Error::Device { .. })
    ));
    assert!(Expr::from(1.0).eval().is_err());
    assert!(a.reshape(&[7]).is_err() && a.as_strided(&[3], &[3], 0).is_err());
    assert!(Tensor::empty(&ctx, Scalar::F64, &[usize::MAX, 2]).is_err());
}

/// A layer's kept weights give the bits that weights packed anew give, whatever the image's size.
#[test]
fn a_layer_keeps_its_weights() {
    let how = ops::Convolution {
        strides: vec![2, 1],
        pads: vec![(1, 0), (1, 1)],
        groups: 2,
        ..ops::Convolution::default()
    };
    for ctx in devices() {
        let numbers = |shape: &[usize], seed: usize| {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count)
                .map(|i| ((i * 37 + seed) % 19) as f32 / 8.0 - 1.0)
                .collect();
            Tensor::from_slice(&ctx, shape, &values).expect("a tensor")
        };
        let (weights, bias) = (numbers(&[70, 6, 3, 2], 1), numbers(&[70], 2));
        let layer = ops::ConvLayer::new(&weights, Some(&bias), how.clone());
        for (seed, shape) in [[1, 12, 5, 7], [2, 12, 20, 19], [1, 12, 3, 2]]
            .iter()
            .enumerate()
        {
            let image = numbers(shape, seed);
            let kept = layer.run(&image).expect("a result");
            let anew = ops::conv(&image, &weights, Some(&bias), &how).expect("a result");
            assert_eq!(kept.shape(), anew.shape());
            let bits = |t: &Tensor| t.to_vec::<f32>().expect("values");
            assert_eq!(bits(&kept), bits(&anew), "{}", ctx.device().info().id);
        }
    }
}
