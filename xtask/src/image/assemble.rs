//! From a plan and binaries to the image.

use anyhow::Context as _;
use noetl_oci::tar::Entry;
use noetl_oci::{
    Base, Blob, DockerImage, Image, ImageSpec, LayerCache, LayerSpec, Layout, PlatformSpec,
};

use crate::image::base::Facts;
use crate::image::config::run_config;
use crate::image::contents;
use crate::image::plan::{ImagePlan, MAKER};
use crate::release::cargo::Binary;

/// What an image stands on besides its own files.
#[derive(Debug, Default)]
pub(crate) struct Foundation {
    /// The base, for the planned platforms in their order.
    pub base: Option<Base>,
    /// Python packages for each planned platform, or none at all.
    pub packages: Vec<Vec<Entry>>,
}

/// Makes the planned image around one binary for each of its platforms.
///
/// # Errors
/// When a binary is missing, or a file does not fit a tar.
pub(crate) fn assemble(
    plan: &ImagePlan,
    binaries: &[Binary],
    foundation: Foundation,
    layers: &LayerCache,
) -> anyhow::Result<Layout> {
    let programs = plan.platforms.iter().map(|platform| {
        let mut binaries = binaries.iter();
        let binary = binaries.find(|it| it.target.platform().as_ref() == Some(platform));
        let binary = binary.with_context(|| format!("no binary for {platform}"))?;
        Blob::of_file(&binary.path)
    });
    let programs = programs.collect::<anyhow::Result<_>>()?;
    assemble_programs(plan, programs, foundation, layers)
}

/// The same from the programs themselves, in the order of the planned platforms.
pub(crate) fn assemble_programs(
    plan: &ImagePlan,
    programs: Vec<Blob>,
    foundation: Foundation,
    layers: &LayerCache,
) -> anyhow::Result<Layout> {
    let Foundation { base, packages } = foundation;
    let mut packages = packages.into_iter();
    let mut platforms = Vec::new();
    for (position, (platform, program)) in plan.platforms.iter().zip(programs).enumerate() {
        let below = base.as_ref().and_then(|base| base.images.get(position));
        let system =
            below.map_or_else(contents::system, |base| contents::on_base(&Facts::of(base)));
        let packages = packages.next().unwrap_or_default();
        let has_packages = !packages.is_empty();
        let layers = [
            (contents::SYSTEM_LAYER, system),
            (contents::PACKAGES_LAYER, packages),
            (contents::APP_LAYER, contents::app(program)),
        ];
        let layers = layers
            .into_iter()
            .filter(|(_, entries)| !entries.is_empty());
        platforms.push(PlatformSpec {
            platform: platform.clone(),
            run: run_config(plan, below, has_packages),
            layers: layers
                .map(|(name, entries)| LayerSpec {
                    name: name.to_owned(),
                    entries,
                })
                .collect(),
        });
    }
    let spec = ImageSpec {
        maker: MAKER.to_owned(),
        created: plan.commit_time,
        annotations: plan.labels.clone(),
        names: plan.references.clone(),
        base,
        platforms,
    };
    let mut layout = noetl_oci::assemble(&spec, layers)?;
    let list = docker_list(plan, &layout)?;
    layout.set_docker_image(&list);
    Ok(layout)
}

/// Returns the list that `docker load` reads from the tar.
fn docker_list(plan: &ImagePlan, layout: &Layout) -> anyhow::Result<DockerImage> {
    let image = Image::read(layout)?;
    let found = image.serving(&plan.docker_platform);
    let manifest = found.and_then(|image| image.manifest.as_ref());
    let manifest = manifest.with_context(|| format!("no image for {}", plan.docker_platform))?;
    let names = plan.references.iter().map(ToString::to_string).collect();
    let (config, layers) = (&manifest.value.config, &manifest.value.layers);
    Ok(DockerImage::new(config, layers, names))
}

#[cfg(test)]
mod tests;
