//! The settings of this process: environment variables, `.env` files and `~/.noetl/config.yaml`.

pub(crate) mod context_file;
mod dotenv;
mod doubtful;
mod environment;
mod handover;
pub(crate) mod server;

use std::path::PathBuf;
use std::time::Duration;

use noetl_engine::ToolEnvironment;

pub(crate) use doubtful::doubtful_variables;
pub(crate) use environment::{named_file, read_named_file};
pub(crate) use handover::hide_secrets;

use environment::{boolean, number, variable};

/// Variables with NoETL's own secrets. Playbooks and the programs that they start do not get them.
pub(crate) const SECRETS: [&str; 6] = [
    "NOETL_ENCRYPTION_KEY",
    "NOETL_API_TOKEN",
    "DATABASE_URL",
    "PGPASSWORD",
    "POSTGRES_PASSWORD",
    "NOETL_PASSWORD",
];

/// Returns a variable that a playbook asks for.
pub(crate) fn variable_for_playbooks(name: &str) -> Option<String> {
    if SECRETS.contains(&name) {
        None
    } else {
        variable(name)
    }
}

/// Returns what tools may use of this machine: the Python of `NOETL_PYTHON`, and the environment
/// without NoETL's own secrets.
pub(crate) fn tool_environment() -> ToolEnvironment {
    ToolEnvironment {
        folder: None,
        python: variable("NOETL_PYTHON").map(PathBuf::from),
        hidden_environment: [&SECRETS[..], &[handover::DESCRIPTOR]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        tls_roots: tls_roots(),
        #[cfg(unix)]
        guard: guard(),
        ..ToolEnvironment::default()
    }
}

/// Returns the guard of steps: a process of this program, also when its file has been replaced since.
#[cfg(unix)]
fn guard() -> noetl_engine::StepGuard {
    let program = if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    };
    let arguments = vec!["guard-steps".to_owned()];
    program.map_or_else(
        |_| noetl_engine::StepGuard::default(),
        |program| noetl_engine::StepGuard::new(program, arguments),
    )
}

/// Returns how many commands run at once: the flag, else `NOETL_MAX_WORKERS`, else 8.
pub(crate) fn max_workers(flag: Option<usize>) -> usize {
    flag.or_else(|| number("NOETL_MAX_WORKERS")).unwrap_or(8)
}

/// Returns how many bytes of an attempt's output are kept: those of the flag or of `NOETL_LOG_LIMIT`, both in MiB, else one.
pub(crate) fn log_limit(flag: Option<u16>) -> usize {
    let given = flag.map(usize::from).or_else(|| number("NOETL_LOG_LIMIT"));
    given.unwrap_or(1).clamp(1, 1024) << 20
}

/// Returns how long executions are kept after their end: the flag or `NOETL_RETENTION_DAYS`, else for ever.
pub(crate) fn retention(flag: Option<u16>) -> Option<Duration> {
    let days = flag
        .map(usize::from)
        .or_else(|| number("NOETL_RETENTION_DAYS"));
    let days = days.filter(|days| *days > 0)?.min(36_500);
    Some(Duration::from_secs(days as u64 * 24 * 60 * 60))
}

/// Returns the name of a worker: `NOETL_WORKER_POOL_NAME`, else the name of this machine.
pub(crate) fn worker_name() -> Option<String> {
    variable("NOETL_WORKER_POOL_NAME").or_else(host_name)
}

/// Returns the name of this machine, if the environment has it.
pub(crate) fn host_name() -> Option<String> {
    variable("HOSTNAME").or_else(|| variable("COMPUTERNAME"))
}

/// `NOETL_DEBUG`: whether every step is logged.
pub(crate) fn debug() -> bool {
    boolean("NOETL_DEBUG", false)
}

/// `NOETL_SERVER_URL`: the server that commands send requests to.
pub(crate) fn server_url() -> Option<String> {
    variable("NOETL_SERVER_URL")
}

/// `NOETL_API_TOKEN`: the token that a server asks for.
pub(crate) fn api_token() -> Option<String> {
    variable("NOETL_API_TOKEN")
}

/// `NOETL_ALLOW_HTTP`: whether a token may be sent over plain HTTP, as inside a cluster.
pub(crate) fn allow_http() -> bool {
    boolean("NOETL_ALLOW_HTTP", false)
}

/// Where systems keep the certificates that they trust in one file: Debian, Fedora, SUSE, Alpine and macOS, RHEL.
const SYSTEM_CERTIFICATES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// Returns the files of certificates that are trusted in addition to Mozilla's: the system's, `SSL_CERT_FILE`, and the
/// files in the folders of `SSL_CERT_DIR`.
pub(crate) fn tls_roots() -> Vec<PathBuf> {
    let system = SYSTEM_CERTIFICATES.iter().map(PathBuf::from);
    let mut roots: Vec<_> = system.filter(|path| path.is_file()).take(1).collect();
    roots.extend(variable("SSL_CERT_FILE").map(PathBuf::from));
    let folders = variable("SSL_CERT_DIR").unwrap_or_default();
    for folder in std::env::split_paths(&folders).filter(|it| !it.as_os_str().is_empty()) {
        let entries = std::fs::read_dir(&folder).inspect_err(|error| {
            note!(
                "warning: cannot read SSL_CERT_DIR={}: {error}",
                folder.display()
            );
        });
        let entries = entries.into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.retain(|path| {
            let extension = path.extension().unwrap_or_default();
            path.is_file() && ["pem", "crt", "0"].iter().any(|known| extension == *known)
        });
        files.sort();
        roots.extend(files);
    }
    roots
}

/// `NOETL_DOWNLOAD_URL`: a mirror of the project's releases.
pub(crate) fn download_url() -> Option<String> {
    variable("NOETL_DOWNLOAD_URL")
}

/// Returns the variable because of which nobody asks for the newest release: `NOETL_NO_UPDATE_CHECK`, or `CI`.
pub(crate) fn no_update_check() -> Option<&'static str> {
    let mut names = ["NOETL_NO_UPDATE_CHECK", "CI"].into_iter();
    names.find(|name| boolean(name, false))
}

/// Whether output may have colours: not with `NO_COLOR` or `TERM=dumb`.
pub(crate) fn colour_allowed() -> bool {
    variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb")
}

/// Returns the folder of NoETL's own files, `~/.noetl`.
pub(crate) fn home() -> anyhow::Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    Ok(home
        .ok_or_else(|| anyhow::anyhow!("no home folder: HOME is not set"))?
        .join(".noetl"))
}
