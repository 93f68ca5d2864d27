//! Two layers, entry by entry.

use std::io::Read as _;

use anyhow::Context as _;

use crate::diff::{Found, program};
use crate::digest::Sha256;
use crate::oci::layout::Layout;
use crate::oci::opened::Layer;

/// One entry of a tar, in all that a runtime unpacks.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    path: String,
    kind: &'static str,
    mode: u32,
    owner: String,
    mtime: u64,
    link: String,
    extended: String,
    bytes: Vec<u8>,
}

/// Adds what differs; whether both are there with the same uncompressed bytes.
pub(super) fn compare(
    (one, one_layout): (Option<&Layer>, &Layout),
    (other, other_layout): (Option<&Layer>, &Layout),
    found: &mut Found,
) -> bool {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => {
            let [before, after] = [one, other].map(|layer| layer.map(described));
            found.add("", before, after);
            return false;
        }
    };
    if one.digest == other.digest {
        return true;
    }
    let tars = (one.tar(one_layout), other.tar(other_layout));
    let (Ok(before), Ok(after)) = tars else {
        found.differ("", described(one), described(other));
        return false;
    };
    if before == after {
        found.differ("compression", described(one), described(other));
        return true;
    }
    match (entries(&before), entries(&after)) {
        (Ok(one), Ok(other)) => compare_entries(&one, &other, found),
        _ => found.differ("", described(one), described(other)),
    }
    false
}

fn described(layer: &Layer) -> String {
    format!("{} of {} bytes", layer.digest, layer.size)
}

fn compare_entries(one: &[Entry], other: &[Entry], found: &mut Found) {
    let changes = found.changes.len();
    let find =
        |entries: &'_ [Entry], path: &str| entries.iter().position(|entry| entry.path == path);
    for entry in one {
        found.path.clone_from(&entry.path);
        match find(other, &entry.path) {
            Some(position) => compare_entry(entry, &other[position], found),
            None => found.add("", Some(summary(entry)), None),
        }
    }
    for entry in other
        .iter()
        .filter(|entry| find(one, &entry.path).is_none())
    {
        found.path.clone_from(&entry.path);
        found.add("", None, Some(summary(entry)));
    }
    found.path.clear();
    let order = |these: &[Entry], those: &[Entry]| -> Vec<String> {
        let paths = these.iter().map(|entry| entry.path.clone());
        paths.filter(|path| find(those, path).is_some()).collect()
    };
    let (before, after) = (order(one, other), order(other, one));
    if let Some((before, after)) = before.iter().zip(&after).find(|(one, other)| one != other) {
        found.differ("order of entries", before, after);
    }
    if found.changes.len() == changes {
        found.differ("tar headers", "fields that nobody unpacks", "others");
    }
}

fn compare_entry(one: &Entry, other: &Entry, found: &mut Found) {
    let fields = |entry: &Entry| {
        [
            ("kind", entry.kind.to_owned()),
            ("mode", format!("{:04o}", entry.mode)),
            ("owner", entry.owner.clone()),
            ("mtime", entry.mtime.to_string()),
            ("link", entry.link.clone()),
            ("extended attributes", entry.extended.clone()),
        ]
    };
    for ((name, before), (_, after)) in fields(one).into_iter().zip(fields(other)) {
        if before != after {
            found.differ(name, before, after);
        }
    }
    if one.bytes == other.bytes || program::compare(&one.bytes, &other.bytes, found) {
        return;
    }
    let content = |entry: &Entry| {
        format!(
            "{} bytes, {}",
            entry.bytes.len(),
            Sha256::of(&entry.bytes).oci()
        )
    };
    found.differ("content", content(one), content(other));
}

fn summary(entry: &Entry) -> String {
    let Entry {
        kind, mode, owner, ..
    } = entry;
    let size = if entry.kind == "file" {
        format!(", {} bytes", entry.bytes.len())
    } else {
        String::new()
    };
    format!("{kind} {mode:04o} {owner}{size}")
}

fn entries(tar: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for entry in tar::Archive::new(tar).entries().context("not a tar")? {
        let mut entry = entry.context("the tar is damaged")?;
        let path = String::from_utf8_lossy(&entry.path_bytes())
            .trim_start_matches("./")
            .trim_end_matches('/')
            .to_owned();
        let link = entry.link_name_bytes();
        let link = link.map(|link| String::from_utf8_lossy(&link).into_owned());
        let mut extended = Vec::new();
        for pair in entry.pax_extensions()?.into_iter().flatten() {
            let pair = pair?;
            let key = String::from_utf8_lossy(pair.key_bytes());
            if key.starts_with("SCHILY.xattr.") {
                let value = Sha256::of(pair.value_bytes());
                extended.push(format!("{key}={value}"));
            }
        }
        let mut bytes = Vec::new();
        entry
            .read_to_end(&mut bytes)
            .with_context(|| format!("{path} is cut short"))?;
        let header = entry.header();
        let repeats = entries.iter().filter(|known| known.path == path).count();
        entries.push(Entry {
            path: if repeats == 0 {
                path
            } else {
                format!("{path} ({})", repeats + 1)
            },
            kind: kind(header.entry_type()),
            mode: header.mode()?,
            owner: format!("{}:{}", header.uid()?, header.gid()?),
            mtime: header.mtime()?,
            link: link.unwrap_or_default(),
            extended: extended.join(", "),
            bytes,
        });
    }
    Ok(entries)
}

fn kind(kind: tar::EntryType) -> &'static str {
    match kind {
        kind if kind.is_file() => "file",
        kind if kind.is_dir() => "folder",
        kind if kind.is_symlink() => "symlink",
        kind if kind.is_hard_link() => "hard link",
        _ => "special",
    }
}
