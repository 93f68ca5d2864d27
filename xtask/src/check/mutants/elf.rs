//! Changes of a program that leave everything else of it in its place.

use anyhow::{Context as _, ensure};
use memchr::memmem;
use object::elf::{PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, ProgramType};
use object::{Object as _, ObjectSection as _};

use crate::stamp::{self, Stamp};

/// The size of a program header, and where in it things are (System V ABI, ELF-64).
const HEADER: usize = 56;
const FLAGS: usize = 4;
const ALIGN: usize = 48;

/// Adds a segment that names a loader: text and a longer table of segments go behind the file's end.
pub(super) fn add_interpreter(elf: &mut Vec<u8>, loader: &str) -> anyhow::Result<()> {
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

/// Changes the alignment of every loaded segment.
pub(super) fn set_alignment(elf: &mut [u8], alignment: u64) -> anyhow::Result<()> {
    for at in of_type(elf, PT_LOAD)? {
        elf[at + ALIGN..at + ALIGN + 8].copy_from_slice(&alignment.to_le_bytes());
    }
    Ok(())
}

/// Gives the stack the flag that lets it be run.
pub(super) fn make_stack_executable(elf: &mut [u8]) -> anyhow::Result<()> {
    let stack = of_type(elf, PT_GNU_STACK)?;
    let at = stack.first().context("no PT_GNU_STACK")? + FLAGS;
    elf[at] |= u8::try_from(PF_X.0).context("a flag is a bit of a byte")?;
    Ok(())
}

/// Renames the section with the build stamp.
pub(super) fn hide_stamp(elf: &mut [u8]) -> anyhow::Result<()> {
    let name = b".noetl.build\0";
    let at = memmem::rfind(elf, name).context("no section .noetl.build")?;
    elf[at + 1..at + 6].copy_from_slice(b"other");
    Ok(())
}

/// Changes the build stamp within the room it has.
pub(super) fn restamp(elf: &mut [u8], change: impl Fn(&mut Stamp)) -> anyhow::Result<()> {
    let mut stamp = stamp::read(elf)?;
    change(&mut stamp);
    let file = object::File::parse(&*elf).context("not an ELF")?;
    let section = file.section_by_name(".noetl.build");
    let section = section.context("no section .noetl.build")?;
    let (at, size) = section
        .file_range()
        .context("the stamp is not in the file")?;
    let (at, size) = (usize::try_from(at)?, usize::try_from(size)?);
    let mut text = serde_json::to_vec(&stamp)?;
    ensure!(
        text.len() < size,
        "the new stamp is longer than the old one"
    );
    text.resize(size - 1, b' ');
    text.push(b'\n');
    elf[at..at + size].copy_from_slice(&text);
    Ok(())
}

/// Where the program headers stand.
fn headers(elf: &[u8]) -> anyhow::Result<Vec<usize>> {
    ensure!(
        elf.len() > 64 && elf.starts_with(b"\x7fELF\x02\x01"),
        "not an ELF of 64 bits"
    );
    let table = u64::from_le_bytes(elf[32..40].try_into()?);
    let count = usize::from(u16::from_le_bytes([elf[56], elf[57]]));
    let table = usize::try_from(table)?;
    ensure!(
        table + count * HEADER <= elf.len(),
        "the program is cut short"
    );
    Ok((0..count).map(|number| table + number * HEADER).collect())
}

fn of_type(elf: &[u8], kind: ProgramType) -> anyhow::Result<Vec<usize>> {
    let kind = kind.0.to_le_bytes();
    let headers = headers(elf)?.into_iter();
    Ok(headers.filter(|at| elf[*at..at + 4] == kind).collect())
}
