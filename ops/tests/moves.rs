//! Moves of elements: every permutation of shapes whose axes are shorter than, as long as and longer
//! than tiles and cache lines; views that are moved as wider elements, and those that must not be.

mod common;

use common::devices;
use suanzi_backends::Context;
use suanzi_ops::{Num, Scalar, Tensor, ops};

/// Neither a power of two, nor what `iota` writes.
const CANARY: u32 = 0x5aa5_5aa5;

fn permutations() -> Vec<[i64; 4]> {
    let digits = |code: i64| [code / 64, code / 16 % 4, code / 4 % 4, code % 4];
    let each_once = |axes: &[i64; 4]| (0..4).all(|a| axes.contains(&a));
    (0..256).map(digits).filter(each_once).collect()
}

/// Elements that count, cut to their dtype.
fn iota(n: usize, dtype: Scalar) -> Vec<u8> {
    let bytes = |i: usize| {
        let bits = (i as u64 + 1).wrapping_mul(0x9e37_79b1);
        bits.to_le_bytes()[..dtype.bytes()].to_vec()
    };
    (0..n).flat_map(bytes).collect()
}

/// Copies a view into a view, and looks at every byte of the memory of the latter.
fn moves(ctx: &Context, x: &Tensor, host: &[u8], to: impl Fn(&Tensor) -> Tensor, room: usize) {
    let dtype = x.dtype();
    let canary = Num::Int((u64::from(CANARY) & ((1 << (8 * dtype.bytes().min(4))) - 1)).into());
    let memory = ops::fill(ctx, dtype, &[room], canary).unwrap();
    let mut expected = memory.read_bytes().unwrap();
    let out = to(&memory);
    x.expr().eval_into(&out).unwrap();
    let size = dtype.bytes();
    for i in 0..x.numel() {
        let (mut rest, mut from, mut into) = (i, x.offset() as i64, out.offset() as i64);
        for axis in (0..x.shape().len()).rev() {
            let at = (rest % x.shape()[axis]) as i64;
            rest /= x.shape()[axis];
            from += at * x.strides()[axis];
            into += at * out.strides()[axis];
        }
        let element = &host[from as usize * size..][..size];
        expected[into as usize * size..][..size].copy_from_slice(element);
    }
    let right = memory.read_bytes().unwrap() == expected;
    let (shape, strides) = (x.shape(), x.strides());
    assert!(
        right,
        "{dtype} {shape:?} {strides:?} to {:?}",
        out.strides()
    );
}

#[test]
fn every_permutation_of_four_axes() {
    let shapes = [
        [3, 6, 20, 33],
        [2, 8, 64, 16],
        [5, 4, 32, 8],
        [16, 2, 7, 70],
    ];
    for ctx in devices() {
        for (dtype, shape) in [Scalar::U8, Scalar::U16, Scalar::U32, Scalar::U64]
            .into_iter()
            .flat_map(|dtype| shapes.map(|shape| (dtype, shape)))
        {
            let n = shape.iter().product();
            let host = iota(n, dtype);
            let x = Tensor::from_bytes(&ctx, dtype, &shape, &host).unwrap();
            for axes in permutations() {
                let view = x.permute(&axes).unwrap();
                let to = |memory: &Tensor| {
                    let inside = memory.slice(0, 1, n as i64 + 1, 1).unwrap();
                    inside.reshape(view.shape()).unwrap()
                };
                moves(&ctx, &view, &host, to, n + 3);
            }
        }
    }
}

#[test]
fn views_are_moved_as_wider_elements_only_where_these_fit() {
    // Row length, row strides and offsets, in and out: even, divisible by four, odd.
    let lengths = [1, 2, 3, 4, 6, 8, 12, 37, 64];
    let steps = [64, 66, 68, 71, 72];
    for ctx in devices() {
        for dtype in [Scalar::U8, Scalar::U16] {
            let host = iota(8 * 72 + 8, dtype);
            let x = Tensor::from_bytes(&ctx, dtype, &[host.len() / dtype.bytes()], &host).unwrap();
            for length in lengths {
                for (from, to, offset) in steps
                    .into_iter()
                    .flat_map(|s| [(s, 72, 0), (72, s, 4), (s, s, 2), (s, s, 1)])
                {
                    let view = |t: &Tensor, step: i64| {
                        t.as_strided(&[7, length], &[step, 1], offset).unwrap()
                    };
                    moves(&ctx, &view(&x, from), &host, |m| view(m, to), 8 * 72 + 8);
                }
            }
        }
    }
}
