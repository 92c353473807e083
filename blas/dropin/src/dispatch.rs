//! The one place where a call is sent to where it is computed. Each exported routine has an
//! [`Entry`]; after its arguments were checked it hands [`compute!`] its sizes and both ways to do it.
//! The entries count where calls went, and print that at exit when asked.
//!
//! What is asked for is read once, from the environment or from the file that `SUANZI_BLAS_CONFIG`
//! names, whose lines are `NAME = value`; the environment counts first:
//!
//! - `SUANZI_BLAS=device|host|auto` (`auto`): where to compute. `device` sends there whatever it can
//!   do; `auto` only large products of level 3, and only to a device that is named: vectors are moved
//!   to a device in more time than they are added in here.
//! - `SUANZI_BLAS_DEVICE=opencl:0`: which device, as `suanzi devices` names it. For `device` it may be
//!   left out, which takes the one that the library would take by default.
//! - `SUANZI_BLAS_LEAST=N` (2^30): the least m·n·k that `auto` sends to the device.
//! - `SUANZI_BLAS_COUNT=1`: count calls per routine, and print the counts at exit.
//! - `SUANZI_BLAS_TRACE=1`: print each call with its sizes.

use crate::device;
use crate::error::say;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use suanzi_backends::Context;

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

    fn count(&'static self, on_device: bool) {
        let counter = if on_device { &self.device } else { &self.host };
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

/// What is asked for.
struct Wishes {
    /// The least m·n·k that goes to the device; `None`: nothing does.
    least: Option<u128>,
    count: bool,
    trace: bool,
}

/// Nothing is asked for but the host: the short way.
static PLAIN: AtomicBool = AtomicBool::new(false);
static WISHES: OnceLock<Wishes> = OnceLock::new();

/// Whether nothing is asked for but the host.
#[inline(always)]
pub fn plain() -> bool {
    PLAIN.load(Ordering::Relaxed)
}

/// Computes the routine of an entry, with up to three sizes (0 where unused), on the device if that
/// is asked for, can be (`if`), and succeeds; else on the host. No function: the host's part must
/// become part of its caller, where a short call is short, and the last that it does.
macro_rules! compute {
    (if $can:expr, $entry:expr, $sizes:expr, |$ctx:ident| $device:expr, $host:expr $(,)?) => {
        if $crate::dispatch::plain() {
            $host
        } else {
            let (can, entry, sizes) = ($can, $entry, $sizes);
            $crate::dispatch::asked(can, entry, sizes, move |$ctx| $device, move || $host)
        }
    };
    ($entry:expr, $sizes:expr, |$ctx:ident| $device:expr, $host:expr $(,)?) => {
        compute!(if true, $entry, $sizes, |$ctx| $device, $host)
    };
}
pub(crate) use compute;

/// Does what is asked for.
#[cold]
#[inline(never)]
pub fn asked<R>(
    can: bool,
    entry: &'static Entry,
    sizes: [usize; 3],
    device: impl FnOnce(&Context) -> device::Result<R>,
    host: impl FnOnce() -> R,
) -> R {
    elsewhere(can, entry, sizes, device).unwrap_or_else(host)
}

/// The device's result, if it has one; counts and prints what is asked for.
fn elsewhere<R>(
    can: bool,
    entry: &'static Entry,
    sizes: [usize; 3],
    device: impl FnOnce(&Context) -> device::Result<R>,
) -> Option<R> {
    let wishes = WISHES.get_or_init(wishes);
    let work = sizes.iter().map(|&s| s as u128).product::<u128>();
    let result = match wishes.least {
        Some(least) if can && work >= least => device::attempt(entry.name, device),
        _ => None,
    };
    if wishes.count {
        entry.count(result.is_some());
    }
    if wishes.trace {
        let ([m, n, k], name) = (sizes, entry.name);
        let place = if result.is_some() { "device" } else { "host" };
        say(&format!("suanzi-blas: {name} {m} {n} {k} on the {place}\n"));
    }
    result
}

/// A setting: of the environment, else of the file.
pub fn setting(name: &str) -> Option<String> {
    static FILE: OnceLock<String> = OnceLock::new();
    let given = std::env::var(name).ok().or_else(|| {
        let file = FILE.get_or_init(|| {
            let Some(path) = std::env::var_os("SUANZI_BLAS_CONFIG") else {
                return String::new();
            };
            std::fs::read_to_string(&path).unwrap_or_else(|error| {
                say(&format!("suanzi-blas: {}: {error}\n", path.display()));
                String::new()
            })
        });
        let mut lines = file.lines().filter_map(|line| line.split_once('='));
        let found = lines.rfind(|(key, _)| key.trim() == name);
        found.map(|(_, value)| value.trim().to_string())
    });
    given.filter(|value| !value.is_empty())
}

fn wishes() -> Wishes {
    let is_set = |name: &str| setting(name).is_some_and(|v| v != "0");
    let least = match setting("SUANZI_BLAS").as_deref() {
        Some("device") => Some(0),
        Some("host") => None,
        other => {
            if let Some(other) = other.filter(|&o| o != "auto") {
                say(&format!(
                    "suanzi-blas: SUANZI_BLAS={other} is not device, host or auto\n"
                ));
            }
            let named = setting("SUANZI_BLAS_DEVICE").is_some();
            named.then(|| least_work().max(1))
        }
    };
    let wishes = Wishes {
        least,
        count: is_set("SUANZI_BLAS_COUNT"),
        trace: is_set("SUANZI_BLAS_TRACE"),
    };
    if wishes.count {
        // SAFETY: the function only reads and prints, and this library is never unloaded.
        unsafe { libc::atexit(print_counts) };
    }
    let plain = wishes.least.is_none() && !wishes.count && !wishes.trace;
    PLAIN.store(plain, Ordering::Relaxed);
    wishes
}

/// The least m·n·k for which copying pays.
fn least_work() -> u128 {
    let Some(text) = setting("SUANZI_BLAS_LEAST") else {
        return 1 << 30;
    };
    text.parse().unwrap_or_else(|_| {
        say(&format!(
            "suanzi-blas: SUANZI_BLAS_LEAST={text} is not a number\n"
        ));
        1 << 30
    })
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
