//! P: platforms of the index, and programs.

use noetl_oci::rules::Rule;
use noetl_oci::rules::catalogue::{P1, P2, P3, P4, P5, P6, P7, P8, P9, P11, P12, P15};

use crate::{AMD64, ARM64, Edit, Mutant, Parts, elf, records};

/// In the order of the rules.
pub(super) const MUTANTS: &[Mutant] = &[
    parts(&P1, |it| {
        it.index.manifests.truncate(ARM64);
        it.manifests.truncate(ARM64);
        it.docker.retain(|(image, _)| *image < ARM64);
        Ok(())
    }),
    parts(&P2, |it| {
        it.index.manifests[ARM64].platform = None;
        Ok(())
    }),
    parts(&P3, |it| {
        let again = it.index.manifests[AMD64].clone();
        it.index.manifests.push(again);
        Ok(())
    }),
    parts(&P4, |it| {
        it.configs[ARM64].os = "freebsd".to_owned();
        Ok(())
    }),
    parts(&P5, |it| {
        let armv8 = Some("armv8".to_owned());
        it.configs[ARM64].variant.clone_from(&armv8);
        it.platform(ARM64)?.variant = armv8;
        Ok(())
    }),
    parts(&P6, |it| {
        let other = it.program(ARM64)?;
        it.edit_program(AMD64, |entry| {
            entry.content.clone_from(&other);
            Ok(())
        })
    }),
    parts(&P7, |it| {
        let other = it.program(ARM64)?;
        let path = it.program_path(AMD64)?;
        it.edit(AMD64, &path, |entries| {
            let helper =
                records::find(entries, &path)?.beside("usr/bin/helper", 0o755, other.clone());
            records::insert(entries, helper);
            Ok(())
        })
    }),
    program(&P8, AMD64, |elf| {
        elf::add_interpreter(elf, "/lib/ld-musl-x86_64.so.1")
    }),
    parts(&P9, |it| {
        it.edit_program(AMD64, |entry| {
            entry.set_mode(0o640);
            Ok(())
        })
    }),
    program(&P11, ARM64, |elf| elf::set_alignment(elf, 0x1000)),
    program(&P12, AMD64, |elf| elf::make_stack_executable(elf)),
    program(&P15, AMD64, |elf| {
        elf.extend(b"/home/builder/.cargo/registry/src/serde/lib.rs\0");
        Ok(())
    }),
];

const fn parts(rule: &'static Rule, edit: fn(&mut Parts) -> anyhow::Result<()>) -> Mutant {
    Mutant::new(rule, Edit::Parts(edit))
}

const fn program(
    rule: &'static Rule,
    image: usize,
    edit: fn(&mut Vec<u8>) -> anyhow::Result<()>,
) -> Mutant {
    Mutant::new(rule, Edit::Program(image, edit))
}
