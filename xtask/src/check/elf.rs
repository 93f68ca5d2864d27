//! P10 to P15: what the program's own bytes say of the machines it runs on and of where it is from.
//!
//! The build stamp is the first line of defence for the instruction set: compilers write no note of
//! it into the file, and searching for opcodes finds those that a library picks at run time.

use anyhow::Context as _;
use object::elf::{ET_DYN, FileHeader64, PF_X, PT_GNU_RELRO, PT_GNU_STACK, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, Object as _, ObjectSection as _};

use crate::binary;
use crate::check::Findings;
use crate::check::entrypoint::{Program, elf_arch};
use crate::check::walk::{Image, Tree};
use crate::stamp::Stamp;
use crate::target::Arch;

/// Instruction set extensions that every processor of an architecture has.
const BASELINE: &[(Arch, &[&str])] = &[
    (Arch::X86_64, &["crt-static", "fxsr", "sse", "sse2", "x87"]),
    (Arch::Aarch64, &["crt-static", "neon"]),
];
/// The largest page of any arm64 kernel.
const ARM64_PAGE: u64 = 0x1_0000;
/// What a program may weigh: a third more than the largest we have shipped.
const BUDGET_BYTES: usize = 64 * 1024 * 1024;

pub(super) fn check(tree: &Tree, programs: &[(&Image, Program)], findings: &mut Findings) {
    let mut shapes = Vec::new();
    for (image, program) in programs {
        let object = format!("{} /{}", image.name, program.path);
        if let Ok(shape) = Shape::read(&program.bytes) {
            shape.check(&object, findings);
            size(&shape, program, &object, findings);
            shapes.push((object.clone(), shape.is_pie));
        }
        if let Some((offset, path)) = binary::machine_path(&program.bytes, &[]) {
            findings.add("P15", &object, format!("at byte {offset}: {path}"));
        }
        if let Some(stamp) = &program.stamp {
            features(&program.bytes, stamp, &object, findings);
            labels(image, stamp, &object, findings);
        }
    }
    if let [(_, first), ..] = shapes.as_slice() {
        for (object, _) in shapes.iter().filter(|(_, is_pie)| is_pie != first) {
            let message = "position-independent on one platform and not on the other";
            findings.add("P12", object, message);
        }
    }
    agreement(tree, programs, findings);
}

/// P10, by the program's own architecture; that it is the image's is P6.
fn features(bytes: &[u8], stamp: &Stamp, object: &str, findings: &mut Findings) {
    let arch = elf_arch(bytes);
    let Some((arch, baseline)) = BASELINE.iter().find(|(it, _)| Some(*it) == arch) else {
        return;
    };
    let more = stamp.target_features.split(',').filter(|it| !it.is_empty());
    let more: Vec<_> = more.filter(|it| !baseline.contains(it)).collect();
    if !more.is_empty() {
        let message = format!(
            "it was compiled for {}, beyond every {arch:?}",
            more.join(", ")
        );
        findings.add("P10", object, message);
    }
}

/// P13, as far as the file itself goes.
fn size(shape: &Shape, program: &Program, object: &str, findings: &mut Findings) {
    if program.stamp.is_none() {
        findings.add("P13", object, "it has no build stamp");
    }
    if shape.has_symbols {
        findings.add("P13", object, "it is not stripped");
    }
    if program.bytes.len() > BUDGET_BYTES {
        let message = format!(
            "{} bytes, and {BUDGET_BYTES} is the limit",
            program.bytes.len()
        );
        findings.add("P13", object, message);
    }
}

/// P14 within one image: what the program says, and what its labels say.
fn labels(image: &Image, stamp: &Stamp, object: &str, findings: &mut Findings) {
    let run = image
        .config
        .as_ref()
        .and_then(|config| config.config.as_ref());
    let labels = run.and_then(|run| run.labels.as_ref());
    for (key, stamped) in [("version", &stamp.version), ("revision", &stamp.commit)] {
        let name = format!("org.opencontainers.image.{key}");
        let label = labels.and_then(|labels| labels.get(&name));
        if let Some(label) = label.filter(|label| *label != stamped) {
            let message = format!("its stamp says {stamped}, the label {key} {label}");
            findings.add("P14", object, message);
        }
    }
}

/// P14 between platforms.
fn agreement(tree: &Tree, programs: &[(&Image, Program)], findings: &mut Findings) {
    let stamp = |image: &Image| {
        let found = programs
            .iter()
            .find(|(other, _)| std::ptr::eq(*other, image));
        found.and_then(|(_, program)| program.stamp.as_ref())
    };
    let mut stamps = tree
        .runnable()
        .filter_map(|image| Some((image, stamp(image)?)));
    let Some((first, expected)) = stamps.next() else {
        return;
    };
    for (image, stamp) in stamps {
        for (field, one, other) in [
            ("version", &expected.version, &stamp.version),
            ("commit", &expected.commit, &stamp.commit),
            ("web page", &expected.ui_sha256, &stamp.ui_sha256),
        ] {
            if one != other {
                let message = format!("its {field} is {other}, that of {} is {one}", first.name);
                findings.add("P14", &image.name, message);
            }
        }
    }
}

/// What the headers of an ELF program say of its hardening.
struct Shape {
    /// Alignment of each loaded segment.
    alignments: Vec<u64>,
    /// What PT_GNU_STACK says.
    is_stack_executable: Option<bool>,
    has_relro: bool,
    is_arm64: bool,
    is_pie: bool,
    has_symbols: bool,
}

impl Shape {
    fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let header = FileHeader64::<Endianness>::parse(bytes).context("not an ELF of 64 bits")?;
        let endian = header.endian().context("no byte order")?;
        let segments = header
            .program_headers(endian, bytes)
            .context("no segments")?;
        let of = |kind| segments.iter().filter(move |it| it.p_type(endian) == kind);
        let file = object::File::parse(bytes).context("not an ELF")?;
        let is_debug = |name: &str| name == ".symtab" || name.starts_with(".debug_");
        Ok(Self {
            alignments: of(PT_LOAD).map(|it| it.p_align(endian)).collect(),
            is_stack_executable: of(PT_GNU_STACK)
                .next()
                .map(|it| it.p_flags(endian).contains(PF_X)),
            has_relro: of(PT_GNU_RELRO).next().is_some(),
            is_arm64: elf_arch(bytes) == Some(Arch::Aarch64),
            is_pie: header.e_type(endian) == ET_DYN,
            has_symbols: file
                .sections()
                .any(|section| section.name().is_ok_and(is_debug)),
        })
    }

    /// P11 and P12.
    fn check(&self, object: &str, findings: &mut Findings) {
        let smallest = self.alignments.iter().min();
        if let Some(smallest) = smallest.filter(|it| self.is_arm64 && **it < ARM64_PAGE) {
            let message = format!("a segment is aligned to {smallest:#x}, not to {ARM64_PAGE:#x}");
            findings.add("P11", object, message);
        }
        let pie = if self.is_pie { "" } else { "not " };
        let mut add = |what: &str| {
            let message = format!("{what}; it is {pie}position-independent");
            findings.add("P12", object, message);
        };
        match self.is_stack_executable {
            None => add("nothing says that its stack is not executable"),
            Some(true) => add("its stack is executable"),
            Some(false) => {}
        }
        if !self.has_relro {
            add("its relocations stay writable");
        }
    }
}
