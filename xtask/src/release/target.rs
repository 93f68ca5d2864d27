//! The one list of targets: what each is called by rustc, by OCI and by people who download it.
//!
//! Everything that depends on a platform is derived from here: builds, archives, image
//! platforms, and what `verify` expects to find in a file.

use anyhow::{Context as _, bail, ensure};
use noetl_oci::Platform;
use serde::{Deserialize, Serialize};

/// A platform NoETL is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Target {
    /// The rustc target triple.
    pub triple: &'static str,
    /// The operating system, which also decides the binary's format.
    pub os: Os,
    /// The instruction set.
    pub arch: Arch,
    /// What the binary is linked against.
    pub libc: Libc,
    /// Whether `--targets default` includes it.
    pub tier: Tier,
}

/// Every target, in the order of files and tables.
pub(crate) const TARGETS: &[Target] = &[
    Target::new(
        "x86_64-unknown-linux-musl",
        Os::Linux,
        Arch::X86_64,
        Libc::Static,
        Tier::Default,
    ),
    Target::new(
        "aarch64-unknown-linux-musl",
        Os::Linux,
        Arch::Aarch64,
        Libc::Static,
        Tier::Default,
    ),
    Target::new(
        "x86_64-apple-darwin",
        Os::Mac,
        Arch::X86_64,
        Libc::System,
        Tier::Default,
    ),
    Target::new(
        "aarch64-apple-darwin",
        Os::Mac,
        Arch::Aarch64,
        Libc::System,
        Tier::Default,
    ),
    Target::new(
        "x86_64-pc-windows-gnu",
        Os::Windows,
        Arch::X86_64,
        Libc::System,
        Tier::Default,
    ),
    Target::new(
        "aarch64-pc-windows-gnullvm",
        Os::Windows,
        Arch::Aarch64,
        Libc::System,
        Tier::Default,
    ),
    Target::new(
        "x86_64-unknown-linux-gnu",
        Os::Linux,
        Arch::X86_64,
        Libc::Glibc,
        Tier::OnRequest,
    ),
    Target::new(
        "aarch64-unknown-linux-gnu",
        Os::Linux,
        Arch::Aarch64,
        Libc::Glibc,
        Tier::OnRequest,
    ),
];

/// The oldest glibc that a `-gnu` binary may ask for: that of manylinux2014.
pub(crate) const GLIBC_FLOOR: (u32, u32) = (2, 17);

/// The oldest macOS both Mac binaries run on; zig's own default is far newer.
pub(crate) const MACOS_MINIMUM: (u32, u32) = (11, 0);

/// Operating systems, in the words of OCI and Go.
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

/// Instruction sets, in rustc's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Arch {
    /// amd64 in OCI's words.
    #[serde(rename = "x86_64")]
    X86_64,
    /// arm64 in OCI's words.
    Aarch64,
}

/// What a binary is linked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Libc {
    /// Nothing: musl is inside.
    Static,
    /// The machine's glibc, from [`GLIBC_FLOOR`] on.
    Glibc,
    /// The libraries every installation of the system has.
    System,
}

/// Whether a target ships with every release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tier {
    /// Part of `--targets default`.
    Default,
    /// Built by name or by `--targets all`.
    OnRequest,
}

impl Target {
    const fn new(triple: &'static str, os: Os, arch: Arch, libc: Libc, tier: Tier) -> Self {
        Self {
            triple,
            os,
            arch,
            libc,
            tier,
        }
    }

    /// Finds a target by its triple.
    pub(crate) fn find(triple: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.triple == triple)
    }

    /// Returns the image platform that this target's binary serves: the static Linux ones have one.
    pub(crate) fn platform(&self) -> Option<Platform> {
        match (self.libc, self.arch) {
            (Libc::Static, Arch::X86_64) => Some(Platform::new("linux", "amd64", None)),
            (Libc::Static, Arch::Aarch64) => Some(Platform::new("linux", "arm64", Some("v8"))),
            _ => None,
        }
    }

    /// Finds the target whose binary goes into a platform's image.
    pub(crate) fn of_platform(platform: &Platform) -> anyhow::Result<&'static Self> {
        let mut targets = TARGETS.iter();
        let found = targets.find(|target| target.platform().as_ref() == Some(platform));
        found.with_context(|| format!("no image is made for {platform}"))
    }

    /// Returns the label of GitHub's own machine of this kind.
    pub(crate) fn runner(&self) -> Option<&'static str> {
        match (self.os, self.arch) {
            (Os::Linux, Arch::X86_64) => Some("ubuntu-24.04"),
            (Os::Linux, Arch::Aarch64) => Some("ubuntu-24.04-arm"),
            (Os::Mac, Arch::X86_64) => Some("macos-15-intel"),
            (Os::Mac, Arch::Aarch64) => Some("macos-15"),
            (Os::Windows, Arch::X86_64) => Some("windows-2025"),
            (Os::Windows, Arch::Aarch64) => Some("windows-11-arm"),
        }
    }

    /// Returns the kind of machine in few letters, such as `linux-arm64`.
    pub(crate) fn short_name(&self) -> String {
        let os = match self.os {
            Os::Linux => "linux",
            Os::Mac => "macos",
            Os::Windows => "windows",
        };
        let arch = match self.arch {
            Arch::X86_64 => "x64",
            Arch::Aarch64 => "arm64",
        };
        format!("{os}-{arch}")
    }

    /// Returns the triple in cargo-zigbuild's spelling, which appends the glibc floor.
    pub(crate) fn zig_triple(&self) -> String {
        match self.libc {
            Libc::Glibc => format!("{}.{}.{}", self.triple, GLIBC_FLOOR.0, GLIBC_FLOOR.1),
            Libc::Static | Libc::System => self.triple.to_owned(),
        }
    }

    /// Returns the executable's file name.
    pub(crate) fn binary_name(&self) -> &'static str {
        match self.os {
            Os::Windows => "noetl.exe",
            Os::Linux | Os::Mac => "noetl",
        }
    }

    /// Returns the archive's extension: zip on Windows.
    pub(crate) fn archive_extension(&self) -> &'static str {
        match self.os {
            Os::Windows => "zip",
            Os::Linux | Os::Mac => "tar.gz",
        }
    }
}

/// Returns the platforms that an image is made for, amd64 first, since old clients take the first.
pub(crate) fn platforms() -> Vec<Platform> {
    TARGETS.iter().filter_map(Target::platform).collect()
}

/// Reads a platform that an image is made for: `linux/amd64` or `linux/arm64[/v8]`.
pub(crate) fn parse_platform(text: &str) -> anyhow::Result<Platform> {
    let known = platforms();
    let found = known
        .iter()
        .find(|platform| text == platform.to_string() || text == platform.without_variant());
    let Some(platform) = found else {
        let known: Vec<_> = known.iter().map(Platform::without_variant).collect();
        bail!(
            "unknown platform `{text}`; an image can be made for {}",
            known.join(", ")
        );
    };
    Ok(platform.clone())
}

/// Checks one word of `--targets`, so that a mistake is wrong usage.
pub(crate) fn word(text: &str) -> anyhow::Result<String> {
    let known = ["host", "linux", "default", "all"].contains(&text) || Target::find(text).is_some();
    ensure!(known, "known are host, linux, default, all, {}", triples());
    Ok(text.to_owned())
}

fn triples() -> String {
    TARGETS
        .iter()
        .map(|target| target.triple)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Resolves `--targets` words against the list, in its order and without repeats.
///
/// A word is a triple, `host` (the target this machine runs), `linux` (the image's two), `default` or `all`.
pub(crate) fn select(words: &[String], host: &str) -> anyhow::Result<Vec<&'static Target>> {
    let mut wanted = Vec::new();
    for word in words {
        match word.as_str() {
            "default" => {
                wanted.extend(TARGETS.iter().filter(|target| target.tier == Tier::Default))
            }
            "all" => wanted.extend(TARGETS),
            "linux" => wanted.extend(TARGETS.iter().filter(|target| target.platform().is_some())),
            "host" => wanted.push(for_host(host)?),
            triple => match Target::find(triple) {
                Some(target) => wanted.push(target),
                None => bail!(
                    "unknown target `{triple}`; known are host, linux, default, all, {}",
                    triples()
                ),
            },
        }
    }
    Ok(TARGETS
        .iter()
        .filter(|target| wanted.contains(target))
        .collect())
}

/// Returns the default-tier target whose binaries run on the machine with rustc's host triple `host`.
fn for_host(host: &str) -> anyhow::Result<&'static Target> {
    let arch = match host.split('-').next() {
        Some("x86_64") => Arch::X86_64,
        Some("aarch64") => Arch::Aarch64,
        _ => bail!("NoETL is not built for this machine ({host})"),
    };
    let os = match host {
        _ if host.contains("-linux-") => Os::Linux,
        _ if host.contains("-apple-darwin") => Os::Mac,
        _ if host.contains("-windows-") => Os::Windows,
        _ => bail!("NoETL is not built for this machine ({host})"),
    };
    let mut targets = TARGETS.iter();
    let found = targets
        .find(|target| target.os == os && target.arch == arch && target.tier == Tier::Default);
    Ok(found.expect("every pair of system and architecture has a default target"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triples(words: &[&str], host: &str) -> String {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        match select(&words, host) {
            Ok(targets) => targets
                .iter()
                .map(|target| target.triple)
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn words_select_targets_in_list_order_without_repeats() {
        let host = "aarch64-apple-darwin";
        insta::assert_snapshot!(triples(&["linux"], host), @"x86_64-unknown-linux-musl aarch64-unknown-linux-musl");
        insta::assert_snapshot!(triples(&["host", "linux", "host"], host), @"x86_64-unknown-linux-musl aarch64-unknown-linux-musl aarch64-apple-darwin");
        assert_eq!(select(&["default".into()], host).unwrap().len(), 6);
        assert_eq!(select(&["all".into()], host).unwrap().len(), TARGETS.len());
        insta::assert_snapshot!(triples(&["host"], "x86_64-unknown-linux-gnu"), @"x86_64-unknown-linux-musl");
        insta::assert_snapshot!(triples(&["host"], "x86_64-pc-windows-msvc"), @"x86_64-pc-windows-gnu");
        insta::assert_snapshot!(triples(&["host"], "riscv64gc-unknown-linux-gnu"), @"error: NoETL is not built for this machine (riscv64gc-unknown-linux-gnu)");
    }

    #[test]
    fn an_unknown_target_is_answered_with_the_known_ones() {
        let answer = triples(&["sparc-sun-solaris"], "x86_64-unknown-linux-gnu");
        assert!(
            answer.starts_with("error: unknown target `sparc-sun-solaris`; known are host, linux"),
            "{answer}"
        );
    }

    #[test]
    fn platforms_parse_with_and_without_variant() {
        for text in ["linux/arm64", "linux/arm64/v8"] {
            assert_eq!(
                Target::of_platform(&parse_platform(text).unwrap())
                    .unwrap()
                    .triple,
                "aarch64-unknown-linux-musl"
            );
        }
        assert_eq!(
            parse_platform("linux/amd64").unwrap().to_string(),
            "linux/amd64"
        );
        for text in ["linux/x86_64", "windows/amd64", "linux/arm64/v7", ""] {
            assert!(parse_platform(text).is_err(), "{text}");
        }
    }
}
