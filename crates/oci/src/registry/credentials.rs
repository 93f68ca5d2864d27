//! Credentials for registries: where they come from is the caller's matter, behind [`Keychain`]. The files that
//! `docker login` and `podman login` write are read here, and the answers of credential helpers.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::Utf8Path;
use noetl_help::Help as _;
use serde::Deserialize;

use crate::files;
use crate::registry::secret::Secret;

/// Where credentials are looked for.
pub trait Keychain: fmt::Debug + Send + Sync {
    /// Returns the credentials for a repository of the registry at `host`. It is asked once for each
    /// [`Repository`](super::Repository), and only when the registry wants a sign-in.
    ///
    /// # Errors
    /// When a place that should have them cannot be read.
    fn find(&self, host: &str, repository: &str) -> anyhow::Result<Lookup>;
}

/// A keychain that is empty on purpose.
#[derive(Debug, Clone, Copy)]
pub struct Anonymous;

impl Keychain for Anonymous {
    fn find(&self, _host: &str, _repository: &str) -> anyhow::Result<Lookup> {
        Ok(Lookup {
            is_anonymous: true,
            ..Lookup::default()
        })
    }
}

/// What a registry or its token server is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password or access token.
    Password(String, Secret),
    /// A refresh token, which the token server alone takes (oauth.md of distribution).
    Identity(Secret),
}

/// What was found, or where nothing was: errors name the places.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// The credentials.
    pub credentials: Option<Credentials>,
    /// The places that were looked at; the credentials are from the last one.
    pub places: Vec<String>,
    /// Whether nothing was looked for on purpose.
    pub is_anonymous: bool,
}

/// `config.json` of docker, `auth.json` of podman.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DockerConfig {
    auths: BTreeMap<String, SignIn>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SignIn {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    #[serde(rename = "identitytoken")]
    identity_token: Option<String>,
}

impl DockerConfig {
    /// Reads a file. The error does not repeat its content, which has passwords in it.
    ///
    /// # Errors
    /// When it cannot be read, or is not such a file.
    pub fn read(path: &Utf8Path) -> anyhow::Result<Self> {
        let bytes = files::read(path)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| {
                anyhow!(
                    "{path} is not a file of sign-ins: line {}, column {}",
                    error.line(),
                    error.column()
                )
            })
            .help("correct it, or move it away and run docker login again")
    }

    /// Returns the credential helper for a host: the one for it alone, else the one for all. `name` stands for
    /// the program `docker-credential-name`.
    pub fn helper(&self, host: &str) -> Option<&str> {
        let own = names(host).find_map(|name| self.helpers.get(name));
        own.or(self.store.as_ref())
            .map(String::as_str)
            .filter(|helper| !helper.is_empty())
    }

    /// Returns the entry below `auths` for a host, or, as podman has it, for a part of its repositories; the
    /// longest wins.
    ///
    /// # Errors
    /// When the entry is damaged.
    pub fn credentials(&self, host: &str, repository: &str) -> anyhow::Result<Option<Credentials>> {
        let full = format!("{repository}/");
        let fitting = self.auths.iter().filter_map(|(key, sign_in)| {
            let (key_host, path) = plain(key);
            let fits = names(host).any(|name| name == key_host)
                && (path.is_empty() || full.starts_with(&format!("{path}/")));
            fits.then_some((path.len(), sign_in))
        });
        let mut fitting: Vec<_> = fitting.collect();
        fitting.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        for (_, sign_in) in fitting {
            if let Some(credentials) = sign_in.credentials()? {
                return Ok(Some(credentials));
            }
        }
        Ok(None)
    }
}

impl SignIn {
    /// `None` for the empty entry that docker leaves where a helper keeps the password.
    fn credentials(&self) -> anyhow::Result<Option<Credentials>> {
        let given = |field: &Option<String>| field.clone().filter(|word| !word.is_empty());
        if let Some(token) = given(&self.identity_token) {
            return Ok(Some(Credentials::Identity(Secret::new(token))));
        }
        if let Some(pair) = given(&self.auth) {
            let pair = STANDARD.decode(pair).ok();
            let pair = pair.and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = pair.context("`auth` is not base64")?;
            let (user, password) = pair.split_once(':').context("`auth` has no colon")?;
            // Old versions of docker fill the password up with zeros.
            let password = password.trim_end_matches('\0');
            return Ok(Some(Credentials::Password(
                user.to_owned(),
                Secret::new(password),
            )));
        }
        let pair = given(&self.username).zip(given(&self.password));
        Ok(pair.map(|(user, password)| Credentials::Password(user, Secret::new(password))))
    }
}

/// Returns what a credential helper is asked for a host: `docker-credential-… get` reads it.
pub fn helper_question(host: &str) -> &str {
    match host {
        "registry-1.docker.io" => "https://index.docker.io/v1/",
        host => host,
    }
}

/// Reads the answer of a credential helper; `None` when it is not one.
pub fn helper_answer(output: &[u8]) -> Option<Credentials> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let answer: Answer = serde_json::from_slice(output).ok()?;
    let secret = Secret::new(answer.secret);
    Some(if answer.username == "<token>" {
        Credentials::Identity(secret)
    } else {
        Credentials::Password(answer.username, secret)
    })
}

/// Splits `https://host/v1/` or `host/path` into host and path.
fn plain(key: &str) -> (&str, &str) {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let path = path.trim_end_matches('/');
    (
        host,
        if matches!(path, "v1" | "v2") {
            ""
        } else {
            path
        },
    )
}

/// Returns the names under which a host's credentials are kept: Docker Hub has three.
fn names(host: &str) -> impl Iterator<Item = &str> {
    let hub: &[&str] = match host {
        "registry-1.docker.io" => &["index.docker.io", "docker.io"],
        _ => &[],
    };
    std::iter::once(host).chain(hub.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> DockerConfig {
        serde_json::from_str(json).unwrap()
    }

    fn user(json: &str, host: &str, repository: &str) -> Option<String> {
        match config(json).credentials(host, repository).unwrap()? {
            Credentials::Password(user, _) => Some(user),
            Credentials::Identity(_) => Some("<token>".to_owned()),
        }
    }

    #[test]
    fn auths_are_found_under_all_their_names() {
        // me:pw
        for key in [
            "ghcr.io",
            "https://ghcr.io",
            "https://ghcr.io/v1/",
            "http://ghcr.io/v2/",
            "ghcr.io/noetl",
        ] {
            let json = format!(r#"{{"auths": {{"{key}": {{"auth": "bWU6cHc="}}}}}}"#);
            assert_eq!(
                user(&json, "ghcr.io", "noetl/noetl"),
                Some("me".to_owned()),
                "{key}"
            );
            assert_eq!(
                user(&json, "ghcr.io.evil.example", "noetl/noetl"),
                None,
                "{key}"
            );
        }
        let hub = r#"{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6cHc="}}}"#;
        assert_eq!(
            user(hub, "registry-1.docker.io", "a/b"),
            Some("me".to_owned())
        );
    }

    #[test]
    fn the_narrowest_entry_wins_and_an_empty_one_is_none() {
        let json = r#"{"auths": {"r.io": {"username": "wide", "password": "x"},
            "r.io/a/b": {"username": "narrow", "password": "x"}, "r.io/a/bc": {"username": "other", "password": "x"},
            "e.io": {}, "i.io": {"identitytoken": "t", "auth": "bWU6cHc="}}}"#;
        assert_eq!(user(json, "r.io", "a/b"), Some("narrow".to_owned()));
        assert_eq!(user(json, "r.io", "c"), Some("wide".to_owned()));
        assert_eq!(user(json, "e.io", "c"), None);
        assert_eq!(user(json, "i.io", "c"), Some("<token>".to_owned()));
    }

    #[test]
    fn a_helper_of_the_host_goes_before_the_store() {
        let json = r#"{"credHelpers": {"r.io": "own", "docker.io": "hub"}, "credsStore": "all"}"#;
        let config = config(json);
        assert_eq!(config.helper("r.io"), Some("own"));
        assert_eq!(config.helper("registry-1.docker.io"), Some("hub"));
        assert_eq!(config.helper("other.io"), Some("all"));
        assert_eq!(DockerConfig::default().helper("other.io"), None);
    }

    #[test]
    fn a_damaged_file_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(folder.path().join("config.json")).unwrap();
        files::write(&path, br#"{"auths": {"r.io": "hunter2"}}"#).unwrap();
        let error = format!("{:#}", DockerConfig::read(&path).unwrap_err());
        assert!(
            error.contains("config.json is not a file of sign-ins: line 1")
                && !error.contains("hunter2"),
            "{error}"
        );
        let damaged = config(r#"{"auths": {"r.io": {"auth": "hunter2!"}}}"#);
        let error = format!("{:#}", damaged.credentials("r.io", "a").unwrap_err());
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_helper_answers_with_a_password_or_a_token() {
        let password = helper_answer(br#"{"ServerURL": "r.io", "Username": "me", "Secret": "pw"}"#);
        let expected = Credentials::Password("me".to_owned(), Secret::new("pw"));
        assert_eq!(password, Some(expected));
        let token = helper_answer(br#"{"Username": "<token>", "Secret": "t"}"#);
        assert_eq!(token, Some(Credentials::Identity(Secret::new("t"))));
        assert_eq!(helper_answer(b"no such entry"), None);
        assert_eq!(helper_question("r.io"), "r.io");
    }
}
