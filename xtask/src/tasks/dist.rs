//! `cargo xtask dist`: everything that is shipped, proved before it takes its place.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

use crate::cargo::{self, Host};
use crate::command::CommandLine;
use crate::ctx::Ctx;
use crate::digest::Sha256;
use crate::dist_manifest::{DistManifest, FILE_NAME, SUMS_NAME};
use crate::plan::{Plan, Products, Request, plan};
use crate::release::Release;
use crate::tasks::Preview;
use crate::tasks::image::default_references;
use crate::verify::Verified;
use crate::{files, package, sh, target, ui, verify};

/// Build, package and prove NoETL for every platform
#[derive(Debug, Args)]
#[command(
    after_help = "Writes dist/: an archive per target, the image for both Linux platforms, SHA256SUMS and \
    dist-manifest.json.\nNothing takes its place there before `verify` has read it back; when nothing has changed, \
    dist/ is proved, not remade.\n\nExamples:\n  cargo xtask dist                     the six default targets and the image\n  \
    cargo xtask dist --targets linux     the two Linux targets and the image\n  \
    cargo xtask dist --plan              every decision, as JSON"
)]
pub(crate) struct DistArgs {
    /// Target triples, or host, linux, default, all; separated by commas
    #[arg(long, value_delimiter = ',', default_value = "default")]
    targets: Vec<String>,
    /// Folder to write, relative to the repository's root
    #[arg(long, default_value = "dist")]
    out: Utf8PathBuf,
    /// Print dist-manifest.json at the end instead of the list of files
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    preview: Preview,
}

pub(crate) fn run(ctx: &Ctx, args: &DistArgs) -> anyhow::Result<()> {
    let plan = plan_dist(ctx, &args.targets)?;
    let out = ctx.root.join(&args.out);
    if args.preview.show(&plan, &outputs(&plan, &args.out))? {
        return Ok(());
    }
    report(args, &out, ensure(ctx, &plan, &out)?.value())
}

/// Makes a dist of `targets` in a folder, unless it is up to date there.
pub(crate) fn make_at(ctx: &Ctx, targets: &[String], out: &Utf8Path) -> anyhow::Result<()> {
    ensure(ctx, &plan_dist(ctx, targets)?, out)?;
    Ok(())
}

fn plan_dist(ctx: &Ctx, targets: &[String]) -> anyhow::Result<Plan> {
    let (release, host) = (Release::read(ctx)?, Host::read(ctx)?);
    let targets = target::select(targets, &host.triple)?;
    let references = default_references(&release)?;
    Ok(plan(
        &host,
        &release,
        &Request {
            targets,
            products: Products::Dist,
            references,
        },
    ))
}

fn ensure(ctx: &Ctx, plan: &Plan, out: &Utf8Path) -> anyhow::Result<Verified<DistManifest>> {
    let _lock = sh::lock(ctx)?;
    if plan.release.is_dirty() {
        sh::warn("the tree differs from its commit; binaries and image say so");
    }
    let key = format!(
        "{} {}\n",
        Sha256::of(&serde_json::to_vec(plan)?),
        inputs(ctx)?
    );
    let key_file = ctx
        .state()
        .join(format!("dist-{}.key", Sha256::of(out.as_str().as_bytes())));
    if let Some(verified) = up_to_date(ctx, out, &key_file, &key)? {
        return Ok(verified);
    }
    files::remove(&key_file)?;
    let verified = make(ctx, plan, out)?;
    files::write(&key_file, key)?;
    Ok(verified)
}

fn make(ctx: &Ctx, plan: &Plan, out: &Utf8Path) -> anyhow::Result<Verified<DistManifest>> {
    let ui_sha256 = ui::build(ctx)?;
    let binaries = cargo::build(ctx, &plan.compile, &plan.targets)?;
    let unfinished = out.with_file_name(format!(".{}.part", out.file_name().unwrap_or("dist")));
    files::remove(&unfinished)?;
    let packed = sh::step(ctx, "pack archives and image", || {
        package::write_dist(ctx, plan, &binaries, ui_sha256, &unfinished)
    });
    if plan.image.is_none() {
        sh::note(
            ctx,
            "no image: it takes the targets of all its platforms, such as --targets linux",
        );
    }
    let verified = packed.and_then(|()| {
        sh::step(ctx, "read everything back and check it", || {
            verify::dist(&unfinished)
        })
    });
    let Ok(verified) = verified else {
        files::remove(&unfinished)?;
        return verified;
    };
    files::swap_folder(&unfinished, out)?;
    Ok(verified)
}

/// Proves what is there when it was made from the same plan and inputs.
fn up_to_date(
    ctx: &Ctx,
    out: &Utf8Path,
    key_file: &Utf8Path,
    key: &str,
) -> anyhow::Result<Option<Verified<DistManifest>>> {
    if !out.is_dir() || !files::read_to_string(key_file).is_ok_and(|recorded| recorded == key) {
        return Ok(None);
    }
    match sh::step(ctx, &format!("{out} is up to date: check it"), || {
        verify::dist(out)
    }) {
        Ok(verified) => Ok(Some(verified)),
        Err(error) => {
            sh::warn(&format!("{error:#}; it is made anew"));
            Ok(None)
        }
    }
}

/// The hash of every file that git tracks or would track: whatever a build could read.
fn inputs(ctx: &Ctx) -> anyhow::Result<Sha256> {
    let git = [
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ];
    let listing = sh::read(ctx, &CommandLine::new("git").args(git))?;
    ui::hash_files(ctx, listing.split_terminator('\0'))
}

fn outputs(plan: &Plan, out: &Utf8Path) -> Vec<String> {
    let archives = plan.archives.iter().map(|archive| archive.name.as_str());
    let image = plan.image.as_ref().map(|_| plan.image_file.as_str());
    let names = archives.chain(image).chain([SUMS_NAME, FILE_NAME]);
    names.map(|name| out.join(name).into_string()).collect()
}

/// The last lines: each file, its size and its hash.
fn report(args: &DistArgs, out: &Utf8Path, manifest: &DistManifest) -> anyhow::Result<()> {
    if args.json {
        print!("{}", files::read_to_string(&out.join(FILE_NAME))?);
        return Ok(());
    }
    for artifact in &manifest.artifacts {
        println!(
            "{} {:>10} {}",
            artifact.sha256,
            artifact.size,
            args.out.join(&artifact.name)
        );
    }
    for name in [FILE_NAME, SUMS_NAME] {
        let bytes = files::read(&out.join(name))?;
        println!(
            "{} {:>10} {}",
            Sha256::of(&bytes),
            bytes.len(),
            args.out.join(name)
        );
    }
    Ok(())
}
