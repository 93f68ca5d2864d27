//! Measures commands: seconds on the clock, seconds of processors, and memory.

use anyhow::Context as _;
use camino::Utf8Path;
use serde::Deserialize;

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{run, tools};

/// Runs a command and prints what it took. Python has the functions of the system for that, and needs no crate.
const METER: &str = "
import json, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
seconds = time.perf_counter() - began
if done.returncode:
    sys.exit(done.stdout.decode(errors='replace')[-4000:] or 'it printed nothing')
try:
    import resource
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss // (1024 if sys.platform == 'darwin' else 1)
except ImportError:
    cpu, peak = 0, 0
print(json.dumps({'seconds': seconds, 'cpu_seconds': cpu, 'memory_kib': peak}))
";

/// What a command took.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Usage {
    /// From its start to its end.
    pub(super) seconds: f64,
    /// Of all processors, in the command and the processes that it waited for; 0 on Windows.
    pub(super) cpu_seconds: f64,
    /// The memory that its largest process had at most; 0 on Windows.
    pub(super) memory_kib: f64,
}

/// Runs a command and returns what it took.
///
/// # Errors
/// When the command fails, with the end of its output.
pub(super) fn measure(ctx: &Ctx, command: CommandLine) -> anyhow::Result<Usage> {
    let mut metered = CommandLine::new(tools::python()?);
    metered = metered.args(["-c", METER]).arg(command.program);
    metered = metered.args(command.args).summary(String::new());
    metered.env = command.env;
    metered.cwd = command.cwd;
    let printed = run::read(ctx, &metered)?;
    serde_json::from_str(&printed).context("the meter printed no JSON")
}

/// Returns the size of a file in bytes.
pub(super) fn size(path: &Utf8Path) -> anyhow::Result<f64> {
    let metadata = path.metadata();
    let metadata = metadata.with_context(|| format!("cannot read {path}"))?;
    Ok(metadata.len() as f64)
}
