//! The rules on images, over a layout.

use std::collections::BTreeMap;

use crate::archive;
use crate::check::walk::Tree;
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

/// The file at an absolute path of each platform's image, by platform.
pub(crate) fn files(layout: &Layout, path: &str) -> BTreeMap<String, Vec<u8>> {
    let tree = Tree::read(layout, &mut Findings::default());
    let mut files = BTreeMap::new();
    for image in tree.images {
        let entries = image
            .layers
            .iter()
            .flatten()
            .filter_map(|layer| archive::untar(layer).ok())
            .flatten();
        let mut found = entries
            .map(|(entry, _)| entry)
            .filter(|entry| Some(entry.path.as_str()) == path.strip_prefix('/'));
        if let Some(entry) = found.next_back() {
            files.insert(image.name, entry.bytes);
        }
    }
    files
}

#[cfg(test)]
mod tests;
