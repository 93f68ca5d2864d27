//! Compiling `noetl`: one cargo invocation for all targets, so that host crates are built once.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{Message, MetadataCommand};

use crate::command::{self, CommandLine};
use crate::ctx::Ctx;
use crate::error::{MissingTool, WithHelp as _};
use crate::release::Release;
use crate::target::{Arch, MACOS_MINIMUM, Os, Target};
use crate::tools::{self, ZIG, ZIGBUILD};
use crate::{ctx, files, sh, stamp};

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
        let rustc = sh::read(ctx, &CommandLine::new("rustc").arg("-vV"))
            .help("install rustup as rustup.rs says")?;
        let triple = rustc
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc -vV names no host")?;
        let resolve =
            CommandLine::new("cargo").args(["metadata", "--format-version", "1", "--locked"]);
        let json = sh::read(ctx, &resolve)
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

impl Host {
    /// The instruction set of this machine; x86-64 where NoETL is not built for it.
    pub(crate) fn arch(&self) -> Arch {
        if self.triple.starts_with("aarch64") {
            Arch::Aarch64
        } else {
            Arch::X86_64
        }
    }
}

/// Plans the one command that compiles `noetl` for all `targets`.
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

/// Flags that keep this machine out of the binary. rustc applies the last prefix that matches.
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

/// Flags that keep this machine and this moment out of C code: mimalloc prints when it was built,
/// and zig's clang does not heed SOURCE_DATE_EPOCH.
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
    // Build scripts write sources there; it may lie outside the checkout.
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
        sh::note(
            ctx,
            "rustc will warn that xcrun finds no SDK; zig brings what it takes to link for macOS",
        );
    }
    let paths = sh::step(ctx, &format!("build noetl for {names}"), || {
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

/// Cargo's own configuration on this machine may add flags such as `-Ctarget-cpu=native`, whose
/// binary stops with SIGILL on others: only what rustc itself enables for the target may be there.
fn check_baseline(ctx: &Ctx, target: &Target, features: &str) -> anyhow::Result<()> {
    let print = CommandLine::new("rustc").args(["--print", "cfg", "--target", target.triple]);
    let baseline = sh::read(ctx, &print)?;
    let beyond: Vec<_> = features
        .split(',')
        .filter(|feature| {
            !feature.is_empty() && !baseline.contains(&format!("target_feature=\"{feature}\""))
        })
        .collect();
    let message = || anyhow!("it was compiled for processors with {}", beyond.join(", "));
    beyond
        .is_empty()
        .then_some(())
        .ok_or_else(message)
        .help("remove rustflags from cargo's config.toml on this machine")
}

/// Compiles `noetl` for this very machine with its own linker: what `setup` and plain tests need.
pub(crate) fn build_native(ctx: &Ctx, release: &Release) -> anyhow::Result<Utf8PathBuf> {
    let command = CommandLine::new("cargo")
        .args([
            "build",
            "--locked",
            "--release",
            "--package",
            "noetlctl",
            "--bin",
            "noetl",
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .env("NOETL_COMMIT", &release.commit);
    let mut paths = sh::step(ctx, "build noetl for this machine", || {
        executables(ctx, &command)
    })
    .context("cannot build noetl for this machine")?;
    ensure!(
        paths.len() == 1,
        "cargo made {} binaries called noetl",
        paths.len()
    );
    Ok(paths.remove(0))
}

/// Compiles `noetl` as tests have it: the dev profile, which `cargo test` compiles anyway.
pub(crate) fn build_for_tests(ctx: &Ctx) -> anyhow::Result<Utf8PathBuf> {
    let command = CommandLine::new("cargo")
        .args([
            "build",
            "--locked",
            "--package",
            "noetlctl",
            "--bin",
            "noetl",
        ])
        .args(["--message-format", "json-render-diagnostics"]);
    let mut paths = executables(ctx, &command).context("cannot build noetl for the tests")?;
    ensure!(
        paths.len() == 1,
        "cargo made {} binaries called noetl",
        paths.len()
    );
    Ok(paths.remove(0))
}

fn executables(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let mut paths = Vec::new();
    sh::lines(ctx, command, |line| {
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
    let sysroot = sh::read(ctx, &CommandLine::new("rustc").args(["--print", "sysroot"]))?;
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
    sh::step(ctx, "add standard libraries", || {
        sh::run(
            ctx,
            &CommandLine::new("rustup")
                .args(["target", "add"])
                .args(missing),
        )
    })
}
