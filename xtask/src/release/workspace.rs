//! The workspace's Cargo.toml.

use std::sync::LazyLock;

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::run;

/// The licence of NoETL as an SPDX expression.
pub(crate) const LICENSE: &str = env!("CARGO_PKG_LICENSE");

/// The URL of NoETL's repository.
pub(crate) const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// The URL of NoETL's home page.
pub(crate) const HOMEPAGE: &str = env!("CARGO_PKG_HOMEPAGE");

/// The workspace's Cargo.toml, of which a fork changes a few lines.
const CARGO_TOML: &str = include_str!("../../../Cargo.toml");

/// Returns the registry, with the path above the image's name, that images are published to unless another is named.
pub(crate) fn registry() -> &'static str {
    static FOUND: LazyLock<&str> = LazyLock::new(|| setting("registry"));
    &FOUND
}

/// Returns the name of the image below the registry.
pub(crate) fn image() -> &'static str {
    static FOUND: LazyLock<&str> = LazyLock::new(|| setting("image"));
    &FOUND
}

/// Returns a text in `[workspace.metadata.noetl]`, with which this program was compiled.
fn setting(name: &str) -> &'static str {
    let section = CARGO_TOML.split("[workspace.metadata.noetl]").nth(1);
    let lines = section.unwrap_or_default().lines().skip(1);
    let mut lines = lines.take_while(|line| !line.starts_with('['));
    let found = lines.find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches('"'))
    });
    found.unwrap_or_default()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_a_fork_are_found() {
        let full = format!("{}/{}:1", registry(), image());
        let name: noetl_oci::Reference = full.parse().unwrap();
        assert_eq!(name.to_string(), full);
        assert!(REPOSITORY.starts_with("https://") && HOMEPAGE.starts_with("https://"));
    }
}
