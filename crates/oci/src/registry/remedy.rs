//! The help of errors that end a request: one for each cause, whatever request it ended.

use rustls::{CertificateError, Error as TlsError};
use ureq::Error;

/// Why a request has ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// No authority that this machine trusts has signed the certificate of the server.
    UnknownAuthority,
    /// The certificate is too old or too new.
    Expired,
    /// The certificate is for other names.
    OtherName,
    /// The certificate is wrong in another way.
    Certificate,
    /// A certificate that the caller names cannot be read.
    OwnCertificates,
    /// The server does not speak TLS.
    NoTls,
    /// The name of the host does not exist.
    NoSuchHost,
    /// Nothing listens at the port.
    Refused,
    /// The proxy cannot be used.
    Proxy,
    /// There was no answer in time, or the connection broke.
    NoAnswer,
    /// The registry redirects without an end, or to nowhere.
    Redirect,
    /// The credentials may not do this.
    Permission,
    /// There is no such registry or repository.
    NotFound,
    /// The registry accepts no writes.
    ReadOnly,
    /// The space that the account may use is full.
    Quota,
    /// The content is larger than a server accepts.
    TooLarge,
    /// Too many requests.
    Rate,
    /// The server fails.
    Broken,
    /// Anything else.
    Other,
}

impl Cause {
    /// Returns why there was no answer.
    pub(super) fn of_error(error: &Error) -> Self {
        if let Some(error) = tls(error) {
            return match error {
                TlsError::InvalidCertificate(error) => match error {
                    CertificateError::UnknownIssuer => Self::UnknownAuthority,
                    CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. } => Self::Expired,
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
                    _ => Self::Certificate,
                },
                TlsError::InvalidMessage(_) => Self::NoTls,
                _ => Self::NoAnswer,
            };
        }
        match error {
            Error::HostNotFound => Self::NoSuchHost,
            // Only what is read before a connection is opened fails like this.
            Error::Other(_) => Self::OwnCertificates,
            Error::InvalidProxyUrl | Error::ConnectProxyFailed(_) => Self::Proxy,
            Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Self::Refused
            }
            Error::Io(error) if is_unknown_name(error) => Self::NoSuchHost,
            _ => Self::NoAnswer,
        }
    }

    /// Returns why a server refuses a request, from the status and the message of its answer. Registries answer with
    /// different statuses when they are read-only or full, so that the message decides.
    pub(super) fn of_answer(status: u16, message: &str) -> Self {
        let message = message.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        match status {
            400..=599 if says(&["quota", "storage limit", "insufficient storage"]) => Self::Quota,
            507 => Self::Quota,
            400..=599 if says(&["read-only", "read only", "readonly"]) => Self::ReadOnly,
            300..=399 => Self::Redirect,
            403 => Self::Permission,
            404 => Self::NotFound,
            405 => Self::ReadOnly,
            413 => Self::TooLarge,
            429 => Self::Rate,
            500.. => Self::Broken,
            _ => Self::Other,
        }
    }

    /// Returns whether the same request cannot succeed later.
    pub(super) fn is_final(self) -> bool {
        !matches!(
            self,
            Self::NoAnswer | Self::Broken | Self::Rate | Self::Other
        )
    }

    /// Returns what to do, for the registry or other server at `host`.
    pub(super) fn help(self, host: &str) -> String {
        match self {
            Self::UnknownAuthority => format!(
                "name the certificate of its authority, a file in PEM: SSL_CERT_FILE=FILE, or copy it to \
                 /etc/docker/certs.d/{host}/ca.crt"
            ),
            Self::Expired => format!(
                "renew the certificate of {host}, or set the clock of this machine: `date` shows it"
            ),
            Self::OtherName => format!(
                "use a name that the certificate is for; `openssl s_client -connect {host}:443` shows them"
            ),
            Self::Certificate => {
                format!("`openssl s_client -connect {host}:443` shows what is wrong with it")
            }
            Self::OwnCertificates => format!(
                "correct SSL_CERT_FILE or SSL_CERT_DIR, or the files for {host} in certs.d: each is in PEM"
            ),
            Self::NoTls => format!(
                "{host} does not speak TLS: put a proxy with a certificate in front of it; plain HTTP is for this machine \
                 alone"
            ),
            Self::NoSuchHost => format!("check the name {host}, and that this machine can resolve it"),
            Self::Refused => format!("start the registry at {host}, or check its name and port"),
            Self::Proxy => format!(
                "check HTTPS_PROXY, or reach {host} without the proxy: NO_PROXY={host}"
            ),
            Self::NoAnswer => format!(
                "check that {host} is running and can be reached, with or without a proxy (HTTPS_PROXY, NO_PROXY)"
            ),
            Self::Redirect => format!(
                "correct the redirects of {host}: a proxy in front of it may not know its own address or scheme"
            ),
            Self::Permission => format!(
                "give this user the right to do it in the settings of {host}, or sign in as another: docker login {host}"
            ),
            Self::NotFound => "check the names of registry and repository; some registries require that the repository is \
                               created first"
                .to_owned(),
            Self::ReadOnly => {
                "the registry accepts no writes: push again later, or to another registry".to_owned()
            }
            Self::Quota => format!(
                "delete images that are not needed, or raise the quota in the settings of {host}"
            ),
            Self::TooLarge => format!(
                "raise the limit on the size of requests of {host} or of the proxy in front of it, such as nginx's \
                 client_max_body_size"
            ),
            Self::Rate => format!(
                "wait as long as {host} asks, or sign in, which raises the limit: docker login {host}"
            ),
            Self::Broken => {
                "try again when the registry works: blobs that it has are not sent again".to_owned()
            }
            Self::Other => {
                "see the log of the registry: it refuses a request that the OCI specification allows"
                    .to_owned()
            }
        }
    }
}

/// Returns whether a name does not exist. The standard library has no kind for that, only this text; a resolver that
/// fails for the moment says so.
fn is_unknown_name(error: &std::io::Error) -> bool {
    let text = error.to_string();
    text.starts_with("failed to lookup address information") && !text.contains("Temporary failure")
}

/// Returns the error of TLS in an error, which may be below that of the connection.
fn tls(error: &Error) -> Option<&TlsError> {
    match error {
        Error::Rustls(error) => Some(error),
        Error::Io(error) => {
            let inner = error.get_ref()?;
            inner
                .downcast_ref::<TlsError>()
                .or_else(|| tls(inner.downcast_ref::<Error>()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;

    use super::*;

    #[test]
    fn each_cause_of_no_answer_is_recognized() {
        let wrapped = |error| Error::Io(io::Error::new(io::ErrorKind::InvalidData, error));
        let certificate = TlsError::InvalidCertificate;
        for (error, cause) in [
            (
                wrapped(certificate(CertificateError::UnknownIssuer)),
                Cause::UnknownAuthority,
            ),
            (
                Error::Rustls(certificate(CertificateError::Expired)),
                Cause::Expired,
            ),
            (
                wrapped(certificate(CertificateError::NotValidForName)),
                Cause::OtherName,
            ),
            (
                wrapped(certificate(CertificateError::BadSignature)),
                Cause::Certificate,
            ),
            (
                wrapped(TlsError::InvalidMessage(
                    rustls::InvalidMessage::InvalidContentType,
                )),
                Cause::NoTls,
            ),
            (Error::HostNotFound, Cause::NoSuchHost),
            (
                Error::Io(io::Error::other(
                    "failed to lookup address information: Name or service not known",
                )),
                Cause::NoSuchHost,
            ),
            (Error::Other("no such file".into()), Cause::OwnCertificates),
            (Error::InvalidProxyUrl, Cause::Proxy),
            (
                Error::Io(io::ErrorKind::ConnectionRefused.into()),
                Cause::Refused,
            ),
            (
                Error::Io(io::ErrorKind::ConnectionReset.into()),
                Cause::NoAnswer,
            ),
        ] {
            assert_eq!(Cause::of_error(&error), cause, "{error}");
            assert_eq!(cause.is_final(), cause != Cause::NoAnswer, "{error}");
        }
    }

    #[test]
    fn each_cause_of_a_refusal_is_recognized() {
        for (status, message, cause) in [
            (307, "", Cause::Redirect),
            (403, "DENIED requested access is denied", Cause::Permission),
            (403, "DENIED adding 9 MiB exceeds the quota", Cause::Quota),
            (412, "PRECONDITION Quota exceeded", Cause::Quota),
            (507, "", Cause::Quota),
            (404, "NAME_UNKNOWN", Cause::NotFound),
            (405, "UNSUPPORTED", Cause::ReadOnly),
            (503, "the registry is in read-only mode", Cause::ReadOnly),
            (413, "Request Entity Too Large", Cause::TooLarge),
            (429, "TOOMANYREQUESTS", Cause::Rate),
            (500, "", Cause::Broken),
            (400, "DIGEST_INVALID", Cause::Other),
        ] {
            assert_eq!(
                Cause::of_answer(status, message),
                cause,
                "{status} {message}"
            );
        }
    }

    #[test]
    fn every_cause_has_a_help_of_its_own() {
        use Cause::*;
        let causes = [
            UnknownAuthority,
            Expired,
            OtherName,
            Certificate,
            OwnCertificates,
            NoTls,
            NoSuchHost,
            Refused,
            Proxy,
            NoAnswer,
            Redirect,
            Permission,
            NotFound,
            ReadOnly,
            Quota,
            TooLarge,
            Rate,
            Broken,
            Other,
        ];
        let helps: BTreeSet<_> = causes.iter().map(|cause| cause.help("r.example")).collect();
        assert_eq!(helps.len(), causes.len());
        let listed = causes.map(|cause| format!("{cause:?}: {}", cause.help("r.example")));
        insta::assert_snapshot!(listed.join("\n"), @r"
        UnknownAuthority: name the certificate of its authority, a file in PEM: SSL_CERT_FILE=FILE, or copy it to /etc/docker/certs.d/r.example/ca.crt
        Expired: renew the certificate of r.example, or set the clock of this machine: `date` shows it
        OtherName: use a name that the certificate is for; `openssl s_client -connect r.example:443` shows them
        Certificate: `openssl s_client -connect r.example:443` shows what is wrong with it
        OwnCertificates: correct SSL_CERT_FILE or SSL_CERT_DIR, or the files for r.example in certs.d: each is in PEM
        NoTls: r.example does not speak TLS: put a proxy with a certificate in front of it; plain HTTP is for this machine alone
        NoSuchHost: check the name r.example, and that this machine can resolve it
        Refused: start the registry at r.example, or check its name and port
        Proxy: check HTTPS_PROXY, or reach r.example without the proxy: NO_PROXY=r.example
        NoAnswer: check that r.example is running and can be reached, with or without a proxy (HTTPS_PROXY, NO_PROXY)
        Redirect: correct the redirects of r.example: a proxy in front of it may not know its own address or scheme
        Permission: give this user the right to do it in the settings of r.example, or sign in as another: docker login r.example
        NotFound: check the names of registry and repository; some registries require that the repository is created first
        ReadOnly: the registry accepts no writes: push again later, or to another registry
        Quota: delete images that are not needed, or raise the quota in the settings of r.example
        TooLarge: raise the limit on the size of requests of r.example or of the proxy in front of it, such as nginx's client_max_body_size
        Rate: wait as long as r.example asks, or sign in, which raises the limit: docker login r.example
        Broken: try again when the registry works: blobs that it has are not sent again
        Other: see the log of the registry: it refuses a request that the OCI specification allows
        ");
    }
}
