//! The one reader of environment variables. A variable that the process does not have is looked up in
//! the `.env` files of the current folder.
//!
//! Kubernetes sets `NOETL_PORT=tcp://10.0.0.1:8082` in every pod that runs beside a Service called
//! `noetl`. Because of that an invalid value is reported and ignored, and ends no command.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use super::dotenv;

/// Returns a variable that is set and not blank. One that is set to nothing hides the one of a `.env` file.
pub(super) fn variable(name: &str) -> Option<String> {
    static FILES: OnceLock<HashMap<String, String>> = OnceLock::new();
    process_variable(name)
        .or_else(|| FILES.get_or_init(read_env_files).get(name).cloned())
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
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
    std::env::var(name).ok()
}

/// Reads the `.env` files. When two set the same variable, the first one counts.
fn read_env_files() -> HashMap<String, String> {
    let mut variables = HashMap::new();
    let named = process_variable("NOETL_ENV_FILE").filter(|name| !name.trim().is_empty());
    let environment = process_variable("ENVIRONMENT").filter(|name| !name.trim().is_empty());
    for path in dotenv::files(named.as_deref(), environment.as_deref()) {
        match std::fs::read_to_string(&path) {
            Ok(text) => add_env_file(&mut variables, &path, &text),
            Err(error) if named.is_some() || error.kind() != std::io::ErrorKind::NotFound => {
                note!("warning: cannot read {}: {error}", path.display());
            }
            Err(_) => {}
        }
    }
    variables
}

fn add_env_file(variables: &mut HashMap<String, String>, path: &Path, text: &str) {
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        match dotenv::assignment(line) {
            Ok(Some((name, value))) => {
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
