//! `cargo xtask image`: assemble, check and publish the image for every Linux node.

mod attest;
mod audit;
mod buildx;
mod check;
mod diff;
mod digest;
mod foundation;
mod inputs;
mod inspect;
mod load;
mod make;
pub(super) mod open;
mod push;
mod rebuild;
mod resolve;

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use noetl_oci::{Platform, Reference};

use crate::host::ctx::Ctx;
use crate::image::flavours::{self, Flavour};
use crate::release::cargo::Binary;
use crate::release::target::{self, platforms};
use crate::release::version::Release;
use crate::tasks::Preview;

/// Assemble the image for linux/amd64 and linux/arm64, without a daemon
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Writes an OCI layout to target/xtask/image and, beside it, \
    one tar that docker, containerd and podman load; a flavour's go to target/xtask/image-FLAVOUR.\n\nExamples:\n  \
    cargo xtask image\n  \
    cargo xtask image --tag 1.2 --tag latest --registry 127.0.0.1:5000 --push\n  \
    cargo xtask image --load                                 into the engine of this machine\n  \
    cargo xtask image --flavour python                       with Python, for playbooks with python and shell steps\n  \
    cargo xtask image --base 127.0.0.1:5000/debian@sha256:…  on a base of your own\n  \
    cargo xtask image --binary linux/amd64=./noetl           from a binary that is there already\n  \
    cargo xtask image --use-buildx                           noetl-local-dev:latest by Docker's own builder\n  \
    cargo xtask image digest\n  cargo xtask image check\n  docker load --input target/xtask/image.tar"
)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: Option<ImageCommand>,
    #[command(flatten)]
    recipe: Recipe,
    /// Registry and path above the image's name; a final slash does not matter [default: ghcr.io/noetl; none with --use-buildx]
    #[arg(long)]
    registry: Option<String>,
    /// Tag, repeatable; a flavour's end in its name [default: the version; latest with --use-buildx]
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Send it to the registry once it has passed every check
    #[arg(long)]
    push: bool,
    #[command(flatten)]
    how: push::PushHow,
    /// Load it into an engine here, for this machine's platform alone; without a name, into the first that answers
    #[arg(long, value_enum, value_name = "ENGINE", num_args = 0..=1, default_missing_value = "auto")]
    load: Option<load::Engine>,
    /// Build `noetl-local-dev` with `docker buildx` from docker/noetl/dev/Dockerfile, for this machine's platform
    /// and into its engine unless --platforms or --push say otherwise; several platforms make one OCI tar
    #[arg(long, conflicts_with_all = ["attest", "binaries", "flavour", "threads", "allow_floating_base", "json", "sign", "sign_key"])]
    use_buildx: bool,
    /// Builder for --use-buildx, as `docker buildx ls` names it
    #[arg(long, value_name = "NAME", requires = "use_buildx")]
    builder: Option<String>,
    /// Plain lines instead of progress bars, which is what a pipe gets anyway
    #[arg(long)]
    plain: bool,
    /// Print JSON: references, index digest, platforms, files
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    attest: attest::AttestArgs,
    #[command(flatten)]
    preview: Preview,
    /// With --use-buildx, what else `docker buildx build` is given, such as --network=host
    #[arg(last = true, requires = "use_buildx")]
    docker: Vec<String>,
}

/// What decides the image's bytes.
#[derive(Debug, Args)]
struct Recipe {
    /// Platforms, separated by commas [default: linux/amd64,linux/arm64; those of --binary; with --load this machine's]
    #[arg(long, value_delimiter = ',', value_parser = target::parse_platform)]
    platforms: Vec<Platform>,
    /// Flavour: `plain` is NoETL's own files alone, `python` adds Python for python, shell and duckdb steps
    #[arg(long, default_value = "plain", value_parser = flavours::find)]
    flavour: &'static Flavour,
    /// Image to build upon: `scratch`, a full name with @sha256:…, a layout or a tar [default: the flavour's]
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
    /// Accept a base named by a tag, and print which digest that is
    #[arg(long)]
    allow_floating_base: bool,
    /// Take this binary instead of compiling one, repeatable; labels then say what its build stamp says
    #[arg(long = "binary", value_name = "PLATFORM=PATH", value_parser = inputs::given_binary)]
    binaries: Vec<Binary>,
    /// Compress every layer, also those that are kept compressed
    #[arg(long)]
    no_cache: bool,
    /// How many threads compress; the bytes are the same for any number [default: one per processor]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Make SBOM and provenance of an image that is there already, and sign it
    Attest(attest::AttestImageArgs),
    /// Check a layout, a tar or an image in a registry against every rule
    Check(check::CheckArgs),
    /// Publish a layout or a tar that is there already
    Push(push::PushArgs),
    /// Find what is missing in a repository, and what may be deleted from it
    Audit(audit::AuditArgs),
    /// Explain what makes two images different, down to a section of a program
    Diff(diff::DiffArgs),
    /// Print what an image is: platforms, layers, sizes, and who built the programs inside
    Inspect(inspect::InspectArgs),
    /// Replace image names in Kubernetes manifests by digests, and refuse what no node could run
    Resolve(resolve::ResolveArgs),
    /// Print the digest that `image` with the same flags would make, without making it
    Digest(digest::DigestArgs),
}

/// Where the image is published unless told otherwise.
pub(crate) const REGISTRY: &str = "ghcr.io/noetl";
/// The image's name below the registry.
pub(crate) const NAME: &str = "noetl";

/// Returns the names of a release's image.
pub(crate) fn default_references(release: &Release) -> anyhow::Result<Vec<Reference>> {
    Ok(vec![Reference::join(REGISTRY, NAME, &release.version)?])
}

pub(crate) fn run(ctx: &Ctx, args: &ImageArgs) -> anyhow::Result<()> {
    match &args.command {
        Some(ImageCommand::Attest(args)) => attest::run(ctx, args),
        Some(ImageCommand::Check(args)) => check::run(ctx, args),
        Some(ImageCommand::Push(args)) => push::run(ctx, args),
        Some(ImageCommand::Audit(args)) => audit::run(ctx, args),
        Some(ImageCommand::Diff(args)) => diff::run(ctx, args),
        Some(ImageCommand::Inspect(args)) => inspect::run(ctx, args),
        Some(ImageCommand::Resolve(args)) => resolve::run(ctx, args),
        Some(ImageCommand::Digest(args)) => digest::run(ctx, args),
        None if args.use_buildx => buildx::run(ctx, args),
        None => make::run(ctx, args),
    }
}

fn outputs(ctx: &Ctx) -> (Utf8PathBuf, Utf8PathBuf) {
    outputs_of(ctx, flavours::plain())
}

/// Returns where a flavour's layout and tar are written.
fn outputs_of(ctx: &Ctx, flavour: &Flavour) -> (Utf8PathBuf, Utf8PathBuf) {
    let folder = ctx.state().join(format!("image{}", flavour.suffix));
    (folder.clone(), format!("{folder}.tar").into())
}

/// Returns platforms in the order of the one target list.
fn in_order(wanted: &[Platform]) -> Vec<Platform> {
    let known = platforms().into_iter();
    known.filter(|platform| wanted.contains(platform)).collect()
}
