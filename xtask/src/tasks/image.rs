//! `cargo xtask image`: assemble, check and publish the image for every Linux node.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::cargo::Host;
use crate::check::image as rules_on_images;
use crate::check::rules::{self, RULES};
use crate::ctx::{Ctx, Wanted};
use crate::error::WithHelp as _;
use crate::oci::layout::Layout;
use crate::oci::reference::Reference;
use crate::plan::{Plan, Products, Request, plan};
use crate::registry::{pull, push};
use crate::release::Release;
use crate::target::Platform;
use crate::tasks::{Preview, build};
use crate::verify::Verified;
use crate::{files, package, sh, verify};

/// Assemble the image for linux/amd64 and linux/arm64, without a daemon
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Writes an OCI layout to target/xtask/image and, beside it, \
    one tar that docker, containerd and podman load.\n\nExamples:\n  cargo xtask image\n  \
    cargo xtask image --tag 1.2 --tag latest --registry 127.0.0.1:5000 --push\n  \
    cargo xtask image check\n  docker load --input target/xtask/image.tar"
)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: Option<ImageCommand>,
    /// Platforms, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64", value_parser = Platform::parse)]
    platforms: Vec<Platform>,
    /// Registry and path above the image's name `noetl`; a final slash does not matter
    #[arg(long, default_value = REGISTRY)]
    registry: String,
    /// Tag, repeatable; the version when none is given
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Send it to the registry once it has passed every check
    #[arg(long)]
    push: bool,
    /// Print JSON: references, index digest, platforms, files
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    preview: Preview,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Check a layout, a tar or an image in a registry against every rule
    Check(CheckArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask image check                                   what `image` made\n  \
    cargo xtask image check dist/noetl-v0.1.0-image.tar\n  cargo xtask image check 127.0.0.1:5000/noetl:0.1.0\n  \
    cargo xtask image check --explain P6"
)]
struct CheckArgs {
    /// Folder, tar or full image name [default: what `image` made]
    image: Option<String>,
    /// Platforms it should be for, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64", value_parser = Platform::parse)]
    platforms: Vec<Platform>,
    /// Print JSON: every finding with rule, severity, object and message
    #[arg(long)]
    json: bool,
    /// Print every rule and stop
    #[arg(long, conflicts_with = "explain")]
    list: bool,
    /// Print what a rule is for and stop
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
}

/// Where the image is published unless told otherwise.
const REGISTRY: &str = "ghcr.io/noetl";
/// The image's name below the registry.
const NAME: &str = "noetl";

/// The names of a release's image.
pub(crate) fn default_references(release: &Release) -> anyhow::Result<Vec<Reference>> {
    Ok(vec![Reference::join(REGISTRY, NAME, &release.version)?])
}

pub(crate) fn run(ctx: &Ctx, args: &ImageArgs) -> anyhow::Result<()> {
    match &args.command {
        Some(ImageCommand::Check(args)) => check(ctx, args),
        None => make(ctx, args),
    }
}

fn make(ctx: &Ctx, args: &ImageArgs) -> anyhow::Result<()> {
    let platforms = in_order(&args.platforms);
    let (folder, tar) = outputs(ctx);
    if args.preview.wanted() {
        let plan = plan_image(ctx, args, &platforms)?;
        return args
            .preview
            .show(&plan, &[folder.to_string(), tar.to_string()]);
    }
    let _lock = sh::lock(ctx)?;
    let plan = plan_image(ctx, args, &platforms)?;
    let references = plan
        .image
        .iter()
        .flat_map(|image| image.references.clone())
        .collect::<Vec<_>>();
    if args.push {
        push::preflight(&plan.release, &references)?;
    }
    if plan.release.is_dirty() {
        sh::warn(&format!(
            "the tree differs from its commit; the image's revision is {}",
            plan.release.commit
        ));
    }
    let binaries = build::binaries(ctx, &plan, Wanted::Yes)?;
    let verified = sh::step(ctx, "assemble the image and check it", || {
        let (layout, bytes) = package::image(&plan, &binaries)?.expect("an image was asked for");
        replace(&layout, &bytes, &folder, &tar, &platforms)
    })?;
    if args.push {
        let published = sh::step(ctx, &format!("push to {}", args.registry), || {
            push::publish(ctx, &verified, &references)
        })?;
        sh::note(
            ctx,
            &format!("{}: {} bytes sent", published.digest, published.sent_bytes),
        );
    }
    report(args, &plan, verified.value(), [&folder, &tar])
}

fn plan_image(ctx: &Ctx, args: &ImageArgs, platforms: &[Platform]) -> anyhow::Result<Plan> {
    let (release, host) = (Release::read(ctx)?, Host::read(ctx)?);
    let mut tags = args.tags.clone();
    if tags.is_empty() {
        tags.push(release.version.clone());
    }
    let mut references = Vec::new();
    for tag in tags {
        let reference = Reference::join(&args.registry, NAME, &tag)?;
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    let targets = platforms.iter().map(Platform::target).collect();
    let request = Request {
        targets,
        products: Products::Image,
        references,
        ui: Wanted::Yes,
    };
    Ok(plan(&host, &release, &request))
}

/// Writes both forms under other names, proves both from disk, and only then puts them in place.
fn replace(
    layout: &Layout,
    tar_bytes: &[u8],
    folder: &Utf8Path,
    tar: &Utf8Path,
    platforms: &[Platform],
) -> anyhow::Result<Verified<Layout>> {
    let (new_folder, new_tar) = (folder.with_extension("new"), tar.with_extension("tar.new"));
    layout.write_folder(&new_folder)?;
    files::write(&new_tar, tar_bytes)?;
    let verified =
        verify::image(&new_tar, platforms).and_then(|_| verify::image(&new_folder, platforms));
    if verified.is_ok() {
        files::swap_folder(&new_folder, folder)?;
        files::swap_folder(&new_tar, tar)?;
    } else {
        files::remove(&new_folder)?;
        files::remove(&new_tar)?;
    }
    verified
}

fn outputs(ctx: &Ctx) -> (Utf8PathBuf, Utf8PathBuf) {
    (ctx.state().join("image"), ctx.state().join("image.tar"))
}

/// In the order of the one target list, whatever order they were typed in.
fn in_order(platforms: &[Platform]) -> Vec<Platform> {
    Platform::all()
        .into_iter()
        .filter(|platform| platforms.contains(platform))
        .collect()
}

fn report(
    args: &ImageArgs,
    plan: &Plan,
    layout: &Layout,
    files: [&Utf8PathBuf; 2],
) -> anyhow::Result<()> {
    let image = plan.image.as_ref().expect("an image was asked for");
    let digest = layout.image_index()?.digest;
    if args.json {
        let platforms: Vec<_> = image.platforms.iter().map(ToString::to_string).collect();
        let object = json!({
            "references": image.references, "index_digest": digest, "platforms": platforms,
            "layout": files[0], "tar": files[1], "pushed": args.push,
        });
        println!("{}", serde_json::to_string_pretty(&object)?);
        return Ok(());
    }
    files.into_iter().for_each(|path| println!("{path}"));
    for reference in &image.references {
        println!("{reference}@{digest}");
    }
    Ok(())
}

fn check(ctx: &Ctx, args: &CheckArgs) -> anyhow::Result<()> {
    if args.list {
        RULES.iter().for_each(|rule| {
            println!(
                "{:<4}{:<8}{}",
                rule.id,
                rule.severity.to_string(),
                rule.title
            )
        });
        return Ok(());
    }
    if let Some(id) = &args.explain {
        let unknown = || anyhow::anyhow!("there is no rule `{id}`");
        let rule = rules::find(id)
            .ok_or_else(unknown)
            .help("cargo xtask image check --list")?;
        println!(
            "{} ({}): {}\nwithout it: {}",
            rule.id, rule.severity, rule.title, rule.symptom
        );
        return Ok(());
    }
    let image = args
        .image
        .clone()
        .unwrap_or_else(|| outputs(ctx).0.into_string());
    let findings = rules_on_images::check(&open(&image)?, &in_order(&args.platforms));
    if args.json {
        return verify::conclude_json(&findings, &image);
    }
    verify::conclude(&findings, &image)?;
    println!("{image}: no rule is broken");
    Ok(())
}

/// A path that exists, or looks like one, is a layout or a tar; everything else is an image's name.
fn open(image: &str) -> anyhow::Result<Layout> {
    let path = Utf8Path::new(image);
    let is_path = path.exists() || image.starts_with(['.', '/', '~']) || image.ends_with(".tar");
    let opened = if is_path {
        Layout::open(path)
    } else {
        let reference = image.parse::<Reference>();
        reference
            .with_context(|| format!("there is no file {image}, and it is no image name"))
            .and_then(|reference| pull::pull(&reference))
    };
    opened.help("`cargo xtask image` makes one at target/xtask/image; an image in a registry is named in full")
}
