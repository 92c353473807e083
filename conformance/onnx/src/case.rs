//! A case: a folder with a model, what goes in, and what must come out.

use crate::array::Array;
use crate::error::{Error, Result, malformed};
use crate::proto::{self, Graph, Model};
use prost::Message;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A case, its model read and its tensors not yet.
pub struct Case {
    /// ONNX's name of it: that of its folder.
    pub name: String,
    /// The operator that it is about: the only one of its graph, or the last.
    pub op: String,
    /// The computation.
    pub graph: Graph,
    /// The version of ONNX's own operator set.
    pub opset: i64,
    folder: PathBuf,
}

/// Every case of a folder, by name.
///
/// # Errors
/// [`Error::File`] where a model cannot be read.
pub fn all(folder: &Path) -> Result<Vec<Case>> {
    let entries = fs::read_dir(folder).map_err(|e| file_error(folder, e))?;
    let mut cases = vec![];
    for entry in entries {
        let path = entry.map_err(|e| file_error(folder, e))?.path();
        if path.is_dir() {
            cases.push(Case::open(&path)?);
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    name_expanded(&mut cases);
    Ok(cases)
}

/// A case of an operator that is a function comes a second time as the graph of its body, with
/// `_expanded` in its name: that one is about the same operator.
fn name_expanded(cases: &mut [Case]) {
    let ops: HashMap<String, String> = cases
        .iter()
        .map(|c| (c.name.clone(), c.op.clone()))
        .collect();
    for case in cases {
        let original = case.name.split_once("_expanded").map(|(name, _)| name);
        if let Some(op) = original.and_then(|name| ops.get(name)) {
            case.op.clone_from(op);
        }
    }
}

impl Case {
    /// Reads the model of a case.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be read or is no model.
    pub fn open(folder: &Path) -> Result<Case> {
        let path = folder.join("model.onnx");
        let bytes = fs::read(&path).map_err(|e| file_error(&path, e))?;
        let (graph, opset) = parse_model(&bytes).map_err(|e| file_error(&path, e))?;
        let name = folder.file_name().unwrap_or_default();
        Ok(Case {
            name: name.to_string_lossy().into_owned(),
            op: graph
                .nodes
                .last()
                .map(proto::Node::operator)
                .unwrap_or_default(),
            graph,
            opset,
            folder: folder.to_path_buf(),
        })
    }

    /// The tensors that go in, in the order of the graph's inputs.
    ///
    /// # Errors
    /// [`Error::File`] where one cannot be read.
    pub fn inputs(&self) -> Result<Vec<Array>> {
        self.tensors("input", self.graph.inputs.len())
    }

    /// The tensors that must come out, in the order of the graph's outputs.
    ///
    /// # Errors
    /// [`Error::File`] where one cannot be read.
    pub fn outputs(&self) -> Result<Vec<Array>> {
        self.tensors("output", self.graph.outputs.len())
    }

    fn tensors(&self, kind: &str, count: usize) -> Result<Vec<Array>> {
        let read = |i| {
            let path = self.folder.join(format!("{kind}_{i}.pb"));
            let bytes = fs::read(&path).map_err(|e| file_error(&path, e))?;
            parse_tensor(&bytes).map_err(|e| file_error(&path, e))
        };
        (0..count).map(read).collect()
    }
}

/// A model's graph and the version of its operator set.
///
/// # Errors
/// [`Error::Malformed`] where the bytes are no model, or one without a node.
pub fn parse_model(bytes: &[u8]) -> Result<(Graph, i64)> {
    let model = Model::decode(bytes).map_err(|e| malformed(format!("no model: {e}")))?;
    let own = model.opsets.iter().find(|o| o.domain.is_empty());
    let opset = own.map_or(1, |o| o.version);
    let graph = model.graph.filter(|g| !g.nodes.is_empty());
    Ok((
        graph.ok_or_else(|| malformed("a model without nodes"))?,
        opset,
    ))
}

/// A tensor.
///
/// # Errors
/// [`Error::Malformed`] where the bytes are none, [`Error::Uncovered`] for dtypes that are not ours.
pub fn parse_tensor(bytes: &[u8]) -> Result<Array> {
    let tensor = proto::Tensor::decode(bytes);
    Array::from_proto(&tensor.map_err(|e| malformed(format!("no tensor: {e}")))?)
}

fn file_error(path: &Path, why: impl ToString) -> Error {
    Error::File {
        file: path.display().to_string(),
        why: why.to_string(),
    }
}
