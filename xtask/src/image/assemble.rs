//! Assembling the image from its plan, its binaries and its base.

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

/// What an image has besides NoETL's own files.
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
    let programs = programs.collect::<anyhow::Result<Vec<_>>>()?;
    assemble_programs(plan, programs, foundation, layers)
}

/// The same for programs in the order of the planned platforms.
pub(crate) fn assemble_programs(
    plan: &ImagePlan,
    programs: Vec<impl Into<Blob>>,
    foundation: Foundation,
    layers: &LayerCache,
) -> anyhow::Result<Layout> {
    let Foundation { base, packages } = foundation;
    let mut packages = packages.into_iter();
    let mut platforms = Vec::new();
    for (position, (platform, program)) in plan.platforms.iter().zip(programs).enumerate() {
        let below = base.as_ref().and_then(|base| base.images.get(position));
        let facts = below.map(Facts::of);
        let system = facts.map_or_else(contents::system, |facts| contents::on_base(&facts));
        let packages = packages.next().unwrap_or_default();
        let run = run_config(plan, below, !packages.is_empty());
        let layers = [
            (contents::SYSTEM_LAYER, system),
            (contents::PACKAGES_LAYER, packages),
            (contents::APP_LAYER, contents::app(program)),
        ];
        let mut layers = Vec::from(layers.map(|(name, entries)| layer(name, entries)));
        layers.retain(|layer| !layer.entries.is_empty());
        platforms.push(PlatformSpec {
            platform: platform.clone(),
            run,
            layers,
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

fn layer(name: &str, entries: Vec<Entry>) -> LayerSpec {
    let name = name.to_owned();
    LayerSpec { name, entries }
}

/// Returns the list in the tar that `docker load` reads.
fn docker_list(plan: &ImagePlan, layout: &Layout) -> anyhow::Result<DockerImage> {
    let image = Image::read(layout)?;
    let found = image.find_platform(&plan.docker_platform);
    let manifest = found.and_then(|image| image.manifest.as_ref());
    let manifest = manifest.with_context(|| format!("no image for {}", plan.docker_platform))?;
    let names = plan.references.iter().map(ToString::to_string).collect();
    let (config, layers) = (&manifest.value.config, &manifest.value.layers);
    Ok(DockerImage::new(config, layers, names))
}

#[cfg(test)]
mod tests {
    use noetl_oci::annotation::TITLE;
    use noetl_oci::{KnownLayers, RunConfig};
    use serde_json::json;

    use super::*;
    use crate::fixtures;
    use crate::image::rules::ImageStandard;
    use crate::release::target::platforms;

    fn words(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(ToString::to_string).collect())
    }

    fn base() -> Base {
        let other = json!({"Volumes": {"/data": {}}, "Healthcheck": {"Test": ["CMD", "true"]}});
        let run = RunConfig {
            env: words(&["LANG=C.UTF-8", "PATH=/opt/base/bin:/usr/bin", "HOME=/root"]),
            cmd: words(&["bash"]),
            labels: Some([(TITLE.to_owned(), "base".to_owned())].into()),
            other: serde_json::from_value(other).unwrap(),
            ..RunConfig::default()
        };
        let entries = vec![
            Entry::folder("etc", 0o755),
            Entry::file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/bash\n"),
            Entry::file("etc/group", 0o644, "root:x:0:\n"),
            Entry::folder("tmp", 0o1777),
        ];
        let image = |platform| PlatformSpec {
            platform,
            run: run.clone(),
            layers: vec![layer("system", entries.clone())],
        };
        let spec = ImageSpec {
            maker: "another tool".to_owned(),
            created: 3,
            annotations: [].into(),
            names: vec!["ghcr.io/some/base:1".parse().unwrap()],
            base: None,
            platforms: platforms().into_iter().map(image).collect(),
        };
        let layout = noetl_oci::assemble(&spec, &LayerCache::none()).unwrap();
        Base::read(&layout, &platforms(), &KnownLayers::default()).unwrap()
    }

    #[test]
    fn only_variables_of_a_base_config_are_kept() {
        let (base, packages) = (Some(base()), Vec::new());
        let foundation = Foundation { base, packages };
        let (plan, programs) = (fixtures::image_plan(), fixtures::programs(|_| {}));
        let layout = assemble_programs(&plan, programs, foundation, &LayerCache::none()).unwrap();
        let standard = ImageStandard::any_release(&platforms());
        let findings = standard.rules().check(&layout, &KnownLayers::default());
        let findings = findings.unwrap();
        assert_eq!(findings.errors(), 0, "{:?}", findings.lines());
        let image = Image::read(&layout).unwrap();
        assert_eq!(image.platforms.len(), 2);
        for platform in &image.platforms {
            let run = platform.run().unwrap();
            let env = words(&[
                "LANG=C.UTF-8",
                "PATH=/opt/base/bin:/usr/bin:/usr/local/bin:/bin",
                "HOME=/home/nonroot",
                "NOETL_HOST=::",
                "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
            ]);
            assert_eq!(run.env, env);
            assert_eq!(run.labels.as_ref().unwrap()[TITLE], "noetl");
            assert_eq!(run.cmd, words(&["server", "start"]));
            assert!(run.other.is_empty(), "{:?}", run.other);
        }
    }
}
