//! The program cache: in memory, on disk, and everything that can be wrong with a disk.

mod common;

use common::{Fake, add_one, binary};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use suanzi_backends::{Context, Error, Program, Result, Settings};

fn context(fake: &Arc<Fake>, cache_dir: Option<&Path>, dump_dir: Option<&Path>) -> Context {
    let settings = Settings {
        cache_dir: cache_dir.map(Path::to_path_buf),
        dump_dir: dump_dir.map(Path::to_path_buf),
        ..Settings::default()
    };
    Context::with_settings(fake.clone(), settings)
}

fn compile(context: &Context) -> Result<Program> {
    context.program(1, &mut || Ok(add_one("add_one")))
}

/// Compiles in a fresh context over a fresh device of this driver: did it get a binary?
fn compile_again(folder: &Path, driver: &str) -> bool {
    let fake = Fake::with(driver, 1 << 20);
    compile(&context(&fake, Some(folder), None)).unwrap();
    let given = fake.binaries.lock().unwrap().remove(0);
    if let Some(given) = &given {
        assert_eq!(
            *given,
            binary("add_one"),
            "a damaged binary reached the driver"
        );
    }
    given.is_some()
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn a_key_is_built_once() {
    let fake = Fake::new();
    let context = context(&fake, None, None);
    let mut built = 0;
    for key in [7, 8, 7, 7] {
        let name = format!("k{key}");
        let mut build = || {
            built += 1;
            Ok(add_one(&name))
        };
        let program = context.program(key, &mut build).unwrap();
        assert_eq!(*program.name, *name);
    }
    assert_eq!((built, fake.compiles.load(SeqCst)), (2, 2));
}

#[test]
fn threads_that_miss_together_compile_once() {
    let fake = Fake::new();
    fake.slow.store(true, SeqCst);
    let context = context(&fake, None, None);
    let built = AtomicUsize::new(0);
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                let mut build = || {
                    built.fetch_add(1, SeqCst);
                    Ok(add_one("add_one"))
                };
                context.program(1, &mut build).unwrap();
            });
        }
    });
    assert_eq!((built.into_inner(), fake.compiles.load(SeqCst)), (1, 1));
}

#[test]
fn a_failed_compile_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new();
    let context = context(&fake, Some(folder.path()), None);
    *fake.fail.lock().unwrap() = Some(Error::Compile {
        device: "fake:0".into(),
        kernel: "add_one".into(),
        log: "no".into(),
    });
    let first = compile(&context).err().unwrap().to_string();
    let again = compile(&context).err().unwrap().to_string();
    assert_eq!(first, again);
    assert_eq!(fake.compiles.load(SeqCst), 1);
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn a_passing_failure_is_tried_again() {
    let fake = Fake::new();
    let context = context(&fake, None, None);
    *fake.fail.lock().unwrap() = Some(Error::OutOfMemory {
        device: "fake:0".into(),
        bytes: 1,
        what: "now".into(),
    });
    assert!(compile(&context).is_err());
    compile(&context).unwrap();
    assert_eq!(fake.compiles.load(SeqCst), 2);
}

#[test]
fn another_process_gets_the_binary() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/on/demand");
    assert!(!compile_again(&folder, "1.0"));
    assert!(compile_again(&folder, "1.0"));
    only_file(&folder);
}

#[test]
fn another_driver_does_not() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!compile_again(folder.path(), "1.0"));
    assert!(!compile_again(folder.path(), "1.1"));
    // Not even where its file has our name.
    let files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2);
    let contents: Vec<_> = files.iter().map(|f| fs::read(f).unwrap()).collect();
    fs::write(&files[0], &contents[1]).unwrap();
    fs::write(&files[1], &contents[0]).unwrap();
    assert!(!compile_again(folder.path(), "1.0"));
    assert!(compile_again(folder.path(), "1.0"), "rewritten");
}

#[test]
fn a_damaged_file_is_ignored_and_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    compile_again(folder.path(), "1.0");
    let file = only_file(folder.path());
    let whole = fs::read(&file).unwrap();
    let mut damaged: Vec<Vec<u8>> = vec![vec![], vec![0xff; 4096], [&whole[..], b"x"].concat()];
    damaged.extend((0..whole.len()).step_by(41).map(|n| whole[..n].to_vec()));
    damaged.extend((0..whole.len()).step_by(29).map(|n| {
        let mut bytes = whole.clone();
        bytes[n] ^= 0x10;
        bytes
    }));
    for bytes in damaged {
        fs::write(&file, &bytes).unwrap();
        assert!(
            !compile_again(folder.path(), "1.0"),
            "{} bytes taken",
            bytes.len()
        );
        assert_eq!(fs::read(&file).unwrap(), whole);
    }
    assert!(compile_again(folder.path(), "1.0"));
    only_file(folder.path());
}

#[test]
fn an_unwritable_folder_costs_only_compiles() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    for cache in [
        file.as_path(),
        &file.join("below"),
        Path::new("/proc/nothing/here"),
    ] {
        assert!(!compile_again(cache, "1.0"));
        assert!(!compile_again(cache, "1.0"));
    }
    // A folder in the place of the file.
    let cache = folder.path().join("cache");
    compile_again(&cache, "1.0");
    let file = only_file(&cache);
    fs::remove_file(&file).unwrap();
    fs::create_dir_all(file.join("full")).unwrap();
    assert!(!compile_again(&cache, "1.0"));
}

/// Collects what a subscriber prints.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_unwritable_folder_is_a_warning_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("suanzi=warn")
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let context = context(&Fake::new(), Some(&file), None);
    tracing::subscriber::with_default(subscriber, || {
        for key in 0..3 {
            let mut build = || Ok(add_one(&format!("k{key}")));
            context.program(key, &mut build).unwrap();
        }
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches("programs are not kept").count(), 1, "{text}");
    assert!(text.contains("WARN") && text.contains("a file"), "{text}");
}

#[test]
fn concurrent_writers_and_readers_never_see_half_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|s| {
        for t in 0..4 {
            let folder = folder.path();
            s.spawn(move || {
                for i in 0..50 {
                    // The others read meanwhile; `compile_again` looks at what they get.
                    if t == 0 && i % 5 == 0 {
                        for file in fs::read_dir(folder).unwrap().flatten() {
                            let _ = fs::remove_file(file.path());
                        }
                    }
                    compile_again(folder, "1.0");
                }
            });
        }
    });
    compile_again(folder.path(), "1.0");
    only_file(folder.path());
}

#[test]
fn sources_are_dumped_also_where_the_binary_is_cached() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, dump) = (folder.path().join("cache"), folder.path().join("dump"));
    assert!(!compile_again(&cache, "1.0"));
    let fake = Fake::new();
    compile(&context(&fake, Some(&cache), Some(&dump))).unwrap();
    let file = only_file(&dump);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("fake_0-add_one-") && name.ends_with(".fake"),
        "{name}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "source of add_one");
    // A dump that cannot be written is no error.
    compile(&context(&Fake::new(), None, Some(&file))).unwrap();
}
