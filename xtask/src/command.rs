//! A command as a value: planners make it, `sh.rs` runs it, and its text can be pasted into a shell.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

/// A program, its arguments, the variables it sees on top of the cleaned environment, its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CommandLine {
    /// Name on PATH or path.
    pub program: String,
    /// Arguments, one word each.
    pub args: Vec<String>,
    /// Variables set for it alone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Folder it runs in; the repository's root when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Utf8PathBuf>,
}

impl CommandLine {
    /// A command without arguments.
    pub(crate) fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
        }
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the folder.
    pub(crate) fn cwd(mut self, folder: &Utf8Path) -> Self {
        self.cwd = Some(folder.to_owned());
        self
    }
}

/// POSIX shell text that does the same from the repository's root.
impl fmt::Display for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(folder) = &self.cwd {
            write!(formatter, "(cd {} && ", quote(folder.as_str()))?;
        }
        for (name, value) in &self.env {
            write!(formatter, "{name}={} ", quote(value))?;
        }
        formatter.write_str(&quote(&self.program))?;
        self.args
            .iter()
            .try_for_each(|arg| write!(formatter, " {}", quote(arg)))?;
        formatter.write_str(if self.cwd.is_some() { ")" } else { "" })
    }
}

/// Quotes a word for a POSIX shell, where that is needed.
pub(crate) fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_a_shell() {
        let command = CommandLine::new("printf")
            .args(["%s|", "a b", "it's", "$HOME", "", "x=y"])
            .env("NAME", "two words")
            .cwd(Utf8Path::new("/tmp"));
        insta::assert_snapshot!(command, @r"(cd /tmp && NAME='two words' printf '%s|' 'a b' 'it'\''s' '$HOME' '' x=y)");
    }
}
