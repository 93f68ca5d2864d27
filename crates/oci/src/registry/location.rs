//! Addresses that a registry names: the header `Location`, relative or absolute, and the realm of its tokens.

use anyhow::{Context as _, ensure};

use crate::reference::is_loopback_host;

/// Returns scheme, host and port of a URL: what credentials belong to.
pub(super) fn origin(url: &str) -> &str {
    let path = url
        .find("://")
        .and_then(|scheme| Some(scheme + 3 + url[scheme + 3..].find(['/', '?', '#'])?));
    &url[..path.unwrap_or(url.len())]
}

/// Returns the host of a URL with its port.
pub(super) fn host(url: &str) -> &str {
    origin(url).split_once("://").map_or("", |(_, host)| host)
}

/// Returns a URL without its query, for errors: uploads carry signatures there.
pub(super) fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// Resolves the `Location` of an answer to `base`.
///
/// # Errors
/// When it names a place that no registry has a reason to name: another scheme, a host within the name of a
/// user, or this machine, when the registry is elsewhere.
pub(super) fn resolve(base: &str, location: &str) -> anyhow::Result<String> {
    let location = location.trim();
    let scheme = base.split_once(':').map_or("https", |(scheme, _)| scheme);
    let url = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{}{location}", origin(base))
    } else if location.starts_with('?') {
        format!("{}{location}", shown(base))
    } else {
        let path = shown(base);
        let folder = path.rfind('/').context("a URL without a path")?;
        format!("{}/{location}", &path[..folder.max(origin(base).len())])
    };
    let place = host(&url);
    let http = url.starts_with("https://") || url.starts_with("http://");
    ensure!(
        http && !place.is_empty() && !place.contains('@'),
        "`{}` is not an address that can be followed",
        shown(&url)
    );
    ensure!(
        is_loopback_host(host(base)) || !is_loopback_host(place),
        "{} redirects to this machine: {}",
        host(base),
        shown(&url)
    );
    Ok(url)
}

/// Returns whether a token server may see the credentials of a registry: it is the same host, one of the two is
/// a subdomain of the other, or it is Docker Hub's.
pub(super) fn shares_credentials(registry: &str, realm: &str) -> bool {
    let name = |host: &str| {
        let port = host
            .rfind(':')
            .filter(|colon| !host[*colon..].contains(']'));
        host[..port.unwrap_or(host.len())].to_ascii_lowercase()
    };
    let (registry, realm) = (name(registry), name(realm));
    let is_subdomain = |child: &str, parent: &str| {
        parent.contains('.')
            && child
                .strip_suffix(parent)
                .is_some_and(|rest| rest.ends_with('.'))
    };
    registry == realm
        || is_subdomain(&registry, &realm)
        || is_subdomain(&realm, &registry)
        || (registry == "registry-1.docker.io" && realm == "auth.docker.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_location_is_understood() {
        let base = "https://r.example:5000/v2/a/b/blobs/uploads/?x=1";
        for (location, url) in [
            (
                "/v2/a/b/blobs/uploads/u?s=1",
                "https://r.example:5000/v2/a/b/blobs/uploads/u?s=1",
            ),
            ("https://s.example/u", "https://s.example/u"),
            ("//s.example/u", "https://s.example/u"),
            ("u?s=1", "https://r.example:5000/v2/a/b/blobs/uploads/u?s=1"),
            ("?s=1", "https://r.example:5000/v2/a/b/blobs/uploads/?s=1"),
        ] {
            assert_eq!(resolve(base, location).unwrap(), url);
        }
        for location in [
            "ftp://r.example/u",
            "https://",
            "https://r.example@evil/u",
            "http://127.0.0.1/u",
        ] {
            assert!(resolve(base, location).is_err(), "{location}");
        }
        assert!(resolve("http://127.0.0.1:5000/v2/", "http://127.0.0.1:6000/u").is_ok());
    }

    #[test]
    fn credentials_stay_in_the_family() {
        for (registry, realm) in [
            ("ghcr.io", "ghcr.io"),
            ("127.0.0.1:5000", "127.0.0.1:6000"),
            ("registry.gitlab.com", "gitlab.com"),
            ("example.com:5000", "auth.example.com"),
            ("registry-1.docker.io", "auth.docker.io"),
        ] {
            assert!(shares_credentials(registry, realm), "{registry} {realm}");
        }
        for (registry, realm) in [
            ("ghcr.io", "evil.example"),
            ("ghcr.io", "notghcr.io"),
            ("a.co.uk", "b.co.uk"),
            ("ghcr.io", "io"),
        ] {
            assert!(!shares_credentials(registry, realm), "{registry} {realm}");
        }
    }
}
