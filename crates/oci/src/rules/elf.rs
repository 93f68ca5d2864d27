//! P11, P12 and P15: alignment and hardening of the program, and paths of the build machine in it.

use crate::elf::{Elf, Machine};
use crate::rules::Findings;
use crate::rules::catalogue::{P11, P12, P15};
use crate::rules::subject::Subject;

/// The largest page size of arm64 kernels, in bytes.
const ARM64_PAGE: u64 = 0x1_0000;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let mut shapes = Vec::new();
    for view in subject.runnable() {
        let Some(program) = view.program() else {
            continue;
        };
        let object = format!("{} /{}", view.name(), program.path);
        if let Ok(elf) = Elf::read(&program.bytes) {
            check_hardening(&elf, &object, findings);
            shapes.push((object.clone(), elf.is_pie));
        }
        if let Some((offset, path)) = &program.machine_path {
            findings.add(
                &P15,
                &object,
                format!("it contains {path} at byte {offset}"),
            );
        }
    }
    if let [(_, first), ..] = shapes.as_slice() {
        for (object, _) in shapes.iter().filter(|(_, is_pie)| is_pie != first) {
            let message = "position-independent on one platform and not on the other";
            findings.add(&P12, object, message);
        }
    }
}

/// P11 and P12: alignment, executable stack, writable relocations.
fn check_hardening(elf: &Elf, object: &str, findings: &mut Findings) {
    let smallest = elf.alignments.iter().min();
    let is_arm64 = elf.machine == Machine::Arm64;
    if let Some(smallest) = smallest.filter(|it| is_arm64 && **it < ARM64_PAGE) {
        let message = format!("a segment is aligned to {smallest:#x}, not to {ARM64_PAGE:#x}");
        findings.add(&P11, object, message);
    }
    let pie = if elf.is_pie { "" } else { "not " };
    let mut add = |what: &str| {
        let message = format!("{what}; it is {pie}position-independent");
        findings.add(&P12, object, message);
    };
    match elf.is_stack_executable {
        None => add("it has no PT_GNU_STACK, so its stack may be executable"),
        Some(true) => add("its stack is executable"),
        Some(false) => {}
    }
    if !elf.has_relro {
        add("its relocations stay writable");
    }
}
