//! Scans, sorts and folded runs on sizes that take several levels: many blocks, candidates for
//! top-k, runs across many chunks. What each operator computes is the conformance suite's affair.

use suanzi_backends::Context;
use suanzi_ops::ops::{Fold, Span};
use suanzi_ops::{Error, Tensor, ops};

fn devices() -> Vec<Context> {
    let found = ["cpu", "opencl:0", "vulkan:0"].map(Context::open);
    found.into_iter().filter_map(Result::ok).collect()
}

fn noise(n: usize) -> Vec<u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn long_rows_are_sorted_stably() {
    let n = 30_011;
    for ctx in devices() {
        let id = &ctx.device().info().id;
        // Few different values, both zeros, NaN of several kinds.
        let bits = noise(2 * n);
        let value = |b: &u64| match b % 41 {
            0 => f32::from_bits(0x7fc0_0000 | (b >> 60) as u32),
            1 => f32::from_bits(0xffc0_0001),
            2 => -0.0,
            3 => 0.0,
            4 => f32::NEG_INFINITY,
            5 => 1e-40,
            k => (k as f32 - 20.0) * (1 + (b >> 40) % 100) as f32,
        };
        let data: Vec<f32> = bits.iter().map(value).collect();
        let x = Tensor::from_slice(&ctx, &[2, n], &data).unwrap();
        for descending in [false, true] {
            let order = ops::argsort(&x, 1, descending).unwrap();
            let order = order.to_vec::<i64>().unwrap();
            let sorted = ops::sort(&x, 1, descending).unwrap();
            let sorted = sorted.to_vec::<f32>().unwrap();
            for row in 0..2 {
                let data = &data[row * n..][..n];
                let mut expected: Vec<i64> = (0..n as i64).collect();
                expected.sort_by(|&i, &j| {
                    let (a, b) = (data[i as usize], data[j as usize]);
                    let forward = if descending {
                        b.total_cmp(&a)
                    } else {
                        a.total_cmp(&b)
                    };
                    let nan = a.is_nan().cmp(&b.is_nan());
                    nan.then(if a.is_nan() { nan } else { forward })
                });
                assert_eq!(&order[row * n..][..n], expected, "{descending} on {id}");
                for (at, got) in expected.iter().zip(&sorted[row * n..]) {
                    let want = data[*at as usize];
                    let same = want.to_bits() == got.to_bits() || (want.is_nan() && got.is_nan());
                    assert!(same, "{got} not {want} on {id}");
                }
            }
        }
    }
}

#[test]
fn keys_of_64_bits() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let data: Vec<i64> = noise(5_003).iter().map(|&b| b as i64 >> (b % 50)).collect();
        let x = Tensor::from_slice(&ctx, &[data.len()], &data).unwrap();
        let mut expected = data.clone();
        expected.sort_unstable();
        let got = ops::sort(&x, 0, false).unwrap().to_vec::<i64>().unwrap();
        assert_eq!(got, expected, "{id}");
    }
}

#[test]
fn the_best_of_many_are_found_among_candidates() {
    let n = 100_003;
    for ctx in devices() {
        let id = &ctx.device().info().id;
        // Many equal ones, so that positions decide.
        let data: Vec<i32> = noise(n).iter().map(|b| (b % 1000) as i32 - 500).collect();
        let x = Tensor::from_slice(&ctx, &[n], &data).unwrap();
        for largest in [false, true] {
            let [values, positions] = ops::topk(&x, 20, 0, largest).unwrap();
            let mut expected: Vec<usize> = (0..n).collect();
            expected.sort_by_key(|&i| if largest { -data[i] } else { data[i] });
            let at: Vec<usize> = positions
                .to_vec::<i64>()
                .unwrap()
                .into_iter()
                .map(|i| i as usize)
                .collect();
            assert_eq!(at, expected[..20], "{largest} on {id}");
            let best: Vec<i32> = at.iter().map(|&i| data[i]).collect();
            assert_eq!(values.to_vec::<i32>().unwrap(), best);
        }
        let refused = ops::topk(&x, n + 1, 0, true);
        assert!(matches!(refused, Err(Error::Value { .. })));
    }
}

#[test]
fn running_sums_of_many_parts() {
    let (rows, columns) = (20_011usize, 5usize);
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let data: Vec<i32> = noise(rows * columns).iter().map(|&b| b as i32).collect();
        for (shape, axis, stride) in [([rows, columns], 0, columns), ([columns, rows], 1, 1)] {
            let x = Tensor::from_slice(&ctx, &shape, &data).unwrap();
            for (exclusive, reverse) in [(false, false), (true, false), (false, true), (true, true)]
            {
                let span = Span { exclusive, reverse };
                let got = ops::cumsum(&x, axis, span)
                    .unwrap()
                    .to_vec::<i32>()
                    .unwrap();
                let mut expected = vec![0; data.len()];
                for line in 0..columns {
                    let first = if axis == 0 { line } else { line * rows };
                    let mut sum = 0i32;
                    for i in 0..rows {
                        let i = if reverse { rows - 1 - i } else { i };
                        let at = first + i * stride;
                        let next = sum.wrapping_add(data[at]);
                        expected[at] = if exclusive { sum } else { next };
                        sum = next;
                    }
                }
                assert!(got == expected, "{shape:?} {span:?} on {id}");
            }
        }
    }
}

#[test]
fn runs_reach_across_chunks_and_levels() {
    let n = 40_009usize;
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let bits = noise(n);
        // One run over half of everything, then short ones.
        let target = |i: usize| {
            if i < n / 2 {
                3
            } else {
                4 + i % 7 * 1000 + i / 50 % 900
            }
        };
        let mut ids: Vec<i32> = (0..n).map(|i| target(i) as i32).collect();
        ids.sort_unstable();
        let data: Vec<i32> = bits.iter().map(|&b| b as i32).collect();
        let mut expected = vec![0i32; 7000];
        for (&id, &x) in ids.iter().zip(&data) {
            let sum = &mut expected[id as usize];
            *sum = sum.wrapping_add(x);
        }
        let x = Tensor::from_slice(&ctx, &[n], &data).unwrap();
        let i = Tensor::from_slice(&ctx, &[n], &ids).unwrap();
        for sorted in [true, false] {
            let got = ops::segment_sum(&x, &i, 7000, sorted).unwrap();
            assert!(
                got.to_vec::<i32>().unwrap() == expected,
                "sorted {sorted} on {id}"
            );
        }
        // The last of very many updates stays.
        let targets: Vec<i64> = bits.iter().map(|b| (b % 6) as i64 - 1).collect();
        let mut expected = [-1i32; 5];
        for (&t, &x) in targets.iter().zip(&data) {
            // -1 is the last place.
            expected[t.rem_euclid(5) as usize] = x;
        }
        let t = Tensor::from_slice(&ctx, &[n], &targets).unwrap();
        let places = Tensor::from_slice(&ctx, &[5], &[-1i32; 5]).unwrap();
        let got = ops::scatter(&places, 0, &t, &x, Fold::Replace, true).unwrap();
        assert_eq!(got.to_vec::<i32>().unwrap(), expected, "{id}");
        let beyond = Tensor::from_slice(&ctx, &[1], &[5i64]).unwrap();
        let one = x.slice(0, 0, 1, 1).unwrap();
        let skipped = ops::scatter(&places, 0, &beyond, &one, Fold::Add, false).unwrap();
        assert_eq!(skipped.to_vec::<i32>().unwrap(), [-1; 5], "{id}");
        let refused = ops::scatter(&places, 0, &beyond, &one, Fold::Add, true);
        assert!(matches!(refused, Err(Error::Value { .. })));
    }
}

#[test]
fn a_device_repeats_its_bits() {
    let n = 50_021usize;
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let data: Vec<f32> = noise(n)
            .iter()
            .map(|b| (b % 2001) as f32 * 0.37 - 300.0)
            .collect();
        let ids: Vec<i32> = noise(n).iter().map(|b| (b >> 20) as i32 & 15).collect();
        let x = Tensor::from_slice(&ctx, &[n], &data).unwrap();
        let i = Tensor::from_slice(&ctx, &[n], &ids).unwrap();
        let run = || {
            let sums = ops::cumsum(&x, 0, Span::default())
                .unwrap()
                .read_bytes()
                .unwrap();
            let segments = ops::segment_sum(&x, &i, 16, false).unwrap();
            (sums, segments.read_bytes().unwrap())
        };
        assert!(run() == run(), "{id}");
    }
}
