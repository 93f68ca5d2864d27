//! Runs kubectl, which does all communication with a cluster.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, anyhow, bail};
use noetl_help::Help as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::context;
use super::objects::MANAGER;
use super::resources::List;
use crate::cli::k8s::ClusterArgs;

/// A cluster, by its context of kubectl.
#[derive(Debug)]
pub(super) struct Cluster {
    context: String,
}

/// The contexts of kubectl.
#[derive(Debug, Deserialize)]
struct Config {
    #[serde(rename = "current-context")]
    current: Option<String>,
    contexts: Option<Vec<NamedContext>>,
}

#[derive(Debug, Deserialize)]
struct NamedContext {
    name: String,
}

/// What happens to fields that another tool has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflicts {
    Refuse,
    Overwrite,
}

impl Cluster {
    /// Finds the cluster that the flags name.
    ///
    /// # Errors
    /// Fails when kubectl cannot be run, does not know the cluster, or has another one as its current context.
    pub(super) fn find(args: &ClusterArgs) -> anyhow::Result<Self> {
        // `config view` leaves out the credentials.
        let config = ["config", "view", "--output", "json"];
        let config = run(Command::new("kubectl").args(config), None)?;
        anyhow::ensure!(config.status.success(), "{}", text(&config.stderr));
        let config: Config = serde_json::from_slice(&config.stdout)
            .context("`kubectl config view` printed no JSON that noetl can read")?;
        let current = config.current.as_deref().filter(|name| !name.is_empty());
        let contexts = config.contexts.iter().flatten();
        let known: Vec<&str> = contexts.map(|context| context.name.as_str()).collect();
        let context = context::choose(args, current, &known)?;
        Ok(Self { context })
    }

    pub(super) fn context(&self) -> &str {
        &self.context
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["--context", &self.context]).args(args);
        command
    }

    /// Runs kubectl with its output on standard error. Returns whether it succeeded.
    pub(super) fn run(&self, args: &[&str]) -> anyhow::Result<bool> {
        self.echo(args);
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(std::io::stderr());
        let status = command.status().map_err(cannot_run)?;
        Ok(status.success())
    }

    /// Runs kubectl with a document as its input and its output on standard error.
    fn send(&self, args: &[&str], document: &str) -> anyhow::Result<()> {
        self.echo(args);
        let output = run(&mut self.command(args), Some(document))?;
        note!("{}", String::from_utf8_lossy(&output.stdout).trim_end());
        self.check(args, &output).map(drop)
    }

    /// Runs kubectl and returns what it prints.
    pub(super) fn read(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = run(&mut self.command(args), None)?;
        self.check(args, &output)
    }

    /// Returns an object that `kubectl get` prints, or `None` when it does not exist.
    pub(super) fn object<T: DeserializeOwned>(&self, args: &[&str]) -> anyhow::Result<Option<T>> {
        let with_json = [args, &["--output", "json", "--ignore-not-found"]].concat();
        let printed = self.read(&with_json)?;
        if printed.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&printed).map(Some).with_context(|| {
            format!(
                "`kubectl {}` printed no JSON that noetl can read",
                args.join(" ")
            )
        })
    }

    /// Returns the objects of a list that `kubectl get` prints.
    pub(super) fn items<T: DeserializeOwned>(&self, args: &[&str]) -> anyhow::Result<Vec<T>> {
        let list: Option<List<T>> = self.object(args)?;
        Ok(list.map_or_else(Vec::new, |list| list.items))
    }

    /// Returns the changes that applying the documents would make. The text is empty when there are none.
    pub(super) fn diff(&self, documents: &str, conflicts: Conflicts) -> anyhow::Result<String> {
        let args = server_side(&["diff", "--server-side"], conflicts);
        let output = run(&mut self.command(&args), Some(documents))?;
        // Like diff(1), kubectl exits with 1 when there are differences, and with more when it failed.
        match output.status.code() {
            Some(0) => Ok(String::new()),
            Some(1) if !output.stdout.is_empty() => Ok(text(&output.stdout)),
            _ => self.check(&args, &output),
        }
    }

    /// Applies documents with server-side apply.
    pub(super) fn apply(&self, documents: &str, conflicts: Conflicts) -> anyhow::Result<()> {
        self.send(
            &server_side(&["apply", "--server-side"], conflicts),
            documents,
        )
    }

    /// Creates an object that does not exist yet. The document is not printed.
    pub(super) fn create(&self, document: &str) -> anyhow::Result<()> {
        self.send(&["create", "--filename", "-"], document)
    }

    fn echo(&self, args: &[&str]) {
        note!("$ kubectl --context {} {}", self.context, args.join(" "));
    }

    fn check(&self, args: &[&str], output: &Output) -> anyhow::Result<String> {
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let message = text(&output.stderr);
        let help = help_for(&message);
        let error = anyhow!(message).context(format!(
            "`kubectl --context {} {}` failed",
            self.context,
            args.join(" ")
        ));
        Err(match help {
            Some(help) => error.help(help),
            None => error,
        })
    }
}

fn server_side(args: &[&'static str], conflicts: Conflicts) -> Vec<&'static str> {
    let mut args = [args, &["--field-manager", MANAGER]].concat();
    if conflicts == Conflicts::Overwrite {
        args.push("--force-conflicts");
    }
    args.extend(["--filename", "-"]);
    args
}

/// Returns help for the common messages of kubectl.
fn help_for(message: &str) -> Option<&'static str> {
    const NOT_RUNNING: &str = "the cluster does not answer: is it running? `kubectl cluster-info`";
    let helps = [
        (
            "port is already allocated",
            "another Service has this port of the nodes: choose another with --node-port, or none",
        ),
        (
            "conflict",
            "another tool has set these fields: --force-conflicts overwrites them",
        ),
        ("was refused", NOT_RUNNING),
        ("Unable to connect", NOT_RUNNING),
        (
            "orbidden",
            "you lack rights in this namespace; `kubectl auth can-i --list` lists those that you have",
        ),
        ("nauthorized", "sign in to the cluster again"),
        (
            "field is immutable",
            "run `noetl k8s remove` first, which keeps data and keys",
        ),
        (
            "executable file not found",
            "install diff, which `kubectl diff` runs",
        ),
    ];
    helps
        .into_iter()
        .find_map(|(sign, help)| message.contains(sign).then_some(help))
}

fn run(command: &mut Command, input: Option<&str>) -> anyhow::Result<Output> {
    let stdin = if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot_run)?;
    let pipe = child.stdin.take();
    // Input and output need a thread each: kubectl answers before it has read everything.
    let (written, output) = std::thread::scope(|scope| {
        let writer = scope.spawn(move || match (pipe, input) {
            (Some(mut pipe), Some(input)) => pipe.write_all(input.as_bytes()),
            _ => Ok(()),
        });
        let output = child.wait_with_output();
        (writer.join(), output)
    });
    let output = output.context("cannot wait for kubectl")?;
    match written {
        // A kubectl that has failed does not read its input to the end, and prints the reason itself.
        Ok(Err(error)) if output.status.success() => {
            Err(error).context("cannot write the input of kubectl")
        }
        Err(_) => bail!("cannot write the input of kubectl"),
        _ => Ok(output),
    }
}

fn cannot_run(error: std::io::Error) -> anyhow::Error {
    anyhow::Error::from(error).context("cannot run kubectl").help(
        "install kubectl as kubernetes.io/docs/tasks/tools describes; on Debian: apt-get install kubernetes-client",
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}
