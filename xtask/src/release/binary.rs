//! What an executable file is, read from its bytes without running it. It judges nothing.

use anyhow::{Context as _, ensure};
use noetl_oci::Sha256;
use object::elf::PT_LOAD;
use object::macho::{CPU_TYPE_ARM64, CPU_TYPE_X86_64};
use object::read::elf::ProgramHeader as _;
use object::read::macho::{LoadCommandVariant, MachHeader as _};
use object::{BigEndian, Endianness, Object as _};
use serde::{Deserialize, Serialize};

use crate::release::target::{Arch, Os};

/// What a file's headers say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// The system the format belongs to.
    pub os: Os,
    /// The instruction set; `None` for one NoETL is not built for.
    pub arch: Option<Arch>,
    /// ELF: the loader that PT_INTERP names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// Shared libraries it loads, sorted.
    pub libraries: Vec<String>,
    /// ELF: the newest glibc version that a symbol asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub glibc: Option<(u32, u32)>,
    /// Mach-O: the oldest macOS it claims to run on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macos_minimum: Option<(u32, u32)>,
    /// Mach-O: its code signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// A Mach-O code signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Signature {
    /// Signed without a certificate, and every page's hash is right.
    AdHoc,
    /// Signed with a certificate, and every page's hash is right.
    Certificate,
    /// The file was changed after signing: a page's hash is wrong. arm64 macOS kills it.
    Broken,
}

/// Reads the headers of an ELF, Mach-O or PE file of 64 bits, little endian.
///
/// # Errors
/// When the file is something else or cut short.
pub(crate) fn facts(bytes: &[u8]) -> anyhow::Result<Facts> {
    let file = object::File::parse(bytes).context("not an ELF, Mach-O or PE file")?;
    ensure!(
        file.is_64() && file.is_little_endian(),
        "not a 64-bit little-endian program"
    );
    let mut libraries = Vec::new();
    for library in file
        .import_libraries()
        .context("cannot read its import libraries")?
    {
        libraries.push(String::from_utf8_lossy(library?.name()).into_owned());
    }
    libraries.sort();
    let facts = Facts {
        os: Os::Linux,
        arch: arch(&file),
        interpreter: None,
        libraries,
        glibc: None,
        macos_minimum: None,
        signature: None,
    };
    match &file {
        object::File::Elf64(elf) => {
            ensure_whole(elf, bytes)?;
            Ok(Facts {
                interpreter: interpreter(elf)?,
                glibc: newest_glibc(elf)?,
                ..facts
            })
        }
        object::File::MachO64(macho) => {
            let (macos_minimum, signature) = load_commands(macho, bytes)?;
            Ok(Facts {
                os: Os::Mac,
                macos_minimum,
                signature,
                ..facts
            })
        }
        object::File::Pe64(_) => Ok(Facts {
            os: Os::Windows,
            ..facts
        }),
        _ => anyhow::bail!("not an ELF, Mach-O or PE program"),
    }
}

fn arch(file: &object::File<'_>) -> Option<Arch> {
    match file.architecture() {
        object::Architecture::X86_64 => Some(Arch::X86_64),
        object::Architecture::Aarch64 => Some(Arch::Aarch64),
        _ => None,
    }
}

type Elf<'data> = object::read::elf::ElfFile64<'data, Endianness>;
type MachO<'data> = object::read::macho::MachOFile64<'data, Endianness>;

/// A program cut short has segments that end behind the end of the file.
fn ensure_whole(elf: &Elf<'_>, bytes: &[u8]) -> anyhow::Result<()> {
    for header in elf
        .elf_program_headers()
        .iter()
        .filter(|header| header.p_type(elf.endian()) == PT_LOAD)
    {
        let (offset, size) = header.file_range(elf.endian());
        let end = offset.checked_add(size);
        ensure!(
            end.is_some_and(|end| end <= bytes.len() as u64),
            "the file is cut short"
        );
    }
    Ok(())
}

fn interpreter(elf: &Elf<'_>) -> anyhow::Result<Option<String>> {
    for header in elf.elf_program_headers() {
        let name = header
            .interpreter(elf.endian(), elf.data())
            .context("PT_INTERP is broken")?;
        if let Some(name) = name {
            return Ok(Some(String::from_utf8_lossy(name).into_owned()));
        }
    }
    Ok(None)
}

/// The newest `GLIBC_x.y` among the versions that undefined symbols need.
fn newest_glibc(elf: &Elf<'_>) -> anyhow::Result<Option<(u32, u32)>> {
    let (endian, data) = (elf.endian(), elf.data());
    let sections = elf.elf_section_table();
    let Some((mut needed, strings)) = sections
        .gnu_verneed(endian, data)
        .context("version needs are broken")?
    else {
        return Ok(None);
    };
    let strings = sections
        .strings(endian, data, strings)
        .context("version names are missing")?;
    let mut newest = None;
    while let Some((_, mut versions)) = needed.next().context("version needs are broken")? {
        while let Some(version) = versions.next().context("version needs are broken")? {
            let name = version
                .name(endian, strings)
                .context("a version has no name")?;
            newest = newest.max(glibc_version(&String::from_utf8_lossy(name)));
        }
    }
    Ok(newest)
}

fn glibc_version(name: &str) -> Option<(u32, u32)> {
    let mut parts = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Oldest macOS and signature.
type MachOFacts = (Option<(u32, u32)>, Option<Signature>);

fn load_commands(macho: &MachO<'_>, bytes: &[u8]) -> anyhow::Result<MachOFacts> {
    let endian = macho.endian();
    let cpu = macho.macho_header().cputype(endian);
    ensure!(
        cpu == CPU_TYPE_ARM64 || cpu == CPU_TYPE_X86_64,
        "a Mach-O for a processor no Mac has"
    );
    let (mut minimum, mut signature) = (None, None);
    let mut commands = macho
        .macho_load_commands()
        .context("load commands are broken")?;
    while let Some(command) = commands.next().context("load commands are broken")? {
        match command.variant().context("load commands are broken")? {
            LoadCommandVariant::BuildVersion(version, _) => {
                let packed = version.minos.get(endian).0;
                minimum = Some((packed >> 16, packed >> 8 & 0xff));
            }
            LoadCommandVariant::LinkeditData(data)
                if data.cmd.get(endian) == object::macho::LC_CODE_SIGNATURE =>
            {
                let blobs = data
                    .code_signature(endian, bytes)
                    .context("the code signature is broken")?;
                let signed = &bytes[..bytes.len().min(data.dataoff.get(endian) as usize)];
                signature = Some(check_signature(&blobs, signed).unwrap_or(Signature::Broken));
            }
            _ => {}
        }
    }
    Ok((minimum, signature))
}

/// Recomputes the hash of every page before the signature; `None` when the code directory cannot be right.
fn check_signature(
    blobs: &object::read::macho::CodeSignature<'_>,
    signed: &[u8],
) -> Option<Signature> {
    let mut directory = None;
    let mut has_certificate = false;
    for blob in blobs.blobs() {
        let blob = blob.ok()?;
        directory = directory.or(blob.code_directory().ok()?);
        has_certificate |=
            blob.magic() == object::macho::CSMAGIC_BLOBWRAPPER && !blob.contents().is_empty();
    }
    let directory = directory?;
    let header = directory.header();
    if header.hash_type != object::macho::CS_HASHTYPE_SHA256 || header.hash_size != 32 {
        return None;
    }
    if directory.code_limit() != signed.len() as u64 {
        return None;
    }
    let pages = signed.chunks(1_usize.checked_shl(header.page_size.into())?);
    if pages.len() != usize::try_from(header.n_code_slots.get(BigEndian)).ok()? {
        return None;
    }
    for (number, page) in (0..).zip(pages) {
        if Sha256::of(page).bytes() != directory.code_hash(number).ok()? {
            return None;
        }
    }
    Some(if has_certificate {
        Signature::Certificate
    } else {
        Signature::AdHoc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Mach-O of headers alone, signed ad hoc as ld64 and zig do it (`<kern/cs_blobs.h>`).
    fn signed_macho() -> Vec<u8> {
        let signature_at = 128_u32;
        let mut macho = Vec::new();
        for word in [0xfeed_facf_u32, 0x0100_000c, 0, 2, 2, 40, 0, 0] {
            macho.extend(word.to_le_bytes());
        }
        for word in [
            0x32_u32,
            24,
            1,
            0x000b_0000,
            0,
            0,
            0x1d,
            16,
            signature_at,
            102,
        ] {
            macho.extend(word.to_le_bytes());
        }
        macho.resize(128, 0);
        let hash = Sha256::of(&macho);
        for word in [0xfade_0cc0_u32, 102, 1, 0, 20] {
            macho.extend(word.to_be_bytes());
        }
        for word in [0xfade_0c02_u32, 82, 0x20001, 2, 50, 44, 0, 1, signature_at] {
            macho.extend(word.to_be_bytes());
        }
        macho.extend([32, 2, 0, 12, 0, 0, 0, 0]);
        macho.extend(b"noetl\0");
        macho.extend(hash.bytes());
        macho
    }

    #[test]
    fn an_ad_hoc_signature_is_recomputed() {
        let macho = signed_macho();
        let read = facts(&macho).unwrap();
        assert_eq!((read.os, read.arch), (Os::Mac, Some(Arch::Aarch64)));
        assert_eq!(
            (read.macos_minimum, read.signature),
            (Some((11, 0)), Some(Signature::AdHoc))
        );
        let mut changed = macho.clone();
        changed[100] ^= 1;
        assert_eq!(facts(&changed).unwrap().signature, Some(Signature::Broken));
    }

    #[test]
    fn other_files_are_refused() {
        for bytes in [
            b"".as_slice(),
            b"#!/bin/sh\n",
            b"\x7fELF",
            &signed_macho()[..40],
        ] {
            assert!(facts(bytes).is_err(), "{bytes:?}");
        }
    }
}
