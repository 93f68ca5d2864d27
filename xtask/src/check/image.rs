//! The rules on images, over a layout.

use std::collections::BTreeMap;

use crate::check::expect::Expectations;
use crate::check::walk::{Image, Tree};
use crate::check::{
    Findings, config, elf, entrypoint, filesystem, labels, layers, names, platform, structure,
};
use crate::oci::layout::Layout;

/// Checks a layout whose image should be as `expected`.
pub(crate) fn check(layout: &Layout, expected: &Expectations) -> Findings {
    let mut findings = Findings::default();
    let tree = Tree::read(layout, &mut findings);
    structure::check(layout, &tree, &mut findings);
    platform::check(&tree, &expected.platforms, &mut findings);
    let programs = entrypoint::check(&tree, &mut findings);
    elf::check(&tree, &programs, &mut findings);
    layers::check(&tree, expected, &mut findings);
    filesystem::check(&tree, expected, &mut findings);
    config::check(&tree, &programs, expected, &mut findings);
    labels::check(&tree, expected, &mut findings);
    labels::warn_of_dirty(&tree, expected, &mut findings);
    names::check(layout, &tree, &mut findings);
    findings
}

/// The program that each platform's image starts, by platform; those that start nothing are left out.
pub(crate) fn programs(layout: &Layout) -> BTreeMap<String, Vec<u8>> {
    let tree = Tree::read(layout, &mut Findings::default());
    let program = |image: &Image| {
        let word = entrypoint::first_word(image.config.as_ref()?);
        let bytes = image.rootfs.as_ref()?.read(&word)?;
        Some((image.name.clone(), bytes.to_vec()))
    };
    tree.images.iter().filter_map(program).collect()
}

#[cfg(test)]
mod tests;
