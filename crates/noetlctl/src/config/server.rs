//! The settings of a server: flags first, then environment variables, then defaults.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use noetl_help::Help as _;
use noetl_server::{DEFAULT_PORT, Storage, StoreConfig, UiSource};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::environment::{boolean, variable};
use crate::cli::server::{ListenArgs, StartArgs};

/// The address of a server: where it listens, or where a command looks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Listen {
    /// Flags override `NOETL_HOST` and `NOETL_PORT`, which override `127.0.0.1:8082`.
    pub(crate) fn new(args: &ListenArgs) -> Self {
        Self {
            host: args
                .host
                .clone()
                .or_else(|| variable("NOETL_HOST"))
                .unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: args
                .port
                .or_else(|| variable("NOETL_PORT").and_then(|value| parse_port(&value)))
                .unwrap_or(DEFAULT_PORT),
        }
    }
}

fn parse_port(value: &str) -> Option<u16> {
    let port = value.parse().ok();
    if port.is_none() {
        note!("warning: NOETL_PORT={value} is not a port number; using {DEFAULT_PORT}");
    }
    port
}

/// Returns where the web page comes from: `--no-ui` and `NOETL_ENABLE_UI=false` turn it off,
/// `NOETL_UI_DIR` names a folder, and without any of them it is the embedded page.
pub(crate) fn ui_source(no_ui: bool) -> UiSource {
    if no_ui || !boolean("NOETL_ENABLE_UI", true) {
        return UiSource::Off;
    }
    match variable("NOETL_UI_DIR").map(PathBuf::from) {
        Some(folder) if folder.join("index.html").is_file() => UiSource::Folder(folder),
        Some(folder) => {
            note!(
                "warning: NOETL_UI_DIR={} contains no index.html; the server has no web page",
                folder.display()
            );
            UiSource::Off
        }
        None => UiSource::Embedded,
    }
}

/// Returns the store of a server, and the key of its credentials.
///
/// # Errors
/// Fails when there is no data folder: `HOME` is not set, or the current folder does not exist.
pub(crate) fn store_config(args: &StartArgs) -> anyhow::Result<StoreConfig> {
    let data_dir = match args
        .data_dir
        .clone()
        .or_else(|| variable("NOETL_DATA_DIR").map(PathBuf::from))
    {
        Some(folder) => folder,
        None => super::home()?.join("data"),
    };
    let data_dir = std::path::absolute(&data_dir)?;
    Ok(StoreConfig {
        storage: storage(&data_dir),
        encryption_key: variable("NOETL_ENCRYPTION_KEY"),
        data_dir,
    })
}

/// Returns the hosts under which a proxy on this machine reaches the server: that of `--public-url`, and those of
/// `NOETL_ALLOWED_HOSTS`.
///
/// # Errors
/// Fails when `--public-url` is not a URL.
pub(crate) fn allowed_hosts(args: &StartArgs) -> anyhow::Result<Vec<String>> {
    let mut hosts = Vec::new();
    if let Some(url) = &args.public_url {
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        let host = host.filter(|host| !host.is_empty() && !host.contains('@'));
        let host = host
            .with_context(|| format!("--public-url {url} is not a URL"))
            .help("write it as a browser shows it, such as https://noetl.example")?;
        hosts.push(host.to_owned());
    }
    let listed = variable("NOETL_ALLOWED_HOSTS").unwrap_or_default();
    let listed = listed.split([',', ' ']).filter(|host| !host.is_empty());
    hosts.extend(listed.map(str::to_owned));
    Ok(hosts)
}

/// Where settings come from.
pub(crate) mod origin {
    use super::{StartArgs, variable};

    /// Returns where the store was named.
    pub(crate) fn store() -> &'static str {
        let names = ["DATABASE_URL", "POSTGRES_HOST"];
        let mut names = names.into_iter();
        names
            .find(|name| variable(name).is_some())
            .unwrap_or("the data folder; DATABASE_URL names another")
    }

    /// Returns where the data folder was named.
    pub(crate) fn data_dir(args: &StartArgs) -> &'static str {
        of("--data-dir", args.data_dir.is_some(), "NOETL_DATA_DIR")
    }

    /// Returns where the number of workers was named.
    pub(crate) fn max_workers(args: &StartArgs) -> &'static str {
        of(
            "--max-workers",
            args.max_workers.is_some(),
            "NOETL_MAX_WORKERS",
        )
    }

    fn of(flag: &'static str, is_given: bool, name: &'static str) -> &'static str {
        match is_given {
            true => flag,
            false if variable(name).is_some() => name,
            false => "the default",
        }
    }
}

/// Returns the name of a server: `NOETL_SERVER_NAME`, else the name of this machine.
pub(crate) fn server_name() -> String {
    variable("NOETL_SERVER_NAME")
        .or_else(super::host_name)
        .unwrap_or_else(|| "noetl".to_owned())
}

/// Returns `DATABASE_URL`, else the database of the `POSTGRES_*` variables, else a file in the data folder.
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
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let user = variable("POSTGRES_USER")
        .or_else(|| variable("NOETL_USER"))
        .unwrap_or_else(|| "noetl".to_owned());
    let password = variable("POSTGRES_PASSWORD")
        .or_else(|| variable("NOETL_PASSWORD"))
        .map(|password| format!(":{}", encode(&password)))
        .unwrap_or_default();
    // Kubernetes sets POSTGRES_PORT=tcp://… beside a Service of that name.
    let port = variable("POSTGRES_PORT")
        .and_then(|port| port.parse::<u16>().ok())
        .unwrap_or(5432);
    let database = variable("POSTGRES_DATABASE")
        .or_else(|| variable("POSTGRES_DB"))
        .unwrap_or_else(|| "noetl".to_owned());
    Storage::Postgres {
        url: format!(
            "postgres://{}{password}@{host}:{port}/{}",
            encode(&user),
            encode(&database)
        ),
        schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_kubernetes_service_is_not_a_port() {
        assert_eq!(parse_port("tcp://10.0.0.1:8082"), None);
        assert_eq!(parse_port("70000"), None);
        assert_eq!(parse_port("9000"), Some(9000));
    }
}
