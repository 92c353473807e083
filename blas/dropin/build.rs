//! Linker options of the shared library.

fn main() {
    println!("cargo:rerun-if-env-changed=CARGO_FEATURE_ILP64");
    let bits = if std::env::var_os("CARGO_FEATURE_ILP64").is_some() {
        "64"
    } else {
        ""
    };
    if bits.is_empty() {
        // The test of wrong arguments has an `xerbla_` and a `cblas_xerbla` of its own, which the
        // library finds as it finds a program's. (The tests are of the package with 32 bits.)
        for name in ["xerbla_", "cblas_xerbla"] {
            println!("cargo:rustc-link-arg-tests=-Wl,--export-dynamic-symbol={name}");
        }
    }
    // Programs that ask for the distribution's library by name are content with this one.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libblas{bits}.so.3");
    // Beside another BLAS in the process, calls inside this one stay inside.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic-functions");
    // Helper threads run its code: it is never unloaded.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
