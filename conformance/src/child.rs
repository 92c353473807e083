//! A shard as its parent sees it: started, asked, killed, and buried with a death certificate.

use crate::result::CaseResult;
use crate::shard::{Answer, Facts, MARK};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use suanzi_backends::plugin;

/// The hidden subcommand that makes a process a shard.
pub const SUBCOMMAND: &str = "conform-shard";

/// How long opening a device may take.
const OPENING: Duration = Duration::from_secs(120);

/// Lines of standard error that are kept for a crash's report.
const LAST_WORDS: usize = 8;

/// How shards are started.
pub struct Launcher {
    exe: PathBuf,
    /// What shards find in `SUANZI_PLUGINS`.
    plugins: Vec<PathBuf>,
    /// Devices, and the plugins that they are of.
    owners: Vec<(String, PathBuf)>,
}

impl Launcher {
    /// Of this program, with the plugins that the environment names, and more.
    ///
    /// # Errors
    /// Where this program's file cannot be found, in words.
    pub fn new(more: &[PathBuf]) -> Result<Launcher, String> {
        let exe = std::env::current_exe()
            .map_err(|e| format!("cannot find this program to start it again: {e}"))?;
        let mut plugins = plugin::paths();
        for path in more {
            if !plugins.contains(path) {
                plugins.push(path.clone());
            }
        }
        let owners = vec![];
        Ok(Launcher {
            exe,
            plugins,
            owners,
        })
    }

    /// The program's file.
    pub fn exe(&self) -> &Path {
        &self.exe
    }

    /// The devices of each plugin, and what is wrong with the others, which shards are not to load
    /// from now on. Each is asked in a process of its own, because loading one may end it.
    pub fn plugins(&mut self) -> (Vec<String>, Vec<String>) {
        let (mut ids, mut absent) = (vec![], vec![]);
        for path in std::mem::take(&mut self.plugins) {
            match Shard::list(&self.with(vec![path.clone()]), &["--list", "--plugins"]) {
                Ok((found, wrong)) => {
                    let owned = found.iter().map(|id| (id.clone(), path.clone()));
                    self.owners.extend(owned);
                    if !found.is_empty() {
                        self.plugins.push(path);
                    }
                    ids.extend(found);
                    absent.extend(wrong);
                }
                Err(what) => absent.push(format!("plugin {}: {what}", path.display())),
            }
        }
        (ids, absent)
    }

    /// The devices of this library's own backends, and why others are not.
    ///
    /// # Errors
    /// Why there was no answer, in words.
    pub fn built_in(&self) -> Result<(Vec<String>, Vec<String>), String> {
        Shard::list(&self.with(vec![]), &["--list"])
    }

    /// The plugin that a device is of, if it is of one.
    pub fn plugin_of(&self, device: &str) -> Option<&Path> {
        let base = device.split('+').next();
        let owner = self
            .owners
            .iter()
            .find(|owner| base == Some(owner.0.as_str()));
        owner.map(|owner| owner.1.as_path())
    }

    /// The same program, with other plugins.
    fn with(&self, plugins: Vec<PathBuf>) -> Launcher {
        Launcher {
            exe: self.exe.clone(),
            plugins,
            owners: vec![],
        }
    }

    fn variable(&self) -> Result<OsString, String> {
        std::env::join_paths(&self.plugins).map_err(|e| format!("a plugin's path: {e}"))
    }
}

/// A running shard. Dropping it kills the process.
pub struct Shard {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<Answer>,
    last_words: Arc<Mutex<VecDeque<String>>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Silence {
    /// The process ended; how, and its last words.
    Died(String),
    /// It took too long, and was killed.
    TimedOut,
}

impl Shard {
    /// Starts a process, and waits until it has opened the device.
    ///
    /// # Errors
    /// Why there is no device or no process, in words.
    pub fn start(launcher: &Launcher, device: &str) -> Result<(Shard, Facts), String> {
        // Another plugin's troubles are none of this device's.
        let alone = launcher
            .plugin_of(device)
            .map(|own| launcher.with(vec![own.into()]));
        let launcher = alone.as_ref().unwrap_or(launcher);
        let mut shard = Shard::spawn(launcher, &["--device", device])?;
        match shard.wait(OPENING) {
            Ok(Answer::Device(facts)) => Ok((shard, facts)),
            Ok(Answer::Error(what)) => Err(what),
            Ok(_) => Err(format!("{device}: the shard answered something else")),
            Err(Silence::Died(how)) => {
                Err(format!("{device}: opening it ended the process: {how}"))
            }
            Err(Silence::TimedOut) => Err(format!("{device}: opening it took over {OPENING:?}")),
        }
    }

    /// The devices there are, and why others are not. Asked of a process, because looking for
    /// devices loads every driver.
    fn list(launcher: &Launcher, args: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
        let mut shard = Shard::spawn(launcher, args)?;
        match shard.wait(OPENING) {
            Ok(Answer::Devices { ids, absent }) => Ok((ids, absent)),
            Ok(_) => Err("looking for devices: the shard answered something else".into()),
            Err(Silence::Died(how)) => Err(format!("looking for devices ended the process: {how}")),
            Err(Silence::TimedOut) => Err(format!("looking for devices took over {OPENING:?}")),
        }
    }

    fn spawn(launcher: &Launcher, args: &[&str]) -> Result<Shard, String> {
        let mut command = Command::new(&launcher.exe);
        if args.iter().any(|a| a.starts_with("cpu")) {
            // The race detector costs the interpreter little; Vulkan's validation is not so cheap.
            command.env("SUANZI_VALIDATE", "1");
        }
        let mut child = command
            .env(plugin::VARIABLE, launcher.variable()?)
            .arg(SUBCOMMAND)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", launcher.exe.display()))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("a shard has no pipes".into());
        };
        let (send, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines(stdout) {
                let answer = line.strip_prefix(MARK).map(serde_json::from_str);
                if let Some(Ok(answer)) = answer
                    && send.send(answer).is_err()
                {
                    break;
                }
            }
        });
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let kept = last_words.clone();
        std::thread::spawn(move || {
            for line in lines(stderr).filter(|l| !l.trim().is_empty()) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_back(line);
                if kept.len() > LAST_WORDS {
                    kept.pop_front();
                }
            }
        });
        Ok(Shard {
            child,
            stdin,
            answers,
            last_words,
        })
    }

    /// Runs one case.
    ///
    /// # Errors
    /// [`Silence`] where the case was the last thing that the process did.
    pub fn run(&mut self, id: &str, timeout: Duration) -> Result<CaseResult, Silence> {
        let asked = writeln!(self.stdin, "{id}").and_then(|()| self.stdin.flush());
        if asked.is_err() {
            return Err(Silence::Died(self.bury()));
        }
        match self.wait(timeout)? {
            Answer::Result(result) if result.id == id => Ok(*result),
            other => Err(Silence::Died(format!("it answered {other:?}"))),
        }
    }

    fn wait(&mut self, timeout: Duration) -> Result<Answer, Silence> {
        match self.answers.recv_timeout(timeout) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => {
                // Killed here, so that it does not go on beside the next one.
                let _ = self.child.kill();
                let _ = self.child.wait();
                Err(Silence::TimedOut)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Silence::Died(self.bury())),
        }
    }

    /// How the process ended, and the last it said.
    fn bury(&mut self) -> String {
        // The pipe is closed; a process that lives on nevertheless is of no use.
        std::thread::sleep(Duration::from_millis(20));
        let status = match self.child.try_wait() {
            Ok(Some(status)) => status.to_string(),
            _ => {
                let _ = self.child.kill();
                match self.child.wait() {
                    Ok(status) => status.to_string(),
                    Err(e) => e.to_string(),
                }
            }
        };
        let words = self
            .last_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.is_empty() {
            true => status,
            false => format!("{status}: {}", words.join(" | ")),
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, whatever bytes they hold.
fn lines(pipe: impl std::io::Read) -> impl Iterator<Item = String> {
    BufReader::new(pipe)
        .split(b'\n')
        .map_while(Result::ok)
        .map(|line| String::from_utf8_lossy(&line).into_owned())
}
