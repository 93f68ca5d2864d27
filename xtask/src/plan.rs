//! The plan: every decision of build, image and dist, made before anything happens.
//!
//! Pure: it reads no file, environment or clock, and runs nothing. `--plan` prints it as JSON,
//! `--dry-run` its commands.

use serde::Serialize;

use crate::archive;
use crate::cargo::{self, Host};
use crate::command::CommandLine;
use crate::ctx::Wanted;
use crate::oci::image::{self, ImagePlan};
use crate::oci::reference::Reference;
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
    /// Whether the web page is built first.
    pub ui: Wanted,
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
    let native = platforms
        .iter()
        .find(|platform| platform.target().arch == host.arch());
    let docker = match request.products {
        // Made to be loaded here.
        Products::Image => *native.unwrap_or(&platforms[0]),
        // Made to be the same wherever it is made.
        Products::Binaries | Products::Dist => image::RELEASE_PLATFORM,
    };
    Plan {
        release: release.clone(),
        commands: commands(host, &targets, request.ui, &compile),
        compile,
        archives,
        image: with_image.then(|| image::plan(release, &platforms, &request.references, docker)),
        targets,
    }
}

impl Plan {
    /// An image of binaries that are there: nothing is compiled.
    pub(crate) fn of_image(release: Release, image: ImagePlan) -> Self {
        Self {
            release,
            commands: Vec::new(),
            compile: CommandLine::new("true"),
            targets: image.platforms.iter().map(Platform::target).collect(),
            archives: Vec::new(),
            image: Some(image),
        }
    }
}

/// Fetching, the page, then compiling: what a person would type to do the same.
fn commands(
    host: &Host,
    targets: &[&Target],
    ui: Wanted,
    compile: &CommandLine,
) -> Vec<CommandLine> {
    let fetch =
        |pinned: &Pinned| pinned.install("python3", host.state.join(pinned.folder()).as_str());
    let npm = |words: &[&str]| {
        CommandLine::new("npm")
            .args(words.iter().copied())
            .cwd("ui-src".into())
    };
    let add = CommandLine::new("rustup").args(["target", "add"]);
    let mut commands = vec![
        fetch(&ZIG),
        fetch(&ZIGBUILD),
        add.args(targets.iter().map(|target| target.triple)),
    ];
    if ui == Wanted::Yes {
        commands.extend([
            npm(&["ci", "--no-audit", "--no-fund"]),
            npm(&["run", "build"]),
        ]);
    }
    commands.push(compile.clone());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures, target};

    fn planned(words: &[&str], products: Products) -> Plan {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        let targets = target::select(&words, &fixtures::host().triple).unwrap();
        let references = vec!["ghcr.io/noetl/noetl:1.2.3".parse().unwrap()];
        let request = Request {
            targets,
            products,
            references,
            ui: Wanted::Yes,
        };
        plan(&fixtures::host(), &fixtures::release(), &request)
    }

    #[test]
    fn dist_makes_an_archive_per_target_and_the_image_only_when_it_is_whole() {
        let whole = planned(&["linux", "x86_64-pc-windows-gnu"], Products::Dist);
        let names: Vec<_> = whole
            .archives
            .iter()
            .map(|archive| archive.name.as_str())
            .collect();
        insta::assert_snapshot!(names.join("\n"), @r"
        noetl-v1.2.3-x86_64-unknown-linux-musl.tar.gz
        noetl-v1.2.3-aarch64-unknown-linux-musl.tar.gz
        noetl-v1.2.3-x86_64-pc-windows-gnu.zip
        ");
        assert!(whole.image.is_some());
        assert!(
            planned(&["host"], Products::Dist).image.is_none(),
            "half an image is none"
        );
        assert!(planned(&["linux"], Products::Binaries).image.is_none());
        assert_eq!(
            planned(&["host"], Products::Image)
                .image
                .unwrap()
                .platforms
                .len(),
            1
        );
    }

    #[test]
    fn every_target_is_compiled_by_one_command_with_its_own_flags() {
        let plan = planned(
            &["x86_64-pc-windows-gnu", "x86_64-unknown-linux-gnu"],
            Products::Binaries,
        );
        insta::assert_snapshot!(plan.compile.args.join("\n"), @r#"
        zigbuild
        --locked
        --profile
        dist
        --package
        noetlctl
        --bin
        noetl
        --message-format
        json-render-diagnostics
        --target
        x86_64-pc-windows-gnu
        --config
        target.x86_64-pc-windows-gnu.rustflags=["--remap-path-prefix=/src/noetl/target=/noetl/target","--remap-path-prefix=/home/me/.cargo=/cargo","--remap-path-prefix=/src/noetl=/noetl","--remap-path-prefix=/home/me/.cargo/registry/src/mirror=/crates","-Clink-arg=-Wl,/Brepro"]
        --target
        x86_64-unknown-linux-gnu.2.17
        --config
        target.x86_64-unknown-linux-gnu.rustflags=["--remap-path-prefix=/src/noetl/target=/noetl/target","--remap-path-prefix=/home/me/.cargo=/cargo","--remap-path-prefix=/src/noetl=/noetl","--remap-path-prefix=/home/me/.cargo/registry/src/mirror=/crates"]
        "#);
        insta::assert_snapshot!(
            plan.compile.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n"),
            @r#"
        CARGO_INCREMENTAL=0
        CARGO_ZIGBUILD_CACHE_DIR=/src/noetl/target/xtask/zigbuild
        CARGO_ZIGBUILD_ZIG_PATH=/src/noetl/target/xtask/tools/ziglang-0.17.1/ziglang/zig
        CC_SHELL_ESCAPED_FLAGS=1
        CFLAGS_x86_64_pc_windows_gnu=-ffile-prefix-map=/src/noetl/target=/noetl/target -ffile-prefix-map=/home/me/.cargo=/cargo -ffile-prefix-map=/src/noetl=/noetl -ffile-prefix-map=/home/me/.cargo/registry/src/mirror=/crates -Wno-builtin-macro-redefined '-D__DATE__="redacted"' '-D__TIME__="redacted"' '-D__TIMESTAMP__="redacted"'
        CFLAGS_x86_64_unknown_linux_gnu=-ffile-prefix-map=/src/noetl/target=/noetl/target -ffile-prefix-map=/home/me/.cargo=/cargo -ffile-prefix-map=/src/noetl=/noetl -ffile-prefix-map=/home/me/.cargo/registry/src/mirror=/crates -Wno-builtin-macro-redefined '-D__DATE__="redacted"' '-D__TIME__="redacted"' '-D__TIMESTAMP__="redacted"'
        MACOSX_DEPLOYMENT_TARGET=11.0
        NOETL_COMMIT=0123456789abcdef0123456789abcdef01234567
        SOURCE_DATE_EPOCH=1767225600
        ZIG_GLOBAL_CACHE_DIR=/src/noetl/target/xtask/zig-cache
        ZIG_LOCAL_CACHE_DIR=/src/noetl/target/xtask/zig-cache
        "#
        );
    }

    #[test]
    fn the_image_says_where_it_comes_from() {
        let image = planned(&["linux"], Products::Image).image.unwrap();
        let labels: Vec<_> = image
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        insta::assert_snapshot!(labels.join("\n"), @r"
        org.opencontainers.image.authors=NoETL
        org.opencontainers.image.created=2026-01-01T00:00:00Z
        org.opencontainers.image.description=Workflow automation from YAML playbooks: server, web page and command line in one binary
        org.opencontainers.image.documentation=https://noetl.io
        org.opencontainers.image.licenses=MIT
        org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567
        org.opencontainers.image.source=https://github.com/noetl/noetl
        org.opencontainers.image.title=noetl
        org.opencontainers.image.url=https://noetl.io
        org.opencontainers.image.vendor=NoETL
        org.opencontainers.image.version=1.2.3
        ");
        assert_eq!(
            image.docker_platform.to_string(),
            "linux/amd64",
            "the machine's own"
        );
    }
}
