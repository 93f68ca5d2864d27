//! Assembling the image, checking it, and publishing it when asked.

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
use crate::tasks::image::push::narrate;
use crate::tasks::image::{ImageArgs, NAME, REGISTRY, foundation, inputs, load, outputs_of};

pub(super) fn run(ctx: &Ctx, args: &ImageArgs) -> anyhow::Result<()> {
    let ctx = &if args.plain { ctx.plain() } else { ctx.clone() };
    let recipe = &args.recipe;
    let registry = args.registry.as_deref().unwrap_or(REGISTRY);
    let platforms = recipe.platforms(args.load.is_some());
    let (folder, tar) = outputs_of(ctx, recipe.flavour);
    let names = |release: &Release| inputs::references(recipe, registry, NAME, &args.tags, release);
    if args.preview.wanted() {
        let plan = inputs::plan_image(ctx, recipe, &platforms, names)?;
        let outputs = [folder.to_string(), tar.to_string()];
        return args.preview.show(&plan, plan.binaries.commands(), &outputs);
    }
    args.attest.preflight(args.push)?;
    let _lock = run::lock(ctx)?;
    let engine = args
        .load
        .map(|wanted| load::find(ctx, wanted))
        .transpose()?;
    let plan = inputs::plan_image(ctx, recipe, &platforms, names)?;
    let image = &plan.image;
    if args.push {
        publish::preflight(&plan.release, &image.references)?;
    }
    if plan.release.is_dirty() {
        output::warn(&format!(
            "the tree differs from its commit; the image's revision is {}",
            plan.release.commit
        ));
    }
    let standard = ImageStandard::of_project(&workspace::read(ctx)?, &plan.release, &platforms);
    let known = KnownLayers::default();
    let foundation = foundation::fetch(ctx, image, recipe.allow_floating_base, &known)?;
    let binaries = inputs::binaries(ctx, &plan)?;
    let verified = output::step(ctx, "assemble the image and check it", || {
        let layout = assemble(image, &binaries, foundation, &recipe.layers(ctx))?;
        replace(
            &layout,
            image.commit_time,
            [&folder, &tar],
            &standard,
            &known,
        )
    })?;
    if args.push {
        let published = output::step(ctx, &format!("push to {registry}"), || {
            publish::publish(ctx, &verified, &image.references, args.how.options())
        })?;
        narrate(ctx, &published);
        let layout = verified.value();
        let names = &image.references;
        args.how
            .prove(ctx, &published, layout, names, &standard, &known)?;
    }
    if let Some(engine) = engine {
        load::load(ctx, engine, &tar)?;
    }
    attest(
        ctx,
        &args.attest,
        args.push,
        verified.value(),
        &image.references,
        &folder,
    )?;
    report(args, image, verified.value(), [&folder, &tar])
}

/// Writes both forms under other names, checks both from disk, and only then puts them in place.
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
    let verified = verify::image(&new_tar, standard.rules(), known).and_then(|verified| {
        ensure!(
            holds_the_same(&Layout::open(&new_folder)?, verified.value())?,
            "{new_folder} is not what {new_tar} holds"
        );
        Ok(verified)
    });
    match verified {
        Ok(verified) => {
            files::swap_folder(&new_folder, folder)?;
            files::swap_folder(&new_tar, tar)?;
            Ok(verified.renamed(&new_tar, tar))
        }
        Err(error) => {
            files::remove(&new_folder)?;
            files::remove(&new_tar)?;
            Err(error)
        }
    }
}

/// Returns whether a folder holds what was found right in a tar: the same files, each blob with the content that its
/// name says. The list for Docker is in the tar alone.
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
    let mut references = image.references.iter();
    references.try_for_each(|reference| output::line(format!("{reference}@{digest}")))
}
