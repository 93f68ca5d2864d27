//! What Cargo.toml says of the workspace.

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::run;

/// What every crate of the workspace takes from `[workspace.package]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workspace {
    /// The version.
    pub version: String,
    /// An SPDX expression.
    pub license: String,
    /// The repository's URL.
    pub repository: String,
}

/// Asks cargo, without looking at dependencies.
///
/// # Errors
/// When cargo is missing, or Cargo.toml says none of it.
pub(crate) fn read(ctx: &Ctx) -> anyhow::Result<Workspace> {
    let shell = &ctx.shell;
    let json = run::read(
        ctx,
        cmd!(
            shell,
            "cargo metadata --format-version 1 --no-deps --offline"
        ),
    )
    .context("cannot read the workspace's Cargo.toml")?;
    let metadata = MetadataCommand::parse(json).context("cargo metadata printed something else")?;
    let mut packages = metadata.packages.iter();
    let package = packages.find(|package| package.name.as_str() == "noetlctl");
    let package = package.context("the workspace has no package noetlctl")?;
    let field = |value: &Option<String>, name: &str| {
        let value = value.clone();
        value.with_context(|| format!("Cargo.toml has no `{name}` in [workspace.package]"))
    };
    Ok(Workspace {
        version: package.version.to_string(),
        license: field(&package.license, "license")?,
        repository: field(&package.repository, "repository")?,
    })
}
