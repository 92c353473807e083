//! The dispatch log: what was launched, for which operator, by whose code.
//!
//! Each launch is a `tracing` event of target `suanzi::dispatch`, level debug. [`trace`] collects
//! the launches of one piece of work instead, for callers that assert on them. When neither is
//! asked for, a launch pays two loads.

use crate::error::{Error, Result};
use std::cell::{Cell, RefCell};
use tracing_subscriber::EnvFilter;

/// The variable that [`init_logging`] reads.
const VARIABLE: &str = "SUANZI_LOG";

/// One launch, as the dispatch log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The operator that asked for it.
    pub op: String,
    /// The kernel's name.
    pub kernel: String,
    /// `generated`, or the name of a vendor's library.
    pub engine: String,
    /// Work-groups along each axis.
    pub groups: [u32; 3],
}

/// A [`trace`] in progress on this thread.
struct Frame {
    context: usize,
    records: Vec<Dispatch>,
}

thread_local! {
    /// The length of `FRAMES`, to be looked at first.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(vec![]) };
}

/// Logs one launch of the context with this identity.
pub fn dispatched(
    context: usize,
    device: &str,
    op: &str,
    kernel: &str,
    engine: &str,
    groups: [u32; 3],
) {
    tracing::debug!(target: "suanzi::dispatch", op, kernel, device, engine, ?groups);
    if DEPTH.get() == 0 {
        return;
    }
    FRAMES.with_borrow_mut(|frames| {
        for frame in frames.iter_mut().filter(|f| f.context == context) {
            frame.records.push(Dispatch {
                op: op.into(),
                kernel: kernel.into(),
                engine: engine.into(),
                groups,
            });
        }
    });
}

/// Runs `work` and returns what it dispatched on the context from this thread.
pub fn trace<T>(context: usize, work: impl FnOnce() -> T) -> (T, Vec<Dispatch>) {
    /// Removes the frame, also when `work` panics.
    struct Open;
    impl Open {
        fn new(context: usize) -> Open {
            let records = vec![];
            FRAMES.with_borrow_mut(|f| f.push(Frame { context, records }));
            DEPTH.set(DEPTH.get() + 1);
            Open
        }
    }
    impl Drop for Open {
        fn drop(&mut self) {
            FRAMES.with_borrow_mut(Vec::pop);
            DEPTH.set(DEPTH.get() - 1);
        }
    }

    let open = Open::new(context);
    let result = work();
    let records = FRAMES.with_borrow_mut(|frames| {
        let frame = frames.last_mut();
        frame.map_or(vec![], |f| std::mem::take(&mut f.records))
    });
    drop(open);
    (result, records)
}

/// Prints events to standard error as `SUANZI_LOG` asks: `suanzi::dispatch=debug`, `info`, or any
/// other filter of `tracing-subscriber`; this library's warnings where it is not set. For
/// commands: a program that links the library installs a subscriber of its own.
///
/// # Errors
/// [`Error::Setting`] where the variable is not a filter.
pub fn init_logging() -> Result<()> {
    let filter = match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => text,
        _ => "suanzi=warn".into(),
    };
    let filter = EnvFilter::try_new(&filter).map_err(|e| Error::Setting {
        variable: VARIABLE,
        what: format!("`{filter}` is not a filter ({e}); try suanzi::dispatch=debug"),
    })?;
    // A subscriber that is there already stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    Ok(())
}
