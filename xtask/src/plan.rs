//! The plan: every decision of build, image and dist, made before anything happens.
//!
//! Pure: it reads no file, environment or clock, and runs nothing. `--plan` prints it as JSON,
//! `--dry-run` its commands.

use serde::Serialize;

use crate::archive;
use crate::cargo::{self, Host};
use crate::command::CommandLine;
use crate::oci::image::{self, ImagePlan};
use crate::registry::reference::Reference;
use crate::release::Release;
use crate::target::{Platform, Target};
use crate::tools::{Pinned, ZIG, ZIGBUILD};

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Targets to compile.
    pub targets: Vec<&'static Target>,
    /// What becomes of the binaries.
    pub products: Products,
    /// Names of the image.
    pub references: Vec<Reference>,
}

/// What becomes of the binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Products {
    /// Nothing more.
    Binaries,
    /// An image for the platforms of the targets.
    Image,
    /// An archive each, and the image when all its platforms are among the targets.
    Dist,
}

/// Every decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Plan {
    /// Version, tag, commit and time.
    pub release: Release,
    /// Commands in order, each of which can be pasted.
    pub commands: Vec<CommandLine>,
    /// The command among them that compiles.
    #[serde(skip)]
    pub compile: CommandLine,
    /// What is compiled.
    pub targets: Vec<&'static Target>,
    /// The archives, in target order.
    pub archives: Vec<ArchivePlan>,
    /// The image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImagePlan>,
    /// File name of the image's tar.
    pub image_file: String,
}

/// One archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ArchivePlan {
    /// What it is for.
    pub target: &'static str,
    /// Its file name.
    pub name: String,
}

/// Makes all decisions.
pub(crate) fn plan(host: &Host, release: &Release, request: &Request) -> Plan {
    let targets = request.targets.clone();
    let compile = cargo::plan_build(host, release, &targets);
    let platforms: Vec<Platform> = targets
        .iter()
        .filter_map(|target| target.platform())
        .collect();
    let archived: &[&Target] = match request.products {
        Products::Dist => &targets,
        Products::Binaries | Products::Image => &[],
    };
    let archives = archived
        .iter()
        .map(|target| ArchivePlan {
            target: target.triple,
            name: archive::file_name(release, target),
        })
        .collect();
    let with_image = match request.products {
        Products::Binaries => false,
        Products::Image => true,
        // Half an image would replace a whole one under the same name.
        Products::Dist => platforms == Platform::all(),
    };
    Plan {
        release: release.clone(),
        commands: commands(host, &targets, &compile),
        compile,
        archives,
        image: with_image
            .then(|| image::plan(release, &platforms, &request.references, &host.triple)),
        image_file: format!("noetl-{}-image.tar", release.tag),
        targets,
    }
}

/// Fetching, the page, then compiling: what a person would type to do the same.
fn commands(host: &Host, targets: &[&Target], compile: &CommandLine) -> Vec<CommandLine> {
    let fetch = |pinned: &Pinned| {
        let requirements = host.state.join(format!("tools/{}.txt", pinned.package));
        pinned.install(
            "python3",
            requirements.as_str(),
            host.state.join(pinned.folder()).as_str(),
        )
    };
    let npm = |words: &[&str]| {
        CommandLine::new("npm")
            .args(words.iter().copied())
            .cwd("ui-src".into())
    };
    vec![
        fetch(&ZIG),
        fetch(&ZIGBUILD),
        CommandLine::new("rustup")
            .args(["target", "add"])
            .args(targets.iter().map(|target| target.triple)),
        npm(&["ci", "--no-audit", "--no-fund"]),
        npm(&["run", "build"]),
        compile.clone(),
    ]
}
