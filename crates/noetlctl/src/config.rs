//! The only reader of the environment: variables in, plain values out.
//!
//! Kubernetes puts `NOETL_PORT=tcp://10.0.0.1:8082` into every pod beside a Service called
//! `noetl`, so a value that makes no sense is reported and passed over, never fatal.

use std::path::PathBuf;

use noetl_server::{DEFAULT_PORT, UiSource};

use crate::cli::ListenArgs;

/// Where a server listens, or is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Listen {
    /// Flags win over `NOETL_HOST` and `NOETL_PORT`, which win over `127.0.0.1:8082`.
    pub(crate) fn new(args: &ListenArgs) -> Self {
        Self {
            host: args
                .host
                .clone()
                .or_else(|| variable("NOETL_HOST"))
                .unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: args
                .port
                .or_else(|| variable("NOETL_PORT").and_then(|value| port(&value)))
                .unwrap_or(DEFAULT_PORT),
        }
    }
}

/// Where the web page comes from: `--no-ui` and `NOETL_ENABLE_UI=false` switch it off,
/// `NOETL_UI_DIR` names a folder, else it is the embedded one.
pub(crate) fn ui_source(no_ui: bool) -> UiSource {
    if no_ui || !enabled("NOETL_ENABLE_UI", true) {
        return UiSource::Off;
    }
    match variable("NOETL_UI_DIR").map(PathBuf::from) {
        Some(folder) if folder.join("index.html").is_file() => UiSource::Folder(folder),
        Some(folder) => {
            eprintln!(
                "warning: NOETL_UI_DIR={} holds no index.html; there is no web page",
                folder.display()
            );
            UiSource::Off
        }
        None => UiSource::Embedded,
    }
}

/// Whether `NOETL_DEBUG` asks for a log of every step.
pub(crate) fn debug() -> bool {
    enabled("NOETL_DEBUG", false)
}

/// The folder of NoETL's own files, `~/.noetl`.
pub(crate) fn home() -> anyhow::Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    Ok(home
        .ok_or_else(|| anyhow::anyhow!("no home folder: HOME is not set"))?
        .join(".noetl"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module is the one place that reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

fn port(value: &str) -> Option<u16> {
    let port = value.parse().ok();
    if port.is_none() {
        eprintln!("warning: NOETL_PORT={value} is not a port number; using {DEFAULT_PORT}");
    }
    port
}

fn enabled(name: &str, default: bool) -> bool {
    variable(name).map_or(default, |value| {
        boolean(&value).unwrap_or_else(|| {
            eprintln!("warning: {name}={value} is neither true nor false; using {default}");
            default
        })
    })
}

/// The spellings of yes and no that NoETL has always taken.
fn boolean(value: &str) -> Option<bool> {
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
    fn booleans_take_every_known_spelling() {
        for yes in ["true", "1", "Yes", "y", "ON"] {
            assert_eq!(boolean(yes), Some(true), "{yes}");
        }
        for no in ["false", "0", "No", "n", "OFF"] {
            assert_eq!(boolean(no), Some(false), "{no}");
        }
        assert_eq!(boolean("maybe"), None);
    }

    #[test]
    fn a_service_link_is_no_port() {
        assert_eq!(port("tcp://10.0.0.1:8082"), None);
        assert_eq!(port("70000"), None);
        assert_eq!(port("9000"), Some(9000));
    }
}
