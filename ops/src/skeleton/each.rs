//! Kernels of numbered tasks over buffers: what sorting, scattering, folding by segments and factoring
//! matrices are written in, since none of them is a map.
//!
//! A task is done by one work-item, or by a work-group together. On a CPU the tasks of items are done
//! in runs, as in the map skeleton.

use super::Machine;
use super::access::{Positions, index_width};
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use std::collections::HashMap;
use suanzi_backends::{Arg, DeviceKind};
use suanzi_codegen::hash::stable_hash;
use suanzi_codegen::ir::{Access, AtomicOp, BinOp, Builtin, Const};
use suanzi_codegen::{Builder, Place, Scalar, Value};

/// Who does a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// A work-item.
    Item,
    /// A work-group of this many items.
    Group(u32),
}

/// A kernel of numbered tasks.
pub struct Each<'a> {
    /// Of the operator, for messages and the log.
    pub op: &'static str,
    /// The kernel's.
    pub name: &'static str,
    /// Whatever else the kernel's text depends on.
    pub variant: &'a [u32],
    /// Who does one.
    pub by: By,
    /// Written; positions count from their first elements.
    pub outs: &'a [&'a Tensor],
    /// Only read.
    pub ins: &'a [&'a Tensor],
    /// Counts, positions and strides; negative ones wrap.
    pub scalars: &'a [(&'static str, u64)],
}

/// What a task sees.
pub struct Io {
    /// Arithmetic on positions.
    pub x: Positions,
    outs: Vec<(Place, Value)>,
    ins: Vec<(Place, Value)>,
    scalars: HashMap<&'static str, Value>,
}

impl Each<'_> {
    /// Runs tasks `0..tasks`; `body` builds one from its number.
    ///
    /// # Errors
    /// [`Error::Backend`] where the device fails.
    pub fn run(&self, tasks: u64, body: impl Fn(&mut Builder, &Io, Value)) -> Result<()> {
        if tasks == 0 {
            return Ok(());
        }
        let tensors = || self.outs.iter().chain(self.ins);
        let first = self.outs[0];
        let (ctx, machine) = (first.context(), Machine::of(first));
        let operands = tensors().map(|t| (t.shape(), t.strides(), t.offset() as i64));
        let wide = tasks >= 1 << 31 || self.scalars.iter().any(|s| s.1 >= 1 << 31);
        let index = match index_width(operands) {
            Scalar::U32 if !wide => Scalar::U32,
            _ => Scalar::U64,
        };
        let runs = machine.kind == DeviceKind::Cpu && self.by == By::Item;
        let run = (tasks / (4 * u64::from(machine.units))).clamp(1, 4096);
        let (workgroup, groups) = match (self.by, machine.kind) {
            (By::Group(width), _) => (width, tasks),
            (_, DeviceKind::Cpu) => (1, tasks.div_ceil(run)),
            (_, kind) => {
                let wanted = if kind == DeviceKind::Gpu { 256 } else { 1024 };
                let width = machine.workgroup(wanted);
                (width, tasks.div_ceil(width.into()))
            }
        };
        let mut scalars = self.scalars.to_vec();
        scalars.extend([("tasks", tasks), ("run", run)]);
        let dtypes: Vec<Scalar> = tensors().map(|t| t.dtype()).collect();
        let structure = (self.name, self.variant, dtypes, self.outs.len());
        let key = stable_hash(&("each", structure, index, workgroup, runs));
        let build = || {
            let mut b = Builder::new(self.name, [workgroup, 1, 1]);
            let places = |b: &mut Builder, word: &str, list: &[&Tensor], access| {
                let declare =
                    |(i, t): (usize, &&Tensor)| b.buffer(&format!("{word}{i}"), t.dtype(), access);
                list.iter().enumerate().map(declare).collect::<Vec<Place>>()
            };
            let outs = places(&mut b, "out", self.outs, Access::ReadWrite);
            let ins = places(&mut b, "in", self.ins, Access::Read);
            let mut based = |word: &str, places: Vec<Place>| {
                let offset = |(i, place)| (place, b.scalar(&format!("{word}{i}"), index));
                places.into_iter().enumerate().map(offset).collect()
            };
            let (outs, ins) = (based("to", outs), based("from", ins));
            let declare = |&(word, _): &(&'static str, u64)| (word, b.scalar(word, index));
            let io = Io {
                x: Positions { kind: index },
                outs,
                ins,
                scalars: scalars.iter().map(declare).collect(),
            };
            io.tasks(&mut b, self.by, workgroup, runs, &body);
            Ok(b.finish()?)
        };
        let failed = |e| Error::backend(self.op, tensors().map(|t| t.shape()), e);
        let program = ctx.program(key, &mut || build()).map_err(failed)?;
        let mut args: Vec<Arg<'_>> = tensors()
            .map(|t| Arg::Buffer(t.buffer().memory()))
            .collect();
        let offsets = tensors().map(|t| t.offset() as u64);
        let counts = scalars.iter().map(|s| s.1);
        let scalar = |bits| {
            Arg::Scalar(Const {
                scalar: index,
                bits,
            })
        };
        args.extend(offsets.chain(counts).map(scalar));
        ctx.launch(self.op, &program, machine.grid(groups), &args)
            .map_err(failed)
    }
}

impl Io {
    fn tasks(
        &self,
        b: &mut Builder,
        by: By,
        workgroup: u32,
        runs: bool,
        body: &impl Fn(&mut Builder, &Io, Value),
    ) {
        let group = self.x.group(b);
        let task = match by {
            By::Group(_) => group,
            By::Item => {
                let local = self.x.builtin(b, Builtin::LocalId(0));
                let width = self.x.int(b, workgroup.into());
                self.x.step(b, local, group, width)
            }
        };
        let tasks = self.p("tasks");
        if runs {
            let first = b.mul(task, self.p("run"));
            let first = self.x.min(b, first, tasks);
            let past = b.add(first, self.p("run"));
            let past = self.x.min(b, past, tasks);
            let one = self.x.int(b, 1);
            b.for_(first, past, one, false, |b, task| body(b, self, task));
        } else {
            let inside = b.bin(BinOp::Lt, task, tasks);
            b.if_(inside, |b| body(b, self, task));
        }
    }

    /// A scalar.
    pub fn p(&self, word: &'static str) -> Value {
        self.scalars[word]
    }

    /// An element of an input.
    pub fn load(&self, b: &mut Builder, input: usize, at: Value) -> Value {
        self.load_lanes(b, input, at, 1)
    }

    /// Neighbouring elements of an input.
    pub fn load_lanes(&self, b: &mut Builder, input: usize, at: Value, lanes: u8) -> Value {
        let (place, offset) = self.ins[input];
        let at = b.add(offset, at);
        b.load(place, at, lanes, lanes == 1)
    }

    /// Neighbouring elements of an output.
    pub fn load_out(&self, b: &mut Builder, output: usize, at: Value, lanes: u8) -> Value {
        let (place, offset) = self.outs[output];
        let at = b.add(offset, at);
        b.load(place, at, lanes, lanes == 1)
    }

    /// Adds to an element of an output; integers only, since their sum has no order.
    pub fn add_to(&self, b: &mut Builder, output: usize, at: Value, value: Value) {
        let (place, offset) = self.outs[output];
        let at = b.add(offset, at);
        b.atomic(AtomicOp::Add, place, at, value);
    }

    /// Writes an element of an output, or neighbouring ones.
    pub fn store(&self, b: &mut Builder, output: usize, at: Value, value: Value) {
        let (place, offset) = self.outs[output];
        let at = b.add(offset, at);
        let aligned = b.ty(value).lanes == 1;
        b.store(place, at, value, aligned);
    }
}
