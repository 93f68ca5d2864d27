//! `cargo xtask setup`: from a fresh clone to a NoETL that runs, in the places people know.

use camino::Utf8Path;
use clap::Args;

use crate::command::CommandLine;
use crate::ctx::{Ctx, Wanted};
use crate::digest::Sha256;
use crate::error::WithHelp as _;
use crate::release::Release;
use crate::{cargo, files, sh, tools, ui};

/// Build what a newcomer needs: the page, bin/noetl and the Python launcher
#[derive(Debug, Args)]
#[command(
    after_help = "Needs rustup with a C linker; Node is fetched when there is none that fits.\n\
    NOETL_ENABLE_UI=false leaves the page out and needs no Node at all.\n\nAfterwards:\n  bin/noetl server start\n  \
    python -m noetl.server --host 127.0.0.1 --port 8082"
)]
pub(crate) struct SetupArgs {}

/// Where the launcher package is kept, and where it is laid out.
const LAUNCHER: (&str, &str) = ("crates/noetlctl/python/noetl", "noetl");

pub(crate) fn run(ctx: &Ctx, _args: &SetupArgs) -> anyhow::Result<()> {
    preflight()?;
    let _lock = sh::lock(ctx)?;
    let page = ctx.root.join("noetl/core/ui");
    match ctx.ui {
        Wanted::Yes => {
            let built = ui::build(ctx)?;
            if !page.is_dir() || Sha256::of_tree(&page)? != built {
                files::replace_folder(&ctx.root.join("ui-src/dist"), &page)?;
            }
        }
        Wanted::No => sh::note(ctx, "NOETL_ENABLE_UI=false: no web page"),
    }
    let release = Release::read(ctx)?;
    let binary = cargo::build_native(ctx, &release)?;
    let name = binary.file_name().unwrap_or("noetl");
    for folder in ["bin", "noetl/bin"] {
        install(&binary, &ctx.root.join(folder).join(name))?;
    }
    lay_out_launcher(ctx)?;
    let shown = sh::read(
        ctx,
        &CommandLine::new(format!("bin/{name}")).arg("--version"),
    )?;
    println!("{} is ready:", shown.trim());
    println!("  bin/{name} server start");
    println!("  python -m noetl.server --host 127.0.0.1 --port 8082");
    Ok(())
}

/// Reports a missing C linker before cargo does, since cargo's words name no remedy.
fn preflight() -> anyhow::Result<()> {
    if tools::c_linker().is_none() && !cfg!(windows) {
        return Err(crate::error::MissingTool("cc".to_owned()))
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

fn lay_out_launcher(ctx: &Ctx) -> anyhow::Result<()> {
    let (from, to) = (ctx.root.join(LAUNCHER.0), ctx.root.join(LAUNCHER.1));
    for name in files::below(&from)?
        .into_iter()
        .filter(|name| name.ends_with(".py"))
    {
        files::write(&to.join(&name), files::read(&from.join(&name))?)?;
    }
    Ok(())
}
