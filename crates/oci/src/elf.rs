//! Reads the headers of ELF programs, and finds paths of build machines in their bytes.

use aho_corasick::packed::Searcher;
use anyhow::{Context as _, ensure};
use memchr::memmem;
use object::elf::{ET_DYN, PF_X, PT_GNU_RELRO, PT_GNU_STACK, PT_LOAD};
use object::read::elf::ProgramHeader as _;
use object::{Endianness, Object as _, ObjectSection as _};

/// How many bytes at the beginning of an ELF file [`Machine::of`] needs.
pub(crate) const PREFIX: usize = 20;

/// The processor architecture of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// x86-64: `amd64`.
    Amd64,
    /// 64-bit ARM: `arm64`.
    Arm64,
    /// Another architecture, or 32 bits, or big-endian.
    Other,
}

impl Machine {
    /// Returns the architecture in the header of an ELF file, of which the first 20 bytes are enough; `None` when it is
    /// not ELF.
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

    /// Returns the machine for an architecture as Go names it (`amd64`, `arm64`); [`Machine::Other`] for all others.
    pub fn of_architecture(architecture: &str) -> Self {
        match architecture {
            "amd64" => Self::Amd64,
            "arm64" => Self::Arm64,
            _ => Self::Other,
        }
    }

    /// Returns Go's name of the architecture, or `another processor` for [`Machine::Other`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Other => "another processor",
        }
    }
}

/// What the headers of an ELF program contain (System V ABI, ELF-64).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// The processor.
    pub machine: Machine,
    /// The path of the dynamic loader in PT_INTERP, if there is one.
    pub interpreter: Option<String>,
    /// Names of the shared libraries that it needs (DT_NEEDED), sorted.
    pub libraries: Vec<String>,
    /// The alignment of each PT_LOAD segment in bytes.
    pub alignments: Vec<u64>,
    /// Whether PT_GNU_STACK makes the stack executable; `None` when there is no PT_GNU_STACK.
    pub is_stack_executable: Option<bool>,
    /// Whether relocations become read-only (PT_GNU_RELRO).
    pub has_relro: bool,
    /// Whether it is position-independent (ET_DYN).
    pub is_pie: bool,
    /// Whether it has a symbol table or debug sections.
    pub has_symbols: bool,
}

impl Elf {
    /// Reads the headers of a 64-bit little-endian program.
    ///
    /// # Errors
    /// When it is something else, or is truncated.
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
                "the file is truncated"
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
            .context("PT_INTERP cannot be read")?;
        if let Some(name) = name {
            return Ok(Some(String::from_utf8_lossy(name).into_owned()));
        }
    }
    Ok(None)
}

/// Finds the first path of a build machine in the bytes of a program: one with a home folder or a folder of cargo or
/// rustup in it, or with one of the folders `own`. Returns its offset in bytes and at most 80 characters of it.
pub fn machine_path(bytes: &[u8], own: &[String]) -> Option<(usize, String)> {
    const MARKS: &[&str] = &[
        "/home/",
        "/root/",
        "/Users/",
        ":\\Users\\",
        ".cargo/registry",
        ".rustup/toolchains",
    ];
    let searcher = Searcher::new(MARKS).expect("a few short texts can be searched for");
    let marked = searcher.find(bytes).map(|found| found.start());
    let own = own.iter().filter(|folder| !folder.is_empty());
    let own = own.filter_map(|folder| memmem::find(bytes, folder.as_bytes()));
    let found = own.chain(marked).min()?;
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
    fn paths_of_the_build_machine_are_found_at_any_offset() {
        assert_eq!(machine_path(b"plain text / with slashes", &[]), None);
        let (offset, path) = machine_path(b"\0\0/home/me/src/main.rs\0", &[]).unwrap();
        assert_eq!((offset, path.as_str()), (2, "/home/me/src/main.rs"));
        assert!(machine_path(b"C:\\Users\\me", &[]).is_some());
        let own = ["/builds/app".to_owned()];
        assert!(machine_path(b"at /builds/app/src/lib.rs", &own).is_some());
        assert_eq!(machine_path(b"at /builds/app/src/lib.rs", &[]), None);
        let first = machine_path(b"/builds/app /home/me", &own).unwrap();
        assert_eq!(first.0, 0, "the first of both kinds");
    }

    #[test]
    fn files_that_are_not_elf_programs_are_refused() {
        for bytes in [b"".as_slice(), b"#!/bin/sh\n", b"\x7fELF"] {
            assert!(Elf::read(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(Machine::of(b"#!/bin/sh"), None);
        assert_eq!(Machine::of(b"\x7fELF\x01\x01"), Some(Machine::Other));
    }
}
