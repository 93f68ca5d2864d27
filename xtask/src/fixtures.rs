//! Small but real inputs for tests: executables, a release, a plan, a dist folder.

use camino::{Utf8Path, Utf8PathBuf};

use crate::cargo::{Binary, Host};
use crate::check::archive::Files;
use crate::ctx::{CredentialSources, Ctx, Reader, Verbosity, Wanted};
use crate::digest::Sha256;
use crate::oci::image::{Contents, assemble};
use crate::oci::layer::LayerCache;
use crate::oci::layout::Layout;
use crate::plan::{Plan, Products, Request, plan};
use crate::release::Release;
use crate::stamp::Stamp;
use crate::target::{Arch, Target};
use crate::{files, package, target};

/// The web page's hash in every fixture.
pub(crate) const UI: &[u8] = b"page";

pub(crate) fn release() -> Release {
    Release {
        version: "1.2.3".to_owned(),
        tag: "v1.2.3".to_owned(),
        commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        commit_time: 1_767_225_600,
    }
}

pub(crate) fn host() -> Host {
    Host {
        triple: "x86_64-unknown-linux-gnu".to_owned(),
        root: "/src/noetl".into(),
        state: "/src/noetl/target/xtask".into(),
        cargo_home: "/home/me/.cargo".into(),
        exe: "",
        package_folders: vec!["/home/me/.cargo/registry/src/mirror".into()],
    }
}

/// A context at the repository's real root, which holds LICENSE and README.md.
pub(crate) fn ctx() -> Ctx {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned();
    Ctx {
        target_dir: root.join("target"),
        root,
        verbosity: Verbosity::Quiet,
        reader: Reader::Plain,
        ui: Wanted::Yes,
        source_date_epoch: None,
        require_tools: false,
        cargo_home: "/home/me/.cargo".into(),
        steps: std::sync::Arc::default(),
        github: crate::ctx::GitHub::default(),
        credentials: CredentialSources::default(),
    }
}

pub(crate) fn stamp(target: &Target) -> Stamp {
    Stamp {
        schema: 1,
        name: "noetl".to_owned(),
        version: release().version,
        commit: release().commit,
        target: target.triple.to_owned(),
        target_features: match target.arch {
            Arch::X86_64 => "fxsr,sse,sse2".to_owned(),
            Arch::Aarch64 => "neon".to_owned(),
        },
        rustc: "rustc 1.0.0".to_owned(),
        ui_sha256: Sha256::of(UI).to_string(),
        default_port: 8082,
    }
}

/// A static ELF program with a build stamp: header, three segments, stamp, names, three sections.
pub(crate) fn elf(arch: Arch, stamp: &Stamp) -> Vec<u8> {
    let (machine, page): (u16, u64) = match arch {
        Arch::X86_64 => (62, 0x1000),
        Arch::Aarch64 => (183, 0x1_0000),
    };
    let stamp = format!("{}\n", serde_json::to_string(stamp).unwrap());
    let names = b"\0.noetl.build\0.shstrtab\0";
    let (stamp_at, names_at) = (232_u64, 232 + stamp.len() as u64);
    let sections_at = (names_at + names.len() as u64).next_multiple_of(8);
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend(2_u16.to_le_bytes());
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
    elf.extend(stamp.as_bytes());
    elf.extend(names);
    elf.resize(usize::try_from(sections_at).unwrap() + 64, 0);
    for (name, kind, at, size) in [
        (1, 1_u32, stamp_at, stamp.len()),
        (14, 3, names_at, names.len()),
    ] {
        elf.extend(u32::to_le_bytes(name));
        elf.extend(kind.to_le_bytes());
        for number in [0, 0, at, size as u64, 0, 1, 0] {
            elf.extend(number.to_le_bytes());
        }
        // sh_link and sh_info are one u64 of zeros, counted above.
    }
    elf
}

/// The plan of a Linux dist.
pub(crate) fn linux_plan() -> Plan {
    let targets = target::select(&["linux".to_owned()], &host().triple).unwrap();
    let references = vec!["ghcr.io/noetl/noetl:1.2.3".parse().unwrap()];
    plan(
        &host(),
        &release(),
        &Request {
            targets,
            products: Products::Dist,
            references,
            ui: Wanted::Yes,
        },
    )
}

/// The image of the plan of a Linux dist.
pub(crate) fn image() -> Layout {
    let plan = linux_plan();
    let program = |target: &&'static Target| elf(target.arch, &stamp(target));
    image_of(plan.targets.iter().map(program).collect())
}

/// The same around other programs, one for each target of the plan.
pub(crate) fn image_of(binaries: Vec<Vec<u8>>) -> Layout {
    let contents = binaries.into_iter().map(|binary| Contents {
        binary,
        packages: Vec::new(),
    });
    let (plan, layers) = (linux_plan(), LayerCache::none());
    assemble(&plan.image.unwrap(), None, contents.collect(), &layers).unwrap()
}

/// Writes a dist of both Linux targets around `binary` and reads it back.
pub(crate) fn dist(binary: impl Fn(&Target) -> Vec<u8>) -> Files {
    let guard = tempfile::tempdir().unwrap();
    let folder = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
    let plan = linux_plan();
    let built = plan.targets.iter().map(|target| {
        let path = folder.join(target.triple);
        files::write(&path, binary(target)).unwrap();
        Binary { target, path }
    });
    let built: Vec<_> = built.collect();
    let out = folder.join("dist");
    let layers = LayerCache::none();
    package::write_dist(&ctx(), &plan, &built, Sha256::of(UI), &layers, &out).unwrap();
    let names = files::below(&out).unwrap();
    names
        .into_iter()
        .map(|name| (name.clone(), files::read(&out.join(name)).unwrap()))
        .collect()
}
