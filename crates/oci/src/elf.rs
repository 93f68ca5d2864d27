//! Facts of an ELF program, read from its headers without running it. Reads only; judges nothing.

use anyhow::{Context as _, ensure};
use memchr::memmem;
use object::elf::{ET_DYN, PF_X, PT_GNU_RELRO, PT_GNU_STACK, PT_LOAD};
use object::read::elf::ProgramHeader as _;
use object::{Endianness, Object as _, ObjectSection as _};

/// The first bytes of an ELF file that name its class and machine.
pub(crate) const PREFIX: usize = 20;

/// A processor that images are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// x86-64: `amd64`.
    Amd64,
    /// 64-bit ARM: `arm64`.
    Arm64,
    /// Another processor, or 32 bits.
    Other,
}

impl Machine {
    /// Reads it from the beginning of a file; `None` when that is not ELF.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"\x7fELF") {
            return None;
        }
        let is_64_little = bytes.get(4..6) == Some(&[2, 1]);
        Some(match bytes.get(18..PREFIX).filter(|_| is_64_little) {
            Some([62, 0]) => Self::Amd64,
            Some([183, 0]) => Self::Arm64,
            _ => Self::Other,
        })
    }

    /// Returns the machine of an architecture by Go's name.
    pub fn of_architecture(architecture: &str) -> Self {
        match architecture {
            "amd64" => Self::Amd64,
            "arm64" => Self::Arm64,
            _ => Self::Other,
        }
    }

    /// Returns Go's name of the architecture, or `another processor`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Other => "another processor",
        }
    }
}

/// The headers of an ELF program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// The processor.
    pub machine: Machine,
    /// The loader that PT_INTERP names.
    pub interpreter: Option<String>,
    /// Shared libraries that it loads, sorted.
    pub libraries: Vec<String>,
    /// Alignment of each loaded segment in bytes.
    pub alignments: Vec<u64>,
    /// What PT_GNU_STACK says; `None` when there is none.
    pub is_stack_executable: Option<bool>,
    /// Whether relocations become read-only (PT_GNU_RELRO).
    pub has_relro: bool,
    /// Whether it is position-independent.
    pub is_pie: bool,
    /// Whether symbols or debug sections are left in it.
    pub has_symbols: bool,
}

impl Elf {
    /// Reads the headers of a program of 64 bits, little endian.
    ///
    /// # Errors
    /// When it is something else, or cut short.
    pub fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let machine = Machine::of(bytes).context("not an ELF program")?;
        let elf = object::read::elf::ElfFile64::<Endianness>::parse(bytes)
            .context("not a 64-bit ELF program")?;
        ensure!(elf.is_little_endian(), "not a little-endian program");
        let endian = elf.endian();
        let headers = elf.elf_program_headers();
        for header in headers.iter().filter(|it| it.p_type(endian) == PT_LOAD) {
            let (offset, size) = header.file_range(endian);
            let end = offset.checked_add(size);
            ensure!(
                end.is_some_and(|end| end <= bytes.len() as u64),
                "the file is cut short"
            );
        }
        let mut libraries = Vec::new();
        for library in elf
            .import_libraries()
            .context("cannot read its import libraries")?
        {
            libraries.push(String::from_utf8_lossy(library?.name()).into_owned());
        }
        libraries.sort();
        let of = |kind| headers.iter().filter(move |it| it.p_type(endian) == kind);
        let is_debug = |name: &str| name == ".symtab" || name.starts_with(".debug_");
        Ok(Self {
            machine,
            interpreter: interpreter(&elf)?,
            libraries,
            alignments: of(PT_LOAD).map(|it| it.p_align(endian)).collect(),
            is_stack_executable: of(PT_GNU_STACK)
                .next()
                .map(|it| it.p_flags(endian).contains(PF_X)),
            has_relro: of(PT_GNU_RELRO).next().is_some(),
            is_pie: elf.elf_header().e_type.get(endian) == ET_DYN,
            has_symbols: elf
                .sections()
                .any(|section| section.name().is_ok_and(is_debug)),
        })
    }
}

fn interpreter(
    elf: &object::read::elf::ElfFile64<'_, Endianness>,
) -> anyhow::Result<Option<String>> {
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

/// Finds text that only a path of the machine a program was built on would contain, with its offset in
/// bytes: folders that hold people's homes, and `own`, folders that the caller knows.
pub fn machine_path(bytes: &[u8], own: &[String]) -> Option<(usize, String)> {
    const MARKS: &[&str] = &[
        "/home/",
        "/root/",
        "/Users/",
        ":\\Users\\",
        ".cargo/registry",
        ".rustup/toolchains",
    ];
    let marks = MARKS.iter().copied().chain(own.iter().map(String::as_str));
    let found = marks
        .filter_map(|mark| memmem::find(bytes, mark.as_bytes()))
        .min()?;
    let printable = |byte: &&u8| byte.is_ascii_graphic();
    let text: Vec<u8> = bytes[found..]
        .iter()
        .take_while(printable)
        .take(80)
        .copied()
        .collect();
    Some((found, String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine_are_found_wherever_they_stand() {
        assert_eq!(machine_path(b"plain text / with slashes", &[]), None);
        let (offset, path) = machine_path(b"\0\0/home/me/src/main.rs\0", &[]).unwrap();
        assert_eq!((offset, path.as_str()), (2, "/home/me/src/main.rs"));
        assert!(machine_path(b"C:\\Users\\me", &[]).is_some());
        let own = ["/builds/noetl".to_owned()];
        assert!(machine_path(b"at /builds/noetl/src/lib.rs", &own).is_some());
        assert_eq!(machine_path(b"at /builds/noetl/src/lib.rs", &[]), None);
    }

    #[test]
    fn files_that_are_no_programs_are_refused() {
        for bytes in [b"".as_slice(), b"#!/bin/sh\n", b"\x7fELF"] {
            assert!(Elf::read(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(Machine::of(b"#!/bin/sh"), None);
        assert_eq!(Machine::of(b"\x7fELF\x01\x01"), Some(Machine::Other));
    }
}
