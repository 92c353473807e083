//! What a dialect is: data alone, most of it templates (see [`super::template`]).
//!
//! Placeholders that every row may use: `$0 $1 $2` operands, `$t` the result's type, `$n` the lane
//! count (nothing for a scalar). Rows that have more say so.

use crate::ir::{AtomicOp, Fragment, Role, SubgroupOp};
use crate::target::{Support, Target};
use crate::types::Scalar;

/// One member of the C family.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The name by which [`super::dialect`] finds it.
    pub name: &'static str,
    /// Options that every compilation needs for the language's semantics to hold: no contraction,
    /// no flushing, correctly rounded division.
    pub options: &'static [&'static str],
    /// More options, for devices that can round f32 division and square roots correctly but do not
    /// unless asked.
    pub options_exact_division: &'static [&'static str],
    /// Text before the kernel, in this order, each where the kernel needs it. `$g`: work-items of
    /// a group.
    pub preamble: &'static [(Need, &'static str)],

    /// f16 by default.
    pub f16: Support,
    /// Widest vector; 1 if [`Dialect::vectors`] is absent.
    pub max_lanes: u8,

    /// The kernel's head, up to its parameter list. `$k`: name; `$0 $1 $2`: the work-group's axes;
    /// `$g`: their product.
    pub kernel: &'static str,
    /// A statement before all others, or nothing.
    pub prologue: &'static str,
    /// A read-only buffer parameter. `$t`: element; `$0`: name.
    pub read_buffer: &'static str,
    /// A written buffer parameter.
    pub write_buffer: &'static str,
    /// A shared array, aligned for its widest vector. `$0`: name; `$1`: length.
    pub shared: &'static str,
    /// A private array.
    pub private: &'static str,
    /// Address space qualifiers of buffers, shared and private memory, as they stand in a pointer
    /// type.
    pub spaces: [&'static str; 3],
    /// The line before a loop that is to be unrolled.
    pub unroll: &'static str,
    /// The line before any other loop.
    pub rolled: &'static str,
    /// Statements for [`crate::ir::Barrier::Shared`] and [`crate::ir::Barrier::Buffers`].
    pub barriers: [&'static str; 2],
    /// Work-item identity.
    pub builtins: Builtins,

    /// Type names of values, in the order of [`Scalar::ALL`]; bf16 is its bits, and the f16 entry
    /// is used only where the target does f16 arithmetic.
    pub types: [&'static str; 13],
    /// f16 arithmetic can be printed.
    pub native_f16: bool,
    /// f16 in memory alone: values are held in f32, rounded.
    pub half: Half,
    /// Suffix of a 64-bit integer literal.
    pub suffix64: &'static str,
    /// The same bits in another kind.
    pub bitcasts: Bitcasts,
    /// Vectors, if the dialect has them.
    pub vectors: Option<&'static Vectors>,

    /// Floating-point functions.
    pub math: Math,
    /// Upper half of a product of i32, u32, i64, u64.
    pub mul_hi: [&'static str; 4],
    /// Set bits of a 32-bit and of a 64-bit kind.
    pub popcount: [&'static str; 2],
    /// Leading zeros of a 32-bit and of a 64-bit kind.
    pub clz: [&'static str; 2],
    /// Rows of [`crate::intrinsics`]: name, in f32, in f64.
    pub intrinsics: &'static [(&'static str, &'static str, &'static str)],

    /// Atomics: operation, on 32 bits, on 64 bits. `$p`: address; `$0`: operand; `$1`: comparand;
    /// `$u`: the unsigned kind of the same size.
    pub atomics: &'static [(AtomicOp, &'static str, &'static str)],
    /// Subgroup operations; `$0`: value; `$1`: lane; `$u`: the type whose sums wrap.
    pub subgroups: &'static [(SubgroupOp, &'static str)],
    /// Matrix fragments, if the dialect has them.
    pub fragments: Option<&'static Fragments>,
}

/// What a piece of the preamble is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Every kernel.
    Always,
    /// f64 values.
    F64,
    /// f16 in memory.
    F16,
    /// Floats rounded to whole numbers.
    Round,
    /// Conversions between f32 and f16 outside of aligned accesses, once for each lane count.
    ConvertF16,
    /// f16 arithmetic.
    NativeF16,
    /// Addition, exchange and compare-exchange of 64 bits.
    Atomic64,
    /// The other atomics of 64 bits.
    ExtendedAtomic64,
    /// Subgroup operations and identity.
    Subgroups,
    /// Lanes of two vectors in any order, once for each lane count.
    Shuffle,
    /// Aligned stores to buffers of 64 bytes and more.
    Stream,
    /// Matrix fragments.
    Fragments,
}

/// Work-item identity; `$d`: axis as 0, 1, 2; `$x`: as x, y, z; `$0`: the work-group's size there.
#[derive(Clone, Copy, Debug)]
pub struct Builtins {
    /// `group * size + local`.
    pub global_id: &'static str,
    /// Inside the group.
    pub local_id: &'static str,
    /// Of the group.
    pub group_id: &'static str,
    /// Number of groups.
    pub num_groups: &'static str,
    /// Width of the subgroup.
    pub subgroup_size: &'static str,
    /// Lane in the subgroup.
    pub subgroup_lane: &'static str,
    /// Subgroup in the group.
    pub subgroup_id: &'static str,
}

/// f16 in memory. `$p`: pointer; `$i`: index; `$0`: the value, an f32.
#[derive(Clone, Copy, Debug)]
pub struct Half {
    /// What a pointer points at.
    pub memory: &'static str,
    /// What shared and private arrays consist of, where it may not be `memory`.
    pub array: &'static str,
    /// One element as f32.
    pub load: &'static str,
    /// One element from f32, rounded to nearest even.
    pub store: &'static str,
    /// An f32 (or a vector of them) rounded to f16.
    pub round: &'static str,
}

/// The same bits as another kind; `$t` is that kind.
#[derive(Clone, Copy, Debug)]
pub struct Bitcasts {
    /// Integers of one size.
    pub ints: &'static str,
    /// f32 to i32 or u32.
    pub from_f32: &'static str,
    /// i32 or u32 to f32.
    pub to_f32: &'static str,
    /// f64 to i64 or u64.
    pub from_f64: &'static str,
    /// i64 or u64 to f64.
    pub to_f64: &'static str,
}

/// Vector types `name` + lanes with the operators of scalars; comparisons give all-ones lanes.
/// `$p`: pointer; `$i`: index; `$s`: address space; `$m`: element type in memory.
#[derive(Clone, Copy, Debug)]
pub struct Vectors {
    /// From scalars: `$0` is one for all lanes, or a list.
    pub compose: &'static str,
    /// Lane `$1` (a hexadecimal digit) of `$0`.
    pub lane: &'static str,
    /// Lanes `$3` (a list) of `$1` followed by `$2`; `$0` is the unsigned type of the result's size.
    pub shuffle: &'static str,
    /// Conversion of each lane.
    pub convert: &'static str,
    /// `$0 ? $1 : $2`, where `$0` is a mask of the operands' width.
    pub select: &'static str,
    /// Smaller of integers.
    pub min: &'static str,
    /// Larger of integers.
    pub max: &'static str,
    /// Magnitude of integers, unsigned.
    pub abs: &'static str,
    /// Consecutive elements at any index.
    pub load: &'static str,
    /// Consecutive elements at a multiple of the lane count.
    pub load_aligned: &'static str,
    /// The inverse of `load`; `$0`: the value.
    pub store: &'static str,
    /// The inverse of `load_aligned`.
    pub store_aligned: &'static str,
    /// As `store_aligned`, to a buffer, of 64 bytes and more: whole cache lines.
    pub store_line: &'static str,
    /// As `load`, of f16 in memory.
    pub load_half: &'static str,
    /// As `load_aligned`, of f16 in memory.
    pub load_half_aligned: &'static str,
    /// As `store`, of f16 in memory.
    pub store_half: &'static str,
    /// As `store_aligned`, of f16 in memory.
    pub store_half_aligned: &'static str,
}

/// Floating-point functions. `$f`: `f` in f32, nothing in f64.
#[derive(Clone, Copy, Debug)]
pub struct Math {
    /// Square root.
    pub sqrt: &'static str,
    /// Down.
    pub floor: &'static str,
    /// Up.
    pub ceil: &'static str,
    /// Towards zero.
    pub trunc: &'static str,
    /// To nearest, ties to even.
    pub rint: &'static str,
    /// Magnitude.
    pub abs: &'static str,
    /// `$0 * $1 + $2`, rounded once.
    pub fma: &'static str,
}

/// Matrix fragments. `$0`: fragment; `$e`: element; `$p`: address; `$l`: layout; `$1`: stride.
#[derive(Clone, Copy, Debug)]
pub struct Fragments {
    /// What exists by default: kind of the factors, kind of the accumulator, m, n, k.
    pub shapes: &'static [(Scalar, Scalar, u8, u8, u8)],
    /// Element kinds: the kind, its name, and how a value of the language (`$0`) becomes one.
    pub elems: &'static [(Scalar, &'static str, &'static str)],
    /// Declaration of an A or B fragment. `$r`: role; `$m $n $k`: shape; `$l`: layout.
    pub declare_factor: &'static str,
    /// Declaration of an accumulator. `$m $n $k`: shape.
    pub declare_accumulator: &'static str,
    /// Names of the roles A and B.
    pub roles: [&'static str; 2],
    /// Layouts of a factor's type: row-major, column-major.
    pub factor_layouts: [&'static str; 2],
    /// Layouts in accesses of an accumulator: row-major, column-major.
    pub accumulator_layouts: [&'static str; 2],
    /// Every element becomes `$1`.
    pub fill: &'static str,
    /// Read a factor.
    pub load_factor: &'static str,
    /// Read an accumulator.
    pub load_accumulator: &'static str,
    /// `$0 += $1 * $2`.
    pub mul_add: &'static str,
    /// Write an accumulator.
    pub store: &'static str,
}

impl Dialect {
    /// What the dialect can express at most, for printing without a device. A device's own target
    /// takes away what its caps lack: subgroups, f64, 64-bit atomics, fragment shapes.
    pub fn target(&self) -> Target {
        Target {
            bool: Support::Storage,
            f16: self.f16,
            bf16: Support::Storage,
            max_lanes: self.max_lanes,
            subgroups: !self.subgroups.is_empty(),
            fragments: self.fragments.map_or(vec![], Fragments::fragments),
            ..Target::all()
        }
    }
}

impl Fragments {
    /// Each fragment of each shape, once.
    fn fragments(&self) -> Vec<Fragment> {
        let mut all = vec![];
        for &(factor, sum, m, n, k) in self.shapes {
            for (role, elem) in [
                (Role::A, factor),
                (Role::B, factor),
                (Role::Accumulator, sum),
            ] {
                let fragment = Fragment {
                    elem,
                    role,
                    m,
                    n,
                    k,
                };
                if !all.contains(&fragment) {
                    all.push(fragment);
                }
            }
        }
        all
    }
}
