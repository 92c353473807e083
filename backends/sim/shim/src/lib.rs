//! The libraries of four vendors by name, over the simulator: what a vendor's table in
//! `suanzi-backends` calls is here, so that every table is run without its hardware.
//!
//! One implementation ([`driver`], [`compiler`], [`blas`], [`dnn`]) serves all; a [`flavour`] has a vendor's
//! numbers, written down here a second time and not taken from the tables, and the names are at the
//! end of this file. It is strict: a number that the vendor does not have, a call before `Init`, a
//! call without a current context, an option that the vendor's compiler does not know, arguments of
//! a launch in any form but one packed buffer, an object that is none are all errors.
//!
//! Each vendor has three devices, with subgroups of 32, 64 and 128. A kernel that fails loses the
//! context, as on hardware: every later call of the process then gives the same error.

mod blas;
mod compiler;
mod dnn;
mod driver;
mod flavour;
mod objects;
mod stream;

use std::ffi::{c_char, c_int, c_uint, c_void};

/// A vendor's object.
pub type Handle = *mut c_void;

/// Runs a call; a panic becomes a status.
fn guarded(call: impl FnOnce() -> Result<(), c_int>) -> c_int {
    let call = std::panic::AssertUnwindSafe(call);
    match std::panic::catch_unwind(call) {
        Ok(Ok(())) => 0,
        Ok(Err(code)) => code,
        Err(_) => flavour::UNKNOWN,
    }
}

/// A function under a vendor's name.
macro_rules! export {
    ($flavour:ident, $name:ident, $module:ident :: $function:ident($($arg:ident: $ty:ty),*)) => {
        /// The vendor's function of this name.
        ///
        /// # Safety
        /// As the vendor's header says.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> c_int {
            // SAFETY: the caller's promise, which is the vendor's header's.
            guarded(|| unsafe { $module::$function(&flavour::$flavour, $($arg),*) })
        }
    };
}

/// What each role takes.
macro_rules! role {
    (init, $f:ident, $n:ident) => { export!($f, $n, driver::init(flags: c_uint)); };
    (version, $f:ident, $n:ident) => { export!($f, $n, driver::version(out: *mut c_int)); };
    (device_count, $f:ident, $n:ident) => { export!($f, $n, driver::device_count(out: *mut c_int)); };
    (device, $f:ident, $n:ident) => {
        export!($f, $n, driver::device(out: *mut c_int, number: c_int));
    };
    (device_name, $f:ident, $n:ident) => {
        export!($f, $n, driver::device_name(out: *mut c_char, length: c_int, device: c_int));
    };
    (memory, $f:ident, $n:ident) => {
        export!($f, $n, driver::memory(out: *mut usize, device: c_int));
    };
    (memory_info, $f:ident, $n:ident) => {
        export!($f, $n, driver::memory_info(free: *mut usize, total: *mut usize));
    };
    (attribute, $f:ident, $n:ident) => {
        export!($f, $n, driver::attribute(out: *mut c_int, attribute: c_int, device: c_int));
    };
    (retain, $f:ident, $n:ident) => {
        export!($f, $n, driver::retain(out: *mut Handle, device: c_int));
    };
    (set_current, $f:ident, $n:ident) => { export!($f, $n, driver::set_current(context: Handle)); };
    (set_device, $f:ident, $n:ident) => { export!($f, $n, driver::set_device(device: c_int)); };
    (alloc, $f:ident, $n:ident) => {
        export!($f, $n, driver::alloc(out: *mut u64, bytes: usize));
    };
    (free, $f:ident, $n:ident) => { export!($f, $n, driver::free(address: u64)); };
    (copy_in, $f:ident, $n:ident) => {
        export!($f, $n, driver::copy_in(to: u64, from: *const c_void, bytes: usize, stream: Handle));
    };
    (copy_out, $f:ident, $n:ident) => {
        export!($f, $n, driver::copy_out(to: *mut c_void, from: u64, bytes: usize, stream: Handle));
    };
    (copy_within, $f:ident, $n:ident) => {
        export!($f, $n, driver::copy_within(to: u64, from: u64, bytes: usize, stream: Handle));
    };
    (copy, $f:ident, $n:ident) => {
        export!($f, $n, driver::copy(to: u64, from: u64, bytes: usize, kind: c_int, stream: Handle));
    };
    (stream, $f:ident, $n:ident) => {
        export!($f, $n, driver::stream(out: *mut Handle, flags: c_uint));
    };
    (stream_destroy, $f:ident, $n:ident) => { export!($f, $n, driver::stream_destroy(stream: Handle)); };
    (stream_wait, $f:ident, $n:ident) => { export!($f, $n, driver::stream_wait(stream: Handle)); };
    (event, $f:ident, $n:ident) => {
        export!($f, $n, driver::event(out: *mut Handle, flags: c_uint));
    };
    (event_record, $f:ident, $n:ident) => {
        export!($f, $n, driver::event_record(event: Handle, stream: Handle));
    };
    (event_wait, $f:ident, $n:ident) => { export!($f, $n, driver::event_wait(event: Handle)); };
    (event_elapsed, $f:ident, $n:ident) => {
        export!($f, $n, driver::event_elapsed(out: *mut f32, start: Handle, end: Handle));
    };
    (event_destroy, $f:ident, $n:ident) => { export!($f, $n, driver::event_destroy(event: Handle)); };
    (module, $f:ident, $n:ident) => {
        export!($f, $n, driver::module(out: *mut Handle, image: *const c_void));
    };
    (module_unload, $f:ident, $n:ident) => { export!($f, $n, driver::module_unload(module: Handle)); };
    (kernel, $f:ident, $n:ident) => {
        export!($f, $n, driver::kernel(out: *mut Handle, module: Handle, name: *const c_char));
    };
    (launch, $f:ident, $n:ident) => {
        export!($f, $n, driver::launch(
            kernel: Handle, gx: c_uint, gy: c_uint, gz: c_uint, x: c_uint, y: c_uint, z: c_uint,
            shared: c_uint, stream: Handle, arguments: *mut Handle, extra: *mut Handle
        ));
    };
    (error_text, $f:ident, $n:ident) => {
        export!($f, $n, driver::error_text(code: c_int, out: *mut *const c_char));
    };
    (error_string, $f:ident, $n:ident) => {
        /// The vendor's function of this name.
        #[unsafe(no_mangle)]
        pub extern "C" fn $n(code: c_int) -> *const c_char {
            driver::words(code).as_ptr()
        }
    };
    (rtc_version, $f:ident, $n:ident) => {
        export!($f, $n, compiler::version(major: *mut c_int, minor: *mut c_int));
    };
    (rtc_create, $f:ident, $n:ident) => {
        export!($f, $n, compiler::create(
            out: *mut Handle, source: *const c_char, name: *const c_char, headers: c_int,
            texts: *const *const c_char, names: *const *const c_char
        ));
    };
    (rtc_compile, $f:ident, $n:ident) => {
        export!($f, $n, compiler::compile(
            program: Handle, count: c_int, options: *const *const c_char
        ));
    };
    (rtc_log_size, $f:ident, $n:ident) => {
        export!($f, $n, compiler::log_size(program: Handle, out: *mut usize));
    };
    (rtc_log, $f:ident, $n:ident) => {
        export!($f, $n, compiler::log(program: Handle, out: *mut c_char));
    };
    (rtc_size, $f:ident, $n:ident) => {
        export!($f, $n, compiler::size(program: Handle, out: *mut usize));
    };
    (rtc_data, $f:ident, $n:ident) => {
        export!($f, $n, compiler::data(program: Handle, out: *mut c_char));
    };
    (rtc_destroy, $f:ident, $n:ident) => {
        export!($f, $n, compiler::destroy(program: *mut Handle));
    };
    (blas_create, $f:ident, $n:ident) => { export!($f, $n, blas::create(out: *mut Handle)); };
    (blas_destroy, $f:ident, $n:ident) => { export!($f, $n, blas::destroy(handle: Handle)); };
    (blas_version, $f:ident, $n:ident) => {
        export!($f, $n, blas::version(handle: Handle, out: *mut c_int));
    };
    (blas_set_stream, $f:ident, $n:ident) => {
        export!($f, $n, blas::set_stream(handle: Handle, stream: Handle));
    };
    (blas_sgemm, $f:ident, $n:ident) => {
        export!($f, $n, blas::sgemm(
            handle: Handle, op_a: c_int, op_b: c_int, m: c_int, n: c_int, k: c_int,
            alpha: *const f32, a: u64, lda: c_int, b: u64, ldb: c_int, beta: *const f32, c: u64,
            ldc: c_int
        ));
    };
    (blas_dgemm, $f:ident, $n:ident) => {
        export!($f, $n, blas::dgemm(
            handle: Handle, op_a: c_int, op_b: c_int, m: c_int, n: c_int, k: c_int,
            alpha: *const f64, a: u64, lda: c_int, b: u64, ldb: c_int, beta: *const f64, c: u64,
            ldc: c_int
        ));
    };
    (blas_gemm_ex, $f:ident, $n:ident) => {
        export!($f, $n, blas::gemm_ex(
            handle: Handle, op_a: c_int, op_b: c_int, m: c_int, n: c_int, k: c_int,
            alpha: *const c_void, a: u64, a_kind: c_int, lda: c_int, b: u64, b_kind: c_int,
            ldb: c_int, beta: *const c_void, c: u64, c_kind: c_int, ldc: c_int, compute: c_int,
            algorithm: c_int
        ));
    };
    (dnn_version, $f:ident, $n:ident) => {
        /// The vendor's function of this name.
        #[unsafe(no_mangle)]
        pub extern "C" fn $n() -> usize {
            90000
        }
    };
    (dnn_error_string, $f:ident, $n:ident) => {
        /// The vendor's function of this name.
        #[unsafe(no_mangle)]
        pub extern "C" fn $n(code: c_int) -> *const c_char {
            dnn::words(code)
        }
    };
    (dnn_create, $f:ident, $n:ident) => { export!($f, $n, dnn::create(out: *mut Handle)); };
    (dnn_destroy, $f:ident, $n:ident) => { export!($f, $n, dnn::destroy(handle: Handle)); };
    (dnn_set_stream, $f:ident, $n:ident) => {
        export!($f, $n, dnn::set_stream(handle: Handle, stream: Handle));
    };
    (dnn_tensor, $f:ident, $n:ident) => { export!($f, $n, dnn::tensor(out: *mut Handle)); };
    (dnn_tensor_set, $f:ident, $n:ident) => {
        export!($f, $n, dnn::tensor_set(
            of: Handle, kind: c_int, axes: c_int, lengths: *const c_int, strides: *const c_int
        ));
    };
    (dnn_filter, $f:ident, $n:ident) => { export!($f, $n, dnn::filter(out: *mut Handle)); };
    (dnn_filter_set, $f:ident, $n:ident) => {
        export!($f, $n, dnn::filter_set(
            of: Handle, kind: c_int, format: c_int, axes: c_int, lengths: *const c_int
        ));
    };
    (dnn_convolution, $f:ident, $n:ident) => { export!($f, $n, dnn::convolution(out: *mut Handle)); };
    (dnn_convolution_set, $f:ident, $n:ident) => {
        export!($f, $n, dnn::convolution_set(
            of: Handle, axes: c_int, pads: *const c_int, strides: *const c_int,
            dilations: *const c_int, mode: c_int, sums: c_int
        ));
    };
    (dnn_convolution_groups, $f:ident, $n:ident) => {
        export!($f, $n, dnn::convolution_groups(of: Handle, groups: c_int));
    };
    (dnn_convolution_math, $f:ident, $n:ident) => {
        export!($f, $n, dnn::convolution_math(of: Handle, math: c_int));
    };
    (dnn_forget, $f:ident, $n:ident) => { export!($f, $n, dnn::forget(of: Handle)); };
    (dnn_workspace, $f:ident, $n:ident) => {
        export!($f, $n, dnn::workspace(
            handle: Handle, x: Handle, w: Handle, by: Handle, y: Handle, algorithm: c_int,
            out: *mut usize
        ));
    };
    (dnn_forward, $f:ident, $n:ident) => {
        export!($f, $n, dnn::forward(
            handle: Handle, alpha: *const c_void, x_of: Handle, x: u64, w_of: Handle, w: u64,
            by: Handle, algorithm: c_int, space: u64, bytes: usize, beta: *const c_void,
            y_of: Handle, y: u64
        ));
    };
}

/// A vendor's names.
macro_rules! names {
    ($flavour:ident: $($role:ident = $name:ident),* $(,)?) => {
        $(role!($role, $flavour, $name);)*
    };
}

#[allow(non_snake_case, clippy::too_many_arguments)]
mod names {
    use super::*;

    names! { CUDA:
        init = cuInit, version = cuDriverGetVersion, device_count = cuDeviceGetCount,
        device = cuDeviceGet, device_name = cuDeviceGetName, memory = cuDeviceTotalMem_v2,
        attribute = cuDeviceGetAttribute, retain = cuDevicePrimaryCtxRetain,
        set_current = cuCtxSetCurrent, alloc = cuMemAlloc_v2, free = cuMemFree_v2,
        copy_in = cuMemcpyHtoDAsync_v2, copy_out = cuMemcpyDtoHAsync_v2,
        copy_within = cuMemcpyDtoDAsync_v2, stream = cuStreamCreate,
        stream_destroy = cuStreamDestroy_v2, stream_wait = cuStreamSynchronize,
        event = cuEventCreate, event_record = cuEventRecord, event_wait = cuEventSynchronize,
        event_elapsed = cuEventElapsedTime, event_destroy = cuEventDestroy_v2,
        module = cuModuleLoadData, module_unload = cuModuleUnload, kernel = cuModuleGetFunction,
        launch = cuLaunchKernel, error_text = cuGetErrorString,
        rtc_version = nvrtcVersion, rtc_create = nvrtcCreateProgram,
        rtc_compile = nvrtcCompileProgram, rtc_log_size = nvrtcGetProgramLogSize,
        rtc_log = nvrtcGetProgramLog, rtc_size = nvrtcGetCUBINSize, rtc_data = nvrtcGetCUBIN,
        rtc_destroy = nvrtcDestroyProgram,
        blas_create = cublasCreate_v2, blas_destroy = cublasDestroy_v2,
        blas_version = cublasGetVersion_v2, blas_set_stream = cublasSetStream_v2,
        blas_sgemm = cublasSgemm_v2, blas_dgemm = cublasDgemm_v2, blas_gemm_ex = cublasGemmEx,
        dnn_version = cudnnGetVersion, dnn_error_string = cudnnGetErrorString,
        dnn_create = cudnnCreate, dnn_destroy = cudnnDestroy, dnn_set_stream = cudnnSetStream,
        dnn_tensor = cudnnCreateTensorDescriptor, dnn_tensor_set = cudnnSetTensorNdDescriptor,
        dnn_forget = cudnnDestroyTensorDescriptor, dnn_filter = cudnnCreateFilterDescriptor,
        dnn_filter_set = cudnnSetFilterNdDescriptor, dnn_forget = cudnnDestroyFilterDescriptor,
        dnn_convolution = cudnnCreateConvolutionDescriptor,
        dnn_convolution_set = cudnnSetConvolutionNdDescriptor,
        dnn_convolution_groups = cudnnSetConvolutionGroupCount,
        dnn_convolution_math = cudnnSetConvolutionMathType,
        dnn_forget = cudnnDestroyConvolutionDescriptor,
        dnn_workspace = cudnnGetConvolutionForwardWorkspaceSize,
        dnn_forward = cudnnConvolutionForward,
    }

    names! { MUSA:
        init = muInit, version = muDriverGetVersion, device_count = muDeviceGetCount,
        device = muDeviceGet, device_name = muDeviceGetName, memory = muDeviceTotalMem_v2,
        attribute = muDeviceGetAttribute, retain = muDevicePrimaryCtxRetain,
        set_current = muCtxSetCurrent, alloc = muMemAlloc_v2, free = muMemFree_v2,
        copy_in = muMemcpyHtoDAsync_v2, copy_out = muMemcpyDtoHAsync_v2,
        copy_within = muMemcpyDtoDAsync_v2, stream = muStreamCreate,
        stream_destroy = muStreamDestroy_v2, stream_wait = muStreamSynchronize,
        event = muEventCreate, event_record = muEventRecord, event_wait = muEventSynchronize,
        event_elapsed = muEventElapsedTime, event_destroy = muEventDestroy_v2,
        module = muModuleLoadData, module_unload = muModuleUnload, kernel = muModuleGetFunction,
        launch = muLaunchKernel, error_text = muGetErrorString,
        rtc_version = mtrtcVersion, rtc_create = mtrtcCreateProgram,
        rtc_compile = mtrtcCompileProgram, rtc_log_size = mtrtcGetProgramLogSize,
        rtc_log = mtrtcGetProgramLog, rtc_size = mtrtcGetMUSASize, rtc_data = mtrtcGetMUSA,
        rtc_destroy = mtrtcDestroyProgram,
        blas_create = mublasCreate, blas_destroy = mublasDestroy,
        blas_set_stream = mublasSetStream, blas_sgemm = mublasSgemm, blas_dgemm = mublasDgemm,
    }

    names! { MACA:
        init = mcInit, version = mcDriverGetVersion, device_count = mcGetDeviceCount,
        device = mcDeviceGet, device_name = mcDeviceGetName, memory_info = mcMemGetInfo,
        attribute = mcDeviceGetAttribute, set_device = mcSetDevice, alloc = mcMalloc,
        free = mcFree, copy = mcMemcpyAsync, stream = mcStreamCreateWithFlags,
        stream_destroy = mcStreamDestroy, stream_wait = mcStreamSynchronize,
        event = mcEventCreateWithFlags, event_record = mcEventRecord,
        event_wait = mcEventSynchronize, event_elapsed = mcEventElapsedTime,
        event_destroy = mcEventDestroy, module = mcModuleLoadData,
        module_unload = mcModuleUnload, kernel = mcModuleGetFunction,
        launch = mcModuleLaunchKernel, error_string = mcGetErrorString,
        rtc_version = mcrtcVersion, rtc_create = mcrtcCreateProgram,
        rtc_compile = mcrtcCompileProgram, rtc_log_size = mcrtcGetProgramLogSize,
        rtc_log = mcrtcGetProgramLog, rtc_size = mcrtcGetBitcodeSize,
        rtc_data = mcrtcGetBitcode, rtc_destroy = mcrtcDestroyProgram,
        blas_create = mcblasCreate, blas_destroy = mcblasDestroy,
        blas_set_stream = mcblasSetStream, blas_sgemm = mcblasSgemm, blas_dgemm = mcblasDgemm,
    }

    names! { HIP:
        init = hipInit, version = hipDriverGetVersion, device_count = hipGetDeviceCount,
        device = hipDeviceGet, device_name = hipDeviceGetName, memory = hipDeviceTotalMem,
        attribute = hipDeviceGetAttribute, set_device = hipSetDevice, alloc = hipMalloc,
        free = hipFree, copy_in = hipMemcpyHtoDAsync, copy_out = hipMemcpyDtoHAsync,
        copy_within = hipMemcpyDtoDAsync, stream = hipStreamCreateWithFlags,
        stream_destroy = hipStreamDestroy, stream_wait = hipStreamSynchronize,
        event = hipEventCreateWithFlags, event_record = hipEventRecord,
        event_wait = hipEventSynchronize, event_elapsed = hipEventElapsedTime,
        event_destroy = hipEventDestroy, module = hipModuleLoadData,
        module_unload = hipModuleUnload, kernel = hipModuleGetFunction,
        launch = hipModuleLaunchKernel, error_string = hipGetErrorString,
        rtc_version = hiprtcVersion, rtc_create = hiprtcCreateProgram,
        rtc_compile = hiprtcCompileProgram, rtc_log_size = hiprtcGetProgramLogSize,
        rtc_log = hiprtcGetProgramLog, rtc_size = hiprtcGetCodeSize, rtc_data = hiprtcGetCode,
        rtc_destroy = hiprtcDestroyProgram,
        blas_create = hipblasCreate, blas_destroy = hipblasDestroy,
        blas_set_stream = hipblasSetStream, blas_sgemm = hipblasSgemm, blas_dgemm = hipblasDgemm,
    }
}
