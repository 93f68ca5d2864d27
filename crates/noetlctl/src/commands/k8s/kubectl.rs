//! The cluster, through kubectl: which context, and how it is asked.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::objects::MANAGER;
use crate::cli::k8s::ClusterArgs;
use crate::error::WithHelp as _;

/// The context of kind's cluster `noetl`, which needs no naming.
const LOCAL: &str = "kind-noetl";

/// A cluster that was named.
#[derive(Debug)]
pub(super) struct Cluster {
    context: String,
}

/// Whether fields that another tool has set may be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflicts {
    Refuse,
    Force,
}

impl Cluster {
    /// The cluster that the flags mean, if it is the one kubectl is at.
    pub(super) fn find(args: &ClusterArgs) -> anyhow::Result<Self> {
        // Without the credentials, which kubectl leaves out of what it shows.
        let config = ["config", "view", "--output", "json"];
        let config = run(Command::new("kubectl").args(config), None)?;
        anyhow::ensure!(config.status.success(), "{}", text(&config.stderr));
        let config: Value = serde_json::from_slice(&config.stdout)
            .context("`kubectl config view` printed no JSON")?;
        let current = config["current-context"]
            .as_str()
            .filter(|name| !name.is_empty());
        let contexts = config["contexts"].as_array().into_iter().flatten();
        let known: Vec<&str> = contexts
            .filter_map(|context| context["name"].as_str())
            .collect();
        let context = choose(args, current, &known)?;
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

    /// Runs kubectl to its end, with what it prints on standard error, and says whether it succeeded.
    pub(super) fn follow(&self, args: &[&str]) -> anyhow::Result<bool> {
        self.echo(args);
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(std::io::stderr());
        let status = command.status().map_err(missing)?;
        Ok(status.success())
    }

    /// Runs kubectl with a document as its input, as [`Cluster::follow`] does, and must succeed.
    fn send(&self, args: &[&str], document: &str) -> anyhow::Result<()> {
        self.echo(args);
        let output = run(&mut self.command(args), Some(document))?;
        note!("{}", String::from_utf8_lossy(&output.stdout).trim_end());
        self.check(args, &output).map(drop)
    }

    /// What kubectl prints, when it succeeds.
    pub(super) fn read(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = run(&mut self.command(args), None)?;
        self.check(args, &output)
    }

    /// A document that kubectl prints; null where there is no such object.
    pub(super) fn json(&self, args: &[&str]) -> anyhow::Result<Value> {
        let asked = [args, &["--output", "json", "--ignore-not-found"]].concat();
        let printed = self.read(&asked)?;
        if printed.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&printed)
            .with_context(|| format!("`kubectl {}` printed no JSON", args.join(" ")))
    }

    /// The difference that applying would make, as kubectl shows it; empty when there is none.
    pub(super) fn diff(&self, documents: &str, conflicts: Conflicts) -> anyhow::Result<String> {
        let args = with_conflicts(&["diff", "--server-side"], conflicts);
        let output = run(&mut self.command(&args), Some(documents))?;
        // diff(1): 1 when there are differences, more when it failed.
        match output.status.code() {
            Some(0) => Ok(String::new()),
            Some(1) if !output.stdout.is_empty() => Ok(text(&output.stdout)),
            _ => self.check(&args, &output),
        }
    }

    /// Applies documents on the server's side.
    pub(super) fn apply(&self, documents: &str, conflicts: Conflicts) -> anyhow::Result<()> {
        self.send(
            &with_conflicts(&["apply", "--server-side"], conflicts),
            documents,
        )
    }

    /// Makes an object that is not there yet. What is sent is never shown.
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
        let said = text(&output.stderr);
        let failed = anyhow!("{said}").context(format!(
            "`kubectl --context {} {}` failed",
            self.context,
            args.join(" ")
        ));
        match remedy(&said) {
            Some(remedy) => Err(failed).help(remedy),
            None => Err(failed),
        }
    }
}

fn with_conflicts(args: &[&'static str], conflicts: Conflicts) -> Vec<&'static str> {
    const FIELD_MANAGER: &str = "--field-manager";
    let mut args = [args, &[FIELD_MANAGER, MANAGER]].concat();
    if conflicts == Conflicts::Force {
        args.push("--force-conflicts");
    }
    args.extend(["--filename", "-"]);
    args
}

/// What mends the failures that people meet.
fn remedy(said: &str) -> Option<&'static str> {
    let remedies = [
        (
            "conflict",
            "another tool has set these fields: --force-conflicts takes them over",
        ),
        (
            "was refused",
            "the cluster does not answer: is it running? `kubectl cluster-info`",
        ),
        (
            "Unable to connect",
            "the cluster does not answer: is it running? `kubectl cluster-info`",
        ),
        (
            "orbidden",
            "ask for the rights in this namespace; `kubectl auth can-i --list` shows those you have",
        ),
        ("nauthorized", "sign in to the cluster again"),
        (
            "field is immutable",
            "`noetl k8s remove` first: data and keys stay",
        ),
        (
            "executable file not found",
            "install diff, which kubectl shows differences with",
        ),
    ];
    remedies
        .into_iter()
        .find_map(|(sign, remedy)| said.contains(sign).then_some(remedy))
}

/// The context to talk to. What changes a cluster must not depend on where kubectl was left.
fn choose(args: &ClusterArgs, current: Option<&str>, known: &[&str]) -> anyhow::Result<String> {
    let named = args.context.as_deref().unwrap_or(LOCAL);
    if current == Some(named) && known.contains(&named) {
        return Ok(named.to_owned());
    }
    if !known.contains(&named) {
        let names = known.join(", ");
        let (error, remedy) = match (&args.context, current) {
            (_, None) if known.is_empty() => (
                anyhow!("kubectl knows no cluster"),
                "set KUBECONFIG, or make one with `kind create cluster --name noetl`".to_owned(),
            ),
            (None, Some(current)) => (
                anyhow!("the current context is {current}, and nobody said that it is the one"),
                format!("name it: --context {current}"),
            ),
            _ => (
                anyhow!("there is no context {named}"),
                format!("name one of {names} with --context"),
            ),
        };
        return Err(error).help(remedy);
    }
    if args.any_context {
        return Ok(named.to_owned());
    }
    let elsewhere = match current {
        Some(current) => anyhow!("the current context is {current}, not {named}"),
        None => anyhow!("no context is the current one"),
    };
    Err(elsewhere).help(format!(
        "`kubectl config use-context {named}`, or say --context {named} --any-context"
    ))
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
        .map_err(missing)?;
    let pipe = child.stdin.take();
    // Written beside the reading: kubectl answers before it has read everything.
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(move || match (pipe, input) {
            (Some(mut pipe), Some(input)) => pipe.write_all(input.as_bytes()),
            _ => Ok(()),
        });
        let output = child.wait_with_output();
        (writer.join(), output)
    });
    let (writer, output) = written;
    let output = output.context("cannot wait for kubectl")?;
    match writer {
        // One that has failed reads no further, and says itself why.
        Ok(Err(error)) if output.status.success() => {
            Err(error).context("cannot hand kubectl its input")
        }
        Err(_) => bail!("cannot hand kubectl its input"),
        _ => Ok(output),
    }
}

fn missing(error: std::io::Error) -> anyhow::Error {
    let failed: anyhow::Result<()> = Err(error)
        .context("cannot run kubectl")
        .help("install kubectl as kubernetes.io/docs/tasks/tools says; on Debian: apt-get install kubernetes-client");
    failed.expect_err("it is one")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(named: Option<&str>, any_context: bool, current: Option<&str>) -> String {
        let args = ClusterArgs {
            context: named.map(str::to_owned),
            any_context,
        };
        match choose(&args, current, &["kind-noetl", "production"]) {
            Ok(context) => context,
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn only_a_cluster_that_was_named_is_touched() {
        assert_eq!(chosen(None, false, Some("kind-noetl")), "kind-noetl");
        assert_eq!(
            chosen(Some("production"), false, Some("production")),
            "production"
        );
        assert_eq!(
            chosen(Some("production"), true, Some("kind-noetl")),
            "production"
        );
        let elsewhere = chosen(Some("kind-noetl"), false, Some("production"));
        assert!(
            elsewhere.contains("the current context is production, not kind-noetl"),
            "{elsewhere}"
        );
        let unnamed = chosen(None, false, Some("production"));
        assert!(unnamed.contains("use-context kind-noetl"), "{unnamed}");
        assert!(chosen(Some("typo"), true, None).contains("one of kind-noetl, production"));
    }

    #[test]
    fn a_single_foreign_context_must_be_named() {
        let args = ClusterArgs {
            context: None,
            any_context: false,
        };
        let error = choose(&args, Some("gke"), &["gke"]).unwrap_err();
        assert!(
            format!("{error:#}").contains("name it: --context gke"),
            "{error:#}"
        );
        let error = choose(&args, None, &[]).unwrap_err();
        assert!(format!("{error:#}").contains("KUBECONFIG"), "{error:#}");
    }
}
