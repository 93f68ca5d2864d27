//! How the program in a file was proved: by running it, or by its headers alone.

use anyhow::{Context as _, ensure};
use camino::Utf8Path;
use noetl_help::Help as _;
use serde::{Deserialize, Serialize};
use xshell::cmd;

use crate::host::ctx::{self, Ctx};
use crate::host::{files, output, run};
use crate::release::cargo::Binary;
use crate::release::target::{self, Arch, Os, Target};
use crate::release::version::Release;

/// How a file was proved, beside the rules on its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Proof {
    /// It has no program.
    NotChecked,
    /// The rules on its program hold: everything that it imports is on the oldest system that it is for.
    Simulated,
    /// Its program, or one with the same hash, was started and said its version, here or in an emulator.
    Ran,
}

/// Runs each binary that this machine or an emulator on it can run. Returns a proof for each, in their order.
///
/// # Errors
/// When a binary that is for this machine does not start, or says another version.
pub(crate) fn of_binaries(
    ctx: &Ctx,
    release: &Release,
    binaries: &[Binary],
    host: &str,
) -> anyhow::Result<Vec<Proof>> {
    let own = target::select(&["host".to_owned()], host).unwrap_or_default();
    let proof = |built: &Binary| {
        let copy = ctx
            .state()
            .join(format!("run-{}", built.target.binary_name()));
        files::copy_executable(&built.path, &copy)?;
        files::make_executable(&copy)?;
        let proof = if own.contains(&built.target) {
            let triple = built.target.triple;
            let said = says_version(ctx, release, None, &copy);
            said.with_context(|| format!("the program for {triple} does not run here"))
                .help("run it by hand: it is in target/")?;
            Proof::Ran
        } else {
            emulated(ctx, release, built.target, &copy)
        };
        files::remove(&copy)?;
        Ok(proof)
    };
    binaries.iter().map(proof).collect()
}

/// Runs a program in the emulator for its system. One that fails is reported, since it can be at fault itself.
fn emulated(ctx: &Ctx, release: &Release, target: &Target, program: &Utf8Path) -> Proof {
    let Some(emulator) = emulator(target).filter(|name| ctx::find_program(name).is_some()) else {
        return Proof::Simulated;
    };
    match says_version(ctx, release, Some(emulator), program) {
        Ok(()) => Proof::Ran,
        Err(error) => {
            output::warn(&format!(
                "{emulator} does not run the program for {}: {error:#}",
                target.triple
            ));
            Proof::Simulated
        }
    }
}

/// Returns the emulator that runs a target's programs on another machine; its name on PATH.
fn emulator(target: &Target) -> Option<&'static str> {
    match (target.os, target.arch) {
        (Os::Linux, Arch::Aarch64) if cfg!(target_os = "linux") => Some("qemu-aarch64-static"),
        (Os::Linux, Arch::X86_64) if cfg!(target_os = "linux") => Some("qemu-x86_64-static"),
        (Os::Windows, Arch::X86_64) if cfg!(target_arch = "x86_64") => Some("wine"),
        _ => None,
    }
}

fn says_version(
    ctx: &Ctx,
    release: &Release,
    emulator: Option<&str>,
    program: &Utf8Path,
) -> anyhow::Result<()> {
    let shell = &ctx.shell;
    let command = match emulator {
        None => cmd!(shell, "{program} --version"),
        Some(emulator) => {
            let prefix = ctx.state().join("wine");
            let command = cmd!(shell, "{emulator} {program} --version");
            command.env("WINEPREFIX", prefix).env("WINEDEBUG", "-all")
        }
    };
    let said = run::read(ctx, command)?;
    let version = &release.version;
    ensure!(
        said.contains(version.as_str()),
        "it said {said:?}, and not {version}"
    );
    Ok(())
}

/// Returns how many files have each proof, as one line.
pub(crate) fn summary(proofs: impl Iterator<Item = Proof>) -> String {
    let (mut ran, mut simulated, mut not_checked) = (0, 0, 0);
    for proof in proofs {
        match proof {
            Proof::Ran => ran += 1,
            Proof::Simulated => simulated += 1,
            Proof::NotChecked => not_checked += 1,
        }
    }
    format!(
        "programs of {ran} files ran, those of {simulated} were simulated, {not_checked} have none"
    )
}
