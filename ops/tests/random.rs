//! Random numbers: the published answers of Philox, the same stream on every device, and moments.

mod common;

use common::devices;
use half::{bf16, f16};
use suanzi_backends::Context;
use suanzi_ops::ops::Stream;
use suanzi_ops::{Error, Scalar, Tensor, ops};

/// Counter, key and result of Random123's known-answer tests for philox4x32 with 10 rounds.
const KNOWN: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
    (
        [0; 4],
        [0; 2],
        [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
    ),
    (
        [u32::MAX; 4],
        [u32::MAX; 2],
        [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
    ),
    (
        [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
        [0xa409_3822, 0x299f_31d0],
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
    ),
];

#[test]
fn words_are_the_published_ones() {
    let wide = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    for ctx in devices() {
        for (counter, key, want) in KNOWN {
            let from = Stream {
                seed: wide(key[0], key[1]),
                stream: wide(counter[2], counter[3]),
                offset: wide(counter[0], counter[1]),
            };
            let got = ops::random_bits(&ctx, &[4], from).unwrap().eval().unwrap();
            assert_eq!(got.to_vec::<u32>().unwrap(), want);
        }
    }
}

/// The bits of everything that is drawn.
fn drawn(ctx: &Context) -> Vec<Vec<u8>> {
    let shape = [37, 29];
    let mut out = vec![];
    let mut add = |t: Tensor| out.push(t.read_bytes().unwrap());
    for dtype in [Scalar::F32, Scalar::F64, Scalar::F16, Scalar::Bf16] {
        add(ops::uniform(ctx, dtype, &shape, -1.0, 3.0, 5)
            .unwrap()
            .eval()
            .unwrap());
        add(ops::normal(ctx, dtype, &shape, 0.5, 2.0, 6)
            .unwrap()
            .eval()
            .unwrap());
    }
    add(ops::bernoulli(ctx, &shape, 0.3, 7).unwrap().eval().unwrap());
    add(ops::random_integers(ctx, Scalar::I16, &shape, -300, 500, 8)
        .unwrap()
        .eval()
        .unwrap());
    let all = ops::random_integers(ctx, Scalar::I64, &shape, i64::MIN, i64::MAX, 8).unwrap();
    add(all.eval().unwrap());
    add(ops::permutation(ctx, 500, 9).unwrap());
    let x = Tensor::from_slice(ctx, &[1000], &[1.0f32; 1000]).unwrap();
    add(ops::dropout(&x, 0.4, 10).unwrap().eval().unwrap());
    out
}

#[test]
fn a_seed_gives_the_same_bits_on_every_device() {
    let devices = devices();
    let want = drawn(&devices[0]);
    for ctx in &devices[1..] {
        for (i, (want, got)) in want.iter().zip(drawn(ctx)).enumerate() {
            assert_eq!(*want, got, "draw {i} on {}", ctx.device().info().id);
        }
    }
}

#[test]
fn a_part_can_be_drawn_alone_and_streams_differ() {
    let ctx = &devices()[0];
    let bits = |shape: &[usize], from: Stream| {
        let t = ops::random_bits(ctx, shape, from).unwrap().eval().unwrap();
        t.to_vec::<u32>().unwrap()
    };
    let whole = bits(&[10, 100], 3.into());
    let part = bits(
        &[40],
        Stream {
            offset: 50,
            ..3.into()
        },
    );
    assert_eq!(part, whole[200..240]);
    let other = bits(
        &[1000],
        Stream {
            stream: 1,
            ..3.into()
        },
    );
    let equal = whole.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(equal < 3);
    assert_ne!(whole, bits(&[1000], 4.into()));
}

fn moments(xs: &[f64]) -> (f64, f64) {
    let n = xs.len() as f64;
    let mean = xs.iter().sum::<f64>() / n;
    (mean, xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
}

#[test]
fn moments_and_frequencies_are_those_of_the_distributions() {
    let ctx = &devices()[0];
    const N: usize = 200_000;
    // Five standard errors of means and variances.
    let near = |got: f64, want: f64, error: f64| {
        assert!((got - want).abs() < 5.0 * error, "{got} for {want}");
    };
    let root = (N as f64).sqrt();
    let u = ops::uniform(ctx, Scalar::F32, &[N], 2.0, 5.0, 11).unwrap();
    let u: Vec<f64> = u
        .eval()
        .unwrap()
        .to_vec::<f32>()
        .unwrap()
        .iter()
        .map(|&x| x.into())
        .collect();
    assert!(u.iter().all(|x| (2.0..5.0).contains(x)));
    let (mean, var) = moments(&u);
    near(mean, 3.5, 0.87 / root);
    near(var, 0.75, 0.7 / root);

    let z = ops::normal(ctx, Scalar::F64, &[N], 1.0, 2.0, 12).unwrap();
    let z = z.eval().unwrap().to_vec::<f64>().unwrap();
    let (mean, var) = moments(&z);
    near(mean, 1.0, 2.0 / root);
    near(var, 4.0, 4.0 * 2f64.sqrt() / root);
    // The two of a pair have nothing to do with each other.
    let product: f64 = z.chunks(2).map(|p| (p[0] - 1.0) * (p[1] - 1.0)).sum();
    near(product / (N as f64 / 2.0), 0.0, 4.0 * 2f64.sqrt() / root);

    // 20 dice: chi-square of 19 degrees of freedom stays below 50 (p = 0.0001).
    let dice = ops::random_integers(ctx, Scalar::U8, &[N], 0, 20, 13).unwrap();
    let dice = dice.eval().unwrap().to_vec::<u8>().unwrap();
    let want = N as f64 / 20.0;
    let chi: f64 = (0..20u8)
        .map(|v| dice.iter().filter(|&&d| d == v).count() as f64)
        .map(|n| (n - want).powi(2) / want)
        .sum();
    assert!(chi < 50.0, "{chi}");

    let heads = ops::bernoulli(ctx, &[N], 0.2, 14).unwrap().eval().unwrap();
    let heads = heads
        .to_vec::<bool>()
        .unwrap()
        .iter()
        .filter(|&&b| b)
        .count();
    near(heads as f64 / N as f64, 0.2, 0.4 / root);

    let mut order = ops::permutation(ctx, 5000, 15)
        .unwrap()
        .to_vec::<i64>()
        .unwrap();
    let fixed = order
        .iter()
        .enumerate()
        .filter(|(i, v)| *i as i64 == **v)
        .count();
    assert!(fixed < 10, "{fixed}");
    order.sort_unstable();
    assert!(order.iter().enumerate().all(|(i, &v)| i as i64 == v));
}

#[test]
fn the_upper_bound_is_never_drawn() {
    let ctx = &devices()[0];
    let from = |dtype, low, high| {
        let u = ops::uniform(ctx, dtype, &[20_000], low, high, 1).unwrap();
        u.eval().unwrap()
    };
    let halves = from(Scalar::F16, 1.0, 1.01).to_vec::<f16>().unwrap();
    assert!(
        halves
            .iter()
            .all(|x| *x < f16::from_f64(1.01) && *x >= f16::ONE)
    );
    let brains = from(Scalar::Bf16, 1.0, 2.0).to_vec::<bf16>().unwrap();
    assert!(brains.iter().all(|x| *x < bf16::from_f64(2.0)));
}

#[test]
fn bad_arguments_are_refused() {
    let ctx = &devices()[0];
    let is_value = |r: Result<suanzi_ops::Expr, Error>| matches!(r, Err(Error::Value { .. }));
    assert!(is_value(ops::uniform(ctx, Scalar::F32, &[2], 1.0, 1.0, 0)));
    assert!(is_value(ops::uniform(ctx, Scalar::F16, &[2], 0.0, 1e6, 0)));
    assert!(is_value(ops::uniform(
        ctx,
        Scalar::F32,
        &[2],
        f64::NAN,
        1.0,
        0
    )));
    assert!(is_value(ops::random_integers(
        ctx,
        Scalar::U8,
        &[2],
        -1,
        5,
        0
    )));
    assert!(is_value(ops::random_integers(
        ctx,
        Scalar::U8,
        &[2],
        5,
        5,
        0
    )));
    let x = Tensor::from_slice(ctx, &[2], &[1.0f32, 2.0]).unwrap();
    assert!(is_value(ops::dropout(&x, 1.0, 0)));
    let floats = ops::random_integers(ctx, Scalar::F32, &[2], 0, 5, 0);
    assert!(matches!(floats, Err(Error::Dtype { .. })));
    let ints = ops::normal(ctx, Scalar::I32, &[2], 0.0, 1.0, 0);
    assert!(matches!(ints, Err(Error::Dtype { .. })));
    assert!(ops::bernoulli(ctx, &[3], &x, 0).is_err());
    assert!(ops::random_bits(ctx, &[usize::MAX, 3], 0).is_err());
}
