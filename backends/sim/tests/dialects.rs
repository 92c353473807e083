//! The sources of every sample compile, in the dialects that the simulator is for.

use suanzi_codegen::emit_c::{self, described};
use suanzi_codegen::legalise;
use suanzi_codegen::samples::SAMPLES;
use suanzi_sim::{Module, compile};

#[test]
fn samples_compile_in_every_dialect() {
    for text in ["cuda", "hip", include_str!("../dialects/wide.toml")] {
        let dialect = described(text).expect("a dialect");
        let mut target = dialect.target();
        target.fragments.clear();
        let mut compiled = 0;
        for sample in SAMPLES {
            let kernel = (sample.kernel)().expect("samples are valid");
            let Ok(legal) = legalise(&kernel, &target) else {
                assert_eq!(sample.name, "fragments");
                continue;
            };
            let Ok(source) = emit_c::emit(&legal, dialect, &target) else {
                assert_eq!(sample.name, "fragments");
                continue;
            };
            let artifact = compile(&source, dialect.options);
            let artifact =
                artifact.unwrap_or_else(|log| panic!("{} in {}: {log}", sample.name, dialect.name));
            let module = Module::load(&artifact).expect("it loads");
            assert!(module.kernel(sample.name).is_some(), "{}", sample.name);
            compiled += 1;
        }
        assert_eq!(compiled, SAMPLES.len() - 1, "{}", dialect.name);
    }
}
