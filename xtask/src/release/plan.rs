//! The plan of a build: every decision, made before anything happens. An image has a plan of its own around it.
//!
//! Pure: it reads no file, environment or clock, and runs nothing. `--plan` prints it as JSON,
//! `--dry-run` its commands.

use serde::Serialize;

use crate::host::command::CommandLine;
use crate::host::ctx::Wanted;
use crate::host::tools::{Pinned, ZIG, ZIGBUILD};
use crate::release::archives;
use crate::release::cargo::{self, Host};
use crate::release::target::Target;
use crate::release::version::Release;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Targets to compile.
    pub targets: Vec<&'static Target>,
    /// What is made of the binaries.
    pub products: Products,
    /// Whether the web page is built first.
    pub ui: Wanted,
}

/// What is made of the binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Products {
    /// Nothing more.
    Binaries,
    /// An archive each.
    Archives,
}

/// Every decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Plan {
    /// Version, tag, commit and time.
    pub release: Release,
    /// Commands in order, each of which can be pasted into a shell.
    pub commands: Vec<CommandLine>,
    /// The command among them that compiles.
    #[serde(skip)]
    pub compile: CommandLine,
    /// What is compiled.
    pub targets: Vec<&'static Target>,
    /// The archives, in target order.
    pub archives: Vec<ArchivePlan>,
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
    let archived: &[&Target] = match request.products {
        Products::Archives => &targets,
        Products::Binaries => &[],
    };
    let archives = archived
        .iter()
        .map(|target| ArchivePlan {
            target: target.triple,
            name: archives::file_name(release, target),
        })
        .collect();
    Plan {
        release: release.clone(),
        commands: commands(host, &targets, request.ui, &compile),
        compile,
        archives,
        targets,
    }
}

/// Lists the commands: fetching, the page, then compiling.
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
    use crate::fixtures;
    use crate::release::target;

    fn planned(words: &[&str], products: Products) -> Plan {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        let targets = target::select(&words, &fixtures::host().triple).unwrap();
        let request = Request {
            targets,
            products,
            ui: Wanted::Yes,
        };
        plan(&fixtures::host(), &fixtures::release(), &request)
    }

    #[test]
    fn each_target_has_an_archive() {
        let plan = planned(&["linux", "x86_64-pc-windows-gnu"], Products::Archives);
        let names: Vec<_> = plan.archives.iter().map(|it| it.name.as_str()).collect();
        insta::assert_snapshot!(names.join("\n"), @r"
        noetl-v1.2.3-x86_64-unknown-linux-musl.tar.gz
        noetl-v1.2.3-aarch64-unknown-linux-musl.tar.gz
        noetl-v1.2.3-x86_64-pc-windows-gnu.zip
        ");
        assert!(planned(&["linux"], Products::Binaries).archives.is_empty());
    }

    #[test]
    fn what_is_printed_before_compiling_is_one_line() {
        let compile = planned(&["default"], Products::Binaries).compile;
        insta::assert_snapshot!(compile.short(), @"cargo zigbuild --profile dist --package noetlctl  x86_64-unknown-linux-musl + 5 targets");
        let compile = planned(&["linux"], Products::Binaries).compile;
        insta::assert_snapshot!(compile.short(), @"cargo zigbuild --profile dist --package noetlctl  x86_64-unknown-linux-musl + 1 target");
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
}
