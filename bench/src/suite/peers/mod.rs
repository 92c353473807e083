//! Who takes part.

mod cblas;
mod clblast;
mod device;
mod gemm;

use super::routine::Problem;
use crate::Result;
use suanzi_ops::Element;

/// Somebody who has some of the routines.
pub trait Peer {
    /// Its name in the report.
    fn name(&self) -> &str;

    /// What it is, in its own words.
    fn about(&self) -> String;

    /// A routine in f32, ready to run; `None` if it does not have it.
    ///
    /// # Errors
    /// Where it has it and fails.
    fn single<'a>(&'a self, problem: &'a Problem<f32>) -> Result<Option<Ready<'a, f32>>>;

    /// The same in f64.
    ///
    /// # Errors
    /// As [`Peer::single`].
    fn double<'a>(&'a self, problem: &'a Problem<f64>) -> Result<Option<Ready<'a, f64>>>;
}

/// A contender on the heap.
pub type Ready<'a, T> = Box<dyn Contender<T> + 'a>;

/// A routine with its inputs in place.
pub trait Contender<T> {
    /// Does it once, to the end.
    ///
    /// # Errors
    /// The library's.
    fn run(&mut self) -> Result<()>;

    /// What C holds.
    ///
    /// # Errors
    /// The library's.
    fn result(&mut self) -> Result<Vec<T>>;
}

/// f32 and f64.
pub trait Real: Element + PartialEq + 'static {
    /// The letter of its routines.
    const LETTER: char;
    /// The distance from 1 to the next number.
    const EPS: f64;

    /// The nearest number.
    fn of(x: f64) -> Self;

    /// In f64.
    fn to_f64(self) -> f64;

    /// A peer's contender.
    ///
    /// # Errors
    /// The peer's.
    fn prepare<'a>(
        peer: &'a dyn Peer,
        problem: &'a Problem<Self>,
    ) -> Result<Option<Ready<'a, Self>>>;
}

impl Real for f32 {
    const LETTER: char = 's';
    const EPS: f64 = f32::EPSILON as f64;

    fn of(x: f64) -> f32 {
        x as f32
    }

    fn to_f64(self) -> f64 {
        self.into()
    }

    fn prepare<'a>(
        peer: &'a dyn Peer,
        problem: &'a Problem<f32>,
    ) -> Result<Option<Ready<'a, f32>>> {
        peer.single(problem)
    }
}

impl Real for f64 {
    const LETTER: char = 'd';
    const EPS: f64 = f64::EPSILON;

    fn of(x: f64) -> f64 {
        x
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn prepare<'a>(
        peer: &'a dyn Peer,
        problem: &'a Problem<f64>,
    ) -> Result<Option<Ready<'a, f64>>> {
        peer.double(problem)
    }
}

/// The names of all, this library's device first.
const ALL: &[&str] = &[
    "openblas",
    "openblas:SkylakeX",
    "openblas:Haswell",
    "blis",
    "netlib",
    "dropin",
    "gemm",
    "clblast",
];

/// Those who take part.
pub type Peers = Vec<Box<dyn Peer>>;

/// A name and why it takes no part.
pub type Absent = (String, String);

/// This library on a device, then the peers that are there; and those that are not.
///
/// # Errors
/// Where the device cannot be opened.
pub fn find(device: &str, names: &[String]) -> Result<(Peers, Vec<Absent>)> {
    let mut found: Peers = vec![Box::new(device::Device::open(device)?)];
    let mut absent = vec![];
    let all: Vec<String> = ALL.iter().map(|n| (*n).to_string()).collect();
    for name in if names.is_empty() { &all } else { names } {
        let peer: Result<Box<dyn Peer>> = match name.as_str() {
            "gemm" => Ok(Box::new(gemm::Crate)),
            "clblast" => clblast::Clblast::load(device).map(|p| Box::new(p) as Box<dyn Peer>),
            _ => cblas::Cblas::load(name).map(|p| Box::new(p) as Box<dyn Peer>),
        };
        match peer {
            Ok(peer) => found.push(peer),
            Err(why) => absent.push((name.clone(), format!("{why:#}"))),
        }
    }
    Ok((found, absent))
}
