//! Whose name to sign in with: the files that `docker login` and `podman login` write, credential helpers,
//! and the token of a GitHub Actions job.
//!
//! In the order docker and podman use: credHelpers, credsStore, auths, each file by itself, then the job's token.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::Utf8Path;
use serde::Deserialize;

use crate::command::CommandLine;
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::registry::secret::Secret;
use crate::{files, sh};

/// What a registry or its token server is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// A name and a password or access token.
    Password(String, Secret),
    /// A refresh token, which the token server alone takes (oauth.md of distribution).
    Identity(Secret),
}

/// What was found, or where nothing was: errors tell it.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup {
    /// The credentials.
    pub(super) credentials: Option<Credentials>,
    /// The places that were looked at, the last one being where they were found.
    pub(super) places: Vec<String>,
}

/// `config.json` of docker, `auth.json` of podman.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SignIns {
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

/// Finds the credentials for a repository, by its registry's host and never by that of a token server.
///
/// # Errors
/// When a file cannot be read or a helper fails; a helper that is not installed is passed over.
pub(super) fn find(ctx: &Ctx, host: &str, repository: &str) -> anyhow::Result<Lookup> {
    let mut lookup = Lookup::default();
    for path in &ctx.credentials.files {
        if !path.is_file() {
            lookup.places.push(format!("{path} (there is none)"));
            continue;
        }
        let sign_ins = read(path)?;
        if let Some(helper) = sign_ins.helpers(host) {
            lookup.places.push(format!("docker-credential-{helper}"));
            lookup.credentials = ask(ctx, helper, host, &mut lookup.places)?;
            if lookup.credentials.is_some() {
                return Ok(lookup);
            }
        }
        lookup.places.push(path.to_string());
        lookup.credentials = sign_ins
            .written(host, repository)
            .with_context(|| format!("{path}: the entry for {host} is damaged"))
            .help(format!("sign in again: docker login {host}"))?;
        if lookup.credentials.is_some() {
            return Ok(lookup);
        }
    }
    if host == "ghcr.io"
        && let Some((actor, token)) = &ctx.credentials.github
    {
        lookup.places.push("GITHUB_TOKEN".to_owned());
        lookup.credentials = Some(Credentials::Password(actor.clone(), token.clone()));
    }
    Ok(lookup)
}

/// Reads one file. What a parser says of it is not repeated, as that would quote passwords.
fn read(path: &Utf8Path) -> anyhow::Result<SignIns> {
    let bytes = files::read(path)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| {
            anyhow!(
                "{path} is not a file of sign-ins: line {}, column {}",
                error.line(),
                error.column()
            )
        })
        .help("mend it, or move it away and run docker login again")
}

impl SignIns {
    /// The helpers for a host: the one for it alone, else the one for all.
    fn helpers(&self, host: &str) -> Option<&str> {
        let own = names(host).find_map(|name| self.helpers.get(name));
        own.or(self.store.as_ref())
            .map(String::as_str)
            .filter(|helper| !helper.is_empty())
    }

    /// The entry below `auths` for a host, or, as podman has it, for a part of its repositories; the longest wins.
    fn written(&self, host: &str, repository: &str) -> anyhow::Result<Option<Credentials>> {
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

/// `https://host/v1/` and `host/path` as host and path.
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

/// The names under which a host's credentials are kept: Docker Hub has three.
fn names(host: &str) -> impl Iterator<Item = &str> {
    let hub: &[&str] = match host {
        "registry-1.docker.io" => &["index.docker.io", "docker.io"],
        _ => &[],
    };
    std::iter::once(host).chain(hub.iter().copied())
}

/// Runs `docker-credential-NAME get`, which reads the host and answers with JSON.
fn ask(
    ctx: &Ctx,
    helper: &str,
    host: &str,
    places: &mut [String],
) -> anyhow::Result<Option<Credentials>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let program = format!("docker-credential-{helper}");
    let mut remark = |words: &str| {
        if let Some(place) = places.last_mut() {
            place.push_str(words);
        }
        Ok(None)
    };
    if crate::ctx::find_program(&program).is_none() {
        return remark(" (not installed)");
    }
    let server = match host {
        "registry-1.docker.io" => "https://index.docker.io/v1/",
        host => host,
    };
    let command = CommandLine::new(&program).arg("get");
    let output = sh::ask(ctx, &command, server)?;
    let help =
        format!("look at `echo {server} | {program} get`, or sign in again: docker login {host}");
    if !output.status.success() {
        // The protocol has this message for it, on standard output, and no exit code of its own.
        if String::from_utf8_lossy(&output.stdout).contains("credentials not found") {
            return remark(" (knows none)");
        }
        return Err(anyhow!("{program} failed ({})", output.status)).help(help);
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| anyhow!("{program} did not answer with a user name and a secret"))
        .help(help)?;
    let secret = Secret::new(answer.secret);
    Ok(Some(if answer.username == "<token>" {
        Credentials::Identity(secret)
    } else {
        Credentials::Password(answer.username, secret)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_ins(json: &str) -> SignIns {
        serde_json::from_str(json).unwrap()
    }

    fn user(json: &str, host: &str, repository: &str) -> Option<String> {
        match sign_ins(json).written(host, repository).unwrap()? {
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
        let sign_ins = sign_ins(json);
        assert_eq!(sign_ins.helpers("r.io"), Some("own"));
        assert_eq!(sign_ins.helpers("registry-1.docker.io"), Some("hub"));
        assert_eq!(sign_ins.helpers("other.io"), Some("all"));
        assert_eq!(SignIns::default().helpers("other.io"), None);
    }

    #[test]
    fn a_damaged_file_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(folder.path().join("config.json")).unwrap();
        files::write(&path, r#"{"auths": {"r.io": "hunter2"}}"#).unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(
            error.contains("config.json is not a file of sign-ins: line 1")
                && !error.contains("hunter2"),
            "{error}"
        );
        let damaged = sign_ins(r#"{"auths": {"r.io": {"auth": "hunter2!"}}}"#);
        let error = format!("{:#}", damaged.written("r.io", "a").unwrap_err());
        assert!(!error.contains("hunter2"), "{error}");
    }
}
