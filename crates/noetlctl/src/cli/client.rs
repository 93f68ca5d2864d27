//! How a command finds its server and prints the answer: the flags that all clients share.

use std::path::PathBuf;

use clap::Args;

/// Flags of every command that talks to a server.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Print the server's answer as one line of JSON
    #[arg(long, short)]
    pub(crate) json: bool,
}

/// Which server, and with which token.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct RemoteArgs {
    /// Server to talk to [env: NOETL_SERVER_URL] [default: the current context's, else http://127.0.0.1:8082]
    #[arg(long, value_name = "URL", help_heading = "Server")]
    pub(crate) server_url: Option<String>,
    /// Host of the server, when there is no --server-url [default: 127.0.0.1]
    #[arg(long, help_heading = "Server")]
    pub(crate) host: Option<String>,
    /// Port of the server, when there is no --server-url [default: 8082]
    #[arg(long, short, help_heading = "Server")]
    pub(crate) port: Option<u16>,
    /// File with the server's token [env: NOETL_API_TOKEN, the token itself]
    #[arg(long, value_name = "PATH", help_heading = "Server")]
    pub(crate) token_file: Option<PathBuf>,
}

/// The same flags before the subcommand, where old scripts write them.
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
    /// These flags, and those before the subcommand where one is missing here.
    pub(crate) fn or(&self, root: &RootArgs) -> Self {
        Self {
            server_url: self.server_url.clone().or_else(|| root.server_url.clone()),
            host: self.host.clone().or_else(|| root.host.clone()),
            port: self.port.or(root.port),
            token_file: self.token_file.clone().or_else(|| root.token_file.clone()),
        }
    }
}
