//! Compiles the C loops of `src/scalar.c` twice: as scalar code, and as the compiler likes them.

fn main() {
    let variants = [
        (
            "scalar",
            2,
            ["-fno-tree-vectorize", "-fno-tree-slp-vectorize"].as_slice(),
        ),
        ("vector", 3, ["-march=native"].as_slice()),
    ];
    for (name, level, flags) in variants {
        let mut build = cc::Build::new();
        // No contraction into fma: both round as the operators do.
        build
            .file("src/scalar.c")
            .opt_level(level)
            .flag_if_supported("-ffp-contract=off");
        flags.iter().for_each(|f| {
            build.flag_if_supported(f);
        });
        build.define("NAME(f)", format!("suanzi_{name}_##f").as_str());
        build.compile(&format!("suanzi_{name}"));
    }
    println!("cargo::rerun-if-changed=src/scalar.c");
}
