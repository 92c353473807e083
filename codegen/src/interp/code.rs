//! The decoded form of a kernel: structured blocks of operations on slots, with every choice that
//! depends on kinds already made.

use super::access::{AccessFn, Region};
use super::atomics::AtomicFn;
use super::lanes::{CallFn, LaneFn, Operands};
use super::subgroup::SubgroupFn;
use crate::ir::{AtomicOp, Builtin, Fragment, Layout, Place};
use crate::types::Scalar;

/// A kernel decoded for a number of work-groups at a time.
pub struct Code {
    /// Work-items of one group.
    pub group_len: u32,
    /// Groups run together: a small group would spend its time on the loop overheads.
    pub batch: u32,
    /// `group_len * batch`: work-items run together.
    pub lanes: u32,
    /// Bytes of the arena.
    pub arena: usize,
    /// Slots filled before the code runs.
    pub fills: Vec<Fill>,
    /// Ranges (first byte, bytes) of variables and fragments: zero at entry.
    pub zeroed: Vec<(u32, u32)>,
    /// Ranges of shared and private arrays: undefined at entry, so filled with ones, which are
    /// NaNs and absurd indices that a test will notice.
    pub poisoned: Vec<(u32, u32)>,
    /// What a work-item does.
    pub body: Vec<Op>,
}

/// A slot whose content does not come from an operation.
pub struct Fill {
    /// The slot.
    pub at: u32,
    /// Vector lanes.
    pub width: u32,
    /// Kind of the value.
    pub scalar: Scalar,
    /// Content.
    pub source: Source,
}

/// Where the content of a [`Fill`] comes from.
pub enum Source {
    /// Bits, splat.
    Const(u64),
    /// A scalar parameter.
    Param(u32),
    /// Work-item identity.
    Builtin(Builtin),
}

/// A load, store or fragment transfer: which elements of which memory.
pub struct Access {
    /// The memory, by name.
    pub place: Place,
    /// The memory, by address.
    pub region: Region,
    /// Slot of the first element's index.
    pub index: u32,
    /// Whether the index is a u64.
    pub long: bool,
    /// Slot of what is loaded or stored.
    pub value: u32,
    /// Elements accessed.
    pub width: u32,
}

/// An operation.
pub enum Op {
    /// A pure one over whole slots.
    Lanes(LaneFn, Operands),
    /// A function of floats.
    Call {
        run: CallFn,
        eval: fn(&[f64]) -> f64,
        args: Vec<u32>,
        out: u32,
        n: u32,
    },
    /// Assigns a variable, where active.
    SetVar { scalar: Scalar, to: Operands },
    /// From memory.
    Load(AccessFn, Access),
    /// To memory.
    Store(AccessFn, Access),
    /// Read-modify-write.
    Atomic {
        run: AtomicFn,
        op: AtomicOp,
        access: Access,
        compare: u32,
        result: u32,
    },
    /// Across a subgroup.
    Subgroup(SubgroupFn, Operands),
    /// Conditional, with slots for the two masks.
    If {
        cond: u32,
        masks: [u32; 2],
        then: Vec<Op>,
        otherwise: Vec<Op>,
    },
    /// Counted loop, with a slot for its mask.
    For {
        scalar: Scalar,
        index: u32,
        start: u32,
        end: u32,
        step: u32,
        mask: u32,
        body: Vec<Op>,
    },
    /// The work-group waits. Operations run in lockstep, so only the race detector listens.
    Barrier,
    /// On fragments.
    Frag(FragCode),
}

/// Where a fragment's matrices lie: one per subgroup, one after another.
#[derive(Clone, Copy)]
pub struct FragSlot {
    /// First byte.
    pub at: u32,
    /// Bytes from one subgroup's matrix to the next.
    pub stride: u32,
    /// Shape and kind.
    pub shape: Fragment,
}

/// An operation on fragments.
pub enum FragCode {
    /// Every element becomes a scalar.
    Fill { frag: FragSlot, value: u32 },
    /// Between memory and a fragment.
    Transfer {
        frag: FragSlot,
        access: Access,
        stride: u32,
        stride_long: bool,
        layout: Layout,
        store: bool,
    },
    /// `acc += a · b`.
    MulAdd {
        acc: FragSlot,
        a: FragSlot,
        b: FragSlot,
    },
}
