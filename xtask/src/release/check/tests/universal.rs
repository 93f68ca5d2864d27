//! Archives for both kinds of Macs, and the rules that they break: the dist of these tests has no Mac binaries.

use super::{Change, add};
use crate::fixtures;
use crate::release::check::Files;
use crate::release::dist_manifest::Content;
use crate::release::packages::archives;
use crate::release::packages::universal::{self, UNIVERSAL};

/// Adds an archive with this binary, and this time.
fn pack(files: &mut Files, binary: Vec<u8>, time: u64) {
    let release = fixtures::release();
    let entries = archives::entries(&release, &UNIVERSAL, binary, &fixtures::companions());
    let packed = archives::pack(&UNIVERSAL, &entries, time).unwrap();
    let name = archives::file_name(&release, &UNIVERSAL);
    add(files, &name, packed, Content::Universal);
}

fn joined() -> Vec<u8> {
    universal::join([b"one", b"other"]).unwrap()
}

/// Returns changes with the rules that they break.
pub(super) fn mutants() -> [(&'static str, Change<Files>); 3] {
    [
        ("A4", |it| {
            pack(
                it,
                b"a program for one".to_vec(),
                fixtures::release().commit_time,
            )
        }),
        ("A5 B8", |it| pack(it, joined(), 1_700_000_000)),
        ("B8", |it| {
            pack(it, joined(), fixtures::release().commit_time)
        }),
    ]
}
