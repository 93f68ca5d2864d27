//! The build stamp, which identifies a `noetl` binary. It is read from a section of the file without running it.

use anyhow::Context as _;
use object::{Object as _, ObjectSection as _};
use serde::{Deserialize, Serialize};

/// The build stamp in a section of the `noetl` binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stamp {
    /// The version of this format; 1.
    pub schema: u32,
    /// `noetl`.
    pub name: String,
    /// The workspace's version.
    pub version: String,
    /// The commit, with `-dirty` when the working tree differed.
    pub commit: String,
    /// The target triple.
    pub target: String,
    /// The instruction set extensions that the compiler could use, separated by commas.
    pub target_features: String,
    /// The output of `rustc --version`.
    pub rustc: String,
    /// The hash of the embedded web page; empty without one.
    pub ui_sha256: String,
    /// The port that `server start` listens on.
    pub default_port: u16,
}

/// The name of the section in ELF, Mach-O and PE files.
const SECTIONS: [&str; 3] = [".noetl.build", "__noetl_build", ".noetl"];

/// Returns the name of the section with the build stamp.
pub(crate) fn section_name(bytes: &[u8]) -> Option<&'static str> {
    let file = object::File::parse(bytes).ok()?;
    let mut names = SECTIONS.into_iter();
    names.find(|name| file.section_by_name(name).is_some())
}

/// Reads the build stamp from its section.
///
/// # Errors
/// When there is no such section, or it does not contain a build stamp.
pub(crate) fn read(bytes: &[u8]) -> anyhow::Result<Stamp> {
    let file = object::File::parse(bytes).context("not an ELF, Mach-O or PE file")?;
    let mut names = SECTIONS.iter();
    let section = names.find_map(|name| file.section_by_name(name));
    let section = section.context("no section with a build stamp")?;
    let data = section.data();
    let data = data.context("cannot read the build stamp's section")?;
    // Zeros follow in PE files.
    let text = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(text).context("the build stamp is not what noetl writes")
}
