//! `cargo xtask setup`: from a fresh clone to a NoETL that runs.

use camino::Utf8Path;
use clap::Args;
use noetl_help::Help as _;

use crate::host::command::CommandLine;
use crate::host::ctx::{Ctx, Wanted};
use crate::host::error::MissingTool;
use crate::host::{files, output, run, tools};
use crate::release::version::Release;
use crate::release::{cargo, checksums, page};

/// Build what a newcomer needs: the page, bin/noetl and the Python launcher
#[derive(Debug, Args)]
#[command(
    after_help = "Needs rustup with a C linker; Node is fetched when there is none that Vite accepts.\n\
    NOETL_ENABLE_UI=false leaves the page out and needs no Node at all.\n\nAfterwards:\n  bin/noetl server start\n  \
    python -m noetl.server --host 127.0.0.1 --port 8082"
)]
pub(crate) struct SetupArgs {}

/// Where the launcher package is, and where it is copied to.
const LAUNCHER: (&str, &str) = ("crates/noetlctl/python/noetl", "noetl");

pub(crate) fn run(ctx: &Ctx, _args: &SetupArgs) -> anyhow::Result<()> {
    preflight()?;
    let _lock = run::lock(ctx)?;
    let installed = ctx.root.join("noetl/core/ui");
    match ctx.ui {
        Wanted::Yes => {
            let built = page::build(ctx)?;
            if !installed.is_dir() || checksums::of_folder(&installed)? != built {
                files::replace_folder(&ctx.root.join("ui-src/dist"), &installed)?;
            }
        }
        Wanted::No => output::note(ctx, "NOETL_ENABLE_UI=false: no web page"),
    }
    let release = Release::read(ctx)?;
    let binary = cargo::build_native(ctx, &release)?;
    let name = binary.file_name().unwrap_or("noetl");
    for folder in ["bin", "noetl/bin"] {
        install(&binary, &ctx.root.join(folder).join(name))?;
    }
    copy_launcher(ctx)?;
    let shown = run::read(
        ctx,
        &CommandLine::new(format!("bin/{name}")).arg("--version"),
    )?;
    output::line(format!(
        "{} is ready:\n  bin/{name} server start\n  python -m noetl.server --host 127.0.0.1 --port 8082",
        shown.trim()
    ))
}

/// Reports a missing C linker before cargo does, whose message names no remedy.
fn preflight() -> anyhow::Result<()> {
    if tools::c_linker().is_none() && !cfg!(windows) {
        return Err(MissingTool("cc".to_owned()))
            .help("apt-get install gcc, or xcode-select --install");
    }
    Ok(())
}

fn install(binary: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    if files::read(to)
        .is_ok_and(|installed| files::read(binary).is_ok_and(|built| installed == built))
    {
        return Ok(());
    }
    files::copy_executable(binary, to)
}

fn copy_launcher(ctx: &Ctx) -> anyhow::Result<()> {
    let (from, to) = (ctx.root.join(LAUNCHER.0), ctx.root.join(LAUNCHER.1));
    for name in files::list(&from)?
        .into_iter()
        .filter(|name| name.ends_with(".py"))
    {
        files::write(&to.join(&name), files::read(&from.join(&name))?)?;
    }
    Ok(())
}
