//! What an image is built on: the base that `--base` or the flavour names, and the flavour's Python packages.

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use noetl_oci::registry::RegistryImage;
use noetl_oci::{Base, BlobCache, KnownLayers, Layout, Location, Platform, Reference};

use crate::host::ctx::Ctx;
use crate::host::{output, sign_ins};
use crate::image::assemble::Foundation;
use crate::image::base::Facts;
use crate::image::plan::ImagePlan;
use crate::image::wheels;

/// Fetches the base and the flavour's Python packages. Layers that were read are added to `known`.
pub(super) fn fetch(
    ctx: &Ctx,
    image: &ImagePlan,
    allow_floating: bool,
    known: &KnownLayers,
) -> anyhow::Result<Foundation> {
    let flavour = image.flavour.name;
    let Some(named) = &image.base else {
        if image.flavour.packages.is_none() {
            return Ok(Foundation::default());
        }
        return Err(anyhow!("the flavour {flavour} needs a base with Python"))
            .help("leave out --base scratch");
    };
    let base = fetch_base(ctx, named, allow_floating, &image.platforms, known)?;
    let mut packages = Vec::new();
    if let Some(locked) = &image.flavour.packages {
        for (platform, of_base) in image.platforms.iter().zip(&base.images) {
            let version = Facts::of(of_base)
                .python
                .context("it has no python3, which the flavour's packages need")
                .with_context(|| format!("{named} cannot be the base of the flavour {flavour}"))
                .help("take a base with Python, or --flavour plain")?;
            packages.push(wheels::entries(ctx, locked, platform, &version)?);
        }
    }
    let base = Some(base);
    Ok(Foundation { base, packages })
}

/// Reads the base for `platforms`; blobs of a registry are fetched once and kept by digest.
fn fetch_base(
    ctx: &Ctx,
    named: &str,
    allow_floating: bool,
    platforms: &[Platform],
    known: &KnownLayers,
) -> anyhow::Result<Base> {
    let base = match Location::parse(named).help(NAMES)? {
        Location::Path(path) => {
            Layout::open(&path).and_then(|layout| Base::read(&layout, platforms, known))
        }
        Location::Registry(reference) => {
            refuse_floating(named, &reference, allow_floating)?;
            let cache = BlobCache::at(&ctx.state().join("blobs"));
            let client = sign_ins::client(ctx);
            output::step(ctx, &format!("fetch the base {named}"), || {
                let source = RegistryImage::open_cached(&client, &reference, &cache)?;
                let mut base = Base::read(&source, platforms, known)?;
                base.name = Some(annotated_name(named, &reference).to_owned());
                Ok(base)
            })
        }
    };
    let base = base.with_context(|| format!("cannot use the base {named}"))?;
    if !named.contains('@') {
        output::note(ctx, &format!("base: {named}@{}", base.digest));
    }
    Ok(base)
}

/// The values of `--base`.
const NAMES: &str = "a base is `scratch`, a full name such as docker.io/library/python@sha256:…, or the path of a layout or tar";

/// Refuses a name without a digest, whose image may change.
fn refuse_floating(named: &str, reference: &Reference, allowed: bool) -> anyhow::Result<()> {
    if reference.digest.is_some() || allowed {
        return Ok(());
    }
    let error = anyhow!("the base {named} has no digest, so its image may change");
    Err(error.help(format!(
        "pin it as {named}@sha256:…, which `crane digest {named}` prints, or give --allow-floating-base"
    )))
}

/// Returns the base's name for annotations: as it was typed, without a digest that follows a tag.
fn annotated_name<'a>(named: &'a str, reference: &Reference) -> &'a str {
    let (before, _) = named.split_once('@').unwrap_or((named, ""));
    let last = before.rsplit('/').next();
    let is_tagged = last.is_some_and(|last| last.contains(':'));
    let is_short = is_tagged || reference.digest.is_none();
    if is_short { before } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotated_name_has_a_tag_or_a_digest() {
        let pin = |name: &str| format!("{name}@sha256:{}", "0".repeat(64));
        let (tagged, untagged) = ("ghcr.io/a/b:1", pin("ghcr.io:80/b"));
        for (name, expected) in [
            (tagged, tagged),
            (&pin(tagged), tagged),
            (&untagged, &untagged),
        ] {
            assert_eq!(annotated_name(name, &name.parse().unwrap()), expected);
        }
    }

    #[test]
    fn a_base_without_a_digest_is_refused() {
        let floating: Reference = "ghcr.io/a/b:1".parse().unwrap();
        assert!(refuse_floating("ghcr.io/a/b:1", &floating, false).is_err());
        assert!(refuse_floating("ghcr.io/a/b:1", &floating, true).is_ok());
    }
}
