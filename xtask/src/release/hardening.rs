//! What a program lacks of the protections that its system has against exploits, and what it should not contain.

use std::fmt;

use anyhow::Context as _;
use noetl_oci::Elf;
use object::elf::{DF_1_NOW, DF_BIND_NOW, DT_FLAGS, DT_FLAGS_1, DT_RPATH, DT_RUNPATH};
use object::macho::MH_PIE;
use object::pe::{
    IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA,
    IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
};
use object::read::elf::ElfFile64;
use object::read::macho::{LoadCommandVariant, MachHeader as _, MachOFile64, Nlist as _};
use object::read::pe::{ImageNtHeaders as _, ImageOptionalHeader as _, PeFile64};
use object::{Endianness, Object as _, ObjectSection as _};
use serde::{Deserialize, Serialize};

/// A protection that is missing, or something that should not be there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Weakness {
    /// The system cannot load it at a random address.
    FixedAddress,
    /// Data can be executed: ELF without a stack that is not executable, PE without `NX_COMPAT`.
    ExecutableData,
    /// ELF: tables of addresses stay writable after the start.
    WritableTables,
    /// PE: not all of the 64-bit addresses are used.
    FewAddresses,
    /// A folder that it loads libraries from.
    LibraryFolder(String),
    /// A section, or the symbols, of a debugger.
    DebugInformation(String),
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FixedAddress => write!(f, "it is loaded at a fixed address"),
            Self::ExecutableData => write!(f, "its data can be executed"),
            Self::WritableTables => write!(f, "its tables of addresses stay writable"),
            Self::FewAddresses => write!(f, "it is loaded at one of few addresses"),
            Self::LibraryFolder(folder) => write!(f, "it loads libraries from {folder}"),
            Self::DebugInformation(name) => write!(f, "it has debug information: {name}"),
        }
    }
}

/// Returns what is weak about a program, sorted.
///
/// # Errors
/// When a header is damaged.
pub(crate) fn weaknesses(file: &object::File<'_>, bytes: &[u8]) -> anyhow::Result<Vec<Weakness>> {
    let mut found = match file {
        object::File::Elf64(elf) => of_elf(elf, bytes)?,
        object::File::MachO64(macho) => of_macho(macho)?,
        object::File::Pe64(pe) => of_pe(pe),
        _ => Vec::new(),
    };
    for section in file.sections() {
        let name = section.name().unwrap_or_default();
        let is_debug = [".debug_", ".zdebug_", "__debug_", "__zdebug_"];
        if is_debug.iter().any(|start| name.starts_with(start)) {
            found.push(Weakness::DebugInformation(name.to_owned()));
        }
    }
    found.sort();
    Ok(found)
}

fn of_elf(elf: &ElfFile64<'_, Endianness>, bytes: &[u8]) -> anyhow::Result<Vec<Weakness>> {
    const BROKEN: &str = "the dynamic section is broken";
    let headers = Elf::read(bytes)?;
    let mut found = Vec::new();
    if !headers.is_pie {
        found.push(Weakness::FixedAddress);
    }
    if headers.is_stack_executable != Some(false) {
        found.push(Weakness::ExecutableData);
    }
    let (endian, data) = (elf.endian(), elf.data());
    let sections = elf.elf_section_table();
    let mut binds_at_start = headers.libraries.is_empty();
    let entries = sections.dynamic_table(endian, data).context(BROKEN)?;
    for entry in &entries {
        if entry.tag == DT_RPATH || entry.tag == DT_RUNPATH {
            let folder = entries.string(entry).context(BROKEN)?;
            let folder = String::from_utf8_lossy(folder).into_owned();
            found.push(Weakness::LibraryFolder(folder));
        }
        binds_at_start |= entry.tag == DT_FLAGS && entry.val & DF_BIND_NOW.0 != 0;
        binds_at_start |= entry.tag == DT_FLAGS_1 && entry.val & DF_1_NOW.0 != 0;
    }
    if !headers.has_relro || !binds_at_start {
        found.push(Weakness::WritableTables);
    }
    if headers.has_symbols && elf.symbol_table().is_some() {
        found.push(Weakness::DebugInformation(".symtab".to_owned()));
    }
    Ok(found)
}

fn of_macho(macho: &MachOFile64<'_, Endianness>) -> anyhow::Result<Vec<Weakness>> {
    const BROKEN: &str = "load commands are broken";
    let endian = macho.endian();
    let mut found = Vec::new();
    if !macho.macho_header().flags(endian).contains(MH_PIE) {
        found.push(Weakness::FixedAddress);
    }
    let mut commands = macho.macho_load_commands().context(BROKEN)?;
    while let Some(command) = commands.next().context(BROKEN)? {
        if let LoadCommandVariant::Rpath(rpath) = command.variant().context(BROKEN)? {
            let folder = command.string(endian, rpath.path).context(BROKEN)?;
            let folder = String::from_utf8_lossy(folder).into_owned();
            found.push(Weakness::LibraryFolder(folder));
        }
    }
    if macho.macho_symbol_table().iter().any(|it| it.is_stab()) {
        found.push(Weakness::DebugInformation("stabs".to_owned()));
    }
    Ok(found)
}

fn of_pe(pe: &PeFile64<'_>) -> Vec<Weakness> {
    let flags = pe.nt_headers().optional_header().dll_characteristics();
    let expected = [
        (
            IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE,
            Weakness::FixedAddress,
        ),
        (IMAGE_DLLCHARACTERISTICS_NX_COMPAT, Weakness::ExecutableData),
        (
            IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA,
            Weakness::FewAddresses,
        ),
    ];
    let missing = expected
        .into_iter()
        .filter(|(flag, _)| !flags.contains(*flag));
    missing.map(|(_, weakness)| weakness).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::target::TARGETS;

    /// The offsets in the fixture of the file's type, and of the type and the flags of its segment for the stack.
    const FILE_TYPE: usize = 16;
    const STACK: usize = 64 + 56;
    const STACK_FLAGS: usize = STACK + 4;
    const RELRO: usize = 64 + 2 * 56;

    /// Returns what is weak about the fixture's program after a change.
    fn after(change: impl Fn(&mut Vec<u8>)) -> Vec<Weakness> {
        let mut program = fixtures::program(&TARGETS[0]);
        change(&mut program);
        weaknesses(&object::File::parse(&*program).unwrap(), &program).unwrap()
    }

    #[test]
    fn elf_programs_are_judged_by_their_headers() {
        assert_eq!(after(|_| {}), []);
        assert_eq!(after(|it| it[FILE_TYPE] = 2), [Weakness::FixedAddress]);
        let executable = [Weakness::ExecutableData];
        assert_eq!(after(|it| it[STACK_FLAGS] |= 1), executable);
        assert_eq!(after(|it| it[STACK] = 0), executable);
        assert_eq!(after(|it| it[RELRO] = 0), [Weakness::WritableTables]);
    }

    #[test]
    fn debug_sections_are_found() {
        let program = fixtures::elf_with(".debug_info");
        let found = weaknesses(&object::File::parse(&*program).unwrap(), &program).unwrap();
        let name = ".debug_info".to_owned();
        assert_eq!(found, [Weakness::DebugInformation(name)]);
    }
}
