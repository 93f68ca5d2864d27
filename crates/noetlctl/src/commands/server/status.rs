//! `noetl server status`: prints whether a server answers. Exit code 0 when one does, else 1.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::server::StatusArgs;
use crate::client::{probe, url};
use crate::config::server::Listen;
use crate::output;
use crate::process::pid_file::{self, Recorded};

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
    let version = probe::version(&url).map(|stamp| stamp["version"].clone());
    let text = if args.json {
        let status =
            json!({"running": version.is_some(), "url": url, "pid": pid, "version": version});
        serde_json::to_string_pretty(&status)?
    } else {
        sentence(&url, pid, version.as_ref())
    };
    output::ignore_broken_pipe(output::text(&text))?;
    if let Recorded::Stale { path, content } = &recorded {
        note!(
            "warning: stale pid file {}: process `{content}` is not a server of noetl",
            path.display()
        );
        note!("help: `noetl server stop` removes it");
    }
    Ok(if version.is_some() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn sentence(url: &str, pid: Option<u32>, version: Option<&Value>) -> String {
    let process = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    match version.and_then(Value::as_str) {
        Some(version) => format!("noetl server {version} is running at {url}{process}"),
        None => format!("no noetl server answers at {url}{process}"),
    }
}
