//! Programs that need more than the oldest system of their target are refused, and the finding names what they need. zig
//! links them, as it does those that ship.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{Dist, command, pinned, show, succeed, tool, xtask};

const SOURCE: &str = "extern int other(void); int main(void) { return OTHER; }";

/// A linker of programs in C.
struct Zig {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Zig {
    fn find() -> Option<Self> {
        let bin = pinned("ziglang", "zig")?.get_program().to_owned();
        let program = Path::new(&bin).ancestors().nth(2)?.join("ziglang/zig");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("main.c"), SOURCE).unwrap();
        Some(Self { program, folder })
    }

    fn command(&self) -> Command {
        let mut zig = command(&self.program);
        zig.current_dir(self.folder.path());
        for name in ["ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"] {
            zig.env(name, crate::support::root().join("target/xtask/zig-cache"));
        }
        zig
    }

    /// Links a program. Returns its bytes.
    fn link(&self, target: &str, words: &[&str]) -> Vec<u8> {
        let mut zig = self.command();
        zig.args(["cc", "-s", "-target", target, "main.c", "-o", "program"]);
        succeed(zig.args(words));
        fs::read(self.folder.path().join("program")).unwrap()
    }

    /// Writes a stub of a library that has `other`, as the linker of a Mac reads it.
    fn framework(&self) {
        let framework = self.folder.path().join("Other.framework");
        fs::create_dir(&framework).unwrap();
        let stub = "--- !tapi-tbd\ntbd-version: 4\ntargets: [ arm64-macos ]\n\
            install-name: '/System/Library/Frameworks/Other.framework/Versions/A/Other'\n\
            exports:\n  - targets: [ arm64-macos ]\n    symbols: [ _other ]\n...\n";
        fs::write(framework.join("Other.tbd"), stub).unwrap();
    }

    /// Writes what the linker of Windows needs to load `other` from a DLL.
    fn dll(&self) {
        let definition = "LIBRARY vcruntime140.dll\nEXPORTS\nother\n";
        fs::write(self.folder.path().join("other.def"), definition).unwrap();
        let mut zig = self.command();
        succeed(zig.args([
            "dlltool",
            "-m",
            "i386:x86-64",
            "-d",
            "other.def",
            "-l",
            "libother.a",
        ]));
    }
}

/// Makes a dist of one archive with this program. Returns what `verify` says.
fn verify(dist: &Dist, triple: &str, program: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let version = dist.manifest["release"]["version"].as_str().unwrap();
    let stem = format!("noetl-v{version}-{triple}");
    let is_windows = triple.contains("windows");
    let name = if is_windows { "noetl.exe" } else { "noetl" };
    let unpacked = folder.path().join(&stem);
    fs::create_dir(&unpacked).unwrap();
    fs::write(unpacked.join(name), program).unwrap();
    let mut pack = if is_windows {
        let mut zip = tool("python3").unwrap();
        zip.args(["-m", "zipfile", "-c", &format!("{stem}.zip"), &stem]);
        zip
    } else {
        let mut tar = tool("tar").unwrap();
        tar.args(["--format=ustar", "-czf", &format!("{stem}.tar.gz"), &stem]);
        tar
    };
    succeed(pack.current_dir(folder.path()));
    fs::remove_dir_all(unpacked).unwrap();
    let facts = json!({"os": "linux", "arch": null, "libraries": [], "weaknesses": []});
    let hash = "0".repeat(64);
    let archive = json!({"target": triple, "binary": name, "binary_size": 0, "binary_sha256": hash, "facts": facts});
    let extension = if is_windows { "zip" } else { "tar.gz" };
    let mut manifest = dist.manifest.clone();
    manifest["targets"] = json!([triple]);
    manifest["artifacts"] = json!([{
        "name": format!("{stem}.{extension}"), "size": 0, "sha256": hash, "proof": "simulated", "content": {"archive": archive},
    }]);
    fs::write(
        folder.path().join("dist-manifest.json"),
        manifest.to_string(),
    )
    .unwrap();
    show(xtask(&["verify"]).arg(folder.path()))
}

#[test]
fn programs_that_need_more_than_their_oldest_system_are_refused() {
    let (Some(dist), Some(zig)) = (Dist::find(), Zig::find()) else {
        return;
    };
    let (mac, gnu) = ("aarch64-apple-darwin", "x86_64-unknown-linux-gnu");
    let windows = "x86_64-pc-windows-gnu";
    let none = "-DOTHER=0";
    let other = "-DOTHER=other()";
    zig.framework();
    zig.dll();
    let newer_glibc = zig.link("x86_64-linux-gnu.2.34", &[none]);
    let newer_mac = zig.link("aarch64-macos.15.0", &[none]);
    let mut broken = zig.link("aarch64-macos.11.0", &[none]);
    broken[0x800] ^= 1;
    let framework = zig.link("aarch64-macos.11.0", &[other, "-F.", "-framework", "Other"]);
    let dll = zig.link("x86_64-windows-gnu", &[other, "-L.", "-lother"]);
    // `other` is the name of a function that only newer systems have.
    let mac_14 = "-Dother=os_sync_wake_by_address_any";
    let newer_function = zig.link("aarch64-macos.11.0", &[other, mac_14]);
    let windows_11 = "-Dother=GetTempPath2W";
    let newer_windows = zig.link("x86_64-windows-gnu", &[other, windows_11]);
    let good = zig.link("aarch64-macos.11.0", &[none]);
    for (triple, program, expected) in [
        (
            gnu,
            newer_glibc,
            "it needs glibc 2.34 for __libc_start_main",
        ),
        (mac, newer_mac, "its oldest macOS is 15.0, not 11.0"),
        (mac, broken, "the signature does not match page 0"),
        (
            mac,
            framework,
            "it loads /System/Library/Frameworks/Other.framework/",
        ),
        (windows, dll, "it loads vcruntime140.dll"),
        (
            mac,
            newer_function,
            "it imports _os_sync_wake_by_address_any, which macOS 11.0 is not known to have",
        ),
        (
            windows,
            newer_windows,
            "it imports kernel32 GetTempPath2W, which Windows 10 is not known to have",
        ),
    ] {
        let said = verify(&dist, triple, &program);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let said = verify(&dist, mac, &good);
    let broken = [
        "error B1 ",
        "error B2 ",
        "error B3 ",
        "error B4 ",
        "error B10 ",
    ];
    assert!(broken.iter().all(|rule| !said.contains(rule)), "{said}");
    assert!(said.contains("error B6 "), "it has no stamp: {said}");
}
