//! Files that are not what they should be are errors, whatever is wrong with them.

mod common;

use common::{addition, floats};
use proptest::prelude::*;
use prost::Message;
use suanzi_backends::Context;
use suanzi_onnx::array::{Array, Elem};
use suanzi_onnx::case::{parse_model, parse_tensor};
use suanzi_onnx::{Error, graph, proto};
use suanzi_ops::Num;

proptest! {
    /// A part of a tensor is none; a part of a model at most lacks its operator sets.
    #[test]
    fn truncated_files_are_errors(share in 0.0f64..1.0) {
        let tensor = floats(&[2, 3], &[1.0; 6]).encode_to_vec();
        let cut = |bytes: &[u8]| (bytes.len() as f64 * share) as usize;
        prop_assert!(parse_tensor(&tensor[..cut(&tensor)]).is_err());
        let model = proto::Model { opsets: vec![], ..addition() }.encode_to_vec();
        prop_assert!(parse_model(&model[..cut(&model)]).is_err());
    }

    /// Whatever a flipped bit makes of a model and its inputs, running it ends.
    #[test]
    fn flipped_bits_do_not_panic(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let flip = |mut bytes: Vec<u8>| {
            let i = at.index(bytes.len());
            bytes[i] ^= 1 << bit;
            bytes
        };
        let ctx = Context::open("cpu").unwrap();
        let right = Array::from_proto(&floats(&[2], &[1.0, 2.0])).unwrap();
        if let Ok((model, opset)) = parse_model(&flip(addition().encode_to_vec())) {
            let _ = graph::run(&model, opset, &ctx, &[right.clone(), right.clone()]);
        }
        let (model, opset) = parse_model(&addition().encode_to_vec()).unwrap();
        if let Ok(wrong) = parse_tensor(&flip(floats(&[2], &[1.0, 2.0]).encode_to_vec())) {
            let _ = graph::run(&model, opset, &ctx, &[wrong, right]);
        }
    }

    /// Bytes of any kind.
    #[test]
    fn noise_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_tensor(&bytes);
        let _ = parse_model(&bytes);
    }
}

#[test]
fn elements_are_found_in_every_field() {
    let read = |tensor: proto::Tensor| {
        let array = Array::from_proto(&tensor).unwrap();
        array.numbers().collect::<Vec<_>>()
    };
    let base = |dtype, dims: &[i64]| proto::Tensor {
        dtype,
        dims: dims.to_vec(),
        ..Default::default()
    };
    let ints = |values: &[i128]| values.iter().map(|&i| Num::Int(i)).collect::<Vec<_>>();
    let int8 = proto::Tensor {
        int32s: vec![-1, 127],
        ..base(3, &[2])
    };
    assert_eq!(read(int8), ints(&[-1, 127]));
    let u64s = proto::Tensor {
        uint64s: vec![u64::MAX],
        ..base(13, &[])
    };
    assert_eq!(read(u64s), ints(&[u64::MAX.into()]));
    let half = proto::Tensor {
        int32s: vec![0x3c00],
        ..base(10, &[1])
    };
    assert_eq!(read(half), [Num::Float(1.0)]);
    let pairs = proto::Tensor {
        raw: Some(vec![0b11_10_01_00, 0b10]),
        ..base(26, &[5])
    };
    assert_eq!(read(pairs), ints(&[0, 1, -2, -1, -2]));
    let nibbles = proto::Tensor {
        raw: Some(vec![0xf1, 0x08]),
        ..base(22, &[3])
    };
    let array = Array::from_proto(&nibbles).unwrap();
    let elem = Elem::Small {
        bits: 4,
        signed: true,
    };
    assert_eq!(array.elem, elem);
    assert_eq!(array.numbers().collect::<Vec<_>>(), ints(&[1, -1, -8]));
    assert_eq!(
        read(proto::Tensor {
            raw: Some(vec![]),
            ..base(1, &[0, 7])
        }),
        []
    );
}

#[test]
fn contradictions_are_refused() {
    let tensor = |dims: &[i64], dtype| proto::Tensor {
        dims: dims.to_vec(),
        dtype,
        ..floats(&[1], &[1.0])
    };
    let error = |t: proto::Tensor| Array::from_proto(&t).unwrap_err();
    assert!(matches!(error(tensor(&[2], 1)), Error::Malformed(_)));
    assert!(matches!(error(tensor(&[-1], 1)), Error::Malformed(_)));
    assert!(matches!(
        error(tensor(&[i64::MAX, i64::MAX], 1)),
        Error::Malformed(_)
    ));
    assert!(matches!(error(tensor(&[1], 99)), Error::Uncovered(_)));

    let ctx = Context::open("cpu").unwrap();
    let run = |change: fn(&mut proto::Graph)| {
        let mut graph = addition().graph.unwrap();
        change(&mut graph);
        let x = Array::from_proto(&floats(&[1], &[1.0])).unwrap();
        graph::run(&graph, 14, &ctx, &[x.clone(), x]).unwrap_err()
    };
    assert!(matches!(
        run(|g| g.nodes[0].op = "Conv".into()),
        Error::Uncovered(_)
    ));
    assert!(matches!(
        run(|g| g.nodes[0].inputs[1] = "c".into()),
        Error::Malformed(_)
    ));
    assert!(matches!(
        run(|g| g.nodes[0].inputs.truncate(1)),
        Error::Malformed(_)
    ));
    assert!(matches!(
        run(|g| g.outputs[0].name = "c".into()),
        Error::Malformed(_)
    ));
    assert!(matches!(
        run(|g| g.nodes[0].outputs.push("c".into())),
        Error::Malformed(_)
    ));
}
