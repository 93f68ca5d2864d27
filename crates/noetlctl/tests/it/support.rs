//! Runs the real binary with a temporary home folder and without NoETL's environment variables.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// Returns a shell script that waits until a file exists, or until its folder is deleted: the shell of a killed
/// server would otherwise wait forever.
pub(crate) fn wait_for(file: &Path) -> String {
    let folder = file.parent().unwrap().display();
    let file = file.display();
    format!("until test -e {file} || ! test -d {folder}; do sleep 0.05; done")
}

/// A home folder, deleted when dropped.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns the `noetl` command in this home.
    pub(crate) fn noetl(&self, args: &[&str]) -> Command {
        self.command(&[&[env!("CARGO_BIN_EXE_noetl")], args].concat())
    }

    /// Returns the `noetl` command in this home, with a limit on the files and connections that it may have open.
    #[cfg(unix)]
    pub(crate) fn noetl_with_descriptors(&self, descriptors: usize, args: &[&str]) -> Command {
        let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
        let shell = ["sh", "-c", &script, env!("CARGO_BIN_EXE_noetl")];
        self.command(&[&shell, args].concat())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            // So that no `.env` of the checkout is read.
            .current_dir(self.path())
            .env("HOME", self.path())
            .env("USERPROFILE", self.path());
        for name in [
            "NOETL_HOST",
            "NOETL_DOWNLOAD_URL",
            "NOETL_PORT",
            "NOETL_ENABLE_UI",
            "NOETL_UI_DIR",
            "NOETL_DEBUG",
            "NOETL_SERVER_URL",
            "NOETL_API_TOKEN",
            "NOETL_ENV_FILE",
            "NOETL_DATA_DIR",
            "NOETL_ENCRYPTION_KEY",
            "NOETL_MAX_WORKERS",
            "NOETL_SCHEMA",
            "NOETL_SERVER_NAME",
            "NOETL_WORKER_POOL_NAME",
            "DATABASE_URL",
            "POSTGRES_HOST",
            "ENVIRONMENT",
            "NO_COLOR",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "NOETL_ALLOWED_HOSTS",
            "ALL_PROXY",
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "https_proxy",
            "http_proxy",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs `noetl`. Returns standard output, standard error and the exit code as one text.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        show(&self.noetl(args).output().unwrap())
    }
}

impl Home {
    /// Writes a file into this home and creates its folder.
    /// Writes a file with a mode, where files have one.
    pub(crate) fn write_with_mode(&self, name: &str, text: &str, mode: u32) -> std::path::PathBuf {
        let path = self.write(name, text);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        #[cfg(not(unix))]
        let _ = mode;
        path
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Home {
    /// Stops the background server that a failed test has left running.
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.noetl(&["server", "stop", "--force"]).output());
        }
    }
}

/// Notes that a test is skipped because a tool is missing. With NOETL_REQUIRE_TOOLS=1 it fails instead.
pub(crate) fn tool_is_missing(tool: &str) {
    let required = variable("NOETL_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(!required, "{tool} is missing, and NOETL_REQUIRE_TOOLS=1");
    skipped(&format!("{tool} is not installed"));
}

/// Notes that a test is skipped, in the file that `cargo xtask test` reads.
pub(crate) fn skipped(reason: &str) {
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    eprintln!("skipped {name}: {reason}");
    if let Some(report) = variable("NOETL_TEST_REPORT") {
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(report)
            .unwrap();
        writeln!(file, "skipped {name}: {reason}").unwrap();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "variables choose which tests run"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns standard output, standard error and the exit code as one text.
pub(crate) fn show(output: &Output) -> String {
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!(
        "{stdout}{stderr}[exit {}]",
        output.status.code().unwrap_or(-1)
    )
}

/// A server in the foreground on a free port, killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stderr(Stdio::null());
        Self::start_with_log(command)
    }

    pub(crate) fn start_with_log(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(url.starts_with("http://"), "no address in {line:?}");
        Self { child, url }
    }

    /// Sends a GET. Any status of the answer is accepted.
    pub(crate) fn get(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> ureq::http::Response<Vec<u8>> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let mut request = agent.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, mut body) = request.call().unwrap().into_parts();
        ureq::http::Response::from_parts(parts, body.read_to_vec().unwrap())
    }

    pub(crate) fn text(&self, path: &str) -> (u16, String) {
        let response = self.get(path, &[]);
        (
            response.status().as_u16(),
            String::from_utf8(response.into_body()).unwrap(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
