//! The certificates that are trusted for HTTPS.

use std::fs;

use anyhow::{Context as _, ensure};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

use crate::config;

/// Returns Mozilla's root certificates, and those of the system, `SSL_CERT_FILE` and `SSL_CERT_DIR`. They are only read
/// for a URL of HTTPS.
///
/// # Errors
/// Fails when a file cannot be read or contains no certificates.
pub(super) fn config(url: &str) -> anyhow::Result<TlsConfig> {
    let paths = match url.starts_with("https://") {
        true => config::tls_roots(),
        false => Vec::new(),
    };
    if paths.is_empty() {
        return Ok(TlsConfig::builder().root_certs(RootCerts::WebPki).build());
    }
    let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let mut certificates: Vec<Certificate<'static>> = mozilla
        .map(|certificate| Certificate::from_der(certificate))
        .collect();
    for path in paths {
        let shown = path.display();
        let pem =
            fs::read(&path).with_context(|| format!("cannot read the certificates {shown}"))?;
        let before = certificates.len();
        for item in ureq::tls::parse_pem(&pem) {
            let item = item.with_context(|| format!("{shown} is not a file of certificates"))?;
            if let PemItem::Certificate(certificate) = item {
                certificates.push(certificate);
            }
        }
        ensure!(
            certificates.len() > before,
            "{shown} has no certificate in PEM in it"
        );
    }
    let roots = RootCerts::new_with_certs(&certificates);
    Ok(TlsConfig::builder().root_certs(roots).build())
}
