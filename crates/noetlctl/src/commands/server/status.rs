//! `noetl server status`: exit code 0 when a server answers, 1 when none does.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::pid_file::{self, Recorded};
use super::{ask_version, client_url};
use crate::cli::StatusArgs;
use crate::config::Listen;
use crate::output;

pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let recorded = pid_file::read(pid_file::SERVER)?;
    let asked = args.listen.host.is_some() || args.listen.port.is_some();
    // The background server is meant unless an address was given.
    let (url, pid) = match &recorded {
        Recorded::Running { pid, url } if !asked => (url.clone(), Some(*pid)),
        _ => {
            let Listen { host, port } = Listen::new(&args.listen);
            (client_url(&host, port), None)
        }
    };
    let version = ask_version(&url).map(|stamp| stamp["version"].clone());
    let text = if args.json {
        let status =
            json!({"running": version.is_some(), "url": url, "pid": pid, "version": version});
        serde_json::to_string_pretty(&status)?
    } else {
        sentence(&url, pid, version.as_ref())
    };
    output::though_unread(output::text(&text))?;
    if let Recorded::Stale { path, content } = &recorded {
        note!(
            "warning: stale pid file {}: no server of ours runs as process `{content}`",
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
