//! The workspace's Cargo.toml.

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::run;

/// The fields of `[workspace.package]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workspace {
    /// The version.
    pub version: String,
    /// The licence as an SPDX expression.
    pub license: String,
    /// The repository's URL.
    pub repository: String,
}

/// Reads the workspace with cargo, without its dependencies.
///
/// # Errors
/// When cargo is missing, or a field is not set.
pub(crate) fn read(ctx: &Ctx) -> anyhow::Result<Workspace> {
    let shell = &ctx.shell;
    let metadata = cmd!(shell, "cargo metadata --format-version 1 --no-deps");
    let json = run::read(ctx, metadata.arg("--offline"));
    let json = json.context("cannot read the workspace's Cargo.toml")?;
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
