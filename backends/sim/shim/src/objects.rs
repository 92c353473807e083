//! Objects behind handles. A handle is a number that was never used before, so that one which was
//! destroyed, or is of another kind or vendor, is noticed.

use crate::Handle;
use crate::dnn;
use crate::flavour::{Flavour, INVALID_HANDLE};
use crate::stream::Stream;
use std::collections::HashMap;
use std::ffi::c_int;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use suanzi_sim::{Kernel, Module};

/// What a handle stands for.
#[derive(Clone)]
pub enum Object {
    /// A context of a device.
    Context(c_int),
    /// A stream.
    Stream(Stream),
    /// An event, and when it was recorded.
    Event(Option<Instant>),
    /// A loaded program.
    Module(Module),
    /// A kernel.
    Kernel(Kernel),
    /// A source, and what became of it.
    Program(Program),
    /// A handle of the matrix library, and its stream.
    Blas(Option<Stream>),
    /// A handle of the library of layers, and its stream.
    Dnn(Option<Stream>),
    /// A descriptor of a tensor, once it is set.
    Tensor(Option<dnn::Tensor>),
    /// A descriptor of weights.
    Filter(Option<dnn::Tensor>),
    /// A descriptor of a convolution.
    Convolution(Option<dnn::Convolution>),
}

/// A program of the compiler.
#[derive(Clone, Default)]
pub struct Program {
    /// What it is compiled from.
    pub source: String,
    /// The compiler's words.
    pub log: String,
    /// What was made.
    pub artifact: Option<Vec<u8>>,
}

struct Table {
    next: usize,
    objects: HashMap<usize, (u32, Object)>,
}

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(|| {
    Mutex::new(Table {
        // Not an address of anything, and not small.
        next: 0x5a00_0000_0000_0000,
        objects: HashMap::new(),
    })
});

fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A handle of a new object.
pub fn add(flavour: &Flavour, object: Object) -> Handle {
    let mut table = table();
    table.next += 16;
    let handle = table.next;
    table.objects.insert(handle, (flavour.bit, object));
    handle as Handle
}

/// The object of a handle, if it is a vendor's.
pub fn get(flavour: &Flavour, handle: Handle) -> Result<Object, c_int> {
    let table = table();
    let found = table.objects.get(&(handle as usize));
    let own = found.filter(|(bit, _)| *bit == flavour.bit);
    own.map(|(_, object)| object.clone()).ok_or(INVALID_HANDLE)
}

/// Puts another object behind a handle.
pub fn replace(flavour: &Flavour, handle: Handle, object: Object) {
    let key = handle as usize;
    table().objects.insert(key, (flavour.bit, object));
}

/// Forgets an object.
pub fn remove(flavour: &Flavour, handle: Handle) -> Result<Object, c_int> {
    let object = get(flavour, handle)?;
    table().objects.remove(&(handle as usize));
    Ok(object)
}
