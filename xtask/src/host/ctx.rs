//! The context of every task: where the repository is, how to run commands and how much to print. The only module that
//! reads environment variables.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use noetl_help::Help as _;
use noetl_oci::registry::{Authorities, Network, NoProxy, Secret};
use xshell::Shell;

use crate::host::cargo_config;
use crate::host::cleaned::is_cleaned;

/// Made once in `main` and passed to every task as its first argument.
#[derive(Debug, Clone)]
pub(crate) struct Ctx {
    /// The repository's root.
    pub root: Utf8PathBuf,
    /// Runs commands in the root: `cmd!(ctx.shell, "rustc -vV")`.
    pub shell: Shell,
    /// How much is printed.
    pub verbosity: Verbosity,
    /// What standard error is connected to.
    pub reader: Reader,
    /// Whether the web page is built: `NOETL_ENABLE_UI`, as the server reads it.
    pub ui: Wanted,
    /// The value of `SOURCE_DATE_EPOCH`.
    pub source_date_epoch: Option<String>,
    /// Whether a missing test tool is a failure: `NOETL_REQUIRE_TOOLS=1`.
    pub require_tools: bool,
    /// Cargo's home folder; its path must not be in binaries.
    pub cargo_home: Utf8PathBuf,
    /// Cargo's target folder; xtask's own state is below it.
    pub target_dir: Utf8PathBuf,
    /// The finished steps of this run and their duration in seconds, for a summary.
    pub steps: Arc<Mutex<Vec<(String, f64)>>>,
    /// The files for outputs and summary of a GitHub Actions job.
    pub github: GitHub,
    /// Where to look for credentials of registries.
    pub credentials: CredentialSources,
    /// How registries and other services are reached.
    pub network: Network,
    /// `NOETL_REGISTRY_TOKEN_SERVER` and `--token-server`: the token servers that get the credentials of a registry
    /// wherever they are.
    pub token_servers: Vec<String>,
    /// The tokens of the services that a release is published to.
    pub tokens: Tokens,
}

/// Tokens for publishing. Commands inherit those of GitHub and of the workflow, which git, gh and cosign need, and no other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    /// `GITHUB_TOKEN` or `GH_TOKEN`.
    pub github: Option<Secret>,
    /// `NOETL_CHANNELS_TOKEN`: for the repositories of package managers, where the token of a workflow has no access.
    pub channels: Option<Secret>,
    /// `PYPI_TOKEN`.
    pub pypi: Option<Secret>,
    /// `NPM_TOKEN`.
    pub npm: Option<Secret>,
    /// `CARGO_REGISTRY_TOKEN`.
    pub crates: Option<Secret>,
    /// `ACTIONS_ID_TOKEN_REQUEST_URL` and `..._TOKEN`: where a workflow gets its identity.
    pub identity: Option<(String, Secret)>,
}

/// Files that GitHub Actions reads after each step.
#[derive(Debug, Clone, Default)]
pub(crate) struct GitHub {
    /// `GITHUB_OUTPUT`: `name=value` lines.
    pub output: Option<Utf8PathBuf>,
    /// `GITHUB_STEP_SUMMARY`: Markdown.
    pub summary: Option<Utf8PathBuf>,
}

/// Where to look for credentials of registries: the same places as docker and podman.
#[derive(Debug, Clone, Default)]
pub(crate) struct CredentialSources {
    /// The files in the order they are read; they need not exist.
    pub files: Vec<Utf8PathBuf>,
    /// User and token of a GitHub Actions job, only for ghcr.io.
    pub github: Option<(String, Secret)>,
}

/// How much is printed on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// `-q`: warnings and errors.
    Quiet,
    /// Also steps and the commands they run.
    Normal,
    /// `-v`: also details of each step.
    Verbose,
}

/// What standard error is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A terminal: with progress bars.
    Terminal {
        /// Whether output is coloured: `NO_COLOR` is not set, and `TERM` is not `dumb`.
        color: bool,
    },
    /// GitHub Actions: steps are `::group::`s.
    GitHubActions,
    /// A file or a pipe: plain lines.
    Plain,
}

/// Whether something optional is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Yes.
    Yes,
    /// No.
    No,
}

impl Ctx {
    /// Reads the environment of a task that needs the repository.
    pub(crate) fn new(verbosity: Verbosity) -> anyhow::Result<Self> {
        Self::at(repository_root()?, verbosity)
    }

    /// Reads the environment of a task that also runs outside of the repository.
    pub(crate) fn anywhere(verbosity: Verbosity) -> anyhow::Result<Self> {
        match repository_root() {
            Ok(root) => Self::at(root, verbosity),
            Err(_) => Self::at(current_folder()?, verbosity),
        }
    }

    fn at(root: Utf8PathBuf, verbosity: Verbosity) -> anyhow::Result<Self> {
        let color =
            variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb");
        let reader = if variable("GITHUB_ACTIONS").is_some() {
            Reader::GitHubActions
        } else if variable("CI").is_none() && std::io::stderr().is_terminal() {
            Reader::Terminal { color }
        } else {
            Reader::Plain
        };
        let home = std::env::home_dir().and_then(|home| Utf8PathBuf::from_path_buf(home).ok());
        let credentials = credential_sources(home.as_deref());
        let cargo_home = variable("CARGO_HOME")
            .map(Utf8PathBuf::from)
            .or_else(|| Some(home.clone()?.join(".cargo")));
        let cargo_home =
            cargo_home.context("no home folder: neither CARGO_HOME nor HOME is set")?;
        let target_dir = match variable("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None => cargo_config::target_dir(&root, &cargo_home)?,
        };
        let shell = Shell::new().context("cannot find the current folder")?;
        shell.change_dir(&root);
        Ok(Self {
            shell,
            verbosity,
            reader,
            ui: match variable("NOETL_ENABLE_UI") {
                Some(value) if is_no(&value) => Wanted::No,
                _ => Wanted::Yes,
            },
            source_date_epoch: variable("SOURCE_DATE_EPOCH"),
            require_tools: variable("NOETL_REQUIRE_TOOLS").is_some_and(|value| value == "1"),
            cargo_home,
            target_dir,
            credentials,
            network: network(home.as_deref()),
            token_servers: list(variable("NOETL_REGISTRY_TOKEN_SERVER")),
            tokens: tokens(),
            root,
            steps: Arc::default(),
            github: GitHub {
                output: variable("GITHUB_OUTPUT").map(Utf8PathBuf::from),
                summary: variable("GITHUB_STEP_SUMMARY").map(Utf8PathBuf::from),
            },
        })
    }

    /// Returns a copy that prints plain lines also on a terminal.
    pub(crate) fn plain(&self) -> Self {
        let reader = match self.reader {
            Reader::Terminal { .. } => Reader::Plain,
            other => other,
        };
        Self {
            reader,
            ..self.clone()
        }
    }

    /// Returns the folder for files that xtask can make again: tools, keys, images.
    pub(crate) fn state(&self) -> Utf8PathBuf {
        self.target_dir.join("xtask")
    }
}

/// Returns the file that `REGISTRY_AUTH_FILE` names, docker's file, podman's two files, and the job's token.
fn credential_sources(home: Option<&Utf8Path>) -> CredentialSources {
    let docker = variable("DOCKER_CONFIG").map(Utf8PathBuf::from);
    let docker = docker.or_else(|| Some(home?.join(".docker")));
    let podman = variable("XDG_RUNTIME_DIR").map(Utf8PathBuf::from);
    let kept = variable("XDG_CONFIG_HOME").map(Utf8PathBuf::from);
    let kept = kept.or_else(|| Some(home?.join(".config")));
    let files = [
        variable("REGISTRY_AUTH_FILE").map(Utf8PathBuf::from),
        docker.map(|folder| folder.join("config.json")),
        podman.map(|folder| folder.join("containers/auth.json")),
        kept.map(|folder| folder.join("containers/auth.json")),
    ];
    let github = variable("GITHUB_TOKEN").map(|token| {
        // GitHub ignores the user name, but Basic authentication needs one.
        let actor = variable("GITHUB_ACTOR").unwrap_or_else(|| "x-access-token".to_owned());
        (actor, Secret::new(token))
    });
    CredentialSources {
        files: files.into_iter().flatten().collect(),
        github,
    }
}

/// Returns the exceptions from the proxy, and the certificate authorities of the environment and of Docker.
fn network(home: Option<&Utf8Path>) -> Network {
    let file = variable("SSL_CERT_FILE").map(Utf8PathBuf::from);
    let folders = variable("SSL_CERT_DIR").unwrap_or_default();
    let folders = std::env::split_paths(&folders);
    let mut hosts = vec![
        Utf8PathBuf::from("/etc/docker/certs.d"),
        Utf8PathBuf::from("/etc/containers/certs.d"),
    ];
    hosts.extend(home.into_iter().flat_map(|home| {
        [
            ".docker/certs.d",
            ".config/docker/certs.d",
            ".config/containers/certs.d",
        ]
        .map(|folder| home.join(folder))
    }));
    Network {
        user_agent: concat!("noetl-xtask/", env!("CARGO_PKG_VERSION")).to_owned(),
        no_proxy: variable("NO_PROXY")
            .or_else(|| variable("no_proxy"))
            .map_or_else(NoProxy::default, |list| NoProxy::parse(&list)),
        authorities: Authorities {
            files: file.into_iter().collect(),
            folders: folders
                .filter_map(|folder| Utf8PathBuf::from_path_buf(folder).ok())
                .filter(|folder| !folder.as_str().is_empty())
                .collect(),
            hosts,
        },
    }
}

/// Splits a list at commas and spaces.
fn list(value: Option<String>) -> Vec<String> {
    let value = value.unwrap_or_default();
    let words = value.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

fn tokens() -> Tokens {
    let secret = |name: &str| variable(name).map(Secret::new);
    let identity = variable("ACTIONS_ID_TOKEN_REQUEST_URL");
    Tokens {
        github: secret("GITHUB_TOKEN").or_else(|| secret("GH_TOKEN")),
        channels: secret("NOETL_CHANNELS_TOKEN"),
        pypi: secret("PYPI_TOKEN"),
        npm: secret("NPM_TOKEN"),
        crates: secret("CARGO_REGISTRY_TOKEN"),
        identity: identity.zip(secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN")),
    }
}

/// Returns the variables of this process that commands inherit.
#[expect(
    clippy::disallowed_methods,
    reason = "this module is the one place that reads the environment"
)]
pub(crate) fn inherited() -> impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)> {
    std::env::vars_os().filter(|(name, _)| !name.to_str().is_some_and(is_cleaned))
}

/// Returns the path of this program.
pub(crate) fn this_program() -> anyhow::Result<Utf8PathBuf> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let program = Utf8PathBuf::from_path_buf(program).ok();
    program.context("the path of this program is not UTF-8")
}

/// `NOETL_TEST_REGISTRY`: a registry on this machine for tests and benches, such as `127.0.0.1:5000`.
pub(crate) fn test_registry() -> Option<String> {
    variable("NOETL_TEST_REGISTRY")
}

/// Finds a program on PATH, as a shell does.
pub(crate) fn find_program(name: &str) -> Option<Utf8PathBuf> {
    let path = variable("PATH")?;
    let suffixes: &[&str] = if cfg!(windows) {
        &[".exe", ".cmd", ".bat"]
    } else {
        &[""]
    };
    let names = suffixes.iter().map(|suffix| format!("{name}{suffix}"));
    let names: Vec<_> = names.collect();
    let folders = std::env::split_paths(&path).filter_map(|it| Utf8PathBuf::from_path_buf(it).ok());
    let mut paths = folders.flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    paths.find(|path| is_executable(path))
}

/// Returns the URLs of the GitHub workflow and of the run that this process is part of.
pub(crate) fn workflow() -> Option<(String, String)> {
    variable("GITHUB_ACTIONS")?;
    let server = variable("GITHUB_SERVER_URL")?;
    let repository = variable("GITHUB_REPOSITORY")?;
    let run = variable("GITHUB_RUN_ID")?;
    let attempt = variable("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned());
    Some((
        format!("{server}/{}", variable("GITHUB_WORKFLOW_REF")?),
        format!("{server}/{repository}/actions/runs/{run}/attempts/{attempt}"),
    ))
}

/// Returns who started the GitHub workflow that this process is part of, and the URL of its run, whatever its attempt.
pub(crate) fn workflow_run() -> Option<(String, String)> {
    variable("GITHUB_ACTIONS")?;
    let (server, repository) = (
        variable("GITHUB_SERVER_URL")?,
        variable("GITHUB_REPOSITORY")?,
    );
    let run = variable("GITHUB_RUN_ID")?;
    Some((
        variable("GITHUB_ACTOR")?,
        format!("{server}/{repository}/actions/runs/{run}"),
    ))
}

/// Returns PATH with `folder` as its first entry.
pub(crate) fn path_with(folder: &Utf8Path) -> anyhow::Result<String> {
    let path = variable("PATH").unwrap_or_default();
    let mut folders = vec![folder.as_std_path().to_owned()];
    folders.extend(std::env::split_paths(&path));
    let joined = std::env::join_paths(folders);
    let joined = joined.with_context(|| format!("{folder} cannot be part of PATH"))?;
    joined.into_string().ok().context("PATH is not UTF-8")
}

#[cfg(unix)]
fn is_executable(path: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = path.metadata();
    metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Utf8Path) -> bool {
    path.is_file()
}

fn current_folder() -> anyhow::Result<Utf8PathBuf> {
    let here = std::env::current_dir().context("cannot find the current folder")?;
    let here = Utf8PathBuf::from_path_buf(here).ok();
    here.context("the current folder's path is not UTF-8")
}

/// Returns the root of the repository that the current folder is in; the xtask binary itself may be a copy elsewhere.
fn repository_root() -> anyhow::Result<Utf8PathBuf> {
    let here = current_folder()?;
    let mut folders = here.ancestors();
    let root = folders.find(|folder| folder.join("xtask/Cargo.toml").is_file());
    root.map(Utf8Path::to_owned)
        .with_context(|| format!("{here} is not inside a NoETL checkout"))
        .help("run it in the folder that contains xtask/, or below it")
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module is the one place that reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether `noetl` reads this value of NOETL_ENABLE_UI as no.
fn is_no(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    ["false", "0", "no", "n", "off"].contains(&value.as_str())
}
