//! An opened device of a plugin: one call at a time, and what its status means.

use super::load::Library;
use crate::device::DeviceInfo;
use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use suanzi_codegen::Unsupported;
use suanzi_plugin::{Device, Memory, Plan, Plugin, Program, Status, status};

/// An opened device. It is closed when this, and all memory and programs of it, are gone.
pub struct Session {
    pub info: DeviceInfo,
    library: Arc<Library>,
    /// Held during each call.
    state: Mutex<State>,
}

struct State {
    raw: *mut Device,
    /// What it said when it was lost. Nothing is asked of it after that.
    lost: Option<String>,
}

// SAFETY: the ABI allows calls from any thread, one at a time, which the lock around it sees to.
unsafe impl Send for State {}

/// What a call is about, for its error.
#[derive(Clone, Copy)]
pub enum About<'a> {
    /// Nothing that matters.
    Nothing,
    /// So much memory.
    Bytes(u64),
    /// A kernel.
    Kernel(&'a str),
}

impl Session {
    /// Around a device that was opened.
    pub fn new(info: DeviceInfo, library: Arc<Library>, raw: *mut Device) -> Session {
        let state = Mutex::new(State { raw, lost: None });
        Session {
            info,
            library,
            state,
        }
    }

    /// The same, once the device said who it is.
    pub fn named(mut self, info: DeviceInfo) -> Session {
        self.info = info;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plugin's functions: which there are.
    pub fn table(&self) -> &Plugin {
        &self.library.table
    }

    /// The plugin, for the dispatch log.
    pub fn title(&self) -> String {
        format!("{} {}", self.library.name, self.library.version)
    }

    /// What is wrong with the plugin.
    pub fn plugin_error(&self, what: impl Into<String>) -> Error {
        self.library.error(what)
    }

    /// One call. `function` is `None` for what is not there, which only optional functions are.
    pub fn call(
        &self,
        name: &'static str,
        about: About<'_>,
        function: impl FnOnce(&Plugin, *mut Device) -> Option<Status>,
    ) -> Result<()> {
        let mut state = self.state();
        if let Some(what) = &state.lost {
            return Err(self.lost(what));
        }
        let code = match function(&self.library.table, state.raw) {
            None | Some(status::OK) => return Ok(()),
            Some(code) => code,
        };
        let words = self.library.words(state.raw);
        let device = self.info.id.clone();
        let kernel = match about {
            About::Kernel(name) => name.to_string(),
            _ => String::new(),
        };
        Err(match code {
            status::LOST => {
                let error = self.lost(&words);
                state.lost = Some(words);
                error
            }
            status::INVALID => Error::Invalid {
                device,
                what: format!("{name}: {words}"),
            },
            status::OUT_OF_MEMORY => Error::OutOfMemory {
                device,
                bytes: match about {
                    About::Bytes(bytes) => bytes,
                    _ => 0,
                },
                what: words,
            },
            status::COMPILE => Error::Compile {
                device,
                kernel,
                log: words,
            },
            status::UNSUPPORTED => Error::Unsupported {
                device,
                source: Unsupported {
                    kernel: match kernel.as_str() {
                        "" => name.to_string(),
                        _ => kernel,
                    },
                    what: words,
                },
            },
            status::FAULT if !kernel.is_empty() => Error::Kernel {
                device,
                kernel,
                what: words,
            },
            status::FAULT | status::FAILED => Error::Driver {
                device,
                call: name,
                what: words,
            },
            other => Error::Driver {
                device,
                call: name,
                what: format!("it returned {other}, which is no status ({words})"),
            },
        })
    }

    /// Takes memory.
    pub fn alloc(self: &Arc<Session>, bytes: u64) -> Result<Buffer> {
        let mut raw = 0;
        self.call("mem_alloc", About::Bytes(bytes), |table, device| {
            let f = table.mem_alloc?;
            // SAFETY: the header's signature.
            Some(unsafe { f(device, bytes.max(1), &mut raw) })
        })?;
        if raw == 0 {
            return Err(
                self.plugin_error(format!("gave no memory for {bytes} bytes, and no error"))
            );
        }
        let session = self.clone();
        Ok(Buffer { raw, session })
    }

    fn lost(&self, what: &str) -> Error {
        Error::DeviceLost {
            device: self.info.id.clone(),
            what: what.into(),
        }
    }

    /// Gives something back. What the plugin says about it, nobody hears: there is no call that
    /// failed.
    fn give_back(&self, what: impl FnOnce(&Plugin, *mut Device)) {
        let state = self.state();
        if state.lost.is_none() {
            what(&self.library.table, state.raw);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let state = self.state();
        if let Some(close) = self.library.table.close {
            // SAFETY: the device is this object's, and this is its last use.
            unsafe { close(state.raw) }
        }
    }
}

/// Memory of a device.
pub struct Buffer {
    pub raw: Memory,
    pub session: Arc<Session>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.session.give_back(|table, device| {
            if let Some(free) = table.mem_free {
                // SAFETY: the memory is this object's, and this is its last use.
                unsafe { free(device, self.raw) };
            }
        });
    }
}

/// A compiled kernel of a device.
pub struct Kernel {
    pub raw: *mut Program,
    pub session: Arc<Session>,
}

// SAFETY: it is used in calls of the session alone, whose lock they hold.
unsafe impl Send for Kernel {}
// SAFETY: as above.
unsafe impl Sync for Kernel {}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.session.give_back(|table, device| {
            if let Some(release) = table.program_release {
                // SAFETY: the program is this object's, and this is its last use.
                unsafe { release(device, self.raw) };
            }
        });
    }
}

/// An operation of the plugin's library that was planned.
pub struct Planned<'a> {
    pub raw: *mut Plan,
    pub session: &'a Session,
}

impl Drop for Planned<'_> {
    fn drop(&mut self) {
        self.session.give_back(|table, device| {
            if let Some(release) = table.plan_release {
                // SAFETY: the plan is this object's, and this is its last use.
                unsafe { release(device, self.raw) };
            }
        });
    }
}
