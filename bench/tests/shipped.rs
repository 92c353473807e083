//! Every configuration of a contraction that ships is right on the edges of its tiles, on each device that has room for it.

use suanzi_backends::{Context, Error};
use suanzi_bench::tune::right;
use suanzi_ops::Scalar;
use suanzi_ops::tuning::{self, Tiles};

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
        // All in one kind of sums, and in the others what this device takes for large matrices: a kernel in another kind
        // is the same but for its types.
        let mut shipped: Vec<(Scalar, Tiles)> = vec![];
        shipped.extend(
            tuning::shipped(Scalar::F32)
                .into_iter()
                .map(|t| (Scalar::F32, t)),
        );
        for kind in [Scalar::F64, Scalar::I32, Scalar::I64] {
            shipped.push((kind, tuning::usual(&ctx, kind, [1024, 1024])));
        }
        for (kind, tiles) in shipped {
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
        let least = if device == "opencl:0" { 20 } else { 4 };
        assert!(tested >= least, "{device}: {tested} configurations");
    }
}
