//! Compares two programs, section by section, and the descriptions in them.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSection as _};
use serde_json::Value;

use crate::diff::change::ChangeCollector;
use crate::diff::document;

/// A description that a program contains, such as a build stamp.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The beginning of the names of its fields in changes, such as `stamp`.
    pub name: &'static str,
    /// The section of the program that contains it. The bytes of this section are not compared.
    pub section: &'static str,
    /// The description.
    pub value: Value,
}

/// Reads the description in the bytes of a program; `None` when it contains none.
pub type Describe = fn(&[u8]) -> Option<Description>;

/// Adds the changes between two programs; returns false when they are not programs, or no change was found.
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
                let changed = format!("{}, {differing} of them different", size(data));
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

/// Returns the sections by name; repeated names get a number.
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
