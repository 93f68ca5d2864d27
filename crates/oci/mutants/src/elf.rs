//! A small ELF program, and changes of ELF programs that leave everything else in place.

use anyhow::{Context as _, ensure};
use memchr::memmem;
use noetl_oci::Machine;
use object::elf::{PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, ProgramType};
use object::{Object as _, ObjectSection as _};

/// The size of a program header, and the offsets of two fields in it (System V ABI, ELF-64).
const HEADER: usize = 56;
const FLAGS: usize = 4;
const ALIGN: usize = 48;

/// Returns a small static, position-independent program with three segments, and a section with the given name and content.
pub fn small_program(machine: Machine, section: &str, content: &[u8]) -> Vec<u8> {
    let (machine, page): (u16, u64) = match machine {
        Machine::Arm64 => (183, 0x1_0000),
        _ => (62, 0x1000),
    };
    let names = format!("\0{section}\0.shstrtab\0");
    let (content_at, names_at) = (232_u64, 232 + content.len() as u64);
    let sections_at = (names_at + names.len() as u64).next_multiple_of(8);
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend(3_u16.to_le_bytes());
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes());
    for number in [0x400_0e8_u64, 64, sections_at] {
        elf.extend(number.to_le_bytes());
    }
    elf.extend(0_u32.to_le_bytes());
    for number in [64_u16, 56, 3, 64, 3, 2] {
        elf.extend(number.to_le_bytes());
    }
    // Type, flags, address, size, alignment: PT_LOAD, PT_GNU_STACK, PT_GNU_RELRO.
    for (kind, flags, address, size, alignment) in [
        (1_u32, 5_u32, 0x400_000_u64, sections_at, page),
        (0x6474_e551, 6, 0, 0, 0),
        (0x6474_e552, 4, 0x400_000, 0, 1),
    ] {
        elf.extend(kind.to_le_bytes());
        elf.extend(flags.to_le_bytes());
        for number in [0, address, address, size, size, alignment] {
            elf.extend(number.to_le_bytes());
        }
    }
    elf.extend(content);
    elf.extend(names.as_bytes());
    // The first section is the empty one that every file has.
    elf.resize(elf.len().next_multiple_of(8) + 64, 0);
    let shstrtab = 2 + section.len();
    for (name, kind, at, size) in [
        (1, 1_u32, content_at, content.len()),
        (shstrtab, 3, names_at, names.len()),
    ] {
        elf.extend(u32::try_from(name).unwrap_or_default().to_le_bytes());
        elf.extend(kind.to_le_bytes());
        // Flags, address, offset, size, link and info, alignment, size of an entry.
        for number in [0, 0, at, size as u64, 0, 1, 0] {
            elf.extend(number.to_le_bytes());
        }
    }
    elf
}

/// Adds a PT_INTERP segment that names a loader. Its text and a longer table of segments are added at the end.
///
/// # Errors
/// When it is not a 64-bit ELF program, or has no such segment.
pub fn add_interpreter(elf: &mut Vec<u8>, loader: &str) -> anyhow::Result<()> {
    let headers = headers(elf)?;
    let at = headers.first().context("no segments")?;
    let mut table = elf[*at..at + headers.len() * HEADER].to_vec();
    let text_at = elf.len() as u64;
    elf.extend(loader.as_bytes());
    elf.push(0);
    let length = elf.len() as u64 - text_at;
    table.extend(PT_INTERP.0.to_le_bytes());
    table.extend(4_u32.to_le_bytes());
    for number in [text_at, 0, 0, length, length, 1] {
        table.extend(number.to_le_bytes());
    }
    elf.resize(elf.len().next_multiple_of(8), 0);
    let table_at = elf.len() as u64;
    elf.extend(table);
    elf[32..40].copy_from_slice(&table_at.to_le_bytes());
    let count = u16::try_from(headers.len() + 1).context("too many segments")?;
    elf[56..58].copy_from_slice(&count.to_le_bytes());
    Ok(())
}

/// Sets the alignment of every PT_LOAD segment, in bytes.
///
/// # Errors
/// When it is not a 64-bit ELF program, or has no such segment.
pub fn set_alignment(elf: &mut [u8], alignment: u64) -> anyhow::Result<()> {
    for at in of_type(elf, PT_LOAD)? {
        elf[at + ALIGN..at + ALIGN + 8].copy_from_slice(&alignment.to_le_bytes());
    }
    Ok(())
}

/// Makes the stack executable, by the flag of PT_GNU_STACK.
///
/// # Errors
/// When it is not a 64-bit ELF program, or has no such segment.
pub fn make_stack_executable(elf: &mut [u8]) -> anyhow::Result<()> {
    let stack = of_type(elf, PT_GNU_STACK)?;
    let at = stack.first().context("no PT_GNU_STACK")? + FLAGS;
    elf[at] |= u8::try_from(PF_X.0).context("a flag is a bit of a byte")?;
    Ok(())
}

/// Renames a section; both names must have the same length.
///
/// # Errors
/// When there is no such section, or the lengths differ.
pub fn rename_section(elf: &mut [u8], name: &str, new: &str) -> anyhow::Result<()> {
    ensure!(name.len() == new.len(), "the names differ in length");
    let at = memmem::rfind(elf, format!("{name}\0").as_bytes());
    let at = at.with_context(|| format!("no section {name}"))?;
    elf[at..at + new.len()].copy_from_slice(new.as_bytes());
    Ok(())
}

/// Replaces the content of a section by a shorter text, followed by spaces and a line feed.
///
/// # Errors
/// When there is no such section, or the text does not fit.
pub fn rewrite_section(elf: &mut [u8], name: &str, text: &[u8]) -> anyhow::Result<()> {
    let file = object::File::parse(&*elf).context("not an ELF file")?;
    let section = file.section_by_name(name);
    let section = section.with_context(|| format!("no section {name}"))?;
    let (at, size) = section
        .file_range()
        .context("the section is not in the file")?;
    let (at, size) = (usize::try_from(at)?, usize::try_from(size)?);
    ensure!(
        text.len() < size,
        "the new text is not shorter than the old one"
    );
    let mut text = text.to_vec();
    text.resize(size - 1, b' ');
    text.push(b'\n');
    elf[at..at + size].copy_from_slice(&text);
    Ok(())
}

/// Returns the offsets of the program headers.
fn headers(elf: &[u8]) -> anyhow::Result<Vec<usize>> {
    ensure!(
        elf.len() > 64 && elf.starts_with(b"\x7fELF\x02\x01"),
        "not a 64-bit ELF program"
    );
    let table = u64::from_le_bytes(elf[32..40].try_into()?);
    let count = usize::from(u16::from_le_bytes([elf[56], elf[57]]));
    let table = usize::try_from(table)?;
    ensure!(
        table + count * HEADER <= elf.len(),
        "the program is truncated"
    );
    Ok((0..count).map(|number| table + number * HEADER).collect())
}

fn of_type(elf: &[u8], kind: ProgramType) -> anyhow::Result<Vec<usize>> {
    let kind = kind.0.to_le_bytes();
    let headers = headers(elf)?.into_iter();
    Ok(headers.filter(|at| elf[*at..at + 4] == kind).collect())
}
