//! F3: the bundle of root certificates that TLS in the container trusts.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::check::Findings;
use crate::check::expect::Expectations;
use crate::check::rootfs::{Kind, RootFs};
use crate::check::walk::{Image, Origin};
use crate::digest::Sha256;
use crate::oci::model::ImageConfig;

/// Where OpenSSL, Go and rustls look on Debian when nothing is said.
const USUAL: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Fewer than this is somebody's own list, and the public web fails.
const FEWEST: usize = 100;

pub(super) fn check(
    image: &Image,
    config: &ImageConfig,
    rootfs: &RootFs,
    expected: &Expectations,
    findings: &mut Findings,
) {
    let path = variable(config, "SSL_CERT_FILE").unwrap_or_else(|| USUAL.to_owned());
    let object = format!("{} {path}", image.name);
    let Some((_, node)) = rootfs.resolve(&path) else {
        findings.add("F3", object, "there is no such file in the image");
        return;
    };
    let Kind::File(pem) = &node.kind else {
        findings.add("F3", object, "it is not a file");
        return;
    };
    let found = Sha256::of(pem).to_string();
    let pinned = expected.project.as_ref().map(|project| &project.ca_sha256);
    if pinned == Some(&found) {
        return;
    }
    match count(&String::from_utf8_lossy(pem)) {
        Ok(count) if count < FEWEST => {
            let message = format!("{count} certificates, fewer than {FEWEST}");
            findings.add("F3", &object, message);
        }
        Ok(_) => {}
        Err(error) => findings.add("F3", &object, format!("{error:#}")),
    }
    let layer = image.layers.get(node.layer);
    let ours = layer.is_some_and(|layer| layer.origin == Origin::Ours);
    if let Some(pinned) = pinned.filter(|_| ours) {
        findings.add(
            "F3",
            object,
            format!("it is {found}, not the pinned {pinned}"),
        );
    }
}

/// The value of a variable of the config.
pub(super) fn variable(config: &ImageConfig, name: &str) -> Option<String> {
    let env = config.config.as_ref()?.env.as_ref()?;
    let mut values = env.iter().filter_map(|line| line.split_once('='));
    values.find_map(|(key, value)| (key == name).then(|| value.to_owned()))
}

/// How many certificates a bundle holds.
fn count(pem: &str) -> anyhow::Result<usize> {
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let mut count = 0;
    for block in blocks {
        count += 1;
        let (body, _) = block
            .split_once("-----END CERTIFICATE-----")
            .with_context(|| format!("certificate {count} has no end"))?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD
            .decode(body)
            .with_context(|| format!("certificate {count} is not base64"))?;
        ensure!(is_certificate(&der), "certificate {count} is not X.509");
    }
    Ok(count)
}

/// A sequence of two sequences and a bit string, and nothing behind it (RFC 5280, 4.1).
fn is_certificate(der: &[u8]) -> bool {
    let Some((0x30, inside, [])) = element(der) else {
        return false;
    };
    let Some((0x30, _, rest)) = element(inside) else {
        return false;
    };
    let Some((0x30, _, rest)) = element(rest) else {
        return false;
    };
    matches!(element(rest), Some((0x03, _, [])))
}

/// Tag, content and rest of a DER element with a length of up to four bytes.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
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
    use crate::oci::rootfs::ca_bundle;

    #[test]
    fn our_bundle_is_whole_and_a_damaged_one_is_not() {
        let pem = ca_bundle();
        let certificates = count(&pem).unwrap();
        assert!(certificates >= FEWEST, "{certificates}");
        let cut = pem.replacen("-----END CERTIFICATE-----\n", "", 1);
        assert!(count(&cut).is_err(), "an end is missing");
        let first_line = pem.lines().nth(1).unwrap();
        let shorter = pem.replacen(&format!("{first_line}\n"), "", 1);
        assert!(count(&shorter).is_err(), "a line is missing");
    }
}
