//! The one reader of environment variables. A variable that the process does not have is looked up in the file of
//! `--env-file`, or in the `.env` files of the current folder.
//!
//! A folder may come from somebody else. Its files set only what cannot say where secrets go or what is run; a file
//! that is named sets everything.
//!
//! Kubernetes sets `NOETL_PORT=tcp://10.0.0.1:8082` in every pod that runs beside a Service called
//! `noetl`. Because of that an invalid value is reported and ignored, and ends no command.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
use noetl_help::Help as _;

use super::{dotenv, handover};

/// The variables that files of the current folder may set.
const HARMLESS: [&str; 6] = [
    "NOETL_DEBUG",
    "NOETL_ENABLE_UI",
    "NOETL_MAX_WORKERS",
    "NOETL_PORT",
    "NOETL_SERVER_NAME",
    "NOETL_WORKER_POOL_NAME",
];

/// The variables of files.
#[derive(Debug, Default)]
struct Files {
    /// By name: the value, and the file that it is from.
    variables: HashMap<String, (String, PathBuf)>,
    /// Whether the file was named by the caller.
    is_named: bool,
    /// The variables whose use was reported.
    reported: Mutex<HashSet<String>>,
}

static FILES: OnceLock<Files> = OnceLock::new();

/// Reads the file of `--env-file`, which then counts instead of those of the current folder.
///
/// # Errors
/// Fails when the file cannot be read.
pub(crate) fn read_named_file(path: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .help("name a file of lines such as NAME=value")?;
    let mut files = Files {
        is_named: true,
        ..Files::default()
    };
    add_env_file(&mut files.variables, path, &text);
    let mut names: Vec<_> = files.variables.keys().map(String::as_str).collect();
    names.sort_unstable();
    // A process that has handed its secrets over to itself has told before.
    if process_variable(handover::DESCRIPTOR).is_none() {
        note!("{} sets {}", path.display(), names.join(", "));
    }
    // The first command line is the only one.
    FILES.set(files).unwrap_or_default();
    Ok(())
}

/// Returns the file of `--env-file` or `NOETL_ENV_FILE`, for a process that is started in the background.
pub(crate) fn named_file() -> Option<PathBuf> {
    let files = FILES.get_or_init(read_env_files);
    let (_, (_, path)) = files.variables.iter().find(|_| files.is_named)?;
    std::path::absolute(path).ok()
}

/// Returns a variable that is set and not blank. One that is set to nothing hides the one of a `.env` file.
pub(super) fn variable(name: &str) -> Option<String> {
    process_variable(name)
        .or_else(|| FILES.get_or_init(read_env_files).variable(name))
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

impl Files {
    /// Returns a variable, and says once where it is from, or why it is not used.
    fn variable(&self, name: &str) -> Option<String> {
        let (value, path) = self.variables.get(name)?;
        let is_used = self.is_named || HARMLESS.contains(&name);
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let path = path.display();
        if !self.is_named && reported.insert(name.to_owned()) {
            if is_used {
                note!("{path} sets {name}");
            } else {
                note!(
                    "warning: {name} of {path} is not used, since the folder may be somebody else's; \
                     `noetl --env-file {path} …` uses it"
                );
            }
        }
        is_used.then(|| value.clone())
    }
}

/// Returns the names of all variables that are set, in order.
pub(super) fn names() -> Vec<String> {
    let process = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let files = &FILES.get_or_init(read_env_files).variables;
    let names: BTreeSet<_> = process.chain(files.keys().cloned()).collect();
    names.into_iter().collect()
}

/// Returns a variable that is a whole number.
pub(super) fn number(name: &str) -> Option<usize> {
    let value = variable(name)?;
    let number = value.parse().ok();
    if number.is_none() {
        note!("warning: {name}={value} is not a number and is ignored");
    }
    number
}

/// Returns a variable that is true or false, and `default` when it is not set.
pub(super) fn boolean(name: &str, default: bool) -> bool {
    variable(name).map_or(default, |value| {
        parse_boolean(&value).unwrap_or_else(|| {
            note!("warning: {name}={value} is neither true nor false; using {default}");
            default
        })
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module is the one place that reads the environment"
)]
fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().or_else(|| handover::secret(name))
}

/// Reads the `.env` files. When two set the same variable, the first one counts.
fn read_env_files() -> Files {
    let mut files = Files::default();
    let named = process_variable("NOETL_ENV_FILE").filter(|name| !name.trim().is_empty());
    let environment = process_variable("ENVIRONMENT").filter(|name| !name.trim().is_empty());
    files.is_named = named.is_some();
    for path in dotenv::files(named.as_deref(), environment.as_deref()) {
        match std::fs::read_to_string(&path) {
            Ok(text) => add_env_file(&mut files.variables, &path, &text),
            Err(error) if files.is_named || error.kind() != std::io::ErrorKind::NotFound => {
                note!("warning: cannot read {}: {error}", path.display());
            }
            Err(_) => {}
        }
    }
    files
}

fn add_env_file(variables: &mut HashMap<String, (String, PathBuf)>, path: &Path, text: &str) {
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        match dotenv::assignment(line) {
            Ok(Some((name, value))) => {
                let value = (value, path.to_owned());
                variables.entry(name.to_owned()).or_insert(value);
            }
            Ok(None) => {}
            Err(reason) => note!("warning: {}:{number}: {reason}", path.display()),
        }
    }
}

/// The spellings of true and false that all versions of NoETL accept.
fn parse_boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "on" => Some(true),
        "false" | "0" | "no" | "n" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_have_several_spellings() {
        for yes in ["true", "1", "Yes", "y", "ON"] {
            assert_eq!(parse_boolean(yes), Some(true), "{yes}");
        }
        for no in ["false", "0", "No", "n", "OFF"] {
            assert_eq!(parse_boolean(no), Some(false), "{no}");
        }
        assert_eq!(parse_boolean("maybe"), None);
    }
}
