//! Credentials for registries. The caller decides with a [`Keychain`] where they come from. This module can read the
//! files that `docker login` and `podman login` write, and the answers of credential helpers.

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

/// A source of credentials.
pub trait Keychain: fmt::Debug + Send + Sync {
    /// Returns the credentials for a repository of the registry at `host`, which may have a port. It is called at most
    /// once for each [`Repository`](super::Repository), and only when the registry requires a sign-in.
    ///
    /// # Errors
    /// When a file or helper with credentials cannot be read.
    fn find(&self, host: &str, repository: &str) -> anyhow::Result<Lookup>;
}

/// A keychain without credentials.
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

/// Credentials that are sent to a registry or its token server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user name, and a password or access token.
    Password(String, Secret),
    /// A refresh token, which only token servers accept (oauth.md of distribution).
    Identity(Secret),
}

/// The result of searching for credentials; error messages name the places.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// The credentials; `None` when there are none.
    pub credentials: Option<Credentials>,
    /// The places that were searched, such as paths of files; the credentials are from the last one.
    pub places: Vec<String>,
    /// Whether the caller chose to use no credentials, so that nothing was searched.
    pub is_anonymous: bool,
}

/// The sign-ins in docker's `config.json` or podman's `auth.json`.
///
/// What is `null` is absent, as for Docker.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DockerConfig {
    auths: Option<BTreeMap<String, Option<SignIn>>>,
    #[serde(rename = "credHelpers")]
    helpers: Option<BTreeMap<String, Option<String>>>,
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
    /// Reads a file. Errors do not contain its content, since it has passwords in it.
    ///
    /// # Errors
    /// When it cannot be read or parsed.
    pub fn read(path: &Utf8Path) -> anyhow::Result<Self> {
        let bytes = files::read(path)?;
        // Editors on Windows write a byte order mark.
        let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        if json.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        serde_json::from_slice(json)
            .map_err(|error| {
                anyhow!(
                    "{path} is not a file of sign-ins: line {}, column {}",
                    error.line(),
                    error.column()
                )
            })
            .help("correct it, or rename it and run `docker login` again")
    }

    /// Returns the name of the credential helper for a host: that in `credHelpers`, or else `credsStore`. The helper
    /// `name` is the program `docker-credential-name`.
    pub fn helper(&self, host: &str) -> Option<&str> {
        let helpers = self.helpers.as_ref();
        let own = names(host).find_map(|name| helpers?.get(name)?.as_ref());
        own.or(self.store.as_ref())
            .map(String::as_str)
            .filter(|helper| !helper.is_empty())
    }

    /// Returns the credentials in `auths` for a repository of a host. Entries may be for a host, or, as in podman, for
    /// a host with a part of the repository's path; the longest is used.
    ///
    /// # Errors
    /// When the entry cannot be parsed.
    pub fn credentials(&self, host: &str, repository: &str) -> anyhow::Result<Option<Credentials>> {
        let full = format!("{repository}/");
        let auths = self.auths.iter().flatten();
        let fitting = auths.filter_map(|(key, sign_in)| {
            let sign_in = sign_in.as_ref()?;
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
    /// Returns the credentials; `None` for the empty entry that docker writes when a helper keeps the password.
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
            // Old versions of docker add zero bytes to the password.
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

/// Returns the input of `docker-credential-… get` for a host, which the helper reads from standard input.
pub fn helper_question(host: &str) -> &str {
    match host {
        "registry-1.docker.io" => "https://index.docker.io/v1/",
        host => host,
    }
}

/// Parses the output of `docker-credential-… get`. The inner `None` is an empty answer, with which a helper says that it
/// has no credentials; the outer, one that is not valid.
pub fn helper_answer(output: &[u8]) -> Option<Option<Credentials>> {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "PascalCase")]
    struct Answer {
        username: Option<String>,
        secret: Option<String>,
    }
    if output.iter().all(u8::is_ascii_whitespace) {
        return Some(None);
    }
    let answer: Answer = serde_json::from_slice(output).ok()?;
    let username = answer.username.unwrap_or_default();
    let Some(secret) = answer.secret.filter(|secret| !secret.is_empty()) else {
        // A name without a secret is an answer that cannot be used.
        return username.is_empty().then_some(None);
    };
    let secret = Secret::new(secret);
    Some(Some(if username == "<token>" {
        Credentials::Identity(secret)
    } else if username.is_empty() {
        return None;
    } else {
        Credentials::Password(username, secret)
    }))
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

/// Returns the names under which the credentials of a host are kept; Docker Hub has three.
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
    fn an_entry_is_found_by_each_form_of_its_host() {
        // me:pw
        for key in [
            "ghcr.io",
            "https://ghcr.io",
            "https://ghcr.io/v1/",
            "http://ghcr.io/v2/",
            "ghcr.io/some",
        ] {
            let json = format!(r#"{{"auths": {{"{key}": {{"auth": "bWU6cHc="}}}}}}"#);
            assert_eq!(
                user(&json, "ghcr.io", "some/image"),
                Some("me".to_owned()),
                "{key}"
            );
            assert_eq!(
                user(&json, "ghcr.io.evil.example", "some/image"),
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
    fn the_longest_entry_is_used_and_an_empty_one_is_skipped() {
        let json = r#"{"auths": {"r.io": {"username": "wide", "password": "x"},
            "r.io/a/b": {"username": "narrow", "password": "x"}, "r.io/a/bc": {"username": "other", "password": "x"},
            "e.io": {}, "i.io": {"identitytoken": "t", "auth": "bWU6cHc="}}}"#;
        assert_eq!(user(json, "r.io", "a/b"), Some("narrow".to_owned()));
        assert_eq!(user(json, "r.io", "c"), Some("wide".to_owned()));
        assert_eq!(user(json, "e.io", "c"), None);
        assert_eq!(user(json, "i.io", "c"), Some("<token>".to_owned()));
    }

    #[test]
    fn what_is_null_is_absent_and_a_byte_order_mark_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(folder.path().join("config.json")).unwrap();
        for text in [
            r#"{"auths": null, "credHelpers": null, "credsStore": null}"#,
            r#"{"auths": {"r.io": null}, "credHelpers": {"r.io": null}}"#,
            r#"{"auths": {"r.io": {"auth": null, "identitytoken": null, "username": null}}}"#,
            "\u{feff}{}",
            "",
            "\n",
        ] {
            files::write(&path, text.as_bytes()).unwrap();
            let config = DockerConfig::read(&path).unwrap();
            assert_eq!(config.credentials("r.io", "a").unwrap(), None, "{text}");
            assert_eq!(config.helper("r.io"), None, "{text}");
        }
        files::write(
            &path,
            "\u{feff}{\"auths\": {\"r.io\": {\"auth\": \"bWU6cHc=\"}}}".as_bytes(),
        )
        .unwrap();
        let config = DockerConfig::read(&path).unwrap();
        assert!(config.credentials("r.io", "a").unwrap().is_some());
    }

    #[test]
    fn the_helper_of_a_host_is_preferred_to_the_store() {
        let json = r#"{"credHelpers": {"r.io": "own", "docker.io": "hub"}, "credsStore": "all"}"#;
        let config = config(json);
        assert_eq!(config.helper("r.io"), Some("own"));
        assert_eq!(config.helper("registry-1.docker.io"), Some("hub"));
        assert_eq!(config.helper("other.io"), Some("all"));
        assert_eq!(DockerConfig::default().helper("other.io"), None);
    }

    #[test]
    fn an_error_names_the_file_without_its_content() {
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
        assert_eq!(password, Some(Some(expected)));
        let token = helper_answer(br#"{"Username": "<token>", "Secret": "t"}"#);
        assert_eq!(token, Some(Some(Credentials::Identity(Secret::new("t")))));
        for empty in [
            &b""[..],
            b" \n",
            b"{}",
            br#"{"Username": "", "Secret": ""}"#,
            br#"{"Username": null, "Secret": null}"#,
        ] {
            assert_eq!(helper_answer(empty), Some(None));
        }
        assert_eq!(helper_answer(br#"{"Username": "", "Secret": "s"}"#), None);
        assert_eq!(helper_answer(br#"{"Username": "me"}"#), None);
        assert_eq!(helper_answer(b"no such entry"), None);
        assert_eq!(helper_question("r.io"), "r.io");
    }
}
