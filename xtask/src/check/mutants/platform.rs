//! P: platforms of the index, and the programs.

use anyhow::Context as _;

use super::parts::{AMD64, ARM64};
use super::{Mutant, Parts, elf, parts, records};

/// In the order of the rules.
pub(super) const MUTANTS: &[Mutant] = &[
    parts(&["P1"], "arm64 is missing", true, |it| {
        it.index.manifests.truncate(ARM64);
        it.manifests.truncate(ARM64);
        it.docker.retain(|(image, _)| *image < ARM64);
        Ok(())
    }),
    parts(&["P2", "P1"], "a child has no platform", true, |it| {
        it.index.manifests[ARM64].platform = None;
        Ok(())
    }),
    parts(&["P3"], "amd64 is listed twice", true, |it| {
        let again = it.index.manifests[AMD64].clone();
        it.index.manifests.push(again);
        Ok(())
    }),
    parts(&["P4"], "a config says another system", true, |it| {
        it.configs[ARM64].os = "freebsd".to_owned();
        Ok(())
    }),
    parts(&["P5"], "arm64's variant is armv8", true, |it| {
        let armv8 = Some("armv8".to_owned());
        it.configs[ARM64].variant.clone_from(&armv8);
        it.platform(ARM64)?.variant = armv8;
        Ok(())
    }),
    parts(&["P6"], "amd64 has arm64's program", true, |it| {
        let other = it.program(ARM64)?;
        it.edit_program(AMD64, |entry| {
            entry.content.clone_from(&other);
            Ok(())
        })
    }),
    parts(&["P7"], "amd64 has a helper for arm64", true, |it| {
        let other = it.program(ARM64)?;
        let path = it.program_path(AMD64)?;
        it.edit(AMD64, &path, |entries| {
            let helper =
                records::find(entries, &path)?.beside("usr/bin/helper", 0o755, other.clone());
            records::insert(entries, helper);
            Ok(())
        })
    }),
    program(&["P8"], "the program asks for a loader", AMD64, |elf| {
        elf::add_interpreter(elf, "/lib/ld-musl-x86_64.so.1")
    }),
    parts(&["P9"], "the user may not run the program", true, |it| {
        it.edit_program(AMD64, |entry| {
            entry.set_mode(0o640);
            Ok(())
        })
    }),
    program(&["P10"], "amd64's program uses AVX2", AMD64, |elf| {
        elf::restamp(elf, |stamp| stamp.target_features = "avx2,sse2".to_owned())
    }),
    program(
        &["P11"],
        "arm64's program is aligned to 4 KiB",
        ARM64,
        |elf| elf::set_alignment(elf, 0x1000),
    ),
    program(&["P12"], "amd64's stack is executable", AMD64, |elf| {
        elf::make_stack_executable(elf)
    }),
    program(
        &["P13"],
        "the stamp's section has another name",
        AMD64,
        |elf| elf::hide_stamp(elf),
    ),
    program(
        &["P14"],
        "arm64's program is of another commit",
        ARM64,
        |elf| elf::restamp(elf, |stamp| stamp.commit = "f".repeat(40)),
    ),
    program(
        &["P15"],
        "the program names its builder's home",
        AMD64,
        |elf| {
            elf.extend(b"/home/builder/.cargo/registry/src/serde/lib.rs\0");
            Ok(())
        },
    ),
];

/// A mutant of the program of one image; a registry takes anything that is compressed.
const fn program(
    trips: &'static [&'static str],
    change: &'static str,
    image: usize,
    edit: fn(&mut Vec<u8>) -> anyhow::Result<()>,
) -> Mutant {
    Mutant {
        trips,
        change,
        accepted: true,
        edit: super::Edit::Program(image, edit),
    }
}

/// Changes the program of an image.
pub(super) fn edit_program(
    parts: &mut Parts,
    image: usize,
    edit: fn(&mut Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    parts.edit_program(image, |entry| {
        edit(&mut entry.content).context("cannot change the program")
    })
}
