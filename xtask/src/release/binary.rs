//! Reads the facts about an executable from its headers, without running it and without judging them.

use anyhow::{Context as _, ensure};
use noetl_oci::{Elf, Sha256};
use object::macho::{CPU_TYPE_ARM64, CPU_TYPE_X86_64, CSMAGIC_BLOBWRAPPER, LC_CODE_SIGNATURE};
use object::read::elf::ElfFile64;
use object::read::macho::{CodeSignature, LoadCommandVariant, MachHeader as _, MachOFile64};
use object::{BigEndian, Endianness, Object as _};
use serde::{Deserialize, Serialize};

use crate::release::hardening::{self, Weakness};
use crate::release::target::{Arch, Os};

/// The facts in the headers of an executable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// The operating system of the file format.
    pub os: Os,
    /// The instruction set; `None` when NoETL is not built for it.
    pub arch: Option<Arch>,
    /// ELF: the loader in PT_INTERP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// The shared libraries that it loads, sorted.
    pub libraries: Vec<String>,
    /// ELF: the newest glibc version that a symbol needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub glibc: Option<(u32, u32)>,
    /// ELF: the first symbol that needs that version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub glibc_symbol: Option<String>,
    /// Mach-O: the minimum version of macOS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macos_minimum: Option<(u32, u32)>,
    /// Mach-O: the state of its code signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// What it lacks of the protections of its system, sorted.
    pub weaknesses: Vec<Weakness>,
}

/// The state of a Mach-O code signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Signature {
    /// Valid, without a certificate.
    AdHoc,
    /// Valid, with a certificate.
    Certificate,
    /// It is not one of this file.
    Broken,
    /// The hash of the page with this number is wrong, since the file was changed after signing. macOS on arm64 does not
    /// run it.
    BrokenPage(u64),
}

/// Reads the headers of a 64-bit little-endian ELF, Mach-O or PE file.
///
/// # Errors
/// When the file has another format or is cut short.
pub(crate) fn facts(bytes: &[u8]) -> anyhow::Result<Facts> {
    let file = object::File::parse(bytes).context("not an ELF, Mach-O or PE file")?;
    let is_supported = file.is_64() && file.is_little_endian();
    ensure!(is_supported, "not a 64-bit little-endian program");
    let mut libraries = Vec::new();
    let imported = file.import_libraries();
    for library in imported.context("cannot read its import libraries")? {
        libraries.push(String::from_utf8_lossy(library?.name()).into_owned());
    }
    libraries.sort();
    let mut facts = Facts {
        os: Os::Linux,
        arch: match file.architecture() {
            object::Architecture::X86_64 => Some(Arch::X86_64),
            object::Architecture::Aarch64 => Some(Arch::Aarch64),
            _ => None,
        },
        interpreter: None,
        libraries,
        glibc: None,
        glibc_symbol: None,
        macos_minimum: None,
        signature: None,
        weaknesses: hardening::weaknesses(&file, bytes)?,
    };
    match &file {
        object::File::Elf64(elf) => {
            facts.interpreter = Elf::read(bytes)?.interpreter;
            facts.glibc = newest_glibc(elf)?;
            facts.glibc_symbol = facts
                .glibc
                .map(|it| symbol_of(elf, it))
                .transpose()?
                .flatten();
        }
        object::File::MachO64(macho) => {
            facts.os = Os::Mac;
            read_load_commands(macho, bytes, &mut facts)?;
        }
        object::File::Pe64(_) => facts.os = Os::Windows,
        _ => anyhow::bail!("not an ELF, Mach-O or PE program"),
    }
    Ok(facts)
}

/// Returns the newest `GLIBC_x.y` among the versions that undefined symbols need.
fn newest_glibc(elf: &ElfFile64<'_, Endianness>) -> anyhow::Result<Option<(u32, u32)>> {
    const BROKEN: &str = "version needs are broken";
    let (endian, data) = (elf.endian(), elf.data());
    let sections = elf.elf_section_table();
    let needed = sections.gnu_verneed(endian, data).context(BROKEN)?;
    let Some((mut needed, strings)) = needed else {
        return Ok(None);
    };
    let strings = sections.strings(endian, data, strings);
    let strings = strings.context("version names are missing")?;
    let mut newest = None;
    while let Some((_, mut versions)) = needed.next().context(BROKEN)? {
        while let Some(version) = versions.next().context(BROKEN)? {
            let name = version.name(endian, strings);
            let name = String::from_utf8_lossy(name.context("a version has no name")?);
            newest = newest.max(glibc_version(&name));
        }
    }
    Ok(newest)
}

/// Returns the first symbol that needs a version of glibc.
fn symbol_of(
    elf: &ElfFile64<'_, Endianness>,
    wanted: (u32, u32),
) -> anyhow::Result<Option<String>> {
    const BROKEN: &str = "symbol versions are broken";
    let (endian, data) = (elf.endian(), elf.data());
    let sections = elf.elf_section_table();
    let Some(versions) = sections.versions(endian, data).context(BROKEN)? else {
        return Ok(None);
    };
    let symbols = elf.elf_dynamic_symbol_table();
    for (index, symbol) in symbols.enumerate() {
        let version = versions.version_index(endian, index);
        let version = versions.version(version.into()).context(BROKEN)?;
        let version = version.map(|it| String::from_utf8_lossy(it.name()).into_owned());
        if version.and_then(|it| glibc_version(&it)) == Some(wanted) {
            let name = symbols.symbol_name(endian, symbol).context(BROKEN)?;
            return Ok(Some(String::from_utf8_lossy(name).into_owned()));
        }
    }
    Ok(None)
}

fn glibc_version(name: &str) -> Option<(u32, u32)> {
    let mut parts = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Sets the minimum version of macOS and the state of the signature.
fn read_load_commands(
    macho: &MachOFile64<'_, Endianness>,
    bytes: &[u8],
    facts: &mut Facts,
) -> anyhow::Result<()> {
    const BROKEN: &str = "load commands are broken";
    let endian = macho.endian();
    let cpu = macho.macho_header().cputype(endian);
    let is_mac = cpu == CPU_TYPE_ARM64 || cpu == CPU_TYPE_X86_64;
    ensure!(is_mac, "a Mach-O for a processor no Mac has");
    let mut commands = macho.macho_load_commands().context(BROKEN)?;
    while let Some(command) = commands.next().context(BROKEN)? {
        match command.variant().context(BROKEN)? {
            LoadCommandVariant::BuildVersion(version, _) => {
                let packed = version.minos.get(endian).0;
                facts.macos_minimum = Some((packed >> 16, packed >> 8 & 0xff));
            }
            LoadCommandVariant::LinkeditData(data) if data.cmd.get(endian) == LC_CODE_SIGNATURE => {
                let signature = data.code_signature(endian, bytes);
                let signature = signature.context("the code signature is broken")?;
                let signed = &bytes[..bytes.len().min(data.dataoff.get(endian) as usize)];
                let checked = check_signature(&signature, signed);
                facts.signature = Some(checked.unwrap_or(Signature::Broken));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Computes the hash of every page before the signature; `None` when the code directory is wrong.
fn check_signature(signature: &CodeSignature<'_>, signed: &[u8]) -> Option<Signature> {
    let mut directory = None;
    let mut has_certificate = false;
    for blob in signature.blobs() {
        let blob = blob.ok()?;
        directory = directory.or(blob.code_directory().ok()?);
        has_certificate |= blob.magic() == CSMAGIC_BLOBWRAPPER && !blob.contents().is_empty();
    }
    let directory = directory?;
    let header = directory.header();
    let is_sha256 = header.hash_type == object::macho::CS_HASHTYPE_SHA256 && header.hash_size == 32;
    if !is_sha256 || directory.code_limit() != signed.len() as u64 {
        return None;
    }
    let pages = signed.chunks(1_usize.checked_shl(header.page_size.into())?);
    if pages.len() != usize::try_from(header.n_code_slots.get(BigEndian)).ok()? {
        return None;
    }
    for (number, page) in (0..).zip(pages) {
        if Sha256::of(page).bytes() != directory.code_hash(number).ok()? {
            return Some(Signature::BrokenPage(number.into()));
        }
    }
    Some(match has_certificate {
        true => Signature::Certificate,
        false => Signature::AdHoc,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the headers of a Mach-O with the ad-hoc signature that ld64 and zig make (`<kern/cs_blobs.h>`).
    fn signed_macho() -> Vec<u8> {
        let at = 128_u32;
        let mut macho = Vec::new();
        for words in [
            [0xfeed_facf_u32, 0x0100_000c, 0, 2, 2, 40, 0, 0, 0x32],
            [24, 1, 0x000b_0000, 0, 0, 0x1d, 16, at, 102],
        ] {
            macho.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        macho.resize(128, 0);
        let hash = Sha256::of(&macho);
        for words in [
            [0xfade_0cc0_u32, 102, 1, 0, 20, 0xfade_0c02, 82],
            [0x20001, 2, 50, 44, 0, 1, at],
        ] {
            macho.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        }
        macho.extend([32, 2, 0, 12, 0, 0, 0, 0]);
        macho.extend(b"noetl\0");
        macho.extend(hash.bytes());
        macho
    }

    #[test]
    fn ad_hoc_signature_is_verified() {
        let mut macho = signed_macho();
        let read = facts(&macho).unwrap();
        assert_eq!((read.os, read.arch), (Os::Mac, Some(Arch::Aarch64)));
        let signature = (read.macos_minimum, read.signature);
        assert_eq!(signature, (Some((11, 0)), Some(Signature::AdHoc)));
        macho[100] ^= 1;
        let signature = facts(&macho).unwrap().signature;
        assert_eq!(signature, Some(Signature::BrokenPage(0)));
    }

    #[test]
    fn other_files_are_refused() {
        let macho = &signed_macho()[..40];
        for bytes in [b"".as_slice(), b"#!/bin/sh\n", b"\x7fELF", macho] {
            assert!(facts(bytes).is_err(), "{bytes:?}");
        }
    }
}
