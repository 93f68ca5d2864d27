//! `cargo xtask ci-multiarch`: builds, checks and publishes every platform, on one machine or in shards.

mod summary;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use noetl_checkout::Origin;
use noetl_help::Help as _;
use noetl_oci::registry::PushOptions;
use noetl_oci::{Image, KnownLayers, Layout, Reference};
use serde::Serialize;
use serde_json::json;

use crate::host::ctx::Ctx;
use crate::host::{files, git, output, run, sign_ins};
use crate::image::publish;
use crate::image::rules::ImageStandard;
use crate::release::cargo;
use crate::release::dist_manifest::{self, DistManifest};
use crate::release::page;
use crate::release::shards::{self, Shard};
use crate::release::target;
use crate::release::verify::{self, Verified};
use crate::release::version::Release;
use crate::release::workspace;
use crate::tasks::ci_multiarch::summary::Summary;
use crate::tasks::dist::DistPlan;
use crate::tasks::dist::Extras;
use crate::tasks::{Preview, dist};

/// Build, package, check and publish every platform, as CI does on every push
#[derive(Debug, Args)]
#[command(
    after_help = "Builds all targets, writes dist/ and checks it. With --push the image is pushed with the commit's SHA \
    and latest as tags, and at a release's tag also with its version; it is then fetched and checked \
    again.\n\nSeveral machines share the work with --shard; --merge joins what they built to the same bytes as one \
    machine. A summary is written to target/xtask/summary.\n\nExamples:\n  cargo xtask ci-multiarch\n  \
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
    /// Join the shards in these folders instead of building
    #[arg(long, value_name = "DIR", num_args = 1..)]
    merge: Vec<Utf8PathBuf>,
    /// Folder to write [default: dist at the repository's root]
    #[arg(long)]
    out: Option<Utf8PathBuf>,
    /// Publish the image under the commit's SHA and latest, and at a release's tag also its version
    #[arg(long)]
    push: bool,
    /// Only check that the image may be pushed to the registry, which is then known before anything is built
    #[arg(long, conflicts_with_all = ["shard", "merge", "push", "out", "json"])]
    check_access: bool,
    /// Registry and path above the image's name `noetl`; a final slash does not matter
    #[arg(long, default_value = workspace::registry())]
    registry: String,
    /// Print JSON: dist, index digest, references
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    preview: Preview,
}

pub(crate) fn run(ctx: &Ctx, args: &CiMultiarchArgs) -> anyhow::Result<()> {
    if args.check_access {
        return check_access(ctx, &args.registry);
    }
    let out = &args.out.clone().unwrap_or_else(|| ctx.root.join("dist"));
    let plan = dist::plan_dist(ctx, &args.targets, &Extras::default())?;
    let release = &plan.build.release;
    if args.preview.wanted() {
        let push = args.push.then(|| Push::plan(ctx, release, &args.registry));
        let push = push.transpose()?;
        let mut after = vec![format!("write {out}")];
        after.extend(push.iter().flat_map(Push::lines));
        let plan = CiPlan { dist: &plan, push };
        return args.preview.show(&plan, &plan.dist.build.commands, &after);
    }
    if let Some(shard) = args.shard {
        return build_shard(ctx, &plan, shard);
    }
    let references = references(ctx, release, &args.registry)?;
    if args.push {
        if plan.image.is_none() {
            return Err(anyhow!(
                "no image: it needs the targets of all its platforms"
            ))
            .help("take --targets linux, default or all");
        }
        publish::preflight(release, &references)?;
    }
    let mut summary = Summary::default();
    let made = if args.merge.is_empty() {
        dist::ensure(ctx, &args.targets, &Extras::default(), out)?
    } else {
        merge(ctx, &plan, &args.merge, out, &mut summary)?
    };
    let digest = match &plan.image {
        Some(image) => {
            let standard = ImageStandard::of_release(release, &image.platforms);
            let tar = out.join(dist_manifest::image_name(release));
            let known = KnownLayers::default();
            let verified = verify::image(&tar, standard.rules(), &known)?;
            if args.push {
                publish(ctx, &verified, &references, &standard, &known, &mut summary)?;
            }
            Some(Image::read(verified.value())?.root()?.digest.clone())
        }
        None => None,
    };
    let digest = digest.as_deref();
    summary.write(ctx, made.value(), digest)?;
    let pushed: &[Reference] = if args.push { &references } else { &[] };
    if args.json {
        return output::json(&json!({
            "dist": out, "dist_manifest": made.value(), "index_digest": digest,
            "references": pushed, "pushed": args.push,
        }));
    }
    dist::print_artifacts(out, made.value())?;
    for reference in pushed {
        output::line(format!("{reference}@{}", digest.unwrap_or_default()))?;
    }
    let summary = summary::folder(ctx).join("summary.md");
    output::note(ctx, &format!("summary: {summary}"));
    Ok(())
}

/// Checks that the credentials of this machine may push the image.
fn check_access(ctx: &Ctx, registry: &str) -> anyhow::Result<()> {
    let name = Reference::join(registry, workspace::image(), "latest")?;
    let repository = sign_ins::client(ctx).writable(&name, &[]);
    let checked = repository.check_push();
    checked.with_context(|| format!("images cannot be pushed to {registry}"))?;
    output::line(format!("{registry}/{} takes images", workspace::image()))
}

/// What is built, and what is pushed after that.
#[derive(Debug, Serialize)]
struct CiPlan<'a> {
    #[serde(flatten)]
    dist: &'a DistPlan,
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<Push>,
}

/// A push of the image.
#[derive(Debug, Serialize)]
struct Push {
    /// The names that it gets.
    references: Vec<String>,
    /// Why it would be refused as things are, such as that the tree differs from its commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl Push {
    fn plan(ctx: &Ctx, release: &Release, registry: &str) -> anyhow::Result<Self> {
        let references = references(ctx, release, registry)?;
        let refused = publish::preflight(release, &references).err();
        Ok(Self {
            references: references.iter().map(ToString::to_string).collect(),
            refused: refused.map(|error| error.to_string()),
        })
    }

    fn lines(&self) -> Vec<String> {
        let push = self.references.iter().map(|name| format!("push {name}"));
        let refused = self.refused.iter().map(|it| format!("fail: {it}"));
        push.chain(refused).collect()
    }
}

/// Builds one part and writes it to where `--merge` looks for it.
fn build_shard(ctx: &Ctx, whole: &DistPlan, shard: Shard) -> anyhow::Result<()> {
    let _lock = run::lock(ctx)?;
    let own = shard.of(&whole.build.targets)?;
    let words: Vec<_> = own.iter().map(|target| target.triple.to_owned()).collect();
    let part = dist::plan_dist(ctx, &words, &Extras::default())?;
    let ui_sha256 = page::build(ctx)?;
    let binaries = cargo::build(ctx, &part.build.compile, &part.build.targets)?;
    // A file that was saved meanwhile may or may not be in what was compiled.
    let same = Release::read(ctx)? == whole.build.release;
    ensure!(same, "the tree was edited during the build; run it again");
    let name = shard.to_string().replace('/', "-of-");
    let folder = ctx.state().join("shards").join(name);
    let seconds = summary::steps(ctx);
    shards::write(shard, &whole.build, &binaries, ui_sha256, seconds, &folder)?;
    output::line(folder)
}

/// Packs what the shards built, to the same bytes as if this machine had built it.
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
    summary.add_shards(&joined.records);
    let (binaries, ui_sha256) = (&joined.binaries, joined.ui_sha256);
    dist::place(ctx, plan, binaries, ui_sha256, out, || Ok(()))
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
    let name = format!("{}/{}", first.registry, first.repository);
    let push = || publish::publish(ctx, image, references, PushOptions::default());
    let published = output::step(ctx, &format!("push to {name}"), push)?;
    output::step(ctx, "fetch what was published and check it", || {
        let proof = publish::prove(ctx, image.value(), references, standard, known);
        published.keep_if(proof)
    })?;
    summary.published = Some((references.to_vec(), published.sent_bytes));
    let outputs = format!("image={name}\ndigest={}\n", published.digest);
    match &ctx.github.output {
        Some(output) => files::append(output, &outputs),
        None => Ok(()),
    }
}

/// Returns the names to push, `latest` last: the commit's SHA, and the versions when the release's tag is on the commit.
fn references(ctx: &Ctx, release: &Release, registry: &str) -> anyhow::Result<Vec<Reference>> {
    let mut tags = vec![&*release.commit];
    // A source archive has no tags.
    if git::source(ctx)?.origin != Origin::Archive {
        let here = git::read(ctx, &["tag", "--points-at", "HEAD"])?;
        if here.lines().any(|tag| tag == release.tag) {
            tags.extend([&*release.tag, &*release.version]);
        }
    }
    tags.push("latest");
    let reference = |tag: &str| Reference::join(registry, workspace::image(), tag);
    tags.into_iter().map(reference).collect()
}
