//! Runs one case on one device and judges what came out.

use crate::case::{Case, Param};
use crate::chain::{Chain, Step};
use crate::layout::{self, Layout, Placement};
use crate::measure::{self, Expected, flush, measure};
use crate::result::{CaseResult, Effect, Status, Worst};
use crate::rng::Rng;
use crate::sabotage::Sabotage;
use crate::subject::{Operand, Outcome, Subject, has_fresh_output};
use crate::sweep;
use crate::watch::{FILL, Watch};
use std::sync::Arc;
use std::time::Instant;
use suanzi_backends::vendor::Engine;
use suanzi_backends::{Context, Settings, registry};
use suanzi_ops::table::Limit;
use suanzi_ops::{Error, Expr, Num, Scalar, Tensor};

/// An opened device, ready to run cases.
pub struct Bench {
    ctx: Context,
    watch: Arc<Watch>,
}

/// What is wrong with a result; the first thing found.
struct Fault(String);

impl From<suanzi_backends::Error> for Fault {
    fn from(e: suanzi_backends::Error) -> Fault {
        Fault(e.to_string())
    }
}

/// Where a result is found.
enum Place {
    /// In a view of a guarded buffer: the whole buffer, and what it held before.
    Guarded {
        whole: Tensor,
        at: Placement,
        before: Vec<u8>,
    },
    /// In a tensor that the operator allocated.
    Fresh(Tensor),
    /// In a tensor of a call, which may be a view, or lie where the call had something else before.
    Reused(Tensor),
}

impl Bench {
    /// Opens a device, or one with a sabotage.
    ///
    /// # Errors
    /// In words: no such device, or what its driver says.
    pub fn open(device: &str) -> Result<Bench, String> {
        let (base, sabotage) = Sabotage::split(device)?;
        let device = registry::open(base).map_err(|e| e.to_string())?;
        let watch = Arc::new(Watch::new(device, sabotage).map_err(|e| e.to_string())?);
        // What is asked for is generated kernels, unless the vendor's library is asked for.
        let engine = Engine::from_env().map_err(|e| e.to_string())?;
        let settings = Settings {
            engine: engine.unwrap_or(Engine::Generated),
            ..Settings::from_env()
        };
        Ok(Bench {
            ctx: Context::with_settings(watch.clone(), settings),
            watch,
        })
    }

    /// The device's context.
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Runs a case. The device's own failures are results; only a crash or a hang never returns.
    pub fn run(&self, case: &Case) -> CaseResult {
        let start = Instant::now();
        let mut result = CaseResult::new(case);
        match Subject::of(case) {
            Some(Subject::Map(row, _)) if let Some(op) = sweep::of(case, row) => {
                sweep::run(&self.ctx, case, row, &op, &mut result);
                if let Err(Fault(what)) = self.guards() {
                    result.status = Status::Failed;
                    result.detail = what;
                }
            }
            Some(subject) => self.judge(case, &subject, &mut result),
            None => {
                result.status = Status::Failed;
                result.detail = "the case names nothing that can be run".into();
            }
        }
        result.ms = start.elapsed().as_secs_f64() * 1e3;
        result.effect = result.effect.max(self.watch.effect());
        result
    }

    fn judge(&self, case: &Case, subject: &Subject, result: &mut CaseResult) {
        let operands = subject.operands(case);
        if self.watch.compares() && has_fresh_output(case) {
            // Where a mistake changes nothing there is nothing to judge.
            let ran = self.execute(case, subject, &operands, None);
            result.effect = self.watch.effect();
            if ran.is_ok() && result.effect != Effect::Changed {
                result.status = Status::Passed;
                return;
            }
        }
        let outcomes = subject.outcomes(case, &operands, false);
        if let Some(first) = outcomes.iter().flatten().next() {
            result.limit = measure::bound(first.limit);
            result.unit = measure::unit(first.limit).into();
        }
        if has_fresh_output(case) {
            // So that the result lies in memory that is filled with the pattern.
            self.ctx.trim();
        }
        let run = || self.execute(case, subject, &operands, outcomes.as_deref());
        let (ran, dispatches) = self.ctx.trace(run);
        result.launches = dispatches.len() as u32;
        let ((places, inputs), outcomes) = match (ran, outcomes) {
            (Err(error @ Error::Backend { .. }), _) | (Err(error), Some(_)) => {
                return refused(error, result);
            }
            (Ok(_), None) => {
                result.status = Status::Failed;
                result.detail = "the operator had to refuse these inputs and did not".into();
                return;
            }
            (Err(_), None) => {
                result.status = Status::Passed;
                result.detail = "refused, as it must be".into();
                return;
            }
            (Ok(done), Some(outcomes)) => (done, outcomes),
        };
        let judged = self
            .compare(case, subject, &operands, &outcomes, &places, result)
            .and_then(|()| unchanged(&inputs))
            .and_then(|()| self.guards())
            .and_then(|()| fused(subject, case, result.launches));
        let expected: usize = outcomes.iter().map(|o| o.values.len()).sum();
        match judged {
            Err(Fault(detail)) => {
                result.status = Status::Failed;
                result.detail = detail;
            }
            Ok(()) if result.compared == 0 && expected > 0 => {
                result.status = Status::Mistrusted;
                result.detail = "the limit says nothing about any of the results".into();
            }
            Ok(()) => result.status = Status::Passed,
        }
    }

    /// Uploads, runs, and says where the results are, and what the input buffers held.
    #[allow(clippy::type_complexity)]
    fn execute(
        &self,
        case: &Case,
        subject: &Subject,
        operands: &[Operand],
        outcomes: Option<&[Outcome]>,
    ) -> suanzi_ops::Result<(Vec<Place>, Vec<(Tensor, Vec<u8>)>)> {
        let mut rng = Rng::from_text("guards", case.seed);
        let mut inputs = vec![];
        let mut tensors = vec![];
        for operand in operands {
            let bytes = placed(operand, &mut rng);
            let at = &operand.view.stored;
            let whole = Tensor::from_bytes(&self.ctx, operand.dtype, &[at.total], &bytes)?;
            tensors.push(view(&whole, operand)?);
            inputs.push((whole, bytes));
        }
        if let Subject::Call(_, op, example) = subject {
            let results = (op.run)(&self.ctx, &tensors, &example.attrs)?;
            return Ok((results.into_iter().map(Place::Reused).collect(), inputs));
        }
        let args: Vec<Expr> = tensors.iter().map(Expr::from).collect();
        let fresh = |tensor| vec![Place::Fresh(tensor)];
        let expr = match subject {
            Subject::Map(row, _) => Expr::map(row.name, &args)?,
            Subject::Cast(op) => match case.param {
                Param::To(to) => args[0].cast(to, op.mode),
                _ => args[0].clone(),
            },
            Subject::Create(_, scalars) => match scalars[..] {
                [value] => Expr::fill(&self.ctx, case.dtype, &case.shape, value),
                [start, step, ..] => Expr::iota(&self.ctx, case.dtype, &case.shape, start, step)?,
                [] => unreachable!("an operator that creates has scalars"),
            },
            Subject::Reduce(row, _) => {
                let (axes, keepdims) = match &case.param {
                    Param::Axes { axes, keepdims } => (axes.clone(), *keepdims),
                    _ => (vec![], false),
                };
                // Half of the axes are counted from the end.
                let rank = case.shape.len() as i64;
                let axes: Vec<i64> = axes
                    .iter()
                    .map(|&a| {
                        if a % 2 == 0 {
                            a as i64
                        } else {
                            a as i64 - rank
                        }
                    })
                    .collect();
                let out = args[0].reduce(row.name, &axes, keepdims)?;
                return Ok((fresh(out), inputs));
            }
            Subject::Chain(chain, _) => {
                let expr = build(chain, &args)?;
                if let Some(name) = chain.reduce {
                    return Ok((fresh(expr.reduce(name, &[-1], false)?), inputs));
                }
                expr
            }
            Subject::Call(..) => unreachable!("calls have returned"),
        };
        let guarded = outcomes.filter(|_| case.layout != Layout::Fresh);
        let Some(outcome) = guarded.and_then(|o| o.first()) else {
            return Ok((fresh(expr.eval()?), inputs));
        };
        let at = layout::output(case.layout, &outcome.shape);
        let before = poisoned(outcome, &at, &mut rng);
        let whole = Tensor::from_bytes(&self.ctx, outcome.dtype, &[at.total], &before)?;
        let target = whole.as_strided(&at.shape, &at.strides, at.offset)?;
        expr.eval_into(&target)?;
        Ok((vec![Place::Guarded { whole, at, before }], inputs))
    }

    fn compare(
        &self,
        case: &Case,
        subject: &Subject,
        operands: &[Operand],
        outcomes: &[Outcome],
        places: &[Place],
        result: &mut CaseResult,
    ) -> Result<(), Fault> {
        if outcomes.len() != places.len() {
            let (want, got) = (outcomes.len(), places.len());
            return Err(Fault(format!("{got} results came, not {want}")));
        }
        // Only computed where a device flushes and something is off.
        let mut flushed: Option<Vec<Outcome>> = None;
        for (number, (outcome, place)) in outcomes.iter().zip(places).enumerate() {
            let mut flush = || {
                let all = flushed.get_or_insert_with(|| {
                    let all = subject.outcomes(case, operands, true);
                    all.unwrap_or_default()
                });
                all.get(number).map_or(vec![], |o| o.values.clone())
            };
            self.compare_one(number, outcome, place, &mut flush, result)
                .map_err(|Fault(detail)| match outcomes.len() {
                    1 => Fault(detail),
                    _ => Fault(format!("result {number}: {detail}")),
                })?;
            if let Some(worst) = result.worst.as_mut().filter(|w| w.inputs.is_empty()) {
                worst.inputs = inputs_of(case, subject, operands, &worst.index);
            }
        }
        Ok(())
    }

    /// Compares one result; `flushed` gives what is right on a device that flushes denormals.
    fn compare_one(
        &self,
        number: usize,
        outcome: &Outcome,
        place: &Place,
        flushed: &mut dyn FnMut() -> Vec<Expected>,
        result: &mut CaseResult,
    ) -> Result<(), Fault> {
        let got = self.results(outcome, place)?;
        let expected = &outcome.values;
        let flushes = !self.ctx.device().caps().denormals_f32;
        let mut alternatives: Option<Vec<Expected>> = None;
        let mut worst: Option<(f64, usize)> = None;
        let bound = measure::bound(outcome.limit);
        let mut unlike = 0;
        for (i, (want, &bits)) in expected.iter().zip(&got).enumerate() {
            let Some(mut sample) = measure(outcome.dtype, outcome.limit, *want, bits) else {
                continue;
            };
            result.compared += 1;
            if flushes && sample.error > bound {
                let other = alternatives.get_or_insert_with(&mut *flushed);
                let candidates = [Some(want), other.get(i)];
                let best = candidates.into_iter().flatten().flat_map(|e| {
                    let mut zero = *e;
                    zero.value = flush(outcome.dtype, e.value.round(outcome.dtype));
                    [*e, zero].map(|e| measure(outcome.dtype, outcome.limit, e, bits))
                });
                let best = best.flatten().min_by(|a, b| a.error.total_cmp(&b.error));
                if let Some(best) = best.filter(|s| s.error <= bound) {
                    sample = best;
                    result.flushed += 1;
                }
            }
            result.histogram.add(sample.ulp);
            if outcome.limit == Limit::Measured && !sample.error.is_finite() {
                unlike += 1;
                continue;
            }
            if worst.is_none_or(|(error, _)| sample.error > error) {
                worst = Some((sample.error, i));
            }
        }
        if unlike > 0 {
            result.detail =
                format!("{unlike} results are not finite where the reference is, or the reverse");
        }
        let Some((error, i)) = worst else {
            return Ok(());
        };
        let (want, found) = (expected[i].value, Num::from_bits(outcome.dtype, got[i]));
        let at = unravel(i, &outcome.shape);
        if number == 0 || error > bound {
            result.error = error.is_finite().then_some(error);
            result.worst = Some(Worst {
                index: at.clone(),
                inputs: vec![],
                expected: show(want.round(outcome.dtype)),
                got: show(found),
            });
        }
        if error <= bound {
            return Ok(());
        }
        let unwritten = match place {
            Place::Guarded { at, before, .. } => {
                bits_at(outcome.dtype, before, at.elements()[i]) == got[i]
            }
            Place::Fresh(_) | Place::Reused(_) => got[i] == fill_bits(outcome.dtype),
        };
        Err(Fault(match unwritten {
            true => format!("element {at:?} was not written"),
            false => format!("element {at:?} is {}, not {}", show(found), show(want)),
        }))
    }

    /// The bits of the result's elements; a fault where a guard was overwritten.
    fn results(&self, outcome: &Outcome, place: &Place) -> Result<Vec<u64>, Fault> {
        let dtype = outcome.dtype;
        let (shape, tensor_dtype, bytes, elements) = match place {
            Place::Guarded { whole, at, before } => {
                let after = read(whole)?;
                let elements = at.elements();
                let mut inside = vec![false; at.total];
                elements.iter().for_each(|&e| inside[e] = true);
                for e in (0..at.total).filter(|&e| !inside[e]) {
                    if bits_at(dtype, before, e) != bits_at(dtype, &after, e) {
                        let where_ = match e {
                            e if e < *elements.iter().min().unwrap_or(&at.offset) => "before",
                            e if e > *elements.iter().max().unwrap_or(&at.offset) => "behind",
                            _ => "between",
                        };
                        return Err(Fault(format!(
                            "a guard {where_} the result was overwritten: element {e} of a buffer \
                             of {}, with the result at {}",
                            at.total, at.offset
                        )));
                    }
                }
                (at.shape.clone(), whole.dtype(), after, elements)
            }
            Place::Fresh(tensor) | Place::Reused(tensor) => {
                let used = (tensor.numel() * dtype.bytes()) as u64;
                let bytes = read(tensor)?;
                // A cast to the same dtype gives the input itself, in the input's memory.
                let own = matches!(place, Place::Fresh(_))
                    && tensor.offset() == 0
                    && tensor.capacity() == tensor.numel();
                if own && tensor.dtype() == dtype && tensor.shape() == outcome.shape {
                    let rest = self.watch.behind(tensor.buffer().memory(), used)?;
                    if let Some(at) = rest.iter().position(|&b| b != FILL) {
                        return Err(Fault(format!(
                            "memory behind the result was overwritten: byte {} of {used}",
                            used as usize + at
                        )));
                    }
                }
                let elements = (0..tensor.numel()).collect();
                (tensor.shape().to_vec(), tensor.dtype(), bytes, elements)
            }
        };
        if shape != outcome.shape || tensor_dtype != dtype {
            return Err(Fault(format!(
                "the result is {tensor_dtype} of shape {shape:?}, not {dtype} of {:?}",
                outcome.shape
            )));
        }
        Ok(elements
            .iter()
            .map(|&e| bits_at(dtype, &bytes, e))
            .collect())
    }

    fn guards(&self) -> Result<(), Fault> {
        match self.watch.check()? {
            true => Ok(()),
            false => Err(Fault("memory behind a buffer was overwritten".into())),
        }
    }
}

fn read(tensor: &Tensor) -> Result<Vec<u8>, Fault> {
    tensor.read_bytes().map_err(|e| Fault(e.to_string()))
}

/// An error of the library: what the device lacks is no failure, all else is.
fn refused(error: Error, result: &mut CaseResult) {
    use suanzi_backends::Error as Backend;
    result.status = Status::Failed;
    result.detail = error.to_string();
    if let Error::Backend { source, .. } = &error {
        match &**source {
            Backend::Unsupported { source, .. } => {
                result.status = Status::Unsupported;
                result.detail = source.what.clone();
            }
            Backend::DeviceLost { .. } => result.lost = true,
            _ => {}
        }
    }
}

/// A chain ending in a store is one launch. One that ends in a reduction may need a second pass.
fn fused(subject: &Subject, case: &Case, launches: u32) -> Result<(), Fault> {
    let Subject::Chain(chain, _) = subject else {
        return Ok(());
    };
    let most = if chain.reduce.is_some() { 2 } else { 1 };
    match case.shape.contains(&0) || (1..=most).contains(&launches) {
        true => Ok(()),
        false => Err(Fault(format!(
            "the chain took {launches} launches; it must be one kernel"
        ))),
    }
}

fn unchanged(inputs: &[(Tensor, Vec<u8>)]) -> Result<(), Fault> {
    for (i, (whole, before)) in inputs.iter().enumerate() {
        let after = read(whole)?;
        if let Some(at) = before.iter().zip(&after).position(|(a, b)| a != b) {
            let element = at / whole.dtype().bytes();
            return Err(Fault(format!(
                "input {i} was changed, at element {element} of its buffer"
            )));
        }
    }
    Ok(())
}

/// The bytes of an operand's buffer: guards, and the elements in their places.
fn placed(operand: &Operand, rng: &mut Rng) -> Vec<u8> {
    let at = &operand.view.stored;
    let size = operand.dtype.bytes();
    let mut bytes = layout::guard(at.total * size, operand.dtype.is_float(), rng);
    for (e, bits) in at.elements().into_iter().zip(&operand.bits) {
        bytes[e * size..][..size].copy_from_slice(&bits.to_le_bytes()[..size]);
    }
    bytes
}

/// The bytes of a result's buffer: guards, and in each element something that it must not become.
fn poisoned(outcome: &Outcome, at: &Placement, rng: &mut Rng) -> Vec<u8> {
    let size = outcome.dtype.bytes();
    let mut bytes = layout::guard(at.total * size, false, rng);
    let values = &outcome.values;
    for (e, want) in at.elements().into_iter().zip(values) {
        let poison = want.value.to_bits(outcome.dtype) ^ 0xa5a5_a5a5_a5a5_a5a5;
        bytes[e * size..][..size].copy_from_slice(&poison.to_le_bytes()[..size]);
    }
    bytes
}

/// The view of an operand that the operator is given.
fn view(whole: &Tensor, operand: &Operand) -> suanzi_ops::Result<Tensor> {
    let at = &operand.view.stored;
    if operand.view.by_views && !at.shape.contains(&0) {
        return by_views(whole, at);
    }
    // A stretched axis gets stride 0; axes in front are added.
    let stretch = operand.view.shape.iter().zip(&at.shape).zip(&at.strides);
    let strides: Vec<i64> = stretch
        .map(|((&to, &d), &s)| if to == d { s } else { 0 })
        .collect();
    whole.as_strided(&operand.view.shape, &strides, at.offset)
}

/// The same contiguous elements, reached by the tensor's named views: sliced out of the buffer,
/// reshaped, turned over twice and round twice.
fn by_views(whole: &Tensor, at: &Placement) -> suanzi_ops::Result<Tensor> {
    let n: usize = at.shape.iter().product();
    let rank = at.shape.len() as i64;
    let mut t = whole.slice(0, at.offset as i64, (at.offset + n) as i64, 1)?;
    t = t.reshape(&at.shape)?;
    for axis in 0..rank {
        t = t.flip(axis)?;
    }
    let round: Vec<i64> = (1..rank).chain(0..rank.min(1)).collect();
    let back: Vec<i64> = (rank - rank.min(1)..rank)
        .chain(0..rank - rank.min(1))
        .collect();
    t = t.permute(&round)?;
    for axis in 0..rank {
        t = t.flip(axis - rank)?;
    }
    t = t.permute(&back)?;
    let mut longer = vec![1];
    longer.extend(&at.shape);
    t.unsqueeze(0)?.expand(&longer)?.reshape(&at.shape)
}

fn build(chain: &Chain, args: &[Expr]) -> suanzi_ops::Result<Expr> {
    let mut values = args.to_vec();
    for step in &chain.steps {
        let value = match step {
            Step::Cast(to, from) => values[*from].cast(*to, Chain::MODE),
            Step::Map(name, from) => {
                let x: Vec<Expr> = from.iter().map(|&v| values[v].clone()).collect();
                Expr::map(name, &x)?
            }
        };
        values.push(value);
    }
    Ok(values.swap_remove(values.len() - 1))
}

fn bits_at(dtype: Scalar, bytes: &[u8], element: usize) -> u64 {
    let size = dtype.bytes();
    let mut raw = [0; 8];
    raw[..size].copy_from_slice(&bytes[element * size..][..size]);
    u64::from_le_bytes(raw)
}

fn fill_bits(dtype: Scalar) -> u64 {
    bits_at(dtype, &[FILL; 8], 0)
}

fn unravel(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        index[axis] = i % shape[axis].max(1);
        i /= shape[axis].max(1);
    }
    index
}

/// The inputs of one result, where there are few.
fn inputs_of(case: &Case, subject: &Subject, operands: &[Operand], at: &[usize]) -> Vec<String> {
    if matches!(case.param, Param::Axes { .. } | Param::Call(_)) {
        return vec![];
    }
    let strides = layout::row_major(&case.shape);
    let i: usize = at.iter().zip(strides).map(|(&a, s)| a * s as usize).sum();
    if let Subject::Create(_, scalars) = subject {
        return scalars.iter().map(|&s| show(s)).collect();
    }
    if matches!(subject, Subject::Chain(c, _) if c.reduce.is_some()) {
        return vec![];
    }
    let element = |o: &Operand| {
        let to = layout::stretched(&o.view.stored.shape, &case.shape);
        show(Num::from_bits(o.dtype, o.bits[to[i]]))
    };
    operands.iter().map(element).collect()
}

/// A number as it is printed in reports.
fn show(value: Num) -> String {
    match value {
        Num::Bool(b) => b.to_string(),
        Num::Int(i) => i.to_string(),
        Num::Float(f) => format!("{f:?}"),
    }
}
