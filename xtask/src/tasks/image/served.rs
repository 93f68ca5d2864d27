//! What a registry serves, held against the R rules and, after a push, against what was sent.

use crate::check::expect::Expectations;
use crate::check::image as rules_on_images;
use crate::check::{Findings, registry};
use crate::ctx::Ctx;
use crate::oci::layout::Layout;
use crate::oci::reference::Reference;
use crate::registry::{observe, pull};
use crate::verify;

/// Adds what the R rules find about an image that was pulled from where `reference` says.
pub(super) fn check(
    ctx: &Ctx,
    reference: &Reference,
    served: &Layout,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let facts = observe::observe(ctx, reference, served, None)?;
    registry::check(&facts, findings);
    Ok(())
}

/// Pulls what was pushed, and fails unless it is that, by every rule on images and registries.
pub(crate) fn prove(
    ctx: &Ctx,
    pushed: &Layout,
    references: &[Reference],
    expected: &Expectations,
) -> anyhow::Result<()> {
    let Some(reference) = references.first() else {
        return Ok(());
    };
    let served = pull::pull(ctx, reference)?;
    let mut findings = rules_on_images::check(&served, expected);
    let tags: Vec<_> = references.iter().map(|name| name.tag.clone()).collect();
    let facts = observe::observe(ctx, reference, &served, Some((pushed, &tags)))?;
    registry::check(&facts, &mut findings);
    verify::conclude(&findings, &reference.to_string())
}
