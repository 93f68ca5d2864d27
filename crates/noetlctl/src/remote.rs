//! Which server a command talks to, and the token it may send there.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use noetl_server::DEFAULT_PORT;

use crate::cli::client::RemoteArgs;
use crate::config;
use crate::context_file::{Context, ContextFile};
use crate::error::WithHelp as _;

/// A server and the way in.
#[derive(Debug)]
pub(crate) struct Remote {
    /// Without a final slash.
    pub(crate) url: String,
    pub(crate) token: Option<Token>,
    /// Whether the server is on this machine.
    pub(crate) loopback: bool,
}

/// A secret that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    /// A token is one word; anything else would break the header it is sent in.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| Self(text.to_owned()))
    }

    /// The value of the `Authorization` header.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

impl Remote {
    /// Finds the server: flags, then `NOETL_SERVER_URL`, then the current context, then the default.
    pub(crate) fn find(args: &RemoteArgs) -> anyhow::Result<Self> {
        // A broken context file must not stand in the way of a server that was named.
        let given = given_url(args).or_else(config::server_url);
        let context = match (&given, ContextFile::read()) {
            (_, Ok(file)) => file.current(),
            (Some(_), Err(_)) => None,
            (None, Err(error)) => return Err(error),
        };
        let url = choose_url(given, context.as_ref());
        let url = url.trim_end_matches('/').to_owned();
        let loopback = check_url(&url)?;
        // A flag wins over the environment, as everywhere.
        let token = match (&args.token_file, config::api_token()) {
            (None, Some(text)) => {
                Some(Token::parse(&text).context("NOETL_API_TOKEN holds no token")?)
            }
            _ => token_file(args, context.as_ref(), &url)
                .map(|path| read_token(&path))
                .transpose()?,
        };
        let readable = !loopback && !url.starts_with("https://") && !config::plain_http();
        if token.is_some() && readable {
            return Err(anyhow!("the token would go to {url} for everyone to read")).help(
                "give an https:// URL; or set NOETL_ALLOW_HTTP=true where the network is yours alone, as in a cluster",
            );
        }
        Ok(Self {
            url,
            token,
            loopback,
        })
    }
}

/// The URL a client on this machine uses for a server that listens on `host`.
pub(crate) fn client_url(host: &str, port: u16) -> String {
    match host {
        "0.0.0.0" => format!("http://127.0.0.1:{port}"),
        "::" => format!("http://[::1]:{port}"),
        host if host.contains(':') => format!("http://[{host}]:{port}"),
        host => format!("http://{host}:{port}"),
    }
}

fn given_url(args: &RemoteArgs) -> Option<String> {
    args.server_url.clone().or_else(|| {
        let host = args.host.as_deref();
        (host.is_some() || args.port.is_some()).then(|| {
            client_url(
                host.unwrap_or("127.0.0.1"),
                args.port.unwrap_or(DEFAULT_PORT),
            )
        })
    })
}

fn choose_url(given: Option<String>, context: Option<&Context>) -> String {
    given
        .or_else(|| context.map(|context| context.server_url.clone()))
        .unwrap_or_else(|| client_url("127.0.0.1", DEFAULT_PORT))
}

/// The file to read the token from. That of a context is for the context's own server alone.
fn token_file(args: &RemoteArgs, context: Option<&Context>, url: &str) -> Option<PathBuf> {
    args.token_file.clone().or_else(|| {
        context
            .filter(|context| context.server_url.trim_end_matches('/') == url)?
            .token_file
            .clone()
    })
}

fn read_token(path: &Path) -> anyhow::Result<Token> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the token file {}", path.display()))?;
    Token::parse(&text)
        .with_context(|| format!("{} holds no token", path.display()))
        .help("the file has the token on one line and nothing else")
}

/// Refuses what is no URL of a server; says whether it is on this machine.
pub(crate) fn check_url(url: &str) -> anyhow::Result<bool> {
    let help = "a server's URL looks like http://127.0.0.1:8082 or https://noetl.example.org";
    let uri = match url.parse::<ureq::http::Uri>() {
        Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) => uri,
        _ => return Err(anyhow!("`{url}` is not a URL of a server")).help(help),
    };
    match uri.host() {
        Some(host) if !host.is_empty() && uri.query().is_none() => Ok(is_loopback(host)),
        _ => Err(anyhow!("`{url}` is not a URL of a server")).help(help),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context {
            name: "c".to_owned(),
            server_url: "https://c.example/".to_owned(),
            runtime: "auto".to_owned(),
            token_file: Some(PathBuf::from("c.token")),
        }
    }

    #[test]
    fn urls_name_an_address_one_can_connect_to() {
        assert_eq!(client_url("0.0.0.0", 1), "http://127.0.0.1:1");
        assert_eq!(client_url("::", 1), "http://[::1]:1");
        assert_eq!(client_url("fe80::1", 1), "http://[fe80::1]:1");
        assert_eq!(client_url("localhost", 1), "http://localhost:1");
    }

    #[test]
    fn flags_come_before_the_context() {
        let url =
            |server_url: Option<&str>, host: Option<&str>, port, context: Option<&Context>| {
                let args = RemoteArgs {
                    server_url: server_url.map(str::to_owned),
                    host: host.map(str::to_owned),
                    port,
                    token_file: None,
                };
                choose_url(given_url(&args), context)
            };
        let context = context();
        assert_eq!(
            url(Some("http://u"), Some("h"), Some(1), Some(&context)),
            "http://u"
        );
        assert_eq!(url(None, Some("h"), None, Some(&context)), "http://h:8082");
        assert_eq!(
            url(None, None, Some(1), Some(&context)),
            "http://127.0.0.1:1"
        );
        assert_eq!(url(None, None, None, Some(&context)), "https://c.example/");
        assert_eq!(url(None, None, None, None), "http://127.0.0.1:8082");
    }

    #[test]
    fn a_contexts_token_is_for_its_own_server() {
        let args = RemoteArgs::default();
        let context = context();
        let file = |url| token_file(&args, Some(&context), url);
        assert_eq!(file("https://c.example"), Some(PathBuf::from("c.token")));
        assert_eq!(file("https://other.example"), None);
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for url in [
            "http://localhost:1",
            "http://127.9.0.1",
            "http://[::1]:8082",
            "https://LOCALHOST/x",
        ] {
            assert!(check_url(url).unwrap(), "{url}");
        }
        for url in [
            "http://127.0.0.1.example.org",
            "http://10.0.0.1",
            "http://localhost.evil",
        ] {
            assert!(!check_url(url).unwrap(), "{url}");
        }
        for url in ["localhost:8082", "ftp://x", "", "http://", "http://x?y=z"] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }
}
