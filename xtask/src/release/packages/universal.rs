//! The binary for both kinds of Macs: one file with the program for each, of which macOS starts the right one (Apple's
//! `<mach-o/fat.h>`). The programs and their signatures in it are those of the archives, byte for byte.

use anyhow::{Context as _, ensure};
use object::macho::{
    CPU_SUBTYPE_ARM64_ALL, CPU_SUBTYPE_X86_64_ALL, CPU_TYPE_ARM64, CPU_TYPE_X86_64, FAT_MAGIC,
};

use crate::release::target::{Arch, Libc, Os, Target, Tier};

/// What the binary is for, as a target that is not compiled.
pub(crate) const UNIVERSAL: Target = Target {
    triple: "universal2-apple-darwin",
    os: Os::Mac,
    arch: Arch::Aarch64,
    libc: Libc::System,
    tier: Tier::OnRequest,
};
/// The programs, in the order of the file.
pub(crate) const PARTS: [&str; 2] = ["x86_64-apple-darwin", "aarch64-apple-darwin"];

/// Each program begins at a multiple of 2 to this power: a page on arm64.
const ALIGNMENT: u32 = 14;
const HEADER: usize = 8;
const PART: usize = 20;

/// Joins the programs of [`PARTS`].
///
/// # Errors
/// When they are too large for the format.
pub(crate) fn join(programs: [&[u8]; 2]) -> anyhow::Result<Vec<u8>> {
    let kinds = [
        (CPU_TYPE_X86_64.0, CPU_SUBTYPE_X86_64_ALL.0),
        (CPU_TYPE_ARM64.0, CPU_SUBTYPE_ARM64_ALL.0),
    ];
    let mut bytes = Vec::new();
    for word in [FAT_MAGIC, 2] {
        bytes.extend(word.to_be_bytes());
    }
    let page = 1_usize << ALIGNMENT;
    let mut at = page;
    for ((kind, subtype), program) in kinds.iter().zip(programs) {
        let (start, length) = (u32::try_from(at)?, u32::try_from(program.len())?);
        for word in [*kind, *subtype, start, length, ALIGNMENT] {
            bytes.extend(word.to_be_bytes());
        }
        at = (at + program.len()).next_multiple_of(page);
    }
    for program in programs {
        bytes.resize(bytes.len().next_multiple_of(page), 0);
        bytes.extend(program);
    }
    Ok(bytes)
}

/// Returns the programs in a binary that [`join`] made.
///
/// # Errors
/// When it is another file.
pub(crate) fn split(bytes: &[u8]) -> anyhow::Result<[&[u8]; 2]> {
    let word = |at: usize| {
        let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
        word.map(u32::from_be_bytes)
            .context("the header is cut short")
    };
    let part = |number: usize| {
        let at = HEADER + number * PART;
        let (start, length) = (word(at + 8)? as usize, word(at + 12)? as usize);
        let part = start
            .checked_add(length)
            .and_then(|end| bytes.get(start..end));
        part.context("a program is cut short")
    };
    let is_universal = word(0)? == FAT_MAGIC && word(4)? == 2;
    ensure!(is_universal, "not a file with two programs");
    let programs = [part(0)?, part(1)?];
    ensure!(join(programs)? == bytes, "it is joined in another way");
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_programs_are_split_again() {
        let (one, other) = (vec![1; 20_000], vec![2; 5]);
        let joined = join([&one, &other]).unwrap();
        assert_eq!(split(&joined).unwrap(), [one.as_slice(), &other]);
        for at in [0, 7, 12, 20, 100, joined.len() - 6] {
            let mut changed = joined.clone();
            changed[at] ^= 1;
            let same = split(&changed).is_ok_and(|it| it == [one.as_slice(), &other]);
            assert!(!same, "byte {at}");
        }
        assert!(split(b"").is_err());
    }
}
