//! The one place where a call is sent to where it is computed. Each exported routine has an
//! [`Entry`]; after its arguments were checked it asks [`place`] with its sizes. The entries count
//! where calls went, and print that at exit when asked.
//!
//! The environment, read once:
//!
//! - `SUANZI_BLAS=device|host|auto` (`auto`): where to compute. There is no device path in this
//!   build, so `device` warns once and the host computes.
//! - `SUANZI_BLAS_COUNT=1`: count calls per routine, and print the counts at exit.
//! - `SUANZI_BLAS_TRACE=1`: print each call with its sizes.

use crate::error::say;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, Ordering};

/// Where a call is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// On this machine's processors.
    Host,
}

/// A routine in one type: its name, and how often it was computed where.
pub struct Entry {
    /// Such as `sgemm`.
    pub name: &'static str,
    host: AtomicU64,
    device: AtomicU64,
    /// The entries that were counted form a list.
    listed: AtomicBool,
    next: AtomicPtr<Entry>,
}

static LIST: AtomicPtr<Entry> = AtomicPtr::new(std::ptr::null_mut());

impl Entry {
    /// An entry that nothing was counted in.
    pub const fn new(name: &'static str) -> Entry {
        let next = AtomicPtr::new(std::ptr::null_mut());
        let listed = AtomicBool::new(false);
        Entry {
            name,
            host: AtomicU64::new(0),
            device: AtomicU64::new(0),
            listed,
            next,
        }
    }

    fn count(&'static self, place: Place) {
        let counter = match place {
            Place::Host => &self.host,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if !self.listed.swap(true, Ordering::Relaxed) {
            let own = std::ptr::from_ref(self).cast_mut();
            let link = |head| {
                self.next.store(head, Ordering::Relaxed);
                Some(own)
            };
            // It cannot fail: the closure always returns a value.
            let _ = LIST.fetch_update(Ordering::AcqRel, Ordering::Acquire, link);
        }
    }
}

/// What the environment asks for, as bits; 0 before it was read.
static WISHES: AtomicU8 = AtomicU8::new(0);
const READ: u8 = 1;
const COUNT: u8 = 2;
const TRACE: u8 = 4;

/// Where to compute the routine of `entry`, with up to three sizes (0 where unused).
#[inline(always)]
pub fn place(entry: &'static Entry, sizes: [usize; 3]) -> Place {
    if WISHES.load(Ordering::Relaxed) != READ {
        watched(entry, sizes[0], sizes[1], sizes[2]);
    }
    Place::Host
}

#[cold]
#[inline(never)]
fn watched(entry: &'static Entry, m: usize, n: usize, k: usize) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| WISHES.store(wishes(), Ordering::Relaxed));
    let wishes = WISHES.load(Ordering::Relaxed);
    if wishes & COUNT != 0 {
        entry.count(Place::Host);
    }
    if wishes & TRACE != 0 {
        say(&format!(
            "suanzi-blas: {} {m} {n} {k} on the host\n",
            entry.name
        ));
    }
}

fn wishes() -> u8 {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty() && v != "0");
    match std::env::var("SUANZI_BLAS").as_deref() {
        Err(_) | Ok("" | "auto" | "host") => {}
        Ok("device") => say("suanzi-blas: this build has no device path; the host computes\n"),
        Ok(other) => {
            say(&format!(
                "suanzi-blas: SUANZI_BLAS={other} is not device, host or auto\n"
            ));
        }
    }
    let mut wishes = READ;
    if is_set("SUANZI_BLAS_TRACE") {
        wishes |= TRACE;
    }
    if is_set("SUANZI_BLAS_COUNT") {
        wishes |= COUNT;
        // SAFETY: the function only reads and prints, and this library is never unloaded.
        unsafe { libc::atexit(print_counts) };
    }
    wishes
}

extern "C" fn print_counts() {
    let mut lines = Vec::new();
    let mut at = LIST.load(Ordering::Acquire);
    // SAFETY: the list is of static entries.
    while let Some(e) = unsafe { at.as_ref() } {
        let (device, host) = (
            e.device.load(Ordering::Relaxed),
            e.host.load(Ordering::Relaxed),
        );
        lines.push(format!(
            "suanzi-blas: {} device {device} host {host}",
            e.name
        ));
        at = e.next.load(Ordering::Acquire);
    }
    lines.sort();
    for line in lines {
        say(&(line + "\n"));
    }
}
