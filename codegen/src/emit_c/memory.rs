//! Loads, stores and atomics.

use super::dialect::Need;
use super::print::{Printer, Text, own, suffix};
use super::template::{Args, expand};
use crate::ir::*;
use crate::types::{Scalar, Type};

/// A store that covers whole lines of so many bytes need not read them first.
const CACHE_LINE: usize = 64;

impl Printer<'_> {
    /// `lanes` elements from an index.
    pub fn load(&mut self, place: Place, index: Value, ty: Type, aligned: bool) -> Text {
        let half = self.is_half(place);
        let template = match (ty.lanes, half, aligned) {
            (1, false, _) => "$p[$i]",
            (1, true, _) => self.dialect.half.load,
            (_, false, false) => self.vectors()?.load,
            (_, false, true) => self.vectors()?.load_aligned,
            (_, true, false) => self.vectors()?.load_half,
            (_, true, true) => self.vectors()?.load_half_aligned,
        };
        if half && ty.lanes > 1 && !aligned {
            self.need(Need::ConvertF16, ty.lanes);
        }
        self.access(template, place, index, ty.lanes, "")
    }

    /// The statement that writes a value's lanes.
    pub fn store(&mut self, place: Place, index: Value, value: Value, aligned: bool) -> Text {
        let (half, lanes) = (self.is_half(place), self.kernel.ty(value).lanes);
        let text = self.operand(value)?;
        let bytes = usize::from(lanes) * self.elem(place)?.bytes();
        let line = matches!(place, Place::Buffer(_)) && bytes >= CACHE_LINE;
        let template = match (lanes, half, aligned) {
            (1, false, _) => "$p[$i] = $0;",
            (1, true, _) => self.dialect.half.store,
            (_, false, false) => self.vectors()?.store,
            (_, false, true) if line => {
                self.need(Need::Stream, 1);
                self.vectors()?.store_line
            }
            (_, false, true) => self.vectors()?.store_aligned,
            (_, true, false) => self.vectors()?.store_half,
            (_, true, true) => self.vectors()?.store_half_aligned,
        };
        if half && lanes > 1 && !aligned {
            self.need(Need::ConvertF16, lanes);
        }
        self.access(template, place, index, lanes, &text)
    }

    fn access(
        &mut self,
        template: &str,
        place: Place,
        index: Value,
        lanes: u8,
        value: &str,
    ) -> Text {
        let elem = self.elem(place)?;
        let memory = self.memory_type(elem)?;
        if self.is_half(place) {
            self.need(Need::F16, 1);
        }
        let (p, i, n) = (self.pointer(place)?, self.operand(index)?, suffix(lanes));
        let args = Args {
            operands: &[value],
            named: &[
                ('p', &p),
                ('i', &i),
                ('n', &n),
                ('m', &memory),
                ('s', self.space(place)),
            ],
        };
        expand(template, args)
    }

    /// A read-modify-write, whose value is what was there before.
    pub fn atomic(
        &mut self,
        op: AtomicOp,
        place: Place,
        index: Value,
        value: Value,
        compare: Option<Value>,
    ) -> Text {
        let elem = self.elem(place)?;
        let row = self.dialect.atomics.iter().find(|r| r.0 == op);
        let (_, narrow, wide) =
            row.ok_or_else(|| format!("atomic {op:?}: {} lacks it", self.dialect.name))?;
        let template = if elem.bytes() == 8 {
            if !self.target.atomic64 {
                return Err("64-bit atomics: the target has none".into());
            }
            use AtomicOp::*;
            self.need(
                match op {
                    Add | Exchange | CompareExchange => Need::Atomic64,
                    Min | Max | And | Or | Xor => Need::ExtendedAtomic64,
                },
                1,
            );
            wide
        } else {
            narrow
        };
        let address = self.address(place, index)?;
        let value = self.operand(value)?;
        let compare = compare.map_or(Ok(String::new()), |c| self.operand(c))?;
        let t = self.type_name(elem.into())?;
        let u = self.type_name(elem.to_unsigned().into())?;
        let args = Args {
            operands: &[&value, &compare],
            named: &[('p', &address), ('t', &t), ('u', &u)],
        };
        expand(template, args)
    }

    /// The address of an element.
    pub fn address(&mut self, place: Place, index: Value) -> Text {
        let (p, i) = (self.pointer(place)?, self.operand(index)?);
        Ok(format!("&{p}[{i}]"))
    }

    pub fn elem(&self, place: Place) -> Result<Scalar, String> {
        self.kernel
            .elem(place)
            .ok_or_else(|| format!("{place:?} does not exist"))
    }

    fn is_half(&self, place: Place) -> bool {
        self.kernel.elem(place) == Some(Scalar::F16) && self.holds_f16_in_f32()
    }

    fn space(&self, place: Place) -> &'static str {
        self.dialect.spaces[match place {
            Place::Buffer(_) => 0,
            Place::Shared(_) => 1,
            Place::Private(_) => 2,
        }]
    }

    /// A pointer to the first element.
    fn pointer(&mut self, place: Place) -> Text {
        let k = self.kernel;
        let name = own(match place {
            Place::Buffer(id) => &k.params[id.0 as usize].name,
            Place::Shared(id) => &k.shared[id.0 as usize].name,
            Place::Private(id) => &k.private[id.0 as usize].name,
        });
        let half = &self.dialect.half;
        let array = !matches!(place, Place::Buffer(_));
        if array && self.is_half(place) && half.array != half.memory {
            return Ok(format!("(({}{}*){name})", self.space(place), half.memory));
        }
        Ok(name)
    }
}
