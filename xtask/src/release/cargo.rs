//! Compiles `noetl`. One cargo command builds all targets, so that build scripts and macros are compiled once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::Message;
use noetl_help::Help as _;
use serde::Deserialize;
use xshell::cmd;

use crate::host::command::{self, CommandLine};
use crate::host::ctx::{self, Ctx};
use crate::host::error::MissingTool;
use crate::host::tools::{self, ZIG, ZIGBUILD};
use crate::host::{files, output, run};
use crate::release::stamp;
use crate::release::target::{Arch, Libc, MACOS_MINIMUM, Os, Target};
use crate::release::version::Release;

/// The facts about this machine that a plan needs. Paths that could be in a binary are remapped.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// The target triple of this machine.
    pub triple: String,
    /// The repository's root.
    pub root: Utf8PathBuf,
    /// The folder of xtask's state, which contains the tools.
    pub state: Utf8PathBuf,
    /// Cargo's home folder.
    pub cargo_home: Utf8PathBuf,
    /// The suffix of programs: `.exe` on Windows.
    pub exe: &'static str,
    /// The folders with unpacked dependencies, whose names depend on the registry or mirror.
    pub package_folders: Vec<Utf8PathBuf>,
}

/// A `noetl` binary that cargo has built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binary {
    /// The target in its build stamp.
    pub target: &'static Target,
    /// The path of the file.
    pub path: Utf8PathBuf,
}

impl Host {
    /// Runs rustc and cargo; cargo downloads crates that are missing.
    pub(crate) fn read(ctx: &Ctx) -> anyhow::Result<Self> {
        let shell = &ctx.shell;
        let rustc = run::read(ctx, cmd!(shell, "rustc -vV"));
        let rustc = rustc.help("install rustup as rustup.rs says")?;
        let mut lines = rustc.lines();
        let triple = lines.find_map(|line| line.strip_prefix("host: "));
        let triple = triple.context("rustc -vV prints no host")?;
        let metadata = cmd!(shell, "cargo metadata --format-version 1 --locked");
        let json = run::read(ctx, metadata)
            .context("cannot resolve the workspace's dependencies")
            .help("when Cargo.lock is out of date: cargo update --workspace")?;
        let metadata: Dependencies =
            serde_json::from_str(&json).context("cargo metadata printed something else")?;
        let packages = metadata.packages;
        let external = packages.iter().filter(|package| package.source.is_some());
        let folders = external.filter_map(|it| it.manifest_path.parent()?.parent());
        let package_folders: BTreeSet<_> = folders.map(ToOwned::to_owned).collect();
        Ok(Self {
            triple: triple.to_owned(),
            root: ctx.root.clone(),
            state: ctx.state(),
            cargo_home: ctx.cargo_home.clone(),
            exe: std::env::consts::EXE_SUFFIX,
            package_folders: package_folders.into_iter().collect(),
        })
    }
}

/// What a [`Host`] needs of `cargo metadata`, in which each crate has a hundred lines.
#[derive(Deserialize)]
struct Dependencies {
    packages: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    source: Option<String>,
    manifest_path: Utf8PathBuf,
}

/// Reads what is released, and on which machine. Git and cargo work at the same time.
///
/// # Errors
/// When one of them fails.
pub(crate) fn read_release_and_host(ctx: &Ctx) -> anyhow::Result<(Release, Host)> {
    let (release, host) = run::both(ctx, Host::read, || Release::read(ctx));
    Ok((release?, host?))
}

/// Returns the command that compiles `noetl` for all `targets`.
pub(crate) fn plan_build(host: &Host, release: &Release, targets: &[&Target]) -> CommandLine {
    let (state, exe) = (&host.state, host.exe);
    let zigbuild = format!("{state}/{}/bin/cargo-zigbuild{exe}", ZIGBUILD.folder());
    let zig = format!("{state}/{}/ziglang/zig{exe}", ZIG.folder());
    let macos = format!("{}.{}", MACOS_MINIMUM.0, MACOS_MINIMUM.1);
    let mut command = CommandLine::new(zigbuild)
        .args(["zigbuild", "--locked", "--profile", "dist"])
        .args(["--package", "noetlctl", "--bin", "noetl"])
        .args(["--message-format", "json-render-diagnostics"])
        .env("CARGO_ZIGBUILD_ZIG_PATH", zig)
        .env("CARGO_ZIGBUILD_CACHE_DIR", state.join("zigbuild"))
        .env("ZIG_GLOBAL_CACHE_DIR", state.join("zig-cache"))
        .env("ZIG_LOCAL_CACHE_DIR", state.join("zig-cache"))
        // The default of zig is the newest macOS.
        .env("MACOSX_DEPLOYMENT_TARGET", macos)
        .env("SOURCE_DATE_EPOCH", release.commit_time.to_string())
        .env("NOETL_COMMIT", &release.commit)
        .env("CARGO_INCREMENTAL", "0")
        // Otherwise the cc crate splits CFLAGS at the spaces of a path.
        .env("CC_SHELL_ESCAPED_FLAGS", "1")
        .summary(summary(targets));
    for target in targets {
        // Paths may contain spaces, which the RUSTFLAGS variables do not support.
        let flags = serde_json::to_string(&rustflags(host, target));
        let flags = flags.expect("a list of strings is JSON, and TOML");
        let config = format!("target.{}.rustflags={flags}", target.triple);
        let c_flags_name = format!("CFLAGS_{}", target.triple.replace('-', "_"));
        command = command
            .args(["--target", &target.zig_triple(), "--config", &config])
            .env(c_flags_name, c_flags(host, target));
    }
    command
}

/// Returns a short form of the command, which has thousands of characters.
fn summary(targets: &[&Target]) -> String {
    let first = targets.first().map_or("", |target| target.triple);
    let rest = match targets.len().saturating_sub(1) {
        0 => String::new(),
        1 => " + 1 target".to_owned(),
        more => format!(" + {more} targets"),
    };
    format!("cargo zigbuild --profile dist --package noetlctl  {first}{rest}")
}

/// Makes zig compile the run-time library that it adds to a program as for a release. Otherwise it is the one of debug builds,
/// with a second one for undefined behaviour in C code, which takes 20 seconds of a processor for each target.
const ZIG_RUNTIME: &str = "-Clink-arg=-O2";

/// Returns flags that remove paths of this machine from the binary, and those of the linker. rustc applies the last prefix
/// that matches.
fn rustflags(host: &Host, target: &Target) -> Vec<String> {
    let remapped = remapped(host).into_iter();
    let paths = remapped.map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
    let linker: &[&str] = match (target.os, target.libc, target.arch) {
        // The linker and the musl that come with Rust. zig would compile its own musl first, which takes 75 seconds of a
        // processor. Relocations take 10 kB in the relative form instead of 1 MB; musl reads it since 1.2.4.
        (Os::Linux, Libc::Static, Arch::X86_64) => {
            &["-Clinker=rust-lld", "-Clink-arg=-zpack-relative-relocs"]
        }
        // rustc 1.95 links no static program for arm64 that is loaded at any address; zig does, if it is told to.
        (Os::Linux, Libc::Static, Arch::Aarch64) => &[ZIG_RUNTIME, "-Clink-arg=-pie"],
        (Os::Linux, ..) => &[ZIG_RUNTIME],
        // Without it the linker writes the current time into the PE header.
        (Os::Windows, ..) => &[ZIG_RUNTIME, "-Clink-arg=-Wl,/Brepro"],
        // The UUID that zig computes covers the paths of object files in debug symbols. This removes them before, so
        // that the UUID does not depend on the folder.
        (Os::Mac, ..) => &[ZIG_RUNTIME, "-Clink-arg=-Wl,-S"],
    };
    let linker = linker.iter().map(|&flag| flag.to_owned());
    paths.chain(linker).collect()
}

/// Returns flags that remove paths of this machine and the time from C code: mimalloc contains the time of its build, and
/// zig's clang ignores SOURCE_DATE_EPOCH. Tables for unwinding are left out, since nothing unwinds through C code: a
/// callback that panics aborts the program. On Windows the system needs them.
fn c_flags(host: &Host, target: &Target) -> String {
    let remapped = remapped(host).into_iter();
    let paths = remapped.map(|(from, to)| format!("-ffile-prefix-map={from}={to}"));
    let mut flags: Vec<_> = paths.collect();
    flags.push("-Wno-builtin-macro-redefined".to_owned());
    flags.extend(["DATE", "TIME", "TIMESTAMP"].map(|name| format!("-D__{name}__=\"redacted\"")));
    if target.os != Os::Windows {
        flags.extend(["-fno-unwind-tables", "-fno-asynchronous-unwind-tables"].map(str::to_owned));
    }
    let quoted: Vec<_> = flags.iter().map(|flag| command::quote(flag)).collect();
    quoted.join(" ")
}

/// Returns the folders of this machine, with the paths that replace them in binaries.
fn remapped(host: &Host) -> Vec<(&Utf8Path, &'static str)> {
    // Build scripts write sources there; it may be outside the checkout.
    let target_dir = host.state.parent().unwrap_or(&host.state);
    let mut folders = vec![
        (target_dir, "/noetl/target"),
        (host.cargo_home.as_path(), "/cargo"),
        (host.root.as_path(), "/noetl"),
    ];
    let packages = host.package_folders.iter();
    folders.extend(packages.map(|folder| (folder.as_path(), "/crates")));
    folders
}

/// Runs the command of [`plan_build`] and returns the binaries that it has built.
pub(crate) fn build(
    ctx: &Ctx,
    command: &CommandLine,
    targets: &[&'static Target],
) -> anyhow::Result<Vec<Binary>> {
    tools::ensure(ctx, &ZIG)?;
    tools::ensure(ctx, &ZIGBUILD)?;
    add_standard_libraries(ctx, targets)?;
    let triples: Vec<_> = targets.iter().map(|target| target.triple).collect();
    let title = format!("build noetl for {}", triples.join(", "));
    if targets.iter().any(|target| target.os == Os::Mac) && !cfg!(target_os = "macos") {
        let note =
            "rustc will warn that xcrun finds no SDK; zig contains what linking for macOS needs";
        output::note(ctx, note);
    }
    let paths = output::step(ctx, &title, || executables(ctx, command));
    let paths = paths.with_context(|| format!("cannot {title}"))?;
    let mut binaries = BTreeMap::new();
    for path in paths {
        let stamp = stamp::read(&files::read(&path)?);
        let stamp = stamp.with_context(|| format!("{path} has no build stamp"))?;
        let target = Target::find(&stamp.target);
        let target = target.with_context(|| format!("{path} is for {}", stamp.target))?;
        let checked = check_baseline(ctx, target, &stamp.target_features);
        checked.with_context(|| format!("{path} is refused"))?;
        binaries.insert(target.triple, Binary { target, path });
    }
    let binaries = triples.into_iter().map(|triple| {
        let binary = binaries.remove(triple);
        binary.with_context(|| format!("cargo made no binary for {triple}"))
    });
    binaries.collect()
}

/// Refuses a binary that does not run on every processor of the target: cargo's configuration on this machine may contain
/// flags such as `-Ctarget-cpu=native`.
fn check_baseline(ctx: &Ctx, target: &Target, features: &str) -> anyhow::Result<()> {
    let (shell, triple) = (&ctx.shell, target.triple);
    let baseline = run::read(ctx, cmd!(shell, "rustc --print cfg --target {triple}"))?;
    let features = features.split(',').filter(|feature| !feature.is_empty());
    let is_extra = |it: &&str| !baseline.contains(&format!("target_feature=\"{it}\""));
    let extra: Vec<_> = features.filter(is_extra).collect();
    if extra.is_empty() {
        return Ok(());
    }
    let extra = extra.join(", ");
    Err(anyhow!("it was compiled for processors with {extra}"))
        .help("remove rustflags from cargo's config.toml on this machine")
}

/// Compiles `noetl` for this machine with its linker, in the release profile or in the dev profile.
pub(crate) fn build_native(
    ctx: &Ctx,
    release: &Release,
    is_optimized: bool,
) -> anyhow::Result<Utf8PathBuf> {
    let profile: &[&str] = if is_optimized { &["--release"] } else { &[] };
    let command = plain_build(profile).env("NOETL_COMMIT", &release.commit);
    let title = "build noetl for this machine";
    let path = output::step(ctx, title, || executable(ctx, &command));
    path.with_context(|| format!("cannot {title}"))
}

/// Compiles `noetl` in the dev profile, which `cargo test` compiles, too.
pub(crate) fn build_for_tests(ctx: &Ctx) -> anyhow::Result<Utf8PathBuf> {
    executable(ctx, &plain_build(&[])).context("cannot build noetl for the tests")
}

fn plain_build(more: &[&str]) -> CommandLine {
    CommandLine::new("cargo")
        .args(["build", "--locked", "--package", "noetlctl"])
        .args(["--bin", "noetl"])
        .args(more.iter().copied())
        .args(["--message-format", "json-render-diagnostics"])
}

/// Runs a build and returns the path of its binary.
fn executable(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<Utf8PathBuf> {
    let mut paths = executables(ctx, command)?;
    let count = paths.len();
    ensure!(count == 1, "cargo made {count} binaries called noetl");
    Ok(paths.remove(0))
}

/// Runs a build and returns the paths in cargo's messages.
fn executables(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let mut paths = Vec::new();
    run::lines(ctx, command, |line| {
        if let Ok(Message::CompilerArtifact(artifact)) = serde_json::from_str(line)
            && artifact.target.name == "noetl"
        {
            paths.extend(artifact.executable);
        }
        Ok(())
    })?;
    Ok(paths)
}

/// Adds the standard library of each target to the pinned toolchain.
fn add_standard_libraries(ctx: &Ctx, targets: &[&'static Target]) -> anyhow::Result<()> {
    let shell = &ctx.shell;
    let sysroot = run::read(ctx, cmd!(shell, "rustc --print sysroot"))?;
    let rustlib = Utf8Path::new(sysroot.trim()).join("lib/rustlib");
    let triples = targets.iter().map(|target| target.triple);
    let missing: Vec<_> = triples.filter(|it| !rustlib.join(it).is_dir()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if ctx::find_program("rustup").is_none() {
        let missing = missing.join(", ");
        let help = "install rustup as rustup.rs says; it adds the standard library of";
        return Err(MissingTool("rustup".to_owned())).help(format!("{help} {missing}"));
    }
    output::step(ctx, "add standard libraries", || {
        run::run(ctx, cmd!(shell, "rustup target add {missing...}"))
    })
}
