//! `noetl server status`: prints whether a server answers. Exit code 0 when one does, else 1.

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::server::StatusArgs;
use crate::client::probe::{self, Found};
use crate::client::url;
use crate::config::server::Listen;
use crate::output;
use crate::process::pid_file::{self, Recorded};

/// What `--json` prints.
#[derive(Serialize)]
struct ServerStatus {
    running: bool,
    url: String,
    /// The process, when the server is that of the pid file.
    pid: Option<u32>,
    /// Null when no server answers, or when it requires a token.
    version: Option<String>,
}

pub(super) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let recorded = pid_file::read(pid_file::SERVER)?;
    let given = args.listen.host.is_some() || args.listen.port.is_some();
    // Without an address, it is the server of the pid file.
    let (url, pid) = match &recorded {
        Recorded::Running { pid, url } if !given => (url.clone(), Some(*pid)),
        _ => {
            let Listen { host, port } = Listen::new(&args.listen);
            (url::of_listener(&host, port), None)
        }
    };
    let found = probe::server(&url);
    let running = found.is_some();
    let text = if args.json {
        serde_json::to_string_pretty(&ServerStatus {
            running,
            url,
            pid,
            version: found.and_then(|server| server.version),
        })?
    } else {
        sentence(&url, pid, found.as_ref())
    };
    output::ignore_broken_pipe(output::text(&text))?;
    if let Recorded::Stale { path, content } = &recorded {
        note!(
            "warning: stale pid file {}: process `{content}` is not a server of noetl",
            path.display()
        );
        note!("help: `noetl server stop` removes it");
    }
    Ok(if running {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn sentence(url: &str, pid: Option<u32>, found: Option<&Found>) -> String {
    let process = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    match found.map(|server| server.version.as_deref()) {
        Some(Some(version)) => format!("noetl server {version} is running at {url}{process}"),
        Some(None) => format!("a noetl server that requires a token is running at {url}{process}"),
        None => format!("no noetl server answers at {url}{process}"),
    }
}
