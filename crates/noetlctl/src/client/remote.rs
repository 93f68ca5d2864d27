//! Which server a command sends requests to, and the token that it may send there.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use noetl_server::DEFAULT_PORT;
use reqwest::header::HeaderValue;

use super::url;
use crate::cli::client::RemoteArgs;
use crate::config;
use crate::config::context_file::{Context, ContextFile};

/// A server and its token.
#[derive(Debug)]
pub(crate) struct Remote {
    /// The URL without a final slash.
    pub(super) url: String,
    pub(super) token: Option<Token>,
    /// Whether the server is on this machine.
    pub(super) loopback: bool,
}

/// A server's token. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl Token {
    /// Returns `None` for text that is not one word: it would break the header that it is sent in.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| Self(text.to_owned()))
    }

    /// Returns the value of the `Authorization` header, which no message of the HTTP client shows.
    pub(super) fn header(&self) -> HeaderValue {
        let value = HeaderValue::try_from(format!("Bearer {}", self.0));
        let mut value = value.expect("a token is a word of visible characters");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

impl Remote {
    /// Finds the server: flags, then `NOETL_SERVER_URL`, then the current context, then the default.
    ///
    /// # Errors
    /// Fails when the URL is invalid, when a token file cannot be read, and when a token would be sent
    /// over plain HTTP to another machine.
    pub(crate) fn find(args: &RemoteArgs) -> anyhow::Result<Self> {
        let given = given_url(args).or_else(config::server_url);
        // A server that was given needs no context file, so that a broken one is no obstacle.
        let context = match (&given, ContextFile::read()) {
            (_, Ok(file)) => file.current(),
            (Some(_), Err(_)) => None,
            (None, Err(error)) => return Err(error),
        };
        let url = choose_url(given, context.as_ref());
        let url = url.trim_end_matches('/').to_owned();
        let loopback = url::is_loopback(&url)?;
        // A flag overrides the environment, as everywhere.
        let token = match (&args.token_file, config::api_token()) {
            (None, Some(text)) => {
                Some(Token::parse(&text).context("NOETL_API_TOKEN is not a token")?)
            }
            _ => token_file(args, context.as_ref(), &url)
                .map(|path| read_token(&path))
                .transpose()?,
        };
        let encrypted = url.starts_with("https://");
        if token.is_some() && !loopback && !encrypted && !config::allow_http() {
            return Err(
                anyhow!("the token would be sent to {url} without encryption").help(
                    "use an https:// URL; or set NOETL_ALLOW_HTTP=true in a private network, such as that of a cluster",
                ),
            );
        }
        Ok(Self {
            url,
            token,
            loopback,
        })
    }
}

fn given_url(args: &RemoteArgs) -> Option<String> {
    args.server_url.clone().or_else(|| {
        let host = args.host.as_deref();
        (host.is_some() || args.port.is_some()).then(|| {
            url::of_listener(
                host.unwrap_or("127.0.0.1"),
                args.port.unwrap_or(DEFAULT_PORT),
            )
        })
    })
}

fn choose_url(given: Option<String>, context: Option<&Context>) -> String {
    given
        .or_else(|| context.map(|context| context.server_url.clone()))
        .unwrap_or_else(|| url::of_listener("127.0.0.1", DEFAULT_PORT))
}

/// Returns the file of the token. The file of a context is used for the server of that context alone.
fn token_file(args: &RemoteArgs, context: Option<&Context>, url: &str) -> Option<PathBuf> {
    args.token_file.clone().or_else(|| {
        context
            .filter(|context| context.server_url.trim_end_matches('/') == url)?
            .token_file
            .clone()
    })
}

fn read_token(path: &Path) -> anyhow::Result<Token> {
    check_private(path)?;
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the token file {}", path.display()))?;
    Token::parse(&text)
        .with_context(|| format!("{} contains no token", path.display()))
        .help("the file must contain the token on one line and nothing else")
}

/// Fails when other users may read a file.
fn check_private(path: &Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(path) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.display();
            return Err(
                anyhow!("other users may read the token file {path} (mode {mode:o})")
                    .help(format!("chmod 600 {path}")),
            );
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
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
    fn flags_override_the_context() {
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
    fn the_token_of_a_context_is_sent_to_its_server_alone() {
        let args = RemoteArgs::default();
        let context = context();
        let file = |url| token_file(&args, Some(&context), url);
        assert_eq!(file("https://c.example"), Some(PathBuf::from("c.token")));
        assert_eq!(file("https://other.example"), None);
    }
}
