//! Biren SUPA: CUDA's manner under `sudrv` and `su`. How modules are loaded and kernels launched is
//! not known, so that no device can be opened yet: the error says which names are missing.

use super::nvidia::CODES;
use crate::cudalike::library::{BlasNames, DnnNames, DriverNames};
use crate::cudalike::table::*;
use suanzi_codegen::emit_c::SUPA;

/// The table.
pub const BIREN: Vendor = Vendor {
    name: "supa",
    title: "Biren SUPA",
    install: "the SUPA SDK, and SUANZI_SUPA_LIBRARY: the names of its libraries are not known",
    devices: Devices::Any,
    label: Label::TableOnly,
    evidence: "2026-11-27: names of public programs",
    dialect: &SUPA,
    driver: Driver {
        libraries: &[],
        names: DriverNames {
            init: Some("sudrvInit"),
            device_count: Some("suGetDeviceCount"),
            device: Some("sudrvDeviceGet"),
            attribute: Some("sudrvDeviceGetAttribute"),
            retain: Some("sudrvPrimaryContextRetain"),
            set_current: Some("sudrvContextSetCurrent"),
            alloc: Some("suMallocDevice"),
            free: Some("suFree"),
            stream: Some("suStreamCreateWithFlags"),
            stream_destroy: Some("suStreamDestroy"),
            stream_wait: Some("suStreamSynchronize"),
            event: Some("suEventCreateWithFlags"),
            event_record: Some("suEventRecord"),
            event_wait: Some("suEventSynchronize"),
            event_destroy: Some("suEventDestroy"),
            error_text: Some("sudrvGetErrorString"),
            // `suMemcpyAsync` takes the stream before the kind, unlike the others.
            ..DriverNames::UNKNOWN
        },
        attributes: Attributes {
            max_workgroup: None,
            max_groups: [None; 3],
            shared_bytes: None,
            subgroup: None,
            compute_units: None,
            capability: [None; 2],
        },
        copy_kinds: None,
        launch: [1, 2, 0],
        codes: CODES,
        error_string: None,
    },
    compiler: None,
    offline: "the command of SUPA's compiler is not known: COMPILER {options} -o {out} {in}",
    blas: Some(Blas {
        engine: "sublas",
        libraries: &["libsublas.so"],
        names: BlasNames {
            create: Some("sublasCreate"),
            destroy: Some("sublasDestroy"),
            set_stream: Some("sublasSetStream"),
            sgemm: Some("sublasSgemm"),
            ..BlasNames::UNKNOWN
        },
        operations: [0, 1],
        extended: None,
    }),
    dnn: Some(Dnn {
        engine: "sudnn",
        libraries: &["libsudnn.so"],
        // `sudnn…`; no more is known of them.
        names: DnnNames::UNKNOWN,
        version: None,
        error_string: None,
        numbers: None,
    }),
};
