//! The changes to an image that break NoETL's own rules, one for each rule.
//!
//! The end-to-end tests include this file to find out what a registry accepts, so it uses no other module of xtask.

use anyhow::Context as _;
use noetl_oci_mutants::elf::{rename_section, rewrite_section};
use noetl_oci_mutants::{AMD64, ARM64, Edit};
use object::{Object as _, ObjectSection as _};
use serde_json::Value;

/// The section with the build stamp.
const STAMP: &str = ".noetl.build";

/// The id of each rule with its change, in the order of the rules.
pub(crate) const EDITS: &[(&str, Edit)] = &[
    (
        "P10",
        Edit::Program(AMD64, |elf| restamp(elf, "target_features", "avx2,sse2")),
    ),
    (
        "P13",
        Edit::Program(AMD64, |elf| rename_section(elf, STAMP, ".other.build")),
    ),
    (
        "P14",
        Edit::Program(ARM64, |elf| restamp(elf, "commit", &"f".repeat(40))),
    ),
    (
        "C6",
        Edit::Parts(|it| {
            it.relabel("licenses", "MIT License");
            Ok(())
        }),
    ),
];

/// Changes a field of the build stamp.
fn restamp(elf: &mut [u8], field: &str, value: &str) -> anyhow::Result<()> {
    let file = object::File::parse(&*elf).context("not an ELF")?;
    let section = file.section_by_name(STAMP).context("no build stamp")?;
    let mut stamp: Value = serde_json::from_slice(section.data()?)?;
    stamp[field] = value.into();
    rewrite_section(elf, STAMP, &serde_json::to_vec(&stamp)?)
}
