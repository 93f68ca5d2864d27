//! Assembling the image, proving it, and publishing it when asked.

use anyhow::ensure;
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;

use crate::check::expect::Expectations;
use crate::ctx::Ctx;
use crate::oci::image::ImagePlan;
use crate::oci::layout::Layout;
use crate::registry::push;
use crate::release::Release;
use crate::tasks::image::attest::attest;
use crate::tasks::image::push::narrate;
use crate::tasks::image::{ImageArgs, NAME, REGISTRY, check, inputs, load, outputs_of};
use crate::verify::Verified;
use crate::{files, package, sh, verify};

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
        return args.preview.show(&plan, &outputs);
    }
    args.attest.preflight(args.push)?;
    let _lock = sh::lock(ctx)?;
    let engine = args
        .load
        .map(|wanted| load::find(ctx, wanted))
        .transpose()?;
    let plan = inputs::plan_image(ctx, recipe, &platforms, names)?;
    let image = plan.image.as_ref().expect("an image was planned");
    if args.push {
        push::preflight(&plan.release, &image.references)?;
    }
    if plan.release.is_dirty() {
        sh::warn(&format!(
            "the tree differs from its commit; the image's revision is {}",
            plan.release.commit
        ));
    }
    let expected = check::expectations(ctx, &plan.release, &platforms)?;
    let below = inputs::below(ctx, recipe, image)?;
    let binaries = inputs::binaries(ctx, recipe, &plan)?;
    let verified = sh::step(ctx, "assemble the image and check it", || {
        let (layout, bytes) = package::image(image, &binaries, below, &recipe.layers(ctx))?;
        replace(&layout, &bytes, &folder, &tar, &expected)
    })?;
    if args.push {
        let published = sh::step(ctx, &format!("push to {registry}"), || {
            push::publish(ctx, &verified, &image.references, args.how.options())
        })?;
        narrate(ctx, &published);
        let names = &image.references;
        args.how
            .prove(ctx, &published, verified.value(), names, &expected)?;
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

/// Writes both forms under other names, proves both from disk, and only then puts them in place.
fn replace(
    layout: &Layout,
    tar_bytes: &[u8],
    folder: &Utf8Path,
    tar: &Utf8Path,
    expected: &Expectations,
) -> anyhow::Result<Verified<Layout>> {
    let (new_folder, new_tar) = (folder.with_extension("new"), tar.with_extension("tar.new"));
    layout.write_folder(&new_folder)?;
    files::write(&new_tar, tar_bytes)?;
    let verified = verify::image(&new_tar, expected).and_then(|verified| {
        // What was proved of the tar holds for a folder with the same files; Docker's part is the tar's alone.
        let folder = Layout::open(&new_folder)?;
        let mut tar = verified.value().files.clone();
        tar.remove("manifest.json");
        ensure!(
            folder.files == tar,
            "{new_folder} is not what {new_tar} holds"
        );
        Ok(verified)
    });
    if verified.is_ok() {
        files::swap_folder(&new_folder, folder)?;
        files::swap_folder(&new_tar, tar)?;
    } else {
        files::remove(&new_folder)?;
        files::remove(&new_tar)?;
    }
    verified
}

fn report(
    args: &ImageArgs,
    image: &ImagePlan,
    layout: &Layout,
    files: [&Utf8PathBuf; 2],
) -> anyhow::Result<()> {
    let digest = layout.image_index()?.digest;
    if args.json {
        let platforms: Vec<_> = image.platforms.iter().map(ToString::to_string).collect();
        let object = json!({
            "references": image.references, "index_digest": digest, "platforms": platforms,
            "layout": files[0], "tar": files[1], "pushed": args.push,
        });
        println!("{}", serde_json::to_string_pretty(&object)?);
        return Ok(());
    }
    files.into_iter().for_each(|path| println!("{path}"));
    for reference in &image.references {
        println!("{reference}@{digest}");
    }
    Ok(())
}
