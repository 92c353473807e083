//! The in-order queue: commands are recorded without waiting, and written data is kept until the
//! driver has taken it.

use super::api::{Outcome, Owned, call};
use opencl3::command_queue as cl;
use opencl3::event as events;
use opencl3::types::{cl_command_queue, cl_context, cl_device_id, cl_event, cl_int};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// Written data that waits for the driver, at most: a writer that is further ahead waits.
const MOST_PENDING: usize = 64 << 20;

/// The queue of an opened device.
pub struct Queue {
    lane: RwLock<Lane>,
    pending: Mutex<Pending>,
}

/// The driver's queue, of which there are two: recording timestamps costs some drivers
/// microseconds for each command, so it is done only while somebody asks for them. Both are
/// drained when the other takes over, and so all commands stay in one order.
struct Lane {
    context: cl_context,
    device: cl_device_id,
    plain: Owned,
    timed: Option<Owned>,
    /// Who asks for timestamps now.
    timers: Vec<Arc<Timer>>,
}

// SAFETY: the two handles are used for nothing but creating `timed`, which any thread may do; the
// owner of the queue keeps the context alive (see `super::Opened`).
unsafe impl Send for Lane {}
// SAFETY: as above.
unsafe impl Sync for Lane {}

/// The commands between the start and the end of a measurement.
#[derive(Default)]
struct Timer {
    events: Mutex<Vec<Owned>>,
}

/// Data of writes that may not be done, oldest first.
#[derive(Default)]
struct Pending {
    writes: VecDeque<(Owned, Box<[u8]>)>,
    bytes: usize,
}

impl Lane {
    fn current(&self) -> cl_command_queue {
        match &self.timed {
            Some(timed) if !self.timers.is_empty() => timed.raw(),
            _ => self.plain.raw(),
        }
    }
}

// Deprecated since OpenCL 2.0, whose replacement a 1.2 driver does not have.
#[allow(deprecated)]
fn create(context: cl_context, device: cl_device_id, properties: u64) -> Outcome<Owned> {
    // SAFETY: `device` belongs to `context`; the new queue is owned by nobody else.
    unsafe {
        let raw = call(
            "clCreateCommandQueue",
            cl::create_command_queue(context, device, properties),
        )?;
        Ok(Owned::new(raw, cl::release_command_queue))
    }
}

/// A second reference to an event.
fn retained(event: &Owned) -> Outcome<Owned> {
    // SAFETY: `event` is live, and the reference that is made here is the one taken over.
    unsafe {
        call("clRetainEvent", events::retain_event(event.raw()))?;
        Ok(Owned::event(event.raw()))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// A queue on a device.
    ///
    /// # Safety
    /// `device` belongs to `context`, which outlives the queue.
    pub unsafe fn new(context: cl_context, device: cl_device_id) -> Outcome<Queue> {
        Ok(Queue {
            lane: RwLock::new(Lane {
                context,
                device,
                plain: create(context, device, 0)?,
                timed: None,
                timers: vec![],
            }),
            pending: Mutex::default(),
        })
    }

    fn lane(&self) -> RwLockReadGuard<'_, Lane> {
        self.lane.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane_mut(&self) -> RwLockWriteGuard<'_, Lane> {
        self.lane.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records one command: `enqueue` puts it on the queue that it is given and returns its event.
    pub fn record(
        &self,
        name: &'static str,
        enqueue: impl FnOnce(cl_command_queue) -> Result<cl_event, cl_int>,
    ) -> Outcome<Owned> {
        let lane = self.lane();
        // SAFETY: the driver hands its reference to the event over to us.
        let event = unsafe { Owned::event(call(name, enqueue(lane.current()))?) };
        for timer in &lane.timers {
            locked(&timer.events).push(retained(&event)?);
        }
        Ok(event)
    }

    /// Records a write of a copy of `data`: `enqueue` gets the copy, which stays where it is until
    /// the event that it returns is complete.
    pub fn record_write(
        &self,
        data: &[u8],
        enqueue: impl FnOnce(cl_command_queue, &[u8]) -> Result<cl_event, cl_int>,
    ) -> Outcome<()> {
        let copy: Box<[u8]> = data.into();
        let mut pending = locked(&self.pending);
        pending.reap();
        while pending.bytes + copy.len() > MOST_PENDING
            && let Some((event, _)) = pending.writes.front()
        {
            // A failed command ends the wait too; its error is the next `sync`'s to report.
            let _ = events::wait_for_events(&[event.raw()]);
            pending.pop();
        }
        let event = self.record("clEnqueueWriteBuffer", |queue| enqueue(queue, &copy))?;
        pending.bytes += copy.len();
        pending.writes.push_back((event, copy));
        Ok(())
    }

    /// Lets go of written data that the driver has taken.
    pub fn reap(&self) {
        locked(&self.pending).reap();
    }

    /// Hands what was recorded to the driver.
    pub fn flush(&self) -> Outcome<()> {
        call("clFlush", cl::flush(self.lane().current()))
    }

    /// Waits for all that was recorded.
    pub fn finish(&self) -> Outcome<()> {
        // Not under the lock: others go on recording meanwhile, and queues live as long as `self`.
        let queue = self.lane().current();
        let result = call("clFinish", cl::finish(queue));
        self.reap();
        result
    }

    /// Runs `work` while commands are timestamped; returns its result and the time from the start
    /// of the first command recorded meanwhile (by any thread) to the end of the last one.
    pub fn timed<T>(&self, work: impl FnOnce() -> T) -> Outcome<(T, Duration)> {
        let timer = Arc::new(Timer::default());
        let mut lane = self.lane_mut();
        call("clFinish", cl::finish(lane.current()))?;
        if lane.timed.is_none() {
            lane.timed = Some(create(
                lane.context,
                lane.device,
                cl::CL_QUEUE_PROFILING_ENABLE,
            )?);
        }
        lane.timers.push(timer.clone());
        drop(lane);

        let value = work();

        let mut lane = self.lane_mut();
        let finished = call("clFinish", cl::finish(lane.current()));
        lane.timers.retain(|t| !Arc::ptr_eq(t, &timer));
        drop(lane);
        self.reap();
        finished?;
        Ok((value, timer.elapsed()?))
    }
}

impl Pending {
    /// The queue is in order: the first write that is not done ends the search.
    fn reap(&mut self) {
        while let Some((event, _)) = self.writes.front() {
            let status =
                events::get_event_info(event.raw(), events::CL_EVENT_COMMAND_EXECUTION_STATUS);
            // Complete, or failed (negative): the driver reads no more.
            if !status.is_ok_and(|s| cl_int::from(s) <= events::CL_COMPLETE) {
                return;
            }
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, data)) = self.writes.pop_front() {
            self.bytes -= data.len();
        }
    }
}

impl Timer {
    fn elapsed(&self) -> Outcome<Duration> {
        let time = |event: &Owned, which| {
            call(
                "clGetEventProfilingInfo",
                events::get_event_profiling_info(event.raw(), which),
            )
            .map(u64::from)
        };
        let (mut start, mut end) = (u64::MAX, 0);
        for event in locked(&self.events).iter() {
            start = start.min(time(event, events::CL_PROFILING_COMMAND_START)?);
            end = end.max(time(event, events::CL_PROFILING_COMMAND_END)?);
        }
        Ok(Duration::from_nanos(end.saturating_sub(start)))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if self.finish().is_err() {
            // The driver may still read what it was given: it is left where it is.
            std::mem::forget(std::mem::take(&mut locked(&self.pending).writes));
        }
    }
}
