//! The header and its mirror have one layout: a C file that says so is compiled.

use std::fmt::Write;
use std::process::Command;
use suanzi_plugin::{ABI, LAYOUTS, MAX_AXES, flags, kind, op, status};

#[test]
fn the_mirror_has_the_headers_layout() {
    let mut text = String::from("#include \"suanzi_plugin.h\"\n");
    let mut check = |what: String| {
        writeln!(
            text,
            "_Static_assert({what}, \"{}\");",
            what.replace('"', "'")
        )
        .unwrap();
    };
    for (name, size, fields) in LAYOUTS {
        check(format!("sizeof({name}) == {size}"));
        for (field, offset, size) in *fields {
            check(format!("offsetof({name}, {field}) == {offset}"));
            check(format!("sizeof((({name}*)0)->{field}) == {size}"));
        }
    }
    check(format!("SUANZI_PLUGIN_ABI == {ABI}"));
    check(format!("SUANZI_MAX_AXES == {MAX_AXES}"));
    for (name, value) in [
        ("OK", status::OK),
        ("INVALID", status::INVALID),
        ("UNSUPPORTED", status::UNSUPPORTED),
        ("OUT_OF_MEMORY", status::OUT_OF_MEMORY),
        ("COMPILE", status::COMPILE),
        ("FAULT", status::FAULT),
        ("LOST", status::LOST),
        ("FAILED", status::FAILED),
    ] {
        check(format!("SUANZI_{name} == {value}"));
    }
    for (name, value) in [
        ("KIND_GPU", kind::GPU),
        ("KIND_CPU", kind::CPU),
        ("OP_GEMM", op::GEMM),
        ("OP_CONVOLUTION", op::CONVOLUTION),
        ("OP_ELEMENTWISE", op::ELEMENTWISE),
        ("HAS_F64", flags::F64),
        ("HAS_F16", flags::F16),
        ("HAS_FMA", flags::FMA),
        ("HAS_ATOMIC64", flags::ATOMIC64),
        ("HAS_DENORMALS", flags::DENORMALS),
        ("HAS_EXACT_DIVISION", flags::EXACT_DIVISION),
        ("HAS_FRAGMENTS", flags::FRAGMENTS),
        ("IS_HOST", flags::HOST),
    ] {
        check(format!("SUANZI_{name} == {value}"));
    }
    // Nothing is in the header's table that the mirror lacks.
    let fields: usize = LAYOUTS.iter().map(|l| l.2.len()).sum();
    assert_eq!(text.matches("offsetof").count(), 2 * fields);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("layout.c");
    std::fs::write(&file, text).unwrap();
    // Plain C, and C++ takes it too.
    for (compiler, standard) in [("cc", "-std=c11"), ("c++", "-std=c++17")] {
        let mut command = Command::new(compiler);
        command.args([
            standard,
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
            "-fsyntax-only",
        ]);
        if compiler == "c++" {
            command.args(["-D_Static_assert=static_assert", "-x", "c++"]);
        }
        let out = command
            .args(["-I", concat!(env!("CARGO_MANIFEST_DIR"), "/include")])
            .arg(&file)
            .output()
            .expect("a C compiler");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}
