//! Compares the files of two dists: which differ, and in which member and section.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use camino::Utf8Path;
use noetl_oci::tar::Entry;
use noetl_oci::{Blob, Sha256};
use object::{Object as _, ObjectSection as _};

use crate::host::files;
use crate::release::dist_manifest::{DistManifest, FILE_NAME, SUMS_NAME};
use crate::release::packages::{archives, deb, repositories, rpm, zip};
use crate::release::proof::Proof;

/// How many differences in one file are listed.
const LISTED: usize = 5;

/// Returns a line for every file that differs, and for what differs in it. Files that only `other` has are left out when
/// `partly`, since a release that was downloaded has only some; signatures and proofs are left out, since those contain
/// a time and these are of the machine.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn differences(
    one: &Utf8Path,
    other: &Utf8Path,
    partly: bool,
) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    let signed = repositories::signed_paths();
    let list = |folder: &Utf8Path| {
        let names = files::list(folder)?.into_iter();
        anyhow::Ok(
            names
                .filter(|name| !signed.contains(name))
                .collect::<BTreeSet<_>>(),
        )
    };
    let (in_one, in_other) = (list(one)?, list(other)?);
    for name in in_one.union(&in_other) {
        match (in_one.contains(name), in_other.contains(name)) {
            (true, true) => {}
            (true, false) => lines.push(format!("{name}: {other} does not have it")),
            _ if partly => {}
            _ => lines.push(format!("{name}: {one} does not have it")),
        }
        if in_one.contains(name) && in_other.contains(name) {
            let read = |folder: &Utf8Path| {
                let bytes = files::read(&folder.join(name))?;
                anyhow::Ok(without_signatures_and_proofs(name, &signed, bytes))
            };
            let (one, other) = (read(one)?, read(other)?);
            if one != other {
                let found = of_files(name, &one, &other);
                lines.extend(found.into_iter().map(|what| format!("{name}: {what}")));
            }
        }
    }
    Ok(lines)
}

/// Returns a file without what it says of signatures, and of the machine that made it.
fn without_signatures_and_proofs(name: &str, signed: &[String], bytes: Vec<u8>) -> Vec<u8> {
    match name {
        FILE_NAME => {
            let parsed = serde_json::from_slice::<DistManifest>(&bytes);
            let shortened = parsed.and_then(|mut dist_manifest| {
                let artifacts = &mut dist_manifest.artifacts;
                artifacts.retain(|it| !signed.contains(&it.name));
                // It is of the machine.
                for artifact in artifacts {
                    artifact.proof = Proof::NotChecked;
                }
                serde_json::to_vec(&dist_manifest)
            });
            shortened.unwrap_or(bytes)
        }
        SUMS_NAME => {
            let text = String::from_utf8_lossy(&bytes);
            let lines = text
                .split_inclusive('\n')
                .filter(|line| !line.contains(FILE_NAME));
            lines.collect::<String>().into_bytes()
        }
        _ => bytes,
    }
}

/// Returns what differs in a file: members, sections of programs, or else the place of the first byte.
fn of_files(name: &str, one: &[u8], other: &[u8]) -> Vec<String> {
    if let (Ok(Some(one)), Ok(Some(other))) = (members(name, one), members(name, other)) {
        let found = of_members(&one, &other);
        return match found.is_empty() {
            true => vec![archives::REPACKED.to_owned()],
            false => found,
        };
    }
    of_bytes(one, other)
}

/// Returns the members of a package; none when the file is no package.
fn members(name: &str, bytes: &[u8]) -> anyhow::Result<Option<BTreeMap<String, Blob>>> {
    let is = |extensions: &[&str]| extensions.iter().any(|it| name.ends_with(it));
    let entries = if is(&[".tar.gz", ".tgz"]) {
        archives::untar_gz(bytes)?
    } else if is(&[".zip", ".whl"]) {
        zip::unpack(bytes)?
    } else if is(&[".deb"]) {
        let package = deb::read(bytes)?;
        let control = package.control.into_iter().map(|entry| Entry {
            path: format!("control/{}", entry.path),
            ..entry
        });
        control.chain(package.data).collect()
    } else if is(&[".rpm"]) {
        rpm::read(bytes)?
    } else {
        return Ok(None);
    };
    Ok(Some(
        entries
            .into_iter()
            .map(|entry| (entry.path, entry.content))
            .collect(),
    ))
}

fn of_members(one: &BTreeMap<String, Blob>, other: &BTreeMap<String, Blob>) -> Vec<String> {
    let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let (Some(one), Some(other)) = (one.get(name), other.get(name)) else {
            found.push(format!("{name} is in one of them"));
            continue;
        };
        match (one.read(), other.read()) {
            (Ok(one), Ok(other)) if one == other => {}
            (Ok(one), Ok(other)) => {
                let places = of_bytes(&one, &other);
                found.extend(places.into_iter().map(|place| format!("{name}: {place}")));
            }
            _ => found.push(format!("{name} cannot be read")),
        }
    }
    found.truncate(LISTED);
    found
}

/// Returns the sections of two programs that differ, or else the place of the first byte that does.
fn of_bytes(one: &[u8], other: &[u8]) -> Vec<String> {
    if let (Ok(one), Ok(other)) = (sections(one), sections(other)) {
        let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
        let differing = names
            .into_iter()
            .filter(|name| one.get(*name) != other.get(*name));
        let mut lines: Vec<_> = differing.map(|name| format!("section {name}")).collect();
        lines.truncate(LISTED);
        if !lines.is_empty() {
            return lines;
        }
    }
    let equal = one
        .iter()
        .zip(other)
        .take_while(|(one, other)| one == other);
    let (at, lengths) = (equal.count(), (one.len(), other.len()));
    vec![format!("byte {at} of {} and {}", lengths.0, lengths.1)]
}

/// Returns the hashes of the sections of a program.
fn sections(bytes: &[u8]) -> anyhow::Result<BTreeMap<String, Sha256>> {
    let file = object::File::parse(bytes).context("not a program")?;
    let sections = file.sections().map(|section| {
        let name = section.name().context("a section has no name")?;
        let data = section.data().context("a section has no data")?;
        Ok((name.to_owned(), Sha256::of(data)))
    });
    sections.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::stamp::Stamp;
    use crate::release::target::Target;

    /// Writes a dist whose programs have a changed stamp.
    fn write(folder: &Utf8Path, change: impl Fn(&mut Stamp)) {
        let program = |target: &Target| {
            let mut stamp = fixtures::stamp(target);
            change(&mut stamp);
            fixtures::elf(target.arch, &stamp)
        };
        for (name, blob) in fixtures::dist(program) {
            files::write(&folder.join(name), blob.read().unwrap()).unwrap();
        }
    }

    #[test]
    fn differences_name_the_member_and_the_section() {
        let guard = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(guard.path()).unwrap();
        let (one, same, other) = (
            folder.join("one"),
            folder.join("same"),
            folder.join("other"),
        );
        write(&one, |_| {});
        write(&same, |_| {});
        write(&other, |it| it.rustc = "rustc 1.0.1".to_owned());
        assert_eq!(
            differences(&one, &same, false).unwrap(),
            Vec::<String>::new()
        );
        let lines = differences(&one, &other, false).unwrap();
        for expected in [
            "noetl-v1.2.3-x86_64-unknown-linux-musl.tar.gz: noetl-v1.2.3-x86_64-unknown-linux-musl/noetl: section .noetl.build",
            "noetl_1.2.3-1_amd64.deb: ./usr/bin/noetl: section .noetl.build",
            "noetl-1.2.3-1.x86_64.rpm: ./usr/bin/noetl: section .noetl.build",
            "noetl-cli-linux-x64-1.2.3.tgz: package/bin/noetl: section .noetl.build",
        ] {
            assert!(
                lines.iter().any(|line| line == expected),
                "{expected}: {lines:#?}"
            );
        }
        files::remove(&same.join("install.sh")).unwrap();
        let lines = differences(&one, &same, false).unwrap();
        assert_eq!(lines, [format!("install.sh: {same} does not have it")]);
        assert_eq!(
            differences(&same, &one, true).unwrap(),
            Vec::<String>::new()
        );
    }
}
