//! `cargo xtask image` without a subcommand: assembles the image, checks it, and publishes or loads it when asked.

use std::slice;

use anyhow::ensure;
use camino::{Utf8Path, Utf8PathBuf};
use noetl_oci::layout::DOCKER_NAME;
use noetl_oci::{Image, KnownLayers, Layout};
use serde_json::json;

use crate::host::ctx::Ctx;
use crate::host::{files, output, run};
use crate::image::assemble::assemble;
use crate::image::plan::ImagePlan;
use crate::image::publish;
use crate::image::rules::ImageStandard;
use crate::release::verify::{self, Verified};
use crate::release::version::Release;
use crate::release::workspace;
use crate::tasks::image::attest::attest;
use crate::tasks::image::{ImageArgs, foundation, inputs, load, outputs, references};

pub(super) fn run(ctx: &Ctx, args: &ImageArgs) -> anyhow::Result<()> {
    let ctx = &if args.plain { ctx.plain() } else { ctx.clone() };
    let recipe = &args.recipe;
    let registry = args.registry.as_deref().unwrap_or(workspace::registry());
    let platforms = recipe.platforms(args.load.is_some());
    let (folder, tar) = outputs(ctx, recipe.flavour);
    let names = |release: &Release| {
        let version = slice::from_ref(&release.version);
        let tags = match args.tags.as_slice() {
            [] => version,
            tags => tags,
        };
        references(registry, tags, recipe.flavour)
    };
    if args.preview.wanted() {
        let plan = inputs::plan_image(ctx, recipe, &platforms, names)?;
        let mut after = [&folder, &tar].map(|path| format!("write {path}")).to_vec();
        if args.push {
            let names = plan.image.references.iter();
            after.extend(names.map(|name| format!("push {name}")));
        }
        return args.preview.show(&plan, &plan.commands, &after);
    }
    args.attest.preflight(args.push)?;
    let _lock = run::lock(ctx)?;
    let find = |wanted| load::find(ctx, wanted);
    let engine = args.load.map(find).transpose()?;
    let plan = inputs::plan_image(ctx, recipe, &platforms, names)?;
    let (image, release) = (&plan.image, &plan.release);
    if args.push {
        publish::preflight(release, &image.references)?;
    }
    if release.is_dirty() {
        output::warn(&format!(
            "the tree differs from its commit; the image's revision is {}",
            release.commit
        ));
    }
    let standard = ImageStandard::of_release(release, &platforms);
    let known = KnownLayers::default();
    let foundation = foundation::fetch(ctx, image, recipe.allow_floating_base, &known)?;
    let binaries = inputs::binaries(ctx, recipe, &plan)?;
    let verified = output::step(ctx, "assemble the image and check it", || {
        let layout = assemble(image, &binaries, foundation, &recipe.layers(ctx))?;
        let (paths, time) = ([&*folder, &*tar], image.commit_time);
        replace(&layout, time, paths, &standard, &known)
    })?;
    let (layout, names) = (verified.value(), &image.references);
    if args.push {
        let how = &args.how;
        how.publish(ctx, registry, &verified, names, &standard, &known)?;
    }
    if let Some(engine) = engine {
        load::load(ctx, engine, &tar)?;
    }
    attest(ctx, &args.attest, args.push, layout, names, &folder)?;
    report(args, image, layout, [&folder, &tar])
}

/// Writes folder and tar under temporary names, checks both on disk, and only then gives them their names.
fn replace(
    layout: &Layout,
    mtime: u64,
    [folder, tar]: [&Utf8Path; 2],
    standard: &ImageStandard,
    known: &KnownLayers,
) -> anyhow::Result<Verified<Layout>> {
    let (new_folder, new_tar) = (folder.with_extension("new"), tar.with_extension("tar.new"));
    files::remove(&new_folder)?;
    layout.write_folder(&new_folder)?;
    layout.write_tar(&new_tar, mtime)?;
    let check = || {
        let verified = verify::image(&new_tar, standard.rules(), known)?;
        let is_same = holds_the_same(&Layout::open(&new_folder)?, verified.value())?;
        ensure!(is_same, "{new_folder} does not hold what {new_tar} holds");
        Ok(verified)
    };
    let verified = check().or_else(|error| {
        files::remove(&new_folder)?;
        files::remove(&new_tar)?;
        Err(error)
    })?;
    files::swap_folder(&new_folder, folder)?;
    files::swap_folder(&new_tar, tar)?;
    Ok(verified.renamed(&new_tar, tar))
}

/// Returns whether a folder holds the files of a tar, each blob with the digest in its name. Only the tar has the list
/// for Docker.
fn holds_the_same(folder: &Layout, tar: &Layout) -> anyhow::Result<bool> {
    let in_tar = tar.files.keys().filter(|name| *name != DOCKER_NAME);
    if !in_tar.eq(folder.files.keys()) {
        return Ok(false);
    }
    for (name, blob) in &folder.files {
        let is_same = match name.strip_prefix("blobs/sha256/") {
            Some(hex) => blob.sha256()?.to_string() == hex,
            None => blob.read()? == tar.files[name].read()?,
        };
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}

fn report(
    args: &ImageArgs,
    image: &ImagePlan,
    layout: &Layout,
    files: [&Utf8PathBuf; 2],
) -> anyhow::Result<()> {
    let digest = Image::read(layout)?.root()?.digest.clone();
    if args.json {
        let platforms: Vec<_> = image.platforms.iter().map(ToString::to_string).collect();
        return output::json(&json!({
            "references": image.references, "index_digest": digest, "platforms": platforms,
            "layout": files[0], "tar": files[1], "pushed": args.push,
        }));
    }
    files.into_iter().try_for_each(output::line)?;
    let names = image.references.iter();
    let mut lines = names.map(|name| format!("{name}@{digest}"));
    lines.try_for_each(output::line)
}
