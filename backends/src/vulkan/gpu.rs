//! The opened wgpu device, and the failures that it reports at any time.

use crate::error::{Error, Result};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

/// A wgpu device and queue.
pub struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    /// The device's name in errors.
    pub id: String,
    /// Bytes of memory in use.
    pub used: Arc<AtomicU64>,
    failures: Arc<Mutex<Failures>>,
}

/// What went wrong and was not reported yet.
#[derive(Default)]
struct Failures {
    /// The first failure since the last report.
    first: Option<Error>,
    /// Set for good once the device is lost.
    lost: Option<String>,
}

impl Gpu {
    /// Opens an adapter with these features and its own limits.
    pub fn open(adapter: &wgpu::Adapter, id: &str, features: wgpu::Features) -> Result<Gpu> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("suanzi"),
            required_features: features,
            required_limits: adapter.limits(),
            // SAFETY: the one experimental feature asked for is cooperative matrices, which the
            // emitter uses only in the shapes that the adapter lists.
            experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        };
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = opened.map_err(|e| Error::Driver {
            device: id.to_string(),
            call: "vkCreateDevice",
            what: e.to_string(),
        })?;
        let failures = Arc::new(Mutex::new(Failures::default()));
        let (seen, name) = (failures.clone(), id.to_string());
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            let mut f = seen.lock().unwrap_or_else(PoisonError::into_inner);
            f.first.get_or_insert_with(|| failure(&name, 0, e));
        }));
        let seen = failures.clone();
        device.set_device_lost_callback(move |reason, what| {
            // Dropping the device counts as losing it; then nobody is left to ask.
            if reason != wgpu::DeviceLostReason::Destroyed {
                let mut f = seen.lock().unwrap_or_else(PoisonError::into_inner);
                f.lost = Some(what);
            }
        });
        Ok(Gpu {
            device,
            queue,
            id: id.to_string(),
            used: Arc::default(),
            failures,
        })
    }

    /// Reports the first failure of what was done so far, once; a lost device, always.
    pub fn check(&self) -> Result<()> {
        let mut f = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(what) = &f.lost {
            return Err(Error::DeviceLost {
                device: self.id.clone(),
                what: what.clone(),
            });
        }
        match f.first.take() {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// Runs `f` and catches the errors that it causes; `bytes` is what it allocates.
    pub fn scoped<T>(&self, bytes: u64, f: impl FnOnce() -> T) -> Result<T> {
        let filters = [
            wgpu::ErrorFilter::Validation,
            wgpu::ErrorFilter::OutOfMemory,
            wgpu::ErrorFilter::Internal,
        ];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let value = f();
        let mut first = None;
        for scope in scopes.into_iter().rev() {
            first = first.or(pollster::block_on(scope.pop()));
        }
        match first {
            Some(e) => Err(failure(&self.id, bytes, e)),
            None => Ok(value),
        }
    }

    /// Waits until a submission is done, or everything if none is named.
    pub fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let waited = self.device.poll(wgpu::PollType::Wait {
            submission_index: submission,
            timeout: None,
        });
        self.check()?;
        waited.map_err(|e| self.driver("vkWaitSemaphores", e))?;
        Ok(())
    }

    /// An error with the driver's words.
    pub fn driver(&self, call: &'static str, what: impl ToString) -> Error {
        Error::Driver {
            device: self.id.clone(),
            call,
            what: what.to_string(),
        }
    }

    /// An error about the arguments of a call.
    pub fn invalid(&self, what: String) -> Error {
        Error::Invalid {
            device: self.id.clone(),
            what,
        }
    }
}

fn failure(device: &str, bytes: u64, e: wgpu::Error) -> Error {
    let device = device.to_string();
    match e {
        wgpu::Error::OutOfMemory { source } => Error::OutOfMemory {
            device,
            bytes,
            what: source.to_string(),
        },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            Error::Driver {
                device,
                call: "wgpu",
                what: description,
            }
        }
    }
}
