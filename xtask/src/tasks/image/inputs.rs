//! The inputs of an image: its platforms, its plan and its binaries.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, ensure};
use noetl_help::Help as _;
use noetl_oci::gzip::processor_count;
use noetl_oci::{LayerCache, Platform, Reference};

use crate::host::ctx::{Ctx, Wanted};
use crate::host::files;
use crate::image::plan::{self as image_plan, Plan};
use crate::release::cargo::{self, Binary};
use crate::release::plan::{Products, Request, plan};
use crate::release::stamp::{self, Stamp};
use crate::release::target::{Target, parse_platform, platforms};
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
    /// Returns the platforms of the image in the order of its index; `single` limits the default to this machine's.
    pub(super) fn platforms(&self, single: bool) -> Vec<Platform> {
        let mut all = platforms();
        if !self.platforms.is_empty() {
            return in_order(&self.platforms);
        } else if single {
            all.retain(is_native);
        } else if !self.binaries.is_empty() {
            let binaries = self.binaries.iter();
            let given: Vec<_> = binaries.map(|binary| binary.target.platform()).collect();
            all.retain(|platform| given.iter().flatten().any(|it| it == platform));
        }
        all
    }

    /// Returns the cache of compressed layers.
    pub(super) fn layers(&self, ctx: &Ctx) -> LayerCache {
        let cache = if self.no_cache {
            LayerCache::none()
        } else {
            LayerCache::at(&ctx.state().join("layers"))
        };
        cache.threads(self.threads.unwrap_or_else(processor_count))
    }
}

/// Returns whether containers on this machine have the platform.
fn is_native(platform: &Platform) -> bool {
    let is_arm64 = cfg!(target_arch = "aarch64");
    platform.architecture == if is_arm64 { "arm64" } else { "amd64" }
}

/// Plans the image: from given binaries, or from those that a build makes.
pub(super) fn plan_image(
    ctx: &Ctx,
    recipe: &Recipe,
    platforms: &[Platform],
    names: impl Fn(&Release) -> anyhow::Result<Vec<Reference>>,
) -> anyhow::Result<Plan> {
    let (release, build) = if recipe.binaries.is_empty() {
        let (release, host) = cargo::read_release_and_host(ctx)?;
        let targets = platforms.iter().map(Target::of_platform);
        let request = Request {
            targets: targets.collect::<anyhow::Result<_>>()?,
            products: Products::Binaries,
            ui: Wanted::Yes,
            universal: false,
            timings: false,
        };
        let build = plan(&host, &release, &request);
        (release, Some(build))
    } else {
        let stamp = common_stamp(&recipe.binaries, platforms)?;
        (Release::of(ctx, &stamp)?, None)
    };
    // `docker load` on this machine takes the platform that runs here.
    let native = platforms.iter().find(|platform| is_native(platform));
    let docker = native.unwrap_or(&platforms[0]);
    let image = image_plan::image(&release, platforms, &names(&release)?, docker);
    let commands = build.as_ref().map(|build| build.commands.clone());
    let binaries = recipe.binaries.iter().map(|binary| binary.path.clone());
    Ok(Plan {
        commands: commands.unwrap_or_default(),
        binaries: binaries.collect(),
        image: image.flavoured(recipe.flavour, recipe.base.clone()),
        build,
        release,
    })
}

/// Returns the build stamp that the binaries have in common. Fails unless there is one for each platform and all are of
/// one build.
fn common_stamp(binaries: &[Binary], platforms: &[Platform]) -> anyhow::Result<Stamp> {
    for platform in platforms {
        let fits = |binary: &&Binary| binary.target.platform().as_ref() == Some(platform);
        let count = binaries.iter().filter(fits).count();
        if count != 1 {
            let name = platform.without_variant();
            let error = anyhow!("there are {count} binaries for {platform}, instead of one");
            let help = format!("give --binary {name}=PATH once, or name other --platforms");
            return Err(error.help(help));
        }
    }
    let mut stamps = Vec::new();
    for Binary { target, path } in binaries {
        let stamp = stamp::read(&files::read(path)?)
            .with_context(|| format!("{path} is not a noetl binary"))?;
        let (built, taken) = (&stamp.target, target.triple);
        ensure!(built == taken, "{path} is built for {built}, not {taken}");
        stamps.push(stamp);
    }
    let builds = stamps.iter();
    let builds = builds.map(|stamp| (&stamp.version, &stamp.commit, &stamp.ui_sha256));
    let builds: BTreeSet<_> = builds.collect();
    let is_one = builds.len() == 1;
    ensure!(is_one, "the binaries are of different builds: {builds:?}");
    Ok(stamps.remove(0))
}

/// Returns the binaries of a plan: the given ones, or else those that it compiles.
pub(super) fn binaries(ctx: &Ctx, recipe: &Recipe, plan: &Plan) -> anyhow::Result<Vec<Binary>> {
    match &plan.build {
        Some(build) => build::binaries(ctx, build, Wanted::Yes),
        None => Ok(recipe.binaries.clone()),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;
    use crate::fixtures;
    use crate::release::target::TARGETS;

    #[test]
    fn binaries_must_fit_and_agree() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let all = platforms();
        let given = |target: usize, stamp: &Stamp, name: &str| {
            let path = folder.join(name);
            files::write(&path, fixtures::elf(TARGETS[target].arch, stamp)).unwrap();
            given_binary(&format!("{}={path}", all[target].without_variant())).unwrap()
        };
        let stamps = [0, 1].map(|target| fixtures::stamp(&TARGETS[target]));
        let (amd, arm) = (given(0, &stamps[0], "amd"), given(1, &stamps[1], "arm"));
        let both = [amd.clone(), arm];
        assert_eq!(common_stamp(&both, &all).unwrap().version, "1.2.3");
        let swapped = given(1, &stamps[0], "swapped");
        let mut other = stamps[1].clone();
        other.commit = "f".repeat(40);
        let other = given(1, &other, "other");
        for (binaries, message) in [
            (&both[..1], "0 binaries for linux/arm64"),
            (&[amd.clone(), swapped], "is built for x86_64"),
            (&[amd, other], "different builds"),
        ] {
            let error = common_stamp(binaries, &all).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        assert!(given_binary("linux/amd64").is_err() && given_binary("plan9/amd64=x").is_err());
    }
}
