//! Small models, made here.

use prost::Message;
use std::path::{Path, PathBuf};
use suanzi_onnx::proto::{Graph, Model, Node, Opset, Tensor, ValueInfo};

/// `sum = a + b`.
pub fn addition() -> Model {
    let named = |name: &&str| ValueInfo {
        name: (*name).into(),
        ..ValueInfo::default()
    };
    Model {
        graph: Some(Graph {
            nodes: vec![Node {
                inputs: vec!["a".into(), "b".into()],
                outputs: vec!["sum".into()],
                op: "Add".into(),
                ..Node::default()
            }],
            inputs: ["a", "b"].iter().map(named).collect(),
            outputs: ["sum"].iter().map(named).collect(),
            ..Graph::default()
        }),
        opsets: vec![Opset {
            domain: String::new(),
            version: 14,
        }],
        ..Model::default()
    }
}

/// A tensor of f32.
pub fn floats(shape: &[i64], values: &[f32]) -> Tensor {
    Tensor {
        dims: shape.to_vec(),
        dtype: 1,
        raw: Some(values.iter().flat_map(|x| x.to_le_bytes()).collect()),
        ..Tensor::default()
    }
}

/// Writes a case as `scripts/fetch-onnx` does.
#[allow(dead_code)]
pub fn write(
    root: &Path,
    name: &str,
    model: &Model,
    inputs: &[Tensor],
    output: &Tensor,
) -> PathBuf {
    let folder = root.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let put = |file: String, bytes| std::fs::write(folder.join(file), bytes).unwrap();
    put("model.onnx".into(), model.encode_to_vec());
    for (i, input) in inputs.iter().enumerate() {
        put(format!("input_{i}.pb"), input.encode_to_vec());
    }
    put("output_0.pb".into(), output.encode_to_vec());
    folder
}
