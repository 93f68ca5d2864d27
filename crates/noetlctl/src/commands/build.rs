//! `noetl build`: builds the container image with `cargo xtask image` of a checkout.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;

use crate::cli::build::BuildArgs;

pub(super) fn run(args: &BuildArgs) -> anyhow::Result<ExitCode> {
    let folder = std::env::current_dir().context("cannot find the current folder")?;
    let root = checkout(&folder)
        .ok_or_else(|| anyhow!("{} is not in a checkout of NoETL", folder.display()))
        .help("git clone https://github.com/noetl/noetl, and run `noetl build` there")?;
    if args.no_cache {
        note!("note: --no-cache has no effect: the image is always built from scratch");
    }
    let arguments = arguments(args);
    note!("$ cargo {}", arguments.join(" "));
    let status = Command::new("cargo")
        .args(&arguments)
        .current_dir(root)
        .status()
        .context("cannot run cargo")
        .help("install Rust from https://rustup.rs")?;
    // A process that a signal ended has no code.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Returns the closest folder, this one or above it, that is a checkout of NoETL.
fn checkout(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|folder| {
            folder.join("xtask/Cargo.toml").is_file() && folder.join("crates/noetlctl").is_dir()
        })
        .map(Path::to_owned)
}

fn arguments(args: &BuildArgs) -> Vec<String> {
    let mut arguments = vec!["xtask".to_owned(), "image".to_owned()];
    if !args.platforms.is_empty() {
        arguments.extend(["--platforms".to_owned(), args.platforms.join(",")]);
    }
    if let Some(registry) = &args.registry {
        arguments.extend(["--registry".to_owned(), registry.clone()]);
    }
    for tag in &args.tags {
        arguments.extend(["--tag".to_owned(), tag.clone()]);
    }
    if args.push {
        arguments.push("--push".to_owned());
    }
    arguments.extend(args.args.iter().cloned());
    arguments
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn flags_are_passed_to_xtask() {
        let line =
            |args: &[&str]| match Cli::parse_from([&["noetl", "build"], args].concat()).command {
                Command::Build(args) => arguments(&args).join(" "),
                other => panic!("{other:?}"),
            };
        assert_eq!(line(&[]), "xtask image");
        assert_eq!(
            line(&["--platform", "linux/arm64", "--platforms", "linux/amd64"]),
            "xtask image --platforms linux/arm64,linux/amd64"
        );
        assert_eq!(
            line(&[
                "--no-cache",
                "--push",
                "--registry",
                "r/",
                "--tag",
                "a",
                "--",
                "--dry-run"
            ]),
            "xtask image --registry r/ --tag a --push --dry-run"
        );
    }

    #[test]
    fn a_checkout_is_found_from_its_subfolders() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = checkout(&here.join("src/commands")).unwrap();
        assert_eq!(root.join("crates/noetlctl"), here);
        assert_eq!(checkout(&std::env::temp_dir()), None);
    }
}
