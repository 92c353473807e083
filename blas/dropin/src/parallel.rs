//! All cores: one set of helper threads, made when first needed, and made anew in the child of a
//! fork (where the parent's threads do not exist).
//!
//! A caller with several tasks opens a job, and takes tasks itself; helpers that are awake join it
//! while it is open. If the helpers are busy with another caller's job, the caller does all of its
//! tasks alone: nobody ever waits for a helper that has not joined, and no lock is held across a
//! fork.

use crate::scalar::Scalar;
use std::cell::{Cell, UnsafeCell};
use std::iter::Sum;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// What helpers do: call `run` with `data` and the number of each task.
#[derive(Clone, Copy)]
struct Job {
    run: unsafe fn(*const (), usize),
    data: *const (),
    count: usize,
}

struct Pool {
    /// Some caller's job is under way.
    taken: AtomicBool,
    /// The job; written by the caller that took the pool, while the job is not open.
    job: UnsafeCell<Job>,
    /// How many jobs there have been: helpers wait for it to change.
    epoch: AtomicUsize,
    /// The next task.
    next: AtomicUsize,
    /// `OPEN`, and the number of helpers inside.
    state: AtomicUsize,
    helpers: Vec<AtomicPtr<Thread>>,
}

// SAFETY: `job` is only read by helpers that joined while `OPEN` was set, and only written when it
// is not set and no helper is inside.
unsafe impl Sync for Pool {}

const OPEN: usize = 1 << 32;
/// How long a helper looks for the next job without pause, and how long it looks, giving way to whatever else
/// there is to run, before it sleeps: waking it takes as long as half a megabyte of work.
const EAGER: Duration = Duration::from_micros(20);
const AWAKE: Duration = Duration::from_millis(3);

static POOL: AtomicPtr<Pool> = AtomicPtr::new(std::ptr::null_mut());
static THREADS: AtomicUsize = AtomicUsize::new(0);
thread_local! {
    /// This thread works on a task: what it calls is not cut up again.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// In a fork's child: forget the parent's pool (its memory is left as it is).
extern "C" fn in_child() {
    POOL.store(std::ptr::null_mut(), Ordering::SeqCst);
}

/// How many threads to use: `SUANZI_BLAS_THREADS`, else `OMP_NUM_THREADS`, else all cores.
#[inline(always)]
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => ask_threads(),
        n => n,
    }
}

#[cold]
fn ask_threads() -> usize {
    let asked = ["SUANZI_BLAS_THREADS", "OMP_NUM_THREADS"]
        .iter()
        .find_map(|v| {
            std::env::var(v)
                .ok()?
                .parse::<usize>()
                .ok()
                .filter(|&n| n > 0)
        });
    let n = asked
        .or(thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1)
        .min(1024);
    THREADS.store(n, Ordering::Relaxed);
    n
}

/// The pool, or nothing where one thread is all there is.
fn pool() -> Option<&'static Pool> {
    let p = POOL.load(Ordering::Acquire);
    if !p.is_null() {
        // SAFETY: a pool is never freed once it is stored.
        return Some(unsafe { &*p });
    }
    if threads() < 2 { None } else { new_pool() }
}

#[cold]
fn new_pool() -> Option<&'static Pool> {
    static ATFORK: Once = Once::new();
    ATFORK.call_once(|| {
        // SAFETY: the handler only stores to an atomic, and this library is never unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    unsafe fn nothing(_: *const (), _: usize) {}
    let new = Box::into_raw(Box::new(Pool {
        taken: AtomicBool::new(false),
        job: UnsafeCell::new(Job {
            run: nothing,
            data: std::ptr::null(),
            count: 0,
        }),
        epoch: AtomicUsize::new(0),
        next: AtomicUsize::new(0),
        state: AtomicUsize::new(0),
        helpers: (1..threads())
            .map(|_| AtomicPtr::new(std::ptr::null_mut()))
            .collect(),
    }));
    match POOL.compare_exchange(
        std::ptr::null_mut(),
        new,
        Ordering::AcqRel,
        Ordering::Acquire,
    ) {
        Ok(_) => {
            // SAFETY: just made, and never freed once stored.
            let pool: &'static Pool = unsafe { &*new };
            for (i, slot) in pool.helpers.iter().enumerate() {
                let named = thread::Builder::new().name(format!("suanzi-blas-{i}"));
                // A helper that cannot be had is one that never joins.
                if let Ok(handle) = named.spawn(move || help(pool)) {
                    let thread = Box::into_raw(Box::new(handle.thread().clone()));
                    slot.store(thread, Ordering::Release);
                }
            }
            Some(pool)
        }
        Err(other) => {
            // SAFETY: ours lost, and nobody else has seen it; the other is never freed.
            unsafe {
                drop(Box::from_raw(new));
                Some(&*other)
            }
        }
    }
}

/// What a helper does all its life.
fn help(pool: &'static Pool) {
    INSIDE.set(true);
    let mut seen = 0;
    loop {
        let since = Instant::now();
        while pool.epoch.load(Ordering::Acquire) == seen {
            match since.elapsed() {
                t if t < EAGER => (0..32).for_each(|_| std::hint::spin_loop()),
                t if t < AWAKE => thread::yield_now(),
                _ => thread::park(),
            }
        }
        seen = pool.epoch.load(Ordering::Acquire);
        let join = |s: usize| (s & OPEN != 0).then_some(s + 1);
        if pool
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, join)
            .is_ok()
        {
            // SAFETY: the job is open, and its caller waits until this helper has left.
            unsafe { work(pool, *pool.job.get()) };
            pool.state.fetch_sub(1, Ordering::Release);
        }
    }
}

/// Takes tasks until there are none.
unsafe fn work(pool: &Pool, job: Job) {
    loop {
        let i = pool.next.fetch_add(1, Ordering::Relaxed);
        if i >= job.count {
            return;
        }
        // SAFETY: the caller's promise: the job's data is alive.
        unsafe { (job.run)(job.data, i) };
    }
}

/// Calls `f` with 0..count, several at once where helpers are free.
pub fn tasks<F: Fn(usize) + Sync>(count: usize, f: F) {
    let free = |p: &&Pool| {
        let taken = p
            .taken
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    };
    let pool = if count < 2 || INSIDE.get() {
        None
    } else {
        pool().filter(free)
    };
    let Some(pool) = pool else {
        return (0..count).for_each(f);
    };
    unsafe fn run<F: Fn(usize)>(data: *const (), i: usize) {
        // SAFETY: `data` is the closure below, alive until all have left the job.
        unsafe { (*data.cast::<F>())(i) }
    }
    let job = Job {
        run: run::<F>,
        data: std::ptr::from_ref(&f).cast(),
        count,
    };
    // SAFETY: the pool is taken, the job not open, and no helper inside.
    unsafe { *pool.job.get() = job };
    pool.next.store(0, Ordering::Relaxed);
    pool.state.store(OPEN, Ordering::Release);
    pool.epoch.fetch_add(1, Ordering::Release);
    for slot in pool.helpers.iter().take(count - 1) {
        // SAFETY: null, or a thread handle that is never freed.
        if let Some(thread) = unsafe { slot.load(Ordering::Acquire).as_ref() } {
            thread.unpark();
        }
    }
    INSIDE.set(true);
    // SAFETY: the closure is alive.
    unsafe { work(pool, job) };
    INSIDE.set(false);
    pool.state.fetch_and(!OPEN, Ordering::AcqRel);
    let mut spins = 0;
    while pool.state.load(Ordering::Acquire) != 0 {
        spins += 1;
        if spins < 1000 {
            std::hint::spin_loop()
        } else {
            thread::yield_now()
        }
    }
    pool.taken.store(false, Ordering::Release);
}

/// An address that threads may share: each works on its own range behind it.
#[derive(Clone, Copy)]
pub struct Shared<T>(pub *mut T);
// SAFETY: the users' ranges do not overlap, or are only read.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: the same.
unsafe impl<T> Sync for Shared<T> {}
impl<T> Shared<T> {
    /// The address. (A closure that names the field would hold the bare address.)
    #[inline(always)]
    pub fn ptr(self) -> *mut T {
        self.0
    }
    /// The address of element `i`.
    ///
    /// # Safety
    /// There is such an element.
    #[inline(always)]
    pub unsafe fn at(self, i: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(i) }
    }
}

/// Bytes from which on work on a vector or matrix is shared: going through them takes several times
/// what it takes to call a helper that is awake.
const LARGE: usize = 1 << 18;

/// Calls `f(start, length)` on ranges that make up 0..n, where each of the n has `bytes` to work
/// on; several at once if that is a lot.
#[inline(always)]
pub fn ranges(n: usize, bytes: usize, f: impl Fn(usize, usize) + Sync) {
    if n.saturating_mul(bytes) < LARGE {
        f(0, n)
    } else {
        large_ranges(n, f)
    }
}

/// The length of the parts that 0..n is cut into.
fn part(n: usize) -> usize {
    n.div_ceil(threads()).next_multiple_of(64)
}

#[inline(never)]
fn large_ranges(n: usize, f: impl Fn(usize, usize) + Sync) {
    let part = part(n);
    tasks(n.div_ceil(part), |i| f(i * part, part.min(n - i * part)));
}

/// How the work on each of 0..n differs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// It does not.
    Even,
    /// It grows from nothing, as the columns of an upper triangle do.
    Growing,
    /// It shrinks to nothing.
    Shrinking,
}

impl Area {
    /// Where part `i` of `parts` of 0..n begins, all having the same work: a multiple of `unit`.
    pub fn bound(self, n: usize, i: usize, parts: usize, unit: usize) -> usize {
        let x = i as f64 / parts as f64;
        let x = match self {
            Area::Even => x,
            Area::Growing => x.sqrt(),
            Area::Shrinking => 1.0 - (1.0 - x).sqrt(),
        };
        let at = ((x * n as f64) as usize).next_multiple_of(unit).min(n);
        if i == parts { n } else { at }
    }

    /// How many parts to make of 0..n, where all of it has `bytes` to work on.
    pub fn parts(bytes: usize) -> usize {
        if bytes < LARGE { 1 } else { threads() }
    }
}

/// Calls `f(part, from, to)` for `parts` parts of 0..n of the same work.
#[inline(never)]
pub fn areas(n: usize, parts: usize, area: Area, f: &(impl Fn(usize, usize, usize) + Sync)) {
    const UNIT: usize = 4;
    tasks(parts, |i| {
        let bound = |i| area.bound(n, i, parts, UNIT);
        let (from, to) = (bound(i), bound(i + 1));
        if from < to {
            f(i, from, to);
        }
    });
}

/// The sum of `f(start, length)` over such ranges of a vector, added up in their order.
#[inline(always)]
pub fn sum<T: Scalar, S: Sum + Send + Copy + Default>(
    n: usize,
    f: impl Fn(usize, usize) -> S + Sync,
) -> S {
    if n.saturating_mul(size_of::<T>()) < LARGE {
        f(0, n)
    } else {
        large_sum(n, f)
    }
}

#[inline(never)]
fn large_sum<S: Sum + Send + Copy + Default>(n: usize, f: impl Fn(usize, usize) -> S + Sync) -> S {
    let part = part(n);
    let mut sums = vec![S::default(); n.div_ceil(part)];
    let out = Shared(sums.as_mut_ptr());
    tasks(sums.len(), |i| {
        // SAFETY: each task has its own element.
        unsafe { *out.at(i) = f(i * part, part.min(n - i * part)) }
    });
    sums.into_iter().sum()
}
