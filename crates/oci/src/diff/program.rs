//! Two programs, section by section, and what they say of themselves.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSection as _};
use serde_json::Value;

use crate::diff::change::ChangeCollector;
use crate::diff::document;

/// What a program says of itself, such as a build stamp.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// What it is called in changes, such as `stamp`.
    pub name: &'static str,
    /// The section of the program that holds it; it is not compared by its bytes.
    pub section: &'static str,
    /// What it says.
    pub value: Value,
}

/// Reads what a program says of itself; `None` when it says nothing.
pub type Describe = fn(&[u8]) -> Option<Description>;

/// Adds what differs between two programs; returns false when they are none, or nothing could be named.
pub(super) fn compare(
    one: &[u8],
    other: &[u8],
    describe: Option<Describe>,
    found: &mut ChangeCollector,
) -> bool {
    let (Some(before), Some(after)) = (sections(one), sections(other)) else {
        return false;
    };
    let changes = found.changes.len();
    let descriptions = describe.and_then(|describe| describe(one).zip(describe(other)));
    let described = descriptions.as_ref().map(|(one, _)| one.section);
    if let Some((one, other)) = descriptions {
        let named =
            |it: Description| Value::Object([(it.name.to_owned(), it.value)].into_iter().collect());
        document::compare(&named(one), &named(other), found);
    }
    let size = |data: &[u8]| format!("{} bytes", data.len());
    for (name, data) in &before {
        if described == Some(name) {
            continue;
        }
        match after.get(name) {
            Some(other) if other == data => {}
            Some(other) if other.len() == data.len() => {
                let pairs = data.iter().zip(other.iter());
                let differing = pairs.filter(|(one, other)| one != other).count();
                let changed = format!("{}, {differing} of them others", size(data));
                found.differ(name, size(data), changed);
            }
            Some(other) => {
                let growth = growth(data.len(), other.len());
                found.differ(name, size(data), format!("{} ({growth})", size(other)));
            }
            None => found.add(name, Some(size(data)), None),
        }
    }
    for (name, data) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        found.add(name, None, Some(size(data)));
    }
    found.changes.len() > changes
}

/// Returns the sections by name; those that repeat one, with a number.
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

/// Returns a difference in size, such as `+412.0 KiB`.
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
