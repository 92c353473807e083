//! A work-group: work-items one after another on one fibre, until one waits. It keeps its fibre, and
//! the next ones go on with a fresh one; so a kernel that never waits needs one fibre, and one that
//! waits has a fibre for each work-item.
//!
//! When all have started, those that wait are looked at, subgroup by subgroup. A subgroup whose
//! work-items all wait at one operation goes on; when there is none left, the whole group has to wait
//! at one barrier. Anything else is a fault.
//!
//! What kernels call (`Host`) finds its work-item through a variable of the thread. A group never
//! changes its thread.

use crate::module::Kernel;
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong};

/// As `sz_host` in the header.
#[repr(C)]
pub(crate) struct Host {
    current: extern "C" fn() -> *const Item,
    barrier: extern "C" fn(name: *const c_char, line: c_int),
    exchange:
        extern "C" fn(name: *const c_char, line: c_int, mask: c_ulonglong, value: c_ulonglong),
    peer: extern "C" fn(lane: c_uint) -> c_ulonglong,
    lanes: extern "C" fn() -> c_uint,
    fault: extern "C" fn(what: *const c_char, line: c_int),
}

/// The calls that kernels get.
pub(crate) static HOST: Host = Host {
    current,
    barrier,
    exchange,
    peer,
    lanes,
    fault,
};

/// As `sz_item` in the header.
#[repr(C)]
#[derive(Clone, Copy)]
struct Item {
    thread: [u32; 3],
    block: [u32; 3],
    block_dim: [u32; 3],
    grid_dim: [u32; 3],
    width: c_int,
    linear: u32,
}

/// Stack of a fibre: private arrays and a function's own needs. Only what is touched is there.
const STACK: usize = 256 << 10;

/// Stacks that a thread keeps for its next group.
const KEPT: usize = 1024;

type Pause = Yielder<(), ()>;
type Routine = Coroutine<(), (), (), DefaultStack>;

/// A fibre, as the work-item that it is at sees it. `item` is first: [`current`] gives it away.
#[repr(C)]
struct Fibre {
    item: UnsafeCell<Item>,
    pause: Cell<*const Pause>,
    group: *const Group<'static>,
}

/// A fibre that waits, and where it can be gone on with.
struct Paused {
    fibre: Box<Fibre>,
    routine: Routine,
}

/// Where a work-item waits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    name: &'static CStr,
    line: c_int,
    subgroup: bool,
}

/// What a work-item left for its subgroup. Two of each, taking turns: the fastest work-item may be at
/// its next exchange, and never further, while the slowest still reads from the last one.
#[derive(Clone, Copy, Default)]
struct Slot {
    values: [u64; 2],
    turn: usize,
}

/// What a group needs for each of its work-items. A group that came to its end leaves it as it was made,
/// for the next one (but for old values, which nobody reads).
pub struct Scratch {
    /// Where each work-item waits; nowhere where it runs, ended, or did not begin.
    places: Vec<Cell<Option<Place>>>,
    slots: Vec<Cell<Slot>>,
    paused: Vec<Option<Paused>>,
}

impl Scratch {
    /// For groups of so many work-items.
    pub fn new(size: usize) -> Scratch {
        Scratch {
            places: vec![Cell::new(None); size],
            slots: vec![Cell::new(Slot::default()); size],
            paused: (0..size).map(|_| None).collect(),
        }
    }
}

/// What the fibres of a group share. They run on one thread, one at a time.
struct Group<'a> {
    kernel: &'a Kernel,
    args: &'a [u8],
    /// The identity of the first work-item.
    first: Item,
    size: u32,
    /// The next work-item to start.
    next: Cell<u32>,
    places: &'a [Cell<Option<Place>>],
    slots: &'a [Cell<Slot>],
    /// Set once, and then nothing goes on.
    fault: RefCell<Option<String>>,
}

thread_local! {
    static RUNNING: Cell<*const Fibre> = const { Cell::new(std::ptr::null()) };
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(vec![]) };
}

/// Runs one group.
///
/// # Safety
/// As [`crate::launch`].
pub unsafe fn run(
    kernel: &Kernel,
    groups: [u32; 3],
    at: [u32; 3],
    block: [u32; 3],
    args: &[u8],
    width: u32,
    scratch: &mut Scratch,
) -> Result<(), String> {
    let group = Group {
        kernel,
        args,
        first: Item {
            thread: [0; 3],
            block: at,
            block_dim: block,
            grid_dim: groups,
            width: width as c_int,
            linear: 0,
        },
        size: scratch.paused.len() as u32,
        next: Cell::new(0),
        places: &scratch.places,
        slots: &scratch.slots,
        fault: RefCell::new(None),
    };
    let result = group.run(&mut scratch.paused, width);
    if result.is_ok() {
        return Ok(());
    }
    scratch.places.iter().for_each(|place| place.set(None));
    for Paused { mut routine, .. } in scratch.paused.iter_mut().filter_map(Option::take) {
        // SAFETY: what is on the stack is a kernel and the call that it waits in, neither of which
        // owns anything; and they refer to nothing after this.
        unsafe { routine.force_reset() };
        keep(routine.into_stack());
    }
    result
}

impl Group<'_> {
    fn run(&self, paused: &mut [Option<Paused>], width: u32) -> Result<(), String> {
        while self.next.get() < self.size {
            let fresh = self.fibre()?;
            self.go_on(fresh, paused)?;
        }
        let width = width as usize;
        loop {
            let mut moved = false;
            for start in (0..paused.len()).step_by(width) {
                let members = start..(start + width).min(paused.len());
                let waits = |i: &usize| self.places[*i].get().is_some_and(|p| p.subgroup);
                let Some(one) = members.clone().find(waits) else {
                    continue;
                };
                self.together(one, members.clone(), "subgroup")?;
                for i in members {
                    self.wake(i, paused)?;
                }
                moved = true;
            }
            if moved {
                continue;
            }
            let Some(one) = (0..paused.len()).find(|&i| self.places[i].get().is_some()) else {
                return Ok(());
            };
            self.together(one, 0..paused.len(), "group")?;
            for i in 0..paused.len() {
                self.wake(i, paused)?;
            }
        }
    }

    /// Every one of the work-items waits where this one does.
    fn together(&self, one: usize, all: std::ops::Range<usize>, whole: &str) -> Result<(), String> {
        let place = self.places[one].get();
        let Some(other) = all.into_iter().find(|&i| self.places[i].get() != place) else {
            return Ok(());
        };
        let says = |i: usize| match self.places[i].get() {
            Some(p) => format!("waits at {} in line {}", p.name.to_string_lossy(), p.line),
            None => "has ended".into(),
        };
        Err(format!(
            "divergence: work-item {:?} of group {:?} {}, and work-item {:?} of the same {whole} {}",
            self.thread(one as u32),
            self.first.block,
            says(one),
            self.thread(other as u32),
            says(other)
        ))
    }

    /// Lets a work-item go on from where it waits.
    fn wake(&self, item: usize, paused: &mut [Option<Paused>]) -> Result<(), String> {
        self.places[item].set(None);
        match paused[item].take() {
            Some(waiting) => self.go_on(waiting, paused),
            None => Ok(()),
        }
    }

    /// Runs a fibre until it waits or has nothing left to do.
    fn go_on(&self, mut paused: Paused, all: &mut [Option<Paused>]) -> Result<(), String> {
        RUNNING.set(&*paused.fibre);
        let left = paused.routine.resume(());
        RUNNING.set(std::ptr::null());
        match left {
            CoroutineResult::Return(()) => keep(paused.routine.into_stack()),
            CoroutineResult::Yield(()) => {
                // SAFETY: the fibre does not run.
                let item = unsafe { (*paused.fibre.item.get()).linear };
                all[item as usize] = Some(paused);
            }
        }
        self.fault.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// A fibre that starts work-items, one after another.
    fn fibre(&self) -> Result<Paused, String> {
        let stack = STACKS.with_borrow_mut(Vec::pop);
        let stack = match stack {
            Some(stack) => stack,
            None => {
                DefaultStack::new(STACK).map_err(|e| format!("no stack for a work-item: {e}"))?
            }
        };
        let fibre = Box::new(Fibre {
            item: UnsafeCell::new(self.first),
            pause: Cell::new(std::ptr::null()),
            group: std::ptr::from_ref(self).cast(),
        });
        let own: *const Fibre = &*fibre;
        let routine = Coroutine::with_stack(stack, move |pause: &Pause, ()| {
            // SAFETY: the fibre lives in the same `Paused` as this routine, and the group longer
            // than both. The kernel's arguments are the launcher's promise.
            unsafe {
                let own = &*own;
                own.pause.set(pause);
                let group = &*own.group;
                while let Some(linear) = group.take() {
                    *own.item.get() = group.item(linear);
                    (group.kernel.enter)(group.args.as_ptr());
                }
            }
        });
        Ok(Paused { fibre, routine })
    }

    /// The next work-item to start.
    fn take(&self) -> Option<u32> {
        let next = self.next.get();
        let free = next < self.size && self.fault.borrow().is_none();
        free.then(|| self.next.replace(next + 1))
    }

    fn item(&self, linear: u32) -> Item {
        Item {
            thread: self.thread(linear),
            linear,
            ..self.first
        }
    }

    fn thread(&self, linear: u32) -> [u32; 3] {
        let [x, y, _] = self.first.block_dim;
        [linear % x, linear / x % y, linear / (x * y)]
    }

    /// The work-items of the subgroup that one is in.
    fn subgroup(&self, linear: u32) -> std::ops::Range<u32> {
        let width = self.first.width as u32;
        let start = linear - linear % width;
        start..(start + width).min(self.size)
    }
}

fn keep(stack: DefaultStack) {
    STACKS.with_borrow_mut(|stacks| {
        if stacks.len() < KEPT {
            stacks.push(stack);
        }
    });
}

/// What a call of a kernel is about.
struct Caller {
    fibre: &'static Fibre,
    group: &'static Group<'static>,
    linear: u32,
}

impl Caller {
    fn now() -> Caller {
        // SAFETY: only kernels call, while their fibre runs; both are there until it ends. (The
        // lifetimes are those of the call.)
        unsafe {
            let fibre = &*RUNNING.get();
            let group = &*fibre.group;
            let linear = (*fibre.item.get()).linear;
            Caller {
                fibre,
                group,
                linear,
            }
        }
    }

    fn wait(&self, name: *const c_char, line: c_int, subgroup: bool) {
        // SAFETY: the header passes string literals.
        let name = unsafe { CStr::from_ptr(name) };
        let place = Place {
            name,
            line,
            subgroup,
        };
        self.group.places[self.linear as usize].set(Some(place));
        self.pause();
    }

    fn pause(&self) {
        let running = RUNNING.get();
        // SAFETY: the fibre set it when it began, and is the one that runs.
        unsafe { (*self.fibre.pause.get()).suspend(()) };
        debug_assert_eq!(running, RUNNING.get());
    }

    /// Ends the launch: the fibre is left for good.
    fn fault(&self, what: String) {
        let at = self.group.thread(self.linear);
        let group = self.group.first.block;
        *self.group.fault.borrow_mut() =
            Some(format!("work-item {at:?} of group {group:?}: {what}"));
        self.pause();
    }
}

extern "C" fn current() -> *const Item {
    RUNNING.get().cast()
}

extern "C" fn barrier(name: *const c_char, line: c_int) {
    let caller = Caller::now();
    // A group of one waits for nobody.
    if caller.group.size > 1 {
        caller.wait(name, line, false);
    }
}

extern "C" fn exchange(name: *const c_char, line: c_int, mask: c_ulonglong, value: c_ulonglong) {
    let caller = Caller::now();
    let members = caller.group.subgroup(caller.linear);
    let there = u64::MAX >> (64 - members.len().min(64));
    // A mask of 32 bits names the first 32 of a wider subgroup.
    let short = there & u64::from(u32::MAX);
    if mask != 0 && mask != there && mask != short {
        // SAFETY: the header passes string literals.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        caller.fault(format!(
            "the mask of {name} in line {line} is {mask:#x}, and the subgroup's work-items are {there:#x}"
        ));
    }
    let cell = &caller.group.slots[caller.linear as usize];
    let mut slot = cell.get();
    slot.turn ^= 1;
    slot.values[slot.turn] = value;
    cell.set(slot);
    if members.len() > 1 {
        caller.wait(name, line, true);
    }
}

extern "C" fn peer(lane: c_uint) -> c_ulonglong {
    let caller = Caller::now();
    let members = caller.group.subgroup(caller.linear);
    let own = caller.group.slots[caller.linear as usize].get();
    let other = members.start.saturating_add(lane);
    let from = if members.contains(&other) {
        other
    } else {
        caller.linear
    };
    caller.group.slots[from as usize].get().values[own.turn]
}

extern "C" fn lanes() -> c_uint {
    let caller = Caller::now();
    caller.group.subgroup(caller.linear).len() as c_uint
}

extern "C" fn fault(what: *const c_char, line: c_int) {
    // SAFETY: the header passes string literals.
    let what = unsafe { CStr::from_ptr(what) }
        .to_string_lossy()
        .into_owned();
    Caller::now().fault(format!("{what} in line {line}"));
}
