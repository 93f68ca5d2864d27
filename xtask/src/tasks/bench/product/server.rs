//! The server that is measured: `noetl` commands drive it, and /proc shows its memory.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use xshell::cmd;

use super::super::figure::{Reading, Unit};
use super::{Product, Rate};
use crate::host::files;
use crate::tasks::sandbox::read_json;

/// How many requests to start an execution are open at the same time.
const OPEN_REQUESTS: usize = 32;
/// How long executions may take before the bench gives up.
const TIMEOUT: Duration = Duration::from_secs(1800);

/// Many executions of one playbook.
#[derive(Debug)]
pub(super) struct Executions {
    /// From the first start to the last end.
    pub(super) rate: Rate,
    /// Rows of the event log.
    pub(super) events: usize,
    /// The memory that the server had at most; 0 on systems without /proc.
    pub(super) peak_kib: u64,
}

/// A server that runs in the sandbox.
pub(super) struct Server<'b> {
    bench: &'b Product<'b>,
    url: &'b str,
    /// Its file in /proc with its memory.
    status: Utf8PathBuf,
}

impl<'b> Server<'b> {
    pub(super) fn new(bench: &'b Product<'b>, url: &'b str) -> anyhow::Result<Self> {
        let pid = files::read_to_string(&bench.sandbox.folder.join(".noetl/noetl_server.pid"))?;
        let status = format!("/proc/{}/status", pid.trim()).into();
        Ok(Self { bench, url, status })
    }

    /// Runs a command of `noetl` and returns the JSON that it prints.
    fn noetl(&self, args: &[&str]) -> anyhow::Result<Value> {
        let (sh, noetl) = (&self.bench.sandbox.shell, &self.bench.noetl);
        read_json(self.bench.ctx, cmd!(sh, "{noetl} {args...} --json"))
    }

    /// Reads the memory of a server that has done nothing yet.
    pub(super) fn idle(&self) -> anyhow::Result<Reading> {
        let bytes = self.memory("VmRSS:")? as f64 * 1024.0;
        Ok(Reading::new("memory of an idle server", Unit::Bytes, bytes))
    }

    /// Registers a playbook and returns its path in the catalog.
    fn register(&self, playbook: &Utf8Path) -> anyhow::Result<String> {
        self.noetl(&["register", "playbook", "--file", playbook.as_str()])?;
        let name = playbook.file_stem().unwrap_or_default();
        Ok(format!("bench/{name}"))
    }

    /// Measures one execution by the server's own times.
    pub(super) fn steps(&self, playbook: &Utf8Path, steps: usize) -> anyhow::Result<Rate> {
        let path = self.register(playbook)?;
        let started = self.noetl(&["execute", "playbook", &path])?;
        let id = started["execution_id"].as_str();
        let id = id.context("the execution has no ID")?;
        let began = Instant::now();
        loop {
            let state = self.noetl(&["status", id])?;
            match state["status"].as_str() {
                Some("COMPLETED") => {
                    let seconds = state["duration_seconds"].as_f64();
                    return Ok(Rate::new(steps, seconds.context("no duration_seconds")?));
                }
                Some("RUNNING") if began.elapsed() < TIMEOUT => sleep(Duration::from_millis(100)),
                _ => bail!("the execution did not complete: {state}"),
            }
        }
    }

    /// Measures many executions. The `http` steps of a playbook request them, from another process, as clients do.
    pub(super) fn executions(
        &self,
        playbook: &Utf8Path,
        count: usize,
    ) -> anyhow::Result<Executions> {
        let path = self.register(playbook)?;
        let caller = format!(
            "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {{name: caller, path: bench/caller}}\nworkflow:\n\
             - step: start\n  loop: {{in: '{{{{ range({count}) | list }}}}', iterator: number, mode: parallel, \
             max_in_flight: {OPEN_REQUESTS}}}\n  tool:\n    kind: http\n    method: POST\n    url: {}/api/execute\n    \
             payload: {{path: {path}}}\n",
            self.url
        );
        let file = self.bench.sandbox.folder.join("caller.yaml");
        files::write(&file, caller)?;
        let (sh, noetl) = (&self.bench.sandbox.shell, &self.bench.noetl);
        let ask = cmd!(sh, "{noetl} run {file} --json --max-workers 32");
        self.bench.seconds(ask)?;
        let seconds = self.wait(&path, count)?;
        let rows = self.query(&format!(
            "SELECT COUNT(*) FROM event e JOIN execution x ON x.execution_id = e.execution_id WHERE x.path = '{path}'"
        ))?;
        Ok(Executions {
            rate: Rate::new(count, seconds),
            events: usize::try_from(rows[0].as_u64().unwrap_or(0))?,
            peak_kib: self.memory("VmHWM:")?,
        })
    }

    /// Waits for the end of the executions of a playbook, and returns the seconds from the first start to the last end.
    fn wait(&self, path: &str, count: usize) -> anyhow::Result<f64> {
        let began = Instant::now();
        let sums = format!(
            "SELECT COUNT(*), SUM(CASE WHEN status = 'COMPLETED' THEN 1 ELSE 0 END), MAX(end_time) - MIN(start_time) \
             FROM execution WHERE path = '{path}' AND status <> 'RUNNING'"
        );
        loop {
            let row = self.query(&sums)?;
            let (ended, completed) = (&row[0], &row[1]);
            if *ended == count {
                ensure!(ended == completed, "{completed} of {ended} completed");
                let milliseconds = row[2].as_f64();
                return Ok(milliseconds.context("the executions have no times")? / 1000.0);
            }
            let in_time = began.elapsed() < TIMEOUT;
            ensure!(in_time, "only {ended} of {count} executions ended");
            sleep(Duration::from_millis(250));
        }
    }

    /// Returns the first row of the result of a query.
    fn query(&self, sql: &str) -> anyhow::Result<Value> {
        let (sh, noetl) = (&self.bench.sandbox.shell, &self.bench.noetl);
        let query = cmd!(sh, "{noetl} query {sql} --format json");
        let mut answer = read_json(self.bench.ctx, query)?;
        let row = answer["result"][0].take();
        ensure!(row.is_array(), "the query gave no row: {answer}");
        Ok(row)
    }

    /// Returns a field of the server's status in /proc.
    fn memory(&self, field: &str) -> anyhow::Result<u64> {
        if !Utf8Path::new("/proc/self/status").exists() {
            return Ok(0);
        }
        let status = files::read_to_string(&self.status)?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|line| line.split_whitespace().next());
        let number = number.with_context(|| format!("{} has no {field}", self.status))?;
        Ok(number.parse()?)
    }
}
