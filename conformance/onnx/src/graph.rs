//! Runs a graph on a device: its nodes in order, each by its row of [`ops`].

use crate::array::Array;
use crate::call::{Call, Value};
use crate::error::{Result, malformed, uncovered};
use crate::ops;
use crate::proto::Graph;
use std::collections::HashMap;
use suanzi_backends::Context;

/// The graph's outputs for its inputs.
///
/// # Errors
/// Where the graph contradicts itself, an operator is not covered, refuses, or the device fails.
pub fn run(graph: &Graph, opset: i64, ctx: &Context, inputs: &[Array]) -> Result<Vec<Array>> {
    let mut values: HashMap<&str, Value> = HashMap::new();
    for tensor in &graph.initializers {
        let array = Array::from_proto(tensor)?;
        values.insert(&tensor.name, Value::upload(ctx, &array)?);
    }
    for (info, array) in graph.inputs.iter().zip(inputs) {
        values.insert(&info.name, Value::upload(ctx, array)?);
    }
    for node in &graph.nodes {
        let name = node.operator();
        let op = ops::find(&name).ok_or_else(|| uncovered(name))?;
        let known = |name: &String| match values.get(name.as_str()) {
            _ if name.is_empty() => Ok(None),
            None => Err(malformed(format!("no value is called `{name}`"))),
            value => Ok(value.cloned()),
        };
        let call = Call {
            ctx,
            opset,
            node,
            inputs: node.inputs.iter().map(known).collect::<Result<_>>()?,
        };
        let results = (op.run)(&call)?;
        if results.len() < node.outputs.len() {
            let why = format!("{} has {} results", node.op, results.len());
            return Err(malformed(why));
        }
        values.extend(node.outputs.iter().map(String::as_str).zip(results));
    }
    let outputs = graph.outputs.iter().map(|info| {
        let value = values.get(info.name.as_str());
        value
            .ok_or_else(|| malformed(format!("nothing computes `{}`", info.name)))?
            .download()
    });
    outputs.collect()
}
