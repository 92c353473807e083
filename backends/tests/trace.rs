//! The dispatch log.

mod common;

use common::{Fake, add_one};
use suanzi_backends::{Context, Dispatch, Settings};

fn context() -> Context {
    Context::with_settings(Fake::new(), Settings::default())
}

fn launch(context: &Context, op: &str, groups: [u32; 3]) {
    let program = context.program(1, &mut || Ok(add_one("add_one"))).unwrap();
    context.launch(op, &program, groups, &[]).unwrap();
}

fn ops(records: &[Dispatch]) -> Vec<&str> {
    records.iter().map(|r| r.op.as_str()).collect()
}

#[test]
fn a_trace_holds_what_its_work_dispatched() {
    let context = context();
    launch(&context, "before", [1, 1, 1]);
    let (result, records) = context.trace(|| {
        launch(&context, "add", [3, 2, 1]);
        launch(&context, "empty", [3, 0, 1]);
        context.dispatched("gemm", "sgemm", "gemm crate", [1, 1, 1]);
        5
    });
    launch(&context, "after", [1, 1, 1]);
    let record = |op: &str, kernel: &str, engine: &str, groups| Dispatch {
        op: op.into(),
        kernel: kernel.into(),
        engine: engine.into(),
        groups,
    };
    assert_eq!(result, 5);
    assert_eq!(
        records,
        [
            record("add", "add_one", "generated", [3, 2, 1]),
            record("gemm", "sgemm", "gemm crate", [1, 1, 1]),
        ]
    );
}

#[test]
fn other_contexts_and_threads_stay_out() {
    let (context, other) = (context(), context());
    let (_, records) = context.trace(|| {
        launch(&other, "other context", [1, 1, 1]);
        launch(&context.clone(), "clone", [1, 1, 1]);
        std::thread::scope(|s| {
            s.spawn(|| launch(&context, "other thread", [1, 1, 1]));
        });
    });
    assert_eq!(ops(&records), ["clone"]);
}

#[test]
fn traces_nest_and_survive_panics() {
    let context = context();
    let (_, outer) = context.trace(|| {
        launch(&context, "a", [1, 1, 1]);
        let (_, inner) = context.trace(|| launch(&context, "b", [1, 1, 1]));
        assert_eq!(ops(&inner), ["b"]);
        let panicking = std::panic::AssertUnwindSafe(|| {
            context.trace(|| {
                launch(&context, "c", [1, 1, 1]);
                std::panic::resume_unwind(Box::new(()));
            })
        });
        std::panic::catch_unwind(panicking).unwrap_err();
        launch(&context, "d", [1, 1, 1]);
    });
    assert_eq!(ops(&outer), ["a", "b", "c", "d"]);
    let (_, later) = context.trace(|| launch(&context, "e", [1, 1, 1]));
    assert_eq!(ops(&later), ["e"]);
}
