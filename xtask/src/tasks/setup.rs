//! `cargo xtask setup`: builds what a fresh clone needs to run NoETL.

use clap::Args;
use noetl_help::Help as _;
use xshell::cmd;

use crate::host::ctx::{Ctx, Wanted};
use crate::host::error::MissingTool;
use crate::host::{files, output, run, tools};
use crate::release::version::Release;
use crate::release::{cargo, checksums, page};

/// Build what a fresh clone needs: the web page, bin/noetl and the Python launcher
#[derive(Debug, Args)]
#[command(
    after_help = "Needs rustup and a C linker; Node is fetched unless one is installed that Vite accepts.\n\
    NOETL_ENABLE_UI=false leaves the page out and needs no Node.\n\nExamples:\n  cargo xtask setup\n  \
    cargo xtask setup --release    as fast as the one that ships, and compiles for three times as long\n\nAfterwards:\n  bin/noetl server start\n  \
    python -m noetl.server --host 127.0.0.1 --port 8082"
)]
pub(crate) struct SetupArgs {
    /// Optimize `noetl`; without it, the build is the one of `cargo build` and `cargo test`
    #[arg(long)]
    release: bool,
}

/// The folder of the launcher package, and the folder that it is copied to.
const LAUNCHER: (&str, &str) = ("crates/noetlctl/python/noetl", "noetl");

pub(crate) fn run(ctx: &Ctx, args: &SetupArgs) -> anyhow::Result<()> {
    // cargo would report a missing linker without a remedy.
    if tools::c_linker().is_none() && !cfg!(windows) {
        return Err(MissingTool("cc".to_owned()))
            .help("apt-get install gcc, or xcode-select --install");
    }
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
    let binary = cargo::build_native(ctx, &Release::read(ctx)?, args.release)?;
    let name = binary.file_name().unwrap_or("noetl");
    for folder in ["bin", "noetl/bin"] {
        let installed = ctx.root.join(folder).join(name);
        if files::read(&installed).ok() != Some(files::read(&binary)?) {
            files::copy_executable(&binary, &installed)?;
        }
    }
    copy_launcher(ctx)?;
    let program = format!("bin/{name}");
    let version = run::read(ctx, cmd!(ctx.shell, "{program} --version"))?;
    output::line(format!(
        "{} is ready:\n  {program} server start\n  python -m noetl.server --host 127.0.0.1 --port 8082",
        version.trim()
    ))
}

fn copy_launcher(ctx: &Ctx) -> anyhow::Result<()> {
    let (from, to) = (ctx.root.join(LAUNCHER.0), ctx.root.join(LAUNCHER.1));
    let names = files::list(&from)?.into_iter();
    for name in names.filter(|name| name.ends_with(".py")) {
        files::write(&to.join(&name), files::read(&from.join(&name))?)?;
    }
    Ok(())
}
