//! What an image is made of: the plan, and the binaries.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, ensure};
use noetl_help::Help as _;
use noetl_oci::gzip::all_processors;
use noetl_oci::{LayerCache, Platform, Reference};

use crate::host::ctx::{Ctx, Wanted};
use crate::host::files;
use crate::image::plan::{self as image_plan, Binaries, Plan};
use crate::release::cargo::{Binary, Host};
use crate::release::plan::{Products, Request, plan};
use crate::release::stamp::{self, Stamp};
use crate::release::target::{Arch, Target, parse_platform, platforms};
use crate::release::version::Release;
use crate::tasks::build;
use crate::tasks::image::{Recipe, in_order};

/// Parses `linux/amd64=path/of/noetl`.
pub(super) fn given_binary(text: &str) -> anyhow::Result<Binary> {
    let (platform, path) = text
        .split_once('=')
        .with_context(|| format!("`{text}` is not PLATFORM=PATH, such as linux/amd64=./noetl"))?;
    Ok(Binary {
        target: Target::of_platform(&parse_platform(platform)?)?,
        path: path.into(),
    })
}

impl Recipe {
    /// Returns the platforms in index order; `single` is whether only this machine's is wanted unless others are named.
    pub(super) fn platforms(&self, single: bool) -> Vec<Platform> {
        if !self.platforms.is_empty() {
            return in_order(&self.platforms);
        }
        if single {
            return vec![native()];
        }
        let given = self.binaries.iter();
        let given: Vec<_> = given
            .filter_map(|binary| binary.target.platform())
            .collect();
        if given.is_empty() {
            platforms()
        } else {
            in_order(&given)
        }
    }

    /// Returns where compressed layers are kept.
    pub(super) fn layers(&self, ctx: &Ctx) -> LayerCache {
        let cache = if self.no_cache {
            LayerCache::none()
        } else {
            LayerCache::at(&ctx.state().join("layers"))
        };
        cache.threads(self.threads.unwrap_or_else(all_processors))
    }
}

/// Returns the platform that containers on this machine have.
pub(super) fn native() -> Platform {
    let arch = if cfg!(target_arch = "aarch64") {
        Arch::Aarch64
    } else {
        Arch::X86_64
    };
    let all = platforms();
    let is_native = |platform: &&Platform| {
        Target::of_platform(platform).is_ok_and(|target| target.arch == arch)
    };
    all.iter().find(is_native).unwrap_or(&all[0]).clone()
}

/// Plans the image: from binaries that are given, or from what a build makes.
pub(super) fn plan_image(
    ctx: &Ctx,
    recipe: &Recipe,
    platforms: &[Platform],
    names: impl Fn(&Release) -> anyhow::Result<Vec<Reference>>,
) -> anyhow::Result<Plan> {
    let (release, binaries) = if recipe.binaries.is_empty() {
        let (release, host) = (Release::read(ctx)?, Host::read(ctx)?);
        let targets = platforms.iter().map(Target::of_platform);
        let request = Request {
            targets: targets.collect::<anyhow::Result<_>>()?,
            products: Products::Binaries,
            ui: Wanted::Yes,
        };
        let build = plan(&host, &release, &request);
        (release, Binaries::Compiled(Box::new(build)))
    } else {
        let stamp = common_stamp(&recipe.binaries, platforms)?;
        let given = Binaries::Given(recipe.binaries.clone());
        (Release::of(ctx, &stamp)?, given)
    };
    // It is made to be loaded here.
    let native = native();
    let docker = platforms.iter().find(|platform| **platform == native);
    let docker = docker
        .or(platforms.first())
        .context("no platform is named")?;
    let image = image_plan::image(&release, platforms, &names(&release)?, docker);
    Ok(Plan {
        image: image.flavoured(recipe.flavour, recipe.base.clone()),
        binaries,
        release,
    })
}

/// Returns the stamp of all binaries, which must agree on what they are and each fit its platform.
fn common_stamp(binaries: &[Binary], platforms: &[Platform]) -> anyhow::Result<Stamp> {
    for platform in platforms {
        let fitting = binaries
            .iter()
            .filter(|binary| binary.target.platform().as_ref() == Some(platform))
            .count();
        if fitting != 1 {
            let wrong =
                anyhow!("there are {fitting} binaries for {platform}, and the image takes one");
            return Err(wrong).help(format!(
                "give --binary {}=PATH once, or name other --platforms",
                platform.without_variant()
            ));
        }
    }
    let mut stamps = Vec::new();
    for Binary { target, path } in binaries {
        let stamp = stamp::read(&files::read(path)?)
            .with_context(|| format!("{path} is not a noetl that can be in an image"))?;
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

/// Returns the binaries of a plan, compiled when they are not given.
pub(super) fn binaries(ctx: &Ctx, plan: &Plan) -> anyhow::Result<Vec<Binary>> {
    match &plan.binaries {
        Binaries::Given(binaries) => Ok(binaries.clone()),
        Binaries::Compiled(build) => build::binaries(ctx, build, Wanted::Yes),
    }
}

/// Returns the full names of a flavour under `registry`; the version is the tag when none is given.
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
        let all = platforms();
        let given = |platform: &Platform, stamp: &Stamp, name: &str| {
            let target = Target::of_platform(platform).unwrap();
            let elf = fixtures::elf(target.arch, stamp);
            let path = write(&folder, name, elf);
            given_binary(&format!("{}={path}", platform.without_variant())).unwrap()
        };
        let stamps: Vec<_> = all
            .iter()
            .map(|platform| fixtures::stamp(Target::of_platform(platform).unwrap()))
            .collect();
        let amd = given(&all[0], &stamps[0], "amd");
        let arm = given(&all[1], &stamps[1], "arm");
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
        let swapped = given(&all[1], &stamps[0], "swapped");
        let refused = common_stamp(&[amd.clone(), swapped], &all).unwrap_err();
        assert!(
            refused.to_string().contains("is built for x86_64"),
            "{refused}"
        );
        let other = Stamp {
            commit: "f".repeat(40),
            ..stamps[1].clone()
        };
        let other = given(&all[1], &other, "other");
        assert!(
            common_stamp(&[amd, other], &all)
                .unwrap_err()
                .to_string()
                .contains("different builds")
        );
        assert!(given_binary("linux/amd64").is_err() && given_binary("plan9/amd64=x").is_err());
    }
}
