//! Connections to PostgreSQL: the address in the fields of a call, and connecting to it.

use std::time::Duration;

use reqwest::Url;
use serde_json::{Map, Value as Json};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};

use super::error::{connection_message, is_retryable};
use crate::host::Host;
use crate::tool::call::Call;
use crate::tool::credential;
use noetl_api::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Fields with a URL, or with libpq's `name=value` pairs.
const URL_FIELDS: [&str; 5] = [
    "url",
    "dsn",
    "connection_string",
    "db_conn_string",
    "connection",
];

/// Address of a database, and the user.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: String,
    sslmode: String,
}

/// Opens the connection that the fields of `call` or their credential describe.
pub(in crate::tool) async fn open(
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<PgConnection, Failure> {
    let address = Address::of(&fields(call, host).await?)?;
    let options = address.options(host)?;
    let place = format!(
        "PostgreSQL at {}:{}, database `{}`, as `{}`",
        address.host, address.port, address.database, address.user
    );
    let mut connection = match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Err(connect_failure(&error, &place)),
        Err(_) => {
            return Err(Failure::retryable(
                "connection",
                format!(
                    "no answer from {place} within {} s",
                    CONNECT_TIMEOUT.as_secs()
                ),
            ));
        }
    };
    // The server stops the query of a dropped call. Servers before PostgreSQL 14 lack the setting.
    let setting = sqlx::raw_sql("SET client_connection_check_interval = '2s'");
    match setting.execute(&mut connection).await {
        Ok(_) | Err(sqlx::Error::Database(_)) => Ok(connection),
        Err(error) => {
            connection.close().await.ok();
            Err(connect_failure(&error, &place))
        }
    }
}

/// Closes a connection; its work is done, so a failure to close it does not matter.
pub(in crate::tool) async fn close(connection: PgConnection) {
    connection.close().await.ok();
}

fn connect_failure(error: &sqlx::Error, place: &str) -> Failure {
    let message = format!("cannot connect to {place}: {}", connection_message(error));
    let code = match error {
        sqlx::Error::Database(error) => error.code().map(|code| code.into_owned()),
        sqlx::Error::Configuration(_) => return Failure::new("config", message),
        _ => return Failure::retryable("connection", message),
    };
    let code = code.unwrap_or_default();
    let kind = if code.starts_with("28") {
        "auth"
    } else {
        "connection"
    };
    Failure {
        retryable: is_retryable(&code),
        code: Some(Json::from(code)),
        ..Failure::new(kind, message)
    }
}

/// Returns the fields of the tool, overridden by those that `auth` or `credential` hold or name.
async fn fields(call: &Call<'_>, host: &dyn Host) -> Result<Map<String, Json>, Failure> {
    let mut fields = call.config.clone();
    for name in ["auth", "credential"] {
        match call.config.get(name) {
            None | Some(Json::Null) => {}
            Some(Json::String(name)) => fields.extend(credential::find(name, host).await?.data),
            Some(Json::Object(inline)) => {
                let names: &[&str] = match inline.get("source").and_then(Json::as_str) {
                    Some("credential") => &["credential", "key", "name"],
                    _ => &["credential"],
                };
                if let Some(name) = credential::text(inline, names) {
                    fields.extend(credential::find(&name, host).await?.data);
                }
                fields.extend(inline.clone());
            }
            Some(_) => {
                return Err(Failure::new(
                    "config",
                    format!("the field `{name}` must be a credential's name or a mapping"),
                ));
            }
        }
    }
    Ok(fields)
}

impl Address {
    /// Reads the address from connection fields, which override the parts of a URL.
    pub(super) fn of(fields: &Map<String, Json>) -> Result<Self, Failure> {
        let mut parts = Map::new();
        if let Some(text) = credential::text(fields, &URL_FIELDS) {
            parts = if text.contains("://") {
                from_url(&text)?
            } else {
                from_pairs(&text)
            };
        }
        let pick = |names: &[&str]| {
            credential::text(fields, names).or_else(|| credential::text(&parts, names))
        };
        let known = pick(&["db_host", "host"]);
        if known.is_none() && parts.is_empty() && pick(&["db_user", "user", "username"]).is_none() {
            return Err(Failure::new(
                "config",
                "a postgres tool needs a server: the field `auth` with a credential, or `db_host`",
            )
            .help("noetl register credential --file FILE, then `auth: NAME`"));
        }
        let port = pick(&["db_port", "port"]).unwrap_or_else(|| "5432".to_owned());
        let user = pick(&["db_user", "user", "username"]).unwrap_or_else(|| "postgres".to_owned());
        Ok(Self {
            host: known.unwrap_or_else(|| "localhost".to_owned()),
            port: port.parse().map_err(|_| {
                Failure::new("config", format!("`{port}` is not a port of PostgreSQL"))
            })?,
            password: pick(&["db_password", "password"]),
            database: pick(&["db_name", "database", "dbname"]).unwrap_or_else(|| user.clone()),
            sslmode: pick(&["sslmode", "ssl_mode", "db_sslmode"])
                .unwrap_or_else(|| "prefer".to_owned()),
            user,
        })
    }

    /// Returns the options for sqlx. Fields that it would take from the environment are all set.
    fn options(&self, host: &dyn Host) -> Result<PgConnectOptions, Failure> {
        let mode: PgSslMode = self.sslmode.parse().map_err(|_| {
            Failure::new("config", format!("`{}` is not an sslmode", self.sslmode))
                .help("use disable, prefer, require, verify-ca or verify-full")
        })?;
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .username(&self.user)
            .password(self.password.as_deref().unwrap_or_default())
            .database(&self.database)
            .ssl_mode(mode)
            .application_name("noetl")
            // Statements may hold secrets, which must not be logged.
            .disable_statement_logging();
        let mut roots = Vec::new();
        for path in &host.tool_environment().tls_roots {
            let pem = std::fs::read(path).map_err(|error| {
                let message = format!("cannot read the TLS roots `{}`: {error}", path.display());
                Failure::new("config", message)
            })?;
            roots.extend(pem);
            roots.push(b'\n');
        }
        Ok(match roots.is_empty() {
            true => options,
            false => options.ssl_root_cert_from_pem(roots),
        })
    }
}

/// `postgresql://user:password@host:port/database?sslmode=…`
fn from_url(text: &str) -> Result<Map<String, Json>, Failure> {
    // The message has no text of the URL, which may hold a password.
    let wrong = || Failure::new("config", "the PostgreSQL URL cannot be read");
    let url = Url::parse(text).map_err(|_| wrong())?;
    if !["postgres", "postgresql"].contains(&url.scheme().split('+').next().unwrap_or_default()) {
        return Err(Failure::new(
            "config",
            format!(
                "a URL of PostgreSQL begins with `postgresql://`, not `{}://`",
                url.scheme()
            ),
        ));
    }
    let mut parts = Map::new();
    let port = url.port().map(|port| port.to_string());
    for (name, value) in [
        ("host", url.host_str()),
        ("port", port.as_deref()),
        ("user", Some(url.username())),
        ("password", url.password()),
        ("dbname", Some(url.path().trim_start_matches('/'))),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let value = decode(value).ok_or_else(wrong)?;
            parts.insert(name.to_owned(), Json::from(value));
        }
    }
    for (name, value) in url.query_pairs() {
        parts.insert(name.into_owned(), Json::from(value.into_owned()));
    }
    Ok(parts)
}

/// Decodes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Reads `host=… dbname='…'`, the connection string of libpq.
fn from_pairs(text: &str) -> Map<String, Json> {
    let mut parts = Map::new();
    let mut rest = text.trim_start();
    while let Some((name, tail)) = rest.split_once('=') {
        let tail = tail.trim_start();
        let is_quoted = tail.starts_with('\'');
        let (mut value, mut end, mut escaped) = (String::new(), tail.len(), false);
        for (index, c) in tail.char_indices().skip(usize::from(is_quoted)) {
            if escaped {
                value.push(c);
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if (is_quoted && c == '\'') || (!is_quoted && c.is_whitespace()) {
                end = index + c.len_utf8();
                break;
            } else {
                value.push(c);
            }
        }
        parts.insert(name.trim().to_owned(), Json::from(value));
        rest = tail[end..].trim_start();
    }
    parts
}
