//! The queue of the `cpu` device: one thread that runs commands in the order they were recorded.
//!
//! A command that fails or panics does not stop the queue. The first error is kept, and the next
//! call that can return it does; that call then records nothing.

use crate::error::{Error, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Commands that may wait; recording more waits for room.
const DEPTH: usize = 4096;
/// Bytes that recorded writes may hold; recording more waits for the queue.
const HELD_BYTES: u64 = 512 << 20;

type Work = Box<dyn FnOnce() -> Result<()> + Send>;

struct Command {
    /// Names the command in the error of a panic.
    name: Arc<str>,
    work: Work,
    /// Dropped after the work is done and dropped: whoever waits at the other end goes on.
    _done: Option<mpsc::Sender<()>>,
}

#[derive(Default)]
struct State {
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
    busy_nanos: AtomicU64,
    held_bytes: AtomicU64,
}

/// An in-order queue with its thread.
pub struct Queue {
    device: String,
    state: Arc<State>,
    /// Taken on drop, which ends the thread.
    commands: Option<mpsc::SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    /// Starts the thread.
    pub fn new(device: &str) -> Result<Queue> {
        let (commands, receiver) = mpsc::sync_channel::<Command>(DEPTH);
        let state = Arc::new(State::default());
        let worker = Worker {
            device: device.to_string(),
            state: state.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("suanzi-{device}"))
            .spawn(move || receiver.into_iter().for_each(|c| worker.run(c)))
            .map_err(|e| Error::NoDriver {
                backend: "cpu",
                what: format!("its thread does not start: {e}"),
            })?;
        Ok(Queue {
            device: device.to_string(),
            state,
            commands: Some(commands),
            thread: Some(thread),
        })
    }

    /// Records work and returns.
    pub fn record(
        &self,
        name: impl Into<Arc<str>>,
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.check()?;
        self.send(name.into(), Box::new(work), None)
    }

    /// Records work that holds `bytes` of copied data until it is done.
    pub fn record_holding(
        &self,
        name: impl Into<Arc<str>>,
        bytes: u64,
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        if self.state.held_bytes.load(Relaxed).saturating_add(bytes) > HELD_BYTES {
            self.wait()?;
        }
        self.state.held_bytes.fetch_add(bytes, Relaxed);
        let held = Held {
            bytes,
            state: self.state.clone(),
        };
        self.record(name, move || {
            let _held = held;
            work()
        })
    }

    /// Runs work after everything recorded so far, waits for it, and reports the first error of
    /// all of it. The work may borrow from the caller.
    pub fn run<'a>(
        &self,
        name: impl Into<Arc<str>>,
        work: impl FnOnce() -> Result<()> + Send + 'a,
    ) -> Result<()> {
        let (done, wait) = mpsc::channel();
        let work: Box<dyn FnOnce() -> Result<()> + Send + 'a> = Box::new(work);
        // SAFETY: only the lifetime changes. `wait.recv()` returns when `done` is dropped, which
        // `Command` does last, after `work` was called or dropped, wherever the command ends up
        // (run by the thread, or given back by a failed send). So `work` is gone before this
        // function returns, and nothing between here and there can unwind.
        let work = unsafe {
            std::mem::transmute::<Box<dyn FnOnce() -> Result<()> + Send + 'a>, Work>(work)
        };
        let sent = self.send(name.into(), work, Some(done));
        let _ = wait.recv();
        sent?;
        self.check()
    }

    /// Waits for everything recorded so far.
    pub fn wait(&self) -> Result<()> {
        self.run("sync", || Ok(()))
    }

    /// Time that the thread has spent in commands.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.state.busy_nanos.load(Relaxed))
    }

    /// Returns the error that is kept, once.
    pub fn check(&self) -> Result<()> {
        if !self.state.failed.load(Relaxed) {
            return Ok(());
        }
        let mut kept = lock(&self.state.error);
        self.state.failed.store(false, Relaxed);
        kept.take().map_or(Ok(()), Err)
    }

    fn send(&self, name: Arc<str>, work: Work, done: Option<mpsc::Sender<()>>) -> Result<()> {
        let command = Command {
            name,
            work,
            _done: done,
        };
        let sent = self.commands.as_ref().map(|c| c.send(command));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(Error::DeviceLost {
                device: self.device.clone(),
                what: "its thread has ended".into(),
            }),
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Gives back what a recorded write holds, also where the command is never run.
struct Held {
    bytes: u64,
    state: Arc<State>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.state.held_bytes.fetch_sub(self.bytes, Relaxed);
    }
}

struct Worker {
    device: String,
    state: Arc<State>,
}

impl Worker {
    fn run(&self, command: Command) {
        let Command { name, work, _done } = command;
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            Err(Error::Kernel {
                device: self.device.clone(),
                kernel: name.to_string(),
                what: format!("panic: {}", panic_text(&*panic)),
            })
        });
        let nanos = start.elapsed().as_nanos() as u64;
        self.state.busy_nanos.fetch_add(nanos, Relaxed);
        if let Err(error) = result {
            lock(&self.state.error).get_or_insert(error);
            self.state.failed.store(true, Relaxed);
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_run_in_order_and_later() {
        let queue = Queue::new("cpu").unwrap();
        let (go, gate) = mpsc::channel::<()>();
        let log = Arc::new(Mutex::new(vec![]));
        let (first, second) = (log.clone(), log.clone());
        queue
            .record("work", move || {
                gate.recv().unwrap();
                first.lock().unwrap().push(1);
                Ok(())
            })
            .unwrap();
        queue
            .record("work", move || {
                second.lock().unwrap().push(2);
                Ok(())
            })
            .unwrap();
        assert!(log.lock().unwrap().is_empty(), "recording must not wait");
        go.send(()).unwrap();
        let mut seen = vec![];
        queue
            .run("work", || {
                seen = log.lock().unwrap().clone();
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [1, 2]);
    }

    #[test]
    fn a_panic_is_an_error_once_and_the_queue_lives() {
        let queue = Queue::new("cpu").unwrap();
        queue.record("work", || panic!("boom {}", 7)).unwrap();
        let error = queue.wait().unwrap_err().to_string();
        assert!(
            error.contains("`work`") && error.contains("boom 7"),
            "{error}"
        );
        queue.wait().unwrap();
    }

    #[test]
    fn the_first_error_is_kept() {
        let queue = Queue::new("cpu").unwrap();
        let fail = |what: &str| {
            let what = what.to_string();
            move || {
                Err(Error::Invalid {
                    device: "cpu".into(),
                    what,
                })
            }
        };
        let (go, gate) = mpsc::channel::<()>();
        queue
            .record("work", move || {
                gate.recv().unwrap();
                Ok(())
            })
            .unwrap();
        queue.record("work", fail("first")).unwrap();
        queue.record("work", fail("second")).unwrap();
        go.send(()).unwrap();
        assert!(queue.wait().unwrap_err().to_string().contains("first"));
        queue.wait().unwrap();
    }

    #[test]
    fn held_bytes_are_given_back() {
        let queue = Queue::new("cpu").unwrap();
        for _ in 0..3 {
            queue
                .record_holding("work", HELD_BYTES - 1, || Ok(()))
                .unwrap();
        }
        queue.wait().unwrap();
        assert_eq!(queue.state.held_bytes.load(Relaxed), 0);
    }
}
