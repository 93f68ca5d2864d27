//! The settings of every HTTP client of the command line.

use std::error::Error;
use std::time::Duration;

use noetl_engine::tls::{self, ClientConfig};
use noetl_help::Help as _;
use reqwest::blocking::{Client, ClientBuilder};

use crate::config;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns what a client of `url` trusts: Mozilla's root certificates, and those of the system, `SSL_CERT_FILE` and
/// `SSL_CERT_DIR`. They are only read for a URL of HTTPS.
///
/// # Errors
/// When a file of certificates cannot be read or contains none.
pub(super) fn tls(url: &str) -> anyhow::Result<ClientConfig> {
    let roots = match url.starts_with("https://") {
        true => config::tls_roots(),
        false => Vec::new(),
    };
    tls::client_config(&roots).help(
        "name a file of certificates in PEM: SSL_CERT_FILE=FILE, or unset it and SSL_CERT_DIR",
    )
}

/// Returns why a request failed: the innermost error. The outer ones tell the layers of the HTTP client.
pub(super) fn reason(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.last().unwrap_or(error).to_string()
}

/// Returns the settings of a client, which names the program and takes its proxy from the environment.
pub(super) fn builder(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .use_preconfigured_tls(tls)
        .user_agent(concat!("noetl/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
}
