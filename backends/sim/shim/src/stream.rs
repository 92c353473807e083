//! Streams: a thread for each does its work in order, behind the caller's back, as a device does.

use std::sync::mpsc::{Sender, channel};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// A stream. Its thread ends when it is destroyed, and its work done.
#[derive(Clone)]
pub struct Stream(Sender<Job>);

impl Stream {
    /// A stream with nothing to do.
    pub fn new() -> Stream {
        let (jobs, queue) = channel::<Job>();
        thread::spawn(move || queue.into_iter().for_each(|job| job()));
        Stream(jobs)
    }

    /// Puts work behind what is there. Where an earlier one ended the thread, nothing is done: [`Stream::settle`] says so.
    pub fn push(&self, job: impl FnOnce() + Send + 'static) {
        let _ = self.0.send(Box::new(job));
    }

    /// Waits until all is done; whether it was.
    pub fn settle(&self) -> bool {
        let (done, wait) = channel();
        self.push(move || {
            // The one who waits is there.
            let _ = done.send(());
        });
        wait.recv().is_ok()
    }
}
