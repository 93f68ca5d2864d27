//! What a server says of itself when it starts: what it uses, and where each setting came from.

use std::path::Path;

use noetl_server::{Config, Storage, UiSource};

use crate::cli::server::StartArgs;
use crate::config::server::origin;

/// The settings of a server.
pub(super) struct Summary {
    lines: Vec<(&'static str, String)>,
    /// Whether the token was given.
    has_token: bool,
}

impl Summary {
    pub(super) fn new(args: &StartArgs, config: &Config) -> Self {
        let from = |what: String, origin: &str| format!("{what} ({origin})");
        let page = match &config.ui {
            UiSource::Off => "none".to_owned(),
            UiSource::Embedded => "in this program".to_owned(),
            UiSource::Folder(folder) => from(folder.display().to_string(), "NOETL_UI_DIR"),
        };
        let workers = match config.max_workers {
            0 => "none in this process; `noetl worker start` runs one".to_owned(),
            count => format!("{count} commands at once in this process"),
        };
        let mut lines = vec![
            ("store", from(shown(&config.store.storage), origin::store())),
            (
                "data folder",
                from(
                    config.store.data_dir.display().to_string(),
                    origin::data_dir(args),
                ),
            ),
            ("page", page),
            ("workers", from(workers, origin::max_workers(args))),
        ];
        if !config.allowed_hosts.is_empty() {
            lines.push(("also answers to", config.allowed_hosts.join(", ")));
        }
        Self {
            lines,
            has_token: config.api_token.is_some(),
        }
    }

    /// Returns the lines; `token_file` is the file of the token that the server made.
    pub(super) fn lines(&self, token_file: Option<&Path>) -> String {
        let mut text = String::new();
        for (name, value) in &self.lines {
            text += &format!("  {name:<12} {value}\n");
        }
        text += &match (token_file, self.has_token) {
            (_, true) => "requests need the token of NOETL_API_TOKEN\n".to_owned(),
            (Some(path), _) => format!(
                "requests from other machines need the token in {}\n",
                path.display()
            ),
            (None, _) => String::new(),
        };
        text
    }
}

/// Returns a store without its password.
fn shown(storage: &Storage) -> String {
    match storage {
        Storage::Sqlite(path) => format!("SQLite, {}", path.display()),
        Storage::Postgres { url, schema } => {
            format!("PostgreSQL, {}, schema {schema}", without_password(url))
        }
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "a URL without `://`".to_owned();
    };
    // Parameters may have a password, too.
    let rest = rest.split('?').next().unwrap_or(rest);
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            let user = user.split(':').next().unwrap_or(user);
            format!("{scheme}://{user}@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            ("postgres://u:p@w@h:5432/d", "postgres://u@h:5432/d"),
            ("postgresql://h/d?password=p", "postgresql://h/d"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("host=h password=p", "a URL without `://`"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
