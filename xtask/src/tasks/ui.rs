//! `cargo xtask ui`: the web page alone.

use clap::Args;

use crate::ctx::Ctx;
use crate::{sh, ui};

/// Build the web page into ui-src/dist
#[derive(Debug, Args)]
#[command(
    after_help = "Skips what is up to date. Node comes from this machine when Vite accepts it, \
    else from a pinned package.\nThe next `cargo build` embeds the page; NOETL_UI_DIR=ui-src/dist serves it without one."
)]
pub(crate) struct UiArgs {
    /// Run the linter, the type checker and the unit tests first, and weigh the page afterwards
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(ctx: &Ctx, args: &UiArgs) -> anyhow::Result<()> {
    let _lock = sh::lock(ctx)?;
    if args.check {
        check(ctx, ui::CHECKS)?;
    }
    let built = ui::build(ctx)?;
    if args.check {
        check(ctx, &["budget"])?;
    }
    println!("ui-src/dist {built}");
    Ok(())
}

/// Runs checks of the page: scripts of its package.json.
pub(crate) fn check(ctx: &Ctx, scripts: &[&str]) -> anyhow::Result<()> {
    let npm = ui::Npm::ready(ctx)?;
    for script in scripts {
        sh::step(ctx, &format!("check the web page: {script}"), || {
            sh::run(ctx, &npm.run(script))
        })?;
    }
    Ok(())
}
