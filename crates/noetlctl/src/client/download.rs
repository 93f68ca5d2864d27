//! Downloads of files from a site that is no NoETL server. No token is sent.

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use ureq::Agent;

use super::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, tls};
use crate::config;

/// The largest file that is read; what is downloaded here are texts.
const LIMIT_BYTES: u64 = 16 << 20;

/// Downloads files.
#[derive(Debug)]
pub(crate) struct Downloads(Agent);

impl Downloads {
    /// Returns a client for files of a site. From an HTTPS one, no redirect leads to plain HTTP.
    ///
    /// # Errors
    /// When `SSL_CERT_FILE` cannot be read.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(url.starts_with("https://"))
            .user_agent(concat!("noetl/", env!("CARGO_PKG_VERSION")))
            .proxy(config::proxy())
            .tls_config(tls::config(url)?)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(ANSWER_TIMEOUT));
        Ok(Self(config.build().into()))
    }

    /// Downloads a file.
    ///
    /// # Errors
    /// When the site does not answer, has no such file, or sends too much.
    pub(crate) fn get(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let cannot = || format!("cannot download {url}");
        let help = "check the network, the proxy and NOETL_DOWNLOAD_URL";
        let answer = self.0.get(url).call().with_context(cannot).help(help)?;
        let status = answer.status();
        if !status.is_success() {
            let error = anyhow!("the site answered {status} for {url}");
            return Err(error)
                .help("name a version that is released: noetl self update --version VERSION");
        }
        let mut body = answer.into_body();
        let bytes = body.with_config().limit(LIMIT_BYTES).read_to_vec();
        bytes.with_context(cannot).help(help)
    }
}
