//! `cargo xtask image digest`: what `image` would make, before it is made.

use clap::Args;

use crate::ctx::Ctx;
use crate::oci::reference::Reference;
use crate::package;
use crate::sh;
use crate::tasks::image::{NAME, REGISTRY, Recipe, inputs};

/// Names are not part of what is hashed, so they are not asked for.
#[derive(Debug, Args)]
#[command(
    after_help = "Binaries are built unless --binary gives them, and a base is fetched; no image is written.\n\nExamples:\n  \
    cargo xtask image digest\n  cargo xtask image digest --binary linux/amd64=./noetl"
)]
pub(super) struct DigestArgs {
    #[command(flatten)]
    recipe: Recipe,
}

pub(super) fn run(ctx: &Ctx, args: &DigestArgs) -> anyhow::Result<()> {
    let recipe = &args.recipe;
    let platforms = recipe.platforms(false);
    let lock = recipe
        .binaries
        .is_empty()
        .then(|| sh::lock(ctx))
        .transpose()?;
    let plan = inputs::plan_image(ctx, recipe, &platforms, |release| {
        Ok(vec![Reference::join(REGISTRY, NAME, &release.version)?])
    })?;
    let image = plan.image.as_ref().expect("an image was planned");
    let binaries = inputs::binaries(ctx, recipe, &plan)?;
    let below = inputs::below(ctx, recipe, image)?;
    let layers = recipe.layers(ctx).read_only();
    let layout = package::layout(image, &binaries, below, &layers)?;
    drop(lock);
    println!("{}", layout.image_index()?.digest);
    Ok(())
}
