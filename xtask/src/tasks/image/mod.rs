//! `cargo xtask image`: assemble, check and publish the image for every Linux node.

mod check;
mod diff;
mod inspect;
mod make;
mod mutate;
mod resolve;

pub(crate) use check::expectations;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Subcommand};

use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::layout::Layout;
use crate::oci::reference::Reference;
use crate::registry::pull;
use crate::release::Release;
use crate::target::Platform;
use crate::tasks::Preview;

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
    Check(check::CheckArgs),
    /// Make a broken image that trips a rule
    #[command(hide = true)]
    Mutate(mutate::MutateArgs),
    /// Explain what makes two images different, down to a section of a program
    Diff(diff::DiffArgs),
    /// Print what an image is: platforms, layers, sizes, and who built the programs inside
    Inspect(inspect::InspectArgs),
    /// Replace image names in Kubernetes manifests by digests, and refuse what no node could run
    Resolve(resolve::ResolveArgs),
}

/// Where the image is published unless told otherwise.
pub(crate) const REGISTRY: &str = "ghcr.io/noetl";
/// The image's name below the registry.
pub(crate) const NAME: &str = "noetl";

/// The names of a release's image.
pub(crate) fn default_references(release: &Release) -> anyhow::Result<Vec<Reference>> {
    Ok(vec![Reference::join(REGISTRY, NAME, &release.version)?])
}

pub(crate) fn run(ctx: &Ctx, args: &ImageArgs) -> anyhow::Result<()> {
    match &args.command {
        Some(ImageCommand::Check(args)) => check::run(ctx, args),
        Some(ImageCommand::Mutate(args)) => mutate::run(ctx, args),
        Some(ImageCommand::Diff(args)) => diff::run(ctx, args),
        Some(ImageCommand::Inspect(args)) => inspect::run(ctx, args),
        Some(ImageCommand::Resolve(args)) => resolve::run(args),
        None => make::run(ctx, args),
    }
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
