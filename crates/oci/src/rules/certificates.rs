//! F3: the bundle of root certificates in the image.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Sha256;
use crate::filesystem::NodeKind;
use crate::rules::catalogue::F3;
use crate::rules::subject::{ImageView, Origin, Subject};
use crate::rules::{Expectations, Findings};

/// The default path of OpenSSL, Go and rustls on Debian.
const USUAL: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The fewest certificates of a bundle that is enough for public servers.
const FEWEST: usize = 100;

pub(super) fn check(
    subject: &Subject<'_>,
    view: &ImageView<'_>,
    expected: &Expectations,
    findings: &mut Findings,
) {
    let Some(merged) = view.filesystem() else {
        return;
    };
    let path = view.run().and_then(|run| run.variable("SSL_CERT_FILE"));
    let path = path.unwrap_or(USUAL);
    let object = format!("{} {path}", view.name());
    let Some((_, node)) = merged.resolve(path) else {
        findings.add(&F3, object, "there is no such file in the image");
        return;
    };
    let NodeKind::File(content) = node.kind else {
        findings.add(&F3, object, "it is not a file");
        return;
    };
    let contents: Option<Vec<_>> = view.contents().cloned().collect();
    let contents = contents.unwrap_or_default();
    let pem = view.image.read_content(subject.source, &contents, content);
    let Some(pem) = findings.require(&F3, &object, pem) else {
        return;
    };
    let found = Sha256::of(&pem);
    if expected.ca_sha256 == Some(found) {
        return;
    }
    match count_certificates(&String::from_utf8_lossy(&pem)) {
        Ok(count) if count < FEWEST => {
            let message = format!("{count} certificates, fewer than {FEWEST}");
            findings.add(&F3, &object, message);
        }
        Ok(_) => {}
        Err(error) => findings.add(&F3, &object, format!("{error:#}")),
    }
    let layer = view.layers().nth(node.layer);
    let is_own = layer.is_some_and(|layer| *layer.origin == Origin::Own);
    if let Some(pinned) = expected.ca_sha256.filter(|_| is_own) {
        let message = format!("its SHA-256 is {found}, not the expected {pinned}");
        findings.add(&F3, object, message);
    }
}

/// Returns the number of certificates in a bundle.
///
/// # Errors
/// When one of them is damaged.
fn count_certificates(pem: &str) -> anyhow::Result<usize> {
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let mut count = 0;
    for block in blocks {
        count += 1;
        let (body, _) = block
            .split_once("-----END CERTIFICATE-----")
            .with_context(|| format!("certificate {count} has no end"))?;
        let body: String = body.lines().map(str::trim).collect();
        let der = STANDARD
            .decode(body)
            .with_context(|| format!("certificate {count} is not base64"))?;
        ensure!(is_certificate(&der), "certificate {count} is not X.509");
    }
    Ok(count)
}

/// Returns whether DER has the form of a certificate: a sequence of two sequences and a bit string (RFC 5280, 4.1).
fn is_certificate(der: &[u8]) -> bool {
    let Some((0x30, inside, [])) = der_element(der) else {
        return false;
    };
    let Some((0x30, _, rest)) = der_element(inside) else {
        return false;
    };
    let Some((0x30, _, rest)) = der_element(rest) else {
        return false;
    };
    matches!(der_element(rest), Some((0x03, _, [])))
}

/// Returns the tag and content of the first DER element, and the rest; the length may have up to four bytes.
fn der_element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DER with the form of a certificate: a sequence of two sequences and a bit string.
    const DER: [u8; 11] = [0x30, 9, 0x30, 1, 5, 0x30, 1, 5, 0x03, 1, 0];

    fn bundle(count: usize) -> String {
        let one = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(DER)
        );
        one.repeat(count)
    }

    #[test]
    fn certificates_are_counted_and_damaged_ones_are_errors() {
        assert_eq!(count_certificates(&bundle(120)).unwrap(), 120);
        let no_end = bundle(3).replacen("-----END CERTIFICATE-----\n", "", 1);
        assert!(count_certificates(&no_end).is_err(), "an end is missing");
        let other = bundle(3).replacen(&STANDARD.encode(DER), "bm90IG9uZQ==", 1);
        assert!(count_certificates(&other).is_err(), "not X.509");
    }
}
