//! HTTP clients: one for each set of trusted servers, so that connections are reused.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::{Client, redirect};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use crate::host::ToolEnvironment;
use crate::tls::{self, TlsError};
use noetl_api::Failure;

type Clients = Mutex<HashMap<(Vec<PathBuf>, bool), Client>>;

/// Returns the client that trusts the public roots and those of `environment`, or every server without
/// `verify`.
pub(super) fn client(environment: &ToolEnvironment, verify: bool) -> Result<Client, Failure> {
    static CLIENTS: OnceLock<Clients> = OnceLock::new();
    let key = (environment.tls_roots.clone(), verify);
    let clients = CLIENTS.get_or_init(Mutex::default);
    // A panic cannot leave the map half changed.
    let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = clients.get(&key) {
        return Ok(client.clone());
    }
    let client = build(&environment.tls_roots, verify)?;
    clients.insert(key, client.clone());
    Ok(client)
}

fn build(roots: &[PathBuf], verify: bool) -> Result<Client, Failure> {
    let wrong = |error: TlsError| Failure::new("config", error.to_string());
    // Files of certificates that nothing is compared with are not read, so that a broken one is no obstacle.
    let roots = if verify { roots } else { &[] };
    let mut tls = tls::client_config(roots).map_err(wrong)?;
    if !verify {
        let verifier = Arc::new(AcceptAnyServer(tls.crypto_provider().clone()));
        tls.dangerous().set_certificate_verifier(verifier);
    }
    Client::builder()
        .use_preconfigured_tls(tls)
        // Proxies are not taken from the environment.
        .no_proxy()
        // The tool follows redirects itself, so that secrets are not sent to other servers.
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .user_agent(concat!("noetl/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::new("config", format!("HTTP cannot be set up: {error}")))
}

/// Accepts every server, for `verify_ssl: false`; signatures are still checked.
#[derive(Debug)]
struct AcceptAnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
