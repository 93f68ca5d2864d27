//! What a program imports from the system, compared with what the oldest system that it is for has. This takes the place
//! of starting it where there is no such system.

use std::collections::BTreeSet;

use anyhow::Context as _;
use object::Object as _;
use object::read::NameOrOrdinal;

use crate::release::target::{Os, Target};

/// The names that macOS 11.0 is known to have.
const MACOS: &str = include_str!("imports/macos-11.0.txt");
/// The libraries and names that Windows 10 is known to have.
const WINDOWS: &str = include_str!("imports/windows-10.txt");

/// Returns the imports that the oldest system of a target is not known to have, sorted. Those of Linux have versions,
/// which [`crate::release::binary::Facts`] has.
///
/// # Errors
/// When the table of imports is damaged.
pub(crate) fn unknown(target: &Target, bytes: &[u8]) -> anyhow::Result<Vec<String>> {
    let known = match target.os {
        Os::Linux => return Ok(Vec::new()),
        Os::Mac => MACOS,
        Os::Windows => WINDOWS,
    };
    let known: BTreeSet<_> = known
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let file = object::File::parse(bytes).context("not a program")?;
    let mut unknown = BTreeSet::new();
    for import in file.imports().context("its imports are damaged")? {
        let import = import.context("its imports are damaged")?;
        // The system leaves a weak import out when it does not have it.
        if import.is_weak() {
            continue;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = match import.name() {
            NameOrOrdinal::Name(name) => text(name),
            NameOrOrdinal::Ordinal(number) => format!("#{number}"),
        };
        let full = match target.os {
            Os::Windows => {
                let library = text(import.library()).to_ascii_lowercase();
                format!("{} {name}", library.trim_end_matches(".dll"))
            }
            _ => name,
        };
        if !known.contains(full.as_str()) {
            unknown.insert(full);
        }
    }
    Ok(unknown.into_iter().collect())
}
