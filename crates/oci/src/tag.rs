//! Tags by what they name: a version or a commit is one image for ever, other tags move.

/// Returns whether a tag is a version or a commit, with or without a flavour behind it, so that it names one image
/// for ever.
pub fn is_immutable(tag: &str) -> bool {
    is_version(tag) || is_commit(tag)
}

/// Returns whether a tag is a version: `1.2.3`, `v1.2.3-rc.1`, `1.2.3-python`; not `1.2`, which moves with each patch.
pub fn is_version(tag: &str) -> bool {
    let version = tag.strip_prefix('v').unwrap_or(tag);
    let numbers = version.split(['-', '_']).next().unwrap_or_default();
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split('.').count() == 3 && numbers.split('.').all(number)
}

/// Returns whether a tag is a commit in full, or shortened as `sha-…` or to at least 7 digits of hex that are
/// neither a word nor a date.
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

/// Returns what an image with this version and of this commit calls itself, when an immutable tag says something
/// else.
pub fn mismatch<'a>(tag: &str, version: &'a str, revision: &'a str) -> Option<&'a str> {
    let agrees = |name: &str| {
        let tag = tag.strip_prefix('v').unwrap_or(tag);
        let tag = tag.strip_prefix("sha-").unwrap_or(tag);
        // A flavour may follow, and a commit may be shortened.
        let short = tag.split('-').next().unwrap_or(tag);
        tag == name
            || tag.starts_with(&format!("{name}-"))
            || (short.len() >= 7 && name.starts_with(short))
    };
    let revision = revision.trim_end_matches("-dirty");
    let says = if tag.contains('.') { version } else { revision };
    (is_immutable(tag) && !agrees(says)).then_some(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_commits_never_move() {
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
