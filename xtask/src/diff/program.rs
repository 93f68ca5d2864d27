//! Two programs, section by section, and what their build stamps say.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSection as _};

use crate::diff::{Found, document};
use crate::stamp;

/// Adds what differs between two programs; false when they are none, or nothing could be named.
pub(super) fn compare(one: &[u8], other: &[u8], found: &mut Found) -> bool {
    let (Some(before), Some(after)) = (sections(one), sections(other)) else {
        return false;
    };
    let changes = found.changes.len();
    let stamps = (stamp::read(one), stamp::read(other));
    let has_stamps = stamps.0.is_ok() && stamps.1.is_ok();
    if let (Ok(one), Ok(other)) = stamps
        && one != other
    {
        let stamp = |stamp| serde_json::json!({ "stamp": stamp });
        document::compare(&stamp(one), &stamp(other), found);
    }
    for (name, data) in &before {
        // The stamp has been told in words.
        if has_stamps && name.contains("noetl") {
            continue;
        }
        match after.get(name) {
            Some(other) if other == data => {}
            Some(other) if other.len() == data.len() => {
                let pairs = data.iter().zip(other.iter());
                let differing = pairs.filter(|(one, other)| one != other).count();
                let size = format!("{} bytes", data.len());
                let changed = format!("{size}, {differing} of them others");
                found.differ(name, size, changed);
            }
            Some(other) => found.differ(
                name,
                format!("{} bytes", data.len()),
                format!(
                    "{} bytes ({})",
                    other.len(),
                    growth(data.len(), other.len())
                ),
            ),
            None => found.add(name, Some(format!("{} bytes", data.len())), None),
        }
    }
    for (name, data) in &after {
        if !before.contains_key(name) {
            found.add(name, None, Some(format!("{} bytes", data.len())));
        }
    }
    found.changes.len() > changes
}

/// The sections by name; those that repeat one, with a number.
fn sections(bytes: &[u8]) -> Option<BTreeMap<String, &[u8]>> {
    let file = object::File::parse(bytes).ok()?;
    let mut sections: BTreeMap<String, &[u8]> = BTreeMap::new();
    for section in file.sections() {
        let name = section.name().ok()?.to_owned();
        let repeats = sections.keys().filter(|known| **known == name).count();
        let name = if repeats == 0 {
            name
        } else {
            format!("{name} ({})", sections.len())
        };
        sections.insert(name, section.data().ok()?);
    }
    Some(sections)
}

/// `+412.0 KiB`.
fn growth(before: usize, after: usize) -> String {
    let (sign, bytes) = if after >= before {
        ('+', after - before)
    } else {
        ('-', before - after)
    };
    if bytes < 1024 {
        format!("{sign}{bytes} bytes")
    } else {
        format!("{sign}{:.1} KiB", bytes as f64 / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::target::TARGETS;

    #[test]
    fn sections_are_compared_where_there_is_no_stamp_to_read() {
        let program = |commit: &str| {
            let mut stamp = fixtures::stamp(&TARGETS[0]);
            stamp.commit = commit.to_owned();
            let mut elf = fixtures::elf(TARGETS[0].arch, &stamp);
            let at = memchr::memmem::find(&elf, b"schema").unwrap();
            elf[at] = b'x';
            elf
        };
        let lines = |one: &[u8], other: &[u8]| -> Vec<String> {
            let mut found = Found::default();
            compare(one, other, &mut found);
            found.changes.iter().map(ToString::to_string).collect()
        };
        let (short, long) = (program("a"), program(&"a".repeat(3000)));
        let section = |program: &[u8]| sections(program).unwrap()[".noetl.build"].len();
        let (before, after) = (section(&short), section(&long));
        assert_eq!(
            lines(&short, &long),
            [format!(
                "~ .noetl.build: {before} bytes -> {after} bytes (+2.9 KiB)"
            )]
        );
        let same_size =
            format!("~ .noetl.build: {before} bytes -> {before} bytes, 1 of them others");
        assert_eq!(lines(&short, &program("b")), [same_size]);
        assert!(lines(&short, &short).is_empty());
        assert!(!compare(b"text", &short, &mut Found::default()));
    }
}
