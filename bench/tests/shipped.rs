//! Every configuration of a contraction that ships is right on the edges of its tiles, on each device that has room for it.

use suanzi_backends::{Context, Error};
use suanzi_bench::tune::right;
use suanzi_ops::{Scalar, tuning};

#[test]
fn what_ships_is_right_on_the_edges_of_its_tiles() {
    let required = std::env::var_os("SUANZI_REQUIRE_DRIVERS").is_some();
    for device in ["opencl:0", "vulkan:0"] {
        let ctx = match Context::open(device) {
            Ok(ctx) => ctx,
            Err(Error::NoDriver { .. } | Error::UnknownDevice { .. }) if !required => {
                eprintln!("{device} is not here: not tested");
                continue;
            }
            Err(error) => panic!("{device}: {error}"),
        };
        let mut tested = 0;
        let kinds = [Scalar::F32, Scalar::F64, Scalar::I32, Scalar::I64];
        let shipped = kinds.map(|kind| tuning::shipped(kind).into_iter().map(move |t| (kind, t)));
        for (kind, tiles) in shipped.into_iter().flatten() {
            if !tuning::fits(&ctx, kind, tiles) {
                continue;
            }
            let right = match kind {
                Scalar::F32 => right::<f32>(&ctx, tiles),
                Scalar::F64 => right::<f64>(&ctx, tiles),
                Scalar::I32 => right::<i32>(&ctx, tiles),
                Scalar::I64 => right::<i64>(&ctx, tiles),
                other => panic!("a kind that nobody tests: {other}"),
            };
            let right = right.unwrap_or_else(|e| panic!("{device}: {kind} {tiles}: {e}"));
            assert!(right, "{device}: {kind} {tiles} is wrong");
            tested += 1;
        }
        assert!(tested > 10, "{device}: {tested} configurations");
    }
}
