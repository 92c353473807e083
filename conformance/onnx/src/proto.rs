//! The messages of `onnx.proto` that a case is made of, with the fields that are read here.
//! Field numbers are ONNX's; unknown fields are skipped, so that newer files still load.

use prost::Message;

/// A model: a graph, and the version of each operator set that it speaks.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    /// The version of this format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The computation.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    /// Operator sets.
    #[prost(message, repeated, tag = "8")]
    pub opsets: Vec<Opset>,
}

/// A version of an operator set.
#[derive(Clone, PartialEq, Message)]
pub struct Opset {
    /// Empty for ONNX's own.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Its version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A graph, its nodes in an order in which they can be run.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// The operators.
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<Node>,
    /// The name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Constants, by name.
    #[prost(message, repeated, tag = "5")]
    pub initializers: Vec<Tensor>,
    /// What is given.
    #[prost(message, repeated, tag = "11")]
    pub inputs: Vec<ValueInfo>,
    /// What is asked for.
    #[prost(message, repeated, tag = "12")]
    pub outputs: Vec<ValueInfo>,
}

/// An input or output. A case's types are those of the tensors beside the model.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfo {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it is.
    #[prost(message, optional, tag = "2")]
    pub kind: Option<Kind>,
}

/// A kind of values: of them all, only tensors.
#[derive(Clone, PartialEq, Message)]
pub struct Kind {
    /// Tensors.
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorKind>,
}

/// Tensors of a dtype, of any shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorKind {
    /// A dtype's number.
    #[prost(int32, tag = "1")]
    pub dtype: i32,
}

/// One operator.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Names of values; an empty one is an optional input that is not there.
    #[prost(string, repeated, tag = "1")]
    pub inputs: Vec<String>,
    /// Names of results; an empty one is not wanted.
    #[prost(string, repeated, tag = "2")]
    pub outputs: Vec<String>,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op: String,
    /// Its attributes.
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<Attribute>,
    /// The operator set; empty for ONNX's own.
    #[prost(string, tag = "7")]
    pub domain: String,
}

impl Node {
    /// The operator with its domain: `Add`, `ai.onnx.ml.Binarizer`.
    pub fn operator(&self) -> String {
        match self.domain.as_str() {
            "" | "ai.onnx" => self.op.clone(),
            domain => format!("{domain}.{}", self.op),
        }
    }
}

/// One attribute.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// As a float.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// As an integer.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// As a text.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    /// As a tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<Tensor>,
    /// As floats.
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    /// As integers.
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    /// Which of these it is, as a number.
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

/// A tensor: its elements in one of several fields, by dtype and by who wrote it.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Length of each axis.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// A dtype's number.
    #[prost(int32, tag = "2")]
    pub dtype: i32,
    /// Elements of f32.
    #[prost(float, repeated, tag = "4")]
    pub floats: Vec<f32>,
    /// Elements of bool, of integers up to i32, and the bits of 16-bit and 8-bit floats.
    #[prost(int32, repeated, tag = "5")]
    pub int32s: Vec<i32>,
    /// Elements of i64.
    #[prost(int64, repeated, tag = "7")]
    pub int64s: Vec<i64>,
    /// The name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Elements of any dtype as little-endian bytes.
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw: Option<Vec<u8>>,
    /// Elements of f64.
    #[prost(double, repeated, tag = "10")]
    pub doubles: Vec<f64>,
    /// Elements of u32 and u64.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64s: Vec<u64>,
}
