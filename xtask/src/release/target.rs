//! The list of targets: the names that rustc, OCI and users have for each.
//!
//! Builds, archives, image platforms and the checks of `verify` are derived from this list.

use anyhow::{Context as _, bail, ensure};
use noetl_oci::Platform;
use serde::{Deserialize, Serialize};

use self::Arch::{Aarch64, X86_64};
use self::Libc::{Glibc, Static, System};
use self::Os::{Linux, Mac, Windows};

/// A platform that NoETL is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Target {
    /// The rustc target triple.
    pub triple: &'static str,
    /// The operating system, which also decides the format of the binary.
    pub os: Os,
    /// The instruction set.
    pub arch: Arch,
    /// The libraries that the binary is linked with.
    pub libc: Libc,
    /// Whether `--targets default` includes it.
    pub tier: Tier,
}

/// Every target, in the order of files and tables.
pub(crate) const TARGETS: &[Target] = &[
    Target::new("x86_64-unknown-linux-musl", Linux, X86_64, Static),
    Target::new("aarch64-unknown-linux-musl", Linux, Aarch64, Static),
    Target::new("x86_64-apple-darwin", Mac, X86_64, System),
    Target::new("aarch64-apple-darwin", Mac, Aarch64, System),
    Target::new("x86_64-pc-windows-gnu", Windows, X86_64, System),
    Target::new("aarch64-pc-windows-gnullvm", Windows, Aarch64, System),
    Target::new("x86_64-unknown-linux-gnu", Linux, X86_64, Glibc),
    Target::new("aarch64-unknown-linux-gnu", Linux, Aarch64, Glibc),
];

/// The newest glibc version that a `-gnu` binary may need: that of manylinux2014.
pub(crate) const GLIBC_FLOOR: (u32, u32) = (2, 17);

/// The minimum version of macOS for both Mac binaries; zig's default is much newer.
pub(crate) const MACOS_MINIMUM: (u32, u32) = (11, 0);

/// Operating systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Os {
    /// Linux: ELF.
    Linux,
    /// macOS: Mach-O.
    #[serde(rename = "macos")]
    Mac,
    /// Windows: PE.
    Windows,
}

/// Instruction sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Arch {
    /// `amd64` in OCI.
    #[serde(rename = "x86_64")]
    X86_64,
    /// `arm64` in OCI.
    Aarch64,
}

/// The libraries that a binary is linked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Libc {
    /// None: musl is part of the binary.
    Static,
    /// The system's glibc, [`GLIBC_FLOOR`] or newer.
    Glibc,
    /// The libraries of every installation of the system.
    System,
}

/// The formats that a binary ships in; the image is made of the binaries of its platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// tar.gz or zip, with a copy whose name has no version.
    Archive,
    /// The SBOM of the binary.
    Sbom,
    /// A Python wheel.
    Wheel,
    /// An npm package; another one, `noetl`, starts the program of the one for its platform.
    Npm,
    /// A Debian package.
    Deb,
    /// An RPM package.
    Rpm,
}

/// Whether a target is part of every release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tier {
    /// Part of `--targets default`.
    Default,
    /// Built by name or by `--targets all`.
    OnRequest,
}

impl Target {
    const fn new(triple: &'static str, os: Os, arch: Arch, libc: Libc) -> Self {
        Self {
            triple,
            os,
            arch,
            libc,
            tier: match libc {
                Glibc => Tier::OnRequest,
                Static | System => Tier::Default,
            },
        }
    }

    /// Returns the formats that its binary ships in.
    pub(crate) fn formats(&self) -> &'static [Format] {
        match self.libc {
            Static => &[
                Format::Archive,
                Format::Sbom,
                Format::Wheel,
                Format::Npm,
                Format::Deb,
                Format::Rpm,
            ],
            System => &[Format::Archive, Format::Sbom, Format::Wheel, Format::Npm],
            // Installers would not tell its packages from those of the static binary.
            Glibc => &[Format::Archive, Format::Sbom],
        }
    }

    /// Whether it is part of every release.
    pub(crate) fn is_default(&self) -> bool {
        self.tier == Tier::Default
    }

    /// Returns its place in the list.
    pub(crate) fn position(&self) -> Option<usize> {
        TARGETS.iter().position(|target| target == self)
    }

    /// Finds a target by its triple.
    pub(crate) fn find(triple: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.triple == triple)
    }

    /// Returns the image platform of this target; only static Linux targets have one.
    pub(crate) fn platform(&self) -> Option<Platform> {
        match (self.libc, self.arch) {
            (Static, X86_64) => Some(Platform::new("linux", "amd64", None)),
            (Static, Aarch64) => Some(Platform::new("linux", "arm64", Some("v8"))),
            _ => None,
        }
    }

    /// Returns the target of an image platform.
    pub(crate) fn of_platform(platform: &Platform) -> anyhow::Result<&'static Self> {
        let mut targets = TARGETS.iter();
        let found = targets.find(|target| target.platform().as_ref() == Some(platform));
        found.with_context(|| format!("no image is made for {platform}"))
    }

    /// Returns the label of the GitHub runner for this operating system and instruction set.
    pub(crate) fn runner(&self) -> &'static str {
        match (self.os, self.arch) {
            (Linux, X86_64) => "ubuntu-24.04",
            (Linux, Aarch64) => "ubuntu-24.04-arm",
            (Mac, X86_64) => "macos-15-intel",
            (Mac, Aarch64) => "macos-15",
            (Windows, X86_64) => "windows-2025",
            (Windows, Aarch64) => "windows-11-arm",
        }
    }

    /// Returns a short name, such as `linux-arm64`.
    pub(crate) fn short_name(&self) -> String {
        let name = match (self.os, self.arch) {
            (Linux, X86_64) => "linux-x64",
            (Linux, Aarch64) => "linux-arm64",
            (Mac, X86_64) => "macos-x64",
            (Mac, Aarch64) => "macos-arm64",
            (Windows, X86_64) => "windows-x64",
            (Windows, Aarch64) => "windows-arm64",
        };
        name.to_owned()
    }

    /// Returns the triple for cargo-zigbuild, which includes the glibc version.
    pub(crate) fn zig_triple(&self) -> String {
        match self.libc {
            Glibc => format!("{}.{}.{}", self.triple, GLIBC_FLOOR.0, GLIBC_FLOOR.1),
            Static | System => self.triple.to_owned(),
        }
    }

    /// Returns the executable's file name.
    pub(crate) fn binary_name(&self) -> &'static str {
        match self.os {
            Windows => "noetl.exe",
            Linux | Mac => "noetl",
        }
    }

    /// Returns the archive's extension: zip on Windows.
    pub(crate) fn archive_extension(&self) -> &'static str {
        match self.os {
            Windows => "zip",
            Linux | Mac => "tar.gz",
        }
    }
}

/// Returns the platforms of an image: amd64 first, since old clients take the first one.
pub(crate) fn platforms() -> Vec<Platform> {
    TARGETS.iter().filter_map(Target::platform).collect()
}

/// Parses a platform of an image in any form that containerd knows: `linux/amd64`, `linux/arm64/v8`, `linux/aarch64`.
pub(crate) fn parse_platform(text: &str) -> anyhow::Result<Platform> {
    let known = platforms();
    let wanted: Option<Platform> = text.parse().ok();
    let mut platforms = known.iter();
    let found = platforms.find(|it| wanted.as_ref().is_some_and(|wanted| it.serves(wanted)));
    found.cloned().with_context(|| {
        let known: Vec<_> = known.iter().map(Platform::without_variant).collect();
        let known = known.join(", ");
        format!("unknown platform `{text}`; an image can be made for {known}")
    })
}

/// Checks one word of `--targets` while the command line is parsed.
pub(crate) fn word(text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    let known = ["host", "linux", "default", "all"].contains(&text) || Target::find(text).is_some();
    ensure!(known, "{}", known_words());
    Ok(text.to_owned())
}

fn known_words() -> String {
    let triples: Vec<_> = TARGETS.iter().map(|target| target.triple).collect();
    let triples = triples.join(", ");
    format!("known are host, linux, default, all, {triples}")
}

/// Returns the targets that the words of `--targets` name, in the order of the list and without duplicates.
///
/// A word is a triple, `host` (the target for this machine), `linux` (the targets of the image), `default` or `all`.
pub(crate) fn select(words: &[String], host: &str) -> anyhow::Result<Vec<&'static Target>> {
    let mut wanted = Vec::new();
    for word in words {
        let triple = match word.as_str() {
            "host" => for_host(host)?.triple,
            word => word,
        };
        let is_wanted = |target: &&Target| match triple {
            "default" => target.tier == Tier::Default,
            "all" => true,
            "linux" => target.platform().is_some(),
            triple => target.triple == triple,
        };
        let count = wanted.len();
        wanted.extend(TARGETS.iter().filter(is_wanted));
        if wanted.len() == count {
            bail!("unknown target `{word}`; {}", known_words());
        }
    }
    let targets = TARGETS.iter().filter(|target| wanted.contains(target));
    Ok(targets.collect())
}

/// Returns the target of the default tier that runs on a machine with this host triple.
fn for_host(host: &str) -> anyhow::Result<&'static Target> {
    let is_same = |target: &&Target| {
        let system = match target.os {
            Linux => "-linux-",
            Mac => "-apple-darwin",
            Windows => "-windows-",
        };
        let is_same_arch = target.triple.split('-').next() == host.split('-').next();
        target.tier == Tier::Default && is_same_arch && host.contains(system)
    };
    let target = TARGETS.iter().find(is_same);
    target.with_context(|| format!("NoETL is not built for this machine ({host})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the triples that words separated by spaces select, or the error.
    fn triples(words: &str, host: &str) -> String {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        match select(&words, host) {
            Ok(targets) => {
                let triples = targets.iter().map(|target| target.triple);
                triples.collect::<Vec<_>>().join(" ")
            }
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn words_select_targets_in_list_order_without_duplicates() {
        let host = "aarch64-apple-darwin";
        insta::assert_snapshot!(triples("linux", host), @"x86_64-unknown-linux-musl aarch64-unknown-linux-musl");
        insta::assert_snapshot!(triples("host linux host", host), @"x86_64-unknown-linux-musl aarch64-unknown-linux-musl aarch64-apple-darwin");
        assert_eq!(select(&["default".into()], host).unwrap().len(), 6);
        assert_eq!(select(&["all".into()], host).unwrap().len(), TARGETS.len());
        insta::assert_snapshot!(triples("host", "x86_64-unknown-linux-gnu"), @"x86_64-unknown-linux-musl");
        insta::assert_snapshot!(triples("host", "x86_64-pc-windows-msvc"), @"x86_64-pc-windows-gnu");
        insta::assert_snapshot!(triples("host", "riscv64gc-unknown-linux-gnu"), @"error: NoETL is not built for this machine (riscv64gc-unknown-linux-gnu)");
    }

    #[test]
    fn unknown_target_is_refused_with_the_known_ones() {
        let error = triples("sparc-sun-solaris", "x86_64-unknown-linux-gnu");
        let expected = "error: unknown target `sparc-sun-solaris`; known are host, linux";
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn platforms_are_parsed_with_and_without_variant() {
        for (text, triple) in [
            ("linux/arm64", "aarch64-unknown-linux-musl"),
            ("linux/arm64/v8", "aarch64-unknown-linux-musl"),
            ("linux/amd64", "x86_64-unknown-linux-musl"),
            ("linux/aarch64", "aarch64-unknown-linux-musl"),
            (" linux/x86_64", "x86_64-unknown-linux-musl"),
        ] {
            let target = Target::of_platform(&parse_platform(text).unwrap());
            assert_eq!(target.unwrap().triple, triple);
        }
        for text in ["linux/riscv64", "windows/amd64", "linux/arm64/v7", ""] {
            assert!(parse_platform(text).is_err(), "{text}");
        }
    }
}
