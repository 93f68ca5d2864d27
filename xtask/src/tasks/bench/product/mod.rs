//! `bench noetl`: how much `noetl` does per second and how much memory it takes, next to what a shell and SQLite need for
//! the same work.

mod peer;
mod server;

use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;
use xshell::{Cmd, cmd};

use self::server::Server;
use super::figure::{Reading, Unit};
use super::{Bench, Round, images};
use crate::host::{ctx::Ctx, files, output, run};
use crate::release::cargo;
use crate::tasks::sandbox::Sandbox;

/// How much is done in one round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amount {
    /// Steps of the playbook whose steps are counted.
    pub(super) steps: usize,
    /// Executions of a small playbook.
    pub(super) executions: usize,
}

/// The turns of the loops that are measured.
const LOOPS: [usize; 3] = [1_000, 10_000, 100_000];
/// The turns of the loop of python steps.
const PYTHON_STEPS: usize = 500;

/// How much is done in a second.
#[derive(Debug, Clone, Copy)]
struct Rate {
    per_second: f64,
}

impl Rate {
    fn new(count: usize, seconds: f64) -> Self {
        let per_second = count as f64 / seconds.max(1e-9);
        Self { per_second }
    }

    fn reading(self, work: &str) -> Reading {
        Reading::new(work, Unit::PerSecond, self.per_second)
    }
}

/// The binary that is measured, and where it runs.
struct Product<'c> {
    ctx: &'c Ctx,
    noetl: Utf8PathBuf,
    sandbox: Sandbox,
}

/// Measures [`binary`].
pub(super) fn noetl<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let noetl = binary(bench)?;
    // Not `bench`: that is the folder of all benches, which a sandbox would empty.
    let sandbox = Sandbox::new(bench.ctx, "bench-noetl")?;
    sandbox.shell.set_var("NOETL_ENABLE_UI", "false");
    let product = Product {
        ctx: bench.ctx,
        noetl,
        sandbox,
    };
    Ok(Box::new(move |_| product.round(bench.amount)))
}

/// Returns the binary that was named, or on Linux the one that ships, or one that is compiled for this machine.
pub(super) fn binary(bench: &Bench<'_>) -> anyhow::Result<Utf8PathBuf> {
    if let Some(binary) = bench.binary {
        return Ok(binary.clone());
    }
    match shipped(bench)? {
        Some(binary) => Ok(binary),
        None => cargo::build_native(bench.ctx, bench.release, true),
    }
}

/// Returns the binary of the dist that runs on this machine.
fn shipped(bench: &Bench<'_>) -> anyhow::Result<Option<Utf8PathBuf>> {
    let mut platforms = images::PLATFORMS.iter();
    let own = platforms.find(|(_, triple)| triple.starts_with(std::env::consts::ARCH));
    let Some((arch, _)) = own.filter(|_| cfg!(target_os = "linux")) else {
        return Ok(None);
    };
    let binary = images::binaries(bench)?.join(format!("noetl-{arch}"));
    Ok(Some(binary))
}

impl Product<'_> {
    fn round(&self, amount: Amount) -> anyhow::Result<Vec<Reading>> {
        let ctx = self.ctx;
        let Amount { steps, executions } = amount;
        // Each round has a store of its own, so that the rows of earlier ones are not counted.
        files::remove(&self.sandbox.folder.join("data"))?;
        let noop = &self.playbook("steps", steps, "{kind: noop}")?;
        let shell = &self.playbook("shell", steps, "{kind: shell, cmds: ':'}")?;
        let small = &self.playbook("small", 2, "{kind: noop}")?;
        let mut readings = vec![self.start()?];
        let done = output::step(ctx, "noop steps, noetl run", || self.local(noop, steps))?;
        readings.push(done.reading("noop steps, noetl run"));
        let done = output::step(ctx, "shell steps, noetl run", || self.local(shell, steps))?;
        let peer = output::step(ctx, "shell loop", || peer::shell(self, steps))?;
        let reading = done.reading("shell steps, noetl run");
        readings.push(reading.beside("a shell loop", peer.per_second));
        for turns in LOOPS {
            let title = format!("turns of a loop of {turns}, noetl run");
            let done = output::step(ctx, &title, || self.loop_over(turns))?;
            readings.push(done.reading(&title));
        }
        let python = || self.python(PYTHON_STEPS);
        let done = output::step(ctx, "python steps, noetl run", python)?;
        readings.push(done.reading("python steps, noetl run"));
        let (server_steps, done) = self.sandbox.with_server(ctx, &self.noetl, |url| {
            let server = Server::new(self, url)?;
            readings.push(server.idle()?);
            let steps = || server.steps(noop, steps);
            let server_steps = output::step(ctx, "noop steps, on the server", steps)?;
            let title = format!("{executions} executions, on the server");
            let done = output::step(ctx, &title, || server.executions(small, executions))?;
            Ok((server_steps, done))
        })?;
        readings.push(server_steps.reading("noop steps, on the server"));
        let sqlite = || peer::sqlite(self, executions, done.events);
        let rows = output::step(ctx, "the same rows, with SQLite", sqlite)?;
        let reading = done.rate.reading("executions, on the server");
        readings.push(reading.beside("SQLite alone", rows.per_second));
        let peak = done.peak_kib as f64 * 1024.0;
        readings.push(Reading::new(
            "memory of the server under load",
            Unit::Bytes,
            peak,
        ));
        Ok(readings)
    }

    /// Measures the start of the program.
    fn start(&self) -> anyhow::Result<Reading> {
        let (sh, noetl) = (&self.sandbox.shell, &self.noetl);
        let mut fastest = f64::INFINITY;
        for _ in 0..10 {
            fastest = fastest.min(self.seconds(cmd!(sh, "{noetl} --version"))?);
        }
        Ok(Reading::new(
            "start, noetl --version",
            Unit::Seconds,
            fastest,
        ))
    }

    /// Writes a playbook of steps that run one after another.
    fn playbook(&self, name: &str, steps: usize, tool: &str) -> anyhow::Result<Utf8PathBuf> {
        let mut text = format!(
            "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {{name: {name}, path: bench/{name}}}\nworkflow:\n"
        );
        let step_name = |step| match step {
            0 => "start".to_owned(),
            step => format!("s{step}"),
        };
        for step in 0..steps {
            text += &format!("- step: {}\n  tool: {tool}\n", step_name(step));
            if step + 1 < steps {
                text += &format!("  next: [{{step: {}}}]\n", step_name(step + 1));
            }
        }
        let path = self.sandbox.folder.join(format!("{name}.yaml"));
        files::write(&path, text)?;
        Ok(path)
    }

    /// Measures a loop over items of the workload, whose body names the workload as well. The start of the process is taken
    /// off: it is the same however many turns there are.
    fn loop_over(&self, turns: usize) -> anyhow::Result<Rate> {
        let text = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: loop}\nworkload: {prefix: p, items: []}\n\
            workflow:\n- step: start\n  loop: {in: \"{{ workload.items }}\", iterator: it}\n  \
            tool: {kind: noop, args: {name: \"{{ workload.prefix }}-{{ it.id }}\"}}\n";
        let playbook = self.sandbox.folder.join("loop.yaml");
        files::write(&playbook, text)?;
        let mut took = Vec::new();
        for count in [0, turns] {
            let items: Vec<_> = (0..count)
                .map(|id| json!({"id": id, "name": format!("item number {id}")}))
                .collect();
            let input = self.sandbox.folder.join("items.json");
            files::write(&input, json!({ "items": items }).to_string())?;
            let (sh, noetl) = (&self.sandbox.shell, &self.noetl);
            took.push(self.seconds(cmd!(sh, "{noetl} run {playbook} --input {input} --json"))?);
        }
        Ok(Rate::new(turns, took[1] - took[0]))
    }

    /// Measures a loop of python steps.
    fn python(&self, turns: usize) -> anyhow::Result<Rate> {
        let text = format!(
            "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {{name: python}}\nworkflow:\n- step: start\n  \
             loop: {{in: \"{{{{ range({turns}) | list }}}}\", iterator: i}}\n  tool: {{kind: python, code: \"result = 1\"}}\n"
        );
        let playbook = self.sandbox.folder.join("python.yaml");
        files::write(&playbook, text)?;
        self.local(&playbook, turns)
    }

    /// Measures `noetl run`.
    fn local(&self, playbook: &Utf8Path, steps: usize) -> anyhow::Result<Rate> {
        let (sh, noetl) = (&self.sandbox.shell, &self.noetl);
        let seconds = self.seconds(cmd!(sh, "{noetl} run {playbook} --json"))?;
        Ok(Rate::new(steps, seconds))
    }

    /// Runs a command and returns how long it took.
    fn seconds(&self, command: Cmd<'_>) -> anyhow::Result<f64> {
        let began = Instant::now();
        run::read(self.ctx, command)?;
        Ok(began.elapsed().as_secs_f64())
    }
}
