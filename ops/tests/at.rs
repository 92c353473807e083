//! Elements at computed coordinates: in maps, inside reductions, at every kind of edge.

use half::f16;
use suanzi_backends::Context;
use suanzi_ops::{Expr, Num, Outside, Tensor, ops};

fn devices() -> Vec<Context> {
    let found = ["cpu", "opencl:0", "vulkan:0"].map(Context::open);
    found.into_iter().filter_map(Result::ok).collect()
}

/// What `outside` says of a coordinate: a position, or nothing.
fn place(outside: Outside, at: i64, length: i64) -> Option<i64> {
    let end = matches!(outside, Outside::EndClamp | Outside::EndFill(_));
    let at = if end && at < 0 { at + length } else { at };
    match outside {
        Outside::Clamp | Outside::EndClamp => Some(at.clamp(0, length - 1)),
        _ => (0..length).contains(&at).then_some(at),
    }
}

#[test]
fn computed_coordinates_meet_every_kind_of_edge() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let (rows, columns, width) = (5usize, 37usize, 41usize);
        let data: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
        let x = Tensor::from_slice(&ctx, &[rows, columns], &data).unwrap();
        let picks: Vec<i64> = (0..3 * width as i64).map(|i| (i * 7) % 90 - 45).collect();
        let narrow: Vec<i32> = vec![4, -9, 2];
        let pick = Tensor::from_slice(&ctx, &[3, width], &picks).unwrap();
        let row = Tensor::from_slice(&ctx, &[3, 1], &narrow).unwrap();
        let fill = Num::Float(-1.5);
        for outside in [
            Outside::Clamp,
            Outside::EndClamp,
            Outside::Fill(fill),
            Outside::EndFill(fill),
        ] {
            let got = Expr::at(&x, &[row.expr(), pick.expr()], outside).unwrap();
            let expected: Vec<f32> = (0..3 * width)
                .map(|i| {
                    let r = place(outside, narrow[i / width].into(), rows as i64);
                    let c = place(outside, picks[i], columns as i64);
                    r.zip(c).map_or(-1.5, |(r, c)| (r * 37 + c) as f32)
                })
                .collect();
            let moved = got.eval().unwrap().to_vec::<f32>().unwrap();
            assert_eq!(moved, expected, "{outside:?} on {id}");
            // Computed with, and folded.
            let sums = ops::sum(ops::add(got, 1.0).unwrap(), &[1], false).unwrap();
            let sum = |r: &[f32]| r.iter().map(|x| x + 1.0).sum::<f32>();
            let expected: Vec<f32> = expected.chunks(width).map(sum).collect();
            assert_eq!(
                sums.to_vec::<f32>().unwrap(),
                expected,
                "{outside:?} on {id}"
            );
        }
    }
}

#[test]
fn rows_are_gathered_and_positions_are_free() {
    for ctx in devices() {
        let id = &ctx.device().info().id;
        let data: Vec<f16> = (0..6 * 33).map(|i| f16::from_f32(i as f32)).collect();
        let x = Tensor::from_slice(&ctx, &[6, 33], &data).unwrap();
        let row = Tensor::from_slice(&ctx, &[4, 1], &[5i32, 0, -1, 9]).unwrap();
        let column = Expr::position(&ctx, &[1, 33], 1).unwrap();
        let (got, log) = ctx.trace(|| {
            let rows = Expr::at(&x, &[row.expr(), column], Outside::EndClamp).unwrap();
            rows.eval().unwrap().to_vec::<f16>().unwrap()
        });
        assert_eq!(log.len(), 1, "{log:?}");
        let expected: Vec<f16> = [5usize, 0, 5, 5]
            .iter()
            .flat_map(|&r| data[r * 33..][..33].to_vec())
            .collect();
        assert_eq!(got, expected, "{id}");
        // A diagonal: both coordinates are the same position.
        let p = Expr::position(&ctx, &[6], 0).unwrap();
        let diagonal = Expr::at(&x, &[p.clone(), p.clone()], Outside::Clamp).unwrap();
        let expected: Vec<f16> = (0..6).map(|i| data[i * 34]).collect();
        assert_eq!(
            diagonal.eval().unwrap().to_vec::<f16>().unwrap(),
            expected,
            "{id}"
        );
        let column = Expr::position(&ctx, &[2, 3, 4], 1).unwrap().eval().unwrap();
        let expected: Vec<i32> = (0..24).map(|i| i / 4 % 3).collect();
        assert_eq!(column.to_vec::<i32>().unwrap(), expected, "{id}");
    }
}

#[test]
fn moves_keep_every_bit_of_a_nan() {
    for ctx in devices() {
        let data: Vec<f16> = (0x7c01..0x7c41).map(f16::from_bits).collect();
        let x = Tensor::from_slice(&ctx, &[8, 8], &data).unwrap();
        let t = x.transpose(0, 1).unwrap().contiguous().unwrap();
        let got: Vec<u16> = t
            .to_vec::<f16>()
            .unwrap()
            .iter()
            .map(|x| x.to_bits())
            .collect();
        let expected: Vec<u16> = (0..64).map(|i| data[i % 8 * 8 + i / 8].to_bits()).collect();
        assert_eq!(got, expected);
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let ctx = Context::open("cpu").unwrap();
    let x = Tensor::from_slice(&ctx, &[2, 3], &[0f32; 6]).unwrap();
    let at = |t: &Tensor, coords: &[Expr]| Expr::at(t, coords, Outside::Clamp);
    assert!(at(&x, &[Expr::from(1i32)]).is_err());
    assert!(at(&x, &[Expr::from(1i32), Expr::from(1.0f32)]).is_err());
    let (two, three) = ([0i32; 2], [0i32; 3]);
    let two = Tensor::from_slice(&ctx, &[2], &two).unwrap();
    let three = Tensor::from_slice(&ctx, &[3], &three).unwrap();
    assert!(at(&x, &[two.expr(), three.expr()]).is_err());
    let none = Tensor::empty(&ctx, suanzi_ops::Scalar::F32, &[0]).unwrap();
    assert!(at(&none, &[two.expr()]).is_err());
    let filled = Expr::at(&none, &[two.expr()], Outside::Fill(Num::Float(7.0))).unwrap();
    assert_eq!(filled.eval().unwrap().to_vec::<f32>().unwrap(), [7.0, 7.0]);
}
