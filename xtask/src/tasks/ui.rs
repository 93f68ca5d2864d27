//! `cargo xtask ui`: builds only the web page.

use clap::Args;

use crate::host::ctx::Ctx;
use crate::host::{output, run};
use crate::release::page;

/// Build the web page into ui-src/dist
#[derive(Debug, Args)]
#[command(
    after_help = "Skips what is up to date. Uses the Node of this machine if Vite accepts it, \
    else a pinned package.\nThe next `cargo build` embeds the page; NOETL_UI_DIR=ui-src/dist serves it without one."
)]
pub(crate) struct UiArgs {
    /// Run the linter, the type checker and the unit tests first, and check the page's size afterwards
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(ctx: &Ctx, args: &UiArgs) -> anyhow::Result<()> {
    let _lock = run::lock(ctx)?;
    if args.check {
        check(ctx, page::CHECKS)?;
    }
    let built = page::build(ctx)?;
    if args.check {
        check(ctx, &["budget"])?;
    }
    output::line(format!("ui-src/dist {built}"))
}

/// Runs checks of the page: scripts of its package.json.
pub(crate) fn check(ctx: &Ctx, scripts: &[&str]) -> anyhow::Result<()> {
    let npm = page::Npm::ready(ctx)?;
    for script in scripts {
        output::step(ctx, &format!("check the web page: {script}"), || {
            run::run(ctx, &npm.run(script))
        })?;
    }
    Ok(())
}
