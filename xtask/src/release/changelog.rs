//! The changelog: what is under `Unreleased` becomes the section of a release, with what conventional commits add.

use anyhow::Context as _;
use noetl_help::Help as _;

/// Its path.
pub(crate) const PATH: &str = "crates/noetlctl/CHANGELOG.md";
const UNRELEASED: &str = "## Unreleased";

/// Returns the text of a version's section, without its heading; `None` when there is no section.
pub(crate) fn section(changelog: &str, version: &str) -> Option<String> {
    let heading = format!("## {version}");
    let is_heading = |line: &str| {
        line == heading
            || line
                .strip_prefix(&heading)
                .is_some_and(|rest| rest.starts_with(' '))
    };
    let mut lines = changelog.lines().skip_while(|line| !is_heading(line));
    lines.next()?;
    let text: Vec<_> = lines.take_while(|line| !line.starts_with("## ")).collect();
    Some(text.join("\n").trim().to_owned())
}

/// Returns what is under `Unreleased`, without the heading.
pub(crate) fn unreleased(changelog: &str) -> String {
    section(changelog, "Unreleased").unwrap_or_default()
}

/// Returns a changelog in which `text` is the section of a version and `Unreleased` is empty.
///
/// # Errors
/// When there is no heading `Unreleased`.
pub(crate) fn released(
    changelog: &str,
    version: &str,
    date: &str,
    text: &str,
) -> anyhow::Result<String> {
    let (before, after) = changelog
        .split_once(UNRELEASED)
        .with_context(|| format!("{PATH} has no heading `{UNRELEASED}`"))
        .help("add the heading above the newest version")?;
    let rest = after.find("\n## ").map_or("", |at| &after[at + 1..]);
    let rest = if rest.is_empty() {
        String::new()
    } else {
        format!("\n{rest}")
    };
    Ok(format!(
        "{before}{UNRELEASED}\n\n## {version} ({date})\n\n{text}\n{rest}"
    ))
}

/// Returns a line for each conventional commit among `subjects` that changes something for users: `feat`, `fix`,
/// `perf`, and what is marked as breaking. Lines that the text has already are left out.
pub(crate) fn of_commits(subjects: &[String], text: &str) -> Vec<String> {
    let lines = subjects.iter().filter_map(|subject| {
        let (kind, what) = subject.split_once(": ")?;
        let is_breaking = kind.ends_with('!');
        let kind = kind.trim_end_matches('!');
        let (kind, scope) = kind.split_once('(').unwrap_or((kind, ""));
        if !is_breaking && !["feat", "fix", "perf"].contains(&kind) {
            return None;
        }
        let scope = scope.trim_end_matches(')');
        let scope = if scope.is_empty() {
            String::new()
        } else {
            format!("{scope}: ")
        };
        let breaking = if is_breaking { "**Breaking:** " } else { "" };
        Some(format!("- {breaking}{scope}{what}"))
    });
    let mut found: Vec<String> = lines
        .filter(|line| !text.contains(line.trim_start_matches("- ")))
        .collect();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\n## Unreleased\n\n- New.\n\n## 1.2.3 (2026-01-31)\n\n- Old.\n\n## 1.2.3-rc.1\n\n- Older.\n";

    #[test]
    fn sections_are_found_by_their_whole_version() {
        assert_eq!(section(TEXT, "1.2.3").as_deref(), Some("- Old."));
        assert_eq!(section(TEXT, "1.2.3-rc.1").as_deref(), Some("- Older."));
        assert_eq!(section(TEXT, "1.2"), None);
        assert_eq!(unreleased(TEXT), "- New.");
    }

    #[test]
    fn unreleased_becomes_a_section() {
        let text = released(TEXT, "1.3.0", "2026-02-01", "- New.").unwrap();
        assert_eq!(unreleased(&text), "");
        assert_eq!(section(&text, "1.3.0").as_deref(), Some("- New."));
        assert_eq!(section(&text, "1.2.3").as_deref(), Some("- Old."));
        assert!(released("# Changelog\n", "1.3.0", "2026-02-01", "").is_err());
        let first = released(
            "# Changelog\n\n## Unreleased\n\n- New.\n",
            "0.1.0",
            "2026-02-01",
            "- New.",
        );
        let expected = "# Changelog\n\n## Unreleased\n\n## 0.1.0 (2026-02-01)\n\n- New.\n";
        assert_eq!(first.unwrap(), expected);
    }

    #[test]
    fn conventional_commits_add_what_users_see() {
        let subjects = [
            "feat(cli): a command",
            "fix: a fault",
            "docs: a text",
            "refactor!: another name",
            "tests: feat",
            "fix: known",
            "chore: nothing",
            "no kind",
        ];
        let subjects: Vec<_> = subjects.iter().map(|it| (*it).to_owned()).collect();
        let found = of_commits(&subjects, "- known");
        assert_eq!(
            found,
            [
                "- cli: a command",
                "- a fault",
                "- **Breaking:** another name"
            ]
        );
    }
}
