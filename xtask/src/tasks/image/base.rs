//! `--base`: finding the image to build upon.

use anyhow::{Context as _, anyhow};
use camino::{Utf8Path, Utf8PathBuf};

use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::base::Base;
use crate::oci::blobs::BlobCache;
use crate::oci::layout::Layout;
use crate::oci::reference::Reference;
use crate::registry::pull;
use crate::sh;
use crate::target::Platform;

/// Where a base comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    /// A registry, by a name that stays as it was typed in annotations.
    Registry { reference: Reference, name: String },
    /// A layout or a tar.
    Path(Utf8PathBuf),
}

/// Reads the base for `platforms`; what comes from a registry is kept by digest and fetched once.
pub(super) fn fetch(
    ctx: &Ctx,
    named: &str,
    allow_floating: bool,
    platforms: &[Platform],
) -> anyhow::Result<Base> {
    let base = match source(named, allow_floating)? {
        Source::Path(path) => {
            Layout::open(&path).and_then(|layout| Base::read(&layout, None, platforms))
        }
        Source::Registry { reference, name } => {
            let cache = BlobCache::below(&ctx.state());
            let layout = sh::step(ctx, &format!("fetch the base {named}"), || {
                pull::pull_base(ctx, &reference, platforms, &cache)
            });
            layout.and_then(|layout| Base::read(&layout, Some(name), platforms))
        }
    };
    let base = base.with_context(|| format!("cannot build upon {named}"))?;
    if !named.contains('@') {
        sh::note(ctx, &format!("base: {named}@{}", base.digest));
    }
    Ok(base)
}

fn source(named: &str, allow_floating: bool) -> anyhow::Result<Source> {
    if let Some(path) = named
        .strip_prefix("oci:")
        .or_else(|| named.strip_prefix("oci-archive:"))
    {
        return Ok(Source::Path(path.into()));
    }
    if named.starts_with(['.', '/', '~'])
        || named.ends_with(".tar")
        || Utf8Path::new(named).exists()
    {
        return Ok(Source::Path(named.into()));
    }
    let reference: Reference = named.parse().help(
        "a base is `scratch`, a full name such as docker.io/library/python@sha256:…, or the path of a layout or tar",
    )?;
    if reference.digest.is_none() && !allow_floating {
        let floating =
            || anyhow!("the base {named} is named by a tag, and may be another image tomorrow");
        return Err(floating()).help(format!(
            "pin it as {named}@sha256:…, which `crane digest {named}` prints, or say --allow-floating-base"
        ));
    }
    // A name without a tag has its digest to be found by.
    let (before, _) = named.split_once('@').unwrap_or((named, ""));
    let tagged = before
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'));
    let name = if tagged || reference.digest.is_none() {
        before
    } else {
        named
    };
    Ok(Source::Registry {
        name: name.to_owned(),
        reference,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_pinned_or_a_path() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let name = |named: &str| match source(named, true).unwrap() {
            Source::Registry { name, .. } => name,
            Source::Path(path) => format!("path {path}"),
        };
        assert_eq!(name(&format!("ghcr.io/a/b:1@{digest}")), "ghcr.io/a/b:1");
        assert_eq!(
            name(&format!("ghcr.io:80/b@{digest}")),
            format!("ghcr.io:80/b@{digest}")
        );
        assert_eq!(name("ghcr.io/a/b:1"), "ghcr.io/a/b:1");
        assert_eq!(name("oci:layout"), "path layout");
        assert_eq!(name("base.tar"), "path base.tar");
        let refused = source("ghcr.io/a/b:1", false).unwrap_err();
        assert!(
            format!("{refused:#}").contains("--allow-floating-base"),
            "{refused:#}"
        );
        assert!(source("python:3.12-slim", true).is_err(), "no registry");
    }
}
