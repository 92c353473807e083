//! Libraries with CBLAS's names, loaded at run time.
//!
//! OpenBLAS chooses its kernels when it is loaded, and the dynamic loader loads a file once: another
//! core type is a copy of the file, loaded with `OPENBLAS_CORETYPE` set.

use super::super::routine::{Op, Problem};
use super::{Contender, Peer, Ready, Real};
use crate::Result;
use anyhow::{Context as _, bail};
use libloading::{Library, Symbol};
use std::ffi::{CStr, c_char, c_int};
use std::path::{Path, PathBuf};

/// A library.
pub struct Cblas {
    name: String,
    library: Library,
}

const COLUMN_MAJOR: c_int = 102;
const PLAIN: c_int = 111;
const TRANSPOSED: c_int = 112;
const LOWER: c_int = 122;
const NON_UNIT: c_int = 131;
const LEFT: c_int = 141;

/// Where a named library is looked for, in order.
fn files(name: &str) -> Vec<PathBuf> {
    let known: &[&str] = match name {
        "openblas" => &["libopenblas.so.0", "libopenblas.so"],
        "blis" => &["libblis.so.4", "libblis.so.3", "libblis.so"],
        "netlib" => &["blas/libblas.so.3"],
        "dropin" => &["libsuanzi_blas.so"],
        file => return vec![file.into()],
    };
    let mut files: Vec<PathBuf> = known.iter().map(PathBuf::from).collect();
    // The drop-in lies beside the command; Debian keeps the others in folders of their own.
    if let Some(folder) = std::env::current_exe()
        .ok()
        .as_deref()
        .and_then(|p| p.parent())
    {
        files.extend(known.iter().map(|f| folder.join(f)));
    }
    for folder in [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ] {
        files.extend(known.iter().map(|f| PathBuf::from(folder).join(f)));
    }
    files
}

impl Cblas {
    /// Loads `openblas`, `openblas:CORETYPE`, `blis`, `netlib`, `dropin`, or a file.
    pub fn load(name: &str) -> Result<Cblas> {
        let (base, core) = match name.split_once(':') {
            Some(("openblas", core)) => ("openblas", Some(core)),
            _ => (name, None),
        };
        // What the loader says of the first name is what there is to say.
        let mut why = None;
        for file in files(base) {
            let loaded = match core {
                None => open(&file),
                Some(core) => copied(&file, core),
            };
            match loaded {
                Ok(library) => {
                    let name = PathBuf::from(name);
                    let name = name.file_name().unwrap_or_default().to_string_lossy();
                    let peer = Cblas {
                        name: name.into_owned(),
                        library,
                    };
                    peer.symbol::<unsafe extern "C" fn()>("cblas_sgemm")
                        .context("it has no cblas_sgemm")?;
                    return Ok(peer);
                }
                Err(error) => why = why.or(Some(error)),
            }
        }
        Err(why.unwrap_or_else(|| anyhow::anyhow!("no such library")))
    }

    fn symbol<F>(&self, name: &str) -> Result<Symbol<'_, F>> {
        // SAFETY: the callers give each name the type that CBLAS says.
        Ok(unsafe { self.library.get(name.as_bytes())? })
    }

    fn prepare<'a, T: Real>(&'a self, problem: &'a Problem<T>) -> Ready<'a, T> {
        let c = problem.c.clone();
        Box::new(Run {
            peer: self,
            problem,
            c,
        })
    }
}

fn open(file: &Path) -> Result<Library> {
    // SAFETY: a BLAS starts threads when it is loaded, and does nothing else.
    Ok(unsafe { Library::new(file)? })
}

/// A copy of a library, loaded for a core type.
fn copied(file: &Path, core: &str) -> Result<Library> {
    // The loader knows where it found the file.
    let original = open(file)?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let name = file.file_name().context("a file name")?.to_string_lossy();
    let stem = name.split(".so").next().unwrap_or(&name);
    let path = maps
        .lines()
        .filter_map(|l| l.split_whitespace().nth(5))
        // Copies of it for other core types are gone.
        .filter(|p| Path::new(p).exists())
        .find(|p| p.rsplit('/').next().is_some_and(|f| f.starts_with(stem)))
        .context("its file was not found")?;
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join(format!("{stem}-{core}.so"));
    std::fs::copy(path, &copy)?;
    drop(original);
    const VARIABLE: &str = "OPENBLAS_CORETYPE";
    let before = std::env::var_os(VARIABLE);
    // SAFETY: nothing else reads or writes the environment while peers are loaded.
    unsafe { std::env::set_var(VARIABLE, core) };
    let library = open(&copy);
    // SAFETY: as above.
    unsafe {
        match before {
            Some(value) => std::env::set_var(VARIABLE, value),
            None => std::env::remove_var(VARIABLE),
        }
    }
    library
}

impl Peer for Cblas {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> String {
        let config = self.symbol::<unsafe extern "C" fn() -> *const c_char>("openblas_get_config");
        match config {
            // SAFETY: OpenBLAS returns a static string.
            Ok(config) => unsafe { CStr::from_ptr(config()).to_string_lossy().trim().into() },
            Err(_) => "a library with CBLAS's names".into(),
        }
    }

    fn single<'a>(&'a self, problem: &'a Problem<f32>) -> Result<Option<Ready<'a, f32>>> {
        Ok(Some(self.prepare(problem)))
    }

    fn double<'a>(&'a self, problem: &'a Problem<f64>) -> Result<Option<Ready<'a, f64>>> {
        Ok(Some(self.prepare(problem)))
    }
}

struct Run<'a, T> {
    peer: &'a Cblas,
    problem: &'a Problem<T>,
    c: Vec<T>,
}

type Int = c_int;
type Gemm<T> = unsafe extern "C" fn(
    Int,
    Int,
    Int,
    Int,
    Int,
    Int,
    T,
    *const T,
    Int,
    *const T,
    Int,
    T,
    *mut T,
    Int,
);
type Symm<T> =
    unsafe extern "C" fn(Int, Int, Int, Int, Int, T, *const T, Int, *const T, Int, T, *mut T, Int);
type Syrk<T> = unsafe extern "C" fn(Int, Int, Int, Int, Int, T, *const T, Int, T, *mut T, Int);
type Syr2k<T> =
    unsafe extern "C" fn(Int, Int, Int, Int, Int, T, *const T, Int, *const T, Int, T, *mut T, Int);
type Tr<T> = unsafe extern "C" fn(Int, Int, Int, Int, Int, Int, Int, T, *const T, Int, *mut T, Int);
type Gemv<T> =
    unsafe extern "C" fn(Int, Int, Int, Int, T, *const T, Int, *const T, Int, T, *mut T, Int);
type Symv<T> = unsafe extern "C" fn(Int, Int, Int, T, *const T, Int, *const T, Int, T, *mut T, Int);
type Ger<T> = unsafe extern "C" fn(Int, Int, Int, T, *const T, Int, *const T, Int, *mut T, Int);
type Copy<T> = unsafe extern "C" fn(Int, *const T, Int, *mut T, Int);
type Scal<T> = unsafe extern "C" fn(Int, T, *mut T, Int);
type Axpy<T> = unsafe extern "C" fn(Int, T, *const T, Int, *mut T, Int);
type Dot<T> = unsafe extern "C" fn(Int, *const T, Int, *const T, Int) -> T;
type Sum<T> = unsafe extern "C" fn(Int, *const T, Int) -> T;

impl<T: Real> Contender<T> for Run<'_, T> {
    fn run(&mut self) -> Result<()> {
        let op = self.problem.op;
        let lengths = op
            .shapes(self.problem.size)
            .map(|[rows, columns]| rows * columns);
        let (a, b) = (&self.problem.a, &self.problem.b);
        if [a.len(), b.len(), self.c.len()] != lengths {
            bail!("matrices that do not fit");
        }
        let [m, n, k] = self.problem.size.map(|d| d as Int);
        let (one, zero) = (T::of(1.0), T::of(0.0));
        let (a, b, c) = (a.as_ptr(), b.as_ptr(), self.c.as_mut_ptr());
        let base = op.name().trim_end_matches("_t");
        let name = format!("cblas_{}{base}", T::LETTER);
        macro_rules! call {
            ($kind:ident($($arg:expr),*)) => {
                // SAFETY: the function has CBLAS's type, and the matrices hold what the lengths say.
                unsafe { self.peer.symbol::<$kind<T>>(&name)?($($arg),*) }
            };
        }
        match op {
            Op::Gemm => call!(Gemm(
                COLUMN_MAJOR,
                PLAIN,
                PLAIN,
                m,
                n,
                k,
                one,
                a,
                m,
                b,
                k,
                zero,
                c,
                m
            )),
            Op::Symm => call!(Symm(
                COLUMN_MAJOR,
                LEFT,
                LOWER,
                m,
                n,
                one,
                a,
                m,
                b,
                m,
                zero,
                c,
                m
            )),
            Op::Syrk => call!(Syrk(
                COLUMN_MAJOR,
                LOWER,
                PLAIN,
                n,
                k,
                one,
                a,
                n,
                zero,
                c,
                n
            )),
            Op::Syr2k => call!(Syr2k(
                COLUMN_MAJOR,
                LOWER,
                PLAIN,
                n,
                k,
                one,
                a,
                n,
                b,
                n,
                zero,
                c,
                n
            )),
            Op::Trmm | Op::Trsm => {
                call!(Tr(
                    COLUMN_MAJOR,
                    LEFT,
                    LOWER,
                    PLAIN,
                    NON_UNIT,
                    m,
                    n,
                    one,
                    a,
                    m,
                    c,
                    m
                ));
            }
            Op::Gemv => call!(Gemv(COLUMN_MAJOR, PLAIN, m, n, one, a, m, b, 1, zero, c, 1)),
            Op::GemvT => call!(Gemv(
                COLUMN_MAJOR,
                TRANSPOSED,
                m,
                n,
                one,
                a,
                m,
                b,
                1,
                zero,
                c,
                1
            )),
            Op::Symv => call!(Symv(COLUMN_MAJOR, LOWER, n, one, a, n, b, 1, zero, c, 1)),
            Op::Ger => call!(Ger(COLUMN_MAJOR, m, n, one, a, 1, b, 1, c, m)),
            Op::Copy => call!(Copy(n, a, 1, c, 1)),
            Op::Scal => call!(Scal(n, T::of(-1.0), c, 1)),
            Op::Axpy => call!(Axpy(n, T::of(0.5), a, 1, c, 1)),
            Op::Dot => self.c[0] = call!(Dot(n, a, 1, b, 1)),
            Op::Nrm2 | Op::Asum => self.c[0] = call!(Sum(n, a, 1)),
        }
        Ok(())
    }

    fn result(&mut self) -> Result<Vec<T>> {
        Ok(self.c.clone())
    }
}
