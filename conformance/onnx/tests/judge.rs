//! The judge finds what is wrong: values, shapes, dtypes, and cases that are missing.

mod common;

use common::{addition, floats, write};
use std::path::Path;
use suanzi_backends::Context;
use suanzi_onnx::array::{Array, Elem};
use suanzi_onnx::case::Case;
use suanzi_onnx::cli::{OnnxArgs, Verdict, judge, verdict};
use suanzi_onnx::compare::difference;
use suanzi_onnx::manifest::{Manifest, OURS};
use suanzi_onnx::ops;
use suanzi_ops::Scalar;
use suanzi_ops::ops::Float8;

fn array(shape: &[i64], values: &[f32]) -> Array {
    Array::from_proto(&floats(shape, values)).unwrap()
}

#[test]
fn differences_are_seen() {
    let got = array(&[2], &[1.0, -0.0]);
    let differs = |expected: &Array, exact| difference(&got, expected, exact).is_some();
    for exact in [false, true] {
        assert!(!differs(&got, exact));
        assert!(differs(&array(&[2], &[1.0, f32::NAN]), exact));
        assert!(differs(&array(&[2], &[1.0, f32::INFINITY]), exact));
        assert!(differs(&array(&[2], &[1.0, 2e-7]), exact));
        assert!(differs(&array(&[2], &[1.002, 0.0]), exact));
        assert!(differs(&array(&[2, 1], &[1.0, 0.0]), exact));
        let ints = Array {
            elem: Elem::Plain(Scalar::I32),
            ..got.clone()
        };
        assert!(differs(&ints, exact));
    }
    // Within the tolerance, and so right unless the operator is exact.
    for near in [[1.0009, 0.0], [1.0, 5e-8]] {
        assert!(!differs(&array(&[2], &near), false));
        assert!(differs(&array(&[2], &near), true));
    }
    let odd = array(&[2], &[f32::NAN, f32::INFINITY]);
    assert_eq!(difference(&odd, &odd, false), None);
    assert!(difference(&odd, &array(&[2], &[0.0, f32::INFINITY]), false).is_some());
    assert!(difference(&odd, &array(&[2], &[f32::NAN, 3e38]), false).is_some());
    // All NaN of an 8-bit float are equal, and nothing else is.
    let code = |byte| Array {
        elem: Elem::F8(Float8::E5m2),
        shape: vec![1],
        bytes: vec![byte],
    };
    assert_eq!(difference(&code(0x7d), &code(0xff), true), None);
    assert!(difference(&code(0x7c), &code(0x7d), true).is_some());
    assert!(difference(&code(0x00), &code(0x80), true).is_some());
    let whole = |byte| Array {
        elem: Elem::Plain(Scalar::I8),
        shape: vec![1],
        bytes: vec![byte],
    };
    assert!(difference(&whole(1), &whole(2), false).is_some());
}

#[test]
fn a_wrong_expectation_fails() {
    let root = tempfile::tempdir().unwrap();
    let ctx = Context::open("cpu").unwrap();
    let inputs = [floats(&[2], &[1.0, 2.0]), floats(&[1], &[0.5])];
    let judged = |name, expected: &[f32]| {
        let shape = [expected.len() as i64];
        let output = floats(&shape, expected);
        let folder = write(root.path(), name, &addition(), &inputs, &output);
        verdict(&Case::open(&folder).unwrap(), &ctx)
    };
    let fails = |name, expected: &[f32], what| match judged(name, expected) {
        Verdict::Failed(why) => assert!(why.contains(what), "{why}"),
        verdict => panic!("{verdict:?}"),
    };
    assert_eq!(judged("right", &[1.5, 2.5]), Verdict::Passed);
    fails("value", &[1.5, 2.51], "element 1");
    fails("shape", &[1.5, 2.5, 0.0], "shape");
}

#[test]
fn numbers_must_be_the_manifests() {
    let root = tempfile::tempdir().unwrap();
    let cases = root.path().join("cases");
    let x = floats(&[1], &[1.0]);
    let put = |name, expected| {
        let output = floats(&[1], &[expected]);
        write(&cases, name, &addition(), &[x.clone(), x.clone()], &output);
    };
    put("test_add", 2.0);
    put("test_add_strange", 3.0);
    let file = root.path().join("manifest");
    let verdict = |manifest: &str, cases: &Path| {
        std::fs::write(&file, manifest).unwrap();
        judge(&OnnxArgs {
            devices: vec!["cpu".into()],
            cases: cases.into(),
            only: None,
            manifest: Some(file.clone()),
        })
    };
    let strange = "skip Add *_strange 1: one and one are not three";
    assert_eq!(verdict(&format!("run Add 1\n{strange}"), &cases), Ok(true));
    // A failure; a case that the manifest does not know; one that is not there; nothing at all.
    assert_eq!(verdict("run Add 2", &cases), Ok(false));
    assert_eq!(verdict(strange, &cases), Ok(false));
    assert_eq!(verdict(&format!("run Add 2\n{strange}"), &cases), Ok(false));
    assert_eq!(
        verdict(&format!("run Add 1\nrun Sub 1\n{strange}"), &cases),
        Ok(false)
    );
    assert_eq!(verdict("skip Add * 2: all of them", &cases), Ok(false));
    assert!(verdict("run Add 1", &root.path().join("nowhere")).is_err());
    assert!(verdict("skip Add * 2", &cases).is_err());
}

#[test]
fn malformed_manifests_are_refused() {
    for text in [
        "run Add",
        "run Add x",
        "run Add 1\nrun Add 1",
        "skip Add * 1",
        "skip Add * 1:  ",
        "skip Add [ 1: why",
        "walk Add 1",
    ] {
        assert!(Manifest::parse(text).is_err(), "{text}");
    }
}

#[test]
fn our_manifest_and_the_mapping_name_the_same_operators() {
    let manifest = Manifest::parse(OURS).unwrap();
    let mut run: Vec<&str> = manifest.operators().collect();
    let mut mapped: Vec<&str> = ops::all().map(|op| op.name).collect();
    run.sort_unstable();
    mapped.sort_unstable();
    assert_eq!(run, mapped);
}
