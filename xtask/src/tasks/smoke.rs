//! `cargo xtask smoke DIR`: installs and runs what a dist holds for this machine.
//!
//! Needs neither Rust nor a checkout: it reads files and runs the programs in them.

use std::collections::BTreeMap;
use std::env::consts::{ARCH, OS};

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::Sha256;
use serde::Serialize;
use serde_json::json;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::{files, output, run};
use crate::release::checksums;
use crate::release::dist_manifest::{Artifact, Content, DistManifest, FILE_NAME, SUMS_NAME};
use crate::release::packages::archives;
use crate::release::target::{TARGETS, Target};
use crate::release::version::Release;
use crate::tasks::sandbox::{Sandbox, read_json};

/// Install and run what a dist holds for this machine
#[derive(Debug, Args)]
#[command(
    after_help = "Takes the archives for this system and processor and, on Linux with a Docker engine, the image.\n\
    Each is installed, prints its version, serves its API and its web page, and runs a playbook locally and on its \
    server.\nNeeds neither Rust nor a checkout, so it runs on any machine.\n\nExamples:\n  \
    cargo xtask smoke dist\n  cargo xtask smoke dist --json"
)]
pub(crate) struct SmokeArgs {
    /// Folder that `cargo xtask dist` made
    dist: Utf8PathBuf,
    /// Print JSON: each artifact, how it was installed, and whether it passed or was not run
    #[arg(long)]
    json: bool,
}

/// A file of the dist, how it was installed, and the result.
#[derive(Serialize)]
struct Outcome {
    artifact: String,
    way: &'static str,
    passed: bool,
    /// Why it was not run.
    not_run: Option<String>,
}

pub(crate) fn run(ctx: &Ctx, args: &SmokeArgs) -> anyhow::Result<()> {
    let help = "`cargo xtask dist` makes one; `cargo xtask ci-multiarch --merge` joins what machines built";
    let path = args.dist.join(FILE_NAME);
    let dist_manifest: DistManifest = serde_json::from_slice(&files::read(&path).help(help)?)
        .with_context(|| format!("cannot read {path}"))
        .help(help)?;
    let sums = read_sums(&args.dist)?;
    let release = &dist_manifest.release;
    let mut outcomes = Vec::new();
    for artifact in &dist_manifest.artifacts {
        let name = &artifact.name;
        let read = || read_artifact(&args.dist, artifact, &sums);
        let (way, result) = match &artifact.content {
            Content::Archive(archive) => {
                let target = Target::find(&archive.target).filter(|target| runs_here(target));
                let Some(target) = target else { continue };
                let title = format!("install and run {name}");
                let run = || run_archive(ctx, target, &read()?, release);
                ("archive", output::step(ctx, &title, run))
            }
            Content::Image(_) if OS == "linux" => {
                let run = |_| run_image(ctx, &args.dist.join(name), release);
                ("docker", read().and_then(run))
            }
            // Package managers install the others.
            _ => continue,
        };
        let not_run = result.with_context(|| format!("{name} does not work here"))?;
        outcomes.push(Outcome {
            artifact: name.clone(),
            way,
            passed: not_run.is_none(),
            not_run,
        });
    }
    if !outcomes.iter().any(|outcome| outcome.passed) {
        return Err(anyhow!("{} has nothing for {OS} on {ARCH}", args.dist))
            .help("cargo xtask dist --targets host");
    }
    if args.json {
        return output::json(&outcomes);
    }
    outcomes.iter().try_for_each(|outcome| {
        let (artifact, way) = (&outcome.artifact, outcome.way);
        output::line(match &outcome.not_run {
            None => format!("passed   {artifact} ({way})"),
            Some(reason) => format!("not run  {artifact} ({way}): {reason}"),
        })
    })
}

/// Whether this system runs the target's programs. Targets spell systems and processors as `std::env::consts` does.
fn runs_here(target: &Target) -> bool {
    json!(target.os) == OS && json!(target.arch) == ARCH
}

/// Reads `SHA256SUMS`.
fn read_sums(dist: &Utf8Path) -> anyhow::Result<BTreeMap<String, Sha256>> {
    let path = dist.join(SUMS_NAME);
    checksums::parse(&files::read_to_string(&path)?)
        .with_context(|| format!("cannot read {path}"))
        .help("fetch it again")
}

/// Reads a file of the dist, and fails unless its hash is the one in `dist-manifest.json` and in `SHA256SUMS`.
fn read_artifact(
    dist: &Utf8Path,
    artifact: &Artifact,
    sums: &BTreeMap<String, Sha256>,
) -> anyhow::Result<Vec<u8>> {
    let path = dist.join(&artifact.name);
    let bytes = files::read(&path)?;
    let found = Sha256::of(&bytes);
    let (listed, summed) = (Some(&artifact.sha256), sums.get(&artifact.name));
    for (list, sha256) in [(FILE_NAME, listed), (SUMS_NAME, summed)] {
        if sha256 != Some(&found) {
            return Err(anyhow!("{path} is not what {list} lists, but {found}"))
                .help("fetch it again");
        }
    }
    Ok(bytes)
}

/// A playbook with a step that passes on a value and a step that starts a process.
const PLAYBOOK: &str = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: smoke, path: smoke}\n\
    workload: {word: hello}\nworkflow:\n  - step: start\n    tool: {kind: noop}\n    next: [{step: say}]\n  \
    - step: say\n    tool: {kind: shell, cmds: \"echo {{ word }} shell\"}\n";

/// Unpacks an archive and runs its program: by itself, and as a server.
fn run_archive(
    ctx: &Ctx,
    target: &Target,
    archive: &[u8],
    release: &Release,
) -> anyhow::Result<Option<String>> {
    let sandbox = Sandbox::new(ctx, "smoke")?;
    let (sh, noetl) = (&sandbox.shell, &unpack(&sandbox.folder, target, archive)?);
    let stamp = read_json(ctx, cmd!(sh, "{noetl} version --json"))?;
    for (field, expected) in [("version", &release.version), ("commit", &release.commit)] {
        let found = &stamp[field];
        ensure!(found == expected, "its {field} is {found}, not {expected}");
    }
    let playbook = &sandbox.folder.join("smoke.yaml");
    files::write(playbook, PLAYBOOK)?;
    let result = read_json(ctx, cmd!(sh, "{noetl} run {playbook} --json"))?;
    let printed = result["steps"]["say"]["stdout"].as_str().map(str::trim);
    let right = printed == Some("hello shell");
    ensure!(right, "the shell step printed something else: {result}");
    sandbox.with_server(ctx, noetl, |url| {
        let check = read_json(ctx, cmd!(sh, "{noetl} server check --json"))?;
        let paths = check["answers"].as_array().map_or(0, Vec::len);
        output::note(ctx, &format!("{url} served {paths} paths"));
        let register = cmd!(sh, "{noetl} register playbook --json --file");
        read_json(ctx, register.arg(playbook))?;
        let execute = cmd!(sh, "{noetl} execute playbook smoke --json");
        let started = read_json(ctx, execute)?;
        let id = started["execution_id"].as_str();
        let id = id.context("the execution has no ID")?;
        let ended = read_json(ctx, cmd!(sh, "{noetl} status {id} --watch --json"))?;
        let completed = ended["status"] == "COMPLETED";
        ensure!(completed, "the playbook did not complete: {ended}");
        Ok(None)
    })
}

/// Unpacks an archive into a folder and returns the path of its program.
fn unpack(folder: &Utf8Path, target: &Target, archive: &[u8]) -> anyhow::Result<Utf8PathBuf> {
    let entries = archives::unpack(target, archive)?;
    for entry in entries.iter().filter(|entry| !entry.path.ends_with('/')) {
        files::write(&folder.join(&entry.path), entry.content.read()?)?;
    }
    let name = format!("/{}", target.binary_name());
    let program = entries.iter().find(|entry| entry.path.ends_with(&name));
    let path = folder.join(&program.context("the archive holds no program")?.path);
    files::make_executable(&path)?;
    Ok(path)
}

/// Loads the image and runs it. Returns why it was not run, when no engine could.
fn run_image(ctx: &Ctx, tar: &Utf8Path, release: &Release) -> anyhow::Result<Option<String>> {
    let sh = &ctx.shell;
    if run::read(ctx, cmd!(sh, "docker version")).is_err() {
        return Ok(Some("no Docker engine answers".to_owned()));
    }
    let mut targets = TARGETS.iter().filter(|target| runs_here(target));
    let platform = targets
        .find_map(Target::platform)
        .with_context(|| format!("no image for {ARCH}"))?;
    output::step(ctx, &format!("load and run {tar}"), || {
        let loaded = run::read(ctx, cmd!(sh, "docker load --quiet --input {tar}"))?;
        let name = loaded.trim().rsplit(": ").next().unwrap_or_default();
        let format = "{{.Architecture}}";
        let inspect = cmd!(sh, "docker image inspect --format {format} {name}");
        let architecture = run::read(ctx, inspect)?.trim().to_owned();
        if architecture != platform.architecture {
            // The classic image store reads only the tar's Docker part, which is for one platform.
            return Ok(Some(format!("this engine loaded only {architecture}")));
        }
        let platform = platform.without_variant();
        let run = cmd!(sh, "docker run --rm --platform {platform} {name}");
        let commit = read_json(ctx, run.args(["version", "--json"]))?["commit"].take();
        let expected = &release.commit;
        ensure!(commit == *expected, "{name} is of {commit}, not {expected}");
        Ok(None)
    })
}
