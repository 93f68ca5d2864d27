//! The rules on images, over a layout.

use std::collections::BTreeMap;

use crate::check::rootfs::{Kind, RootFs};
use crate::check::walk::{Image, Tree};
use crate::check::{Findings, platform, structure};
use crate::oci::layout::Layout;
use crate::target::Platform;

/// Checks a layout whose image should be for exactly `platforms`.
pub(crate) fn check(layout: &Layout, platforms: &[Platform]) -> Findings {
    let mut findings = Findings::default();
    let tree = Tree::read(layout, &mut findings);
    structure::check(layout, &tree, &mut findings);
    platform::check(&tree, platforms, &mut findings);
    findings
}

/// The program that each platform's image starts, by platform; those that start nothing are left out.
pub(crate) fn programs(layout: &Layout) -> BTreeMap<String, Vec<u8>> {
    let tree = Tree::read(layout, &mut Findings::default());
    let program = |image: &Image| {
        let mut rootfs = RootFs::default();
        image
            .layers
            .iter()
            .flatten()
            .try_for_each(|layer| rootfs.apply(layer))
            .ok()?;
        let entrypoint = platform::entrypoint(image.config.as_ref()?);
        match &rootfs.resolve(&entrypoint)?.1.kind {
            Kind::File(bytes) => Some((image.name.clone(), bytes.clone())),
            _ => None,
        }
    };
    tree.images.iter().filter_map(program).collect()
}

#[cfg(test)]
mod tests;
