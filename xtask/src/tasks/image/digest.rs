//! `cargo xtask image digest`: what `image` would make, before it is made.

use clap::Args;
use noetl_oci::{Image, KnownLayers, Reference};

use crate::host::ctx::Ctx;
use crate::host::{output, run};
use crate::image::assemble::assemble;
use crate::tasks::image::{NAME, REGISTRY, Recipe, foundation, inputs};

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
        .then(|| run::lock(ctx))
        .transpose()?;
    let plan = inputs::plan_image(ctx, recipe, &platforms, |release| {
        Ok(vec![Reference::join(REGISTRY, NAME, &release.version)?])
    })?;
    let binaries = inputs::binaries(ctx, &plan)?;
    let floating = recipe.allow_floating_base;
    let foundation = foundation::fetch(ctx, &plan.image, floating, &KnownLayers::default())?;
    let layers = recipe.layers(ctx).read_only();
    let layout = assemble(&plan.image, &binaries, foundation, &layers)?;
    drop(lock);
    output::line(&Image::read(&layout)?.root()?.digest)
}
