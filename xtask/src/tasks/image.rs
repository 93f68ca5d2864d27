//! `cargo xtask image`: assemble, check and publish the image for every Linux node.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::cargo::Host;
use crate::check::rules::{self, RULES};
use crate::check::{Findings, image as rules_on_images};
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::layout::Layout;
use crate::plan::{Plan, Products, Request, plan};
use crate::registry::push;
use crate::registry::reference::Reference;
use crate::release::Release;
use crate::target::Platform;
use crate::tasks::{Preview, build};
use crate::{files, package, sh, verify};

/// Assemble the image for linux/amd64 and linux/arm64, without a daemon
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Writes an OCI layout to target/xtask/image and, beside it, \
    one tar that docker, containerd and podman load.\n\nExamples:\n  cargo xtask image\n  \
    cargo xtask image --tag 1.2 --tag latest --registry ghcr.io/noetl/ --push\n  \
    cargo xtask image check\n  docker load --input target/xtask/image.tar"
)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: Option<ImageCommand>,
    /// Platforms, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64")]
    platforms: Vec<String>,
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
    cargo xtask image check dist/noetl-v0.1.0-image.tar\n  cargo xtask image check ghcr.io/noetl/noetl:0.1.0\n  \
    cargo xtask image check --explain P6"
)]
struct CheckArgs {
    /// Folder, tar or full image name [default: what `image` made]
    image: Option<String>,
    /// Platforms it should be for, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64")]
    platforms: Vec<String>,
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
    let (release, host) = (Release::read(ctx)?, Host::read(ctx)?);
    let platforms = parse(&args.platforms)?;
    let tags = if args.tags.is_empty() {
        std::slice::from_ref(&release.version)
    } else {
        &args.tags
    };
    let references = tags
        .iter()
        .map(|tag| Reference::join(&args.registry, NAME, tag))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let targets = platforms.iter().map(Platform::target).collect();
    let plan = plan(
        &host,
        &release,
        &Request {
            targets,
            products: Products::Image,
            references: references.clone(),
        },
    );
    let (folder, tar) = outputs(ctx);
    if args
        .preview
        .show(&plan, &[folder.to_string(), tar.to_string()])?
    {
        return Ok(());
    }
    if release.is_dirty() {
        sh::warn(&format!(
            "the tree differs from its commit; the image's revision is {}",
            release.commit
        ));
    }
    let _lock = sh::lock(ctx)?;
    let binaries = build::binaries(ctx, &plan, ctx.ui)?;
    let verified = sh::step(ctx, "assemble the image and check it", || {
        let (layout, bytes) = package::image(&plan, &binaries)?.expect("an image was asked for");
        layout.write_folder(&folder)?;
        files::write(&tar, bytes)?;
        verify::image(&folder, &platforms)
    })?;
    if args.push {
        let published = sh::step(ctx, &format!("push to {}", args.registry), || {
            push::publish(ctx, &verified, &references, release.is_dirty())
        })?;
        sh::note(
            ctx,
            &format!("{}: {} bytes sent", published.digest, published.sent_bytes),
        );
    }
    report(args, &plan, verified.value(), [&folder, &tar])
}

fn outputs(ctx: &Ctx) -> (Utf8PathBuf, Utf8PathBuf) {
    (ctx.state().join("image"), ctx.state().join("image.tar"))
}

/// In the order of the one target list, whatever order they were typed in.
fn parse(platforms: &[String]) -> anyhow::Result<Vec<Platform>> {
    let mut parsed = platforms
        .iter()
        .map(|text| Platform::parse(text))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let order = Platform::all();
    parsed.sort_by_key(|platform| order.iter().position(|known| known == platform));
    parsed.dedup();
    Ok(parsed)
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
    let findings = rules_on_images::check(&open(&image)?, &parse(&args.platforms)?);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings.0)?);
        return verify::conclude(&Findings::default(), &image).and(fail_on(&findings, &image));
    }
    verify::conclude(&findings, &image)?;
    println!("{image}: no rule is broken");
    Ok(())
}

fn fail_on(findings: &Findings, image: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        findings.errors() == 0,
        "{image} breaks the rules: {} errors",
        findings.errors()
    );
    Ok(())
}

/// A path that exists is a layout or a tar; everything else must be an image's name.
fn open(image: &str) -> anyhow::Result<Layout> {
    let path = camino::Utf8Path::new(image);
    if path.exists() {
        return Layout::open(path).help("`cargo xtask image` makes one");
    }
    match image.parse::<Reference>() {
        Ok(reference) => push::pull(&reference),
        Err(error) => {
            Err(error.context(format!("there is no file {image}, and it is no image name")))
                .help("`cargo xtask image` makes one")
        }
    }
}
