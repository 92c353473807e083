//! Golden sources: every sample in every dialect of the C family.
//!
//! A sample that a dialect cannot have is a snapshot too, of the reason.

use suanzi_codegen::emit_c::{self, DIALECTS};
use suanzi_codegen::legalise;
use suanzi_codegen::samples::SAMPLES;

#[test]
fn samples_print_as_before() {
    for dialect in DIALECTS {
        let target = dialect.target();
        for sample in SAMPLES {
            let kernel = (sample.kernel)().expect("samples are valid");
            let text = legalise(&kernel, &target)
                .and_then(|k| emit_c::emit(&k, dialect, &target))
                .unwrap_or_else(|e| e.to_string());
            insta::assert_snapshot!(format!("{}-{}", sample.name, dialect.name), text);
        }
    }
}
