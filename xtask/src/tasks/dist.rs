//! `cargo xtask dist`: everything that is shipped, proved before it takes its place.

use anyhow::{anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

use crate::cargo::{self, Binary, Host};
use crate::ctx::{Ctx, Wanted};
use crate::digest::Sha256;
use crate::dist_manifest::{self, DistManifest, FILE_NAME, SUMS_NAME};
use crate::error::WithHelp as _;
use crate::oci::layer::LayerCache;
use crate::plan::{Plan, Products, Request, plan};
use crate::release::Release;
use crate::tasks::Preview;
use crate::tasks::image::default_references;
use crate::verify::Verified;
use crate::{files, package, sh, target, tree, ui, verify};

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
    #[arg(long, value_delimiter = ',', default_value = "default", value_parser = target::word)]
    targets: Vec<String>,
    /// Folder to write [default: dist at the repository's root]
    #[arg(long)]
    out: Option<Utf8PathBuf>,
    /// Print dist-manifest.json at the end instead of the list of files
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    preview: Preview,
}

pub(crate) fn run(ctx: &Ctx, args: &DistArgs) -> anyhow::Result<()> {
    let out = args.out.clone().unwrap_or_else(|| ctx.root.join("dist"));
    if args.preview.wanted() {
        let plan = plan_dist(ctx, &args.targets)?;
        return args.preview.show(&plan, &outputs(&plan, &out));
    }
    report(args, &out, ensure(ctx, &args.targets, &out)?.value())
}

/// Makes a dist in a folder, unless it is up to date there.
pub(crate) fn ensure(
    ctx: &Ctx,
    targets: &[String],
    out: &Utf8Path,
) -> anyhow::Result<Verified<DistManifest>> {
    let _lock = sh::lock(ctx)?;
    let plan = plan_dist(ctx, targets)?;
    check_out(out)?;
    if plan.release.is_dirty() {
        sh::warn("the tree differs from its commit; binaries and image say so");
    }
    let key = key(ctx, &plan)?;
    let key_file = ctx
        .state()
        .join(format!("dist-{}.key", Sha256::of(out.as_str().as_bytes())));
    if let Some(verified) = up_to_date(ctx, &plan, out, &key_file, &key)? {
        return Ok(verified);
    }
    files::remove(&key_file)?;
    let verified = make(ctx, &plan, out, &key)?;
    files::write(&key_file, key)?;
    Ok(verified)
}

/// Plans a dist of the named targets.
pub(crate) fn plan_dist(ctx: &Ctx, targets: &[String]) -> anyhow::Result<Plan> {
    let (release, host) = (Release::read(ctx)?, Host::read(ctx)?);
    let targets = target::select(targets, &host.triple)?;
    let references = default_references(&release)?;
    // What is shipped has its page, whatever NOETL_ENABLE_UI says of servers.
    let request = Request {
        targets,
        products: Products::Dist,
        references,
        ui: Wanted::Yes,
    };
    Ok(plan(&host, &release, &request))
}

/// What is replaced must be a dist: a mistyped --out would else remove somebody's folder.
pub(crate) fn check_out(out: &Utf8Path) -> anyhow::Result<()> {
    let replaceable = match out.read_dir_utf8() {
        Err(_) => !out.exists(),
        Ok(mut entries) => entries.next().is_none() || out.join(FILE_NAME).is_file(),
    };
    let refused = || anyhow!("{out} is there and is no dist, and `dist` would replace it");
    replaceable
        .then_some(())
        .ok_or_else(refused)
        .help("give --out a folder that is not there yet")
}

/// Plan and inputs in one line: what a dist was made from.
fn key(ctx: &Ctx, plan: &Plan) -> anyhow::Result<String> {
    Ok(format!(
        "{} {}\n",
        Sha256::of(&serde_json::to_vec(plan)?),
        tree::hash(ctx, ".")?
    ))
}

fn make(
    ctx: &Ctx,
    plan: &Plan,
    out: &Utf8Path,
    key_before: &str,
) -> anyhow::Result<Verified<DistManifest>> {
    let ui_sha256 = ui::build(ctx)?;
    let binaries = cargo::build(ctx, &plan.compile, &plan.targets)?;
    place(ctx, plan, &binaries, ui_sha256, out, || {
        // A file that was saved meanwhile may or may not be in what was compiled.
        let unchanged = key(ctx, plan)? == key_before;
        ensure!(
            unchanged,
            "the tree was edited while it was built, so nobody knows what is in it; run it again"
        );
        Ok(())
    })
}

/// Packs binaries, reads everything back, asks `approve`, and only then replaces what `out` held.
pub(crate) fn place(
    ctx: &Ctx,
    plan: &Plan,
    binaries: &[Binary],
    ui_sha256: Sha256,
    out: &Utf8Path,
    approve: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Verified<DistManifest>> {
    let unfinished = out.with_file_name(format!(".{}.part", out.file_name().unwrap_or("dist")));
    files::remove(&unfinished)?;
    if plan.image.is_none() {
        sh::note(
            ctx,
            "no image: it takes the targets of all its platforms, such as --targets linux",
        );
    }
    let layers = LayerCache::below(&ctx.state());
    let made = sh::step(ctx, "pack archives and image", || {
        package::write_dist(ctx, plan, binaries, ui_sha256, &layers, &unfinished)
    })
    .and_then(|()| {
        sh::step(ctx, "read everything back and check it", || {
            verify::dist(ctx, &unfinished)
        })
    })
    .and_then(|verified| approve().map(|()| verified));
    match made {
        Ok(verified) => files::swap_folder(&unfinished, out).map(|()| verified),
        Err(error) => files::remove(&unfinished).and(Err(error)),
    }
}

/// Proves what is there when it was made from the same plan and inputs.
fn up_to_date(
    ctx: &Ctx,
    plan: &Plan,
    out: &Utf8Path,
    key_file: &Utf8Path,
    key: &str,
) -> anyhow::Result<Option<Verified<DistManifest>>> {
    if !out.is_dir() || !files::read_to_string(key_file).is_ok_and(|recorded| recorded == key) {
        return Ok(None);
    }
    let found = sh::step(ctx, &format!("{out} is up to date: check it"), || {
        verify::dist(ctx, out)
    });
    match found {
        Ok(verified) if is_of(plan, verified.value()) => Ok(Some(verified)),
        Ok(_) => {
            sh::warn(&format!(
                "{out} is a dist of something else; it is made anew"
            ));
            Ok(None)
        }
        Err(error) => {
            sh::warn(&format!("{error:#}; it is made anew"));
            Ok(None)
        }
    }
}

/// Whether a dist is of the planned release and targets; somebody may have put another one there.
fn is_of(plan: &Plan, dist_manifest: &DistManifest) -> bool {
    dist_manifest.release == plan.release
        && dist_manifest
            .targets
            .iter()
            .eq(plan.targets.iter().map(|target| target.triple))
}

fn outputs(plan: &Plan, out: &Utf8Path) -> Vec<String> {
    let archives = plan.archives.iter().map(|archive| archive.name.as_str());
    let image_name = dist_manifest::image_name(&plan.release);
    let image = plan.image.as_ref().map(|_| image_name.as_str());
    let names = archives.chain(image).chain([SUMS_NAME, FILE_NAME]);
    names.map(|name| out.join(name).into_string()).collect()
}

/// The last lines: each file, its size and its hash.
fn report(args: &DistArgs, out: &Utf8Path, dist_manifest: &DistManifest) -> anyhow::Result<()> {
    if args.json {
        print!("{}", files::read_to_string(&out.join(FILE_NAME))?);
        return Ok(());
    }
    for artifact in &dist_manifest.artifacts {
        println!(
            "{} {:>10} {}",
            artifact.sha256,
            artifact.size,
            out.join(&artifact.name)
        );
    }
    for name in [FILE_NAME, SUMS_NAME] {
        let bytes = files::read(&out.join(name))?;
        println!(
            "{} {:>10} {}",
            Sha256::of(&bytes),
            bytes.len(),
            out.join(name)
        );
    }
    Ok(())
}
