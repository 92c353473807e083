//! Libraries with CBLAS's names, and LAPACK's where they have them, loaded at run time.
//!
//! OpenBLAS chooses its kernels when it is loaded, and the dynamic loader loads a file once: another
//! core type is a copy of the file, loaded with `OPENBLAS_CORETYPE` set.

use super::super::number::Number;
use super::super::problem::Problem;
use super::super::routine::Op;
use super::{Contender, Peer, Prepare, Ready};
use crate::Result;
use anyhow::{Context as _, bail, ensure};
use libloading::{Library, Symbol};
use std::ffi::{CStr, c_char, c_int, c_void};
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
}

impl<T: Number> Prepare<T> for Cblas {
    fn prepare<'a>(&'a self, problem: &'a Problem<T>) -> Result<Option<Ready<'a, T>>> {
        let letter = T::LETTER;
        let names = match problem.op {
            // A loop where there are no batches.
            Op::GemmBatch => [
                format!("cblas_{letter}gemm_batch"),
                format!("cblas_{letter}gemm"),
            ],
            Op::Getrf | Op::Potrf => [(); 2].map(|()| format!("{letter}{}_", problem.op.name())),
            op => [(); 2].map(|()| format!("cblas_{letter}{}", op.name().trim_end_matches("_t"))),
        };
        let found = names
            .iter()
            .enumerate()
            .find_map(|(i, name)| Some((i, *self.symbol::<*const c_void>(name).ok()?)));
        Ok(found.map(|(i, routine)| {
            Box::new(Run {
                routine,
                batches: i == 0,
                problem,
                c: problem.c.clone(),
                pivots: vec![0; problem.size[1]],
                peer: std::marker::PhantomData,
            }) as Ready<'a, T>
        }))
    }
}

fn open(file: &Path) -> Result<Library> {
    // SAFETY: a BLAS starts threads when it is loaded, and does nothing else.
    Ok(unsafe { Library::new(file)? })
}

/// Whether the processor has what OpenBLAS's kernels for a core type need: it does not ask.
fn runs(core: &str) -> bool {
    #[cfg(target_arch = "x86_64")]
    return match core.to_ascii_lowercase().as_str() {
        "skylakex" => is_x86_feature_detected!("avx512bw"),
        "cooperlake" => is_x86_feature_detected!("avx512bf16"),
        "sapphirerapids" => is_x86_feature_detected!("avx512bf16"),
        "haswell" | "zen" => is_x86_feature_detected!("avx2"),
        _ => true,
    };
    #[cfg(not(target_arch = "x86_64"))]
    return !["skylakex", "cooperlake", "sapphirerapids", "haswell", "zen"]
        .contains(&core.to_ascii_lowercase().as_str());
}

/// A copy of a library, loaded for a core type.
fn copied(file: &Path, core: &str) -> Result<Library> {
    ensure!(runs(core), "this processor has no instructions of {core}");
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
}

struct Run<'a, T> {
    /// Of the type that the routine has.
    routine: *const c_void,
    /// It is one for batches.
    batches: bool,
    problem: &'a Problem<T>,
    c: Vec<T>,
    pivots: Vec<Int>,
    /// Whose routine it is.
    peer: std::marker::PhantomData<&'a Cblas>,
}

type Int = c_int;
type Arg<T> = <T as Number>::Argument;
type Gemm<T> = unsafe extern "C" fn(
    Int,
    Int,
    Int,
    Int,
    Int,
    Int,
    Arg<T>,
    *const T,
    Int,
    *const T,
    Int,
    Arg<T>,
    *mut T,
    Int,
);
type Symm<T> = unsafe extern "C" fn(
    Int,
    Int,
    Int,
    Int,
    Int,
    Arg<T>,
    *const T,
    Int,
    *const T,
    Int,
    Arg<T>,
    *mut T,
    Int,
);
type Syrk<T> =
    unsafe extern "C" fn(Int, Int, Int, Int, Int, Arg<T>, *const T, Int, Arg<T>, *mut T, Int);
type Syr2k<T> = unsafe extern "C" fn(
    Int,
    Int,
    Int,
    Int,
    Int,
    Arg<T>,
    *const T,
    Int,
    *const T,
    Int,
    Arg<T>,
    *mut T,
    Int,
);
type Tr<T> =
    unsafe extern "C" fn(Int, Int, Int, Int, Int, Int, Int, Arg<T>, *const T, Int, *mut T, Int);
type Gemv<T> = unsafe extern "C" fn(
    Int,
    Int,
    Int,
    Int,
    Arg<T>,
    *const T,
    Int,
    *const T,
    Int,
    Arg<T>,
    *mut T,
    Int,
);
type Symv<T> =
    unsafe extern "C" fn(Int, Int, Int, Arg<T>, *const T, Int, *const T, Int, Arg<T>, *mut T, Int);
type Ger<T> =
    unsafe extern "C" fn(Int, Int, Int, Arg<T>, *const T, Int, *const T, Int, *mut T, Int);
type Copy<T> = unsafe extern "C" fn(Int, *const T, Int, *mut T, Int);
type Scal<T> = unsafe extern "C" fn(Int, Arg<T>, *mut T, Int);
type Axpy<T> = unsafe extern "C" fn(Int, Arg<T>, *const T, Int, *mut T, Int);
type Dot<T> = unsafe extern "C" fn(Int, *const T, Int, *const T, Int) -> T;
type Sum<T> = unsafe extern "C" fn(Int, *const T, Int) -> T;

type GemmBatch<T> = unsafe extern "C" fn(
    Int,
    *const Int,
    *const Int,
    *const Int,
    *const Int,
    *const Int,
    *const T,
    *const *const T,
    *const Int,
    *const *const T,
    *const Int,
    *const T,
    *const *mut T,
    *const Int,
    Int,
    *const Int,
);
type Getrf<T> =
    unsafe extern "C" fn(*const Int, *const Int, *mut T, *const Int, *mut Int, *mut Int);
type Potrf<T> = unsafe extern "C" fn(*const u8, *const Int, *mut T, *const Int, *mut Int, usize);

impl<T: Number> Contender<T> for Run<'_, T> {
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
        let (one, zero) = (T::of(1.0, 0.0), T::of(0.0, 0.0));
        let (minus, half) = (T::of(-1.0, 0.0), T::of(0.5, 0.0));
        if matches!(op, Op::Getrf | Op::Potrf) {
            self.c.copy_from_slice(a);
        }
        let (a, b, c) = (a.as_ptr(), b.as_ptr(), self.c.as_mut_ptr());
        macro_rules! call {
            ($kind:ident($($arg:expr),*)) => {
                // SAFETY: the routine has CBLAS's or LAPACK's type, and the matrices hold what the lengths say.
                unsafe {
                    std::mem::transmute_copy::<*const c_void, $kind<T>>(&self.routine)($($arg),*)
                }
            };
        }
        let mut info = 0;
        let [unit, nothing] = [&one, &zero].map(T::argument);
        match op {
            Op::GemmBatch => {
                let count = op.batch(self.problem.size);
                let [a, b] = [(a, m * k), (b, k * n)]
                    .map(|(x, step)| (0..count).map(move |i| x.wrapping_add(i * step as usize)));
                let c = (0..count).map(|i| c.wrapping_add(i * (m * n) as usize));
                if self.batches {
                    let (a, b): (Vec<_>, Vec<_>) = (a.collect(), b.collect());
                    let c: Vec<_> = c.collect();
                    call!(GemmBatch(
                        COLUMN_MAJOR,
                        &PLAIN,
                        &PLAIN,
                        &m,
                        &n,
                        &k,
                        &one,
                        a.as_ptr(),
                        &m,
                        b.as_ptr(),
                        &k,
                        &zero,
                        c.as_ptr(),
                        &m,
                        1,
                        &(count as Int)
                    ));
                } else {
                    for ((a, b), c) in a.zip(b).zip(c) {
                        call!(Gemm(
                            COLUMN_MAJOR,
                            PLAIN,
                            PLAIN,
                            m,
                            n,
                            k,
                            unit,
                            a,
                            m,
                            b,
                            k,
                            nothing,
                            c,
                            m
                        ));
                    }
                }
            }
            Op::Getrf => call!(Getrf(&n, &n, c, &n, self.pivots.as_mut_ptr(), &mut info)),
            Op::Potrf => call!(Potrf(b"L".as_ptr(), &n, c, &n, &mut info, 1)),
            Op::Gemm => call!(Gemm(
                COLUMN_MAJOR,
                PLAIN,
                PLAIN,
                m,
                n,
                k,
                unit,
                a,
                m,
                b,
                k,
                nothing,
                c,
                m
            )),
            Op::Symm => call!(Symm(
                COLUMN_MAJOR,
                LEFT,
                LOWER,
                m,
                n,
                unit,
                a,
                m,
                b,
                m,
                nothing,
                c,
                m
            )),
            Op::Syrk => call!(Syrk(
                COLUMN_MAJOR,
                LOWER,
                PLAIN,
                n,
                k,
                unit,
                a,
                n,
                nothing,
                c,
                n
            )),
            Op::Syr2k => call!(Syr2k(
                COLUMN_MAJOR,
                LOWER,
                PLAIN,
                n,
                k,
                unit,
                a,
                n,
                b,
                n,
                nothing,
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
                    unit,
                    a,
                    m,
                    c,
                    m
                ));
            }
            Op::Gemv => call!(Gemv(
                COLUMN_MAJOR,
                PLAIN,
                m,
                n,
                unit,
                a,
                m,
                b,
                1,
                nothing,
                c,
                1
            )),
            Op::GemvT => call!(Gemv(
                COLUMN_MAJOR,
                TRANSPOSED,
                m,
                n,
                unit,
                a,
                m,
                b,
                1,
                nothing,
                c,
                1
            )),
            Op::Symv => call!(Symv(
                COLUMN_MAJOR,
                LOWER,
                n,
                unit,
                a,
                n,
                b,
                1,
                nothing,
                c,
                1
            )),
            Op::Ger => call!(Ger(COLUMN_MAJOR, m, n, unit, a, 1, b, 1, c, m)),
            Op::Copy => call!(Copy(n, a, 1, c, 1)),
            Op::Scal => call!(Scal(n, minus.argument(), c, 1)),
            Op::Axpy => call!(Axpy(n, half.argument(), a, 1, c, 1)),
            Op::Dot => self.c[0] = call!(Dot(n, a, 1, b, 1)),
            Op::Nrm2 | Op::Asum => self.c[0] = call!(Sum(n, a, 1)),
        }
        ensure!(info == 0, "info is {info}");
        Ok(())
    }

    fn result(&mut self) -> Result<Vec<T>> {
        let mut values = self.c.clone();
        if self.problem.op == Op::Getrf {
            values.extend(self.pivots.iter().map(|&p| T::of(p.into(), 0.0)));
        }
        Ok(values)
    }
}
