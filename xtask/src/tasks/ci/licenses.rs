//! The job `licenses`: the licences of crates and npm packages.

use anyhow::{Context as _, anyhow, ensure};
use cargo_metadata::MetadataCommand;
use noetl_help::Help as _;
use serde_json::Value;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::{files, output, run};
use crate::release::licenses::{ALLOWED, ALLOWED_IN_TOOLS, is_met};

/// A package and the licence that it declares.
struct Package {
    name: String,
    license: Option<String>,
    /// Whether it is only used to build or test, and is in nothing that ships.
    tool: bool,
}

/// Prints every package whose licence is not on the list, and fails when there is one.
pub(super) fn run(ctx: &Ctx) -> anyhow::Result<()> {
    let mut packages = crates(ctx)?;
    let lockfile = files::read_to_string(&ctx.root.join("ui-src/package-lock.json"))?;
    packages.extend(npm_packages(&lockfile)?);
    let findings: Vec<_> = packages.iter().filter_map(finding).collect();
    findings.iter().for_each(|finding| output::finding(finding));
    if !findings.is_empty() {
        let help = "replace the package, or add its licence to the list in xtask/src/release/licenses.rs, with a reason";
        return Err(anyhow!("{} licences are not on the list", findings.len())).help(help);
    }
    output::note(ctx, &format!("{} packages", packages.len()));
    Ok(())
}

fn finding(package: &Package) -> Option<String> {
    let (name, tool) = (&package.name, package.tool);
    let Some(license) = &package.license else {
        return Some(format!("{name}: it declares no licence"));
    };
    let allowed =
        |license: &str| ALLOWED.contains(&license) || (tool && ALLOWED_IN_TOOLS.contains(&license));
    match is_met(license, allowed) {
        Some(true) => None,
        Some(false) => Some(format!("{name}: {license}")),
        None => Some(format!("{name}: `{license}` is not an SPDX expression")),
    }
}

/// Returns every crate of Cargo.lock, for any target.
fn crates(ctx: &Ctx) -> anyhow::Result<Vec<Package>> {
    let metadata = cmd!(ctx.shell, "cargo metadata --format-version 1 --locked");
    let metadata = MetadataCommand::parse(run::read(ctx, metadata)?)
        .context("cannot parse the output of cargo metadata")?;
    let package = |package: cargo_metadata::Package| Package {
        name: format!("{} {}", package.name, package.version),
        license: package.license,
        tool: false,
    };
    let packages = metadata.packages.into_iter();
    let others = packages.filter(|package| package.source.is_some());
    Ok(others.map(package).collect())
}

/// Returns every package of an npm lockfile, version 3.
fn npm_packages(lockfile: &str) -> anyhow::Result<Vec<Package>> {
    let lockfile: Value =
        serde_json::from_str(lockfile).context("ui-src/package-lock.json is not JSON")?;
    let packages = lockfile["packages"].as_object();
    let packages = packages.context("ui-src/package-lock.json lists no packages")?;
    let has_root = packages.contains_key("");
    ensure!(has_root, "ui-src/package-lock.json has no root package");
    let package = |(path, package): (&String, &Value)| {
        let name = path.rsplit("node_modules/").next().unwrap_or(path);
        Package {
            name: format!("{name} {}", package["version"].as_str().unwrap_or_default()),
            license: package["license"].as_str().map(ToOwned::to_owned),
            tool: package["dev"] == true,
        }
    };
    let others = packages.iter().filter(|(path, _)| !path.is_empty());
    Ok(others.map(package).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_only_build_may_have_more_licences() {
        let lockfile = r#"{"packages": {"": {}, "node_modules/a": {"version": "1.0.0", "license": "MIT"},
            "node_modules/b": {"version": "1.0.0", "license": "MPL-2.0", "dev": true},
            "node_modules/b/node_modules/c": {"version": "2.0.0", "license": "MPL-2.0"},
            "node_modules/d": {"version": "1.0.0"}}}"#;
        let packages = npm_packages(lockfile).unwrap();
        let findings: Vec<_> = packages.iter().filter_map(finding).collect();
        let expected = ["c 2.0.0: MPL-2.0", "d 1.0.0: it declares no licence"];
        assert_eq!(findings, expected);
        assert!(npm_packages("{}").is_err());
    }
}
