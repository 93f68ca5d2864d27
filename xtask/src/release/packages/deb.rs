//! Debian packages, as deb(5), deb-control(5) and the Debian Policy describe them: an `ar` archive of the format's
//! version, the control files and the installed files.

use std::fmt::Write as _;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use noetl_oci::Blob;
use noetl_oci::gzip::gzip;
use noetl_oci::tar::Entry;

use crate::release::binary::Facts;
use crate::release::packages::archives;
use crate::release::packages::companions::Companion;
use crate::release::packages::system::{self, Family, MAINTAINER, NAME};
use crate::release::target::{Arch, Target};
use crate::release::version::Release;
use crate::release::workspace::REPOSITORY;

const MAGIC: &[u8] = b"!<arch>\n";
const HEADER: usize = 60;
/// The content of the first member.
const FORMAT: &[u8] = b"2.0\n";
/// The members, in the order that dpkg requires.
const MEMBERS: [&str; 3] = ["debian-binary", "control.tar.gz", "data.tar.gz"];
/// What lintian reports and this package does on purpose.
const OVERRIDES: &str = include_str!("system/lintian-overrides");
const LICENSE: &str = include_str!("../../../../LICENSE");

/// Returns Debian's name of an instruction set.
pub(crate) fn architecture(target: &Target) -> &'static str {
    match target.arch {
        Arch::X86_64 => "amd64",
        Arch::Aarch64 => "arm64",
    }
}

/// Returns the version: the release's, and the revision of the package, which is always 1.
pub(crate) fn version(release: &Release) -> String {
    format!("{}-1", system::version(release))
}

/// Returns the file name.
pub(crate) fn file_name(release: &Release, target: &Target) -> String {
    format!("{NAME}_{}_{}.deb", version(release), architecture(target))
}

/// The files of a package.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// What tells dpkg about it: the control file, the scripts, the list of settings.
    pub control: Vec<Entry>,
    /// What it installs, with paths that begin with `./`.
    pub data: Vec<Entry>,
}

/// Returns the package of a binary; of the companions, those that Debian has a place for.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn package(
    release: &Release,
    target: &Target,
    facts: &Facts,
    binary: Blob,
    companions: &[Companion],
) -> anyhow::Result<Package> {
    let mut files = system::files(Family::Debian, binary, companions)?;
    let text = |path: &str, text: String| Entry::file(path, 0o644, text.into_bytes());
    files.push(text("usr/share/doc/noetl/copyright", copyright()));
    let changelog = gzip(changelog(release)?.as_bytes())?;
    files.push(Entry::file(
        "usr/share/doc/noetl/changelog.Debian.gz",
        0o644,
        changelog,
    ));
    files.push(text(
        "usr/share/lintian/overrides/noetl",
        OVERRIDES.to_owned(),
    ));
    let kibibytes = files.iter().map(|it| it.content.length().div_ceil(1024));
    let size: u64 = kibibytes.sum();
    let control = [
        text("control", control(release, target, facts, size)?),
        text("conffiles", format!("/{}\n", system::SETTINGS)),
        script("postinst", "configure", system::CONFIGURE),
        script("prerm", "remove", system::STOP),
        script("postrm", "remove", system::REMOVED),
    ];
    Ok(Package {
        control: archives::in_folder(".", control),
        data: archives::in_folder(".", files),
    })
}

/// Writes a package; `mtime`, in seconds since 1970, is the time of all its files.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn write(package: &Package, mtime: u64) -> anyhow::Result<Vec<u8>> {
    let control = archives::tar_gz(&package.control, mtime)?;
    let data = archives::tar_gz(&package.data, mtime)?;
    ar(&[FORMAT, &control, &data], mtime)
}

/// Reads a package.
///
/// # Errors
/// When it is damaged.
pub(crate) fn read(bytes: &[u8]) -> anyhow::Result<Package> {
    let [_, control, data] = members(bytes)?;
    Ok(Package {
        control: archives::untar_gz(control)?,
        data: archives::untar_gz(data)?,
    })
}

/// Whether [`write()`] makes these bytes of a package.
///
/// # Errors
/// When they are damaged.
pub(crate) fn is_written_from(package: &Package, mtime: u64, bytes: &[u8]) -> anyhow::Result<bool> {
    let [format, control, data] = members(bytes)?;
    Ok(format == FORMAT
        && archives::is_tar_gz_of(&package.control, mtime, control)?
        && archives::is_tar_gz_of(&package.data, mtime, data)?
        && ar(&[format, control, data], mtime)? == bytes)
}

fn script(path: &str, action: &str, body: &str) -> Entry {
    let indented = body.lines().map(|line| format!("    {line}\n"));
    let indented: String = indented.collect();
    let text = format!("#!/bin/sh\nset -e\nif [ \"$1\" = {action} ]; then\n{indented}fi\n");
    Entry::file(path, 0o755, text.into_bytes())
}

fn control(release: &Release, target: &Target, facts: &Facts, size: u64) -> anyhow::Result<String> {
    // Whatever makes the user of the service.
    let mut depends = vec!["passwd".to_owned()];
    depends.extend(
        facts
            .glibc
            .map(|(major, minor)| format!("libc6 (>= {major}.{minor})")),
    );
    let mut text = format!(
        "Package: {NAME}\nVersion: {}\nArchitecture: {}\nMaintainer: {MAINTAINER}\nInstalled-Size: {size}\n\
         Depends: {}\nSection: net\nPriority: optional\nHomepage: {REPOSITORY}\nDescription: {}\n",
        version(release),
        architecture(target),
        depends.join(", "),
        system::SUMMARY,
    );
    for line in system::DESCRIPTION {
        writeln!(text, " {line}")?;
    }
    Ok(text)
}

fn copyright() -> String {
    let license = LICENSE
        .trim_end()
        .lines()
        .skip_while(|line| !line.starts_with("Permission"));
    let license = license.map(|line| match line.trim() {
        "" => " .\n".to_owned(),
        line => format!(" {line}\n"),
    });
    let holder = LICENSE
        .lines()
        .find_map(|line| line.strip_prefix("Copyright (c) "));
    let (holder, license) = (holder.unwrap_or("NoETL"), license.collect::<String>());
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: {NAME}\n\
         Source: {REPOSITORY}\nComment: third-party.gz has the licences of the libraries in the program.\n\n\
         Files: *\nCopyright: {holder}\nLicense: Expat\n{license}"
    )
}

fn changelog(release: &Release) -> anyhow::Result<String> {
    let time = Timestamp::from_second(i64::try_from(release.commit_time)?)?;
    let time = rfc2822::to_string(&time.to_zoned_datetime(TimeZone::UTC))?;
    Ok(format!(
        "{NAME} ({}) stable; urgency=medium\n\n  * Version {}: changelog.gz says what changed.\n\n -- {MAINTAINER}  {time}\n",
        version(release),
        release.version,
    ))
}

/// Writes the members in the common format of `ar`.
fn ar(members: &[&[u8]; 3], mtime: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = MAGIC.to_vec();
    for (name, member) in MEMBERS.iter().zip(members) {
        let header = format!(
            "{name:<16}{mtime:<12}{:<6}{:<6}{:<8}{:<10}`\n",
            0,
            0,
            "100644",
            member.len()
        );
        ensure!(
            header.len() == HEADER,
            "{name} does not fit in an ar header"
        );
        bytes.extend(header.as_bytes());
        bytes.extend(*member);
        if member.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    Ok(bytes)
}

/// Returns the contents of the members.
fn members(bytes: &[u8]) -> anyhow::Result<[&[u8]; 3]> {
    let mut rest = bytes.strip_prefix(MAGIC).context("not an ar archive")?;
    let mut found = [[].as_slice(); 3];
    for (name, found) in MEMBERS.iter().zip(&mut found) {
        let (header, after) = rest
            .split_at_checked(HEADER)
            .with_context(|| format!("{name} is missing"))?;
        let header = std::str::from_utf8(header).context("an ar header is not text")?;
        let (found_name, size) = (header.get(..16), header.get(48..58));
        ensure!(
            found_name.map(str::trim_end) == Some(name),
            "{name} is missing"
        );
        let size = size
            .and_then(|size| size.trim_end().parse().ok())
            .context("an ar header has no size")?;
        let (member, after) = after
            .split_at_checked(size)
            .with_context(|| format!("{name} is cut short"))?;
        *found = member;
        rest = match size % 2 {
            0 => after,
            _ => after
                .get(1..)
                .with_context(|| format!("{name} is cut short"))?,
        };
    }
    if !rest.is_empty() {
        bail!("{} bytes follow {}", rest.len(), MEMBERS[2]);
    }
    Ok(found)
}
