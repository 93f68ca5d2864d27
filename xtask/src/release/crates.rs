//! The crates for Rust's package registry: `cargo package` of a second checkout, in which the built page is beside the
//! server that serves it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use noetl_help::Help as _;
use noetl_oci::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, git, output, run};
use crate::release::{checksums, page};

/// Where the page is in the checkout, and in the crate of the server.
const PAGE: (&str, &str) = ("ui-src/dist", "crates/noetl-server/page");
/// The list of what was packed.
const LIST: &str = "crates.json";

/// A packed crate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Packed {
    pub name: String,
    pub version: String,
    /// What the registry is told of it.
    pub metadata: Value,
    /// The `.crate` file.
    pub path: Utf8PathBuf,
}

/// Packs the crates of a commit, each after those that it depends on. `folder` keeps them, so that a second call for
/// the same commit only reads.
///
/// # Errors
/// When cargo refuses to pack a crate, or the page is not that of the binaries.
pub(crate) fn pack(
    ctx: &Ctx,
    commit: &str,
    ui_sha256: Sha256,
    folder: &Utf8Path,
) -> anyhow::Result<Vec<Packed>> {
    let folder = folder.join(commit);
    let list = folder.join(LIST);
    if list.is_file() {
        let listed = serde_json::from_slice(&files::read(&list)?);
        return listed.with_context(|| format!("{list} is damaged"));
    }
    let checkout = folder.join("checkout");
    files::remove(&checkout)?;
    files::create_folder(&folder)?;
    let words = [
        "clone",
        "--quiet",
        "--no-checkout",
        "--shared",
        ".",
        checkout.as_str(),
    ];
    git::read(ctx, &words)?;
    git::read(
        ctx,
        &[
            "-C",
            checkout.as_str(),
            "checkout",
            "--quiet",
            "--detach",
            commit,
        ],
    )?;
    copy_page(ctx, ui_sha256, &checkout)?;
    let metadata = metadata(ctx, &checkout)?;
    let order = in_order(&metadata);
    let mut command = CommandLine::new("cargo").args([
        "package",
        "--locked",
        "--no-verify",
        // The page is not in git, and all else is as in the commit.
        "--allow-dirty",
        "--quiet",
    ]);
    for package in &order {
        command = command.args(["--package", package.name.as_str()]);
    }
    let target = folder.join("target");
    let command = command
        .arg("--target-dir")
        .arg(target.as_str())
        .cwd(&checkout);
    run::run(ctx, &command).help("`cargo package` says which file or field it lacks")?;
    let mut packed = Vec::new();
    for package in order {
        let file = format!("{}-{}.crate", package.name, package.version);
        packed.push(Packed {
            name: package.name.to_string(),
            version: package.version.to_string(),
            metadata: described(&metadata, package),
            path: target.join("package").join(file),
        });
    }
    files::remove(&checkout)?;
    files::write(&list, serde_json::to_vec_pretty(&packed)?)?;
    output::note(ctx, &format!("{} crates packed", packed.len()));
    Ok(packed)
}

/// Copies the page to where the server's crate has it. The small workspace of the tests has no server.
fn copy_page(ctx: &Ctx, ui_sha256: Sha256, checkout: &Utf8Path) -> anyhow::Result<()> {
    let (from, to) = (ctx.root.join(PAGE.0), checkout.join(PAGE.1));
    if !to.parent().is_some_and(Utf8Path::is_dir) {
        return Ok(());
    }
    if !from.join("index.html").is_file() || checksums::of_folder(&from)? != ui_sha256 {
        let built = page::build(ctx)?;
        ensure!(
            built == ui_sha256,
            "the page is {built}, and that of the binaries {ui_sha256}"
        );
    }
    for name in files::list(&from)? {
        let target = to.join(&name);
        files::create_folder(target.parent().context("a file without a folder")?)?;
        files::write(&target, files::read(&from.join(&name))?)?;
    }
    Ok(())
}

/// Returns the names of all packages of the workspace.
///
/// # Errors
/// When cargo fails.
pub(crate) fn members(ctx: &Ctx) -> anyhow::Result<Vec<String>> {
    let metadata = metadata(ctx, &ctx.root)?;
    Ok(metadata
        .packages
        .iter()
        .map(|it| it.name.to_string())
        .collect())
}

/// Returns the names of the crates that are published, each after those that it depends on.
///
/// # Errors
/// When cargo fails.
pub(crate) fn published(ctx: &Ctx) -> anyhow::Result<Vec<String>> {
    let metadata = metadata(ctx, &ctx.root)?;
    Ok(in_order(&metadata)
        .iter()
        .map(|it| it.name.to_string())
        .collect())
}

fn metadata(ctx: &Ctx, checkout: &Utf8Path) -> anyhow::Result<Metadata> {
    let command = CommandLine::new("cargo")
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .cwd(checkout);
    let json = run::read(ctx, &command)?;
    MetadataCommand::parse(json).context("cargo metadata printed something else")
}

/// Returns the crates that are published, each after those that it depends on.
fn in_order(metadata: &Metadata) -> Vec<&Package> {
    let published = metadata.packages.iter().filter(|it| it.publish.is_none());
    let mut left: BTreeMap<_, _> = published.map(|it| (it.name.to_string(), it)).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let names: BTreeSet<_> = left.keys().cloned().collect();
        let is_free = |package: &Package| {
            let needed = package
                .dependencies
                .iter()
                .filter(|it| it.kind != DependencyKind::Development);
            needed.into_iter().all(|it| !names.contains(&it.name))
        };
        let free: Vec<_> = left
            .iter()
            .filter(|(_, it)| is_free(it))
            .map(|(name, _)| name.clone())
            .collect();
        for name in free {
            order.extend(left.remove(&name));
        }
        // cargo refuses circles before this is asked.
        if left.len() == names.len() {
            break;
        }
    }
    order
}

/// Returns what the registry is told of a crate (registry web API, "publish").
fn described(metadata: &Metadata, package: &Package) -> Value {
    let own: BTreeSet<_> = metadata
        .packages
        .iter()
        .map(|it| it.name.to_string())
        .collect();
    let dependencies = package.dependencies.iter().filter(|it| {
        // `cargo package` leaves out what is for the tests of the workspace alone.
        let is_any = it.req.to_string() == "*";
        !(it.kind == DependencyKind::Development && own.contains(&it.name) && is_any)
    });
    let dependencies = dependencies.map(|it| {
        json!({
            "name": it.name, "version_req": it.req.to_string(),
            "features": it.features, "optional": it.optional, "default_features": it.uses_default_features,
            "target": it.target.as_ref().map(ToString::to_string), "registry": null,
            "kind": match it.kind {
                DependencyKind::Development => "dev",
                DependencyKind::Build => "build",
                _ => "normal",
            },
            "explicit_name_in_toml": it.rename,
        })
    });
    json!({
        "name": package.name.as_str(), "vers": package.version.to_string(),
        "deps": dependencies.collect::<Vec<_>>(), "features": package.features,
        "authors": package.authors, "description": package.description,
        "documentation": package.documentation, "homepage": package.homepage, "readme": null,
        "readme_file": package.readme, "keywords": package.keywords, "categories": package.categories,
        "license": package.license, "license_file": package.license_file, "repository": package.repository,
        "badges": {}, "links": package.links, "rust_version": package.rust_version.as_ref().map(ToString::to_string),
    })
}
