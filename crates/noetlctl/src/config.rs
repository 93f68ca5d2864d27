//! The only reader of the environment: variables in, plain values out.
//!
//! Kubernetes puts `NOETL_PORT=tcp://10.0.0.1:8082` into every pod beside a Service called
//! `noetl`, so a value that makes no sense is reported and passed over, never fatal. What the
//! environment does not set may come from a `.env` file of the current folder.

mod dotenv;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use noetl_server::{DEFAULT_PORT, Storage, StoreConfig, UiSource};

use crate::cli::{ListenArgs, StartArgs};

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
            note!(
                "warning: NOETL_UI_DIR={} holds no index.html; there is no web page",
                folder.display()
            );
            UiSource::Off
        }
        None => UiSource::Embedded,
    }
}

/// Variables that hold secrets of ours: neither playbooks nor their children see them.
pub(crate) const SECRETS: [&str; 5] = [
    "NOETL_ENCRYPTION_KEY",
    "NOETL_API_TOKEN",
    "DATABASE_URL",
    "POSTGRES_PASSWORD",
    "NOETL_PASSWORD",
];

/// A variable that a local playbook's `secrets` step asks for.
pub(crate) fn for_playbooks(name: &str) -> Option<String> {
    if SECRETS.contains(&name) {
        None
    } else {
        variable(name)
    }
}

/// `NOETL_PYTHON`: the Python that steps run with.
pub(crate) fn python() -> Option<PathBuf> {
    variable("NOETL_PYTHON").map(PathBuf::from)
}

/// A variable that is a whole number.
pub(crate) fn number(name: &str) -> Option<usize> {
    let value = variable(name)?;
    let number = value.parse().ok();
    if number.is_none() {
        note!("warning: {name}={value} is not a number; passed over");
    }
    number
}

/// `NOETL_WORKER_POOL_NAME`: what a worker is called.
pub(crate) fn worker_name() -> Option<String> {
    variable("NOETL_WORKER_POOL_NAME").or_else(host_name)
}

/// The name of this machine, where the environment says it.
pub(crate) fn host_name() -> Option<String> {
    variable("HOSTNAME").or_else(|| variable("COMPUTERNAME"))
}

/// The store of a server.
pub(crate) fn store_config(args: &StartArgs) -> anyhow::Result<StoreConfig> {
    let data_dir = match args
        .data_dir
        .clone()
        .or_else(|| variable("NOETL_DATA_DIR").map(PathBuf::from))
    {
        Some(folder) => folder,
        None => home()?.join("data"),
    };
    let data_dir = std::path::absolute(&data_dir)?;
    Ok(StoreConfig {
        storage: storage(&data_dir),
        encryption_key: variable("NOETL_ENCRYPTION_KEY"),
        data_dir,
    })
}

/// The name of a server in lists and metrics.
pub(crate) fn server_name() -> String {
    variable("NOETL_SERVER_NAME")
        .or_else(host_name)
        .unwrap_or_else(|| "noetl".to_owned())
}

/// `DATABASE_URL`, else the `POSTGRES_*` variables, else a file in the data folder.
fn storage(data_dir: &Path) -> Storage {
    let schema = variable("NOETL_SCHEMA").unwrap_or_else(|| "noetl".to_owned());
    if let Some(url) = variable("DATABASE_URL") {
        return match url.strip_prefix("sqlite:") {
            Some(path) => Storage::Sqlite(PathBuf::from(path.trim_start_matches("//"))),
            None => Storage::Postgres { url, schema },
        };
    }
    let Some(host) = variable("POSTGRES_HOST") else {
        return Storage::Sqlite(data_dir.join("noetl.db"));
    };
    let part = |name: &str, fallback: &str| variable(name).unwrap_or_else(|| fallback.to_owned());
    let user = variable("POSTGRES_USER")
        .or_else(|| variable("NOETL_USER"))
        .unwrap_or_else(|| "noetl".to_owned());
    let password = variable("POSTGRES_PASSWORD").or_else(|| variable("NOETL_PASSWORD"));
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let password = password
        .map(|password| format!(":{}", encode(&password)))
        .unwrap_or_default();
    // Kubernetes sets POSTGRES_PORT=tcp://… beside a Service of that name.
    let port = Some(part("POSTGRES_PORT", "5432"))
        .filter(|port| port.parse::<u16>().is_ok())
        .unwrap_or_else(|| "5432".to_owned());
    let database = part("POSTGRES_DATABASE", &part("POSTGRES_DB", "noetl"));
    Storage::Postgres {
        url: format!(
            "postgres://{}{password}@{host}:{port}/{}",
            encode(&user),
            encode(&database)
        ),
        schema,
    }
}

/// Whether `NOETL_DEBUG` asks for a log of every step.
pub(crate) fn debug() -> bool {
    enabled("NOETL_DEBUG", false)
}

/// `NOETL_SERVER_URL`: the server that clients talk to.
pub(crate) fn server_url() -> Option<String> {
    variable("NOETL_SERVER_URL")
}

/// `NOETL_API_TOKEN`: the token that a server asks for.
pub(crate) fn api_token() -> Option<String> {
    variable("NOETL_API_TOKEN")
}

/// Whether `NOETL_ALLOW_HTTP` lets a token go over plain HTTP, inside a cluster.
pub(crate) fn plain_http() -> bool {
    enabled("NOETL_ALLOW_HTTP", false)
}

/// `SSL_CERT_FILE`: certificates to trust besides Mozilla's.
pub(crate) fn certificate_file() -> Option<PathBuf> {
    variable("SSL_CERT_FILE").map(PathBuf::from)
}

/// The proxy that `HTTPS_PROXY` and its kin name, for servers elsewhere.
pub(crate) fn proxy() -> Option<ureq::Proxy> {
    ureq::Proxy::try_from_env()
}

/// Whether a terminal may be coloured: not under `NO_COLOR` or `TERM=dumb`.
pub(crate) fn colour_allowed() -> bool {
    variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb")
}

/// The folder of NoETL's own files, `~/.noetl`.
pub(crate) fn home() -> anyhow::Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    Ok(home
        .ok_or_else(|| anyhow::anyhow!("no home folder: HOME is not set"))?
        .join(".noetl"))
}

/// A variable that is set and not blank. Set to nothing, it hides the one of a `.env` file.
fn variable(name: &str) -> Option<String> {
    static FILES: OnceLock<HashMap<String, String>> = OnceLock::new();
    process_variable(name)
        .or_else(|| FILES.get_or_init(env_files).get(name).cloned())
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module is the one place that reads the environment"
)]
fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What the `.env` files say; where two set a variable, the first one counts.
fn env_files() -> HashMap<String, String> {
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

fn port(value: &str) -> Option<u16> {
    let port = value.parse().ok();
    if port.is_none() {
        note!("warning: NOETL_PORT={value} is not a port number; using {DEFAULT_PORT}");
    }
    port
}

fn enabled(name: &str, default: bool) -> bool {
    variable(name).map_or(default, |value| {
        boolean(&value).unwrap_or_else(|| {
            note!("warning: {name}={value} is neither true nor false; using {default}");
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
