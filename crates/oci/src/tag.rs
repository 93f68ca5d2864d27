//! Immutable tags, which are a version or a commit and must always point to the same image, and other tags, which
//! may move.

/// Returns whether a tag is a version or a commit, with or without a suffix such as `-python`. Such a tag must always
/// point to the same image.
pub fn is_immutable(tag: &str) -> bool {
    is_version(tag) || is_commit(tag)
}

/// Returns whether a tag is a full version: `1.2.3`, `v1.2.3-rc.1`, `1.2.3-python`; not `1.2`, which moves with each
/// patch release.
pub fn is_version(tag: &str) -> bool {
    let version = tag.strip_prefix('v').unwrap_or(tag);
    let numbers = version.split(['-', '_']).next().unwrap_or_default();
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split('.').count() == 3 && numbers.split('.').all(number)
}

/// Returns whether a tag is a commit: all 40 hex digits, `sha-` and at least 7, or at least 7 hex digits with both
/// letters and digits among them, so that words and dates do not count.
fn is_commit(tag: &str) -> bool {
    let (prefixed, tag) = match tag.strip_prefix("sha-") {
        Some(rest) => (true, rest),
        None => (false, tag),
    };
    let hex = tag.split('-').next().unwrap_or_default();
    let digits = hex.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = hex
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let looks_so = prefixed || hex.len() == 40 || (digits > 0 && digits < hex.len());
    is_hex && (7..=40).contains(&hex.len()) && looks_so
}

/// Returns the `version` or `revision` of an image when the immutable tag `tag` names another one; `None` when they
/// agree or the tag may move. A suffix such as `-python`, a leading `v` or `sha-`, and a shortened commit are allowed.
pub fn mismatch<'a>(tag: &str, version: &'a str, revision: &'a str) -> Option<&'a str> {
    let agrees = |name: &str| {
        let tag = tag.strip_prefix('v').unwrap_or(tag);
        let tag = tag.strip_prefix("sha-").unwrap_or(tag);
        // A suffix may follow, and a commit may be shortened.
        let short = tag.split('-').next().unwrap_or(tag);
        tag == name
            || tag.starts_with(&format!("{name}-"))
            || (short.len() >= 7 && name.starts_with(short))
    };
    let revision = revision.trim_end_matches("-dirty");
    let own = if tag.contains('.') { version } else { revision };
    (is_immutable(tag) && !agrees(own)).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_commits_are_immutable() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for tag in [
            "1.2.3",
            "v1.2.3",
            "1.2.3-rc.1",
            "0.1.0-python",
            commit,
            "0123abc",
            "sha-0123456",
            &format!("{commit}-python"),
        ] {
            assert!(is_immutable(tag), "{tag}");
        }
        for tag in [
            "latest",
            "1.2",
            "1",
            "main",
            "20260101",
            "defaced",
            "sha-xyz",
            "1.2.x",
            "again",
            "latest-python",
        ] {
            assert!(!is_immutable(tag), "{tag}");
        }
    }
}
