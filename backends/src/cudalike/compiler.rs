//! From source to what the driver loads: by the run-time compiler, or by a command.

use super::library::{Compiler as Functions, Failure, Function, Handle, Library, Outcome};
use super::table::{Arch, Vendor};
use std::ffi::{CString, c_char, c_int};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

type Size = unsafe extern "C" fn(Handle, *mut usize) -> c_int;
type Data = unsafe extern "C" fn(Handle, *mut c_char) -> c_int;

/// A way to compile, found.
pub struct Compiler {
    vendor: &'static Vendor,
    /// Options for every source.
    options: Vec<String>,
    way: Way,
    /// What it is, with its version: part of what a program depends on.
    pub identity: String,
}

enum Way {
    Library {
        functions: Box<Functions>,
        size: Function<Size>,
        data: Function<Data>,
    },
    Command(Vec<String>),
}

impl Compiler {
    /// Finds the command of `SUANZI_…_CC`, or else the run-time compiler: in these libraries, or in
    /// the driver's. `capability` is the architecture's number, as in 90.
    ///
    /// # Errors
    /// What is missing, and what to set.
    pub fn find(
        vendor: &'static Vendor,
        libraries: Option<&[String]>,
        driver: Option<Library>,
        capability: Option<u32>,
    ) -> Result<Compiler, String> {
        let arch = vendor.setting("ARCH");
        let own = || vendor.dialect.options.iter().map(|o| o.to_string());
        if let Some(command) = vendor.setting("CC") {
            return Ok(Compiler {
                vendor,
                options: own().collect(),
                identity: command.clone(),
                way: Way::Command(command.split_whitespace().map(String::from).collect()),
            });
        }
        let set = format!(
            "set {} to a command that compiles {{in}} into {{out}}, as in `{}`",
            vendor.variable("CC"),
            vendor.offline
        );
        let Some(table) = &vendor.compiler else {
            return Err(format!(
                "no run-time compiler of {} is known: {set}",
                vendor.title
            ));
        };
        let load = |library| (library, Functions::load(&library, &table.names));
        let inside = driver.filter(|_| table.inside).map(load);
        let inside = inside.filter(|(_, f)| f.create.exists() && f.compile.exists());
        let (library, functions) = match inside {
            Some(found) => found,
            None => {
                let names: Vec<String> = match (libraries, vendor.setting("COMPILER")) {
                    (Some(names), _) => names.to_vec(),
                    (None, Some(library)) => vec![library],
                    (None, None) => table.libraries.iter().map(|n| n.to_string()).collect(),
                };
                load(Library::open(&names).map_err(|reasons| format!("{reasons}; or {set}"))?)
            }
        };
        let file = library.file_of(&functions.create);
        let missing = |what: String| format!("{file} lacks {what}; or {set}");
        for (exists, name) in [
            (functions.create.exists(), functions.create.missing()),
            (functions.compile.exists(), functions.compile.missing()),
        ] {
            if !exists {
                return Err(missing(name));
            }
        }
        let found = table.artifacts.iter().find_map(|artifact| {
            // SAFETY: the table's names are those of functions of these types.
            let (size, data) = unsafe {
                let size: Function<Size> = library.function(artifact.size, "size of a program");
                let data: Function<Data> = library.function(artifact.data, "program");
                (size, data)
            };
            (size.exists() && data.exists()).then_some((artifact, size, data))
        });
        let Some((artifact, size, data)) = found else {
            let names: Vec<&str> = table.artifacts.iter().filter_map(|a| a.data).collect();
            return Err(missing(names.join(" and ")));
        };
        let mut options: Vec<String> = own().collect();
        options.extend(table.options.iter().map(|o| o.to_string()));
        let digits = capability.map(|c| c.to_string());
        match (artifact.arch, &arch) {
            (Arch::Always(option), set) => {
                let arch = set.clone().or(digits).ok_or_else(|| {
                    let variable = vendor.variable("ARCH");
                    format!("the device's architecture is not known; set {variable}")
                })?;
                options.push(option.replace("$0", &arch));
            }
            (Arch::WhereSet(option), Some(arch)) => options.push(option.replace("$0", arch)),
            (Arch::WhereSet(_), None) => {}
        }
        if let (Some(headers), Some(folder)) = (&table.headers, folder_of_headers(vendor)) {
            options.push(headers.option.replace("$0", &folder.to_string_lossy()));
        }
        let mut version = [0, 0];
        if let Ok((_, f)) = functions.version.get() {
            let [major, minor] = &mut version;
            // SAFETY: both numbers are written.
            unsafe { f(major, minor) };
        }
        Ok(Compiler {
            vendor,
            options,
            identity: format!("{file} {}.{} {:?}", version[0], version[1], artifact.kind),
            way: Way::Library {
                functions: Box::new(functions),
                size,
                data,
            },
        })
    }

    /// Everything beside the source that a program depends on.
    pub fn origin(&self) -> String {
        format!("{} {}", self.identity, self.options.join(" "))
    }

    /// Compiles a source. The error has the compiler's message and the line that it speaks of.
    pub fn compile(&self, source: &str) -> Result<Vec<u8>, String> {
        match &self.way {
            Way::Library {
                functions,
                size,
                data,
            } => self.by_library((functions, size, data), source),
            Way::Command(words) => self.by_command(words, source),
        }
        .map_err(|log| with_line(&log, source))
    }

    fn by_library(
        &self,
        (functions, size, data): (&Functions, &Function<Size>, &Function<Data>),
        source: &str,
    ) -> Result<Vec<u8>, String> {
        let program = Program::new(functions, source).map_err(|f| self.words(&f))?;
        let options: Vec<CString> = self
            .options
            .iter()
            .filter_map(|o| CString::new(o.as_str()).ok())
            .collect();
        let pointers: Vec<*const c_char> = options.iter().map(|o| o.as_ptr()).collect();
        let compiled = functions.compile.get().and_then(|(name, f)| {
            // SAFETY: a live program; as many options as are announced.
            status(name, unsafe {
                f(program.handle, pointers.len() as c_int, pointers.as_ptr())
            })
        });
        if let Err(failure) = compiled {
            let log = program.log().unwrap_or_default();
            return Err(format!("{}\n{log}", self.words(&failure)));
        }
        // SAFETY: a live, compiled program.
        let binary = unsafe { buffer(program.handle, size, data) };
        binary.map_err(|f| self.words(&f))
    }

    fn words(&self, failure: &Failure) -> String {
        format!(
            "{} ({}, {})",
            failure.words(),
            self.vendor.title,
            self.identity
        )
    }

    fn by_command(&self, words: &[String], source: &str) -> Result<Vec<u8>, String> {
        let fault = |what: &str, e: std::io::Error| format!("{what}: {e}");
        let folder = tempfile::tempdir().map_err(|e| fault("no temporary folder", e))?;
        let (input, output) = (
            folder.path().join("kernel.cu"),
            folder.path().join("kernel.bin"),
        );
        std::fs::write(&input, source).map_err(|e| fault("the source was not written", e))?;
        let mut args: Vec<String> = vec![];
        for word in words {
            match word.as_str() {
                "{options}" => args.extend(self.options.iter().cloned()),
                word => {
                    let path = |p: &Path| p.to_string_lossy().into_owned();
                    let word = word.replace("{in}", &path(&input));
                    args.push(word.replace("{out}", &path(&output)));
                }
            }
        }
        let variable = self.vendor.variable("CC");
        let Some((program, args)) = args.split_first() else {
            return Err(format!("{variable} is empty"));
        };
        let run = Command::new(program).args(args).output();
        let run = run.map_err(|e| format!("{variable}: `{program}` did not start: {e}"))?;
        if !run.status.success() {
            let said = String::from_utf8_lossy(&run.stderr);
            return Err(format!(
                "{variable}: `{program}` gave {}\n{said}",
                run.status
            ));
        }
        std::fs::read(&output).map_err(|e| format!("{variable}: `{program}` wrote no {{out}}: {e}"))
    }
}

/// Where the vendor's header for matrix fragments lies.
pub fn folder_of_headers(vendor: &Vendor) -> Option<PathBuf> {
    let headers = vendor.compiler.as_ref()?.headers.as_ref()?;
    let named = headers.variables.iter().filter_map(std::env::var_os);
    let named = named.map(|home| Path::new(&home).join("include"));
    let usual = headers.folders.iter().map(PathBuf::from);
    named.chain(usual).find(|f| f.join(headers.file).is_file())
}

/// A program of a run-time compiler, destroyed on drop.
struct Program<'a> {
    functions: &'a Functions,
    handle: Handle,
}

impl Program<'_> {
    fn new<'a>(functions: &'a Functions, source: &str) -> Outcome<Program<'a>> {
        let (name, create) = functions.create.get()?;
        let source = CString::new(source).map_err(|_| Failure {
            call: name,
            code: 0,
            text: "the source has a zero byte".into(),
        })?;
        let mut handle = ptr::null_mut();
        // SAFETY: two strings that end with a zero, and no headers.
        let code = unsafe {
            create(
                &mut handle,
                source.as_ptr(),
                c"kernel.cu".as_ptr(),
                0,
                ptr::null(),
                ptr::null(),
            )
        };
        status(name, code)?;
        Ok(Program { functions, handle })
    }

    fn log(&self) -> Outcome<String> {
        // SAFETY: a live program.
        let log = unsafe { buffer(self.handle, &self.functions.log_size, &self.functions.log)? };
        let log = String::from_utf8_lossy(&log);
        Ok(log.trim_matches(['\0', '\n', ' ']).to_string())
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        if let Ok((_, destroy)) = self.functions.destroy.get() {
            // SAFETY: the program is destroyed once, here.
            unsafe { destroy(&mut self.handle) };
        }
    }
}

/// What a function for the length and one for the content give.
///
/// # Safety
/// The handle is a live program of the compiler that has the functions.
unsafe fn buffer(
    program: Handle,
    size: &Function<Size>,
    data: &Function<Data>,
) -> Outcome<Vec<u8>> {
    let ((size_name, size), (name, data)) = (size.get()?, data.get()?);
    let mut length = 0;
    // SAFETY: the length is written; then as many bytes are, into a buffer with room for more.
    unsafe {
        status(size_name, size(program, &mut length))?;
        let mut bytes = vec![0u8; length + 1];
        status(name, data(program, bytes.as_mut_ptr().cast()))?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn status(call: &'static str, code: c_int) -> Outcome<()> {
    match code {
        0 => Ok(()),
        code => Err(Failure {
            call,
            code,
            text: String::new(),
        }),
    }
}

/// A compiler's message and the line of the source that it speaks of first: `file(12)` or
/// `file:12:`.
fn with_line(log: &str, source: &str) -> String {
    let number = log.match_indices(['(', ':']).find_map(|(at, _)| {
        let rest = &log[at + 1..];
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let ends = after.is_empty() || after.starts_with([')', ':']);
        let digits = &rest[..rest.len() - after.len()];
        digits.parse::<usize>().ok().filter(|_| ends)
    });
    let line = number.and_then(|n| Some((n, source.lines().nth(n.checked_sub(1)?)?)));
    let log = log.trim_end();
    match line {
        Some((n, text)) => format!("{log}\nline {n} of the source: {}", text.trim()),
        None => log.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_get_their_line() {
        let source = "first\n  second;\nthird";
        for log in [
            "kernel.cu(2): error",
            "kernel.cu:2:5: error",
            "a /tmp/kernel.cu:2",
        ] {
            let text = with_line(log, source);
            assert!(text.ends_with("line 2 of the source: second;"), "{text}");
        }
        assert_eq!(
            with_line("kernel.cu(9): error\n", source),
            "kernel.cu(9): error"
        );
        assert_eq!(with_line("no line", source), "no line");
    }
}
