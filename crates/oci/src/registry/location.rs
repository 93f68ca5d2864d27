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

/// Returns whether a URL is on the host of an origin, on any port, and not without its TLS.
pub fn is_same_host(own: &str, url: &str) -> bool {
    let secure = |url: &str| url.starts_with("https://");
    name(host(own)).eq_ignore_ascii_case(name(host(url))) && (secure(url) || !secure(own))
}

/// Returns whether the credentials of a registry may be sent to a token server: it is the same host, both belong to the
/// same site by the public suffix list, they are those of Docker Hub, or `trusted` names it, with or without its port.
pub fn shares_credentials(registry: &str, realm: &str, trusted: &[String]) -> bool {
    let names = |entry: &str| {
        [realm, name(realm)]
            .iter()
            .any(|it| it.eq_ignore_ascii_case(entry))
    };
    if trusted.iter().any(|entry| names(entry)) {
        return true;
    }
    let own = name(registry).to_ascii_lowercase();
    let other = name(realm).to_ascii_lowercase();
    own == other
        || (own == "registry-1.docker.io" && other == "auth.docker.io")
        || site(&own).is_some_and(|own| site(&other) == Some(own))
}

/// Returns a host without its port; an IPv6 address keeps its brackets.
fn name(host: &str) -> &str {
    let port = host
        .rfind(':')
        .filter(|colon| !host[*colon..].contains(']'));
    &host[..port.unwrap_or(host.len())]
}

/// Returns the registrable domain of a name, such as `example.co.uk` of `auth.example.co.uk`; `None` for an address and
/// for a name that is itself a public suffix.
fn site(name: &str) -> Option<&str> {
    let is_address = name.parse::<std::net::Ipv4Addr>().is_ok() || name.starts_with('[');
    if is_address {
        return None;
    }
    psl::domain_str(name)
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
            ("registry.example.co.uk", "gitlab.example.co.uk:8443"),
            ("Registry.Corp.Internal", "gitlab.corp.internal"),
            ("registry-1.docker.io", "auth.docker.io"),
        ] {
            assert!(
                shares_credentials(registry, realm, &[]),
                "{registry} {realm}"
            );
        }
        for (registry, realm) in [
            ("ghcr.io", "evil.example"),
            ("ghcr.io", "notghcr.io"),
            ("a.co.uk", "b.co.uk"),
            ("ghcr.io", "io"),
            ("registry.local", "gitlab.local"),
            ("registry", "gitlab"),
            ("10.0.0.1", "10.0.0.2"),
            ("1.0.0.1:5000", "2.0.0.1:5000"),
            ("[fd00::1]:5000", "[fd00::2]:5000"),
            ("one.github.io", "two.github.io"),
        ] {
            assert!(
                !shares_credentials(registry, realm, &[]),
                "{registry} {realm}"
            );
        }
    }
    #[test]
    fn a_token_server_that_is_named_is_trusted() {
        let trusted = |entry: &str| {
            shares_credentials("r.example:5000", "Auth.Other:8443", &[entry.to_owned()])
        };
        assert!(trusted("auth.other") && trusted("auth.other:8443"));
        assert!(!trusted("auth.other:443") && !trusted("other") && !trusted("r.example"));
    }

    #[test]
    fn credentials_follow_to_another_port_but_not_off_tls_or_off_the_host() {
        assert!(is_same_host(
            "http://127.0.0.1:5000",
            "http://127.0.0.1:6000/u"
        ));
        assert!(is_same_host(
            "https://r.example",
            "https://R.example:8443/u"
        ));
        assert!(!is_same_host("https://r.example", "http://r.example/u"));
        assert!(!is_same_host("https://r.example", "https://s.r.example/u"));
    }
}
