//! What every task is given: where the repository is, how to run commands and what to print. The only reader of the
//! environment.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use noetl_help::Help as _;
use noetl_oci::registry::Secret;
use xshell::Shell;

/// Built once in `main`, passed first, never stored in a static.
#[derive(Debug, Clone)]
pub(crate) struct Ctx {
    /// The repository's root.
    pub root: Utf8PathBuf,
    /// Runs commands, with the root as its folder: `cmd!(ctx.shell, "rustc -vV")`.
    pub shell: Shell,
    /// How much is printed.
    pub verbosity: Verbosity,
    /// Who reads standard error.
    pub reader: Reader,
    /// Whether the web page is wanted: `NOETL_ENABLE_UI`, as the server reads it.
    pub ui: Wanted,
    /// `SOURCE_DATE_EPOCH` as it is set.
    pub source_date_epoch: Option<String>,
    /// Whether a test tool that is missing is a failure: `NOETL_REQUIRE_TOOLS=1`.
    pub require_tools: bool,
    /// Cargo's home folder, whose path must not end up in binaries.
    pub cargo_home: Utf8PathBuf,
    /// The folder cargo builds into; xtask's own state is below it.
    pub target_dir: Utf8PathBuf,
    /// The finished steps of this run with their seconds, for a summary.
    pub steps: Arc<Mutex<Vec<(String, f64)>>>,
    /// Where GitHub Actions takes a job's outputs and its summary, as Markdown.
    pub github: GitHub,
    /// Where credentials for registries may be.
    pub credentials: CredentialSources,
}

/// Files that GitHub Actions reads when a step has ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct GitHub {
    /// `GITHUB_OUTPUT`: `name=value` lines.
    pub output: Option<Utf8PathBuf>,
    /// `GITHUB_STEP_SUMMARY`: Markdown.
    pub summary: Option<Utf8PathBuf>,
}

/// Where credentials for registries may be, as docker and podman look for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct CredentialSources {
    /// Files of sign-ins in the order they are read, whether they are there or not.
    pub files: Vec<Utf8PathBuf>,
    /// User and token of a GitHub Actions job, for ghcr.io alone.
    pub github: Option<(String, Secret)>,
}

/// How much is printed on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// `-q`: warnings and errors.
    Quiet,
    /// Steps and the commands they run.
    Normal,
    /// `-v`: details of each step.
    Verbose,
}

/// Who reads standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person at a terminal: progress bars, colour unless `NO_COLOR` is set.
    Terminal {
        /// Whether colour is welcome.
        color: bool,
    },
    /// GitHub Actions: `::group::` around steps.
    GitHubActions,
    /// A file or a pipe: plain lines.
    Plain,
}

/// Whether something optional is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Ctx {
    /// Reads the environment; the task has a checkout around it.
    pub(crate) fn new(verbosity: Verbosity) -> anyhow::Result<Self> {
        Self::at(repository_root()?, verbosity)
    }

    /// Reads the environment for a task that needs no checkout.
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
            .or_else(|| Some(home?.join(".cargo")));
        let target_dir = variable("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |folder| root.join(folder));
        let shell = Shell::new().context("cannot find the current folder")?;
        shell.change_dir(&root);
        Ok(Self {
            shell,
            verbosity,
            reader,
            ui: if variable("NOETL_ENABLE_UI").is_some_and(|value| is_no(&value)) {
                Wanted::No
            } else {
                Wanted::Yes
            },
            source_date_epoch: variable("SOURCE_DATE_EPOCH"),
            require_tools: variable("NOETL_REQUIRE_TOOLS").is_some_and(|value| value == "1"),
            cargo_home: cargo_home.context("no home folder: neither CARGO_HOME nor HOME is set")?,
            target_dir,
            credentials,
            root,
            steps: Arc::default(),
            github: GitHub {
                output: variable("GITHUB_OUTPUT").map(Utf8PathBuf::from),
                summary: variable("GITHUB_STEP_SUMMARY").map(Utf8PathBuf::from),
            },
        })
    }

    /// Returns the same with plain lines also for a person at a terminal.
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

    /// Returns the folder for what xtask made and can make again: tools, keys, images.
    pub(crate) fn state(&self) -> Utf8PathBuf {
        self.target_dir.join("xtask")
    }
}

/// Finds docker's file, then podman's two places, then the job's token.
fn credential_sources(home: Option<&Utf8Path>) -> CredentialSources {
    let docker = variable("DOCKER_CONFIG").map(Utf8PathBuf::from);
    let docker = docker.or_else(|| Some(home?.join(".docker")));
    let podman = variable("XDG_RUNTIME_DIR").map(Utf8PathBuf::from);
    let files = [
        docker.map(|folder| folder.join("config.json")),
        variable("REGISTRY_AUTH_FILE").map(Utf8PathBuf::from),
        podman.map(|folder| folder.join("containers/auth.json")),
    ];
    let github = variable("GITHUB_TOKEN").map(|token| {
        // GitHub looks at the token alone, but Basic wants a name.
        let actor = variable("GITHUB_ACTOR").unwrap_or_else(|| "x-access-token".to_owned());
        (actor, Secret::new(token))
    });
    CredentialSources {
        files: files.into_iter().flatten().collect(),
        github,
    }
}

/// Returns whether a variable decides bytes, toolchains or repositories and must not reach the commands that xtask
/// runs, neither from the caller nor from the cargo that runs xtask: each is set by a plan or not at all.
///
/// rust-toolchain.toml names the compiler, so RUSTUP_TOOLCHAIN, which cargo's own proxy sets, is one of them.
pub(crate) fn is_cleaned(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "AR",
        "CARGO",
        "CC",
        "CFLAGS",
        "CPATH",
        "CPPFLAGS",
        "CRATE_CC_NO_DEFAULTS",
        "CXX",
        "CXXFLAGS",
        "C_INCLUDE_PATH",
        "DYLD_FALLBACK_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "LDFLAGS",
        "LD_LIBRARY_PATH",
        "LIBRARY_PATH",
        "MACOSX_DEPLOYMENT_TARGET",
        "NODE_ENV",
        "NODE_OPTIONS",
        "NOETL_COMMIT",
        "NPM_CONFIG_INCLUDE",
        "NPM_CONFIG_OMIT",
        "NPM_CONFIG_PRODUCTION",
        "OUT_DIR",
        "RUSTC",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
        "SDKROOT",
        "SOURCE_DATE_EPOCH",
        "ZERO_AR_DATE",
        "npm_config_include",
        "npm_config_omit",
        "npm_config_production",
    ];
    const PREFIXES: &[&str] = &[
        "AR_",
        "CARGO_BIN_",
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_CRATE_",
        "CARGO_ENCODED_",
        "CARGO_FEATURE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PRIMARY_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_ZIGBUILD_",
        "CC_",
        "CFLAGS_",
        "CXX_",
        "CXXFLAGS_",
        // In a hook they name the repository of the commit that is being made.
        "GIT_",
        "HOST_",
        "TARGET_",
        "VITE_",
    ];
    let kept = name == "CARGO_TARGET_DIR";
    !kept && (NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

/// Returns the variables of this process that commands inherit.
#[expect(
    clippy::disallowed_methods,
    reason = "this module is the one place that reads the environment"
)]
pub(crate) fn inherited() -> impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)> {
    std::env::vars_os().filter(|(name, _)| !name.to_str().is_some_and(is_cleaned))
}

/// Looks for a program on PATH, as a shell would.
pub(crate) fn find_program(name: &str) -> Option<Utf8PathBuf> {
    let path = variable("PATH")?;
    let names: &[String] = &if cfg!(windows) {
        vec![
            format!("{name}.exe"),
            format!("{name}.cmd"),
            format!("{name}.bat"),
        ]
    } else {
        vec![name.to_owned()]
    };
    std::env::split_paths(&path)
        .filter_map(|folder| Utf8PathBuf::from_path_buf(folder).ok())
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|candidate| is_executable(candidate))
}

/// Returns the GitHub workflow that runs this, and this run of it, both as URLs.
pub(crate) fn workflow() -> Option<(String, String)> {
    variable("GITHUB_ACTIONS")?;
    let server = variable("GITHUB_SERVER_URL")?;
    let repository = variable("GITHUB_REPOSITORY")?;
    let (run, attempt) = (
        variable("GITHUB_RUN_ID")?,
        variable("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned()),
    );
    Some((
        format!("{server}/{}", variable("GITHUB_WORKFLOW_REF")?),
        format!("{server}/{repository}/actions/runs/{run}/attempts/{attempt}"),
    ))
}

/// Returns PATH with `folder` in front.
pub(crate) fn path_with(folder: &Utf8Path) -> anyhow::Result<String> {
    let path = variable("PATH").unwrap_or_default();
    let folders =
        std::iter::once(folder.as_std_path().to_owned()).chain(std::env::split_paths(&path));
    let joined = std::env::join_paths(folders)
        .with_context(|| format!("{folder} cannot be part of PATH"))?;
    joined.into_string().ok().context("PATH is not UTF-8")
}

#[cfg(unix)]
fn is_executable(path: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Utf8Path) -> bool {
    path.is_file()
}

/// The repository is found from where xtask runs, not from where it was compiled: the binary may be copied.
fn current_folder() -> anyhow::Result<Utf8PathBuf> {
    let here = std::env::current_dir().context("cannot find the current folder")?;
    Utf8PathBuf::from_path_buf(here)
        .ok()
        .context("the current folder's path is not UTF-8")
}

fn repository_root() -> anyhow::Result<Utf8PathBuf> {
    let here = current_folder()?;
    let root = here
        .ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file());
    root.map(Utf8Path::to_owned)
        .with_context(|| format!("{here} is not inside a NoETL checkout"))
        .help("run it below the folder that holds xtask/")
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module is the one place that reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns whether a value is one of those that `noetl` reads as no for NOETL_ENABLE_UI.
fn is_no(value: &str) -> bool {
    matches!(
        value.trim().to_ascii_lowercase().as_str(),
        "false" | "0" | "no" | "n" | "off"
    )
}

#[cfg(test)]
mod tests {
    use super::is_cleaned;

    #[test]
    fn what_decides_bytes_never_leaks() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PKG_NAME",
            "CFLAGS",
            "SDKROOT",
            "RUSTUP_TOOLCHAIN",
            "GIT_DIR",
        ] {
            assert!(is_cleaned(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "CARGO_TARGET_DIR",
            "CARGO_NET_OFFLINE",
            "PIP_CERT",
            "SSL_CERT_FILE",
        ] {
            assert!(!is_cleaned(name), "{name}");
        }
    }
}
