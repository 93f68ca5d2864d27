//! `--use-buildx`: the image by Docker's own builder, from docker/noetl/dev/Dockerfile.

use camino::Utf8Path;
use noetl_help::Help as _;
use noetl_oci::{Platform, Reference};
use serde::Serialize;

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{output, run};
use crate::image::plan::{self as image_plan, ImagePlan};
use crate::image::{flavours, publish};
use crate::release::target::Target;
use crate::release::version::Release;
use crate::tasks::image::ImageArgs;

/// The image's name, which is not that of the image without a Dockerfile: the two differ in bytes.
const NAME: &str = "noetl-local-dev";
/// Its tag unless told otherwise.
const TAG: &str = "latest";
/// The Dockerfile, relative to the repository's root.
const DOCKERFILE: &str = "docker/noetl/dev/Dockerfile";

/// What is done: one command makes it all.
#[derive(Debug, Serialize)]
struct BuildxPlan {
    release: Release,
    commands: [CommandLine; 1],
    image: ImagePlan,
}

/// Where the result goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    /// The engine here has it under its name: one platform.
    Load,
    /// A registry has it.
    Push,
    /// One tar with an OCI layout, since the classic engine cannot load several platforms.
    Tar,
}

pub(super) fn run(ctx: &Ctx, args: &ImageArgs) -> anyhow::Result<()> {
    let platforms = args.recipe.platforms(!args.push);
    let tar = ctx.state().join("image-buildx.tar");
    let release = Release::read(ctx)?;
    let references = references(args)?;
    let image = image_plan::image(&release, &platforms, &references, &platforms[0])
        .flavoured(flavours::find("python")?, args.recipe.base.clone());
    let result = match platforms.len() {
        _ if args.push => Destination::Push,
        1 => Destination::Load,
        _ => Destination::Tar,
    };
    let command = command(args, &image, result, &tar)?;
    if args.preview.wanted() {
        let plan = BuildxPlan {
            release,
            commands: [command],
            image,
        };
        return args.preview.show(&plan, &plan.commands, &[]);
    }
    if args.push {
        publish::preflight(&release, &references)?;
    }
    let names = platforms
        .iter()
        .map(Platform::without_variant)
        .collect::<Vec<_>>()
        .join(", ");
    output::step(ctx, &format!("build the image for {names} with docker buildx"), || {
        run::run(ctx, &command)
    })
    .help("`docker buildx ls` lists builders and their platforms; a new one: docker buildx create --use")?;
    match result {
        Destination::Tar => output::line(tar),
        Destination::Load | Destination::Push => names_of(args).iter().try_for_each(output::line),
    }
}

/// Returns the names as Docker writes them: without a registry it is the machine's own image.
fn names_of(args: &ImageArgs) -> Vec<String> {
    let default = [TAG.to_owned()];
    let tags = if args.tags.is_empty() {
        &default[..]
    } else {
        &args.tags
    };
    let registry = args
        .registry
        .as_deref()
        .map(|registry| registry.trim_end_matches('/'));
    let prefix = registry.map_or_else(String::new, |registry| format!("{registry}/"));
    tags.iter()
        .map(|tag| format!("{prefix}{NAME}:{tag}"))
        .collect()
}

/// Returns the same names in full.
fn references(args: &ImageArgs) -> anyhow::Result<Vec<Reference>> {
    anyhow::ensure!(
        args.registry.is_some() || !args.push,
        "--push needs --registry, such as --registry ghcr.io/noetl"
    );
    let registry = args.registry.as_deref().unwrap_or("docker.io/library");
    let default = [TAG.to_owned()];
    let tags = if args.tags.is_empty() {
        &default[..]
    } else {
        &args.tags
    };
    tags.iter()
        .map(|tag| Reference::join(registry, NAME, tag))
        .collect()
}

/// Returns the one command: labels and annotations of the plan, no attestations among the index's children.
fn command(
    args: &ImageArgs,
    image: &ImagePlan,
    destination: Destination,
    tar: &Utf8Path,
) -> anyhow::Result<CommandLine> {
    let list = |words: Vec<String>| words.join(",");
    let platforms = image.platforms.iter().map(Platform::without_variant);
    let targets = image.platforms.iter().map(Target::of_platform);
    let targets = targets.map(|target| Ok(target?.triple.to_owned()));
    let targets: Vec<_> = targets.collect::<anyhow::Result<_>>()?;
    let python = image.base.as_deref().unwrap_or("scratch");
    let mut command = CommandLine::new("docker")
        .args([
            "buildx",
            "build",
            "--file",
            DOCKERFILE,
            "--provenance=false",
            "--sbom=false",
        ])
        .args(["--platform".to_owned(), list(platforms.collect())])
        .args([
            "--build-arg".to_owned(),
            format!("TARGETS={}", list(targets)),
        ])
        .args(["--build-arg".to_owned(), format!("PYTHON_IMAGE={python}")])
        .args([
            "--build-arg".to_owned(),
            format!("SOURCE_DATE_EPOCH={}", image.commit_time),
        ]);
    if let Some(builder) = &args.builder {
        command = command.args(["--builder", builder]);
    }
    if args.plain {
        command = command.args(["--progress", "plain"]);
    }
    if args.recipe.no_cache {
        command = command.arg("--no-cache");
    }
    // A single image has no index to annotate, and what the engine loads has no annotations.
    let levels: &[&str] = match (destination, image.platforms.len()) {
        (Destination::Load, _) => &[],
        (_, 1) => &["manifest"],
        _ => &["index", "manifest"],
    };
    for (key, value) in &image.labels {
        command = command.args(["--label".to_owned(), format!("{key}={value}")]);
        for level in levels {
            command = command.args(["--annotation".to_owned(), format!("{level}:{key}={value}")]);
        }
    }
    command = command.args(
        names_of(args)
            .into_iter()
            .flat_map(|name| ["--tag".to_owned(), name]),
    );
    // Docker's built-in builder unpacks what it pushes, and then takes no rewritten times.
    let output = match destination {
        Destination::Load => "type=docker".to_owned(),
        Destination::Push => "type=image,push=true,oci-mediatypes=true".to_owned(),
        Destination::Tar => format!("type=oci,dest={tar},rewrite-timestamp=true"),
    };
    Ok(command
        .args(["--output".to_owned(), output])
        .args(args.docker.clone())
        .arg("."))
}

#[cfg(test)]
mod tests {
    use crate::image::flavours::FLAVOURS;

    #[test]
    fn the_dockerfile_starts_from_the_same_images() {
        let dockerfile = include_str!("../../../../docker/noetl/dev/Dockerfile");
        let python = FLAVOURS.iter().find_map(|flavour| flavour.base).unwrap();
        assert!(dockerfile.contains(&format!("\nARG PYTHON_IMAGE={python}\n")));
        let toolchain = include_str!("../../../../rust-toolchain.toml");
        let channel = toolchain
            .lines()
            .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'));
        let rust = format!(
            "\nARG RUST_IMAGE=docker.io/library/rust:{}-slim\n",
            channel.unwrap()
        );
        assert!(dockerfile.contains(&rust));
        // Every stage starts from one of those, or from a stage of the file.
        let froms = dockerfile
            .lines()
            .filter_map(|line| line.strip_prefix("FROM "));
        let sources = froms.map(|from| {
            from.trim_start_matches("--platform=$BUILDPLATFORM ")
                .split(' ')
                .next()
                .unwrap()
        });
        let stages = [
            "${NODE_IMAGE}",
            "${RUST_IMAGE}",
            "tools",
            "${PYTHON_IMAGE}",
            "tools",
            "base",
        ];
        assert_eq!(sources.collect::<Vec<_>>(), stages);
    }
}
