//! stub
use clap::Args;
/// Run every test
#[derive(Debug, Args)]
pub(crate) struct TestArgs {}
pub(crate) fn run(_ctx: &crate::ctx::Ctx, _args: &TestArgs) -> anyhow::Result<()> {
    Ok(())
}
