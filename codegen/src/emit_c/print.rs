//! The frame of a source: preamble, head, declarations, statements. Also names and types.

use super::dialect::{Dialect, Need};
use super::mask;
use super::template::{Args, expand};
use crate::ir::*;
use crate::target::{Support, Target};
use crate::types::{Scalar, Type};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Source text, or what is not to be had.
pub type Text = Result<String, String>;

/// A kernel on its way to text.
pub struct Printer<'a> {
    pub kernel: &'a Kernel,
    pub dialect: &'a Dialect,
    pub target: &'a Target,
    /// Pieces of the preamble that the text so far relies on, with the lane count.
    needs: BTreeSet<(Need, u8)>,
    uses: Vec<Use>,
    /// See [`super::mask`].
    pub masks: Vec<Option<Scalar>>,
    out: String,
    depth: usize,
}

/// The most that is done with a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// Nothing.
    Unused,
    /// It is written to memory. (f16 need not be rounded before: the store does it.)
    Stored,
    /// It goes into something else.
    Computed,
}

/// The whole source.
pub fn source(kernel: &Kernel, dialect: &Dialect, target: &Target) -> Text {
    let mut p = Printer {
        kernel,
        dialect,
        target,
        needs: BTreeSet::new(),
        uses: uses(kernel),
        masks: mask::kinds(kernel, target.f16 != Support::Native),
        out: String::new(),
        depth: 0,
    };
    p.need(Need::Always, 1);
    let head = p.head()?;
    p.line(&format!("{head} {{"));
    p.depth += 1;
    p.declarations()?;
    if !dialect.prologue.is_empty() {
        p.line(dialect.prologue);
    }
    p.depth -= 1;
    p.block(&kernel.body)?;
    p.line("}");
    Ok(p.preamble()? + &p.out)
}

fn uses(kernel: &Kernel) -> Vec<Use> {
    let mut uses = vec![Use::Unused; kernel.exprs.len()];
    let mut mark = |u: Use, values: &[Value]| {
        for v in values {
            let old = &mut uses[v.0 as usize];
            *old = (*old).max(u);
        }
    };
    for (i, expr) in kernel.exprs.iter().enumerate() {
        match kernel.shuffle(Value(i as u32)) {
            Some(shuffle) => mark(Use::Computed, &[shuffle.left, shuffle.right]),
            None => expr.for_each_operand(|v| mark(Use::Computed, &[v])),
        }
    }
    kernel.for_each_stmt(&mut |stmt| match stmt {
        Stmt::Emit(_) | Stmt::Barrier(_) | Stmt::Frag(FragOp::MulAdd { .. }) => {}
        Stmt::StoreVar(_, v) | Stmt::Frag(FragOp::Fill(_, v)) | Stmt::If { cond: v, .. } => {
            mark(Use::Computed, &[*v]);
        }
        Stmt::Store { index, value, .. } => {
            mark(Use::Stored, &[*value]);
            mark(Use::Computed, &[*index]);
        }
        Stmt::Atomic {
            index,
            value,
            compare,
            ..
        } => {
            mark(Use::Computed, &[*index, *value]);
            mark(Use::Computed, compare.as_slice());
        }
        Stmt::For {
            start, end, step, ..
        } => mark(Use::Computed, &[*start, *end, *step]),
        Stmt::Frag(FragOp::Load { index, stride, .. } | FragOp::Store { index, stride, .. }) => {
            mark(Use::Computed, &[*index, *stride]);
        }
    });
    uses
}

impl Printer<'_> {
    pub fn need(&mut self, need: Need, lanes: u8) {
        self.needs.insert((need, lanes));
    }

    pub fn use_of(&self, v: Value) -> Use {
        self.uses[v.0 as usize]
    }

    pub fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.out.push_str("    ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn preamble(&self) -> Text {
        let group = self.kernel.workgroup_len().to_string();
        let mut text = String::new();
        for (need, piece) in self.dialect.preamble {
            for (_, lanes) in self.needs.iter().filter(|(n, _)| n == need) {
                let n = suffix(*lanes);
                let list: Vec<String> = (0..*lanes).map(|i| format!("i{i}")).collect();
                text += &expand(
                    piece,
                    Args {
                        operands: &[],
                        named: &[('n', &n), ('g', &group), ('i', &list.join(", "))],
                    },
                )?;
            }
        }
        if !text.is_empty() {
            text.push('\n');
        }
        Ok(text)
    }

    fn head(&mut self) -> Text {
        let k = self.kernel;
        let axes = k.workgroup.map(|n| n.to_string());
        let mut text = expand(
            self.dialect.kernel,
            Args {
                operands: &[&axes[0], &axes[1], &axes[2]],
                named: &[('k', &k.name), ('g', &k.workgroup_len().to_string())],
            },
        )?;
        text.push('(');
        for (i, p) in k.params.iter().enumerate() {
            let name = own(&p.name);
            let (template, ty) = match p.kind {
                ParamKind::Scalar(s) => ("$t $0", self.type_name(s.into())?),
                ParamKind::Buffer { elem, access } => {
                    let template = match access {
                        Access::Read => self.dialect.read_buffer,
                        Access::ReadWrite => self.dialect.write_buffer,
                    };
                    (template, self.memory_type(elem)?)
                }
            };
            let args = Args {
                operands: &[&name],
                named: &[('t', &ty)],
            };
            text += if i > 0 { ",\n    " } else { "\n    " };
            text += &expand(template, args)?;
        }
        text.push(')');
        Ok(text)
    }

    fn declarations(&mut self) -> Result<(), String> {
        let k = self.kernel;
        let (shared, private) = (self.dialect.shared, self.dialect.private);
        let arrays =
            (k.shared.iter().map(|a| (a, shared))).chain(k.private.iter().map(|a| (a, private)));
        for (array, template) in arrays {
            let text = self.array(array, template)?;
            self.line(&format!("{text};"));
        }
        let mut seen = vec![];
        for expr in &k.exprs {
            if let Expr::Builtin(b) = expr
                && !seen.contains(b)
            {
                seen.push(*b);
                let (ty, name) = (self.type_name(Scalar::U32.into())?, builtin_name(*b));
                let text = self.builtin(*b)?;
                self.line(&format!("const {ty} {name} = {text};"));
            }
        }
        for (i, ty) in k.vars.iter().enumerate() {
            let name = self.type_name(*ty)?;
            let zero = Const {
                scalar: ty.scalar,
                bits: 0,
            };
            let zero = self.literal(zero, ty.lanes)?;
            self.line(&format!("{name} x{i} = {zero};"));
        }
        self.fragment_declarations()
    }

    fn array(&mut self, array: &Array, template: &str) -> Text {
        let ty = match array.elem {
            Scalar::F16 if self.holds_f16_in_f32() => self.dialect.half.array.to_string(),
            elem => self.memory_type(elem)?,
        };
        let (name, len) = (own(&array.name), array.len.to_string());
        let args = Args {
            operands: &[&name, &len],
            named: &[('t', &ty)],
        };
        expand(template, args)
    }

    fn block(&mut self, block: &Block) -> Result<(), String> {
        self.depth += 1;
        block.iter().try_for_each(|s| self.stmt(s))?;
        self.depth -= 1;
        Ok(())
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<(), String> {
        match stmt {
            // A lane that only shuffles take.
            Stmt::Emit(v)
                if matches!(self.kernel.expr(*v), Expr::Extract(..))
                    && self.use_of(*v) == Use::Unused => {}
            Stmt::Emit(v) => {
                let (ty, text) = (self.value_type(*v)?, self.expr(*v)?);
                self.line(&format!("const {ty} v{} = {text};", v.0));
            }
            Stmt::StoreVar(id, v) => {
                let text = match self.kernel.ty(*v).lanes {
                    1 => self.operand(*v)?,
                    _ if self.kernel.ty(*v).scalar == Scalar::Bool => {
                        self.mask_operand(*v, mask::DEFAULT)?
                    }
                    _ => self.operand(*v)?,
                };
                self.line(&format!("x{} = {text};", id.0));
            }
            Stmt::Store {
                place,
                index,
                value,
                aligned,
            } => {
                let text = self.store(*place, *index, *value, *aligned)?;
                self.line(&text);
            }
            Stmt::Atomic {
                op,
                place,
                index,
                value,
                compare,
                result,
            } => {
                let text = self.atomic(*op, *place, *index, *value, *compare)?;
                if self.use_of(*result) > Use::Unused {
                    let ty = self.type_name(self.kernel.ty(*result))?;
                    self.line(&format!("const {ty} v{} = {text};", result.0));
                } else {
                    self.line(&format!("{text};"));
                }
            }
            Stmt::If {
                cond,
                then,
                otherwise,
            } => {
                let cond = self.operand(*cond)?;
                self.line(&format!("if ({cond}) {{"));
                self.block(then)?;
                if !otherwise.is_empty() {
                    self.line("} else {");
                    self.block(otherwise)?;
                }
                self.line("}");
            }
            Stmt::For {
                index,
                start,
                end,
                step,
                body,
                unroll,
            } => {
                let hint = match unroll {
                    true => self.dialect.unroll,
                    false => self.dialect.rolled,
                };
                if !hint.is_empty() {
                    self.line(hint);
                }
                let ty = self.type_name(self.kernel.ty(*index))?;
                let [start, end, step] = [*start, *end, *step].map(|v| self.operand(v));
                let (i, start, end, step) = (index.0, start?, end?, step?);
                self.line(&format!(
                    "for ({ty} v{i} = {start}; v{i} < {end}; v{i} += {step}) {{"
                ));
                self.block(body)?;
                self.line("}");
            }
            Stmt::Barrier(Barrier::Shared) => self.line(self.dialect.barriers[0]),
            Stmt::Barrier(Barrier::Buffers) => self.line(self.dialect.barriers[1]),
            Stmt::Frag(op) => {
                let text = self.fragment(op)?;
                self.line(&text);
            }
        }
        Ok(())
    }

    // Types and names.

    /// True if f16 values are held in f32, rounded after each operation.
    pub fn holds_f16_in_f32(&self) -> bool {
        self.target.f16 != Support::Native
    }

    /// The type of a value.
    pub fn type_name(&mut self, ty: Type) -> Text {
        let (lanes, max) = (ty.lanes, self.target.max_lanes);
        if lanes > max {
            return Err(format!("{ty}: the target has {max} lanes"));
        }
        if self.target.support(ty.scalar) == Support::Missing {
            return Err(format!("{}: the target lacks it", ty.scalar));
        }
        let vectors = self.dialect.vectors.as_ref();
        let scalar = match ty.scalar {
            Scalar::Bool if lanes > 1 => self.dialect.types[mask::DEFAULT as usize],
            Scalar::F16 if self.holds_f16_in_f32() => self.dialect.types[Scalar::F32 as usize],
            s => self.dialect.types[s as usize],
        };
        match ty.scalar {
            Scalar::F64 => self.need(Need::F64, 1),
            Scalar::F16 if !self.holds_f16_in_f32() => {
                if !self.dialect.native_f16 {
                    let name = self.dialect.name;
                    return Err(format!(
                        "f16 arithmetic in {name}: take f16 as storage in the target"
                    ));
                }
                self.need(Need::NativeF16, 1);
            }
            _ => {}
        }
        match (lanes, vectors) {
            (1, _) => Ok(scalar.to_string()),
            (_, Some(_)) => Ok(format!("{scalar}{lanes}")),
            (_, None) => Err(format!("{ty}: {} has no vectors", self.dialect.name)),
        }
    }

    /// The type of an element in memory.
    pub fn memory_type(&mut self, elem: Scalar) -> Text {
        match elem {
            Scalar::Bool => Err("bool in memory: legalise first".into()),
            Scalar::F16 if self.holds_f16_in_f32() => Ok(self.dialect.half.memory.to_string()),
            s => self.type_name(s.into()),
        }
    }

    /// A value as an operand: a literal, or a name.
    pub fn operand(&mut self, v: Value) -> Text {
        Ok(match self.kernel.expr(v) {
            Expr::Const(c) => self.literal(*c, self.kernel.ty(v).lanes)?,
            Expr::Param(id) => own(&self.kernel.params[id.0 as usize].name),
            Expr::Builtin(b) => builtin_name(*b),
            _ => format!("v{}", v.0),
        })
    }

    fn builtin(&mut self, b: Builtin) -> Text {
        let t = &self.dialect.builtins;
        let axis = |template: &str, axis: u8| {
            let i = usize::from(axis);
            let size = self.kernel.workgroup[i].to_string();
            let (digit, letter) = (["0", "1", "2"][i], ["x", "y", "z"][i]);
            let args = Args {
                operands: &[&size],
                named: &[('d', digit), ('x', letter)],
            };
            expand(template, args)
        };
        match b {
            Builtin::GlobalId(a) => axis(t.global_id, a),
            Builtin::LocalId(a) => axis(t.local_id, a),
            Builtin::GroupId(a) => axis(t.group_id, a),
            Builtin::NumGroups(a) => axis(t.num_groups, a),
            Builtin::LocalLinear => {
                let [x, y, _] = self.kernel.workgroup;
                let mut text = axis(t.local_id, 0)?;
                for (a, scale) in [(1, x), (2, x * y)] {
                    if self.kernel.workgroup[usize::from(a)] > 1 {
                        write!(text, " + {scale}u * {}", axis(t.local_id, a)?)
                            .map_err(|e| e.to_string())?;
                    }
                }
                Ok(text)
            }
            Builtin::SubgroupSize | Builtin::SubgroupLane | Builtin::SubgroupId => {
                let text = match b {
                    Builtin::SubgroupSize => t.subgroup_size,
                    Builtin::SubgroupLane => t.subgroup_lane,
                    _ => t.subgroup_id,
                };
                self.subgroups_exist()?;
                self.need(Need::Subgroups, 1);
                Ok(text.to_string())
            }
        }
    }

    /// An error if subgroups are not to be had.
    pub fn subgroups_exist(&self) -> Result<(), String> {
        if self.target.subgroups && !self.dialect.subgroups.is_empty() {
            Ok(())
        } else {
            Err("subgroup operations: the target has none".into())
        }
    }
}

/// A name from the kernel, out of the way of keywords and built-ins.
pub fn own(name: &str) -> String {
    format!("{name}_")
}

/// What `$n` stands for.
pub fn suffix(lanes: u8) -> String {
    match lanes {
        1 => String::new(),
        n => n.to_string(),
    }
}

fn builtin_name(b: Builtin) -> String {
    match b {
        Builtin::GlobalId(a) => format!("global{a}"),
        Builtin::LocalId(a) => format!("local{a}"),
        Builtin::GroupId(a) => format!("group{a}"),
        Builtin::NumGroups(a) => format!("groups{a}"),
        Builtin::LocalLinear => "linear".into(),
        Builtin::SubgroupSize => "subgroup_size".into(),
        Builtin::SubgroupLane => "subgroup_lane".into(),
        Builtin::SubgroupId => "subgroup_id".into(),
    }
}
