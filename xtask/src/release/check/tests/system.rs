//! Changes of packages of Linux distributions, and the rules that they break.

use noetl_oci::Blob;
use noetl_oci::tar::Entry;

use super::{Change, bytes, edit, other_program, rename, seal};
use crate::fixtures;
use crate::release::check::Files;
use crate::release::packages::{deb, rpm};
use crate::release::target::{Arch, TARGETS};
use crate::release::version::Release;

const DEB: &str = "noetl_1.2.3-1_amd64.deb";
const RPM: &str = "noetl-1.2.3-1.x86_64.rpm";

/// Removes the repositories, whose lists would differ as well.
fn alone(files: &mut Files) {
    files.retain(|name, _| !name.contains('/'));
}

/// Renames a package, with a matching manifest and checksums.
fn renamed(files: &mut Files, from: &str, to: &str) {
    alone(files);
    rename(files, from, to);
}

/// Changes files and time of the deb, with a matching manifest and checksums.
fn of_deb(files: &mut Files, change: impl Fn(&mut deb::Package, &mut u64)) {
    alone(files);
    let mut package = deb::read(&bytes(files, DEB)).unwrap();
    let mut time = fixtures::release().commit_time;
    change(&mut package, &mut time);
    let packed = deb::write(&package, time).unwrap();
    files.insert(DEB.to_owned(), packed.into());
    seal(files);
}

/// The same for the rpm.
fn of_rpm(files: &mut Files, change: impl Fn(&mut Vec<Entry>, &mut Release)) {
    alone(files);
    let mut entries = rpm::read(&bytes(files, RPM)).unwrap();
    let mut release = fixtures::release();
    change(&mut entries, &mut release);
    let packed = rpm::write(&release, &TARGETS[0], &entries).unwrap();
    files.insert(RPM.to_owned(), packed.into());
    seal(files);
}

fn cut(files: &mut Files, name: &str) {
    alone(files);
    edit(files, name, |bytes| bytes.truncate(500));
}

fn entry<'a>(entries: &'a mut [Entry], end: &str) -> &'a mut Entry {
    let mut entries = entries.iter_mut();
    entries.find(|entry| entry.path.ends_with(end)).unwrap()
}

fn other() -> Blob {
    other_program(Arch::X86_64, "")
}

/// Returns changes with the rules that they break.
pub(super) fn mutants() -> [(&'static str, Change<Files>); 17] {
    [
        ("A3", |it| renamed(it, DEB, "noetl.deb")),
        ("A3", |it| renamed(it, RPM, "noetl.rpm")),
        ("B8", |it| {
            of_deb(it, |it, _| {
                entry(&mut it.data, "bin/noetl").content = other()
            });
        }),
        ("B8", |it| {
            of_rpm(it, |it, _| entry(it, "bin/noetl").content = other());
        }),
        ("L1", |it| {
            of_deb(it, |it, _| it.data.retain(|it| !it.path.ends_with("noetl")));
        }),
        ("L1", |it| {
            of_deb(it, |it, _| it.data.push(Entry::file("./usr/x", 0o644, "")));
        }),
        ("L1", |it| {
            of_deb(it, |it, _| {
                entry(&mut it.data, ".service").content = "".into()
            });
        }),
        ("L1", |it| {
            of_deb(it, |it, _| {
                entry(&mut it.control, "postinst").content = "".into()
            });
        }),
        ("L1", |it| {
            of_rpm(it, |it, _| it.push(Entry::file("./usr/x", 0o644, "")));
        }),
        ("L1", |it| {
            of_rpm(it, |it, _| entry(it, ".env").content = "".into());
        }),
        ("A2 L1", |it| cut(it, DEB)),
        ("A2 L1", |it| cut(it, RPM)),
        ("L2", |it| {
            of_deb(it, |it, _| entry(&mut it.data, ".env").mode = 0o644);
        }),
        ("L2", |it| of_deb(it, |_, time| *time += 1)),
        ("L2", |it| {
            of_rpm(it, |it, _| entry(it, ".env").mode = 0o644)
        }),
        ("L2", |it| of_rpm(it, |_, release| release.commit_time += 1)),
        ("L2", |it| of_rpm(it, |_, it| it.version = "1.2.4".into())),
    ]
}
