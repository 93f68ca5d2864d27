//! Compiling `noetl`: one cargo invocation for all targets, so that host crates are built once.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{Message, MetadataCommand};
use noetl_help::Help as _;
use xshell::cmd;

use crate::host::command::{self, CommandLine};
use crate::host::ctx::{self, Ctx};
use crate::host::error::MissingTool;
use crate::host::tools::{self, ZIG, ZIGBUILD};
use crate::host::{files, output, run};
use crate::release::stamp;
use crate::release::target::{MACOS_MINIMUM, Os, Target};
use crate::release::version::Release;

/// What a plan has to know of this machine; everything that could end up in a binary is remapped.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// rustc's triple of this machine.
    pub triple: String,
    /// The repository's root.
    pub root: Utf8PathBuf,
    /// xtask's state folder, where tools are.
    pub state: Utf8PathBuf,
    /// Cargo's home folder.
    pub cargo_home: Utf8PathBuf,
    /// What this machine appends to a program's name: `.exe` on Windows.
    pub exe: &'static str,
    /// Folders that hold unpacked dependencies; their names depend on how crates.io is reached.
    pub package_folders: Vec<Utf8PathBuf>,
}

/// A linked `noetl`, where cargo said it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binary {
    /// The target it was built for, as its own stamp says.
    pub target: &'static Target,
    /// The file.
    pub path: Utf8PathBuf,
}

impl Host {
    /// Asks rustc and cargo; fetches crates that are not on this machine yet.
    pub(crate) fn read(ctx: &Ctx) -> anyhow::Result<Self> {
        let shell = &ctx.shell;
        let rustc =
            run::read(ctx, cmd!(shell, "rustc -vV")).help("install rustup as rustup.rs says")?;
        let triple = rustc
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc -vV names no host")?;
        let resolve = cmd!(shell, "cargo metadata --format-version 1 --locked");
        let json = run::read(ctx, resolve)
            .context("cannot resolve the workspace's dependencies")
            .help("when Cargo.lock is out of date: cargo update --workspace")?;
        let metadata =
            MetadataCommand::parse(json).context("cargo metadata printed something else")?;
        let mut package_folders: Vec<_> = metadata
            .packages
            .iter()
            .filter(|package| package.source.is_some())
            .filter_map(|package| Some(package.manifest_path.parent()?.parent()?.to_owned()))
            .collect();
        package_folders.sort();
        package_folders.dedup();
        Ok(Self {
            triple: triple.to_owned(),
            root: ctx.root.clone(),
            state: ctx.state(),
            cargo_home: ctx.cargo_home.clone(),
            exe: std::env::consts::EXE_SUFFIX,
            package_folders,
        })
    }
}

/// Returns the one command that compiles `noetl` for all `targets`.
pub(crate) fn plan_build(host: &Host, release: &Release, targets: &[&Target]) -> CommandLine {
    let zigbuild = host
        .state
        .join(ZIGBUILD.folder())
        .join(format!("bin/cargo-zigbuild{}", host.exe));
    let zig = host
        .state
        .join(ZIG.folder())
        .join(format!("ziglang/zig{}", host.exe));
    let mut command = CommandLine::new(zigbuild)
        .args([
            "zigbuild",
            "--locked",
            "--profile",
            "dist",
            "--package",
            "noetlctl",
            "--bin",
            "noetl",
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .env("CARGO_ZIGBUILD_ZIG_PATH", zig)
        .env("CARGO_ZIGBUILD_CACHE_DIR", host.state.join("zigbuild"))
        .env("ZIG_GLOBAL_CACHE_DIR", host.state.join("zig-cache"))
        .env("ZIG_LOCAL_CACHE_DIR", host.state.join("zig-cache"))
        // zig's own default is the newest macOS, which would make wheel tags and the formula lie.
        .env(
            "MACOSX_DEPLOYMENT_TARGET",
            format!("{}.{}", MACOS_MINIMUM.0, MACOS_MINIMUM.1),
        )
        .env("SOURCE_DATE_EPOCH", release.commit_time.to_string())
        .env("NOETL_COMMIT", &release.commit)
        .env("CARGO_INCREMENTAL", "0")
        // Else the cc crate would split CFLAGS at the spaces of a path.
        .env("CC_SHELL_ESCAPED_FLAGS", "1");
    command = command.summary(summary(targets));
    for target in targets {
        // --config takes paths with spaces, which the RUSTFLAGS variables cannot.
        let flags = serde_json::to_string(&rustflags(host, target))
            .expect("a list of strings is JSON, and TOML");
        let config = format!("target.{}.rustflags={flags}", target.triple);
        command = command.args([
            "--target".to_owned(),
            target.zig_triple(),
            "--config".to_owned(),
            config,
        ]);
        command = command.env(
            format!("CFLAGS_{}", target.triple.replace('-', "_")),
            c_flags(host),
        );
    }
    command
}

/// Returns what is printed before compiling: the whole command has thousands of characters.
fn summary(targets: &[&Target]) -> String {
    let first = targets.first().map_or("", |target| target.triple);
    let rest = match targets.len().saturating_sub(1) {
        0 => String::new(),
        1 => " + 1 target".to_owned(),
        more => format!(" + {more} targets"),
    };
    format!("cargo zigbuild --profile dist --package noetlctl  {first}{rest}")
}

/// Returns flags that keep this machine out of the binary. rustc applies the last prefix that matches.
fn rustflags(host: &Host, target: &Target) -> Vec<String> {
    let mut flags = Vec::new();
    for (from, to) in remapped(host) {
        flags.push(format!("--remap-path-prefix={from}={to}"));
    }
    if target.os == Os::Windows {
        // Without it the linker writes the wall clock into the PE header.
        flags.push("-Clink-arg=-Wl,/Brepro".to_owned());
    }
    if target.os == Os::Mac {
        // zig's UUID covers the paths of object files, which only debug symbols hold; without this
        // they are stripped too late, and two folders give two UUIDs.
        flags.push("-Clink-arg=-Wl,-S".to_owned());
    }
    flags
}

/// Returns flags that keep this machine and the time out of C code: mimalloc prints when it was built, and zig's clang
/// ignores SOURCE_DATE_EPOCH.
fn c_flags(host: &Host) -> String {
    let folders = remapped(host)
        .into_iter()
        .map(|(from, to)| format!("-ffile-prefix-map={from}={to}"));
    let moments = ["DATE", "TIME", "TIMESTAMP"].map(|name| format!("-D__{name}__=\"redacted\""));
    let quiet = ["-Wno-builtin-macro-redefined".to_owned()];
    let flags = folders
        .chain(quiet)
        .chain(moments)
        .map(|flag| command::quote(&flag));
    flags.collect::<Vec<_>>().join(" ")
}

fn remapped(host: &Host) -> Vec<(&Utf8Path, &'static str)> {
    // Build scripts write sources there; it may be outside the checkout.
    let target_dir = host.state.parent().unwrap_or(&host.state);
    let mut prefixes = vec![
        (target_dir, "/noetl/target"),
        (host.cargo_home.as_path(), "/cargo"),
        (host.root.as_path(), "/noetl"),
    ];
    prefixes.extend(
        host.package_folders
            .iter()
            .map(|folder| (folder.as_path(), "/crates")),
    );
    prefixes
}

/// Compiles what `command` says and finds the binaries in cargo's own messages.
pub(crate) fn build(
    ctx: &Ctx,
    command: &CommandLine,
    targets: &[&'static Target],
) -> anyhow::Result<Vec<Binary>> {
    tools::ensure(ctx, &ZIG)?;
    tools::ensure(ctx, &ZIGBUILD)?;
    add_standard_libraries(ctx, targets)?;
    let names = targets
        .iter()
        .map(|target| target.triple)
        .collect::<Vec<_>>()
        .join(", ");
    if targets.iter().any(|target| target.os == Os::Mac) && !cfg!(target_os = "macos") {
        output::note(
            ctx,
            "rustc will warn that xcrun finds no SDK; zig brings what it takes to link for macOS",
        );
    }
    let paths = output::step(ctx, &format!("build noetl for {names}"), || {
        executables(ctx, command)
    })
    .with_context(|| format!("cannot build noetl for {names}"))?;
    let mut binaries = BTreeMap::new();
    for path in paths {
        let stamp = stamp::read(&files::read(&path)?)
            .with_context(|| format!("{path} has no build stamp"))?;
        let target = Target::find(&stamp.target)
            .with_context(|| format!("{path} is for {}", stamp.target))?;
        check_baseline(ctx, target, &stamp.target_features)
            .with_context(|| format!("{path} is refused"))?;
        binaries.insert(target.triple, Binary { target, path });
    }
    let built = targets.iter().map(|target| {
        binaries
            .remove(target.triple)
            .with_context(|| format!("cargo made no binary for {}", target.triple))
    });
    built.collect()
}

/// Refuses a binary for more than every processor of the target. Cargo's own configuration on this machine may add flags
/// such as `-Ctarget-cpu=native`, whose binary stops with SIGILL on others.
fn check_baseline(ctx: &Ctx, target: &Target, features: &str) -> anyhow::Result<()> {
    let (shell, triple) = (&ctx.shell, target.triple);
    let baseline = run::read(ctx, cmd!(shell, "rustc --print cfg --target {triple}"))?;
    let beyond: Vec<_> = features
        .split(',')
        .filter(|feature| {
            !feature.is_empty() && !baseline.contains(&format!("target_feature=\"{feature}\""))
        })
        .collect();
    if beyond.is_empty() {
        return Ok(());
    }
    Err(anyhow!(
        "it was compiled for processors with {}",
        beyond.join(", ")
    ))
    .help("remove rustflags from cargo's config.toml on this machine")
}

/// Compiles `noetl` for this very machine with its own linker: what `setup` and plain tests need.
pub(crate) fn build_native(ctx: &Ctx, release: &Release) -> anyhow::Result<Utf8PathBuf> {
    let command = plain_build(&["--release"]).env("NOETL_COMMIT", &release.commit);
    output::step(ctx, "build noetl for this machine", || {
        executable(ctx, &command)
    })
    .context("cannot build noetl for this machine")
}

/// Compiles `noetl` as tests have it: the dev profile, which `cargo test` compiles anyway.
pub(crate) fn build_for_tests(ctx: &Ctx) -> anyhow::Result<Utf8PathBuf> {
    executable(ctx, &plain_build(&[])).context("cannot build noetl for the tests")
}

fn plain_build(more: &[&str]) -> CommandLine {
    CommandLine::new("cargo")
        .args([
            "build",
            "--locked",
            "--package",
            "noetlctl",
            "--bin",
            "noetl",
        ])
        .args(more.iter().copied())
        .args(["--message-format", "json-render-diagnostics"])
}

/// Runs a build of one binary and returns its path.
fn executable(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<Utf8PathBuf> {
    let mut paths = executables(ctx, command)?;
    let count = paths.len();
    ensure!(count == 1, "cargo made {count} binaries called noetl");
    Ok(paths.remove(0))
}

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
    let missing: Vec<_> = targets
        .iter()
        .map(|target| target.triple)
        .filter(|triple| !rustlib.join(triple).is_dir())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if ctx::find_program("rustup").is_none() {
        return Err(MissingTool("rustup".to_owned())).help(format!(
            "install rustup as rustup.rs says; it adds the standard library of {}",
            missing.join(", ")
        ));
    }
    output::step(ctx, "add standard libraries", || {
        run::run(ctx, cmd!(shell, "rustup target add {missing...}"))
    })
}
