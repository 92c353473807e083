//! The buffer pool: reuse, bounds, and what happens when the device is full.

mod common;

use common::Fake;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use suanzi_backends::{Context, Error, Settings};

fn context(fake: &Arc<Fake>, pool_bytes: u64) -> Context {
    let pool_bytes = Some(pool_bytes);
    Context::with_settings(
        fake.clone(),
        Settings {
            pool_bytes,
            ..Settings::default()
        },
    )
}

#[test]
fn freed_memory_is_reused() {
    let fake = Fake::new();
    let context = context(&fake, 1 << 20);
    let first = context.alloc(1000).unwrap();
    assert!(first.memory().bytes >= 1000);
    let second = context.alloc(1000).unwrap();
    assert!(!first.memory().same(second.memory()));
    let kept = first.memory().bytes;
    drop(first);
    assert_eq!(context.pool_stats().free_bytes, kept);
    // Any size of the same class will do.
    let third = context.alloc(1001).unwrap();
    let stats = context.pool_stats();
    assert_eq!((stats.hits, stats.misses, stats.free_bytes), (1, 2, 0));
    assert_eq!(stats.used_bytes, 2 * kept);
    assert_eq!(stats.peak_bytes, 2 * kept);
    assert_eq!(fake.allocs.load(SeqCst), 2);
    drop((second, third));
    context.trim();
    assert_eq!((fake.used(), context.pool_stats().free_bytes), (0, 0));
}

#[test]
fn clones_share_and_the_last_returns() {
    let fake = Fake::new();
    let context = context(&fake, 1 << 20);
    let buffer = context.alloc(0).unwrap();
    assert!(buffer.memory().bytes >= 1);
    let clone = buffer.clone();
    drop(buffer);
    assert_eq!(context.pool_stats().free_bytes, 0);
    drop(clone);
    assert!(context.pool_stats().free_bytes > 0);
}

#[test]
fn memory_that_someone_still_holds_is_not_reused() {
    let fake = Fake::new();
    let context = context(&fake, 1 << 20);
    let buffer = context.alloc(100).unwrap();
    let held = buffer.memory().clone();
    drop(buffer);
    let next = context.alloc(100).unwrap();
    assert!(!next.memory().same(&held));
    assert_eq!(context.pool_stats().hits, 0);
}

#[test]
fn the_pool_is_bounded() {
    let fake = Fake::new();
    let context = context(&fake, 1000);
    let buffers: Vec<_> = (0..4).map(|_| context.alloc(512).unwrap()).collect();
    drop(buffers);
    assert_eq!(context.pool_stats().free_bytes, 512);
    assert_eq!(fake.used(), 512);
}

#[test]
fn a_full_device_gets_its_memory_back_first() {
    let fake = Fake::new();
    let context = context(&fake, 1 << 20);
    let most = context.alloc(700 << 10).unwrap();
    drop(most);
    assert_eq!(fake.used(), 768 << 10, "kept for reuse");
    let other = context.alloc(400 << 10).unwrap();
    assert_eq!(fake.used(), other.memory().bytes);
    // Now it is really full.
    let Err(error) = context.alloc(800 << 10) else {
        panic!("there is no memory for this");
    };
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("fake:0") && text.contains("free tensors"),
        "{text}"
    );
    drop(other);
    context.alloc(800 << 10).unwrap();
}

#[test]
fn more_than_the_device_allows_is_refused_at_once() {
    let fake = Fake::new();
    let context = context(&fake, 1 << 20);
    for bytes in [(1 << 20) + 1, u64::MAX] {
        let error = context.alloc(bytes).err().unwrap();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    }
    assert_eq!(fake.allocs.load(SeqCst), 0);
    // The class above the limit is cut to the limit.
    context.alloc((1 << 20) - 1).unwrap();
}

#[test]
fn buffers_may_outlive_the_context() {
    let fake = Fake::new();
    let context = context(&fake, 1 << 20);
    let buffer = context.alloc(100).unwrap();
    drop(context);
    assert!(fake.used() > 0);
    drop(buffer);
    assert_eq!(fake.used(), 0);
}

#[test]
fn many_threads() {
    let fake = Fake::new();
    let context = context(&fake, 1 << 20);
    std::thread::scope(|s| {
        for t in 0..8 {
            let context = &context;
            s.spawn(move || {
                for i in 0..200 {
                    let buffer = context.alloc((t * 37 + i) % 3000).unwrap();
                    assert!(!buffer.memory().is_shared());
                }
            });
        }
    });
    let stats = context.pool_stats();
    assert_eq!(stats.used_bytes, 0);
    assert_eq!(stats.hits + stats.misses, 1600);
    assert_eq!(fake.used(), stats.free_bytes);
}

#[test]
fn a_pool_that_keeps_nothing_allocates_exactly() {
    let fake = Fake::new();
    let context = context(&fake, 0);
    for bytes in [1, 257, 1001] {
        assert_eq!(context.alloc(bytes).unwrap().memory().bytes, bytes);
    }
    assert_eq!(context.alloc(0).unwrap().memory().bytes, 1);
    assert_eq!(context.pool_stats().free_bytes, 0);
}
