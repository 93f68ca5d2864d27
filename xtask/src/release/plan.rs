//! The plan of a build: every decision that is made before the build starts.
//!
//! Planning reads no file, environment variable or clock and runs nothing. `--plan` prints the plan as JSON, `--dry-run` its
//! commands.

use serde::Serialize;

use crate::host::command::CommandLine;
use crate::host::ctx::Wanted;
use crate::host::tools::{Pinned, ZIG, ZIGBUILD};
use crate::release::cargo::{self, Host};
use crate::release::packages::{archives, deb, npm, rpm, wheel};
use crate::release::sbom;
use crate::release::target::{Format, Target};
use crate::release::version::Release;

/// What to build.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The targets to compile.
    pub targets: Vec<&'static Target>,
    /// What to make from the binaries.
    pub products: Products,
    /// Whether to build the web page.
    pub ui: Wanted,
    /// Whether to join the binaries for both kinds of Macs.
    pub universal: bool,
    /// Whether cargo writes a report of the time that each crate takes.
    pub timings: bool,
}

/// What to make from the binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Products {
    /// Nothing.
    Binaries,
    /// A package of each format.
    Packages,
}

/// The decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Plan {
    /// Version, tag, commit and time.
    pub release: Release,
    /// The commands in order; each one can be pasted into a shell.
    pub commands: Vec<CommandLine>,
    /// The one of these commands that compiles.
    #[serde(skip)]
    pub compile: CommandLine,
    /// The targets to compile.
    pub targets: Vec<&'static Target>,
    /// The files to make of each binary, in target order.
    pub packages: Vec<PackagePlan>,
    /// Whether to join the binaries for both kinds of Macs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub universal: bool,
}

/// What is made of one binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PackagePlan {
    /// The target triple.
    pub target: &'static str,
    /// The formats.
    pub formats: &'static [Format],
    /// The names of the files. That of a wheel depends on what the binary needs of its system, so that it has a `*`.
    pub files: Vec<String>,
}

/// Plans a build.
pub(crate) fn plan(host: &Host, release: &Release, request: &Request) -> Plan {
    let targets = request.targets.clone();
    let package = |target: &&'static Target| PackagePlan {
        target: target.triple,
        formats: target.formats(),
        files: files(release, target),
    };
    let packages = match request.products {
        Products::Packages => targets.iter().map(package).collect(),
        Products::Binaries => Vec::new(),
    };
    let report = request.timings.then_some("--timings");
    let compile = cargo::plan_build(host, release, &targets).args(report);
    let install =
        |pinned: &Pinned| pinned.install("python3", host.state.join(pinned.folder()).as_str());
    let add = CommandLine::new("rustup").args(["target", "add"]);
    let add = add.args(targets.iter().map(|target| target.triple));
    let mut commands = vec![install(&ZIG), install(&ZIGBUILD), add];
    if request.ui == Wanted::Yes {
        let npm = CommandLine::new("npm").cwd("ui-src".into());
        commands.push(npm.clone().args(["ci", "--no-audit", "--no-fund"]));
        commands.push(npm.args(["run", "build"]));
    }
    commands.push(compile.clone());
    Plan {
        release: release.clone(),
        commands,
        compile,
        packages,
        targets,
        universal: request.universal,
    }
}

fn files(release: &Release, target: &Target) -> Vec<String> {
    let names = |format: &Format| match format {
        Format::Archive => vec![
            archives::file_name(release, target),
            archives::alias(target),
        ],
        Format::Sbom => vec![sbom::file_name(release, target)],
        Format::Wheel => vec![wheel::pattern(release)],
        Format::Npm => vec![npm::file_name(release, &npm::package(target))],
        Format::Deb => vec![deb::file_name(release, target)],
        Format::Rpm => vec![rpm::file_name(release, target)],
    };
    target.formats().iter().flat_map(names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::target;

    fn planned(words: &str, products: Products) -> Plan {
        let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
        let request = Request {
            targets: target::select(&words, &fixtures::host().triple).unwrap(),
            products,
            ui: Wanted::Yes,
            universal: false,
            timings: false,
        };
        plan(&fixtures::host(), &fixtures::release(), &request)
    }

    #[test]
    fn each_target_has_its_packages() {
        let plan = planned(
            "x86_64-pc-windows-gnu x86_64-unknown-linux-gnu",
            Products::Packages,
        );
        let names: Vec<_> = plan
            .packages
            .iter()
            .flat_map(|it| it.files.clone())
            .collect();
        insta::assert_snapshot!(names.join("\n"), @r"
        noetl-v1.2.3-x86_64-pc-windows-gnu.zip
        noetl-x86_64-pc-windows-gnu.zip
        noetl-v1.2.3-x86_64-pc-windows-gnu.cdx.json
        noetlctl-1.2.3-py3-none-*.whl
        noetl-cli-win32-x64-1.2.3.tgz
        noetl-v1.2.3-x86_64-unknown-linux-gnu.tar.gz
        noetl-x86_64-unknown-linux-gnu.tar.gz
        noetl-v1.2.3-x86_64-unknown-linux-gnu.cdx.json
        ");
        assert!(planned("linux", Products::Binaries).packages.is_empty());
    }

    #[test]
    fn short_form_of_the_compile_command_is_one_line() {
        let compile = planned("default", Products::Binaries).compile;
        insta::assert_snapshot!(compile.short(), @"cargo zigbuild --profile dist --package noetlctl  x86_64-unknown-linux-musl + 5 targets");
        let compile = planned("linux", Products::Binaries).compile;
        insta::assert_snapshot!(compile.short(), @"cargo zigbuild --profile dist --package noetlctl  x86_64-unknown-linux-musl + 1 target");
    }

    #[test]
    fn every_target_is_compiled_by_one_command_with_its_own_flags() {
        let words = "x86_64-pc-windows-gnu x86_64-unknown-linux-gnu x86_64-unknown-linux-musl";
        let CommandLine { args, env, .. } = planned(words, Products::Binaries).compile;
        insta::assert_snapshot!(args.join("\n"), @r#"
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
        x86_64-unknown-linux-musl
        --config
        target.x86_64-unknown-linux-musl.rustflags=["--remap-path-prefix=/src/noetl/target=/noetl/target","--remap-path-prefix=/home/me/.cargo=/cargo","--remap-path-prefix=/src/noetl=/noetl","--remap-path-prefix=/home/me/.cargo/registry/src/mirror=/crates","-Clinker=rust-lld","-Clink-arg=-zpack-relative-relocs"]
        --target
        x86_64-pc-windows-gnu
        --config
        target.x86_64-pc-windows-gnu.rustflags=["--remap-path-prefix=/src/noetl/target=/noetl/target","--remap-path-prefix=/home/me/.cargo=/cargo","--remap-path-prefix=/src/noetl=/noetl","--remap-path-prefix=/home/me/.cargo/registry/src/mirror=/crates","-Clink-arg=-O2","-Clink-arg=-Wl,/Brepro"]
        --target
        x86_64-unknown-linux-gnu.2.17
        --config
        target.x86_64-unknown-linux-gnu.rustflags=["--remap-path-prefix=/src/noetl/target=/noetl/target","--remap-path-prefix=/home/me/.cargo=/cargo","--remap-path-prefix=/src/noetl=/noetl","--remap-path-prefix=/home/me/.cargo/registry/src/mirror=/crates","-Clink-arg=-O2"]
        "#);
        let env = env.iter().map(|(name, value)| format!("{name}={value}\n"));
        insta::assert_snapshot!(env.collect::<String>(), @r#"
        CARGO_INCREMENTAL=0
        CARGO_ZIGBUILD_CACHE_DIR=/src/noetl/target/xtask/zigbuild
        CARGO_ZIGBUILD_ZIG_PATH=/src/noetl/target/xtask/tools/ziglang-0.17.1/ziglang/zig
        CC_SHELL_ESCAPED_FLAGS=1
        CFLAGS_x86_64_pc_windows_gnu=-ffile-prefix-map=/src/noetl/target=/noetl/target -ffile-prefix-map=/home/me/.cargo=/cargo -ffile-prefix-map=/src/noetl=/noetl -ffile-prefix-map=/home/me/.cargo/registry/src/mirror=/crates -Wno-builtin-macro-redefined '-D__DATE__="redacted"' '-D__TIME__="redacted"' '-D__TIMESTAMP__="redacted"'
        CFLAGS_x86_64_unknown_linux_gnu=-ffile-prefix-map=/src/noetl/target=/noetl/target -ffile-prefix-map=/home/me/.cargo=/cargo -ffile-prefix-map=/src/noetl=/noetl -ffile-prefix-map=/home/me/.cargo/registry/src/mirror=/crates -Wno-builtin-macro-redefined '-D__DATE__="redacted"' '-D__TIME__="redacted"' '-D__TIMESTAMP__="redacted"' -fno-unwind-tables -fno-asynchronous-unwind-tables
        CFLAGS_x86_64_unknown_linux_musl=-ffile-prefix-map=/src/noetl/target=/noetl/target -ffile-prefix-map=/home/me/.cargo=/cargo -ffile-prefix-map=/src/noetl=/noetl -ffile-prefix-map=/home/me/.cargo/registry/src/mirror=/crates -Wno-builtin-macro-redefined '-D__DATE__="redacted"' '-D__TIME__="redacted"' '-D__TIMESTAMP__="redacted"' -fno-unwind-tables -fno-asynchronous-unwind-tables
        MACOSX_DEPLOYMENT_TARGET=11.0
        NOETL_COMMIT=0123456789abcdef0123456789abcdef01234567
        SOURCE_DATE_EPOCH=1767225600
        ZIG_GLOBAL_CACHE_DIR=/src/noetl/target/xtask/zig-cache
        ZIG_LOCAL_CACHE_DIR=/src/noetl/target/xtask/zig-cache
        "#);
    }
}
