//! `cargo xtask bench noetl`: how much `noetl` does in a second and what memory it takes, beside what a peer
//! needs for the same on this machine and in this run.

mod peer;
mod server;

use std::time::Instant;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::server::Executions;
use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, output, run};
use crate::release::cargo;
use crate::release::version::Release;

/// Measure how much noetl does in a second, and what memory it takes
#[derive(Debug, Args)]
#[command(
    after_help = "Builds the release profile. Every figure stands beside that of a peer in the same run, since a second \
    of one machine\nis not that of another: a shell's loop for steps that start processes, SQLite alone for executions \
    that are kept.\n\nExamples:\n  cargo xtask bench noetl\n  cargo xtask bench noetl --executions 1000 --json"
)]
pub(crate) struct BenchArgs {
    /// What to measure
    #[arg(value_enum)]
    what: What,
    /// Steps of the playbook whose steps are counted
    #[arg(long, default_value_t = 1_000)]
    steps: usize,
    /// Executions of a small playbook
    #[arg(long, default_value_t = 10_000)]
    executions: usize,
    /// Measure this `noetl`, such as one from dist/, instead of compiling one for this machine
    #[arg(long, value_name = "PATH")]
    binary: Option<Utf8PathBuf>,
    /// Print JSON: seconds, rates, bytes and ratios
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The engine and the server
    Noetl,
}

/// So many things in so long.
#[derive(Debug, Clone, Copy, Serialize)]
struct Rate {
    count: usize,
    seconds: f64,
    per_second: f64,
}

impl Rate {
    fn new(count: usize, seconds: f64) -> Self {
        Self {
            count,
            seconds,
            per_second: count as f64 / seconds.max(1e-9),
        }
    }
}

/// Everything that a run measured.
#[derive(Debug, Serialize)]
struct Figures {
    /// One playbook of noop steps, `noetl run`, with the start of the process.
    local_steps: Rate,
    /// The same on the server, from its start to its end.
    server_steps: Rate,
    /// Steps that start a process each, `noetl run`.
    local_shell: Rate,
    /// As many processes from a shell's loop.
    peer_shell: Rate,
    /// Many executions of a small playbook on the server.
    executions: Executions,
    /// As many rows in as many transactions, SQLite alone.
    peer_sqlite: Rate,
    ratios: Ratios,
}

/// How many times as long as its peer something took.
#[derive(Debug, Serialize)]
struct Ratios {
    local_shell_to_shell: f64,
    executions_to_sqlite: f64,
}

/// The folder and the binary of a run.
struct Bench<'c> {
    ctx: &'c Ctx,
    noetl: Utf8PathBuf,
    folder: Utf8PathBuf,
}

pub(crate) fn run(ctx: &Ctx, args: &BenchArgs) -> anyhow::Result<()> {
    let What::Noetl = args.what;
    let noetl = match &args.binary {
        Some(binary) => binary
            .canonicalize_utf8()
            .with_context(|| format!("cannot find {binary}"))?,
        None => cargo::build_native(ctx, &Release::read(ctx)?)?,
    };
    let bench = Bench::new(ctx, noetl)?;
    let figures = bench.measure(args)?;
    if args.json {
        output::json(&figures)?;
    } else {
        figures.print()?;
    }
    files::remove(&bench.folder)
}

impl<'c> Bench<'c> {
    fn new(ctx: &'c Ctx, noetl: Utf8PathBuf) -> anyhow::Result<Self> {
        let folder = ctx.state().join("bench");
        files::remove(&folder)?;
        files::create_folder(&folder)?;
        Ok(Self { ctx, noetl, folder })
    }

    fn measure(&self, args: &BenchArgs) -> anyhow::Result<Figures> {
        let noop = self.playbook("steps", args.steps, "{kind: noop}")?;
        let shell = self.playbook("shell", args.steps, "{kind: shell, cmds: ':'}")?;
        let small = self.playbook("small", 2, "{kind: noop}")?;
        let local_steps = self.local("run noop steps here", &noop, args.steps)?;
        let local_shell = self.local("run shell steps here", &shell, args.steps)?;
        let peer_shell = output::step(self.ctx, "the same in a shell's loop", || {
            peer::shell(self, args.steps)
        })?;
        let server = server::Server::start(self)?;
        let server_steps = output::step(self.ctx, "run noop steps on the server", || {
            server.steps(&noop, args.steps)
        })?;
        let title = format!("run {} executions on the server", args.executions);
        let executions = output::step(self.ctx, &title, || {
            server.executions(&small, args.executions)
        })?;
        drop(server);
        let peer_sqlite = output::step(self.ctx, "the same rows with SQLite alone", || {
            peer::sqlite(self, args.executions, executions.events)
        })?;
        let ratios = Ratios {
            local_shell_to_shell: local_shell.seconds / peer_shell.seconds,
            executions_to_sqlite: executions.rate.seconds / peer_sqlite.seconds,
        };
        Ok(Figures {
            local_steps,
            server_steps,
            local_shell,
            peer_shell,
            executions,
            peer_sqlite,
            ratios,
        })
    }

    /// `noetl` with this run's folder as its home, and no store but its own.
    fn noetl(&self, args: &[&str]) -> CommandLine {
        CommandLine::new(self.noetl.as_str())
            .args(args.iter().copied())
            .env("HOME", self.folder.as_str())
            .env("DATABASE_URL", "")
            .env("POSTGRES_HOST", "")
            .env("NOETL_DATA_DIR", "")
            .env("NOETL_ENABLE_UI", "false")
            .cwd(&self.folder)
    }

    /// A playbook of steps one after another.
    fn playbook(&self, name: &str, steps: usize, tool: &str) -> anyhow::Result<Utf8PathBuf> {
        let mut text = format!(
            "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {{name: {name}, path: bench/{name}}}\nworkflow:\n"
        );
        for step in 0..steps {
            let this = step_name(step);
            let next = match step + 1 {
                last if last == steps => String::new(),
                next => format!("  next: [{{step: {}}}]\n", step_name(next)),
            };
            text += &format!("- step: {this}\n  tool: {tool}\n{next}");
        }
        let path = self.folder.join(format!("{name}.yaml"));
        files::write(&path, text)?;
        Ok(path)
    }

    fn local(&self, title: &str, playbook: &Utf8Path, steps: usize) -> anyhow::Result<Rate> {
        let command = self.noetl(&["run", playbook.as_str(), "--json"]);
        let seconds = output::step(self.ctx, title, || self.timed(&command))?;
        Ok(Rate::new(steps, seconds))
    }

    /// Seconds that a command takes.
    fn timed(&self, command: &CommandLine) -> anyhow::Result<f64> {
        let began = Instant::now();
        run::read(self.ctx, command)?;
        Ok(began.elapsed().as_secs_f64())
    }
}

fn step_name(step: usize) -> String {
    match step {
        0 => "start".to_owned(),
        step => format!("s{step}"),
    }
}

fn field(value: &serde_json::Value, name: &str) -> anyhow::Result<f64> {
    value[name]
        .as_f64()
        .with_context(|| format!("noetl's answer has no number `{name}`: {value}"))
}

impl Figures {
    fn print(&self) -> anyhow::Result<()> {
        let line = |what: &str, rate: &Rate| {
            output::line(format!(
                "{what:<38}{:>8} in {:>8.3} s{:>12.0} per second",
                rate.count, rate.seconds, rate.per_second
            ))
        };
        line("noop steps, noetl run", &self.local_steps)?;
        line("noop steps, on the server", &self.server_steps)?;
        line("shell steps, noetl run", &self.local_shell)?;
        line("  the same in a shell's loop", &self.peer_shell)?;
        line("executions, on the server", &self.executions.rate)?;
        line("  the same rows with SQLite alone", &self.peer_sqlite)?;
        let memory = &self.executions.memory;
        output::line(format!(
            "{:<38}{:>8} KiB before, {} after, {} at the most",
            "memory of the server", memory.before_kib, memory.after_kib, memory.peak_kib
        ))?;
        output::line(format!(
            "a step that starts a process takes {:.2} times as long as in a shell's loop; an execution {:.2} times\n\
             as long as its rows take SQLite alone",
            self.ratios.local_shell_to_shell, self.ratios.executions_to_sqlite
        ))
    }
}
