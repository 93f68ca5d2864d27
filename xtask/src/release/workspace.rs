//! The workspace's Cargo.toml.

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::run;

/// The licence of NoETL as an SPDX expression.
pub(crate) const LICENSE: &str = env!("CARGO_PKG_LICENSE");

/// The URL of NoETL's repository.
pub(crate) const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// The URL of the folders with the repositories for apt and dnf.
pub(crate) const PACKAGES: &str = "https://noetl.github.io";

/// Reads the version with cargo, without looking at dependencies.
///
/// # Errors
/// When cargo is missing, or there is no workspace.
pub(crate) fn version(ctx: &Ctx) -> anyhow::Result<String> {
    let shell = &ctx.shell;
    let metadata = cmd!(shell, "cargo metadata --format-version 1 --no-deps");
    let json = run::read(ctx, metadata.arg("--offline"));
    let json = json.context("cannot read the workspace's Cargo.toml")?;
    let metadata = MetadataCommand::parse(json).context("cargo metadata printed something else")?;
    let mut packages = metadata.packages.iter();
    let package = packages.find(|package| package.name.as_str() == "noetlctl");
    let package = package.context("the workspace has no package noetlctl")?;
    Ok(package.version.to_string())
}
