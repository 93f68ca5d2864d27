//! The files for download, checked with sha256sum, tar, unzip, file and readelf.

use std::fs;

use serde_json::Value;

use crate::support::{Dist, copy, flip, git, is_checkout, root, show, succeed, tool, xtask};

#[test]
fn sha256sum_agrees_with_every_line() {
    let (Some(dist), Some(mut sha256sum)) = (Dist::find(), tool("sha256sum")) else {
        return;
    };
    succeed(
        sha256sum
            .current_dir(&dist.folder)
            .args(["--check", "--strict", "SHA256SUMS"]),
    );
}

#[test]
fn tar_and_unzip_find_one_folder_with_the_binary_and_its_companions() {
    let Some(dist) = Dist::find() else { return };
    for archive in dist.archives() {
        let (Some(mut tar), Some(mut unzip)) = (tool("tar"), tool("unzip")) else {
            return;
        };
        let listing = if archive.name.ends_with(".zip") {
            succeed(unzip.arg("-Z1").arg(&archive.path))
        } else {
            succeed(tar.arg("-tzf").arg(&archive.path))
        };
        let stem = archive
            .name
            .trim_end_matches(".tar.gz")
            .trim_end_matches(".zip");
        let binary = archive.content["binary"].as_str().unwrap();
        let companions = dist.manifest["companions"].as_array().unwrap();
        let paths = companions.iter().map(|it| it["path"].as_str().unwrap());
        let paths = paths.chain(["", "completions/", "man/"]);
        let mut expected: Vec<_> = paths.map(|path| format!("{stem}/{path}")).collect();
        expected.push(binary.to_owned());
        expected.sort();
        let mut found: Vec<_> = listing.lines().collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{}", archive.name);
    }
}

#[test]
fn file_and_readelf_agree_with_the_manifest() {
    let Some(dist) = Dist::find() else { return };
    let unpacked = tempfile::tempdir().unwrap();
    for archive in dist.archives() {
        let (Some(binary), Some(mut file)) = (archive.unpack(unpacked.path()), tool("file")) else {
            return;
        };
        let size = fs::metadata(&binary).unwrap().len();
        assert_eq!(archive.content["binary_size"], size, "{}", archive.name);
        let words = succeed(file.arg("--brief").arg(&binary));
        let expected: &[&str] = match archive.target.as_str() {
            "x86_64-unknown-linux-musl" => {
                &["ELF 64-bit", "x86-64", "static-pie linked", "stripped"]
            }
            "aarch64-unknown-linux-musl" => {
                &["ELF 64-bit", "ARM aarch64", "static-pie linked", "stripped"]
            }
            "x86_64-apple-darwin" => &["Mach-O 64-bit", "x86_64"],
            "aarch64-apple-darwin" => &["Mach-O 64-bit", "arm64"],
            "x86_64-pc-windows-gnu" => &["PE32+", "x86-64"],
            "aarch64-pc-windows-gnullvm" => &["PE32+", "Aarch64"],
            _ => &["ELF 64-bit"],
        };
        assert!(
            expected.iter().all(|word| words.contains(word)),
            "{}: {words}",
            archive.name
        );
        if archive.target.contains("-linux-musl") {
            let Some(mut readelf) = tool("readelf") else {
                return;
            };
            let headers = succeed(
                readelf
                    .args(["--wide", "--file-header", "--program-headers", "--dynamic"])
                    .arg(&binary),
            );
            assert!(
                !headers.contains("INTERP") && !headers.contains("NEEDED"),
                "{headers}"
            );
            let machine = if archive.target.starts_with("x86_64") {
                "X86-64"
            } else {
                "AArch64"
            };
            assert!(headers.contains(machine), "{headers}");
        }
    }
}

#[test]
fn the_stamp_is_readable_in_the_binary() {
    let Some(dist) = Dist::find() else { return };
    let unpacked = tempfile::tempdir().unwrap();
    for archive in dist
        .archives()
        .iter()
        .filter(|archive| archive.target.contains("linux"))
    {
        let (Some(binary), Some(mut readelf)) = (archive.unpack(unpacked.path()), tool("readelf"))
        else {
            return;
        };
        let text = succeed(readelf.args(["--string-dump", ".noetl.build"]).arg(&binary));
        let commit = dist.manifest["release"]["commit"].as_str().unwrap();
        assert!(
            text.contains(commit) && text.contains(&archive.target),
            "{text}"
        );
        assert!(
            text.contains(dist.manifest["ui_sha256"].as_str().unwrap()),
            "{text}"
        );
    }
}

/// One bit of every file is changed at once, and a finding names each file. The manifest and the checksums, which all
/// others are compared with, are changed alone.
#[test]
fn a_flipped_bit_in_any_file_is_an_error() {
    let Some(dist) = Dist::find() else { return };
    let work = tempfile::tempdir().unwrap();
    assert!(show(xtask(&["verify"]).arg(&dist.folder)).ends_with("no rule is broken\n[exit 0]"));
    let artifacts = dist.manifest["artifacts"].as_array().unwrap();
    let names = artifacts.iter().map(|it| it["name"].as_str().unwrap());
    let names: Vec<_> = names.collect();
    for changed in [&names, &["dist-manifest.json"][..], &["SHA256SUMS"]] {
        let broken = work.path().join("dist");
        copy(&dist.folder, &broken);
        changed.iter().for_each(|name| flip(&broken.join(name)));
        // Every finding; the text for people shortens long lists.
        let output = xtask(&["verify", "--json"]).arg(&broken).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = findings.as_array().unwrap();
        for name in changed {
            // The flipped bit may be that of a line's end, so that SHA256SUMS names a file that is not there.
            let is_named = |it: &Value| {
                it["object"] == **name || it["message"].as_str().unwrap().contains(name)
            };
            let is_found = |it: &Value| is_named(it) && it["severity"] == "error";
            assert!(findings.iter().any(is_found), "{name:?}: {findings:?}");
        }
        fs::remove_dir_all(broken).unwrap();
    }
}

#[test]
fn a_second_run_rebuilds_nothing() {
    let Some(dist) = Dist::find() else { return };
    let before = fs::metadata(dist.folder.join("SHA256SUMS"))
        .unwrap()
        .modified()
        .unwrap();
    let targets: Vec<_> = dist
        .archives()
        .into_iter()
        .map(|archive| archive.target)
        .collect();
    let text = show(xtask(&["dist", "--targets", &targets.join(","), "--out"]).arg(&dist.folder));
    assert!(
        text.contains("is up to date") && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert_eq!(
        fs::metadata(dist.folder.join("SHA256SUMS"))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("dist-manifest.json"))
        .collect();
    assert_eq!(
        lines.len(),
        1,
        "each file is named with size and hash: {text}"
    );
    // With several paths, git succeeds when it ignores one of them.
    for path in ["dist/x", "bin/noetl", "noetl/server.py"] {
        let Some(mut git) = git(root()).filter(|_| is_checkout()) else {
            return;
        };
        succeed(git.args(["check-ignore", path]));
    }
}
