//! Who takes part.

mod cblas;
mod clblast;
mod cublas;
mod device;
mod gemm;

use super::problem::Problem;
use crate::Result;
use num_complex::Complex;

/// Somebody who has some of the routines.
pub trait Peer:
    Prepare<f32> + Prepare<f64> + Prepare<Complex<f32>> + Prepare<Complex<f64>>
{
    /// Its name in the report.
    fn name(&self) -> &str;

    /// What it is, in its own words.
    fn about(&self) -> String;
}

/// Routines for one kind of elements.
pub trait Prepare<T> {
    /// A routine ready to run; `None` if it does not have it.
    ///
    /// # Errors
    /// Where it has it and fails.
    fn prepare<'a>(&'a self, problem: &'a Problem<T>) -> Result<Option<Ready<'a, T>>>;
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

    /// What C holds, and after it the pivots of a factorisation that has them.
    ///
    /// # Errors
    /// The library's.
    fn result(&mut self) -> Result<Vec<T>>;
}

/// The names of all, this library's device first.
const ALL: &[&str] = &[
    "openblas",
    "openblas:Cooperlake",
    "openblas:SkylakeX",
    "openblas:Haswell",
    "openblas:Zen",
    "blis",
    "netlib",
    "dropin",
    "gemm",
    "clblast",
    "cublas",
];

/// Those who take part.
pub type Peers = Vec<Box<dyn Peer>>;

/// A name and why it takes no part.
pub type Absent = (String, String);

/// This library on a device, then the peers that are there; and those that are not.
///
/// # Errors
/// Where the device cannot be opened.
pub fn find(device: &str, names: &[&str]) -> Result<(Peers, Vec<Absent>)> {
    let mut found: Peers = vec![Box::new(device::Device::open(device)?)];
    let mut absent = vec![];
    for &name in if names.is_empty() { ALL } else { names } {
        let peer: Result<Box<dyn Peer>> = match name {
            "gemm" => Ok(Box::new(gemm::Crate)),
            "clblast" => clblast::Clblast::load(device).map(|p| Box::new(p) as Box<dyn Peer>),
            "cublas" => cublas::Cublas::load().map(|p| Box::new(p) as Box<dyn Peer>),
            _ => cblas::Cblas::load(name).map(|p| Box::new(p) as Box<dyn Peer>),
        };
        match peer {
            Ok(peer) => found.push(peer),
            Err(why) => absent.push((name.into(), format!("{why:#}"))),
        }
    }
    Ok((found, absent))
}
