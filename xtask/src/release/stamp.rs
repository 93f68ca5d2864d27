//! The build stamp: what a `noetl` says it is, read from a section of the file without running it.

use anyhow::Context as _;
use object::{Object as _, ObjectSection as _};
use serde::{Deserialize, Serialize};

/// The build stamp that `noetl` carries in a section of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stamp {
    /// Layout of this object; 1.
    pub schema: u32,
    /// `noetl`.
    pub name: String,
    /// The workspace's version.
    pub version: String,
    /// The commit, with `-dirty` when the tree differed.
    pub commit: String,
    /// rustc's target triple.
    pub target: String,
    /// Instruction set extensions the compiler was allowed to use, separated by commas.
    pub target_features: String,
    /// `rustc --version`.
    pub rustc: String,
    /// Hash of the embedded web page's tree; empty without one.
    pub ui_sha256: String,
    /// The port `server start` listens on.
    pub default_port: u16,
}

/// The names of the section in ELF, Mach-O and PE files.
const SECTIONS: [&str; 3] = [".noetl.build", "__noetl_build", ".noetl"];

/// Returns the name of the section with the build stamp; `None` when there is none.
pub(crate) fn section_name(bytes: &[u8]) -> Option<&'static str> {
    let file = object::File::parse(bytes).ok()?;
    let mut names = SECTIONS.into_iter();
    names.find(|name| file.section_by_name(name).is_some())
}

/// Reads the build stamp from its section.
///
/// # Errors
/// When there is no such section or it holds something else.
pub(crate) fn read(bytes: &[u8]) -> anyhow::Result<Stamp> {
    let file = object::File::parse(bytes).context("not an ELF, Mach-O or PE file")?;
    let section = SECTIONS
        .iter()
        .find_map(|name| file.section_by_name(name))
        .context("no section with a build stamp")?;
    let data = section
        .data()
        .context("cannot read the build stamp's section")?;
    // PE pads sections with zeros up to the alignment in the file.
    let text = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(text).context("the build stamp is not what noetl writes")
}
