//! Devices that are wrong on purpose, by which the suite tests itself: each kind of wrongness must
//! be reported as what it is. `--device cpu+sabotage:tail` is such a device, and
//! `cpu+sabotage:tail:add` one that is wrong only in kernels with `add` in their name.

use std::time::Duration;
use suanzi_backends::{Device, Error, Memory, Result};
use suanzi_codegen::Kernel;
use suanzi_codegen::ir::{BinOp, Expr, Place, Stmt};

/// A way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The last bit of one result is wrong.
    Ulp,
    /// Results lie one element too far.
    Shift,
    /// The last result is not written.
    Tail,
    /// NaN becomes zero.
    Nan,
    /// An element behind the results is overwritten.
    Guard,
    /// An input is overwritten.
    Input,
    /// The process dies.
    Crash,
    /// A launch never returns.
    Hang,
    /// A launch is refused.
    Refuse,
    /// The operands of subtractions and comparisons of floats are swapped in the kernel.
    Swap,
    /// Stores go to the next element: an index off by one in the kernel.
    Index,
    /// The last store of the kernel is dropped.
    Store,
    /// The kernel's barriers are dropped. The interpreter runs a work-group in step and does not
    /// notice; devices do.
    Barrier,
}

const KINDS: [(&str, Kind); 13] = [
    ("ulp", Kind::Ulp),
    ("shift", Kind::Shift),
    ("tail", Kind::Tail),
    ("nan", Kind::Nan),
    ("guard", Kind::Guard),
    ("input", Kind::Input),
    ("crash", Kind::Crash),
    ("hang", Kind::Hang),
    ("refuse", Kind::Refuse),
    ("swap", Kind::Swap),
    ("index", Kind::Index),
    ("store", Kind::Store),
    ("barrier", Kind::Barrier),
];

/// A wrongness, and which kernels have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sabotage {
    kind: Kind,
    /// Part of the kernel's name; empty for every kernel.
    pattern: String,
}

impl Sabotage {
    /// Splits a device name into the device and its sabotage.
    ///
    /// # Errors
    /// The kinds there are, where it names none of them.
    pub fn split(device: &str) -> std::result::Result<(&str, Option<Sabotage>), String> {
        let Some((base, text)) = device.split_once("+sabotage:") else {
            return Ok((device, None));
        };
        let (name, pattern) = text.split_once(':').unwrap_or((text, ""));
        let kind = KINDS.iter().find(|k| k.0 == name).map(|k| k.1);
        let Some(kind) = kind else {
            let names: Vec<&str> = KINDS.iter().map(|k| k.0).collect();
            return Err(format!(
                "no sabotage `{name}`; there are {}",
                names.join(", ")
            ));
        };
        let pattern = pattern.to_string();
        Ok((base, Some(Sabotage { kind, pattern })))
    }

    /// What [`Sabotage::split`] reads.
    pub fn name(&self) -> String {
        let name = KINDS.iter().find(|k| k.1 == self.kind).map_or("", |k| k.0);
        match self.pattern.is_empty() {
            true => name.into(),
            false => format!("{name}:{}", self.pattern),
        }
    }

    /// Whether kernels of this name are concerned.
    pub fn concerns(&self, kernel: &str) -> bool {
        kernel.contains(&self.pattern)
    }

    /// The kernel as it is compiled instead, for kinds that change the kernel.
    pub fn mutate(&self, kernel: &Kernel) -> Option<Kernel> {
        if !self.concerns(&kernel.name) {
            return None;
        }
        let mut mutant = kernel.clone();
        match self.kind {
            Kind::Swap => {
                for i in 0..mutant.exprs.len() {
                    if let Expr::Binary(op, a, b) = mutant.exprs[i]
                        && kernel.ty(a).scalar.is_float()
                        && (op.is_comparison() || op == BinOp::Sub)
                    {
                        mutant.exprs[i] = Expr::Binary(op, b, a);
                    }
                }
            }
            Kind::Index => shift_stores(&mut mutant),
            Kind::Store => {
                drop_last_store(&mut mutant.body);
            }
            Kind::Barrier => drop_barriers(&mut mutant.body),
            _ => return None,
        }
        Some(mutant)
    }

    /// A launch, gone wrong. Outputs come with their element size.
    pub fn launch(
        &self,
        device: &dyn Device,
        outputs: &[(&Memory, usize)],
        inputs: &[&Memory],
        launch: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        match self.kind {
            Kind::Crash => std::process::abort(),
            Kind::Hang => loop {
                std::thread::sleep(Duration::from_secs(60));
            },
            Kind::Refuse => {
                return Err(Error::Driver {
                    device: device.info().id.clone(),
                    call: "launch",
                    what: "sabotaged".into(),
                });
            }
            _ => {}
        }
        let before = read_all(device, outputs)?;
        launch()?;
        for (&(memory, size), before) in outputs.iter().zip(before) {
            let mut after = vec![0; before.len()];
            device.read(memory, 0, &mut after)?;
            self.spoil(&before, &mut after, size);
            device.write(memory, 0, &after)?;
        }
        if self.kind == Kind::Input {
            for memory in inputs {
                let middle = memory.bytes / 2;
                let mut byte = [0];
                device.read(memory, middle, &mut byte)?;
                device.write(memory, middle, &[byte[0] ^ 0x40])?;
            }
        }
        Ok(())
    }

    /// Changes what a launch wrote.
    fn spoil(&self, before: &[u8], after: &mut [u8], size: usize) {
        let changed: Vec<usize> = (0..after.len() / size)
            .filter(|i| before[i * size..][..size] != after[i * size..][..size])
            .collect();
        let (Some(&first), Some(&last)) = (changed.first(), changed.last()) else {
            return;
        };
        let original = after.to_vec();
        match self.kind {
            Kind::Ulp => after[first * size] ^= 1,
            Kind::Shift => {
                let moved = original[first * size..last * size].to_vec();
                after[(first + 1) * size..(last + 1) * size].copy_from_slice(&moved);
            }
            Kind::Tail => {
                after[last * size..][..size].copy_from_slice(&before[last * size..][..size]);
            }
            Kind::Nan => {
                for &i in &changed {
                    let element = &mut after[i * size..][..size];
                    let nan = match size {
                        4 => f32::from_le_bytes([element[0], element[1], element[2], element[3]])
                            .is_nan(),
                        _ => false,
                    };
                    if nan {
                        element.fill(0);
                    }
                }
            }
            Kind::Guard => {
                let next = (last + 1) * size;
                if let Some(byte) = after.get_mut(next) {
                    *byte ^= 0x10;
                }
            }
            _ => {}
        }
    }
}

fn read_all(device: &dyn Device, outputs: &[(&Memory, usize)]) -> Result<Vec<Vec<u8>>> {
    let read = |&(memory, _): &(&Memory, usize)| {
        let mut bytes = vec![0; memory.bytes as usize];
        device.read(memory, 0, &mut bytes)?;
        Ok(bytes)
    };
    outputs.iter().map(read).collect()
}

/// Adds one to the index of every store into a buffer, where the index is a sum that can take it:
/// the sum's right operand is replaced by its left, doubled, which is wrong for all but zero.
fn shift_stores(kernel: &mut Kernel) {
    let mut indices = vec![];
    kernel.for_each_stmt(&mut |stmt| {
        if let Stmt::Store {
            place: Place::Buffer(_),
            index,
            ..
        } = stmt
        {
            indices.push(*index);
        }
    });
    for index in indices {
        if let Expr::Binary(BinOp::Add, a, _) = kernel.exprs[index.0 as usize] {
            kernel.exprs[index.0 as usize] = Expr::Binary(BinOp::Add, a, a);
        }
    }
}

/// Removes the last store into a buffer.
fn drop_last_store(block: &mut Vec<Stmt>) -> bool {
    for i in (0..block.len()).rev() {
        let found = match &mut block[i] {
            Stmt::Store {
                place: Place::Buffer(_),
                ..
            } => {
                block.remove(i);
                true
            }
            Stmt::If {
                then, otherwise, ..
            } => drop_last_store(otherwise) || drop_last_store(then),
            Stmt::For { body, .. } => drop_last_store(body),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

fn drop_barriers(block: &mut Vec<Stmt>) {
    block.retain(|stmt| !matches!(stmt, Stmt::Barrier(_)));
    for stmt in block {
        match stmt {
            Stmt::If {
                then, otherwise, ..
            } => {
                drop_barriers(then);
                drop_barriers(otherwise);
            }
            Stmt::For { body, .. } => drop_barriers(body),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let (base, s) = Sabotage::split("cpu+sabotage:tail:add").unwrap();
        assert_eq!((base, s.unwrap().name()), ("cpu", "tail:add".into()));
        assert_eq!(Sabotage::split("opencl:0").unwrap(), ("opencl:0", None));
        assert!(
            Sabotage::split("cpu+sabotage:mood")
                .unwrap_err()
                .contains("hang")
        );
    }

    #[test]
    fn spoiling_changes_what_it_says() {
        let spoil = |name: &str| {
            let (_, s) = Sabotage::split(name).unwrap();
            let mut after = vec![9, 1, 2, 3, 9];
            s.unwrap().spoil(&[9, 7, 7, 7, 9], &mut after, 1);
            after
        };
        assert_eq!(spoil("cpu+sabotage:shift"), [9, 1, 1, 2, 9]);
        assert_eq!(spoil("cpu+sabotage:tail"), [9, 1, 2, 7, 9]);
        assert_eq!(spoil("cpu+sabotage:guard"), [9, 1, 2, 3, 25]);
        assert_eq!(spoil("cpu+sabotage:ulp"), [9, 0, 2, 3, 9]);
    }
}
