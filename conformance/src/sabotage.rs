//! Devices that are wrong on purpose, by which the suite tests itself: each kind of wrongness must
//! be reported as what it is. `--device cpu+sabotage:tail` is such a device, and
//! `cpu+sabotage:tail:add` one that is wrong only in kernels with `add` in their name. Devices like
//! `cpu+mutant:barrier#2` run kernels with a mistake of [`crate::mutation`] in them.

use crate::loose::Liberty;
use crate::mutation::{self, Mutation};
use std::time::Duration;
use suanzi_backends::{Device, Error, Memory, Result};
use suanzi_codegen::Kernel;

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
    /// The driver takes liberties with floats.
    Loose(Liberty),
    /// The kernel itself has a mistake.
    Mutant(Mutation),
    /// The interpreter runs kernels planned for the device, with the mistake and without, and
    /// compares.
    Twins(Mutation),
}

const KINDS: [(&str, Kind); 11] = [
    ("ulp", Kind::Ulp),
    ("shift", Kind::Shift),
    ("tail", Kind::Tail),
    ("nan", Kind::Nan),
    ("guard", Kind::Guard),
    ("input", Kind::Input),
    ("crash", Kind::Crash),
    ("hang", Kind::Hang),
    ("refuse", Kind::Refuse),
    ("contract", Kind::Loose(Liberty::Contract)),
    ("reassociate", Kind::Loose(Liberty::Reassociate)),
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
        let Some((base, (way, text))) = device
            .split_once('+')
            .and_then(|(base, rest)| Some((base, rest.split_once(':')?)))
        else {
            return Ok((device, None));
        };
        let mutant: Option<fn(Mutation) -> Kind> = match way {
            "mutant" => Some(Kind::Mutant),
            "twins" => Some(Kind::Twins),
            "sabotage" => None,
            _ => return Ok((device, None)),
        };
        let (name, pattern) = text.split_once(':').unwrap_or((text, ""));
        let kind = match mutant {
            None => KINDS.iter().find(|k| k.0 == name).map(|k| k.1),
            Some(mutant) => {
                let (name, site) = name.split_once('#').unwrap_or((name, "0"));
                let kind = mutation::KINDS.iter().find(|k| k.0 == name).map(|k| k.1);
                kind.zip(site.parse().ok())
                    .map(|(kind, site)| mutant(Mutation { kind, site }))
            }
        };
        let Some(kind) = kind else {
            let names: Vec<&str> = match mutant {
                None => KINDS.iter().map(|k| k.0).collect(),
                Some(_) => mutation::KINDS.iter().map(|k| k.0).collect(),
            };
            let names = names.join(", ");
            return Err(format!("no sabotage or mutant `{name}`; there are {names}"));
        };
        let pattern = pattern.to_string();
        Ok((base, Some(Sabotage { kind, pattern })))
    }

    /// What follows the device's name, as [`Sabotage::split`] reads it.
    pub fn name(&self) -> String {
        let name = match self.kind {
            Kind::Mutant(m) => format!("mutant:{}#{}", m.name(), m.site),
            Kind::Twins(m) => format!("twins:{}#{}", m.name(), m.site),
            kind => {
                let name = KINDS.iter().find(|k| k.1 == kind).map_or("", |k| k.0);
                format!("sabotage:{name}")
            }
        };
        match self.pattern.is_empty() {
            true => name,
            false => format!("{name}:{}", self.pattern),
        }
    }

    /// Whether mutants are compared with originals.
    pub fn compares(&self) -> bool {
        matches!(self.kind, Kind::Twins(_))
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
        match self.kind {
            Kind::Mutant(mutation) | Kind::Twins(mutation) => mutation.apply(kernel),
            Kind::Loose(liberty) => Some(liberty.compile(kernel)),
            _ => None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let (base, s) = Sabotage::split("cpu+sabotage:tail:add").unwrap();
        assert_eq!(
            (base, s.unwrap().name()),
            ("cpu", "sabotage:tail:add".into())
        );
        let (base, s) = Sabotage::split("vulkan:0+mutant:barrier#7").unwrap();
        assert_eq!(
            (base, s.unwrap().name()),
            ("vulkan:0", "mutant:barrier#7".into())
        );
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
