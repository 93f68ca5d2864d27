//! A command as a value. Plans contain commands, [`crate::host::run`] runs them, and their text can be pasted into a shell.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

/// A program with its arguments, its environment variables and the folder it runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct CommandLine {
    /// A name on PATH, or a path.
    pub program: String,
    /// The arguments.
    pub args: Vec<String>,
    /// Variables that are set in addition to the cleaned environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The folder it runs in; `None` is the repository's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Utf8PathBuf>,
    /// One line that is printed in place of a very long command.
    #[serde(skip)]
    pub summary: Option<String>,
}

/// The maximum length of the line that is printed before a command runs, in characters.
const LONGEST: usize = 120;

impl CommandLine {
    /// Makes a command without arguments.
    pub(crate) fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            ..Self::default()
        }
    }

    /// Adds one argument.
    pub(crate) fn arg(self, arg: impl Into<String>) -> Self {
        self.args([arg])
    }

    /// Adds several arguments.
    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the folder it runs in.
    pub(crate) fn cwd(mut self, folder: &Utf8Path) -> Self {
        self.cwd = Some(folder.to_owned());
        self
    }

    /// Sets the line that is printed before it runs; `-v` prints the whole command instead.
    pub(crate) fn summary(mut self, text: String) -> Self {
        self.summary = Some(text);
        self
    }

    /// Returns the line that is printed before it runs: the summary, or program and arguments up to a maximum length.
    pub(crate) fn short(&self) -> String {
        if let Some(summary) = &self.summary {
            return summary.clone();
        }
        let program = self.program.rsplit(['/', '\\']).next().unwrap_or_default();
        let mut line = quote(program);
        for arg in &self.args {
            let word = quote(arg);
            if line.chars().count() + word.chars().count() > LONGEST {
                return line + " …";
            }
            line.push(' ');
            line.push_str(&word);
        }
        line
    }
}

/// A command that can be run: a [`CommandLine`], or what `xshell::cmd!` makes.
pub(crate) trait Runnable {
    /// Returns it as a [`CommandLine`].
    fn into_command(self) -> CommandLine;
}

impl Runnable for &CommandLine {
    fn into_command(self) -> CommandLine {
        self.clone()
    }
}

/// It runs in the repository's root.
impl Runnable for xshell::Cmd<'_> {
    fn into_command(self) -> CommandLine {
        let cmd = Command::from(self);
        let text = |text: &OsStr| text.to_string_lossy().into_owned();
        let envs = cmd.get_envs();
        let env = envs.filter_map(|(name, value)| Some((text(name), text(value?))));
        CommandLine {
            program: text(cmd.get_program()),
            args: cmd.get_args().map(text).collect(),
            env: env.collect(),
            ..CommandLine::default()
        }
    }
}

/// Writes POSIX shell text that runs the command from the repository's root.
impl fmt::Display for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(folder) = &self.cwd {
            write!(formatter, "(cd {} && ", quote(folder.as_str()))?;
        }
        for (name, value) in &self.env {
            write!(formatter, "{name}={} ", quote(value))?;
        }
        formatter.write_str(&quote(&self.program))?;
        for arg in &self.args {
            write!(formatter, " {}", quote(arg))?;
        }
        formatter.write_str(if self.cwd.is_some() { ")" } else { "" })
    }
}

/// Quotes a word for a POSIX shell where it needs quotes.
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
    fn short_form_is_one_line() {
        let command = CommandLine::new("/opt/tools/zig")
            .args(["cc", "a b"])
            .env("NAME", "value");
        assert_eq!(command.short(), "zig cc 'a b'");
        let long = command.clone().args(["x".repeat(60), "y".repeat(60)]);
        assert!(long.short().ends_with("x …"), "{}", long.short());
        assert_eq!(command.summary("zig".to_owned()).short(), "zig");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        let command = CommandLine::new("printf")
            .args(["%s|", "a b", "it's", "$HOME", "", "x=y"])
            .env("NAME", "two words")
            .cwd(Utf8Path::new("/tmp"));
        insta::assert_snapshot!(command, @r"(cd /tmp && NAME='two words' printf '%s|' 'a b' 'it'\''s' '$HOME' '' x=y)");
    }
}
