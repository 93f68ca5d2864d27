//! The certificates that are trusted for HTTPS.

use std::fs;

use anyhow::Context as _;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

use crate::config;

/// Returns Mozilla's root certificates, and those of `SSL_CERT_FILE` if it is set and the URL is HTTPS.
///
/// # Errors
/// Fails when the file cannot be read or contains no certificates.
pub(super) fn config(url: &str) -> anyhow::Result<TlsConfig> {
    let roots = match config::certificate_file() {
        Some(path) if url.starts_with("https://") => {
            let pem = fs::read(&path)
                .with_context(|| format!("cannot read SSL_CERT_FILE={}", path.display()))?;
            let mut certificates: Vec<Certificate<'static>> =
                webpki_root_certs::TLS_SERVER_ROOT_CERTS
                    .iter()
                    .map(|certificate| Certificate::from_der(certificate))
                    .collect();
            for item in ureq::tls::parse_pem(&pem) {
                let item = item.with_context(|| {
                    format!("no certificates in SSL_CERT_FILE={}", path.display())
                })?;
                if let PemItem::Certificate(certificate) = item {
                    certificates.push(certificate);
                }
            }
            RootCerts::new_with_certs(&certificates)
        }
        _ => RootCerts::WebPki,
    };
    Ok(TlsConfig::builder().root_certs(roots).build())
}
