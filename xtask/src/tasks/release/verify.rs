//! `cargo xtask release verify TAG`: proves a published release as anybody can, without credentials.

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::semver::Version;
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::registry::{Anonymous, Client};
use noetl_oci::{Reference, Sha256};
use serde::Serialize;
use std::sync::Arc;

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx, Tokens};
use crate::host::{files, output, run};
use crate::image::rules::ImageStandard;
use crate::publish::endpoints::Endpoints;
use crate::publish::inputs;
use crate::publish::items::{crates, github, npm, pypi};
use crate::publish::remotes::Remotes;
use crate::release::dist_manifest::{Content, DistManifest, SUMS_NAME};
use crate::release::packages::wheel;
use crate::release::workspace;
use crate::release::{target, verify};
use crate::tasks::release::repository;
use crate::tasks::release::sign::BUNDLE;

/// The workflow whose identity signs releases.
const SIGNER: &str = "/.github/workflows/release.yml@";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// Download a published release and prove all of it, without credentials
#[derive(Debug, Args)]
#[command(
    after_help = "Downloads every file, compares it with SHA256SUMS and with GitHub's digest, opens all packages by the rules of \
    `verify`, checks the\nsignature (with cosign) and the attestation (with gh), and compares the registries of Python, npm, Rust and \
    images with the files.\n\nExamples:\n  cargo xtask release verify v0.1.0\n  cargo xtask release verify v0.1.0 --json"
)]
pub(super) struct VerifyArgs {
    /// The tag, such as v0.1.0
    tag: String,
    /// Check the signature of SHA256SUMS with this public key, for a release that was signed with a key
    #[arg(long, value_name = "FILE")]
    key: Option<String>,
    /// Print JSON: each check with its result
    #[arg(long)]
    json: bool,
    /// Where the services are, as JSON
    #[arg(long, value_name = "FILE")]
    remotes: Option<Utf8PathBuf>,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "why")]
enum Outcome {
    Passed,
    Failed(String),
    NotChecked(String),
}

#[derive(Debug, Serialize)]
struct Check {
    what: String,
    #[serde(flatten)]
    outcome: Outcome,
}

/// The checks so far.
#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, what: impl Into<String>, result: anyhow::Result<()>) {
        let outcome = match result {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        self.0.push(Check {
            what: what.into(),
            outcome,
        });
    }

    fn skip(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.0.push(Check {
            what: what.into(),
            outcome: Outcome::NotChecked(why.into()),
        });
    }
}

pub(super) fn run(ctx: &Ctx, args: &VerifyArgs) -> anyhow::Result<()> {
    let endpoints = Endpoints::read(ctx, args.remotes.as_deref())?;
    // No credential of this machine is sent, so that a result is that of everybody.
    let public = Ctx {
        tokens: Tokens::default(),
        ..ctx.clone()
    };
    let remotes = Remotes::new(&public, endpoints, repository());
    let release = github::Release {
        repository: repository().to_owned(),
        tag: args.tag.clone(),
    };
    let found = release.find(&remotes)?;
    let found = found
        .filter(|it| !it.draft)
        .with_context(|| format!("GitHub has no published release {}", args.tag))
        .help("name a tag of the page with the releases")?;
    let folder = ctx.state().join("release/verify").join(&args.tag);
    files::remove(&folder)?;
    files::create_folder(&folder)?;
    let mut checks = Checks::default();
    output::step(ctx, &format!("download {} to {folder}", args.tag), || {
        download(&remotes, &release, found.id, &folder, &mut checks)
    })?;
    let signature = Utf8PathBuf::from(format!("{folder}.sigstore.json"));
    if folder.join(BUNDLE).is_file() {
        files::write(&signature, files::read(&folder.join(BUNDLE))?)?;
        files::remove(&folder.join(BUNDLE))?;
    }
    let standard = ImageStandard::any_release(&target::platforms());
    let (findings, manifest) = output::step(ctx, "check every file by the rules", || {
        verify::check_dist(&public, &folder, standard.rules())
    })?;
    for line in findings.lines() {
        output::finding(&line);
    }
    let count = findings.errors();
    checks.add(
        "the files by the rules of `cargo xtask verify`",
        match count {
            0 => Ok(()),
            _ => Err(anyhow!("{count} errors, listed above")),
        },
    );
    trust(ctx, args, &folder, &signature, &mut checks);
    if let Some(manifest) = &manifest {
        let is_same = manifest.release.tag == args.tag;
        let what = || anyhow!("dist-manifest.json is of {}", manifest.release.tag);
        checks.add(
            "the tag of the files",
            if is_same { Ok(()) } else { Err(what()) },
        );
        let version = Version::parse(&manifest.release.version)?;
        if !inputs::is_nightly(&version) {
            registries(&remotes, manifest, &folder, &mut checks);
        }
        let is_latest = version.pre.is_empty() && latest(&remotes, &release, &version, &mut checks);
        images(&remotes, manifest, is_latest, &mut checks);
    }
    conclude(args, &checks.0)
}

/// Checks that `releases/latest` leads to a release, unless a newer one is published. Returns whether it should.
fn latest(
    remotes: &Remotes<'_>,
    release: &github::Release,
    version: &Version,
    checks: &mut Checks,
) -> bool {
    let what = "releases/latest";
    let found = release.latest(remotes);
    let newer = found.as_ref().ok().and_then(Option::as_ref).filter(|tag| {
        let found = Version::parse(tag.trim_start_matches('v'));
        found.is_ok_and(|found| found > *version)
    });
    if let Some(newer) = newer {
        checks.skip(what, format!("{newer} is newer"));
        return false;
    }
    checks.add(what, found.and_then(|found| points_to(found, &release.tag)));
    true
}

fn points_to(found: Option<String>, expected: &str) -> anyhow::Result<()> {
    let found = found.unwrap_or_else(|| "nothing".to_owned());
    ensure!(found == expected, "it leads to {found}");
    Ok(())
}

fn download(
    remotes: &Remotes<'_>,
    release: &github::Release,
    id: u64,
    folder: &Utf8Path,
    checks: &mut Checks,
) -> anyhow::Result<()> {
    for asset in release.assets(remotes, id)? {
        let bytes = release.download(remotes, &asset)?;
        let digest = Sha256::of(&bytes).digest();
        let is_plain = !asset.name.contains(['/', '\\']) && !asset.name.starts_with('.');
        ensure!(is_plain, "GitHub names a file {:?}", asset.name);
        files::write(&folder.join(&asset.name), &bytes)?;
        if let Some(listed) = &asset.digest
            && *listed != digest
        {
            let error = anyhow!("it is {digest}, and GitHub lists {listed}");
            checks.add(format!("GitHub's digest of {}", asset.name), Err(error));
        }
    }
    Ok(())
}

/// Checks signature and attestation with the tools of those who made the formats.
fn trust(ctx: &Ctx, args: &VerifyArgs, folder: &Utf8Path, bundle: &Utf8Path, checks: &mut Checks) {
    let sums = folder.join(SUMS_NAME);
    let what = format!("the signature of {SUMS_NAME}");
    if !bundle.is_file() {
        checks.skip(what, "the release has no signature");
    } else if ctx::find_program("cosign").is_none() {
        checks.skip(what, "cosign is not installed");
    } else {
        let mut command =
            CommandLine::new("cosign").args(["verify-blob", "--bundle", bundle.as_str()]);
        command = match &args.key {
            Some(key) => command.args(["--key", key, "--insecure-ignore-tlog=true"]),
            None => {
                let identity = format!("^https://github.com/{}{SIGNER}", repository());
                command.args([
                    "--certificate-identity-regexp",
                    &identity,
                    "--certificate-oidc-issuer",
                    ISSUER,
                ])
            }
        };
        checks.add(what, run::read(ctx, &command.arg(sums.as_str())).map(drop));
    }
    let what = format!("GitHub's attestation of {SUMS_NAME}");
    if args.remotes.is_some() {
        checks.skip(what, "these are not the public services");
    } else if ctx::find_program("gh").is_none() {
        checks.skip(what, "gh is not installed");
    } else {
        let command = CommandLine::new("gh");
        let command = command.args([
            "attestation",
            "verify",
            sums.as_str(),
            "--repo",
            repository(),
        ]);
        checks.add(what, run::read(ctx, &command).map(drop));
    }
}

/// Compares what the registries of packages have with the files of the release.
fn registries(
    remotes: &Remotes<'_>,
    manifest: &DistManifest,
    folder: &Utf8Path,
    checks: &mut Checks,
) {
    let version = &manifest.release.version;
    for artifact in &manifest.artifacts {
        let name = &artifact.name;
        match &artifact.content {
            Content::Wheel(_) | Content::Sdist => {
                let found = pypi::find(remotes, wheel::DISTRIBUTION, name);
                let same = found.and_then(|found| {
                    let found = found
                        .context("it is not there")?
                        .context("it has no hash")?;
                    ensure!(found == artifact.sha256, "it is {found} there");
                    Ok(())
                });
                checks.add(format!("Python's index: {name}"), same);
            }
            Content::Npm(package) => {
                let same = files::read(&folder.join(name)).and_then(|bytes| {
                    let found = npm::find(remotes, &package.package, version)?;
                    let found = found.context("it is not there")?;
                    let (integrity, _) = npm::hashes(&bytes);
                    ensure!(found == integrity, "it is {found} there");
                    Ok(())
                });
                checks.add(format!("npm: {} {version}", package.package), same);
            }
            _ => {}
        }
    }
    // Crates are not among the files of the release; the registry compares them with its index.
    let found = crates::find(remotes, "noetlctl", version);
    let found = found.and_then(|it| it.context("it is not there").map(drop));
    checks.add(format!("crates: noetlctl {version}"), found);
}

/// Compares the tags of the image with the image in the release.
fn images(remotes: &Remotes<'_>, manifest: &DistManifest, is_latest: bool, checks: &mut Checks) {
    let digests = manifest
        .artifacts
        .iter()
        .filter_map(|it| match &it.content {
            Content::Image(image) => Some(&image.index_digest),
            _ => None,
        });
    let client = Client::new(Arc::new(Anonymous), remotes.ctx.network.clone());
    for digest in digests {
        let tags = [manifest.release.version.as_str(), "latest"];
        for tag in tags.into_iter().take(if is_latest { 2 } else { 1 }) {
            let what = format!("the image {tag}");
            let head = Reference::join(&remotes.endpoints().registry, workspace::image(), tag)
                .and_then(|name| client.repository(&name).head(tag));
            match head {
                // Each push to the main branch moves it, too.
                Ok(Some(head)) if tag == "latest" && head.digest != *digest => {
                    checks.skip(what, format!("it is {}, of a later commit", head.digest));
                }
                head => {
                    let found = head.map(|head| head.map(|it| it.digest));
                    checks.add(what, found.and_then(|found| points_to(found, digest)));
                }
            }
        }
    }
}

fn conclude(args: &VerifyArgs, checks: &[Check]) -> anyhow::Result<()> {
    let failed = checks
        .iter()
        .filter(|it| matches!(it.outcome, Outcome::Failed(_)))
        .count();
    if args.json {
        output::json(&checks)?;
    } else {
        for Check { what, outcome } in checks {
            output::line(match outcome {
                Outcome::Passed => format!("ok           {what}"),
                Outcome::Failed(why) => format!("FAILED       {what}: {why}"),
                Outcome::NotChecked(why) => format!("not checked  {what}: {why}"),
            })?;
        }
    }
    if failed > 0 {
        return Err(anyhow!(
            "{failed} of {} checks of {} failed",
            checks.len(),
            args.tag
        ))
        .help("do not use it; tell the project what failed");
    }
    Ok(())
}
