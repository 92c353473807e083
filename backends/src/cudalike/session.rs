//! An opened device: its context, its one stream, and the calls that go through them.
//!
//! Every call makes the context current first, since any thread may come; all work goes into one
//! stream, in order. Written data is copied and kept until the stream was waited for: whether a
//! driver has read host memory when a copy returns differs between vendors.

use super::library::{Address, Driver, Failure, Function, Handle, Library, Outcome, text};
use super::table::Vendor;
use super::wait::{TIMEOUT, Waiter};
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Written data that waits for the stream, at most.
const MOST_PENDING: usize = 64 << 20;

type ErrorString = unsafe extern "C" fn(c_int) -> *const c_char;

/// A vendor's driver, loaded.
#[derive(Clone, Copy)]
pub struct Loaded {
    /// Its table.
    pub vendor: &'static Vendor,
    /// The library.
    pub library: Library,
    /// Its functions.
    pub driver: Driver,
    error_string: Function<ErrorString>,
    /// The library's file, of which the messages speak.
    pub file: &'static str,
}

/// Calls a function of the driver, and makes a [`Failure`] of a status other than 0.
macro_rules! call {
    ($loaded:expr, $function:ident($($arg:expr),* $(,)?)) => {{
        let loaded: &Loaded = $loaded;
        loaded.driver.$function.get().and_then(|(name, f)| {
            // SAFETY: the arguments are what this function takes (see where it is declared), and
            // pointers among them are live for the call; the caller says what else holds.
            let code = unsafe { f($($arg),*) };
            loaded.status(name, code)
        })
    }};
}

impl Loaded {
    /// Loads the first library that can be, and starts it; the error says what is missing.
    pub fn open(vendor: &'static Vendor, libraries: &[String]) -> Result<Loaded, String> {
        if libraries.is_empty() {
            return Err(format!("needs {}", vendor.install));
        }
        let library = Library::open(libraries)
            .map_err(|reasons| format!("needs {} ({reasons})", vendor.install))?;
        let names = &vendor.driver.names;
        let driver = Driver::load(&library, names);
        let file = library.file_of(&driver.init);
        let loaded = Loaded {
            vendor,
            library,
            driver,
            // SAFETY: the table's name is that of a function from a status to its text.
            error_string: unsafe { library.function(vendor.driver.error_string, "error string") },
            file: Box::leak(file.into_boxed_str()),
        };
        let missing = loaded.missing();
        if !missing.is_empty() {
            return Err(format!(
                "{} lacks {}: it is of another version, or the table of names is not complete",
                loaded.file,
                missing.join(", ")
            ));
        }
        // Some say there already that there is no device.
        let none = |failure: &Failure| vendor.driver.codes.no_device.contains(&failure.code);
        match call!(&loaded, init(0)) {
            Err(failure) if none(&failure) => Err(format!(
                "{} finds no device ({})",
                loaded.file,
                failure.words()
            )),
            Err(failure) => Err(loaded.words(&failure)),
            Ok(()) => Ok(loaded),
        }
    }

    /// Functions without which nothing can be done.
    fn missing(&self) -> Vec<String> {
        let d = &self.driver;
        let mut missing = vec![];
        macro_rules! need {
            ($($function:ident),*) => {
                $(if !d.$function.exists() { missing.push(d.$function.missing()); })*
            };
        }
        need!(
            init,
            device_count,
            device,
            device_name,
            attribute,
            alloc,
            free
        );
        need!(stream, stream_wait, module, kernel, launch);
        if !d.memory.exists() && !d.memory_info.exists() {
            missing.push(d.memory.missing());
        }
        let current = d.retain.exists() && d.set_current.exists();
        if !(current || d.set_device.exists()) {
            missing.push(d.set_current.missing());
        }
        let three = d.copy_in.exists() && d.copy_out.exists() && d.copy_within.exists();
        let one = d.copy.exists() && self.vendor.driver.copy_kinds.is_some();
        if !(three || one) {
            missing.push(d.copy_in.missing());
        }
        missing
    }

    /// What a status means.
    pub fn status(&self, call: &'static str, code: c_int) -> Outcome<()> {
        match code {
            0 => Ok(()),
            code => Err(Failure {
                call,
                code,
                text: self.text(code),
            }),
        }
    }

    fn text(&self, code: c_int) -> String {
        if let Ok((_, f)) = self.driver.error_text.get() {
            let mut pointer = ptr::null();
            // SAFETY: the pointer is written, or stays null; the text is the library's.
            return unsafe {
                f(code, &mut pointer);
                text(pointer)
            };
        }
        match self.error_string.get() {
            // SAFETY: any status is taken; the text is the library's.
            Ok((_, f)) => unsafe { text(f(code)) },
            Err(_) => String::new(),
        }
    }

    /// A failure in words: vendor, library, call, code.
    pub fn words(&self, failure: &Failure) -> String {
        format!("{} ({}, {})", failure.words(), self.vendor.title, self.file)
    }

    /// How many devices there are.
    pub fn count(&self) -> Outcome<usize> {
        let mut count = 0;
        let counted = call!(self, device_count(&mut count));
        match counted {
            Err(f) if self.vendor.driver.codes.no_device.contains(&f.code) => Ok(0),
            counted => counted.map(|()| count.max(0) as usize),
        }
    }

    /// The handle of a device with a number.
    pub fn device(&self, number: usize) -> Outcome<c_int> {
        let mut device = 0;
        call!(self, device(&mut device, number as c_int))?;
        Ok(device)
    }

    /// The name of a device.
    pub fn device_name(&self, device: c_int) -> Outcome<String> {
        let mut name = [0u8; 256];
        let length = name.len() as c_int - 1;
        call!(self, device_name(name.as_mut_ptr().cast(), length, device))?;
        // SAFETY: the driver wrote at most 255 bytes; the last one is still 0.
        Ok(unsafe { text(name.as_ptr().cast()) })
    }

    /// An attribute of a device, where its number is known and the driver knows it.
    pub fn attribute(&self, device: c_int, attribute: Option<i32>) -> Option<u32> {
        let attribute = attribute?;
        let mut value = 0;
        call!(self, attribute(&mut value, attribute, device)).ok()?;
        u32::try_from(value).ok().filter(|&v| v > 0)
    }

    /// The memory of a device, bytes.
    pub fn memory(&self, device: c_int) -> Outcome<u64> {
        let mut bytes = 0;
        if self.driver.memory.exists() {
            call!(self, memory(&mut bytes, device))?;
            return Ok(bytes as u64);
        }
        self.enter(device, ptr::null_mut())?;
        let mut free = 0;
        call!(self, memory_info(&mut free, &mut bytes))?;
        Ok(bytes as u64)
    }

    /// The driver's version, in its own numbering.
    pub fn version(&self) -> Option<i32> {
        let mut version = 0;
        call!(self, version(&mut version)).ok().map(|()| version)
    }

    fn enter(&self, device: c_int, context: Handle) -> Outcome<()> {
        match self.driver.set_device.exists() {
            true => call!(self, set_device(device)),
            false => call!(self, set_current(context)),
        }
    }
}

impl Failure {
    /// Code of work that did not end in time: no driver's.
    pub const LATE: c_int = c_int::MIN;

    /// Call, code and text.
    pub fn words(&self) -> String {
        match (self.code, self.text.as_str()) {
            (0 | Failure::LATE, text) => format!("{}: {text}", self.call),
            (code, "") => format!("{} gave {code}", self.call),
            (code, text) => format!("{} gave {code}, {text}", self.call),
        }
    }
}

/// A device in use. Memory and programs keep it alive; the context, which a device's users share,
/// stays.
pub struct Session {
    /// The driver.
    pub loaded: Loaded,
    queue: Queue,
    waiter: Waiter,
    /// Work did not end in time, and the stream is never waited for again: nothing more is given to the driver, which
    /// would wait for it.
    hung: AtomicBool,
    /// Data of writes that the driver may not have read.
    pending: Mutex<Vec<Box<[u8]>>>,
}

/// A device's context, and the stream in it.
#[derive(Clone, Copy)]
struct Queue {
    device: c_int,
    context: Handle,
    stream: Handle,
}

// SAFETY: contexts and streams may be used from any thread that makes the context current, as
// every method here does; the driver locks inside.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Session {
    /// Opens a device, whose work may take so long as the limit says.
    pub fn new(loaded: Loaded, device: c_int, limit: Option<Duration>) -> Outcome<Session> {
        let mut context = ptr::null_mut();
        if !loaded.driver.set_device.exists() {
            call!(&loaded, retain(&mut context, device))?;
        }
        loaded.enter(device, context)?;
        let mut stream = ptr::null_mut();
        // 1: not in step with the default stream.
        call!(&loaded, stream(&mut stream, 1))?;
        Ok(Session {
            loaded,
            queue: Queue {
                device,
                context,
                stream,
            },
            waiter: Waiter::new(limit),
            hung: AtomicBool::new(false),
            pending: Mutex::default(),
        })
    }

    /// Makes the device current on this thread.
    pub fn enter(&self) -> Outcome<&Loaded> {
        if self.hung.load(SeqCst) {
            return Err(self.late());
        }
        self.loaded.enter(self.queue.device, self.queue.context)?;
        Ok(&self.loaded)
    }

    /// Work that did not end in time.
    fn late(&self) -> Failure {
        let wait = &self.loaded.driver.stream_wait;
        let seconds = self.waiter.limit.map_or(0, |limit| limit.as_secs());
        Failure {
            call: wait.name(),
            code: Failure::LATE,
            text: format!(
                "work of the device did not end within {seconds} s: a kernel hangs, or the work is longer than {TIMEOUT} (seconds, \
                 0: no limit) allows"
            ),
        }
    }

    /// The stream, for libraries that put work into it.
    pub fn stream(&self) -> Handle {
        self.queue.stream
    }

    /// Allocates.
    pub fn alloc(&self, bytes: u64) -> Outcome<Address> {
        let mut address = 0;
        call!(self.enter()?, alloc(&mut address, bytes.max(1) as usize))?;
        Ok(address)
    }

    /// Frees what [`Session::alloc`] gave, once the stream is done with it.
    pub fn free(&self, address: Address) -> Outcome<()> {
        self.wait()?;
        call!(self.enter()?, free(address))
    }

    /// Records a write of a copy of `data`.
    pub fn write(&self, to: Address, data: &[u8]) -> Outcome<()> {
        let copy: Box<[u8]> = data.into();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: usize = pending.iter().map(|d| d.len()).sum();
        if waiting + copy.len() > MOST_PENDING {
            // Data that may still be read stays where it is.
            let kept = std::mem::take(&mut *pending);
            self.settle(kept)?;
        }
        let from = copy.as_ptr();
        // Kept even where the call fails: the driver may have begun to read.
        pending.push(copy);
        self.transfer(0, to, from as Address, data.len())
    }

    /// Reads after all that was recorded.
    pub fn read(&self, from: Address, out: &mut [u8]) -> Outcome<()> {
        // Drivers may wait inside the copy, for as long as it takes.
        self.wait()?;
        let copied = self.transfer(1, out.as_mut_ptr() as Address, from, out.len());
        // `out` must not be written after this returns, whatever happened.
        let waited = self.wait();
        copied.and(waited)
    }

    /// Records a copy.
    pub fn copy(&self, to: Address, from: Address, bytes: u64) -> Outcome<()> {
        self.transfer(2, to, from, bytes as usize)
    }

    /// A copy in, out or within, by the function for it or by the one for all.
    fn transfer(&self, way: usize, to: Address, from: Address, bytes: usize) -> Outcome<()> {
        let loaded = self.enter()?;
        let kinds = loaded.vendor.driver.copy_kinds;
        match (kinds, way) {
            (Some(kinds), _) => call!(loaded, copy(to, from, bytes, kinds[way], self.queue.stream)),
            (_, 0) => call!(
                loaded,
                copy_in(to, from as *const c_void, bytes, self.queue.stream)
            ),
            (_, 1) => call!(
                loaded,
                copy_out(to as *mut c_void, from, bytes, self.queue.stream)
            ),
            _ => call!(loaded, copy_within(to, from, bytes, self.queue.stream)),
        }
    }

    /// Waits for all that was recorded.
    pub fn wait(&self) -> Outcome<()> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = std::mem::take(&mut *pending);
        drop(pending);
        self.settle(kept)
    }

    /// Waits for all that was recorded, and frees data of writes then.
    fn settle(&self, kept: Vec<Box<[u8]>>) -> Outcome<()> {
        let (loaded, queue) = (self.loaded, self.queue);
        let entered = self.enter().map(drop);
        let wait = move || {
            // As a whole: its pointers alone may not go to another thread.
            let queue = queue;
            loaded.enter(queue.device, queue.context)?;
            call!(&loaded, stream_wait(queue.stream))
        };
        let waited = entered.and_then(|()| {
            self.waiter.call(wait).unwrap_or_else(|| {
                self.hung.store(true, SeqCst);
                Err(self.late())
            })
        });
        if waited.is_err() {
            // The driver may still read it.
            std::mem::forget(kept);
        }
        waited
    }

    /// Loads a compiled program, and finds a kernel in it: the module, the kernel.
    pub fn load(&self, binary: &[u8], kernel: &std::ffi::CStr) -> Outcome<(Handle, Handle)> {
        let loaded = self.enter()?;
        // PTX is text that ends with a zero; for the other kinds it is one byte more.
        let binary = [binary, &[0]].concat();
        let (mut module, mut function) = (ptr::null_mut(), ptr::null_mut());
        call!(loaded, module(&mut module, binary.as_ptr().cast()))?;
        let found = call!(loaded, kernel(&mut function, module, kernel.as_ptr()));
        if let Err(failure) = found {
            // Nothing else uses the module; the first failure is the one to report.
            let _ = call!(loaded, module_unload(module));
            return Err(failure);
        }
        Ok((module, function))
    }

    /// Unloads a program, once the stream is done with it.
    pub fn unload(&self, module: Handle) -> Outcome<()> {
        self.wait()?;
        call!(self.enter()?, module_unload(module))
    }

    /// Records a launch with all arguments in one buffer.
    ///
    /// # Safety
    /// `function` is a kernel of this device, whose parameters lie in `args` as it expects.
    pub unsafe fn launch(
        &self,
        function: Handle,
        groups: [u32; 3],
        items: [u32; 3],
        args: &mut [u8],
    ) -> Outcome<()> {
        let loaded = self.enter()?;
        let [buffer, size, end] = loaded.vendor.driver.launch;
        let mut bytes = args.len();
        let mut extra: [Handle; 5] = [
            buffer as Handle,
            args.as_mut_ptr().cast(),
            size as Handle,
            ptr::from_mut(&mut bytes).cast(),
            end as Handle,
        ];
        let [gx, gy, gz]: [c_uint; 3] = groups;
        let [x, y, z]: [c_uint; 3] = items;
        let extra = extra.as_mut_ptr();
        let none = ptr::null_mut();
        call!(
            loaded,
            launch(
                function,
                gx,
                gy,
                gz,
                x,
                y,
                z,
                0,
                self.queue.stream,
                none,
                extra
            )
        )
    }

    /// Runs `work` between two events; the time between them. Without events, the time that this
    /// thread waited.
    pub fn timed<T>(&self, work: impl FnOnce() -> T) -> Outcome<(T, Duration)> {
        let d = &self.loaded.driver;
        let events = d.event.exists() && d.event_record.exists() && d.event_elapsed.exists();
        if !events {
            self.wait()?;
            let start = Instant::now();
            let value = work();
            self.wait()?;
            return Ok((value, start.elapsed()));
        }
        let (start, end) = (self.event()?, self.event()?);
        call!(self.enter()?, event_record(start.0, self.queue.stream))?;
        let value = work();
        call!(self.enter()?, event_record(end.0, self.queue.stream))?;
        self.wait()?;
        let mut milliseconds = 0f32;
        call!(
            self.enter()?,
            event_elapsed(&mut milliseconds, start.0, end.0)
        )?;
        let seconds = f64::from(milliseconds.max(0.0)) / 1e3;
        Ok((value, Duration::from_secs_f64(seconds)))
    }

    fn event(&self) -> Outcome<Event<'_>> {
        let mut event = ptr::null_mut();
        call!(self.enter()?, event(&mut event, 0))?;
        Ok(Event(event, self))
    }
}

/// An event, destroyed on drop.
struct Event<'a>(Handle, &'a Session);

impl Drop for Event<'_> {
    fn drop(&mut self) {
        // A failure means that the context is gone, and the event with it.
        let _ = self
            .1
            .enter()
            .and_then(|loaded| call!(loaded, event_destroy(self.0)));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // As above; data that may still be read is left where it is by `wait`.
        let _ = self.wait();
        let _ = self
            .enter()
            .and_then(|loaded| call!(loaded, stream_destroy(self.queue.stream)));
    }
}
