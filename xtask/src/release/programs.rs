//! B1 to B7: one binary by itself, as its headers and its stamp describe it.

use noetl_oci::machine_path;
use noetl_oci::rules::Findings;

use crate::release::binary::{self, Facts, Signature};
use crate::release::dist_manifest::DistManifest;
use crate::release::rules::{B1, B2, B3, B4, B5, B6, B7};
use crate::release::stamp;
use crate::release::target::{Arch, GLIBC_FLOOR, Libc, MACOS_MINIMUM, Os, Target};

/// Checks the binary of `target` that lies in the archive `name`.
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
            findings.add(
                &B6,
                name,
                format!("the stamp's {field} is {found}, not {expected}"),
            );
        }
    }
    let ui_sha256 = dist_manifest.ui_sha256;
    if stamp.ui_sha256 != ui_sha256.to_string() {
        findings.add(
            &B7,
            name,
            format!("it embeds the page {:?}, not {ui_sha256}", stamp.ui_sha256),
        );
    }
}

fn check_facts(target: &Target, name: &str, facts: &Facts, findings: &mut Findings) {
    if (facts.os, facts.arch) != (target.os, Some(target.arch)) {
        findings.add(
            &B1,
            name,
            format!("it is for {:?} on {:?}", facts.os, facts.arch),
        );
        return;
    }
    let strange: Vec<_> = facts
        .libraries
        .iter()
        .filter(|library| !is_everywhere(target, library))
        .cloned()
        .collect();
    if !strange.is_empty() {
        findings.add(&B2, name, format!("it loads {}", strange.join(", ")));
    }
    if let (Libc::Static, Some(interpreter)) = (target.libc, &facts.interpreter) {
        findings.add(&B2, name, format!("it needs the loader {interpreter}"));
    }
    if let Some((major, minor)) = facts.glibc.filter(|version| *version > GLIBC_FLOOR) {
        findings.add(&B2, name, format!("it needs glibc {major}.{minor}"));
    }
    if target.os == Os::Mac {
        if facts.macos_minimum != Some(MACOS_MINIMUM) {
            findings.add(
                &B3,
                name,
                format!(
                    "its oldest macOS is {:?}, not {MACOS_MINIMUM:?}",
                    facts.macos_minimum
                ),
            );
        }
        let needed = target.arch == Arch::Aarch64;
        match facts.signature {
            None if needed => findings.add(&B4, name, "it is not signed"),
            Some(Signature::Broken) => {
                findings.add(&B4, name, "its signature does not fit its content")
            }
            _ => {}
        }
    }
}

/// Whether every installation of the target's system has this library.
fn is_everywhere(target: &Target, library: &str) -> bool {
    match (target.os, target.libc) {
        // The libc crate names iconv for every Apple system, and iconv brings charset.
        (Os::Mac, _) => [
            "/usr/lib/libSystem.B.dylib",
            "/usr/lib/libcharset.1.dylib",
            "/usr/lib/libiconv.2.dylib",
        ]
        .contains(&library),
        // The Universal C Runtime and the kernel's own libraries come with Windows 10.
        (Os::Windows, _) => {
            let library = library.to_ascii_lowercase();
            let system = [
                "advapi32",
                "bcrypt",
                "bcryptprimitives",
                "combase",
                "crypt32",
                "kernel32",
                "ntdll",
                "secur32",
                "shell32",
                "userenv",
                "ws2_32",
            ];
            let stem = library.trim_end_matches(".dll");
            stem.starts_with("api-ms-win-") || system.contains(&stem)
        }
        (Os::Linux, Libc::Glibc) => {
            [
                "libc.so.6",
                "libm.so.6",
                "libdl.so.2",
                "libpthread.so.0",
                "librt.so.1",
                "ld-linux-x86-64.so.2",
            ]
            .contains(&library)
                || library == "ld-linux-aarch64.so.1"
        }
        (Os::Linux, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::target;

    fn facts(target: &Target) -> Facts {
        Facts {
            os: target.os,
            arch: Some(target.arch),
            interpreter: None,
            libraries: Vec::new(),
            glibc: None,
            macos_minimum: (target.os == Os::Mac).then_some((11, 0)),
            signature: (target.os == Os::Mac && target.arch == Arch::Aarch64)
                .then_some(Signature::AdHoc),
        }
    }

    fn ids(triple: &str, change: impl Fn(&mut Facts)) -> Vec<&'static str> {
        let target = Target::find(triple).unwrap();
        let (mut facts, mut findings) = (facts(target), Findings::default());
        change(&mut facts);
        check_facts(target, "file", &facts, &mut findings);
        findings.ids()
    }

    #[test]
    fn what_the_headers_say_is_judged_by_target() {
        let libraries = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let none: [&str; 0] = [];
        let (musl, gnu) = ("x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu");
        let (mac, intel_mac) = ("aarch64-apple-darwin", "x86_64-apple-darwin");
        let windows = "x86_64-pc-windows-gnu";
        assert_eq!(ids(musl, |_| {}), none);
        assert_eq!(
            ids(musl, |it| it.libraries = libraries(&["libc.so.6"])),
            ["B2"]
        );
        assert_eq!(
            ids(musl, |it| it.interpreter =
                Some("/lib/ld-musl-x86_64.so.1".into())),
            ["B2"]
        );
        assert_eq!(
            ids(gnu, |it| it.libraries =
                libraries(&["libc.so.6", "libm.so.6"])),
            none
        );
        assert_eq!(
            ids(gnu, |it| it.libraries = libraries(&["libssl.so.3"])),
            ["B2"]
        );
        assert_eq!(ids(gnu, |it| it.glibc = Some((2, 17))), none);
        assert_eq!(ids(gnu, |it| it.glibc = Some((2, 28))), ["B2"]);
        assert_eq!(
            ids(windows, |it| it.libraries = libraries(&[
                "KERNEL32.dll",
                "api-ms-win-crt-heap-l1-1-0.dll"
            ])),
            none
        );
        assert_eq!(
            ids(windows, |it| it.libraries =
                libraries(&["libgcc_s_seh-1.dll"])),
            ["B2"]
        );
        assert_eq!(
            ids(mac, |it| it.libraries =
                libraries(&["/usr/lib/libSystem.B.dylib"])),
            none
        );
        assert_eq!(
            ids(mac, |it| it.libraries =
                libraries(&["/opt/homebrew/lib/libssl.dylib"])),
            ["B2"]
        );
        assert_eq!(ids(mac, |it| it.macos_minimum = Some((15, 0))), ["B3"]);
        assert_eq!(ids(intel_mac, |it| it.macos_minimum = None), ["B3"]);
        assert_eq!(ids(mac, |it| it.signature = None), ["B4"]);
        assert_eq!(
            ids(mac, |it| it.signature = Some(Signature::Broken)),
            ["B4"]
        );
        assert_eq!(ids(intel_mac, |it| it.signature = None), none);
        assert_eq!(ids(mac, |it| it.arch = Some(Arch::X86_64)), ["B1"]);
        assert_eq!(ids(mac, |it| it.os = Os::Linux), ["B1"]);
    }

    #[test]
    fn the_fixture_is_what_it_pretends_to_be() {
        let target = &target::TARGETS[1];
        let program = fixtures::elf(Arch::Aarch64, &fixtures::stamp(target));
        assert_eq!(stamp::read(&program).unwrap(), fixtures::stamp(target));
        assert_eq!(binary::facts(&program).unwrap(), facts(target));
    }
}
