//! `cargo xtask image digest`: prints the digest of the image that `image` would make.

use clap::Args;
use noetl_oci::{Image, KnownLayers};

use crate::host::ctx::Ctx;
use crate::host::{output, run};
use crate::image::assemble::assemble;
use crate::tasks::image::{Recipe, default_references, foundation, inputs};

/// Names are not hashed, so there are no flags for them.
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
    let compiles = recipe.binaries.is_empty();
    let lock = compiles.then(|| run::lock(ctx)).transpose()?;
    let plan = inputs::plan_image(ctx, recipe, &recipe.platforms(false), default_references)?;
    let binaries = inputs::binaries(ctx, recipe, &plan)?;
    let floating = recipe.allow_floating_base;
    let foundation = foundation::fetch(ctx, &plan.image, floating, &KnownLayers::default())?;
    let layers = recipe.layers(ctx).read_only();
    let layout = assemble(&plan.image, &binaries, foundation, &layers)?;
    drop(lock);
    output::line(&Image::read(&layout)?.root()?.digest)
}
