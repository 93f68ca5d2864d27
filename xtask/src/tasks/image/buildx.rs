//! `--use-buildx`: the image by Docker's own builder, from docker/noetl/dev/Dockerfile.

use camino::Utf8Path;

use crate::command::CommandLine;
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::flavour;
use crate::oci::image::{self, ImagePlan};
use crate::oci::reference::Reference;
use crate::plan::Plan;
use crate::registry::push;
use crate::release::Release;
use crate::sh;
use crate::target::{Platform, Target};
use crate::tasks::image::ImageArgs;

/// The image's name, which is not that of the image without a Dockerfile: the two differ in bytes.
const NAME: &str = "noetl-local-dev";
/// Its tag unless told otherwise.
const TAG: &str = "latest";
/// The Dockerfile, relative to the repository's root.
const DOCKERFILE: &str = "docker/noetl/dev/Dockerfile";

/// What becomes of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
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
    let image = image::plan(&release, &platforms, &references, platforms[0])
        .flavoured(flavour::find("python")?, args.recipe.base.clone());
    let output = match platforms.len() {
        _ if args.push => Output::Push,
        1 => Output::Load,
        _ => Output::Tar,
    };
    let command = command(args, &image, output, &tar)?;
    if args.preview.wanted() {
        let mut plan = Plan::of_image(release, image);
        plan.commands.push(command);
        return args.preview.show(&plan, &[]);
    }
    if args.push {
        push::preflight(&release, &references)?;
    }
    let names = platforms
        .iter()
        .map(Platform::without_variant)
        .collect::<Vec<_>>()
        .join(", ");
    sh::step(ctx, &format!("build the image for {names} with docker buildx"), || {
        sh::run(ctx, &command)
    })
    .help("`docker buildx ls` lists builders and their platforms; a new one: docker buildx create --use")?;
    match output {
        Output::Tar => println!("{tar}"),
        Output::Load | Output::Push => names_of(args).iter().for_each(|name| println!("{name}")),
    }
    Ok(())
}

/// The names as Docker writes them: without a registry it is the machine's own image.
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

/// The same names in full.
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

/// The one command: labels and annotations of the plan, no attestations among the index's children.
fn command(
    args: &ImageArgs,
    image: &ImagePlan,
    output: Output,
    tar: &Utf8Path,
) -> anyhow::Result<CommandLine> {
    let list = |words: Vec<String>| words.join(",");
    let platforms = image.platforms.iter().map(Platform::without_variant);
    let targets = image.platforms.iter().map(Platform::target);
    let targets = targets.map(|Target { triple, .. }| (*triple).to_owned());
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
            format!("TARGETS={}", list(targets.collect())),
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
    let levels: &[&str] = match (output, image.platforms.len()) {
        (Output::Load, _) => &[],
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
    let output = match output {
        Output::Load => "type=docker".to_owned(),
        Output::Push => "type=image,push=true,oci-mediatypes=true".to_owned(),
        Output::Tar => format!("type=oci,dest={tar},rewrite-timestamp=true"),
    };
    Ok(command
        .args(["--output".to_owned(), output])
        .args(args.docker.clone())
        .arg("."))
}

#[cfg(test)]
mod tests {
    use crate::oci::flavour::FLAVOURS;

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
        // Nothing but those and the file's own stages is started from.
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
