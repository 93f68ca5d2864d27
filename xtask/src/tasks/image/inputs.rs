//! What an image is made of: the plan, the binaries, and what is under them.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, ensure};

use crate::cargo::{Binary, Host};
use crate::ctx::{Ctx, Wanted};
use crate::error::WithHelp as _;
use crate::gzip::all_processors;
use crate::oci::image::{self, ImagePlan};
use crate::oci::layer::LayerCache;
use crate::oci::reference::Reference;
use crate::package::Below;
use crate::plan::{Plan, Products, Request, plan};
use crate::release::Release;
use crate::stamp::{self, Stamp};
use crate::target::{Arch, Platform, Target};
use crate::tasks::build;
use crate::tasks::image::{Recipe, base, in_order};
use crate::{files, wheels};

/// Parses `linux/amd64=path/of/noetl`.
pub(super) fn given_binary(text: &str) -> anyhow::Result<Binary> {
    let (platform, path) = text
        .split_once('=')
        .with_context(|| format!("`{text}` is not PLATFORM=PATH, such as linux/amd64=./noetl"))?;
    Ok(Binary {
        target: Platform::parse(platform)?.target(),
        path: path.into(),
    })
}

impl Recipe {
    /// The platforms in index order; `single` is whether only this machine's is wanted unless others are named.
    pub(super) fn platforms(&self, single: bool) -> Vec<Platform> {
        if !self.platforms.is_empty() {
            return in_order(&self.platforms);
        }
        if single {
            return vec![native()];
        }
        let given: Vec<_> = self
            .binaries
            .iter()
            .filter_map(|binary| binary.target.platform())
            .collect();
        if given.is_empty() {
            Platform::all()
        } else {
            in_order(&given)
        }
    }

    /// Where compressed layers are kept.
    pub(super) fn layers(&self, ctx: &Ctx) -> LayerCache {
        let threads = self.threads.unwrap_or_else(all_processors);
        let cache = if self.no_cache {
            LayerCache::none()
        } else {
            LayerCache::below(&ctx.state())
        };
        cache.on(threads)
    }
}

/// The platform that containers on this machine have.
pub(super) fn native() -> Platform {
    let arch = if cfg!(target_arch = "aarch64") {
        Arch::Aarch64
    } else {
        Arch::X86_64
    };
    let all = Platform::all();
    let found = all.iter().find(|platform| platform.target().arch == arch);
    *found.expect("there is an image for each instruction set")
}

/// Plans the image: from binaries that are given, or from what a build makes.
pub(super) fn plan_image(
    ctx: &Ctx,
    recipe: &Recipe,
    platforms: &[Platform],
    names: impl Fn(&Release) -> anyhow::Result<Vec<Reference>>,
) -> anyhow::Result<Plan> {
    let plan = if recipe.binaries.is_empty() {
        let (release, host) = (Release::read(ctx)?, Host::read(ctx)?);
        let request = Request {
            targets: platforms.iter().map(Platform::target).collect(),
            products: Products::Image,
            references: names(&release)?,
            ui: Wanted::Yes,
        };
        plan(&host, &release, &request)
    } else {
        let release = Release::of(ctx, &common_stamp(&recipe.binaries, platforms)?)?;
        let docker = if platforms.contains(&native()) {
            native()
        } else {
            platforms[0]
        };
        let image = image::plan(&release, platforms, &names(&release)?, docker);
        Plan::of_image(release, image)
    };
    let flavoured = |image: ImagePlan| image.flavoured(recipe.flavour, recipe.base.clone());
    Ok(Plan {
        image: plan.image.map(flavoured),
        ..plan
    })
}

/// The stamp of all binaries, which must agree on what they are and each fit its platform.
fn common_stamp(binaries: &[Binary], platforms: &[Platform]) -> anyhow::Result<Stamp> {
    for platform in platforms {
        let given = binaries
            .iter()
            .filter(|binary| binary.target.platform() == Some(*platform))
            .count();
        let wrong =
            || anyhow!("there are {given} binaries for {platform}, and the image takes one");
        (given == 1).then_some(()).ok_or_else(wrong).help(format!(
            "give --binary {}=PATH once, or name other --platforms",
            platform.without_variant()
        ))?;
    }
    let mut stamps = Vec::new();
    for Binary { target, path } in binaries {
        let stamp = stamp::read(&files::read(path)?)
            .with_context(|| format!("{path} is no noetl that can be in an image"))?;
        ensure!(
            Target::find(&stamp.target) == Some(*target),
            "{path} is built for {}, and its platform takes {}",
            stamp.target,
            target.triple
        );
        stamps.push(stamp);
    }
    let kinds: BTreeSet<_> = stamps
        .iter()
        .map(|stamp| (&stamp.version, &stamp.commit, &stamp.ui_sha256))
        .collect();
    ensure!(
        kinds.len() == 1,
        "the binaries are of different builds: {kinds:?}"
    );
    stamps.into_iter().next().context("no binary was given")
}

/// The binaries that were given, or that the plan compiles.
pub(super) fn binaries(ctx: &Ctx, recipe: &Recipe, plan: &Plan) -> anyhow::Result<Vec<Binary>> {
    if recipe.binaries.is_empty() {
        build::binaries(ctx, plan, Wanted::Yes)
    } else {
        Ok(recipe.binaries.clone())
    }
}

/// Fetches what is under the binaries: the base and the flavour's Python packages.
pub(super) fn below(ctx: &Ctx, recipe: &Recipe, image: &ImagePlan) -> anyhow::Result<Below> {
    let Some(named) = &image.base else {
        ensure_no_packages(image)?;
        return Ok(Below::default());
    };
    let base = base::fetch(ctx, named, recipe.allow_floating_base, &image.platforms)?;
    let mut all = Vec::new();
    if let Some(packages) = &image.flavour.packages {
        for (platform, of_base) in image.platforms.iter().zip(&base.images) {
            let version = of_base
                .facts
                .python
                .as_ref()
                .context("it has no python3, which the flavour's packages are for");
            let version = version
                .with_context(|| {
                    format!("the flavour {} cannot stand on {named}", image.flavour.name)
                })
                .help("take a base with Python, or --flavour plain")?;
            all.push(wheels::entries(
                ctx,
                packages,
                *platform,
                version,
                crate::oci::rootfs::PACKAGES,
            )?);
        }
    }
    Ok(Below {
        base: Some(base),
        packages: all,
    })
}

fn ensure_no_packages(image: &ImagePlan) -> anyhow::Result<()> {
    let none = image.flavour.packages.is_none();
    let refused = || {
        anyhow!(
            "the flavour {} needs a base with Python",
            image.flavour.name
        )
    };
    none.then_some(())
        .ok_or_else(refused)
        .help("leave out --base scratch")
}

/// The full names of a flavour under `registry`; the version is the tag when none is given.
pub(super) fn references(
    recipe: &Recipe,
    registry: &str,
    name: &str,
    tags: &[String],
    release: &Release,
) -> anyhow::Result<Vec<Reference>> {
    let version = std::slice::from_ref(&release.version);
    let mut references = Vec::new();
    for tag in if tags.is_empty() { version } else { tags } {
        let reference =
            Reference::join(registry, name, &format!("{tag}{}", recipe.flavour.suffix))?;
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    Ok(references)
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;
    use crate::fixtures;

    fn write(folder: &tempfile::TempDir, name: &str, bytes: Vec<u8>) -> Utf8PathBuf {
        let path = Utf8PathBuf::from_path_buf(folder.path().join(name)).unwrap();
        files::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn binaries_must_fit_and_agree() {
        let folder = tempfile::tempdir().unwrap();
        let all = Platform::all();
        let given = |platform: Platform, stamp: &Stamp, name: &str| {
            let elf = fixtures::elf(platform.target().arch, stamp);
            let path = write(&folder, name, elf);
            given_binary(&format!("{}={path}", platform.without_variant())).unwrap()
        };
        let stamps: Vec<_> = all
            .iter()
            .map(|platform| fixtures::stamp(platform.target()))
            .collect();
        let amd = given(all[0], &stamps[0], "amd");
        let arm = given(all[1], &stamps[1], "arm");
        let both = [amd.clone(), arm.clone()];
        assert_eq!(
            common_stamp(&both, &all).unwrap().version,
            stamps[0].version
        );
        let missing = common_stamp(&both[..1], &all).unwrap_err();
        assert!(
            format!("{missing:#}").contains("0 binaries for linux/arm64"),
            "{missing:#}"
        );
        let swapped = given(all[1], &stamps[0], "swapped");
        let refused = common_stamp(&[amd.clone(), swapped], &all).unwrap_err();
        assert!(
            refused.to_string().contains("is built for x86_64"),
            "{refused}"
        );
        let other = Stamp {
            commit: "f".repeat(40),
            ..stamps[1].clone()
        };
        let other = given(all[1], &other, "other");
        assert!(
            common_stamp(&[amd, other], &all)
                .unwrap_err()
                .to_string()
                .contains("different builds")
        );
        assert!(given_binary("linux/amd64").is_err() && given_binary("plan9/amd64=x").is_err());
    }
}
