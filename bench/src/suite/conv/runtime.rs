//! ONNX Runtime, its library loaded at run time: a model of one node, on all cores.

use super::{PEER, Problem};
use crate::Result;
use anyhow::{Context as _, anyhow};
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::TensorRef;
use prost::Message;
use std::path::PathBuf;
use suanzi_onnx::proto::{
    Attribute, Graph, Kind, Model, Node, Opset, Tensor, TensorKind, ValueInfo,
};

/// Names its library, where `--peer` does not.
const VARIABLE: &str = "SUANZI_ONNXRUNTIME";

/// Where `scripts/fetch-onnxruntime` puts it.
const FETCHED: &str = "target/onnxruntime/libonnxruntime.so";

/// ONNX's number of f32.
const FLOAT: i32 = 1;

/// The library.
pub struct Runtime {
    environment: Environment,
    file: PathBuf,
    threads: usize,
}

impl Runtime {
    /// Loads the first of some files that has its name, or the one that the environment names, or the one that was fetched.
    pub fn load(files: &[String]) -> Result<Runtime> {
        let named = files.iter().find(|f| f.contains(PEER)).map(PathBuf::from);
        let file = named
            .filter(|f| f.components().count() > 1)
            .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from))
            .unwrap_or_else(|| FETCHED.into());
        // The loader's own message is longer than helpful.
        let file = file.canonicalize().with_context(|| {
            format!(
                "{} is not there: scripts/fetch-onnxruntime fetches it, {VARIABLE} or --peer name another one",
                file.display()
            )
        })?;
        let environment = ort::init_from(&file)?.build()?;
        Ok(Runtime {
            environment,
            file,
            threads: std::thread::available_parallelism()?.get(),
        })
    }

    /// What it is.
    pub fn about(&self) -> String {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "ONNX Runtime ({name}), CPU, {} threads; weights are packed once",
            self.threads
        )
    }

    /// A session for one convolution.
    pub fn prepare<'a>(&self, problem: &'a Problem<'a>) -> Result<Run<'a>> {
        let said = |error: ort::Error<SessionBuilder>| anyhow!("{error}");
        let session = SessionBuilder::new(&self.environment)?
            .with_intra_threads(self.threads)
            .map_err(said)?
            .commit_from_memory(&model(problem).encode_to_vec())?;
        Ok(Run { session, problem })
    }
}

/// `y = Conv(x)`, the weights being a constant.
fn model(problem: &Problem<'_>) -> Model {
    let [_, input, output, window, stride] = problem.shape.0;
    let named = |name: &str| ValueInfo {
        name: name.into(),
        kind: Some(Kind {
            tensor: Some(TensorKind { dtype: FLOAT }),
        }),
    };
    // The kinds of attributes have numbers: 7 is a list of integers.
    let list = |name: &str, values: &[usize]| Attribute {
        name: name.into(),
        ints: values.iter().map(|&v| v as i64).collect(),
        kind: 7,
        ..Attribute::default()
    };
    let pad = problem.shape.pad();
    let node = Node {
        inputs: vec!["x".into(), "w".into()],
        outputs: vec!["y".into()],
        op: "Conv".into(),
        attributes: vec![
            list("kernel_shape", &[window; 2]),
            list("strides", &[stride; 2]),
            list("pads", &[pad; 4]),
        ],
        ..Node::default()
    };
    let weights = Tensor {
        dims: [output, input, window, window].map(|d| d as i64).into(),
        dtype: FLOAT,
        name: "w".into(),
        raw: Some(
            problem
                .weights
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect(),
        ),
        ..Tensor::default()
    };
    Model {
        ir_version: 8,
        opsets: vec![Opset {
            domain: String::new(),
            version: 17,
        }],
        graph: Some(Graph {
            name: "conv".into(),
            nodes: vec![node],
            initializers: vec![weights],
            inputs: vec![named("x")],
            outputs: vec![named("y")],
        }),
    }
}

/// One convolution.
pub struct Run<'a> {
    session: Session,
    problem: &'a Problem<'a>,
}

impl Run<'_> {
    /// Once.
    pub fn run(&mut self) -> Result<()> {
        self.with(|_| ())
    }

    /// Once, and what came out.
    pub fn result(&mut self) -> Result<Vec<f32>> {
        self.with(<[f32]>::to_vec)
    }

    fn with<R>(&mut self, see: impl FnOnce(&[f32]) -> R) -> Result<R> {
        let [side, input, ..] = self.problem.shape.0;
        let image = (vec![1, input, side, side], &self.problem.image[..]);
        let outputs = self
            .session
            .run(ort::inputs![TensorRef::from_array_view(image)?])?;
        let (_, values) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(see(values))
    }
}
