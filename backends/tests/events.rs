//! Launches as events of `tracing`. In a process of its own: whoever passes by an event when nobody listens
//! makes the others deaf to it.

mod common;

use common::{Fake, add_one};
use std::sync::{Arc, Mutex};
use suanzi_backends::{Context, Settings};

/// Collects what a subscriber prints.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn launches_are_events() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("suanzi::dispatch=debug")
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let context = Context::with_settings(Fake::new(), Settings::default());
        let program = context.program(1, &mut || Ok(add_one("add_one"))).unwrap();
        context.launch("add", &program, [3, 2, 1], &[]).unwrap();
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for part in [
        "suanzi::dispatch",
        "op=\"add\"",
        "kernel=\"add_one\"",
        "device=\"fake:0\"",
        "engine=\"generated\"",
        "groups=[3, 2, 1]",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}
