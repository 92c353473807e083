//! `suanzi compile-check`: do the vendors' real compilers take every kernel of the smoke profile?
//!
//! The kernels are those that `conform` asks of a device on paper (`record:cuda@80`), collected by
//! `SUANZI_DUMP`. Compilers spend most of their time on starting, so that many kernels, each in a
//! namespace and with a name of its own, are one source; where that is refused, each is compiled
//! alone, to say which. What was accepted is remembered by its text, compiler and options.

use crate::Failure;
use clap::Args as ClapArgs;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;
use suanzi::backends::cudalike::Compiler;
use suanzi::backends::cudalike::table::Vendor;
use suanzi::backends::vendors;
use suanzi::codegen::hash::stable_hash;

/// The hidden subcommand that compiles a part.
pub const PART: &str = "compile-part";

/// Kernels in one source.
const BATCH: usize = 48;
/// Refused kernels that are printed.
const PRINTED: usize = 10;

/// What is checked: vendor, capabilities or architectures, and the device on paper for each.
const CHECKS: &[(&str, &[(&str, &str)])] = &[
    (
        "cuda",
        &[
            ("70", "record:cuda@70"),
            ("80", "record:cuda@80"),
            // What kernels may use is the same as for 80.
            ("90", "record:cuda@80"),
        ],
    ),
    ("hip", &[("gfx906", "record:hip")]),
];

/// Compile every kernel of the smoke profile with the vendors' real compilers.
#[derive(ClapArgs)]
pub struct Args {
    /// Only this vendor's, by its device name: cuda, hip
    #[arg(long)]
    vendor: Option<String>,
    /// Only for this architecture: 70, 80, 90, gfx906
    #[arg(long)]
    arch: Option<String>,
    /// Only kernels of cases whose id matches
    #[arg(long, value_name = "GLOB")]
    filter: Option<String>,
    /// Only kernels of each Nth case
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: usize,
    /// Folder for sources and for what was accepted
    #[arg(long, value_name = "DIR", default_value = "target/compile-check")]
    folder: PathBuf,
}

/// What a part is told.
#[derive(ClapArgs)]
pub struct PartArgs {
    /// The vendor
    #[arg(long)]
    vendor: String,
    /// The capability, where the architecture is one
    #[arg(long)]
    capability: Option<u32>,
    /// A file with the paths of the sources
    #[arg(long)]
    list: PathBuf,
    /// Where to write the hashes of those that were accepted
    #[arg(long)]
    accepted: PathBuf,
}

/// A kernel's source.
struct Source {
    path: PathBuf,
    text: String,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let fail = |text: String| Failure { code: 1, text };
    let mut fine = true;
    let mut checked = 0;
    for (vendor, archs) in CHECKS {
        if args.vendor.as_deref().is_some_and(|v| v != *vendor) {
            continue;
        }
        let mut collected = BTreeMap::new();
        for (arch, device) in *archs {
            if args.arch.as_deref().is_some_and(|a| a != *arch) {
                continue;
            }
            if !collected.contains_key(device) {
                let sources = collect(args, device).map_err(fail)?;
                collected.insert(*device, sources);
            }
            fine &= check(args, vendor, arch, &collected[device]).map_err(fail)?;
            checked += 1;
        }
    }
    match checked {
        0 => Err(Failure {
            code: 2,
            text: "there is no such vendor or architecture; see --help".into(),
        }),
        _ => Ok(ExitCode::from(u8::from(!fine))),
    }
}

/// The sources that the smoke profile asks of a device on paper, without two of one text.
fn collect(args: &Args, device: &str) -> Result<Vec<Source>, String> {
    let folder = args.folder.join(device.replace(['/', ':', '@'], "-"));
    let dump = folder.join("sources");
    // What an earlier run collected may be of another build.
    let _ = fs::remove_dir_all(&dump);
    fs::create_dir_all(&dump).map_err(|e| format!("{}: {e}", dump.display()))?;
    let exe = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    let mut conform = Command::new(exe);
    // The interpreter is slow at what is cut for a GPU; how long it takes is not asked here.
    conform.args([
        "conform",
        "--device",
        device,
        "--timeout",
        "600",
        "--report",
    ]);
    conform.arg(folder.join("report"));
    if let Some(filter) = &args.filter {
        conform.args(["--filter", filter]);
    }
    if args.every > 1 {
        conform.args(["--part", &format!("1/{}", args.every)]);
    }
    let output = conform
        .env("SUANZI_DUMP", &dump)
        .env("SUANZI_CACHE_DIR", "off")
        .env("SUANZI_ENGINE", "generated")
        .stderr(Stdio::null())
        .output()
        .map_err(|e| format!("conform did not start: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        return Err(format!("conform --device {device} failed:\n{said}"));
    }
    let mut paths: Vec<PathBuf> = fs::read_dir(&dump)
        .map_err(|e| format!("{}: {e}", dump.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    let mut seen = BTreeSet::new();
    let mut sources = vec![];
    for path in paths {
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        if seen.insert(stable_hash(text.as_str())) {
            sources.push(Source { path, text });
        }
    }
    match sources.is_empty() {
        true => Err(format!("{device}: no kernel was collected")),
        false => Ok(sources),
    }
}

/// Compiles sources for an architecture, in as many processes as there are cores.
fn check(args: &Args, vendor: &str, arch: &str, sources: &[Source]) -> Result<bool, String> {
    let start = Instant::now();
    let exe = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let io = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    let mut parts = vec![];
    for part in 0..cores {
        let name = |what: &str| args.folder.join(format!("{vendor}-{arch}-{part}.{what}"));
        let (list, accepted) = (name("list"), name("accepted"));
        let own = sources.iter().skip(part).step_by(cores);
        let lines: Vec<String> = own.map(|s| s.path.display().to_string()).collect();
        fs::write(&list, lines.join("\n")).map_err(|e| io(&list, e))?;
        let mut command = Command::new(&exe);
        command.args([PART, "--vendor", vendor]);
        command
            .arg("--list")
            .arg(&list)
            .arg("--accepted")
            .arg(&accepted);
        match arch.parse::<u32>() {
            Ok(capability) => command.args(["--capability", &capability.to_string()]),
            Err(_) => command.env(format!("SUANZI_{}_ARCH", vendor.to_uppercase()), arch),
        };
        let child = command.stdout(Stdio::piped()).spawn();
        parts.push(child.map_err(|e| format!("a part did not start: {e}"))?);
    }
    let (mut accepted, mut known, mut refused) = (0, 0, vec![]);
    let mut compiler = String::new();
    for part in parts {
        let output = part.wait_with_output().map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout);
        for line in said.lines() {
            match line.split_once(' ') {
                Some(("accepted", n)) => accepted += n.parse().unwrap_or(0),
                Some(("known", n)) => known += n.parse().unwrap_or(0),
                Some(("compiler", name)) => compiler = name.into(),
                Some(("refused", what)) => refused.push(what.replace('\u{1}', "\n")),
                _ => {}
            }
        }
        if !output.status.success() {
            return Err(format!("{vendor}: a part failed: {}", said.trim()));
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{vendor} {arch}: {} of {} kernels accepted ({known} known from before), {} refused, {seconds:.0} s; \
         {compiler}",
        accepted + known,
        sources.len(),
        refused.len(),
    );
    for what in refused.iter().take(PRINTED) {
        println!("  {what}");
    }
    Ok(accepted + known == sources.len())
}

/// Compiles a part, and answers in lines.
pub fn run_part(args: &PartArgs) -> Result<ExitCode, Failure> {
    let fail = |text: String| Failure { code: 1, text };
    let vendor = vendors::ALL.iter().copied().find(|v| v.name == args.vendor);
    let vendor: &'static Vendor = vendor.ok_or_else(|| fail("no such vendor".into()))?;
    // The driver's own library has HIP's compiler; CUDA's is alone.
    let libraries: Vec<String> = match (vendor.setting("COMPILER"), &vendor.compiler) {
        (Some(set), _) => vec![set],
        (None, Some(table)) => {
            let own = vendor.driver.libraries.iter().filter(|_| table.inside);
            own.chain(table.libraries).map(|n| n.to_string()).collect()
        }
        (None, None) => vec![],
    };
    let compiler = Compiler::find(vendor, Some(libraries.as_slice()), None, args.capability);
    let compiler = compiler.map_err(fail)?;
    println!("compiler {}", compiler.identity);
    let list = fs::read_to_string(&args.list).map_err(|e| fail(e.to_string()))?;
    let origin = stable_hash(compiler.origin().as_str());
    let key = |text: &str| format!("{:032x}", stable_hash(&(origin, text)));
    let before = fs::read_to_string(&args.accepted).unwrap_or_default();
    let before: BTreeSet<&str> = before.lines().collect();
    let mut now: BTreeSet<String> = BTreeSet::new();
    let (mut known, mut accepted) = (0, 0);
    let mut open = vec![];
    for path in list.lines() {
        let text = fs::read_to_string(path).map_err(|e| fail(format!("{path}: {e}")))?;
        let path = PathBuf::from(path);
        match before.contains(key(&text).as_str()) {
            true => {
                known += 1;
                now.insert(key(&text));
            }
            false => open.push(Source { path, text }),
        }
    }
    for batch in open.chunks(BATCH) {
        let whole = joined(batch);
        let together = whole.is_some_and(|text| compiler.compile(&text).is_ok());
        for source in batch {
            let alone = || compiler.compile(&source.text);
            match if together { Ok(vec![]) } else { alone() } {
                Ok(_) => {
                    accepted += 1;
                    now.insert(key(&source.text));
                }
                Err(log) => {
                    let name = source.path.display();
                    println!("refused {name}: {}", log.replace('\n', "\u{1}"));
                }
            }
        }
        // After each, so that an interrupted run is gone on with.
        let lines: Vec<&str> = now.iter().map(String::as_str).collect();
        fs::write(&args.accepted, lines.join("\n")).map_err(|e| fail(e.to_string()))?;
    }
    println!("accepted {accepted}\nknown {known}");
    Ok(ExitCode::SUCCESS)
}

/// Kernels as one source: includes first, then each in a namespace, under a name of its own. Nothing
/// where a kernel's name is not found.
fn joined(batch: &[Source]) -> Option<String> {
    let mut includes = BTreeSet::new();
    let mut text = String::new();
    for (i, source) in batch.iter().enumerate() {
        let (head, rest): (Vec<&str>, Vec<&str>) =
            source.text.lines().partition(|l| l.starts_with("#include"));
        includes.extend(head);
        let body = rest.join("\n");
        // `… __launch_bounds__(256) NAME(`
        let bounds = body.find("__launch_bounds__(")?;
        let after = bounds + body[bounds..].find(") ")? + 2;
        let end = after + body[after..].find('(')?;
        let (before, name, rest) = (&body[..after], &body[after..end], &body[end..]);
        writeln!(text, "namespace sz_{i} {{\n{before}{name}_{i}{rest}\n}}").ok()?;
    }
    let includes: Vec<&str> = includes.into_iter().collect();
    Some(format!("{}\n{text}", includes.join("\n")))
}
