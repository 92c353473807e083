//! Waiting that ends: the call that waits for the device is made by a thread of its own, and whoever needs its answer gives
//! up after a while. A driver has no call that waits for so long and no longer.

use crate::error::{Error, Result};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

/// Seconds that a device may take for what it was given; 0: as long as it takes.
pub const TIMEOUT: &str = "SUANZI_TIMEOUT";

/// Without the setting: longer than work that anybody waits for at once.
const USUAL: u64 = 600;

/// What [`TIMEOUT`] says.
///
/// # Errors
/// [`Error::Setting`] where it is no number of seconds.
pub fn limit() -> Result<Option<Duration>> {
    let seconds = match std::env::var(TIMEOUT) {
        Ok(text) if !text.is_empty() => text.parse().map_err(|_| Error::Setting {
            variable: TIMEOUT,
            what: format!("`{text}` is no number of seconds (0: wait as long as it takes)"),
        })?,
        _ => USUAL,
    };
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

type Job = Box<dyn FnOnce() + Send>;

/// Makes calls that wait.
pub struct Waiter {
    /// The longest that a call may take.
    pub limit: Option<Duration>,
    thread: OnceLock<Sender<Job>>,
}

impl Waiter {
    /// With a limit; without, callers wait themselves.
    pub fn new(limit: Option<Duration>) -> Waiter {
        Waiter {
            limit,
            thread: OnceLock::new(),
        }
    }

    /// What a call says, or nothing where that takes too long. The call then goes on, and calls after it are behind it.
    pub fn call<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let Some(limit) = self.limit else {
            return Some(call());
        };
        let (answer, answered) = channel();
        let job = Box::new(move || drop(answer.send(call())));
        let thread = self.thread.get_or_init(|| {
            let (jobs, queue) = channel::<Job>();
            thread::spawn(move || queue.into_iter().for_each(|job| job()));
            jobs
        });
        // A thread that is gone answers nothing, and at once.
        let _ = thread.send(job);
        answered.recv_timeout(limit).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_given_up() {
        let waiter = Waiter::new(Some(Duration::from_millis(50)));
        assert_eq!(waiter.call(|| 1), Some(1));
        let late = || thread::sleep(Duration::from_millis(200));
        assert_eq!(waiter.call(late), None);
        assert_eq!(Waiter::new(None).call(late), Some(()));
    }
}
