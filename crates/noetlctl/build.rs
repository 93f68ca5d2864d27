//! Writes the build stamp: what this binary is, readable without running it.
//!
//! `cargo xtask` passes `NOETL_COMMIT`; a plain `cargo build` takes the commit of the sources, and `cargo install` that
//! which cargo wrote into the crate.

#![expect(
    clippy::disallowed_methods,
    reason = "a build script is told everything by its environment"
)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let commit = env::var("NOETL_COMMIT")
        .unwrap_or_else(|_| packed_commit().unwrap_or_else(|| commit(&root)));
    println!("cargo::rerun-if-env-changed=NOETL_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", commit_file(&root).display());
    for (name, value) in [
        ("NOETL_STAMP_COMMIT", commit),
        ("NOETL_STAMP_TARGET", variable("TARGET")),
        (
            "NOETL_STAMP_TARGET_FEATURES",
            variable("CARGO_CFG_TARGET_FEATURE"),
        ),
        (
            "NOETL_STAMP_RUSTC",
            output(&variable("RUSTC"), &["--version"]).unwrap_or_default(),
        ),
        ("NOETL_STAMP_UI_SHA256", variable("DEP_NOETL_UI_SHA256")),
        ("NOETL_STAMP_IMAGE", image(&root)),
    ] {
        println!("cargo::rustc-env={name}={value}");
    }
}

/// Returns the image that manifests name, without its tag: that of `[workspace.metadata.noetl]`, which a fork changes. A
/// crate from a registry has no workspace, and names NoETL's own.
fn image(root: &Path) -> String {
    let path = root.join("Cargo.toml");
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(path).unwrap_or_default();
    let section = text.split("[workspace.metadata.noetl]").nth(1);
    let setting = |name: &str| {
        let mut lines = section?
            .lines()
            .skip(1)
            .take_while(|line| !line.starts_with('['));
        lines.find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    match (setting("registry"), setting("image")) {
        (Some(registry), Some(image)) => format!("{registry}/{image}"),
        _ => "ghcr.io/noetl/noetl".to_owned(),
    }
}

/// Returns the commit of the sources.
fn commit(root: &Path) -> String {
    match noetl_checkout::Source::read(root) {
        Ok(source) => source.described(),
        Err(error) => {
            println!("cargo::warning=noetl will not know its commit: {error}");
            String::new()
        }
    }
}

/// Returns the commit that `cargo package` wrote: `{"git": {"sha1": "…"}, …}`.
fn packed_commit() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo_vcs_info.json");
    let text = fs::read_to_string(path).ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    let commit = rest.split('"').nth(1)?;
    Some(commit.to_owned())
}

/// Returns the file that changes when the commit of the sources does.
fn commit_file(root: &Path) -> PathBuf {
    let log = noetl_checkout::is_checkout(root).unwrap_or(false).then(|| {
        let words = ["rev-parse", "--git-path", "logs/HEAD"];
        noetl_checkout::read(root, &words).ok()
    });
    match log.flatten() {
        Some(log) => root.join(log.trim()),
        None => root.join(noetl_checkout::ARCHIVE_FILE),
    }
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
