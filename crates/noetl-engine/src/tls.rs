//! The servers that are trusted with TLS: the public roots, and the files of certificates that the user names.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub use rustls::ClientConfig;
use rustls::RootCertStore;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of certificates cannot be read, or has none in it.
    #[error("cannot read the certificates {}: {cause}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        cause: io::Error,
    },
    /// The versions of TLS and the cryptography do not fit together.
    #[error("TLS cannot be set up: {0}")]
    Configuration(rustls::Error),
}

/// Returns the configuration of a client that trusts Mozilla's roots and the certificates in the files `roots`, which are
/// PEM.
///
/// # Errors
/// When a file cannot be read or has no certificate in it.
pub fn client_config(roots: &[PathBuf]) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Configuration)?;
    let trusted = builder.with_root_certificates(store(roots)?);
    Ok(trusted.with_no_client_auth())
}

fn store(roots: &[PathBuf]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for path in roots {
        let wrong = |cause| TlsError::Certificates {
            path: path.clone(),
            cause,
        };
        let pem = std::fs::read(path).map_err(wrong)?;
        let certificates: Result<Vec<_>, _> = rustls_pemfile::certs(&mut pem.as_slice()).collect();
        // Bundles of systems contain certificates in forms that no longer count.
        let (usable, _) = store.add_parsable_certificates(certificates.map_err(wrong)?);
        if usable == 0 {
            return Err(wrong(io::Error::other(
                "it has no certificate in PEM in it",
            )));
        }
    }
    Ok(store)
}
