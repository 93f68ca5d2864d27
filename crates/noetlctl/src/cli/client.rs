//! The flags of every command that sends requests to a server: which server, which token, which output.

use std::path::PathBuf;

use clap::Args;

/// Flags of a command that prints a server's answer.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Print the server's answer as one line of JSON
    #[arg(long, short)]
    pub(crate) json: bool,
}

/// The server and the file with its token.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct RemoteArgs {
    /// URL of the server [env: NOETL_SERVER_URL] [default: the current context's, else http://127.0.0.1:8082]
    #[arg(long, value_name = "URL", help_heading = "Server")]
    pub(crate) server_url: Option<String>,
    /// Host of the server, if --server-url is not given [default: 127.0.0.1]
    #[arg(long, help_heading = "Server")]
    pub(crate) host: Option<String>,
    /// Port of the server, if --server-url is not given [default: 8082]
    #[arg(long, short, help_heading = "Server")]
    pub(crate) port: Option<u16>,
    /// File with the server's token [env: NOETL_API_TOKEN, the token itself]
    #[arg(long, value_name = "PATH", help_heading = "Server")]
    pub(crate) token_file: Option<PathBuf>,
}

/// The same flags in front of the subcommand, as old scripts write them.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct RootArgs {
    #[arg(long, hide = true)]
    pub(crate) server_url: Option<String>,
    #[arg(long, hide = true)]
    pub(crate) host: Option<String>,
    #[arg(long, short, hide = true)]
    pub(crate) port: Option<u16>,
    #[arg(long, hide = true)]
    pub(crate) token_file: Option<PathBuf>,
}

impl RemoteArgs {
    /// Returns these flags; one that is missing here is taken from before the subcommand.
    pub(crate) fn or(&self, root: &RootArgs) -> Self {
        Self {
            server_url: self.server_url.clone().or_else(|| root.server_url.clone()),
            host: self.host.clone().or_else(|| root.host.clone()),
            port: self.port.or(root.port),
            token_file: self.token_file.clone().or_else(|| root.token_file.clone()),
        }
    }
}
