//! `--use-buildx`: makes the image with docker buildx, from docker/noetl/dev/Dockerfile.

use camino::Utf8Path;
use noetl_help::Help as _;
use noetl_oci::{Platform, Reference};

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{output, run};
use crate::image::plan::{self as image_plan, ImagePlan, Plan};
use crate::image::{flavours, publish};
use crate::release::target::Target;
use crate::release::version::Release;
use crate::tasks::image::ImageArgs;

/// The image's name. It differs from the name of the image without a Dockerfile, since their bytes differ.
const NAME: &str = "noetl-local-dev";
/// The default tag.
const TAG: &str = "latest";
/// The Dockerfile, relative to the repository's root.
const DOCKERFILE: &str = "docker/noetl/dev/Dockerfile";

/// Where the result goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    /// The engine of this machine: one platform.
    Load,
    /// A registry.
    Push,
    /// One tar with an OCI layout, since an engine may not load several platforms.
    Tar,
}

pub(super) fn run(ctx: &Ctx, args: &ImageArgs) -> anyhow::Result<()> {
    let platforms = args.recipe.platforms(!args.push);
    let tar = ctx.state().join("image-buildx.tar");
    let release = Release::read(ctx)?;
    let references = references(args)?;
    let image = image_plan::image(&release, &platforms, &references, &platforms[0])
        .flavoured(flavours::find("python")?, args.recipe.base.clone());
    let destination = match platforms.len() {
        _ if args.push => Destination::Push,
        1 => Destination::Load,
        _ => Destination::Tar,
    };
    let command = command(args, &image, destination, &tar)?;
    if args.preview.wanted() {
        let plan = Plan {
            release,
            commands: vec![command],
            binaries: Vec::new(),
            build: None,
            image,
        };
        return args.preview.show(&plan, &plan.commands, &[]);
    }
    if args.push {
        publish::preflight(&release, &references)?;
    }
    let names = comma_separated(&platforms);
    output::step(ctx, &format!("build the image for {names} with docker buildx"), || {
        run::run(ctx, &command)
    })
    .help("`docker buildx ls` lists builders and their platforms; a new one: docker buildx create --use")?;
    match destination {
        Destination::Tar => output::line(tar),
        Destination::Load | Destination::Push => names_of(args).try_for_each(output::line),
    }
}

fn comma_separated(platforms: &[Platform]) -> String {
    let names: Vec<_> = platforms.iter().map(Platform::without_variant).collect();
    names.join(",")
}

fn tags(args: &ImageArgs) -> Vec<&str> {
    let tags: Vec<_> = args.tags.iter().map(String::as_str).collect();
    if tags.is_empty() { vec![TAG] } else { tags }
}

/// Returns the names as Docker writes them: without a registry those of a local image.
fn names_of(args: &ImageArgs) -> impl Iterator<Item = String> {
    let registry = args.registry.as_deref();
    let registry = registry.map(|registry| registry.trim_end_matches('/'));
    let prefix = registry.map_or_else(String::new, |registry| format!("{registry}/"));
    let tags = tags(args).into_iter();
    tags.map(move |tag| format!("{prefix}{NAME}:{tag}"))
}

/// Returns the full names.
fn references(args: &ImageArgs) -> anyhow::Result<Vec<Reference>> {
    anyhow::ensure!(
        args.registry.is_some() || !args.push,
        "--push needs --registry, such as --registry ghcr.io/noetl"
    );
    let registry = args.registry.as_deref().unwrap_or("docker.io/library");
    let tags = tags(args).into_iter();
    let names = tags.map(|tag| Reference::join(registry, NAME, tag));
    names.collect()
}

/// Returns the command, with labels and annotations of the plan, and without attestations, which would be children of
/// the index.
fn command(
    args: &ImageArgs,
    image: &ImagePlan,
    destination: Destination,
    tar: &Utf8Path,
) -> anyhow::Result<CommandLine> {
    let targets = image.platforms.iter().map(Target::of_platform);
    let targets = targets.map(|target| Ok(target?.triple));
    let targets = targets.collect::<anyhow::Result<Vec<_>>>()?.join(",");
    let python = image.base.as_deref().unwrap_or("scratch");
    let mut command = CommandLine::new("docker")
        .args(["buildx", "build", "--file", DOCKERFILE])
        .args(["--provenance=false", "--sbom=false", "--platform"])
        .arg(comma_separated(&image.platforms));
    for value in [
        format!("TARGETS={targets}"),
        format!("PYTHON_IMAGE={python}"),
        format!("SOURCE_DATE_EPOCH={}", image.commit_time),
    ] {
        command = command.args(["--build-arg", &value]);
    }
    if let Some(builder) = &args.builder {
        command = command.args(["--builder", builder]);
    }
    if args.plain {
        command = command.args(["--progress", "plain"]);
    }
    if args.recipe.no_cache {
        command = command.arg("--no-cache");
    }
    // A single image has no index to annotate, and an image in an engine has no annotations.
    let levels: &[&str] = match (destination, image.platforms.len()) {
        (Destination::Load, _) => &[],
        (_, 1) => &["manifest"],
        _ => &["index", "manifest"],
    };
    for (key, value) in &image.labels {
        command = command.args(["--label", &format!("{key}={value}")]);
        for level in levels {
            command = command.args(["--annotation", &format!("{level}:{key}={value}")]);
        }
    }
    for name in names_of(args) {
        command = command.args(["--tag", &name]);
    }
    // Docker's built-in builder unpacks what it pushes, and then refuses to rewrite times.
    let output = match destination {
        Destination::Load => "type=docker".to_owned(),
        Destination::Push => "type=image,push=true,oci-mediatypes=true".to_owned(),
        Destination::Tar => format!("type=oci,dest={tar},rewrite-timestamp=true"),
    };
    let command = command.args(["--output", &output]);
    Ok(command.args(args.docker.clone()).arg("."))
}

#[cfg(test)]
mod tests {
    use crate::image::flavours::FLAVOURS;

    #[test]
    fn the_dockerfile_starts_from_the_same_images() {
        let dockerfile = include_str!("../../../../docker/noetl/dev/Dockerfile");
        let python = FLAVOURS.iter().find_map(|flavour| flavour.base).unwrap();
        assert!(dockerfile.contains(&format!("\nARG PYTHON_IMAGE={python}\n")));
        let mut toolchain = include_str!("../../../../rust-toolchain.toml").lines();
        let channel =
            toolchain.find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'));
        let rust = format!("docker.io/library/rust:{}-slim", channel.unwrap());
        assert!(dockerfile.contains(&format!("\nARG RUST_IMAGE={rust}\n")));
        // Every stage starts from one of those, or from a stage of the file.
        let lines = dockerfile.lines();
        let froms = lines.filter_map(|line| line.strip_prefix("FROM "));
        let sources = froms.map(|from| {
            let source = from.trim_start_matches("--platform=$BUILDPLATFORM ");
            source.split(' ').next().unwrap()
        });
        let sources: Vec<_> = sources.collect();
        let expected = "${NODE_IMAGE} ${RUST_IMAGE} tools ${PYTHON_IMAGE} tools base";
        assert_eq!(sources.join(" "), expected);
    }
}
