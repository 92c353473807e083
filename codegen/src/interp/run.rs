//! Running decoded code: control flow, masks and the work-groups' identity.
//!
//! All work-items of a batch of groups take each operation together. Where control flow diverges
//! a mask says who is active; pure operations ignore it, everything else obeys it.

use super::access::{Buffer, Region, View};
use super::code::*;
use super::memory::Memory;
use super::ops::{Bool, Element, Int};
use super::race::{Races, Touch};
use super::slots::{Slots, by_size};
use super::{InterpError, fragment};
use crate::ir::{Builtin, Kernel, Place};
use crate::types::Scalar;

/// What one thread needs to run code; reused from launch to launch.
pub struct Scratch {
    arena: Memory,
    /// Whether constants and local ids are in place.
    warm: bool,
}

impl Scratch {
    /// For code.
    pub fn new(code: &Code) -> Result<Scratch, InterpError> {
        Ok(Scratch {
            arena: Memory::new(code.arena)?,
            warm: false,
        })
    }
}

/// One launch.
#[derive(Clone, Copy)]
pub struct Launch<'a> {
    /// For names.
    pub kernel: &'a Kernel,
    /// Buffers, by parameter.
    pub buffers: &'a [Buffer],
    /// Bits of scalars, by parameter.
    pub scalars: &'a [u64],
    /// Work-groups along each axis.
    pub groups: [u32; 3],
    /// Work-items of a subgroup.
    pub subgroup_width: u32,
    /// Whether to look for races.
    pub detect_races: bool,
}

/// Who is active: everyone, or those that a slot of bools names.
#[derive(Clone, Copy)]
struct Mask(Option<u32>);

/// How many are active after a mask was narrowed.
enum Active {
    None,
    Some,
    /// All that were before.
    Same,
}

impl Active {
    fn of(before: u32, after: u32) -> Active {
        match after {
            0 => Active::None,
            _ if after == before => Active::Same,
            _ => Active::Some,
        }
    }
}

/// Runs code on one thread.
pub struct Runner<'a> {
    code: &'a Code,
    launch: Launch<'a>,
    view: View<'a>,
    races: Option<Races>,
    /// Linear index of the batch's first group.
    first_group: u64,
}

impl<'a> Runner<'a> {
    /// Binds scratch memory to a launch.
    pub fn new(code: &'a Code, launch: Launch<'a>, scratch: &'a mut Scratch) -> Runner<'a> {
        let shared = launch.kernel.shared.iter().map(|a| a.len);
        let runner = Runner {
            code,
            launch,
            view: View {
                slots: Slots(scratch.arena.base()),
                buffers: launch.buffers,
                items: code.lanes as usize,
                group_len: code.group_len as usize,
                subgroup_width: launch.subgroup_width as usize,
            },
            races: launch.detect_races.then(|| Races::new(shared)),
            first_group: 0,
        };
        for fill in &code.fills {
            let per_launch = match fill.source {
                Source::Const(_) => false,
                Source::Param(_) => true,
                Source::Builtin(b) => matches!(b, Builtin::NumGroups(_)),
            };
            if (per_launch || !scratch.warm) && !per_batch(fill) {
                runner.fill(fill);
            }
        }
        scratch.warm = true;
        runner
    }

    /// Runs `code.batch` groups from a linear index on.
    pub fn groups(&mut self, first: u64) -> Result<(), InterpError> {
        self.first_group = first;
        for fill in self.code.fills.iter().filter(|f| per_batch(f)) {
            self.fill(fill);
        }
        let ranges = [(&self.code.zeroed, 0), (&self.code.poisoned, 0xff)];
        for (ranges, byte) in ranges {
            for &(at, bytes) in ranges {
                // SAFETY: the decoder laid these ranges out in the arena.
                unsafe { self.view.slots.get_mut::<u8>(at, bytes as usize) }.fill(byte);
            }
        }
        if let Some(races) = &mut self.races {
            races.barrier();
        }
        self.block(&self.code.body, Mask(None))
    }

    /// Position of a group along the axes.
    fn group_id(&self, linear: u64) -> [u32; 3] {
        let [x, y, _] = self.launch.groups.map(u64::from);
        [linear % x, linear / x % y, linear / x / y].map(|i| i as u32)
    }

    /// Local id along the axes.
    fn local_id(&self, linear: usize) -> [u32; 3] {
        let [x, y, _] = self.launch.kernel.workgroup.map(|n| n as usize);
        [linear % x, linear / x % y, linear / x / y].map(|i| i as u32)
    }

    fn fill(&self, fill: &Fill) {
        let n = self.view.items * fill.width as usize;
        let splat = |bits: u64| {
            by_size!(fill.scalar, T => {
                // SAFETY: the slot was laid out with this many scalars of this size.
                unsafe { self.view.slots.get_mut::<T>(fill.at, n) }.fill(bits as T);
            });
        };
        let b = match fill.source {
            Source::Const(bits) => return splat(bits),
            Source::Param(i) => return splat(self.launch.scalars[i as usize]),
            Source::Builtin(b) => b,
        };
        let group_len = self.view.group_len;
        let width = self.view.subgroup_width;
        // SAFETY: as above; built-ins are u32.
        let out = unsafe { self.view.slots.get_mut::<u32>(fill.at, n) };
        for (g, out) in out.chunks_exact_mut(group_len).enumerate() {
            let group = self.group_id(self.first_group + g as u64);
            let mut each = |f: &dyn Fn(usize) -> u32| {
                out.iter_mut().enumerate().for_each(|(i, r)| *r = f(i));
            };
            match b {
                Builtin::GlobalId(axis) => self.global_ids(out, axis.into(), group),
                Builtin::LocalId(axis) => each(&|i| self.local_id(i)[axis as usize]),
                Builtin::GroupId(axis) => out.fill(group[axis as usize]),
                Builtin::NumGroups(axis) => out.fill(self.launch.groups[axis as usize]),
                Builtin::LocalLinear => each(&|i| i as u32),
                Builtin::SubgroupSize => out.fill(width.min(group_len) as u32),
                Builtin::SubgroupLane => each(&|i| (i % width) as u32),
                Builtin::SubgroupId => each(&|i| (i / width) as u32),
            }
        }
    }

    /// Fills runs of equal or counting ids, since this happens for every batch.
    fn global_ids(&self, out: &mut [u32], axis: usize, group: [u32; 3]) {
        let workgroup = self.launch.kernel.workgroup;
        let first = group[axis].wrapping_mul(workgroup[axis]);
        let extent = workgroup[axis] as usize;
        let run: usize = workgroup[..axis].iter().map(|&n| n as usize).product();
        if run == 1 {
            for row in out.chunks_exact_mut(extent) {
                for (i, r) in row.iter_mut().enumerate() {
                    *r = first.wrapping_add(i as u32);
                }
            }
            return;
        }
        for (i, run) in out.chunks_exact_mut(run).enumerate() {
            run.fill(first.wrapping_add((i % extent) as u32));
        }
    }

    fn mask(&self, mask: Mask) -> Option<&'a [Bool]> {
        // SAFETY: the decoder gave the mask a slot of its own, written before it is narrowed to.
        mask.0
            .map(|at| unsafe { self.view.slots.get(at, self.view.items) })
    }

    /// Writes to `out` which of the work-items active in `mask` are to be kept.
    fn narrow(&self, mask: Mask, out: u32, keep: impl Iterator<Item = bool>) -> Active {
        let n = self.view.items;
        let mask = self.mask(mask);
        // SAFETY: as for `mask`; a mask's slot is not its parent's.
        let out = unsafe { self.view.slots.get_mut::<Bool>(out, n) };
        let (mut before, mut after) = (n as u32, 0);
        let Some(mask) = mask else {
            for (r, keep) in out.iter_mut().zip(keep) {
                *r = keep.into();
                after += u32::from(r.0);
            }
            return Active::of(before, after);
        };
        before = 0;
        for ((r, m), keep) in out.iter_mut().zip(mask).zip(keep) {
            *r = Bool(m.0 & u8::from(keep));
            before += u32::from(m.0);
            after += u32::from(r.0);
        }
        Active::of(before, after)
    }

    fn block(&mut self, block: &[Op], mask: Mask) -> Result<(), InterpError> {
        block.iter().try_for_each(|op| self.op(op, mask))
    }

    fn op(&mut self, op: &Op, mask: Mask) -> Result<(), InterpError> {
        match op {
            // SAFETY: the decoder paired each function, here and below, with slots of its kinds in
            // this arena, and gave results slots that overlap no operand.
            Op::Lanes(run, at) => unsafe { run(self.view.slots, at) },
            Op::Call {
                run,
                eval,
                args,
                out,
                n,
            } => {
                // SAFETY: as above.
                unsafe { run(self.view.slots, args, *out, *n as usize, *eval) }
            }
            Op::SetVar { scalar, to } => {
                // SAFETY: as above.
                by_size!(scalar, T => unsafe { self.set_var::<T>(to.out, to.args[0], to.n, mask) });
            }
            Op::Load(run, access) => {
                // SAFETY: as above.
                let done = unsafe { run(&self.view, access, self.mask(mask)) };
                self.accessed(access, mask, Touch::Read, done)?;
            }
            Op::Store(run, access) => {
                // SAFETY: as above.
                let done = unsafe { run(&self.view, access, self.mask(mask)) };
                self.accessed(access, mask, Touch::Write, done)?;
            }
            Op::Atomic {
                run,
                op,
                access,
                compare,
                result,
            } => {
                let active = self.mask(mask);
                // SAFETY: as above.
                let done = unsafe { run(&self.view, *op, access, *compare, *result, active) };
                self.accessed(access, mask, Touch::Atomic, done)?;
            }
            // SAFETY: as above.
            Op::Subgroup(run, at) => unsafe { run(&self.view, at, self.mask(mask)) },
            Op::If {
                cond,
                masks: [yes, no],
                then,
                otherwise,
            } => {
                // SAFETY: as above; the condition is a bool.
                let cond = unsafe { self.view.slots.get::<Bool>(*cond, self.view.items) };
                let taken = self.narrow(mask, *yes, cond.iter().map(|c| c.0 != 0));
                let inner = match taken {
                    Active::None => return self.block(otherwise, mask),
                    Active::Same => return self.block(then, mask),
                    Active::Some => Mask(Some(*yes)),
                };
                if !otherwise.is_empty() {
                    self.narrow(mask, *no, cond.iter().map(|c| c.0 == 0));
                }
                self.block(then, inner)?;
                if !otherwise.is_empty() {
                    self.block(otherwise, Mask(Some(*no)))?;
                }
            }
            Op::For { scalar, .. } => match scalar {
                Scalar::I32 => self.count::<i32>(op, mask)?,
                Scalar::U32 => self.count::<u32>(op, mask)?,
                Scalar::I64 => self.count::<i64>(op, mask)?,
                _ => self.count::<u64>(op, mask)?,
            },
            Op::Barrier => self.races.iter_mut().for_each(Races::barrier),
            Op::Frag(frag) => {
                // SAFETY: as above.
                let done = unsafe { fragment::run(&self.view, frag, self.mask(mask)) };
                self.transferred(frag, mask, done)?;
            }
        }
        Ok(())
    }

    /// # Safety
    /// The slots hold `n` scalars of `T`'s size.
    unsafe fn set_var<T: Element>(&self, var: u32, value: u32, n: u32, mask: Mask) {
        // SAFETY: promised by the caller; a variable's slot is no value's, but for a value that
        // is read from the variable and does not live past its assignment.
        let (var, value) = unsafe {
            let n = n as usize;
            (
                self.view.slots.get_mut::<T>(var, n),
                self.view.slots.get::<T>(value, n),
            )
        };
        let Some(mask) = self.mask(mask) else {
            return var.copy_from_slice(value);
        };
        let (var, value) = (
            var.chunks_exact_mut(mask.len()),
            value.chunks_exact(mask.len()),
        );
        for (var, value) in var.zip(value) {
            for ((r, v), m) in var.iter_mut().zip(value).zip(mask) {
                *r = if m.0 != 0 { *v } else { *r };
            }
        }
    }

    /// A counted loop. Bounds that all work-items agree on need no mask.
    fn count<T: Counter>(&mut self, op: &Op, mask: Mask) -> Result<(), InterpError> {
        let Op::For {
            index,
            start,
            end,
            step,
            mask: inner,
            body,
            ..
        } = op
        else {
            return Ok(());
        };
        let n = self.view.items;
        // SAFETY: the decoder gave the loop's bounds slots of its kind that live as long as it.
        let [start, end, step] =
            [start, end, step].map(|&at| unsafe { self.view.slots.get::<T>(at, n) });
        let active = self.mask(mask);
        let uniform = same(start) && same(end) && same(step);
        let endless = |i: usize| {
            start[i] < end[i] && (step[i] <= T::default() || end[i].next(step[i]).is_none())
        };
        let mut items = (0..n).filter(|&i| active.is_none_or(|m| m[i].0 != 0));
        let culprit = if !uniform {
            items.find(|&i| endless(i))
        } else if endless(0) {
            items.next()
        } else {
            None
        };
        if let Some(i) = culprit {
            return Err(InterpError::Loop {
                kernel: self.launch.kernel.name.clone(),
                start: start[i].into(),
                end: end[i].into(),
                step: step[i].into(),
                group: self.group_of(i),
                item: self.local_id(i % self.view.group_len),
            });
        }
        let slots = self.view.slots;
        // SAFETY: as above; only the loop writes its index, and the body reads it afterwards.
        let index = || unsafe { slots.get_mut::<T>(*index, n) };
        if uniform {
            let mut at = start[0];
            while at < end[0] {
                index().fill(at);
                self.block(body, mask)?;
                at = at.next(step[0]).unwrap_or(end[0]);
            }
            return Ok(());
        }
        index().copy_from_slice(start);
        loop {
            let going = index().iter().zip(end).map(|(i, end)| i < end);
            let inner = match self.narrow(mask, *inner, going) {
                Active::None => return Ok(()),
                Active::Same => mask,
                Active::Some => Mask(Some(*inner)),
            };
            self.block(body, inner)?;
            for ((i, &end), &step) in index().iter_mut().zip(end).zip(step) {
                *i = i.next(step).unwrap_or(end);
            }
        }
    }

    fn group_of(&self, item: usize) -> [u32; 3] {
        self.group_id(self.first_group + (item / self.view.group_len) as u64)
    }

    /// Reports an access out of bounds, and shows accesses to shared memory to the race detector.
    fn accessed(
        &mut self,
        access: &Access,
        mask: Mask,
        how: Touch,
        done: Result<(), usize>,
    ) -> Result<(), InterpError> {
        if let Err(item) = done {
            // SAFETY: the access is of this code.
            let index = unsafe { self.view.index(access.index, access.long, item) };
            return Err(self.out_of_bounds(access, index, access.width.into(), item));
        }
        if self.races.is_none() || !matches!(access.place, Place::Shared(_)) {
            return Ok(());
        }
        let active = self.mask(mask);
        let items = (0..self.view.items).filter(|&i| active.is_none_or(|m| m[i].0 != 0));
        for item in items {
            // SAFETY: as above.
            let index = unsafe { self.view.index(access.index, access.long, item) };
            for index in index..index + u64::from(access.width) {
                self.touch(access.place, index, item, how)?;
            }
        }
        Ok(())
    }

    /// The same for a fragment's transfer, on behalf of each subgroup's first work-item.
    fn transferred(
        &mut self,
        frag: &FragCode,
        mask: Mask,
        done: Result<(), fragment::Outside>,
    ) -> Result<(), InterpError> {
        let FragCode::Transfer { access, store, .. } = frag else {
            return Ok(());
        };
        if let Err(outside) = done {
            return Err(self.out_of_bounds(access, outside.index, 1, outside.item));
        }
        if self.races.is_none() || !matches!(access.place, Place::Shared(_)) {
            return Ok(());
        }
        let how = if *store { Touch::Write } else { Touch::Read };
        let active = self.mask(mask);
        for lanes in self.view.subgroups() {
            if active.is_none_or(|m| m[lanes.start].0 != 0) {
                for index in fragment::elements(&self.view, frag, lanes.start) {
                    self.touch(access.place, index, lanes.start, how)?;
                }
            }
        }
        Ok(())
    }

    fn touch(
        &mut self,
        place: Place,
        index: u64,
        item: usize,
        how: Touch,
    ) -> Result<(), InterpError> {
        let (Some(races), Place::Shared(id)) = (&mut self.races, place) else {
            return Ok(());
        };
        let Some(first) = races.touch(id.0 as usize, index, item as u32, how) else {
            return Ok(());
        };
        Err(InterpError::Race {
            kernel: self.launch.kernel.name.clone(),
            place: self.launch.kernel.shared[id.0 as usize].name.clone(),
            index,
            first,
            second: item as u32,
            group: self.group_of(item),
        })
    }

    fn out_of_bounds(&self, access: &Access, index: u64, lanes: u64, item: usize) -> InterpError {
        let kernel = self.launch.kernel;
        let elem = kernel.elem(access.place).map_or(1, Scalar::bytes);
        let (place, len) = match (access.place, access.region) {
            (Place::Buffer(id), _) => (
                &kernel.params[id.0 as usize].name,
                (self.view.buffers[id.0 as usize].len / elem) as u64,
            ),
            (Place::Shared(id), Region::Shared { len, .. }) => {
                (&kernel.shared[id.0 as usize].name, len.into())
            }
            (Place::Private(id), Region::Private { len, .. }) => {
                (&kernel.private[id.0 as usize].name, len.into())
            }
            _ => (&kernel.name, 0),
        };
        InterpError::OutOfBounds {
            kernel: kernel.name.clone(),
            place: place.clone(),
            index,
            lanes,
            len,
            group: self.group_of(item),
            item: self.local_id(item % self.view.group_len),
        }
    }
}

/// Whether a slot differs from group to group.
fn per_batch(fill: &Fill) -> bool {
    use Builtin::{GlobalId, GroupId};
    matches!(fill.source, Source::Builtin(GlobalId(_) | GroupId(_)))
}

/// Whether all are equal.
fn same<T: Int>(x: &[T]) -> bool {
    let off = x.iter().fold(T::zeroed(), |off, &y| off.or(y.xor(x[0])));
    off.equal(T::zeroed())
}

/// A loop index.
trait Counter: Int + PartialOrd + Default + Into<i128> {
    /// `self + step`, unless it wraps.
    fn next(self, step: Self) -> Option<Self>;
}

macro_rules! counters {
    ($($t:ident)*) => { $(impl Counter for $t {
        #[inline(always)]
        fn next(self, step: $t) -> Option<$t> { self.checked_add(step) }
    })* };
}
counters!(i32 u32 i64 u64);
