//! Libraries and their functions, by names from a vendor's table.
//!
//! A function is there or not; what is called without being there is a [`Failure`] that names it.
//! Libraries are never unloaded: drivers start threads that outlive their last user.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::mem::size_of;

/// The name of a function or a library's file, where it is known.
pub type Name = Option<&'static str>;

/// A driver's object.
pub type Handle = *mut c_void;

/// An address on a device.
pub type Address = u64;

/// A call that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The function.
    pub call: &'static str,
    /// What it returned; 0 if it could not be called.
    pub code: i32,
    /// In words, where there are any.
    pub text: String,
}

/// The result of a call.
pub type Outcome<T> = Result<T, Failure>;

/// A function of a library, if the table has its name and the library has the function.
#[derive(Clone, Copy)]
pub struct Function<F> {
    name: Name,
    role: &'static str,
    call: Option<F>,
}

impl<F: Copy> Function<F> {
    /// Looks a function up.
    ///
    /// # Safety
    /// If the library has the name, it is a function of type `F`.
    pub unsafe fn load(library: &Library, name: Name, role: &'static str) -> Function<F> {
        debug_assert_eq!(size_of::<F>(), size_of::<Handle>());
        let pointer = name.and_then(|name| library.symbol(name));
        // SAFETY: `F` is a function pointer, as wide as any other, and of this function's type by
        // the caller's promise.
        let call = pointer.map(|p| unsafe { std::mem::transmute_copy::<Handle, F>(&p) });
        Function { name, role, call }
    }

    /// Whether it can be called.
    pub fn exists(&self) -> bool {
        self.call.is_some()
    }

    /// What to say where it is missing.
    pub fn missing(&self) -> String {
        match self.name {
            None => format!("{} (its name is not known)", self.role),
            Some(name) => name.to_string(),
        }
    }

    /// Its name, or what it is for where that is not known.
    pub fn name(&self) -> &'static str {
        self.name.unwrap_or(self.role)
    }

    /// Its name, and itself.
    pub fn get(&self) -> Outcome<(&'static str, F)> {
        self.name.zip(self.call).ok_or(Failure {
            call: self.name(),
            code: 0,
            text: "the library has no such function".into(),
        })
    }
}

/// Declares the names of a library's functions, and the functions.
macro_rules! functions {
    ($(#[$doc:meta])* $names:ident, $(#[$api_doc:meta])* $api:ident:
     $($(#[$field_doc:meta])* $field:ident($($arg:ty),*);)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $names {
            $($(#[$field_doc])* pub $field: Name,)*
        }

        impl $names {
            /// Nothing is known.
            pub const UNKNOWN: $names = $names { $($field: None,)* };
        }

        $(#[$api_doc])*
        #[derive(Clone, Copy)]
        pub struct $api {
            $($(#[$field_doc])* pub $field: Function<unsafe extern "C" fn($($arg),*) -> c_int>,)*
        }

        impl $api {
            /// Looks every function up.
            pub fn load(library: &Library, names: &$names) -> $api {
                $api {
                    // SAFETY: the table's names are those of functions of these types; all return
                    // a status.
                    $($field: unsafe {
                        Function::load(library, names.$field, stringify!($field))
                    },)*
                }
            }
        }
    };
}

functions! {
    /// What the functions of a driver are called.
    DriverNames,
    /// The functions of a driver.
    Driver:
    /// Starts the driver; flags 0.
    init(c_uint);
    /// Its version.
    version(*mut c_int);
    /// How many devices there are.
    device_count(*mut c_int);
    /// The handle of a device with a number.
    device(*mut c_int, c_int);
    /// The name of a device.
    device_name(*mut c_char, c_int, c_int);
    /// The memory of a device, bytes.
    memory(*mut usize, c_int);
    /// Free and whole memory of the current device, in place of `memory`.
    memory_info(*mut usize, *mut usize);
    /// An attribute of a device.
    attribute(*mut c_int, c_int, c_int);
    /// The context that a device's users share.
    retain(*mut Handle, c_int);
    /// Makes a context current on this thread.
    set_current(Handle);
    /// Makes a device current on this thread, in place of `retain` and `set_current`.
    set_device(c_int);
    /// Allocates.
    alloc(*mut Address, usize);
    /// Frees.
    free(Address);
    /// Copies to the device, in a stream's order.
    copy_in(Address, *const c_void, usize, Handle);
    /// Copies from the device.
    copy_out(*mut c_void, Address, usize, Handle);
    /// Copies on the device.
    copy_within(Address, Address, usize, Handle);
    /// Copies in a direction given by number, in place of the three.
    copy(Address, Address, usize, c_int, Handle);
    /// Makes a stream; flags 1: not in step with the default stream.
    stream(*mut Handle, c_uint);
    /// Destroys a stream.
    stream_destroy(Handle);
    /// Waits for a stream.
    stream_wait(Handle);
    /// Makes an event; flags 0: with a time.
    event(*mut Handle, c_uint);
    /// Records an event in a stream.
    event_record(Handle, Handle);
    /// Waits for an event.
    event_wait(Handle);
    /// Milliseconds between two events.
    event_elapsed(*mut f32, Handle, Handle);
    /// Destroys an event.
    event_destroy(Handle);
    /// Loads a compiled program.
    module(*mut Handle, *const c_void);
    /// Unloads it.
    module_unload(Handle);
    /// A kernel of a program.
    kernel(*mut Handle, Handle, *const c_char);
    /// Launches: groups, work-items, shared bytes, stream, arguments, arguments in one buffer.
    launch(
        Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle, *mut Handle,
        *mut Handle
    );
    /// A status in words.
    error_text(c_int, *mut *const c_char);
}

functions! {
    /// What the functions of a run-time compiler are called.
    CompilerNames,
    /// The functions of a run-time compiler.
    Compiler:
    /// Its version, major and minor.
    version(*mut c_int, *mut c_int);
    /// A program of a source with a name, and headers.
    create(
        *mut Handle, *const c_char, *const c_char, c_int, *const *const c_char,
        *const *const c_char
    );
    /// Compiles it with options.
    compile(Handle, c_int, *const *const c_char);
    /// The length of the compiler's messages.
    log_size(Handle, *mut usize);
    /// The messages.
    log(Handle, *mut c_char);
    /// Destroys it.
    destroy(*mut Handle);
}

functions! {
    /// What the functions of a library of matrix products are called.
    BlasNames,
    /// The functions of a library of matrix products. Matrices are stored by columns.
    Blas:
    /// A handle.
    create(*mut Handle);
    /// Destroys it.
    destroy(Handle);
    /// Its version.
    version(Handle, *mut c_int);
    /// Work goes into a stream.
    set_stream(Handle, Handle);
    /// f32 products.
    sgemm(
        Handle, c_int, c_int, c_int, c_int, c_int, *const f32, Address, c_int, Address, c_int,
        *const f32, Address, c_int
    );
    /// f64 products.
    dgemm(
        Handle, c_int, c_int, c_int, c_int, c_int, *const f64, Address, c_int, Address, c_int,
        *const f64, Address, c_int
    );
    /// Products of elements whose kind is given.
    gemm_ex(
        Handle, c_int, c_int, c_int, c_int, c_int, *const c_void, Address, c_int, c_int, Address,
        c_int, c_int, *const c_void, Address, c_int, c_int, c_int, c_int
    );
}

functions! {
    /// What the functions of a library of layers are called.
    DnnNames,
    /// The functions of a library of layers. What is done is said by descriptors.
    Dnn:
    /// A handle.
    create(*mut Handle);
    /// Destroys it.
    destroy(Handle);
    /// Work goes into a stream.
    set_stream(Handle, Handle);
    /// A descriptor of a tensor.
    tensor(*mut Handle);
    /// Its kind, how many axes, their lengths and strides.
    tensor_set(Handle, c_int, c_int, *const c_int, *const c_int);
    /// Destroys it.
    tensor_destroy(Handle);
    /// A descriptor of weights.
    filter(*mut Handle);
    /// Their kind, format, how many axes, their lengths.
    filter_set(Handle, c_int, c_int, c_int, *const c_int);
    /// Destroys it.
    filter_destroy(Handle);
    /// A descriptor of a convolution.
    convolution(*mut Handle);
    /// Its axes, zeros, strides, dilations, mode, the kind of its sums.
    convolution_set(Handle, c_int, *const c_int, *const c_int, *const c_int, c_int, c_int);
    /// Its groups.
    convolution_groups(Handle, c_int);
    /// Its arithmetic.
    convolution_math(Handle, c_int);
    /// Destroys it.
    convolution_destroy(Handle);
    /// The memory that a convolution by an algorithm needs: x, w, convolution, y, algorithm.
    workspace(Handle, Handle, Handle, Handle, Handle, c_int, *mut usize);
    /// A convolution: alpha, x, w, convolution, algorithm, workspace, beta, y.
    forward(
        Handle, *const c_void, Handle, Address, Handle, Address, Handle, c_int, Address, usize,
        *const c_void, Handle, Address
    );
}

/// A loaded library.
#[derive(Clone, Copy)]
pub struct Library {
    /// What it was asked for by.
    pub name: &'static str,
    inner: &'static libloading::Library,
}

impl Library {
    /// Loads the first of these that can be loaded; the error says why none could.
    pub fn open(names: &[String]) -> Result<Library, String> {
        let (mut absent, mut reasons) = (vec![], vec![]);
        for name in names {
            // SAFETY: loading runs the library's initialisers, as linking to it would; it is the
            // vendor's driver, or what the user named in its place.
            match unsafe { libloading::Library::new(name) } {
                Ok(library) => {
                    return Ok(Library {
                        name: Box::leak(name.clone().into_boxed_str()),
                        inner: Box::leak(Box::new(library)),
                    });
                }
                Err(error) => match error.to_string() {
                    text if text.contains("No such file") => absent.push(name.as_str()),
                    text => reasons.push(text),
                },
            }
        }
        if !absent.is_empty() {
            reasons.push(format!("not found: {}", absent.join(", ")));
        }
        Err(reasons.join("; "))
    }

    fn symbol(&self, name: &str) -> Option<Handle> {
        // SAFETY: only the address is looked at here; a function's address is the symbol's own, not
        // what it points at. The library stays.
        let address = unsafe {
            let symbol = self.inner.get::<Handle>(name.as_bytes());
            symbol.ok()?.try_as_raw_ptr()?
        };
        (!address.is_null()).then_some(address)
    }

    /// The file that has a function; the name that the library was asked for by, if that cannot
    /// be found out.
    pub fn file_of<F>(&self, function: &Function<F>) -> String {
        let address = function.name.and_then(|name| self.symbol(name));
        address.and_then(file).unwrap_or(self.name.into())
    }

    /// A function that no table of functions has.
    ///
    /// # Safety
    /// If the library has the name, it is a function of type `F`.
    pub unsafe fn function<F: Copy>(&self, name: Name, role: &'static str) -> Function<F> {
        // SAFETY: the caller's promise.
        unsafe { Function::load(self, name, role) }
    }
}

/// The file that was mapped where an address is.
#[cfg(unix)]
fn file(address: Handle) -> Option<String> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` takes any address, and fills `info` in where it knows it; zeros are a valid
    // `Dl_info` too. The name belongs to a library that stays.
    unsafe {
        let known = libc::dladdr(address, info.as_mut_ptr());
        let name = text(info.assume_init().dli_fname);
        (known != 0 && !name.is_empty()).then_some(name)
    }
}

#[cfg(not(unix))]
fn file(_: Handle) -> Option<String> {
    None
}

/// Text of a driver; empty for a null pointer.
///
/// # Safety
/// The pointer is null, or a string of the library's that stays.
pub unsafe fn text(pointer: *const c_char) -> String {
    match pointer.is_null() {
        true => String::new(),
        // SAFETY: the caller's promise.
        false => unsafe { CStr::from_ptr(pointer) }
            .to_string_lossy()
            .into_owned(),
    }
}
