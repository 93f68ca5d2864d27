//! `cargo xtask image`: the arguments of the task and of its subcommands.

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

use std::slice;

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use noetl_oci::{Platform, Reference};

use crate::host::ctx::Ctx;
use crate::image::flavours::{self, Flavour};
use crate::release::cargo::Binary;
use crate::release::target::{self, platforms};
use crate::release::version::Release;
use crate::release::workspace;
use crate::tasks::Preview;

/// Assemble the image for linux/amd64 and linux/arm64, without a daemon
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Writes an OCI layout to target/xtask/image and, beside it, \
    one tar that docker, containerd and podman load; those of a flavour are target/xtask/image-FLAVOUR.\n\nExamples:\n  \
    cargo xtask image\n  \
    cargo xtask image --tag 1.2 --tag latest --registry 127.0.0.1:5000 --push\n  \
    cargo xtask image --load                                 into the engine of this machine\n  \
    cargo xtask image --flavour python                       with Python, for playbooks with python and shell steps\n  \
    cargo xtask image --base 127.0.0.1:5000/debian@sha256:…  on another base\n  \
    cargo xtask image --binary linux/amd64=./noetl           from a binary that exists already\n  \
    cargo xtask image --use-buildx                           noetl-local-dev:latest by docker buildx\n  \
    cargo xtask image digest\n  cargo xtask image check\n  docker load --input target/xtask/image.tar"
)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: Option<ImageCommand>,
    #[command(flatten)]
    recipe: Recipe,
    /// Registry and path above the image's name; a final slash does not matter [default: that of Cargo.toml, such as
    /// ghcr.io/noetl; none with --use-buildx]
    #[arg(long)]
    registry: Option<String>,
    /// Tag, repeatable; a flavour appends its name, such as 1.2-python [default: the version; latest with --use-buildx]
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Push the image to the registry after it has passed every check
    #[arg(long)]
    push: bool,
    #[command(flatten)]
    how: push::PushHow,
    /// Load the image for this machine's platform into an engine; without a name, into the first engine that answers
    #[arg(long, value_enum, value_name = "ENGINE", num_args = 0..=1, default_missing_value = "auto")]
    load: Option<load::Engine>,
    /// Build `noetl-local-dev` with `docker buildx` from docker/noetl/dev/Dockerfile, for this machine's platform
    /// and into its engine unless --platforms or --push say otherwise; several platforms make one OCI tar
    #[arg(long, conflicts_with_all = ["attest", "binaries", "flavour", "threads", "allow_floating_base", "json", "sign", "sign_key"])]
    use_buildx: bool,
    /// Builder for --use-buildx, one of `docker buildx ls`
    #[arg(long, value_name = "NAME", requires = "use_buildx")]
    builder: Option<String>,
    /// Print plain lines instead of progress bars, as is done in a pipe
    #[arg(long)]
    plain: bool,
    /// Print JSON: references, index digest, platforms, files
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    attest: attest::AttestArgs,
    #[command(flatten)]
    preview: Preview,
    /// With --use-buildx, further arguments of `docker buildx build`, such as --network=host
    #[arg(last = true, requires = "use_buildx")]
    docker: Vec<String>,
}

/// The arguments that decide the image's bytes.
#[derive(Debug, Args)]
struct Recipe {
    /// Platforms, separated by commas [default: linux/amd64,linux/arm64; those of --binary; with --load this machine's]
    #[arg(long, value_delimiter = ',', value_parser = target::parse_platform)]
    platforms: Vec<Platform>,
    /// Flavour: `plain` has NoETL's own files only, `python` adds Python for python, shell and duckdb steps
    #[arg(long, default_value = "plain", value_parser = flavours::find)]
    flavour: &'static Flavour,
    /// Base image: `scratch`, a full name with @sha256:…, a layout or a tar [default: the flavour's]
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
    /// Accept a base that is named by a tag, and print its digest
    #[arg(long)]
    allow_floating_base: bool,
    /// Take this binary instead of compiling one, repeatable; version and revision are then those of its build stamp
    #[arg(long = "binary", value_name = "PLATFORM=PATH", value_parser = inputs::given_binary)]
    binaries: Vec<Binary>,
    /// Compress every layer again instead of taking it from the cache
    #[arg(long)]
    no_cache: bool,
    /// Number of threads that compress; it does not change the bytes [default: one per processor]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Make SBOM and provenance of an image that exists already, and sign it
    Attest(attest::AttestImageArgs),
    /// Check a layout, a tar or an image in a registry against every rule
    Check(check::CheckArgs),
    /// Publish a layout or a tar that exists already
    Push(push::PushArgs),
    /// List what is missing in a repository, and what may be deleted from it
    Audit(audit::AuditArgs),
    /// Print what differs between two images, down to sections of a program
    Diff(diff::DiffArgs),
    /// Print platforms, layers and sizes of an image, and the build stamps of its programs
    Inspect(inspect::InspectArgs),
    /// Add digests to the image names in Kubernetes manifests, and refuse what no node could run
    Resolve(resolve::ResolveArgs),
    /// Print the digest that `image` with the same flags would make, without making it
    Digest(digest::DigestArgs),
}

/// Returns the full name of a release's image.
pub(crate) fn default_references(release: &Release) -> anyhow::Result<Vec<Reference>> {
    references(
        workspace::registry(),
        slice::from_ref(&release.version),
        flavours::plain(),
    )
}

/// Returns the full names of a flavour's image under `registry`, once for each tag.
fn references(
    registry: &str,
    tags: &[String],
    flavour: &Flavour,
) -> anyhow::Result<Vec<Reference>> {
    let mut references = Vec::new();
    for tag in tags {
        let tag = format!("{tag}{}", flavour.suffix);
        let reference = Reference::join(registry, workspace::image(), &tag)?;
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    Ok(references)
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

/// Returns the paths of a flavour's layout and tar.
fn outputs(ctx: &Ctx, flavour: &Flavour) -> (Utf8PathBuf, Utf8PathBuf) {
    let folder = ctx.state().join(format!("image{}", flavour.suffix));
    (folder.clone(), format!("{folder}.tar").into())
}

/// Returns platforms in the order of the list of targets.
fn in_order(wanted: &[Platform]) -> Vec<Platform> {
    let known = platforms().into_iter();
    known.filter(|platform| wanted.contains(platform)).collect()
}
