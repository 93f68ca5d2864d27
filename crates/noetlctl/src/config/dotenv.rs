//! `.env` files: their names, and the syntax of a line. Reads no file.

use std::path::PathBuf;

/// Returns the files to read, the one that overrides the others first: the named file alone, else those of
/// the current folder.
pub(super) fn files(named: Option<&str>, environment: Option<&str>) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![PathBuf::from(named)];
    }
    let mut names = vec![".env.local".to_owned()];
    names.extend(environment.map(|environment| format!(".env.{environment}")));
    names.extend([".env.common".to_owned(), ".env".to_owned()]);
    names.into_iter().map(PathBuf::from).collect()
}

/// Parses a line such as `NAME=value` or `export NAME="value"`. Returns `None` for blank lines and comments.
///
/// # Errors
/// Returns what is wrong with any other line.
pub(super) fn assignment(line: &str) -> Result<Option<(&str, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = match line.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => line,
    };
    let (name, value) = line.split_once('=').ok_or("expected NAME=VALUE")?;
    let name = name.trim_end();
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(letters) {
        return Err("expected a name of letters, digits and `_` before `=`");
    }
    Ok(Some((name, unquoted(value.trim_start())?)))
}

/// Removes quotes: single quotes keep every character, double quotes have the escapes `\n`, `\t`, `\"` and
/// `\\`, and a value without quotes ends at a comment.
fn unquoted(value: &str) -> Result<String, &'static str> {
    const OPEN: &str = "the quote is not closed on this line";
    if let Some(rest) = value.strip_prefix('\'') {
        let (inside, _) = rest.split_once('\'').ok_or(OPEN)?;
        return Ok(inside.to_owned());
    }
    let Some(rest) = value.strip_prefix('"') else {
        let end = value.find(" #").or_else(|| value.find("\t#"));
        return Ok(value[..end.unwrap_or(value.len())].trim_end().to_owned());
    };
    let mut inside = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next().ok_or(OPEN)? {
            '"' => return Ok(inside),
            '\\' => match characters.next().ok_or(OPEN)? {
                'n' => inside.push('\n'),
                't' => inside.push('\t'),
                escaped @ ('"' | '\\' | '$') => inside.push(escaped),
                other => inside.extend(['\\', other]),
            },
            character => inside.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parsed_like_in_a_shell() {
        let set = |line| {
            assignment(line)
                .unwrap()
                .map(|(name, value)| format!("{name}|{value}"))
        };
        assert_eq!(set("A=b"), Some("A|b".to_owned()));
        assert_eq!(set("  export  A = b c  # why"), Some("A|b c".to_owned()));
        assert_eq!(set("A=b#c"), Some("A|b#c".to_owned()));
        assert_eq!(set(r"A='b \n # c' # why"), Some(r"A|b \n # c".to_owned()));
        assert_eq!(
            set(r#"A="b\n\"c\" # d""#),
            Some("A|b\n\"c\" # d".to_owned())
        );
        assert_eq!(set("exported=1"), Some("exported|1".to_owned()));
        assert_eq!(set("A="), Some("A|".to_owned()));
        assert_eq!(set("# A=b"), None);
        assert_eq!(set("   "), None);
    }

    #[test]
    fn invalid_lines_are_errors() {
        for line in ["A", "A B=c", "1A=b", "=b", "A='b", "A=\"b\\\""] {
            assert!(assignment(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_named_file_replaces_the_others() {
        assert_eq!(files(Some("x.env"), Some("prod")), [PathBuf::from("x.env")]);
        assert_eq!(
            files(None, Some("prod")),
            [".env.local", ".env.prod", ".env.common", ".env"].map(PathBuf::from)
        );
    }
}
