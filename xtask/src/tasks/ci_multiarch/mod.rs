//! `cargo xtask ci-multiarch`: every platform on every push, whole or in shards, up to the registry.

mod summary;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde_json::json;

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::release::dist_manifest::{self, DistManifest};
use noetl_help::Help as _;
use noetl_oci::Layout;
use noetl_oci::Reference;
use crate::release::plan::Plan;
use noetl_oci::registry::push;
use crate::release::version::Release;
use crate::release::shards::{self, Shard};
use crate::release::target::{self, Platform};
use crate::tasks::ci_multiarch::summary::Summary;
use crate::tasks::image::{NAME, REGISTRY, expectations, prove};
use crate::tasks::{Preview, dist};
use crate::release::verify::{self, Verified};
use crate::cargo;
use crate::host::files;
use crate::host::{output, run};
use crate::release::page;

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
        return args.preview.show(&plan, &[out.to_string()]);
    }
    if let Some(shard) = args.shard {
        return build_shard(ctx, &plan, shard);
    }
    let references = references(ctx, &plan.release, &args.registry)?;
    if args.push {
        let publishable = || anyhow!("no image without both of {}", platforms());
        plan.image
            .as_ref()
            .ok_or_else(publishable)
            .help("take --targets linux, default or all")?;
        push::preflight(&plan.release, &references)?;
    }
    let mut summary = Summary::default();
    let made = if args.merge.is_empty() {
        dist::ensure(ctx, &args.targets, &out)?
    } else {
        merge(ctx, &plan, &args.merge, &out, &mut summary)?
    };
    let image = image(ctx, &plan, &out)?;
    if let (true, Some(image)) = (args.push, &image) {
        publish(ctx, &plan.release, image, &references, &mut summary)?;
    }
    let digest = image.map(|image| image.value().image_index()).transpose()?;
    let digest = digest.map(|descriptor| descriptor.digest);
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
fn build_shard(ctx: &Ctx, whole: &Plan, shard: Shard) -> anyhow::Result<()> {
    let _lock = run::lock(ctx)?;
    let own = shard.of(&whole.targets)?;
    let words: Vec<_> = own.iter().map(|target| target.triple.to_owned()).collect();
    let part = dist::plan_dist(ctx, &words)?;
    let ui_sha256 = ui::build(ctx)?;
    let binaries = cargo::build(ctx, &part.compile, &part.targets)?;
    // A file that was saved meanwhile may or may not be in what was compiled.
    ensure!(
        Release::read(ctx)? == whole.release,
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
    shard::write(shard, whole, &binaries, ui_sha256, seconds, &folder)?;
    println!("{folder}");
    Ok(())
}

/// Packs what the shards built, as if this machine had built it all.
fn merge(
    ctx: &Ctx,
    plan: &Plan,
    folders: &[Utf8PathBuf],
    out: &Utf8Path,
    summary: &mut Summary,
) -> anyhow::Result<Verified<DistManifest>> {
    let _lock = run::lock(ctx)?;
    dist::check_out(out)?;
    let shards = shard::read(folders)
        .help("each DIR is a shard's folder, or one that holds several: cargo xtask ci-multiarch --shard 1/3")?;
    let joined = shard::join(plan, shards)?;
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

/// The image in a dist, proved once more by itself; `None` where the targets make none.
fn image(ctx: &Ctx, plan: &Plan, out: &Utf8Path) -> anyhow::Result<Option<Verified<Layout>>> {
    let Some(image) = &plan.image else {
        return Ok(None);
    };
    let tar = out.join(dist_manifest::image_name(&plan.release));
    let expected = expectations(ctx, &plan.release, &image.platforms)?;
    verify::image(&tar, &expected).map(Some)
}

/// Pushes, then fetches what the registry now serves and holds it against the same rules.
fn publish(
    ctx: &Ctx,
    release: &Release,
    image: &Verified<Layout>,
    references: &[Reference],
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let first = references.first().context("no name to push to")?;
    let title = format!("push to {}/{}", first.registry, first.repository);
    let published = output::step(ctx, &title, || {
        push::publish(ctx, image, references, push::Options::default())
    })?;
    let expected = expectations(ctx, release, &Platform::all())?;
    output::step(ctx, "fetch what was published and check it", || {
        published.keep_if(prove(ctx, image.value(), references, &expected))
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
    let on_commit = CommandLine::new("git").args(["tag", "--points-at", "HEAD"]);
    if run::read(ctx, &on_commit)?
        .lines()
        .any(|tag| tag == release.tag)
    {
        tags.extend([release.tag.clone(), release.version.clone()]);
    }
    tags.push("latest".to_owned());
    let reference = |tag: &String| Reference::join(registry, NAME, tag);
    tags.iter().map(reference).collect()
}

fn platforms() -> String {
    let platforms = Platform::all();
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
        println!("{}", serde_json::to_string_pretty(&object)?);
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
    for reference in references {
        println!("{reference}@{}", digest.unwrap_or_default());
    }
    output::note(
        ctx,
        &format!("summary: {}", summary::folder(ctx).join("summary.md")),
    );
    Ok(())
}
