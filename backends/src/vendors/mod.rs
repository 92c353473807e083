//! The vendors of CUDA-like devices: a file of data each, and a line in the list here.
//!
//! Names and numbers come from the vendors' public headers and documentation, and from public
//! programs that call these libraries; `docs/vendors/` says for each what is known, what was
//! verified and what is not known.

use crate::cudalike::table::Vendor;

/// Each vendor's module, and the list of their tables.
macro_rules! vendors {
    ($($module:ident::$table:ident,)*) => {
        $(pub mod $module;)*

        /// Every vendor, in the order in which they are looked for.
        pub const ALL: &[&Vendor] = &[$(&$module::$table),*];
    };
}

vendors! {
    nvidia::NVIDIA,
    hygon::HYGON,
    moorethreads::MOORE_THREADS,
    metax::METAX,
    iluvatar::ILUVATAR,
    denglin::DENGLIN,
    biren::BIREN,
}
