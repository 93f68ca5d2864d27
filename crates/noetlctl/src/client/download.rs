//! Downloads of files from a site that is no NoETL server. No token is sent.

use std::error::Error;
use std::io::Read as _;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use reqwest::blocking::Client;

use super::{ANSWER_TIMEOUT, http};

/// The largest file that is read; what is downloaded here are texts.
const LIMIT_BYTES: u64 = 16 << 20;

/// Downloads files.
#[derive(Debug)]
pub(crate) struct Downloads(Client);

impl Downloads {
    /// Returns a client for files of a site. From an HTTPS one, no redirect leads to plain HTTP.
    ///
    /// # Errors
    /// When `SSL_CERT_FILE` cannot be read.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let builder = http::builder(http::tls(url)?).timeout(ANSWER_TIMEOUT);
        let builder = builder.https_only(url.starts_with("https://"));
        Ok(Self(builder.build()?))
    }

    /// Downloads a file.
    ///
    /// # Errors
    /// When the site does not answer, has no such file, or sends too much.
    pub(crate) fn get(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let cannot = || format!("cannot download {url}");
        let help = "check the network, the proxy and NOETL_DOWNLOAD_URL";
        let request = self.0.get(url).timeout(ANSWER_TIMEOUT);
        let failed = |cause: &(dyn Error + 'static)| anyhow!(http::reason(cause));
        let answer = request.send().map_err(|cause| failed(&cause));
        let answer = answer.with_context(cannot).help(help)?;
        let status = answer.status();
        if !status.is_success() {
            let error = anyhow!("the site answered {status} for {url}");
            return Err(error)
                .help("name a version that is released: noetl self update --version VERSION");
        }
        let mut bytes = Vec::new();
        let read = answer.take(LIMIT_BYTES + 1).read_to_end(&mut bytes);
        let read = read.map_err(|cause| failed(&cause));
        read.with_context(cannot).help(help)?;
        if bytes.len() as u64 > LIMIT_BYTES {
            return Err(anyhow!("{url} has more than {} MiB", LIMIT_BYTES >> 20)).help(help);
        }
        Ok(bytes)
    }
}
