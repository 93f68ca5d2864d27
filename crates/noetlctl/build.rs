//! Writes the build stamp: what this binary is, readable without running it.
//!
//! `cargo xtask` passes `NOETL_COMMIT`; a plain `cargo build` asks git.

#![expect(
    clippy::disallowed_methods,
    reason = "a build script is told everything by its environment"
)]

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let commit = env::var("NOETL_COMMIT").unwrap_or_else(|_| {
        output(
            "git",
            &[
                "describe",
                "--always",
                "--dirty",
                "--abbrev=40",
                "--exclude=*",
            ],
        )
        .unwrap_or_default()
    });
    println!("cargo::rerun-if-env-changed=NOETL_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(log) = output("git", &["rev-parse", "--git-path", "logs/HEAD"])
        .filter(|log| PathBuf::from(log).exists())
    {
        println!("cargo::rerun-if-changed={log}");
    }
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
    ] {
        println!("cargo::rustc-env={name}={value}");
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
