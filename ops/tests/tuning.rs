//! Tuned tiles: used for their class of shapes, and struck where they fail.

mod common;

use suanzi_backends::{Context, Settings, registry};
use suanzi_ops::{Scalar, Tensor, ops, tuning};

/// The device of a context, with nothing tuned but in a folder that is new.
fn untuned(ctx: &Context, folder: &std::path::Path) -> Context {
    let settings = Settings {
        cache_dir: Some(folder.into()),
        ..Settings::default()
    };
    let id = &ctx.device().info().id;
    Context::with_settings(registry::open(id).unwrap(), settings)
}

/// A product of whole numbers, to the bit.
fn product_is_right(ctx: &Context, [m, n, k]: [usize; 3]) {
    let element = |i: usize| (i * 7 % 11) as f32 - 5.0;
    let fill = |count: usize| (0..count).map(element).collect::<Vec<f32>>();
    let (a, b) = (fill(m * k), fill(k * n));
    let [x, y] = [(&a, [m, k]), (&b, [k, n])].map(|(v, shape)| Tensor::from_slice(ctx, &shape, v));
    let c: Vec<f32> = ops::matmul(&x.unwrap(), &y.unwrap())
        .unwrap()
        .to_vec()
        .unwrap();
    for (e, found) in c.into_iter().enumerate() {
        let sum: f32 = (0..k).map(|p| a[e / n * k + p] * b[p * n + e % n]).sum();
        assert_eq!(found, sum, "element {e}");
    }
}

#[test]
fn what_fails_is_struck_and_the_next_is_taken() {
    let shape = [70, 64];
    let key = tuning::key(Scalar::F32, shape);
    for ctx in common::devices() {
        let folder = tempfile::tempdir().unwrap();
        let ctx = untuned(&ctx, folder.path());
        // More items than any device has in a group; then what every device can do.
        let list = ["128x64 1x1x1 shared 1 0", "8x8 4x1x4 shared 8 4"];
        ctx.tuned()
            .set(&key, list.map(String::from).to_vec())
            .unwrap();
        product_is_right(&ctx, [70, 64, 9]);
        assert_eq!(ctx.tuned().best(&key).as_deref(), Some(list[1]));
        // Another class has no part in it, and a damaged entry is none.
        product_is_right(&ctx, [70, 63, 9]);
        ctx.tuned().set(&key, vec!["8x8 nonsense".into()]).unwrap();
        product_is_right(&ctx, [70, 64, 9]);
    }
}

#[test]
fn candidates_are_right_at_their_edges() {
    for ctx in common::devices() {
        let folder = tempfile::tempdir().unwrap();
        let ctx = untuned(&ctx, folder.path());
        let all = tuning::candidates(&ctx, Scalar::F32);
        // A few, from one end to the other; the tuner checks each that may win.
        for tiles in all.iter().step_by(all.len() / 6 + 1) {
            let (m, n) = (tiles.rows() as usize, tiles.columns() as usize);
            for shape in [[m, n], [m + 1, n + 1], [2 * m - 1, 2 * n - 1]] {
                let key = tuning::key(Scalar::F32, shape);
                ctx.tuned().set(&key, vec![tiles.to_string()]).unwrap();
                product_is_right(&ctx, [shape[0], shape[1], 19]);
                assert_eq!(ctx.tuned().best(&key), Some(tiles.to_string()));
            }
        }
    }
}
