//! `cargo xtask deploy`
use crate::ctx::Ctx;
use clap::Args;
/// x
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {}
pub(crate) fn run(_: &Ctx, _: &DeployArgs) -> anyhow::Result<()> {
    Ok(())
}
