//! The rules B1 to B7 and B10 on one binary: on its headers and its build stamp.

use noetl_oci::machine_path;
use noetl_oci::rules::Findings;

use crate::release::binary::{self, Facts, Signature};
use crate::release::dist_manifest::DistManifest;
use crate::release::imports;
use crate::release::rules::{B1, B2, B3, B4, B5, B6, B7, B10};
use crate::release::stamp;
use crate::release::target::{Arch, GLIBC_FLOOR, Libc, MACOS_MINIMUM, Os, Target};

/// Checks the binary of `target` in the archive `name`.
pub(super) fn check(
    dist_manifest: &DistManifest,
    target: &Target,
    name: &str,
    bytes: &[u8],
    own_folders: &[String],
    findings: &mut Findings,
) {
    if let Ok(facts) = binary::facts(bytes) {
        check_facts(target, name, &facts, findings);
    }
    if let Some(unknown) = findings.require(&B2, name, imports::unknown(target, bytes)) {
        for import in unknown {
            let oldest = oldest(target.os);
            let message = format!("it imports {import}, which {oldest} is not known to have");
            findings.add(&B2, name, message);
        }
    }
    if let Some((offset, path)) = machine_path(bytes, own_folders) {
        findings.add(&B5, name, format!("at byte {offset}: {path}"));
    }
    let Some(stamp) = findings.require(&B6, name, stamp::read(bytes)) else {
        return;
    };
    let release = &dist_manifest.release;
    for (field, found, expected) in [
        ("version", &stamp.version, release.version.as_str()),
        ("commit", &stamp.commit, &release.commit),
        ("target", &stamp.target, target.triple),
    ] {
        if found != expected {
            let message = format!("the stamp's {field} is {found}, not {expected}");
            findings.add(&B6, name, message);
        }
    }
    let (found, expected) = (stamp.ui_sha256, dist_manifest.ui_sha256);
    if found != expected.to_string() {
        let message = format!("it embeds the page {found:?}, not {expected}");
        findings.add(&B7, name, message);
    }
}

/// Returns the oldest system that programs are for.
fn oldest(os: Os) -> String {
    match os {
        Os::Linux => format!("glibc {}", dotted(GLIBC_FLOOR)),
        Os::Mac => format!("macOS {}", dotted(MACOS_MINIMUM)),
        Os::Windows => "Windows 10".to_owned(),
    }
}

fn check_facts(target: &Target, name: &str, facts: &Facts, findings: &mut Findings) {
    if (facts.os, facts.arch) != (target.os, Some(target.arch)) {
        let message = format!("it is for {:?} on {:?}", facts.os, facts.arch);
        findings.add(&B1, name, message);
        return;
    }
    let libraries = facts.libraries.iter().map(String::as_str);
    let foreign: Vec<_> = libraries.filter(|it| !is_everywhere(target, it)).collect();
    if !foreign.is_empty() {
        findings.add(&B2, name, format!("it loads {}", foreign.join(", ")));
    }
    if let (Libc::Static, Some(interpreter)) = (target.libc, &facts.interpreter) {
        findings.add(&B2, name, format!("it needs the loader {interpreter}"));
    }
    if let Some((major, minor)) = facts.glibc.filter(|version| *version > GLIBC_FLOOR) {
        let symbol = facts.glibc_symbol.as_deref().unwrap_or("a symbol");
        let message = format!("it needs glibc {major}.{minor} for {symbol}");
        findings.add(&B2, name, message);
    }
    for weakness in &facts.weaknesses {
        findings.add(&B10, name, weakness.to_string());
    }
    if target.os != Os::Mac {
        return;
    }
    if facts.macos_minimum != Some(MACOS_MINIMUM) {
        let found = facts.macos_minimum.map_or("unknown".to_owned(), dotted);
        let message = format!("its oldest macOS is {found}, not {}", dotted(MACOS_MINIMUM));
        findings.add(&B3, name, message);
    }
    let message = match facts.signature {
        None if target.arch == Arch::Aarch64 => "it is not signed".to_owned(),
        Some(Signature::Broken) => "its signature is not one of this file".to_owned(),
        Some(Signature::BrokenPage(page)) => format!("the signature does not match page {page}"),
        _ => return,
    };
    findings.add(&B4, name, message);
}

fn dotted((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

/// Whether every installation of the target's operating system has a library.
fn is_everywhere(target: &Target, library: &str) -> bool {
    /// The libc crate links iconv on every Apple system, and iconv loads charset.
    const MAC: &str =
        "/usr/lib/libSystem.B.dylib /usr/lib/libcharset.1.dylib /usr/lib/libiconv.2.dylib";
    /// Part of Windows 10, as is the Universal C Runtime.
    const WINDOWS: &str = "advapi32 bcrypt bcryptprimitives combase crypt32 kernel32 ntdll secur32 shell32 \
        userenv ws2_32";
    const GLIBC: &str = "libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 ld-linux-x86-64.so.2 \
        ld-linux-aarch64.so.1";
    let stem = library.to_ascii_lowercase();
    let stem = stem.trim_end_matches(".dll");
    let (known, library) = match (target.os, target.libc) {
        (Os::Mac, _) => (MAC, library),
        (Os::Windows, _) if stem.starts_with("api-ms-win-") => return true,
        (Os::Windows, _) => (WINDOWS, stem),
        (Os::Linux, Libc::Glibc) => (GLIBC, library),
        (Os::Linux, _) => return false,
    };
    known.split(' ').any(|known| known == library)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::hardening::Weakness;
    use crate::release::target::TARGETS;

    fn facts(target: &Target) -> Facts {
        let is_mac = target.os == Os::Mac;
        let is_signed = is_mac && target.arch == Arch::Aarch64;
        Facts {
            os: target.os,
            arch: Some(target.arch),
            interpreter: None,
            libraries: Vec::new(),
            glibc: None,
            glibc_symbol: None,
            macos_minimum: is_mac.then_some((11, 0)),
            signature: is_signed.then_some(Signature::AdHoc),
            weaknesses: Vec::new(),
        }
    }

    /// Returns the rules that a binary of a target breaks, separated by spaces.
    fn broken(triple: &str, change: impl Fn(&mut Facts)) -> String {
        let target = Target::find(triple).unwrap();
        let (mut facts, mut findings) = (facts(target), Findings::default());
        change(&mut facts);
        check_facts(target, "file", &facts, &mut findings);
        findings.ids().join(" ")
    }

    const MUSL: &str = "x86_64-unknown-linux-musl";
    const GNU: &str = "x86_64-unknown-linux-gnu";
    const WINDOWS: &str = "x86_64-pc-windows-gnu";
    const MAC: &str = "aarch64-apple-darwin";
    const INTEL_MAC: &str = "x86_64-apple-darwin";

    #[test]
    fn libraries_are_checked_by_target() {
        for (triple, libraries, expected) in [
            (MUSL, "", ""),
            (MUSL, "libc.so.6", "B2"),
            (GNU, "libc.so.6 libm.so.6", ""),
            (GNU, "libssl.so.3", "B2"),
            (WINDOWS, "KERNEL32.dll api-ms-win-crt-heap-l1-1-0.dll", ""),
            (WINDOWS, "libgcc_s_seh-1.dll", "B2"),
            (MAC, "/usr/lib/libSystem.B.dylib", ""),
            (MAC, "/opt/homebrew/lib/libssl.dylib", "B2"),
        ] {
            let libraries = libraries.split_whitespace().map(str::to_owned);
            let libraries: Vec<_> = libraries.collect();
            let found = broken(triple, |it| it.libraries = libraries.clone());
            assert_eq!(found, expected, "{triple}: {libraries:?}");
        }
    }

    #[test]
    fn headers_are_checked_by_target() {
        type Change = fn(&mut Facts);
        let changes: [(&str, Change, &str); 13] = [
            (MUSL, |it| it.interpreter = Some("/lib/ld.so".into()), "B2"),
            (GNU, |it| it.glibc = Some((2, 17)), ""),
            (GNU, |it| it.glibc = Some((2, 28)), "B2"),
            (MAC, |it| it.macos_minimum = Some((15, 0)), "B3"),
            (INTEL_MAC, |it| it.macos_minimum = None, "B3"),
            (MAC, |it| it.signature = None, "B4"),
            (MAC, |it| it.signature = Some(Signature::Broken), "B4"),
            (
                MAC,
                |it| it.signature = Some(Signature::BrokenPage(7)),
                "B4",
            ),
            (
                WINDOWS,
                |it| it.weaknesses.push(Weakness::FixedAddress),
                "B10",
            ),
            (INTEL_MAC, |it| it.signature = None, ""),
            (MAC, |it| it.arch = Some(Arch::X86_64), "B1"),
            (MAC, |it| it.os = Os::Linux, "B1"),
            (MAC, |_| {}, ""),
        ];
        for (number, (triple, change, expected)) in changes.into_iter().enumerate() {
            assert_eq!(
                broken(triple, change),
                expected,
                "change {number} of {triple}"
            );
        }
    }

    #[test]
    fn fixture_has_the_facts_and_the_stamp_of_its_target() {
        let target = &TARGETS[1];
        let program = fixtures::program(target);
        assert_eq!(stamp::read(&program).unwrap(), fixtures::stamp(target));
        assert_eq!(binary::facts(&program).unwrap(), facts(target));
    }
}
