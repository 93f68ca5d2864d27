//! The next version, and the files of the checkout in which the version stands.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};
use camino::Utf8Path;
use cargo_metadata::semver::{BuildMetadata, Prerelease, Version};
use noetl_help::Help as _;

use crate::host::files;

const MANIFEST: &str = "Cargo.toml";
const LOCK: &str = "Cargo.lock";
/// The JSON files with the version, and how many of the first `"version"` are it.
const JSON: [(&str, usize); 3] = [
    ("ui-src/package.json", 1),
    ("ui-src/package-lock.json", 2),
    ("crates/noetl-server/openapi.json", 1),
];

/// Which version is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The one that stands in the checkout; of a pre-release, the release after it.
    Current,
    /// A certain one.
    Exact(Version),
    /// The next with corrections.
    Patch,
    /// The next with new functions.
    Minor,
    /// The next that breaks something.
    Major,
}

/// Parses the word of the command line.
pub(crate) fn wanted(word: &str) -> anyhow::Result<Wanted> {
    Ok(match word {
        "patch" => Wanted::Patch,
        "minor" => Wanted::Minor,
        "major" => Wanted::Major,
        word => Wanted::Exact(Version::parse(word.trim_start_matches('v')).map_err(|_| {
            anyhow!("it is neither patch, minor, major nor a version such as 1.2.3 or 1.2.3-rc.1")
        })?),
    })
}

/// Returns the next version. `pre` names a pre-release: `rc` counts up, `nightly.20260131` is taken as it is.
///
/// # Errors
/// When `pre` is no name, or an exact version is not above the current one.
pub(crate) fn next(
    current: &Version,
    wanted: &Wanted,
    pre: Option<&str>,
) -> anyhow::Result<Version> {
    let mut next = current.clone();
    next.build = BuildMetadata::EMPTY;
    let is_pre = !current.pre.is_empty();
    match wanted {
        Wanted::Exact(version) => {
            ensure!(
                version >= current,
                "{version} is before {current}, which stands in Cargo.toml"
            );
            next = version.clone();
        }
        // 1.3.0-rc.2 leads to 1.3.0.
        Wanted::Current => {}
        Wanted::Patch if is_pre => {}
        Wanted::Minor if is_pre && current.patch == 0 => {}
        Wanted::Major if is_pre && current.patch == 0 && current.minor == 0 => {}
        Wanted::Patch => next.patch += 1,
        Wanted::Minor => next = Version::new(next.major, next.minor + 1, 0),
        Wanted::Major => next = Version::new(next.major + 1, 0, 0),
    }
    let Some(pre) = pre else {
        if !matches!(wanted, Wanted::Exact(_)) {
            next.pre = Prerelease::EMPTY;
        }
        return Ok(next);
    };
    if *wanted == Wanted::Current && !is_pre {
        next.patch += 1;
    }
    let text = match pre.contains('.') {
        true => pre.to_owned(),
        false => {
            let is_same = (next.major, next.minor, next.patch)
                == (current.major, current.minor, current.patch);
            let before = current
                .pre
                .strip_prefix(&format!("{pre}."))
                .filter(|_| is_same);
            let number: u64 = before.and_then(|it| it.parse().ok()).unwrap_or(0);
            format!("{pre}.{}", number + 1)
        }
    };
    next.pre = Prerelease::new(&text)
        .with_context(|| format!("`{text}` is no name of a pre-release"))
        .help("write a word such as rc, beta, or nightly.20260131")?;
    Ok(next)
}

/// Returns the files of the checkout whose text has the version, with another version in its place.
///
/// # Errors
/// When a file lacks the version where it should have it: then the list of places is not complete.
pub(crate) fn rewritten(
    root: &Utf8Path,
    from: &Version,
    to: &Version,
    packages: &[String],
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut changed = BTreeMap::new();
    let manifest = files::read_to_string(&root.join(MANIFEST))?;
    let rewritten = in_manifest(&manifest, from, to);
    if rewritten == manifest {
        return Err(lacks(MANIFEST, from));
    }
    changed.insert(MANIFEST.to_owned(), rewritten);
    let mut lock = files::read_to_string(&root.join(LOCK))?;
    for name in packages {
        let before = format!("name = \"{name}\"\nversion = \"{from}\"");
        if !lock.contains(&before) {
            return Err(lacks(LOCK, from));
        }
        lock = lock.replace(&before, &format!("name = \"{name}\"\nversion = \"{to}\""));
    }
    changed.insert(LOCK.to_owned(), lock);
    for (path, count) in JSON {
        let file = root.join(path);
        // The small workspace of the tests has no API.
        if !file.is_file() {
            continue;
        }
        let text = files::read_to_string(&file)?;
        let before = format!("\"version\": \"{from}\"");
        if text.matches(&before).count() < count {
            return Err(lacks(path, from));
        }
        let text = text.replacen(&before, &format!("\"version\": \"{to}\""), count);
        changed.insert(path.to_owned(), text);
    }
    Ok(changed)
}

/// Returns the workspace's Cargo.toml with another version: its own, and those by which its crates need each other.
fn in_manifest(text: &str, from: &Version, to: &Version) -> String {
    let mut is_package = false;
    let own = format!("version = \"{from}\"");
    let needed = format!("version = \"={from}\", path");
    let lines = text.lines().map(|line| {
        if line.starts_with('[') {
            is_package = line == "[workspace.package]";
        }
        if is_package && line == own {
            return format!("version = \"{to}\"");
        }
        line.replace(&needed, &format!("version = \"={to}\", path"))
    });
    lines.map(|line| line + "\n").collect()
}

fn lacks(path: &str, version: &Version) -> anyhow::Error {
    anyhow!("{path} does not say {version} where it should")
        .help("correct the file, or the lists in xtask/src/release/bump.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_counted_up() {
        for (current, word, pre, expected) in [
            ("1.2.3", "", None, "1.2.3"),
            ("1.2.3", "patch", None, "1.2.4"),
            ("1.2.3", "minor", None, "1.3.0"),
            ("1.2.3", "major", None, "2.0.0"),
            ("1.2.3", "", Some("rc"), "1.2.4-rc.1"),
            ("1.2.3", "minor", Some("rc"), "1.3.0-rc.1"),
            ("1.3.0-rc.1", "", Some("rc"), "1.3.0-rc.2"),
            ("1.3.0-rc.9", "", Some("rc"), "1.3.0-rc.10"),
            ("1.3.0-beta.4", "", Some("rc"), "1.3.0-rc.1"),
            ("1.3.0-rc.2", "", None, "1.3.0"),
            ("1.3.0-rc.2", "minor", None, "1.3.0"),
            ("1.3.0-rc.2", "patch", None, "1.3.0"),
            ("1.3.0-rc.2", "major", None, "2.0.0"),
            (
                "1.2.3",
                "",
                Some("nightly.20260131"),
                "1.2.4-nightly.20260131",
            ),
            ("1.2.3", "1.5.0-rc.7", None, "1.5.0-rc.7"),
            ("1.2.3", "v1.5.0", None, "1.5.0"),
        ] {
            let wanted = if word.is_empty() {
                Wanted::Current
            } else {
                wanted(word).unwrap()
            };
            let found = next(&Version::parse(current).unwrap(), &wanted, pre).unwrap();
            assert_eq!(found.to_string(), expected, "{current} {word} {pre:?}");
        }
    }

    #[test]
    fn only_versions_of_the_workspace_are_rewritten() {
        let text = "[workspace.package]\nversion = \"1.2.3\"\n[workspace.dependencies]\nown = { version = \"=1.2.3\", path = \"own\" }\n\
            other = { version = \"=1.2.3\" }\n[profile.x]\nversion = \"1.2.3\"\n";
        let expected = text.replacen("\"1.2.3\"", "\"2.0.0\"", 1).replacen(
            "=1.2.3\", path",
            "=2.0.0\", path",
            1,
        );
        assert_eq!(
            in_manifest(text, &Version::new(1, 2, 3), &Version::new(2, 0, 0)),
            expected
        );
    }

    #[test]
    fn every_place_of_this_repository_is_known() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let current = Version::parse(env!("CARGO_PKG_VERSION")).unwrap();
        let packages = ["noetlctl".to_owned(), "xtask".to_owned()];
        let files = rewritten(root, &current, &Version::new(77, 8, 9), &packages).unwrap();
        assert_eq!(files.len(), 2 + JSON.len());
        let count = files["Cargo.toml"].matches("77.8.9").count();
        assert_eq!(
            count, 9,
            "the workspace and the eight crates that others depend on"
        );
    }

    #[test]
    fn wrong_words_are_refused() {
        let current = Version::new(1, 2, 3);
        assert!(wanted("next").is_err());
        assert!(next(&current, &wanted("1.2.2").unwrap(), None).is_err());
        assert!(next(&current, &Wanted::Current, Some("not a name")).is_err());
        assert!(next(&current, &Wanted::Current, Some("nightly.007")).is_err());
    }
}
