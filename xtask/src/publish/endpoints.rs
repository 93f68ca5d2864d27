//! Where the services are that a release is published to. A file of `--remotes` names others, such as those of a
//! rehearsal, or a GitHub of one's own.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, anyhow, ensure};
use camino::Utf8Path;
use noetl_help::Help as _;
use serde::{Deserialize, Serialize};

use crate::host::ctx::Ctx;
use crate::host::{files, run};
use crate::release::page;
use crate::release::workspace;

/// What a file of `--remotes` is.
const HELP: &str = "it is JSON with git, registry and services, as `cargo xtask release rehearse --serve` prints it";

/// A service with HTTP requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Service {
    /// GitHub's REST API.
    Github,
    /// Where GitHub takes the files of a release.
    GithubUploads,
    /// Where Python's package index takes files (legacy upload API).
    Pypi,
    /// The simple repository API of Python's package index (PEP 503, PEP 691).
    PypiIndex,
    /// npm's registry.
    Npm,
    /// The web API of Rust's package registry.
    Crates,
    /// The sparse index of Rust's package registry.
    CratesIndex,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Github => "github",
            Self::GithubUploads => "github-uploads",
            Self::Pypi => "pypi",
            Self::PypiIndex => "pypi-index",
            Self::Npm => "npm",
            Self::Crates => "crates",
            Self::CratesIndex => "crates-index",
        })
    }
}

/// Rust's package registry.
const CRATES: &str = "crates.io";

/// Returns the registry that npm itself publishes to.
fn npm_registry(ctx: &Ctx) -> anyhow::Result<String> {
    let command = page::npm(ctx)?.args(["config", "get", "registry"]);
    let url = run::read(ctx, &command).context("npm does not say which registry it uses")?;
    let url = url.trim();
    let is_plain = url.starts_with("http") && !url.contains(['@', ' ', '\n']);
    let check = || {
        ensure!(is_plain, "npm's registry is no plain URL");
        Ok(())
    };
    check().help("see it with: npm config get registry")?;
    Ok(url.trim_end_matches('/').to_owned())
}

/// The addresses of everything that a release is published to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Endpoints {
    /// The git remote: a name, a URL or a path.
    pub git: String,
    /// Registry and path above the image's name.
    pub registry: String,
    /// The URLs of the services, without a slash at their ends.
    pub services: BTreeMap<Service, String>,
}

impl Endpoints {
    /// Returns the public services; `npm` is the URL of npm's registry.
    fn public(npm: &str) -> Self {
        let services = [
            (Service::Github, "https://api.github.com"),
            (Service::GithubUploads, "https://uploads.github.com"),
            (Service::Pypi, "https://upload.pypi.org/legacy"),
            (Service::PypiIndex, "https://pypi.org"),
            (Service::Npm, npm),
        ];
        let services = services.map(|(service, url)| (service, url.to_owned()));
        let mut services = BTreeMap::from(services);
        services.insert(Service::Crates, format!("https://{CRATES}"));
        services.insert(Service::CratesIndex, format!("https://index.{CRATES}"));
        Self {
            git: "origin".to_owned(),
            registry: workspace::registry().to_owned(),
            services,
        }
    }

    /// Reads a file of `--remotes`, or returns the public services without one.
    ///
    /// # Errors
    /// When the file cannot be read, or does not name every service.
    pub(crate) fn read(ctx: &Ctx, path: Option<&Utf8Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::public(&npm_registry(ctx)?));
        };
        let parsed = serde_json::from_slice(&files::read(path).help(HELP)?);
        let found: Self = parsed
            .with_context(|| format!("{path} does not say where the services are"))
            .help(HELP)?;
        // A rehearsal must not reach a public service because its file lacks a line.
        let mut services = Self::public("").services.into_keys();
        if let Some(missing) = services.find(|it| !found.services.contains_key(it)) {
            return Err(anyhow!("{path} does not say where {missing} is")).help(HELP);
        }
        Ok(found)
    }

    /// Returns the URL of a path at a service.
    pub(crate) fn url(&self, service: Service, path: &str) -> String {
        let base = self.services.get(&service).map_or("", String::as_str);
        format!("{}{path}", base.trim_end_matches('/'))
    }
}
