//! What can go wrong on a device. Each message names the device and says what to do.

use suanzi_codegen::{Unsupported, VerifyError};
use thiserror::Error;

/// The result of every device operation.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of a device or of the layer around it.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// No device has this name.
    #[error("no device `{name}`; available: {available} (run `suanzi devices`)")]
    UnknownDevice {
        /// What was asked for.
        name: String,
        /// Names that exist, separated by commas.
        available: String,
    },
    /// An environment variable holds something that it cannot mean.
    #[error("{variable}: {what}")]
    Setting {
        /// The variable.
        variable: &'static str,
        /// What it holds, and what it may hold.
        what: String,
    },
    /// A driver library or platform is absent or unusable.
    #[error("{backend} is not usable here: {what}")]
    NoDriver {
        /// `opencl`, `vulkan`…
        backend: &'static str,
        /// Why, and what to install.
        what: String,
    },
    /// A plugin is no plugin, of another version, or says what cannot be.
    #[error("plugin {library} {what}")]
    Plugin {
        /// The file.
        library: String,
        /// What is wrong with it; begins with a verb.
        what: String,
    },
    /// A kernel breaks a rule of the kernel language: a defect of whoever built it.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The device lacks something that the kernel needs.
    #[error("{device}: {source}")]
    Unsupported {
        /// Device name.
        device: String,
        /// What is missing.
        source: Unsupported,
    },
    /// The driver refused a kernel.
    #[error(
        "{device}: the driver did not compile kernel `{kernel}`: {log} (SUANZI_DUMP=dir keeps the source)"
    )]
    Compile {
        /// Device name.
        device: String,
        /// Kernel name.
        kernel: String,
        /// The driver's words.
        log: String,
    },
    /// Memory ran out, or one allocation is larger than the device allows.
    #[error("{device}: out of memory for {bytes} bytes ({what}); free tensors, or split the work")]
    OutOfMemory {
        /// Device name.
        device: String,
        /// Size of the allocation that failed.
        bytes: u64,
        /// The limit or the driver's words.
        what: String,
    },
    /// The device no longer answers; everything on it is gone.
    #[error("{device}: the device was lost ({what}); open it again and repeat the work")]
    DeviceLost {
        /// Device name.
        device: String,
        /// The driver's words.
        what: String,
    },
    /// A kernel failed while it ran: an access out of bounds, on devices that notice.
    #[error("{device}: kernel `{kernel}` failed: {what}")]
    Kernel {
        /// Device name.
        device: String,
        /// Kernel name.
        kernel: String,
        /// What happened.
        what: String,
    },
    /// A launch, copy, read or write with arguments that do not fit.
    #[error("{device}: {what}")]
    Invalid {
        /// Device name.
        device: String,
        /// What does not fit.
        what: String,
    },
    /// Any other failure of a driver call.
    #[error("{device}: {call} failed: {what}")]
    Driver {
        /// Device name.
        device: String,
        /// The driver's function.
        call: &'static str,
        /// Error code and words.
        what: String,
    },
}
