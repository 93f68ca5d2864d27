//! `cargo xtask dist`: everything that is shipped, proved before it takes its place.

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
use crate::release::dist_manifest::{self, DistManifest, FILE_NAME, SUMS_NAME};
use crate::release::plan::{Plan, Products, Request, plan};
use crate::release::target::platforms;
use crate::release::verify::Verified;
use crate::release::version::Release;
use crate::release::{package, page, target, verify};
use crate::tasks::Preview;
use crate::tasks::image::default_references;

/// Build, package and prove NoETL for every platform
#[derive(Debug, Args)]
#[command(
    after_help = "Writes dist/: an archive per target, the image for both Linux platforms, SHA256SUMS and \
    dist-manifest.json.\nNothing takes its place there before `verify` has read it back; when nothing has changed, \
    dist/ is checked, not made again.\n\nExamples:\n  cargo xtask dist                     the six default targets and the image\n  \
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
        let outputs = outputs(&plan, &out);
        return args.preview.show(&plan, &plan.build.commands, &outputs);
    }
    report(args, &out, ensure(ctx, &args.targets, &out)?.value())
}

/// Everything that is decided of a dist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DistPlan {
    /// The binaries and their archives.
    #[serde(flatten)]
    pub build: Plan,
    /// The image, when all its platforms are among the targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImagePlan>,
}

/// Makes a dist in a folder, unless it is up to date there.
pub(crate) fn ensure(
    ctx: &Ctx,
    targets: &[String],
    out: &Utf8Path,
) -> anyhow::Result<Verified<DistManifest>> {
    let _lock = run::lock(ctx)?;
    let plan = plan_dist(ctx, targets)?;
    check_out(out)?;
    if plan.build.release.is_dirty() {
        output::warn("the tree differs from its commit; binaries and image say so");
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
pub(crate) fn plan_dist(ctx: &Ctx, targets: &[String]) -> anyhow::Result<DistPlan> {
    let (release, host) = (Release::read(ctx)?, Host::read(ctx)?);
    let targets = target::select(targets, &host.triple)?;
    // An image for some of its platforms would replace a whole one under the same name.
    let built: Vec<_> = targets.iter().filter_map(|it| it.platform()).collect();
    let image = if built == platforms() {
        let references = default_references(&release)?;
        Some(image_plan::of_dist(&release, &references))
    } else {
        None
    };
    // What is shipped has its page, whatever NOETL_ENABLE_UI says of servers.
    let request = Request {
        targets,
        products: Products::Archives,
        ui: Wanted::Yes,
    };
    Ok(DistPlan {
        build: plan(&host, &release, &request),
        image,
    })
}

/// Refuses to replace a folder that is not a dist, such as a home that --out names by mistake.
pub(crate) fn check_out(out: &Utf8Path) -> anyhow::Result<()> {
    let replaceable = match out.read_dir_utf8() {
        Err(_) => !out.exists(),
        Ok(mut entries) => entries.next().is_none() || out.join(FILE_NAME).is_file(),
    };
    if replaceable {
        return Ok(());
    }
    Err(anyhow!(
        "{out} is there and is not a dist, and `dist` would replace it"
    ))
    .help("give --out a folder that is not there yet")
}

/// Returns plan and inputs in one line: what a dist was made from.
fn key(ctx: &Ctx, plan: &DistPlan) -> anyhow::Result<String> {
    Ok(format!(
        "{} {}\n",
        Sha256::of(&serde_json::to_vec(plan)?),
        git::hash(ctx, ".")?
    ))
}

fn make(
    ctx: &Ctx,
    plan: &DistPlan,
    out: &Utf8Path,
    key_before: &str,
) -> anyhow::Result<Verified<DistManifest>> {
    let ui_sha256 = page::build(ctx)?;
    let binaries = cargo::build(ctx, &plan.build.compile, &plan.build.targets)?;
    place(ctx, plan, &binaries, ui_sha256, out, || {
        let unchanged = key(ctx, plan)? == key_before;
        ensure!(
            unchanged,
            "the tree was edited while it was built, and may be in it or not; run it again"
        );
        Ok(())
    })
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
    let unfinished = out.with_file_name(format!(".{}.part", out.file_name().unwrap_or("dist")));
    files::remove(&unfinished)?;
    if plan.image.is_none() {
        output::note(
            ctx,
            "no image: it takes the targets of all its platforms, such as --targets linux",
        );
    }
    let layers = LayerCache::at(&ctx.state().join("layers"));
    let standard = ImageStandard::of_dist();
    let made = output::step(ctx, "pack archives and image", || {
        let image = plan.image.as_ref();
        let image = image.map(|image| assemble(image, binaries, Foundation::default(), &layers));
        let layout = image.transpose()?;
        package::write_dist(
            ctx,
            &plan.build,
            binaries,
            ui_sha256,
            layout.as_ref(),
            &unfinished,
        )
    })
    .and_then(|()| {
        output::step(ctx, "read everything back and check it", || {
            verify::dist(ctx, &unfinished, standard.rules())
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
    plan: &DistPlan,
    out: &Utf8Path,
    key_file: &Utf8Path,
    key: &str,
) -> anyhow::Result<Option<Verified<DistManifest>>> {
    if !out.is_dir() || !files::read_to_string(key_file).is_ok_and(|recorded| recorded == key) {
        return Ok(None);
    }
    let standard = ImageStandard::of_dist();
    let found = output::step(ctx, &format!("{out} is up to date: check it"), || {
        verify::dist(ctx, out, standard.rules())
    });
    match found {
        Ok(verified) if is_of(plan, verified.value()) => Ok(Some(verified)),
        Ok(_) => {
            output::warn(&format!(
                "{out} is a dist of something else; it is made again"
            ));
            Ok(None)
        }
        Err(error) => {
            output::warn(&format!("{error:#}; it is made again"));
            Ok(None)
        }
    }
}

/// Returns whether a dist is of the planned release and targets; it may have been replaced by another one.
fn is_of(plan: &DistPlan, dist_manifest: &DistManifest) -> bool {
    dist_manifest.release == plan.build.release
        && dist_manifest
            .targets
            .iter()
            .eq(plan.build.targets.iter().map(|target| target.triple))
}

fn outputs(plan: &DistPlan, out: &Utf8Path) -> Vec<String> {
    let archives = plan
        .build
        .archives
        .iter()
        .map(|archive| archive.name.as_str());
    let image_name = dist_manifest::image_name(&plan.build.release);
    let image = plan.image.as_ref().map(|_| image_name.as_str());
    let names = archives.chain(image).chain([SUMS_NAME, FILE_NAME]);
    names.map(|name| out.join(name).into_string()).collect()
}

/// Prints each file, its size and its hash.
fn report(args: &DistArgs, out: &Utf8Path, dist_manifest: &DistManifest) -> anyhow::Result<()> {
    if args.json {
        return output::print(&files::read_to_string(&out.join(FILE_NAME))?);
    }
    let line = |sha256: Sha256, size: u64, name: &str| {
        output::line(format!("{sha256} {size:>10} {}", out.join(name)))
    };
    for artifact in &dist_manifest.artifacts {
        line(artifact.sha256, artifact.size, &artifact.name)?;
    }
    for name in [FILE_NAME, SUMS_NAME] {
        let bytes = files::read(&out.join(name))?;
        line(Sha256::of(&bytes), bytes.len() as u64, name)?;
    }
    Ok(())
}
