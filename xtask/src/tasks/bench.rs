//! `cargo xtask bench noetl`: how much `noetl` does per second and how much memory it takes, next to what a shell and
//! SQLite need for the same work on this machine in the same run.

mod peer;
mod server;

use std::time::Instant;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;
use xshell::{Cmd, cmd};

use self::server::{Executions, Server};
use crate::host::ctx::Ctx;
use crate::host::{files, output, run};
use crate::release::cargo;
use crate::release::version::Release;
use crate::tasks::sandbox::Sandbox;

/// Measure how much noetl does per second, and how much memory it takes
#[derive(Debug, Args)]
#[command(
    after_help = "Builds the release profile. Times of different machines cannot be compared, so the same run measures\n\
    other programs as well: a shell loop for steps that start processes, SQLite for executions that are stored.\n\n\
    Examples:\n  cargo xtask bench noetl\n  cargo xtask bench noetl --executions 1000 --json"
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

/// The turns of the loops that are measured.
const LOOPS: [usize; 3] = [1_000, 10_000, 100_000];
/// The turns of the loop of python steps.
const PYTHON_STEPS: usize = 500;

/// A count, and how long it took.
#[derive(Debug, Clone, Copy, Serialize)]
struct Rate {
    count: usize,
    seconds: f64,
    per_second: f64,
}

impl Rate {
    fn new(count: usize, seconds: f64) -> Self {
        let per_second = count as f64 / seconds.max(1e-9);
        Self {
            count,
            seconds,
            per_second,
        }
    }
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Figures {
    /// One playbook of noop steps by `noetl run`, including the start of the process.
    local_steps: Rate,
    /// Loops over as many items of a workload, by `noetl run`.
    loops: Vec<Rate>,
    /// A loop of python steps.
    python: Rate,
    /// The noop steps on the server.
    server_steps: Rate,
    /// Steps that start a process each, by `noetl run`.
    local_shell: Rate,
    /// As many processes from a shell loop.
    peer_shell: Rate,
    /// Many executions of a small playbook on the server.
    executions: Executions,
    /// As many rows in as many transactions, with SQLite.
    peer_sqlite: Rate,
    ratios: Ratios,
}

/// How many times as long as its peer something took.
#[derive(Debug, Serialize)]
struct Ratios {
    /// How long a turn takes in the longest loop, to a turn in the shortest.
    longest_to_shortest_loop: f64,
    local_shell_to_shell: f64,
    executions_to_sqlite: f64,
}

/// The binary that is measured, and where it runs.
struct Bench<'c> {
    ctx: &'c Ctx,
    noetl: Utf8PathBuf,
    sandbox: Sandbox,
}

pub(crate) fn run(ctx: &Ctx, args: &BenchArgs) -> anyhow::Result<()> {
    let What::Noetl = args.what;
    let noetl = match &args.binary {
        Some(binary) => binary
            .canonicalize_utf8()
            .with_context(|| format!("cannot find {binary}"))?,
        None => cargo::build_native(ctx, &Release::read(ctx)?, true)?,
    };
    let sandbox = Sandbox::new(ctx, "bench")?;
    sandbox.shell.set_var("NOETL_ENABLE_UI", "false");
    let bench = Bench {
        ctx,
        noetl,
        sandbox,
    };
    let figures = bench.measure(args.steps, args.executions)?;
    if args.json {
        output::json(&figures)
    } else {
        figures.print()
    }
}

impl Bench<'_> {
    fn measure(&self, steps: usize, count: usize) -> anyhow::Result<Figures> {
        let ctx = self.ctx;
        let noop = &self.playbook("steps", steps, "{kind: noop}")?;
        let shell = &self.playbook("shell", steps, "{kind: shell, cmds: ':'}")?;
        let small = &self.playbook("small", 2, "{kind: noop}")?;
        let local_steps = output::step(ctx, "noop steps, noetl run", || self.local(noop, steps))?;
        let local_shell = output::step(ctx, "shell steps, noetl run", || self.local(shell, steps))?;
        let mut loops = Vec::new();
        for turns in LOOPS {
            let title = format!("a loop of {turns} turns, noetl run");
            loops.push(output::step(ctx, &title, || self.loop_over(turns))?);
        }
        let python = output::step(ctx, "a loop of python steps, noetl run", || {
            self.python(PYTHON_STEPS)
        })?;
        let peer_shell = output::step(ctx, "shell loop", || peer::shell(self, steps))?;
        let (server_steps, executions) = self.sandbox.with_server(ctx, &self.noetl, |url| {
            let server = Server::new(self, url)?;
            let steps = || server.steps(noop, steps);
            let server_steps = output::step(ctx, "noop steps, on the server", steps)?;
            let title = format!("{count} executions, on the server");
            let executions = output::step(ctx, &title, || server.executions(small, count))?;
            Ok((server_steps, executions))
        })?;
        let sqlite = || peer::sqlite(self, count, executions.events);
        let peer_sqlite = output::step(ctx, "the same rows, with SQLite", sqlite)?;
        let turn = |rate: Option<&Rate>| rate.map_or(f64::NAN, |rate| 1.0 / rate.per_second);
        let ratios = Ratios {
            longest_to_shortest_loop: turn(loops.last()) / turn(loops.first()),
            local_shell_to_shell: local_shell.seconds / peer_shell.seconds,
            executions_to_sqlite: executions.rate.seconds / peer_sqlite.seconds,
        };
        Ok(Figures {
            local_steps,
            loops,
            python,
            server_steps,
            local_shell,
            peer_shell,
            executions,
            peer_sqlite,
            ratios,
        })
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

impl Figures {
    fn print(&self) -> anyhow::Result<()> {
        let loops = self
            .loops
            .iter()
            .map(|rate| ("turns of a loop, noetl run", rate));
        let rates = [
            ("noop steps, noetl run", &self.local_steps),
            ("python steps, noetl run", &self.python),
            ("noop steps, on the server", &self.server_steps),
            ("shell steps, noetl run", &self.local_shell),
            ("  the same in a shell loop", &self.peer_shell),
            ("executions, on the server", &self.executions.rate),
            ("  the same rows with SQLite", &self.peer_sqlite),
        ];
        for (what, rate) in rates.into_iter().chain(loops) {
            let (count, seconds, per_second) = (rate.count, rate.seconds, rate.per_second);
            output::line(format!(
                "{what:<38}{count:>8} in {seconds:>8.3} s{per_second:>12.0} per second"
            ))?;
        }
        let memory = &self.executions.memory;
        output::line(format!(
            "{:<38}{:>8} KiB before, {} after, {} at most",
            "memory of the server", memory.before_kib, memory.after_kib, memory.peak_kib
        ))?;
        output::line(format!(
            "a step that starts a process takes {:.2} times as long as in a shell loop; an execution takes {:.2} times\n\
             as long as its rows take with SQLite; a turn of the longest loop takes {:.2} times as long as of the shortest",
            self.ratios.local_shell_to_shell,
            self.ratios.executions_to_sqlite,
            self.ratios.longest_to_shortest_loop
        ))
    }
}
