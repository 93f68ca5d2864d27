//! The next version, and the files of the checkout in which the version stands.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};
use camino::Utf8Path;
use cargo_metadata::semver::{BuildMetadata, Prerelease, Version};
use noetl_help::Help as _;

use crate::host::files;

/// The files with the version, each with the text around it; `@` is the version.
const PLACES: [(&str, &[&str]); 5] = [
    (
        "Cargo.toml",
        &[
            "[workspace.package]\n# The only version: crates, archives, image labels and the web page take it from here.\nversion = \"@\"",
            "version = \"=@\", path",
        ],
    ),
    ("Cargo.lock", &[]),
    (
        "ui-src/package.json",
        &["\"name\": \"noetl-ui\",\n  \"version\": \"@\""],
    ),
    (
        "ui-src/package-lock.json",
        &[
            "\"name\": \"noetl-ui\",\n  \"version\": \"@\"",
            "\"name\": \"noetl-ui\",\n      \"version\": \"@\"",
        ],
    ),
    ("ui-src/openapi.json", &["\"version\": \"@\""]),
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
        word => Wanted::Exact(
            Version::parse(word.trim_start_matches('v'))
                .with_context(|| format!("`{word}` is no version"))
                .help("write patch, minor, major, or a version such as 1.2.3 or 1.2.3-rc.1")?,
        ),
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
    for (path, patterns) in PLACES {
        let file = root.join(path);
        // The small workspace of the tests has no page.
        if !file.is_file() {
            continue;
        }
        let mut text = files::read_to_string(&file)?;
        let lock: Vec<_> = packages
            .iter()
            .map(|name| format!("name = \"{name}\"\nversion = \"@\""))
            .collect();
        let patterns = match path {
            "Cargo.lock" => lock.iter().map(String::as_str).collect(),
            _ => patterns.to_vec(),
        };
        let mut count = 0;
        for pattern in patterns {
            let before = pattern.replace('@', &from.to_string());
            count += text.matches(&before).count();
            text = text.replace(&before, &pattern.replace('@', &to.to_string()));
        }
        if count == 0 {
            return Err(anyhow!("{path} does not say {from} where it should"))
                .help("correct the file, or the list PLACES in xtask/src/release/bump.rs");
        }
        changed.insert(path.to_owned(), text);
    }
    Ok(changed)
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
    fn wrong_words_are_refused() {
        let current = Version::new(1, 2, 3);
        assert!(wanted("next").is_err());
        assert!(next(&current, &wanted("1.2.2").unwrap(), None).is_err());
        assert!(next(&current, &Wanted::Current, Some("not a name")).is_err());
        assert!(next(&current, &Wanted::Current, Some("nightly.007")).is_err());
    }
}
