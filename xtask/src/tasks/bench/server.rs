//! A server of the bench's own: driven by `noetl`, watched through /proc.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use camino::Utf8Path;
use serde::Serialize;
use serde_json::Value;

use super::{Bench, Rate, field};
use crate::host::files;
use crate::host::{output, run};

/// Requests to start an execution that are open at once.
const AT_ONCE: usize = 32;
/// How long executions may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Many executions of one playbook.
#[derive(Debug, Serialize)]
pub(super) struct Executions {
    /// From the first start to the last end.
    pub(super) rate: Rate,
    /// Seconds until all had been asked for.
    asking_seconds: f64,
    /// Rows of the event log.
    pub(super) events: usize,
    pub(super) memory: Memory,
}

/// What the system says of the server's memory; 0 where it has no /proc.
#[derive(Debug, Default, Serialize)]
pub(super) struct Memory {
    pub(super) before_kib: u64,
    pub(super) after_kib: u64,
    pub(super) peak_kib: u64,
}

/// In the background, stopped when dropped.
pub(super) struct Server<'b> {
    bench: &'b Bench<'b>,
    url: String,
    process: String,
}

impl<'b> Server<'b> {
    pub(super) fn start(bench: &'b Bench<'b>) -> anyhow::Result<Self> {
        run::read(
            bench.ctx,
            &bench.noetl(&["server", "start", "--detach", "--port", "0"]),
        )?;
        let read = |name: &str| files::read_to_string(&bench.folder.join(".noetl").join(name));
        Ok(Self {
            bench,
            url: read("noetl_server.url")?.trim().to_owned(),
            process: read("noetl_server.pid")?.trim().to_owned(),
        })
    }

    fn noetl(&self, args: &[&str]) -> anyhow::Result<Value> {
        let command = self.bench.noetl(args).env("NOETL_SERVER_URL", &self.url);
        let printed = run::read(self.bench.ctx, &command)?;
        serde_json::from_str(&printed).with_context(|| format!("`{command}` printed no JSON"))
    }

    fn register(&self, playbook: &Utf8Path) -> anyhow::Result<()> {
        let words = [
            "register",
            "playbook",
            "--file",
            playbook.as_str(),
            "--json",
        ];
        self.noetl(&words).map(drop)
    }

    /// One execution, as the server itself times it.
    pub(super) fn steps(&self, playbook: &Utf8Path, steps: usize) -> anyhow::Result<Rate> {
        self.register(playbook)?;
        let path = format!("bench/{}", playbook.file_stem().unwrap_or_default());
        let started = self.noetl(&["execute", "playbook", &path, "--json"])?;
        let id = started["execution_id"]
            .as_str()
            .context("an execution has an id")?;
        let began = Instant::now();
        loop {
            let state = self.noetl(&["status", id, "--json"])?;
            match state["status"].as_str() {
                Some("COMPLETED") => {
                    return Ok(Rate::new(steps, field(&state, "duration_seconds")?));
                }
                Some("RUNNING") if began.elapsed() < PATIENCE => sleep(Duration::from_millis(100)),
                _ => anyhow::bail!("the execution did not complete: {state}"),
            }
        }
    }

    /// Asked for by a playbook of ours, whose `http` steps come from another process, as callers do.
    pub(super) fn executions(
        &self,
        playbook: &Utf8Path,
        count: usize,
    ) -> anyhow::Result<Executions> {
        self.register(playbook)?;
        let path = format!("bench/{}", playbook.file_stem().unwrap_or_default());
        let caller = format!(
            "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {{name: caller, path: bench/caller}}\nworkflow:\n\
             - step: start\n  loop: {{in: '{{{{ range({count}) | list }}}}', iterator: number, mode: parallel, \
             max_in_flight: {AT_ONCE}}}\n  tool:\n    kind: http\n    method: POST\n    url: {}/api/execute\n    \
             payload: {{path: {path}}}\n",
            self.url
        );
        let file = self.bench.folder.join("caller.yaml");
        files::write(&file, caller)?;
        let before_kib = self.memory("VmRSS")?;
        let asked = self
            .bench
            .noetl(&["run", file.as_str(), "--json", "--max-workers", "32"]);
        let asking_seconds = self.bench.timed(&asked)?;
        let seconds = self.all_ended(&path, count)?;
        let rows = format!(
            "SELECT COUNT(*) FROM event e JOIN execution x ON x.execution_id = e.execution_id WHERE x.path = '{path}'"
        );
        let events = self.query(&rows)?[0].as_u64().unwrap_or(0);
        Ok(Executions {
            rate: Rate::new(count, seconds),
            asking_seconds,
            events: usize::try_from(events)?,
            memory: Memory {
                before_kib,
                after_kib: self.memory("VmRSS")?,
                peak_kib: self.memory("VmHWM")?,
            },
        })
    }

    /// Seconds from the first start to the last end.
    fn all_ended(&self, path: &str, count: usize) -> anyhow::Result<f64> {
        let began = Instant::now();
        let sums = format!(
            "SELECT COUNT(*), SUM(CASE WHEN status = 'COMPLETED' THEN 1 ELSE 0 END), MAX(end_time) - MIN(start_time) \
             FROM execution WHERE path = '{path}' AND status <> 'RUNNING'"
        );
        loop {
            let row = self.query(&sums)?;
            if row[0].as_u64() == Some(count as u64) {
                ensure!(
                    row[0] == row[1],
                    "of {} executions {} completed",
                    row[0],
                    row[1]
                );
                let milliseconds = row[2].as_f64().context("executions have times")?;
                return Ok(milliseconds / 1000.0);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "only {} of {count} executions ended",
                row[0]
            );
            sleep(Duration::from_millis(250));
        }
    }

    /// The first row of an answer.
    fn query(&self, sql: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.noetl(&["query", sql, "--format", "json"])?;
        let rows = answer.get("result").unwrap_or(&answer);
        let first = rows.get(0).with_context(|| format!("no rows: {answer}"))?;
        Ok(match first {
            Value::Array(values) => values.clone(),
            Value::Object(entries) => entries.values().cloned().collect(),
            other => vec![other.clone()],
        })
    }

    fn memory(&self, field: &str) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.process);
        if !Utf8Path::new("/proc/self/status").exists() {
            return Ok(0);
        }
        let text = files::read_to_string(Utf8Path::new(&path))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number
            .context("the system says how much memory it has")?
            .parse()?)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let stopped = run::read(
            self.bench.ctx,
            &self.bench.noetl(&["server", "stop", "--force"]),
        );
        if let Err(error) = stopped {
            output::warn(&format!("the bench's server goes on: {error:#}"));
        }
    }
}
