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

/// Reads the build stamp from its section: `.noetl.build`, `__noetl_build` or `.noetl`.
///
/// # Errors
/// When there is no such section or it holds something else.
pub(crate) fn read(bytes: &[u8]) -> anyhow::Result<Stamp> {
    let file = object::File::parse(bytes).context("not an ELF, Mach-O or PE file")?;
    let names = [".noetl.build", "__noetl_build", ".noetl"];
    let section = names
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
