//! The third pass: no vector is wider than the target's. A wide one becomes parts of the widest
//! kind, each an own value, variable, load or store.

use super::walk::{Map, Pass, StoreTo, remap};
use crate::builder::Builder;
use crate::ir::*;

/// The pass.
pub struct Split {
    max_lanes: u8,
    /// The variables that each old variable has become.
    vars: Vec<Vec<Id>>,
}

impl Split {
    /// Splits what has more lanes than `max_lanes`.
    pub fn new(max_lanes: u8) -> Split {
        Split {
            max_lanes,
            vars: vec![],
        }
    }

    /// Lanes of a part.
    fn width(&self, lanes: u8) -> u8 {
        lanes.min(self.max_lanes)
    }

    fn count(&self, lanes: u8) -> u8 {
        lanes / self.width(lanes)
    }

    /// One lane of a value that may be in parts.
    fn lane(&self, b: &mut Builder, parts: &[Value], lane: u8) -> Value {
        let width = b.ty(parts[0]).lanes;
        b.extract(parts[usize::from(lane / width)], lane % width)
    }
}

impl Pass for Split {
    fn declare(&mut self, k: &mut Kernel) {
        let old = std::mem::take(&mut k.vars);
        for ty in old {
            let first = k.vars.len() as u32;
            let count = self.count(ty.lanes);
            let part = ty.scalar.x(self.width(ty.lanes));
            k.vars.extend((0..count).map(|_| part));
            self.vars
                .push((first..).take(count.into()).map(Id).collect());
        }
    }

    fn expr(&mut self, b: &mut Builder, map: &Map, v: Value) -> Vec<Value> {
        let (expr, ty) = (map.old.expr(v), map.old.ty(v));
        let (width, count) = (self.width(ty.lanes), self.count(ty.lanes));
        let part = ty.scalar.x(width);
        let same = |v: Value| vec![v; count.into()];
        match expr {
            Expr::Const(c) => same(b.bits(part, c.bits)),
            Expr::Splat(a) => same(b.splat(map.get(*a), width)),
            Expr::Extract(a, lane) => vec![self.lane(b, map.parts(*a), *lane)],
            Expr::Compose(lanes) => lanes
                .chunks(width.into())
                .map(|chunk| {
                    let chunk: Vec<Value> = chunk.iter().map(|v| map.get(*v)).collect();
                    b.compose(&chunk)
                })
                .collect(),
            Expr::LoadVar(id) => {
                let vars = &self.vars[id.0 as usize];
                vars.iter().map(|var| b.get(*var)).collect()
            }
            &Expr::Load {
                place,
                index,
                aligned,
            } => (0..count)
                .map(|i| {
                    let at = nth(b, map.get(index), i * width);
                    b.load(place, at, width, aligned || width == 1)
                })
                .collect(),
            // Lane by lane: parts of the operands give parts of the result.
            _ => {
                let mut parts: Vec<(Expr, Value)> = vec![];
                for i in 0..usize::from(count) {
                    let e = remap(expr, |o| map.parts(o)[i]);
                    let done = parts.iter().find(|p| p.0 == e).map(|p| p.1);
                    let value = done.unwrap_or_else(|| b.raw(e.clone(), part));
                    parts.push((e, value));
                }
                parts.into_iter().map(|p| p.1).collect()
            }
        }
    }

    fn store(&mut self, b: &mut Builder, map: &Map, to: StoreTo) {
        let index = map.get(to.index);
        let mut lane = 0;
        for part in map.parts(to.value) {
            let width = b.ty(*part).lanes;
            let at = nth(b, index, lane);
            b.store(to.place, at, *part, to.aligned || width == 1);
            lane += width;
        }
    }

    fn set_var(&mut self, b: &mut Builder, map: &Map, var: Id, value: Value) {
        let vars = self.vars[var.0 as usize].clone();
        for (var, part) in vars.into_iter().zip(map.parts(value)) {
            b.set(var, *part);
        }
    }
}

/// The index `lanes` further on.
fn nth(b: &mut Builder, index: Value, lanes: u8) -> Value {
    match (lanes, b.const_of(index)) {
        (0, _) => index,
        (_, Some(c)) => b.like(index, c.bits + u64::from(lanes)),
        _ => b.plus(index, lanes.into()),
    }
}
