//! `cargo xtask dist`: everything that is shipped, checked before it replaces what was there.

use std::collections::BTreeSet;

use anyhow::{anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::{LayerCache, Sha256};
use serde::Serialize;

use crate::host::ctx::{Ctx, Wanted};
use crate::host::{files, git, output, run};
use crate::image::assemble::{Foundation, assemble};
use crate::image::plan::{self as image_plan, ImagePlan};
use crate::image::rules::ImageStandard;
use crate::release::cargo::{self, Binary, Host};
use crate::release::checksums;
use crate::release::dist::{self, Inputs};
use crate::release::dist_manifest::{self, DistManifest, FILE_NAME, SUMS_NAME};
use crate::release::packages::recipes::Download;
use crate::release::packages::signer::Signer;
use crate::release::packages::universal::{PARTS, UNIVERSAL};
use crate::release::packages::{
    apt, archives, companions, dnf, installers, npm, recipes, sdist, wheel,
};
use crate::release::plan::{Plan, Products, Request, plan};
use crate::release::target::{Format, Target, platforms};
use crate::release::verify::Verified;
use crate::release::{page, proof, sbom, target, verify};
use crate::tasks::image::default_references;
use crate::tasks::{Preview, rebuild};

/// Build, package and check NoETL for every platform
#[derive(Debug, Args)]
#[command(
    after_help = "Writes dist/: an archive, a Python wheel, an npm package and an SBOM per target; a deb and an rpm per Linux \
    target, with repositories of them\nfor apt and dnf; the sources for pip; installers; recipes for Homebrew, Nix, Arch Linux, Scoop and \
    winget; the image for both Linux platforms;\nSHA256SUMS and dist-manifest.json.\nAll files are read back and checked before they replace those of dist/; when nothing has changed, \
    dist/ is only checked.\n\nExamples:\n  cargo xtask dist                     the six default targets and the image\n  \
    cargo xtask dist --targets linux     the two Linux targets and the image\n  \
    cargo xtask dist --plan              every decision, as JSON\n  \
    cargo xtask dist --check-reproducible    the same twice, compared"
)]
pub(crate) struct DistArgs {
    /// Target triples, or host, linux, default, all; separated by commas
    #[arg(long, value_delimiter = ',', default_value = "default", value_parser = target::word)]
    targets: Vec<String>,
    /// Folder to write [default: dist at the repository's root]
    #[arg(long)]
    out: Option<Utf8PathBuf>,
    /// Print dist-manifest.json at the end instead of the list of files
    #[arg(long)]
    json: bool,
    /// Build everything once more, elsewhere and in another environment, and compare every file
    #[arg(long, conflicts_with_all = ["plan", "dry_run"])]
    check_reproducible: bool,
    #[command(flatten)]
    extras: Extras,
    #[command(flatten)]
    preview: Preview,
}

/// What a dist can have besides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Args)]
pub(crate) struct Extras {
    /// Sign the repositories for apt and dnf with this key of GnuPG: a fingerprint or an address
    #[arg(long, value_name = "KEY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_with: Option<String>,
    /// Make an archive with one binary for both kinds of Macs as well; needs both targets
    #[arg(long)]
    #[serde(skip)]
    pub universal2: bool,
}

pub(crate) fn run(ctx: &Ctx, args: &DistArgs) -> anyhow::Result<()> {
    let out = args.out.clone().unwrap_or_else(|| ctx.root.join("dist"));
    if args.preview.wanted() {
        let plan = plan_dist(ctx, &args.targets, &args.extras)?;
        let outputs = outputs(&plan, &out).into_iter();
        let after: Vec<_> = outputs.map(|path| format!("write {path}")).collect();
        return args.preview.show(&plan, &plan.build.commands, &after);
    }
    let verified = ensure(ctx, &args.targets, &args.extras, &out)?;
    if args.check_reproducible {
        return rebuild::compare(ctx, "HEAD", verified.value(), &out, false);
    }
    if args.json {
        return output::print(&files::read_to_string(&out.join(FILE_NAME))?);
    }
    print_artifacts(&out, verified.value())?;
    let proofs = verified.value().artifacts.iter().map(|it| it.proof);
    output::note(ctx, &proof::summary(proofs));
    for name in [FILE_NAME, SUMS_NAME] {
        let bytes = files::read(&out.join(name))?;
        print_file(Sha256::of(&bytes), bytes.len() as u64, &out.join(name))?;
    }
    Ok(())
}

/// Prints the hash, the size and the path of each artifact.
pub(super) fn print_artifacts(out: &Utf8Path, dist_manifest: &DistManifest) -> anyhow::Result<()> {
    let mut artifacts = dist_manifest.artifacts.iter();
    artifacts.try_for_each(|file| print_file(file.sha256, file.size, &out.join(&file.name)))
}

fn print_file(sha256: Sha256, size: u64, path: &Utf8Path) -> anyhow::Result<()> {
    output::line(format!("{sha256} {size:>10} {path}"))
}

/// The plan of a dist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DistPlan {
    /// The binaries and their archives.
    #[serde(flatten)]
    pub build: Plan,
    /// The image, when all its platforms are among the targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImagePlan>,
    /// What it has besides.
    #[serde(flatten)]
    pub extras: Extras,
}

impl DistPlan {
    /// Returns what signs the repositories.
    fn signer<'a>(&'a self, ctx: &'a Ctx) -> Option<Signer<'a>> {
        let key = self.extras.sign_with.as_deref();
        key.map(|key| Signer { ctx, key })
    }
}

/// Makes a dist in a folder, unless it is up to date there.
pub(crate) fn ensure(
    ctx: &Ctx,
    targets: &[String],
    extras: &Extras,
    out: &Utf8Path,
) -> anyhow::Result<Verified<DistManifest>> {
    let _lock = run::lock(ctx)?;
    let tree = |ctx: &Ctx| git::hash(ctx, ".");
    let (plan, tree_hash) = run::both(ctx, tree, || plan_dist(ctx, targets, extras));
    let plan = plan?;
    check_out(out)?;
    if plan.build.release.is_dirty() {
        output::warn("the tree differs from its commit; binaries and image record that");
    }
    if let Some(signer) = plan.signer(ctx) {
        signer.check()?;
    }
    let key = key(&plan, tree_hash?)?;
    let name = Sha256::of(out.as_str().as_bytes());
    let key_file = ctx.state().join(format!("dist-{name}.key"));
    let recorded = files::read_to_string(&key_file).unwrap_or_default();
    if let Some(sum) = recorded.strip_prefix(&key)
        && let Some(verified) = check_existing(ctx, &plan, out, sum.trim())
    {
        return Ok(verified);
    }
    files::remove(&key_file)?;
    let ui_sha256 = page::build(ctx)?;
    let binaries = cargo::build(ctx, &plan.build.compile, &plan.build.targets)?;
    let verified = place(ctx, &plan, &binaries, ui_sha256, out, || {
        // A file that was saved meanwhile may or may not be in what was compiled.
        let same = self::key(&plan, tree(ctx)?)? == key;
        ensure!(same, "the tree was edited during the build; run it again");
        Ok(())
    })?;
    files::write(&key_file, format!("{key}{}\n", checksums::of_folder(out)?))?;
    Ok(verified)
}

/// Plans a dist of the named targets.
pub(crate) fn plan_dist(
    ctx: &Ctx,
    targets: &[String],
    extras: &Extras,
) -> anyhow::Result<DistPlan> {
    let (release, host) = cargo::read_release_and_host(ctx)?;
    let targets = target::select(targets, &host.triple)?;
    // Before anything is compiled.
    wheel::pep440(&release.version)?;
    // An image for some of its platforms would replace a whole one under the same name.
    let built: Vec<_> = targets.iter().filter_map(|it| it.platform()).collect();
    let image = if built == platforms() {
        let references = default_references(&release)?;
        Some(image_plan::of_dist(&release, &references))
    } else {
        None
    };
    // Shipped binaries always have the web page; NOETL_ENABLE_UI only concerns servers.
    let macs = targets
        .iter()
        .filter(|it| PARTS.contains(&it.triple))
        .count();
    if extras.universal2 && macs != PARTS.len() {
        let targets = PARTS.join(",");
        return Err(anyhow!("--universal2 needs both Mac targets"))
            .help(format!("cargo xtask dist --universal2 --targets {targets}"));
    }
    let request = Request {
        targets,
        products: Products::Packages,
        ui: Wanted::Yes,
        universal: extras.universal2,
        timings: false,
    };
    let build = plan(&host, &release, &request);
    Ok(DistPlan {
        build,
        image,
        extras: extras.clone(),
    })
}

/// Refuses to replace a folder that is not a dist, such as a home folder that --out names by mistake.
pub(crate) fn check_out(out: &Utf8Path) -> anyhow::Result<()> {
    let replaceable = match out.read_dir_utf8() {
        Err(_) => !out.exists(),
        Ok(mut entries) => entries.next().is_none() || out.join(FILE_NAME).is_file(),
    };
    if replaceable {
        return Ok(());
    }
    Err(anyhow!(
        "{out} exists and is not a dist, and `dist` would replace it"
    ))
    .help("give --out a folder that does not exist")
}

/// Returns the hashes of the plan and of the tree, its input, as one line.
fn key(plan: &DistPlan, tree: Sha256) -> anyhow::Result<String> {
    let plan = Sha256::of(&serde_json::to_vec(plan)?);
    Ok(format!("{plan} {tree}\n"))
}

/// Packs binaries, reads everything back, asks `approve`, and only then replaces what `out` held.
pub(crate) fn place(
    ctx: &Ctx,
    plan: &DistPlan,
    binaries: &[Binary],
    ui_sha256: Sha256,
    out: &Utf8Path,
    approve: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Verified<DistManifest>> {
    let unfinished = &out.with_file_name(format!(".{}.part", out.file_name().unwrap_or("dist")));
    files::remove(unfinished)?;
    if plan.image.is_none() {
        let note = "no image: it needs the targets of all its platforms, such as --targets linux";
        output::note(ctx, note);
    }
    let release = &plan.build.release;
    let companions = companions::make(ctx, release, binaries)?;
    let launcher = companions::launcher(ctx)?;
    let sources = sdist::sources(ctx, ui_sha256)?;
    let sbom = |built: &Binary| {
        sbom::of_program(ctx, release, built.target, &files::read(&built.path)?, &[])
    };
    let sboms = output::step(ctx, "list what is in the binaries", || {
        binaries
            .iter()
            .map(sbom)
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let proofs = output::step(ctx, "run what can run here", || {
        proof::of_binaries(ctx, release, binaries, &Host::read(ctx)?.triple)
    })?;
    let layers = LayerCache::at(&ctx.state().join("layers"));
    let pack = || {
        let assemble = |image| assemble(image, binaries, Foundation::default(), &layers);
        let image = plan.image.as_ref().map(assemble).transpose()?;
        let inputs = Inputs {
            binaries,
            proofs: &proofs,
            sboms: &sboms,
            companions: &companions,
            launcher: &launcher,
            sources: &sources,
            ui_sha256,
            image: image.as_ref(),
            signer: plan.signer(ctx),
        };
        dist::write(&plan.build, inputs, unfinished)
    };
    let checked = output::step(ctx, "pack archives, wheels and image", pack)
        .and_then(|()| check(ctx, "read everything back and check it", unfinished))
        .and_then(|verified| approve().map(|()| verified));
    match checked {
        Ok(verified) => files::swap_folder(unfinished, out).map(|()| verified),
        Err(error) => files::remove(unfinished).and(Err(error)),
    }
}

fn check(ctx: &Ctx, title: &str, folder: &Utf8Path) -> anyhow::Result<Verified<DistManifest>> {
    let standard = ImageStandard::of_dist();
    output::step(ctx, title, || verify::dist(ctx, folder, standard.rules()))
}

/// Compares the dist that exists with the hash of its files, which was recorded after they were verified. Returns none
/// when a file differs, or it is of another plan that replaced it.
fn check_existing(
    ctx: &Ctx,
    plan: &DistPlan,
    out: &Utf8Path,
    recorded: &str,
) -> Option<Verified<DistManifest>> {
    if !out.is_dir() {
        return None;
    }
    let title = format!("{out} is up to date: compare its files with their recorded hash");
    let verified = output::step(ctx, &title, || verify::unchanged(out, recorded.parse()?));
    let reason = match verified {
        Ok(verified) if is_of(plan, verified.value()) => return Some(verified),
        Ok(_) => format!("{out} is a dist of another release or other targets"),
        Err(error) => format!("{error:#}"),
    };
    output::warn(&format!("{reason}; it is made again"));
    None
}

/// Whether a dist is of the planned release and targets.
fn is_of(plan: &DistPlan, dist_manifest: &DistManifest) -> bool {
    let planned = plan.build.targets.iter().map(|target| target.triple);
    dist_manifest.release == plan.build.release && dist_manifest.targets.iter().eq(planned)
}

pub(super) fn outputs(plan: &DistPlan, out: &Utf8Path) -> Vec<String> {
    let DistPlan { build, image, .. } = plan;
    let mut names: Vec<_> = build
        .packages
        .iter()
        .flat_map(|it| it.files.clone())
        .collect();
    if !npm::targets(&build.targets).is_empty() {
        names.push(npm::file_name(&build.release, npm::NAME));
    }
    names.extend(sdist::file_name(&build.release));
    names.extend(
        build
            .universal
            .then(|| archives::file_name(&build.release, &UNIVERSAL)),
    );
    names.extend(
        image
            .as_ref()
            .map(|_| dist_manifest::image_name(&build.release)),
    );
    names.extend(derived(build));
    names.extend([SUMS_NAME, FILE_NAME].map(str::to_owned));
    names
        .iter()
        .map(|name| out.join(name).into_string())
        .collect()
}

/// Returns the names of what follows from the packages, and the folders of the repositories.
fn derived(build: &Plan) -> Vec<String> {
    let targets = build.targets.iter().filter(|it| it.is_default());
    let downloads = targets.map(|target| Download {
        target,
        name: archives::file_name(&build.release, target),
        // It is not known yet, and the names do not depend on it.
        sha256: Sha256::of(b""),
        macos_minimum: None,
    });
    let downloads: Vec<_> = downloads.collect();
    let mut names: Vec<_> = installers::all(&build.release, &downloads)
        .into_keys()
        .collect();
    names.extend(recipes::all(&build.release, &downloads).into_keys());
    let formats = |target: &&Target| target.formats().iter().copied();
    let formats: BTreeSet<_> = build.targets.iter().flat_map(formats).collect();
    for (format, folder) in [(Format::Deb, apt::FOLDER), (Format::Rpm, dnf::FOLDER)] {
        names.extend(formats.contains(&format).then(|| format!("{folder}/")));
    }
    names
}
