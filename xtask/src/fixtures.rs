//! Small inputs for tests: executables, a release, a plan, an image, a dist folder.

use camino::Utf8Path;
use noetl_oci::{LayerCache, Layout, Machine, Sha256};
use noetl_oci_mutants::elf::small_program;

use crate::host::ctx::{Ctx, Verbosity, Wanted};
use crate::host::files;
use crate::image::assemble::{Foundation, assemble_programs};
use crate::image::plan::{self as image_plan, ImagePlan};
use crate::release::cargo::{Binary, Host};
use crate::release::check::Files;
use crate::release::dist::{self, Inputs};
use crate::release::packages::companions::{COMPLETIONS, Companion, LAUNCHER, THIRD_PARTY};
use crate::release::packages::sdist::Sources;
use crate::release::packages::wheel::Contents;
use crate::release::plan::{Plan, Products, Request, plan};
use crate::release::proof::Proof;
use crate::release::sbom::graph::{Graph, Package};
use crate::release::stamp::Stamp;
use crate::release::target::{Arch, TARGETS, Target};
use crate::release::version::Release;
use crate::release::{checksums, sbom, target, third_party};

/// The only file of the web page in every fixture.
const PAGE: (&str, &[u8]) = ("index.html", b"page");

/// Returns the hash of the web page in every fixture.
pub(crate) fn ui() -> Sha256 {
    let (name, content) = PAGE;
    let sums = [(name.to_owned(), Sha256::of(content))].into();
    Sha256::of(checksums::write(&sums).as_bytes())
}

/// Returns the files of a source distribution.
fn sources() -> Sources {
    let (page, content) = PAGE;
    let page = format!("ui-src/dist/{page}");
    let named = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "crates/noetlctl/python/noetl_build.py",
    ];
    let mut sources: Sources = named
        .iter()
        .map(|name| ((*name).to_owned(), "text".into()))
        .collect();
    sources.insert(page, content.to_vec().into());
    sources.insert("docker/build.sh".to_owned(), "#!/bin/sh\n".into());
    sources
}

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

/// Returns a context at the root of this repository, which contains LICENSE and README.md.
pub(crate) fn ctx() -> Ctx {
    let ctx = Ctx::new(Verbosity::Quiet).unwrap();
    Ctx {
        source_date_epoch: None,
        ..ctx
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
        ui_sha256: ui().to_string(),
        default_port: 8082,
    }
}

/// Returns a static ELF program with a build stamp.
pub(crate) fn elf(arch: Arch, stamp: &Stamp) -> Vec<u8> {
    let machine = match arch {
        Arch::X86_64 => Machine::Amd64,
        Arch::Aarch64 => Machine::Arm64,
    };
    let text = format!("{}\n", serde_json::to_string(stamp).unwrap());
    small_program(machine, ".noetl.build", text.as_bytes())
}

/// Returns a static ELF program with a section of this name.
pub(crate) fn elf_with(section: &str) -> Vec<u8> {
    small_program(Machine::Amd64, section, b"x")
}

/// Returns the program of a target.
pub(crate) fn program(target: &Target) -> Vec<u8> {
    elf(target.arch, &stamp(target))
}

/// Returns the plan of the archives of a Linux dist.
pub(crate) fn linux_plan() -> Plan {
    let request = Request {
        targets: target::select(&["linux".to_owned()], &host().triple).unwrap(),
        products: Products::Packages,
        ui: Wanted::Yes,
        universal: false,
        timings: false,
    };
    plan(&host(), &release(), &request)
}

/// Returns the plan of the image of a Linux dist.
pub(crate) fn image_plan() -> ImagePlan {
    let references = ["ghcr.io/noetl/noetl:1.2.3".parse().unwrap()];
    image_plan::of_dist(&release(), &references)
}

/// Returns the image of a Linux dist.
pub(crate) fn image() -> Layout {
    image_with(|_| {})
}

/// The same with changed build stamps.
pub(crate) fn image_with(change: impl Fn(&mut Stamp)) -> Layout {
    image_of(programs(change))
}

/// The programs of the image, with changed build stamps.
pub(crate) fn programs(change: impl Fn(&mut Stamp)) -> Vec<Vec<u8>> {
    let program = |target: &Target| {
        let mut stamp = stamp(target);
        change(&mut stamp);
        elf(target.arch, &stamp)
    };
    TARGETS[..2].iter().map(program).collect()
}

/// Returns an image of these programs, one for each platform.
pub(crate) fn image_of(programs: Vec<Vec<u8>>) -> Layout {
    let layers = LayerCache::none();
    assemble_programs(&image_plan(), programs, Foundation::default(), &layers).unwrap()
}

/// Returns companions of the right kinds, in path order.
pub(crate) fn companions() -> Vec<Companion> {
    let licenses = format!("{}a 1.0.0: MIT\n", third_party::HEADER);
    let mut companions = vec![
        Companion::new("CHANGELOG.md", "# Changelog\n"),
        Companion::new("LICENSE", "license"),
        Companion::new("README.md", "readme"),
        Companion::new(THIRD_PARTY, licenses),
        Companion::new("man/noetl.1", ".TH noetl 1\n"),
    ];
    let scripts = COMPLETIONS
        .iter()
        .map(|(_, path)| Companion::new(*path, "complete noetl"));
    companions.extend(scripts);
    companions.sort_by(|one, other| one.path.cmp(&other.path));
    companions
}

/// Returns the SBOM of a program without dependencies.
fn sbom(target: &Target, program: &[u8]) -> Vec<u8> {
    let mut graph = Graph {
        root: "pkg:cargo/noetlctl@1.2.3".to_owned(),
        ..Graph::default()
    };
    let package = Package {
        name: "noetlctl".to_owned(),
        version: "1.2.3".to_owned(),
        license: None,
        hash: None,
    };
    graph.packages.insert(graph.root.clone(), package);
    noetl_oci::encode(&sbom::write(
        &release(),
        &stamp(target),
        program,
        &graph,
        &[],
    ))
}

/// Returns the contents of a target's wheel.
pub(crate) fn wheel(target: &Target) -> Contents {
    let launcher = LAUNCHER.iter().map(|path| Companion::new(*path, "pass\n"));
    Contents {
        binary: program(target).into(),
        launcher: launcher.collect(),
        companions: companions(),
        sbom: b"{}".to_vec(),
    }
}

/// Returns the files of a dist of both Linux targets with these programs.
pub(crate) fn dist(binary: impl Fn(&Target) -> Vec<u8>) -> Files {
    let guard = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(guard.path()).unwrap();
    let plan = linux_plan();
    let binaries = plan.targets.iter().map(|target| {
        let path = folder.join(target.triple);
        files::write(&path, binary(target)).unwrap();
        Binary { target, path }
    });
    let binaries: Vec<_> = binaries.collect();
    let out = folder.join("dist");
    let image = image_of(plan.targets.iter().map(|target| binary(target)).collect());
    let image = Some(&image);
    let sboms: Vec<_> = binaries
        .iter()
        .map(|it| sbom(it.target, &binary(it.target)))
        .collect();
    let inputs = Inputs {
        binaries: &binaries,
        proofs: &[Proof::Ran, Proof::Simulated],
        sboms: &sboms,
        companions: &companions(),
        launcher: &wheel(plan.targets[0]).launcher,
        sources: &sources(),
        ui_sha256: ui(),
        image,
        signer: None,
    };
    dist::write(&plan, inputs, &out).unwrap();
    let names = files::list(&out).unwrap();
    let files = names.into_iter().map(|name| {
        let bytes = files::read(&out.join(&name)).unwrap();
        (name, bytes.into())
    });
    files.collect()
}
