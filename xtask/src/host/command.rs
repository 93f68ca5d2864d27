//! A command as a value: plans hold it, [`crate::host::run`] runs it, and its text can be pasted into a shell.

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
    /// One line for people in place of a text of thousands of characters.
    #[serde(skip)]
    pub summary: Option<String>,
}

/// The longest text of a command that is printed before it runs, in characters.
const LONGEST: usize = 120;

impl CommandLine {
    /// A command without arguments.
    pub(crate) fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            summary: None,
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

    /// Sets what is printed before it runs, unless `-v` is given.
    pub(crate) fn summary(self, text: String) -> Self {
        Self {
            summary: Some(text),
            ..self
        }
    }

    /// Returns one line that says what runs: the summary, or else program and arguments, cut where they are long.
    pub(crate) fn short(&self) -> String {
        if let Some(summary) = &self.summary {
            return summary.clone();
        }
        let program = self.program.rsplit(['/', '\\']).next().unwrap_or_default();
        let mut line = quote(program);
        for arg in &self.args {
            let word = quote(arg);
            if line.chars().count() + word.chars().count() > LONGEST {
                line.push_str(" …");
                break;
            }
            line.push(' ');
            line.push_str(&word);
        }
        line
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
    fn the_short_form_is_one_line() {
        let command = CommandLine::new("/opt/tools/zig")
            .args(["cc", "a b"])
            .env("NAME", "value");
        assert_eq!(command.short(), "zig cc 'a b'");
        let long = command.clone().args(["x".repeat(60), "y".repeat(60)]);
        assert!(long.short().ends_with("x …"), "{}", long.short());
        assert_eq!(command.summary("zig".to_owned()).short(), "zig");
    }

    #[test]
    fn text_survives_a_shell() {
        let command = CommandLine::new("printf")
            .args(["%s|", "a b", "it's", "$HOME", "", "x=y"])
            .env("NAME", "two words")
            .cwd(Utf8Path::new("/tmp"));
        insta::assert_snapshot!(command, @r"(cd /tmp && NAME='two words' printf '%s|' 'a b' 'it'\''s' '$HOME' '' x=y)");
    }
}
