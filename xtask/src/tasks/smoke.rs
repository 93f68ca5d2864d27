//! `cargo xtask smoke DIR`: what was built, installed and run on this very machine.
//!
//! Wants neither Rust nor a checkout: it reads files and starts what it finds in them.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::Sha256;
use noetl_oci::tar::Entry;
use serde_json::{Value, json};

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::{files, output, run};
use crate::release::dist_manifest::{Artifact, Content, DistManifest, FILE_NAME, SUMS_NAME};
use crate::release::target::{Arch, Os, TARGETS, Target};
use crate::release::{archives, checksums};

/// Install and run what a dist holds for this machine
#[derive(Debug, Args)]
#[command(
    after_help = "Takes the archives that are for this system and processor, and on Linux the image where a Docker \
    engine answers.\nEach is installed, tells its version, serves its API and its page, and runs a playbook here and \
    on its server.\nNeeds neither Rust nor a checkout, so that it runs on any machine of a kind.\n\nExamples:\n  \
    cargo xtask smoke dist\n  cargo xtask smoke dist --json"
)]
pub(crate) struct SmokeArgs {
    /// Folder that `cargo xtask dist` made
    dist: Utf8PathBuf,
    /// Print JSON: each way of installing, and whether it passed or was not run
    #[arg(long)]
    json: bool,
}

/// One way of installing and what came of it.
struct Proof {
    artifact: String,
    way: &'static str,
    /// Why it was not run, where it was not.
    not_run: Option<String>,
}

pub(crate) fn run(ctx: &Ctx, args: &SmokeArgs) -> anyhow::Result<()> {
    let help = "`cargo xtask dist` makes one; `cargo xtask ci-multiarch --merge` joins what machines built";
    let text = files::read(&args.dist.join(FILE_NAME)).help(help)?;
    let dist_manifest: DistManifest = serde_json::from_slice(&text)
        .with_context(|| format!("cannot read {}", args.dist.join(FILE_NAME)))
        .help(help)?;
    let sums = listed(&args.dist)?;
    let mut proofs = Vec::new();
    for artifact in &dist_manifest.artifacts {
        let bytes = || intact(&args.dist, artifact, &sums);
        match &artifact.content {
            Content::Archive(content) => {
                let target = Target::find(&content.target).filter(|target| runs_here(target));
                let Some(target) = target else { continue };
                let title = format!("install and run {}", artifact.name);
                output::step(ctx, &title, || {
                    let folder = Folder::new(ctx)?;
                    let binary = unpack(&folder, target, &bytes()?)?;
                    prove(ctx, &folder, &binary, &dist_manifest)
                })
                .with_context(|| format!("{} does not work here", artifact.name))?;
                proofs.push(Proof {
                    artifact: artifact.name.clone(),
                    way: "archive",
                    not_run: None,
                });
            }
            Content::Image(_) if std::env::consts::OS == "linux" => {
                drop(bytes()?);
                let not_run = image(ctx, &args.dist.join(&artifact.name), &dist_manifest)
                    .with_context(|| format!("{} does not work here", artifact.name))?;
                proofs.push(Proof {
                    artifact: artifact.name.clone(),
                    way: "docker",
                    not_run,
                });
            }
            Content::Image(_) => {}
        }
    }
    let ran = proofs.iter().any(|proof| proof.not_run.is_none());
    let machine = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    if !ran {
        return Err(anyhow!(
            "{} holds nothing that runs on {machine}",
            args.dist
        ))
        .help("cargo xtask dist --targets host");
    }
    report(args, &proofs)
}

fn report(args: &SmokeArgs, proofs: &[Proof]) -> anyhow::Result<()> {
    if args.json {
        let proofs = proofs.iter().map(|proof| {
            json!({ "artifact": proof.artifact, "way": proof.way, "passed": proof.not_run.is_none(),
                    "not_run": proof.not_run })
        });
        let list: Vec<_> = proofs.collect();
        return output::json(&list);
    }
    for Proof {
        artifact,
        way,
        not_run,
    } in proofs
    {
        match not_run {
            None => output::line(format!("passed   {artifact} ({way})"))?,
            Some(reason) => output::line(format!("not run  {artifact} ({way}): {reason}"))?,
        }
    }
    Ok(())
}

/// Whether this system starts the target's programs by itself.
fn runs_here(target: &Target) -> bool {
    let os = match target.os {
        Os::Linux => "linux",
        Os::Mac => "macos",
        Os::Windows => "windows",
    };
    let arch = match target.arch {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "aarch64",
    };
    (std::env::consts::OS, std::env::consts::ARCH) == (os, arch)
}

/// What `SHA256SUMS` lists, which is what people compare with.
fn listed(dist: &Utf8Path) -> anyhow::Result<BTreeMap<String, Sha256>> {
    let path = dist.join(SUMS_NAME);
    checksums::parse(&files::read_to_string(&path)?)
        .with_context(|| format!("cannot read {path}"))
        .help("fetch it again")
}

/// A file of the dist, once its hash is the one that both lists have.
fn intact(
    dist: &Utf8Path,
    artifact: &Artifact,
    sums: &BTreeMap<String, Sha256>,
) -> anyhow::Result<Vec<u8>> {
    let path = dist.join(&artifact.name);
    let bytes = files::read(&path)?;
    let found = Sha256::of(&bytes);
    let lists = [
        (FILE_NAME, Some(&artifact.sha256)),
        (SUMS_NAME, sums.get(&artifact.name)),
    ];
    for (list, sha256) in lists {
        if sha256 != Some(&found) {
            return Err(anyhow!(
                "{path} is not what {list} lists: its hash is {found}"
            ))
            .help("fetch it again");
        }
    }
    Ok(bytes)
}

/// A folder that nothing else uses, gone when dropped.
struct Folder(Utf8PathBuf);

impl Folder {
    fn new(ctx: &Ctx) -> anyhow::Result<Self> {
        let path = ctx.state().join(format!("smoke-{}", std::process::id()));
        files::remove(&path)?;
        files::create_folder(&path)?;
        Ok(Self(path))
    }

    /// `noetl` as somebody has it who has just installed it: with a home of its own and no settings.
    fn noetl(&self, binary: &Utf8Path, args: &[&str]) -> CommandLine {
        CommandLine::new(binary.as_str())
            .args(args.iter().copied())
            .cwd(&self.0)
            .env("HOME", self.0.as_str())
            .env("USERPROFILE", self.0.as_str())
            .env("NOETL_DATA_DIR", self.0.join("data").as_str())
            .env("NOETL_SERVER_URL", "")
            .env("NOETL_API_TOKEN", "")
            .env("DATABASE_URL", "")
            .env("POSTGRES_HOST", "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = files::remove(&self.0) {
            output::warn(&format!("{error:#}"));
        }
    }
}

/// Unpacks an archive as a person would, and gives the program.
fn unpack(folder: &Folder, target: &Target, bytes: &[u8]) -> anyhow::Result<Utf8PathBuf> {
    let entries = archives::unpack(target, bytes)?;
    let is_program = |entry: &&Entry| entry.path.ends_with(&format!("/{}", target.binary_name()));
    let program = entries
        .iter()
        .find(is_program)
        .context("the archive holds no program")?;
    for entry in entries.iter().filter(|entry| !entry.path.ends_with('/')) {
        files::write(&folder.0.join(&entry.path), entry.content.read()?)?;
    }
    let path = folder.0.join(&program.path);
    files::make_executable(&path)?;
    Ok(path)
}

/// A playbook of a step that hands on a value and one that starts a process.
const PLAYBOOK: &str = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: smoke, path: smoke}\n\
    workload: {word: hello}\nworkflow:\n  - step: start\n    tool: {kind: noop}\n    next: [{step: say}]\n  \
    - step: say\n    tool: {kind: shell, cmds: \"echo {{ word }} shell\"}\n";

fn prove(
    ctx: &Ctx,
    folder: &Folder,
    binary: &Utf8Path,
    dist_manifest: &DistManifest,
) -> anyhow::Result<()> {
    let release = &dist_manifest.release;
    let stamp = answer(ctx, &folder.noetl(binary, &["version", "--json"]))?;
    for (field, expected) in [("version", &release.version), ("commit", &release.commit)] {
        let found = &stamp[field];
        ensure!(
            found == expected.as_str(),
            "its {field} is {found}, not {expected}"
        );
    }
    let file = folder.0.join("smoke.yaml");
    files::write(&file, PLAYBOOK)?;
    let here = answer(
        ctx,
        &folder.noetl(binary, &["run", file.as_str(), "--json"]),
    )?;
    let said = here["steps"]["say"]["stdout"].as_str().unwrap_or_default();
    ensure!(
        said.trim() == "hello shell",
        "a shell step said {said:?}: {here}"
    );
    run::read(
        ctx,
        &folder.noetl(binary, &["server", "start", "--detach", "--port", "0"]),
    )?;
    let served = on_server(ctx, folder, binary, &file);
    let stopped = run::read(ctx, &folder.noetl(binary, &["server", "stop"]));
    served.and(stopped.map(drop))
}

fn on_server(ctx: &Ctx, folder: &Folder, binary: &Utf8Path, file: &Utf8Path) -> anyhow::Result<()> {
    let url = files::read_to_string(&folder.0.join(".noetl/noetl_server.url"))?;
    let noetl = |args: &[&str]| {
        folder
            .noetl(binary, args)
            .env("NOETL_SERVER_URL", url.trim())
    };
    let check = answer(ctx, &noetl(&["server", "check", "--json"]))?;
    let files = check["answers"].as_array().map_or(0, Vec::len);
    output::note(ctx, &format!("{} served {files} paths", url.trim()));
    answer(
        ctx,
        &noetl(&["register", "playbook", "--file", file.as_str(), "--json"]),
    )?;
    let started = answer(ctx, &noetl(&["execute", "playbook", "smoke", "--json"]))?;
    let id = started["execution_id"]
        .as_str()
        .context("an execution has an id")?;
    let ended = answer(ctx, &noetl(&["status", id, "--watch", "--json"]))?;
    ensure!(
        ended["status"] == "COMPLETED",
        "the playbook ended otherwise: {ended}"
    );
    Ok(())
}

/// The last line that a command prints, as JSON.
fn answer(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<Value> {
    let printed = run::read(ctx, command)?;
    let whole = serde_json::from_str(&printed);
    whole
        .or_else(|_| serde_json::from_str(printed.lines().last().unwrap_or_default()))
        .with_context(|| format!("`{command}` printed no JSON: {printed}"))
}

/// Loads the image and runs it; says why not, where no engine answers.
fn image(
    ctx: &Ctx,
    tar: &Utf8Path,
    dist_manifest: &DistManifest,
) -> anyhow::Result<Option<String>> {
    let docker = |words: &[&str]| CommandLine::new("docker").args(words.iter().copied());
    if ctx::find_program("docker").is_none() || run::read(ctx, &docker(&["version"])).is_err() {
        return Ok(Some("no Docker engine answers".to_owned()));
    }
    let own = TARGETS.iter().find(|target| runs_here(target));
    let platform = own
        .and_then(Target::platform)
        .with_context(|| format!("no image for {}", std::env::consts::ARCH))?;
    output::step(ctx, &format!("load and run {tar}"), || {
        let loaded = run::read(ctx, &docker(&["load", "--quiet", "--input", tar.as_str()]))?;
        let name = loaded
            .trim()
            .rsplit(": ")
            .next()
            .unwrap_or_default()
            .to_owned();
        let inspect = ["image", "inspect", "--format", "{{.Architecture}}", &name];
        let loaded_for = run::read(ctx, &docker(&inspect))?;
        if loaded_for.trim() != platform.architecture {
            // The classic engine takes the tar's Docker part alone, which is for one platform.
            return Ok(Some(format!(
                "this engine loaded {} alone",
                loaded_for.trim()
            )));
        }
        let platform = platform.without_variant();
        let words = [
            "run",
            "--rm",
            "--platform",
            &platform,
            &name,
            "version",
            "--json",
        ];
        let stamp = answer(ctx, &docker(&words))?;
        let expected = &dist_manifest.release.commit;
        ensure!(
            stamp["commit"] == expected.as_str(),
            "{name} is of {}, not {expected}",
            stamp["commit"]
        );
        Ok(None)
    })
}
