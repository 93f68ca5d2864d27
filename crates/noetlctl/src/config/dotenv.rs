//! `.env` files: which ones there are, and what a line of them says. Reads nothing by itself.

use std::path::PathBuf;

/// The files to read, the strongest first: the one named, else those of the current folder.
pub(super) fn files(named: Option<&str>, environment: Option<&str>) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![PathBuf::from(named)];
    }
    let mut names = vec![".env.local".to_owned()];
    names.extend(environment.map(|environment| format!(".env.{environment}")));
    names.extend([".env.common".to_owned(), ".env".to_owned()]);
    names.into_iter().map(PathBuf::from).collect()
}

/// The variable a line sets: `NAME=value`, `export NAME="value"`; `None` for blanks and comments.
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

/// Single quotes keep everything, double quotes know `\n`, `\t`, `\"` and `\\`, a bare value ends
/// at a comment.
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
    fn lines_read_as_shells_read_them() {
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
    fn nonsense_is_named() {
        for line in ["A", "A B=c", "1A=b", "=b", "A='b", "A=\"b\\\""] {
            assert!(assignment(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_named_file_is_the_only_one() {
        assert_eq!(files(Some("x.env"), Some("prod")), [PathBuf::from("x.env")]);
        assert_eq!(
            files(None, Some("prod")),
            [".env.local", ".env.prod", ".env.common", ".env"].map(PathBuf::from)
        );
    }
}
