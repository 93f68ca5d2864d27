//! Tags, versions and contents of wheels.

use super::*;
use crate::fixtures;
use crate::release::binary;
use crate::release::target::TARGETS;

fn facts(target: &Target) -> Facts {
    Facts {
        os: target.os,
        libraries: Vec::new(),
        glibc: (target.libc == Libc::Glibc).then_some((2, 17)),
        macos_minimum: (target.os == Os::Mac).then_some((11, 3)),
        ..binary::facts(&fixtures::program(&TARGETS[0])).unwrap()
    }
}

#[test]
fn tags_are_those_of_the_measured_binary() {
    let tags = TARGETS
        .iter()
        .map(|target| tags(target, &facts(target)).unwrap().join("."));
    insta::assert_snapshot!(tags.collect::<Vec<_>>().join("\n"), @r"
    manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64
    manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64
    macosx_11_0_x86_64
    macosx_11_0_arm64
    win_amd64
    win_arm64
    manylinux_2_17_x86_64.manylinux2014_x86_64
    manylinux_2_17_aarch64.manylinux2014_aarch64
    ");
    let newer = Facts {
        glibc: Some((2, 28)),
        ..facts(&TARGETS[6])
    };
    assert_eq!(
        super::tags(&TARGETS[6], &newer).unwrap(),
        ["manylinux_2_28_x86_64"]
    );
    let dynamic = Facts {
        glibc: Some((2, 17)),
        ..facts(&TARGETS[0])
    };
    assert!(super::tags(&TARGETS[0], &dynamic).is_err());
    assert!(super::tags(&TARGETS[2], &facts(&TARGETS[0])).is_err());
}

#[test]
fn versions_are_written_as_python_does() {
    for (version, expected) in [
        ("1.2.3", "1.2.3"),
        ("1.2.3-rc.1", "1.2.3rc1"),
        ("1.2.3-alpha", "1.2.3a0"),
        ("1.2.3-beta.12", "1.2.3b12"),
        ("1.2.3-nightly.20260131", "1.2.3.dev20260131"),
    ] {
        assert_eq!(pep440(version).unwrap(), expected);
    }
    for version in ["1.2.3-snapshot.1", "1.2.3-rc.x", "1.2.3-"] {
        assert!(pep440(version).is_err(), "{version}");
    }
}

#[test]
fn contents_are_those_that_were_packed() {
    let (release, target) = (fixtures::release(), &TARGETS[0]);
    let tags = tags(target, &facts(target)).unwrap();
    let given = fixtures::wheel(target);
    let entries = entries(&release, target, &tags, &given).unwrap();
    let paths = entries
        .iter()
        .map(|it| format!("{:o} {}\n", it.mode, it.path));
    insta::assert_snapshot!(paths.collect::<String>(), @r"
    644 noetl/__init__.py
    644 noetl/__main__.py
    644 noetl/_launcher.py
    644 noetl/server.py
    644 noetlctl-1.2.3.data/data/share/bash-completion/completions/noetl
    644 noetlctl-1.2.3.data/data/share/fish/vendor_completions.d/noetl.fish
    644 noetlctl-1.2.3.data/data/share/man/man1/noetl.1
    644 noetlctl-1.2.3.data/data/share/zsh/site-functions/_noetl
    755 noetlctl-1.2.3.data/scripts/noetl
    644 noetlctl-1.2.3.dist-info/METADATA
    644 noetlctl-1.2.3.dist-info/WHEEL
    644 noetlctl-1.2.3.dist-info/licenses/LICENSE
    644 noetlctl-1.2.3.dist-info/licenses/THIRD-PARTY-LICENSES
    644 noetlctl-1.2.3.dist-info/sboms/noetl.cdx.json
    644 noetlctl-1.2.3.dist-info/RECORD
    ");
    let found = contents(&release, target, entries.clone()).unwrap();
    let held: Vec<_> = given
        .companions
        .iter()
        .filter(|it| holds(&it.path))
        .cloned()
        .collect();
    assert_eq!(
        (found.companions.clone(), &found.launcher),
        (held, &given.launcher)
    );
    let again = super::entries(&release, target, &tags, &found).unwrap();
    assert_eq!(again, entries);
    for at in 0..entries.len() {
        let mut less = entries.clone();
        let removed = less.remove(at).path;
        let again = contents(&release, target, less.clone());
        let again = again.and_then(|it| super::entries(&release, target, &tags, &it));
        let is_found = again.map_or(true, |again| again != less);
        let is_companion = removed.contains("/share/") || removed.contains("/licenses/");
        assert!(is_found || is_companion, "{removed}");
    }
    let mut more = entries;
    more.push(Entry::file("evil.py", 0o644, ""));
    assert!(contents(&release, target, more).is_err());
}
