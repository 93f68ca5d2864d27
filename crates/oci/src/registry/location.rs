//! URLs in answers of registries: `Location` headers, which may be relative, and the realm of a token server.

use anyhow::{Context as _, ensure};

use crate::reference::is_loopback_host;

/// Returns scheme, host and port of a URL; credentials are for one origin.
pub fn origin(url: &str) -> &str {
    let path = url
        .find("://")
        .and_then(|scheme| Some(scheme + 3 + url[scheme + 3..].find(['/', '?', '#'])?));
    &url[..path.unwrap_or(url.len())]
}

/// Returns the host of a URL with its port.
pub fn host(url: &str) -> &str {
    origin(url).split_once("://").map_or("", |(_, host)| host)
}

/// Returns a URL without its query, which may contain signatures, for error messages.
pub fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// Resolves the `Location` in the answer from the URL `base`.
///
/// # Errors
/// When its scheme is neither HTTP nor HTTPS, it contains a user name, or it is on this machine while the registry is
/// not.
pub fn resolve(base: &str, location: &str) -> anyhow::Result<String> {
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
        "`{}` is not a URL that can be requested",
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

/// Returns whether the credentials of a registry may be sent to a token server: it is the same host, one of the two is
/// a subdomain of the other, or they are those of Docker Hub.
pub fn shares_credentials(registry: &str, realm: &str) -> bool {
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
    fn relative_and_absolute_locations_are_resolved() {
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
    fn credentials_are_shared_only_between_related_hosts() {
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
