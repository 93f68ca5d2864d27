//! stub
use clap::Args;
/// Run ci
#[derive(Debug, Args)]
pub(crate) struct CiArgs {}
pub(crate) fn run(_ctx: &crate::ctx::Ctx, _args: &CiArgs) -> anyhow::Result<()> {
    Ok(())
}
