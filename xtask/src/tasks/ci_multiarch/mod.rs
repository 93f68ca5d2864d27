//! `cargo xtask ci-multiarch`: every platform on every push, whole or in shards, up to the registry.

mod summary;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use noetl_checkout::Origin;
use noetl_help::Help as _;
use noetl_oci::registry::PushOptions;
use noetl_oci::{Image, KnownLayers, Layout, Reference};
use serde_json::json;

use crate::host::ctx::Ctx;
use crate::host::{files, git, output, run};
use crate::image::publish;
use crate::image::rules::ImageStandard;
use crate::release::cargo;
use crate::release::dist_manifest::{self, DistManifest};
use crate::release::shards::{self, Shard};
use crate::release::target;
use crate::release::verify::{self, Verified};
use crate::release::version::Release;
use crate::release::{page, workspace};
use crate::tasks::ci_multiarch::summary::Summary;
use crate::tasks::dist::DistPlan;
use crate::tasks::image::{NAME, REGISTRY};
use crate::tasks::{Preview, dist};

/// Build, package, prove and publish every platform, as CI does on every push
#[derive(Debug, Args)]
#[command(
    after_help = "Plans once, builds all targets, writes dist/ and checks it. With --push the image goes to the \
    registry as the commit's SHA and as latest, and on a release's tag as its version too; it is then fetched and \
    checked again.\n\nSeveral machines share the work with --shard; --merge joins what they made, to the very same \
    bytes. A summary for people lies in target/xtask/summary.\n\nExamples:\n  cargo xtask ci-multiarch\n  \
    cargo xtask ci-multiarch --push --registry 127.0.0.1:5000\n  \
    cargo xtask ci-multiarch --shard 1/3       on each of three machines, to target/xtask/shards\n  \
    cargo xtask ci-multiarch --merge target/xtask/shards --push"
)]
pub(crate) struct CiMultiarchArgs {
    /// Target triples, or host, linux, default, all; separated by commas
    #[arg(long, value_delimiter = ',', default_value = "default", value_parser = target::word)]
    targets: Vec<String>,
    /// Build only the I-th of N parts, to target/xtask/shards/I-of-N
    #[arg(long, value_name = "I/N", conflicts_with_all = ["merge", "push"])]
    shard: Option<Shard>,
    /// Build nothing: join the shards in these folders
    #[arg(long, value_name = "DIR", num_args = 1..)]
    merge: Vec<Utf8PathBuf>,
    /// Folder to write [default: dist at the repository's root]
    #[arg(long)]
    out: Option<Utf8PathBuf>,
    /// Publish the image: the commit's SHA and latest, on a release's tag its version too
    #[arg(long)]
    push: bool,
    /// Registry and path above the image's name `noetl`; a final slash does not matter
    #[arg(long, default_value = REGISTRY)]
    registry: String,
    /// Print JSON: dist, index digest, references
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    preview: Preview,
}

pub(crate) fn run(ctx: &Ctx, args: &CiMultiarchArgs) -> anyhow::Result<()> {
    let out = args.out.clone().unwrap_or_else(|| ctx.root.join("dist"));
    let plan = dist::plan_dist(ctx, &args.targets)?;
    if args.preview.wanted() {
        return args
            .preview
            .show(&plan, &plan.build.commands, &[out.to_string()]);
    }
    if let Some(shard) = args.shard {
        return build_shard(ctx, &plan, shard);
    }
    let references = references(ctx, &plan.build.release, &args.registry)?;
    if args.push {
        if plan.image.is_none() {
            return Err(anyhow!("no image without both of {}", platforms()))
                .help("take --targets linux, default or all");
        }
        publish::preflight(&plan.build.release, &references)?;
    }
    let mut summary = Summary::default();
    let made = if args.merge.is_empty() {
        dist::ensure(ctx, &args.targets, &out)?
    } else {
        merge(ctx, &plan, &args.merge, &out, &mut summary)?
    };
    let digest = match &plan.image {
        Some(image) => {
            let tar = out.join(dist_manifest::image_name(&plan.build.release));
            let workspace = workspace::read(ctx)?;
            let standard =
                ImageStandard::of_project(&workspace, &plan.build.release, &image.platforms);
            let known = KnownLayers::default();
            let verified = verify::image(&tar, standard.rules(), &known)?;
            if args.push {
                publish(ctx, &verified, &references, &standard, &known, &mut summary)?;
            }
            Some(Image::read(verified.value())?.root()?.digest.clone())
        }
        None => None,
    };
    summary.write(ctx, made.value(), digest.as_deref())?;
    report(
        ctx,
        args,
        &out,
        made.value(),
        digest.as_deref(),
        &references,
    )
}

/// Builds one part and leaves it where `--merge` finds it.
fn build_shard(ctx: &Ctx, whole: &DistPlan, shard: Shard) -> anyhow::Result<()> {
    let _lock = run::lock(ctx)?;
    let own = shard.of(&whole.build.targets)?;
    let words: Vec<_> = own.iter().map(|target| target.triple.to_owned()).collect();
    let part = dist::plan_dist(ctx, &words)?;
    let ui_sha256 = page::build(ctx)?;
    let binaries = cargo::build(ctx, &part.build.compile, &part.build.targets)?;
    // A file that was saved meanwhile may or may not be in what was compiled.
    ensure!(
        Release::read(ctx)? == whole.build.release,
        "the tree was edited while it was built; run it again"
    );
    let folder = ctx
        .state()
        .join("shards")
        .join(shard.to_string().replace('/', "-of-"));
    let seconds = ctx
        .steps
        .lock()
        .map(|steps| steps.clone())
        .unwrap_or_default();
    shards::write(shard, &whole.build, &binaries, ui_sha256, seconds, &folder)?;
    output::line(folder)
}

/// Packs what the shards built, as if this machine had built it all.
fn merge(
    ctx: &Ctx,
    plan: &DistPlan,
    folders: &[Utf8PathBuf],
    out: &Utf8Path,
    summary: &mut Summary,
) -> anyhow::Result<Verified<DistManifest>> {
    let _lock = run::lock(ctx)?;
    dist::check_out(out)?;
    let shards = shards::read(folders)
        .help("each DIR is a shard's folder, or one that holds several: cargo xtask ci-multiarch --shard 1/3")?;
    let joined = shards::join(&plan.build, shards)?;
    summary.shards(&joined.records);
    dist::place(
        ctx,
        plan,
        &joined.binaries,
        joined.ui_sha256,
        out,
        || Ok(()),
    )
}

/// Pushes, then fetches what the registry now serves and checks it against the same rules.
fn publish(
    ctx: &Ctx,
    image: &Verified<Layout>,
    references: &[Reference],
    standard: &ImageStandard,
    known: &KnownLayers,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let first = references.first().context("no name to push to")?;
    let title = format!("push to {}/{}", first.registry, first.repository);
    let published = output::step(ctx, &title, || {
        publish::publish(ctx, image, references, PushOptions::default())
    })?;
    output::step(ctx, "fetch what was published and check it", || {
        published.keep_if(publish::prove(
            ctx,
            image.value(),
            references,
            standard,
            known,
        ))
    })?;
    summary.published(references, published.sent_bytes);
    let Some(output) = &ctx.github.output else {
        return Ok(());
    };
    let name = format!("{}/{}", first.registry, first.repository);
    files::append(
        output,
        &format!("image={name}\ndigest={}\n", published.digest),
    )
}

/// The commit's SHA, then a release's versions where its tag is on the commit, and `latest` last.
fn references(ctx: &Ctx, release: &Release, registry: &str) -> anyhow::Result<Vec<Reference>> {
    let mut tags = vec![release.commit.clone()];
    if is_tagged(ctx, release)? {
        tags.extend([release.tag.clone(), release.version.clone()]);
    }
    tags.push("latest".to_owned());
    let reference = |tag: &String| Reference::join(registry, NAME, tag);
    tags.iter().map(reference).collect()
}

/// Returns whether the release's tag is on the commit. A source archive has no tags.
fn is_tagged(ctx: &Ctx, release: &Release) -> anyhow::Result<bool> {
    if git::source(ctx)?.origin == Origin::Archive {
        return Ok(false);
    }
    let tags = git::read(ctx, &["tag", "--points-at", "HEAD"])?;
    Ok(tags.lines().any(|tag| tag == release.tag))
}

fn platforms() -> String {
    let platforms = target::platforms();
    let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
    names.join(" and ")
}

/// The last lines: files, then what nodes pull.
fn report(
    ctx: &Ctx,
    args: &CiMultiarchArgs,
    out: &Utf8Path,
    dist_manifest: &DistManifest,
    digest: Option<&str>,
    references: &[Reference],
) -> anyhow::Result<()> {
    let references = if args.push { references } else { &[] };
    if args.json {
        let object = json!({
            "dist": out, "dist_manifest": dist_manifest, "index_digest": digest,
            "references": references, "pushed": args.push,
        });
        return output::json(&object);
    }
    for artifact in &dist_manifest.artifacts {
        output::line(format!(
            "{} {:>10} {}",
            artifact.sha256,
            artifact.size,
            out.join(&artifact.name)
        ))?;
    }
    for reference in references {
        output::line(format!("{reference}@{}", digest.unwrap_or_default()))?;
    }
    output::note(
        ctx,
        &format!("summary: {}", summary::folder(ctx).join("summary.md")),
    );
    Ok(())
}
