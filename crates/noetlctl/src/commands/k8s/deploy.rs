//! `noetl k8s deploy`, `redeploy` and `reset`: show the difference, apply, wait, and say why not.

use std::process::ExitCode;

use anyhow::{anyhow, ensure};
use serde_json::{Value, json};

use super::kubectl::{Cluster, Conflicts};
use super::objects::{self, DEPLOYMENTS, MANAGED_BY, Object};
use super::values::{self, Settled};
use super::{explain, remove, status, warn};
use crate::cli::k8s::DeployArgs;
use crate::error::WithHelp as _;
use crate::output;

/// What happens to what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is brought up to date.
    Deploy,
    /// So too, and pods are started anew where nothing else did that.
    Redeploy,
    /// It is removed first, with its data.
    Reset,
}

/// What the Secret holds.
const SECRETS: [&str; 2] = ["NOETL_API_TOKEN", "NOETL_ENCRYPTION_KEY"];

pub(super) fn run(args: &DeployArgs, mode: Mode) -> anyhow::Result<ExitCode> {
    let settled = values::settle(&args.values)?;
    warn(&settled);
    let objects = objects::render(&settled)?;
    if args.dry_run {
        output::text(&objects::stream(&objects)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cluster = Cluster::find(&args.cluster)?;
    let namespace = settled.values.namespace.as_str();
    if mode == Mode::Reset {
        remove::remove(&cluster, namespace, remove::Data::Delete)?;
    }
    let conflicts = if args.wait.force_conflicts {
        Conflicts::Force
    } else {
        Conflicts::Refuse
    };
    show_difference(&cluster, namespace, &objects, conflicts)?;
    let deployment = |object: &&Object| object.kind == "Deployment";
    let (namespaces, others): (Vec<_>, Vec<_>) = objects
        .iter()
        .partition(|object| object.kind == "Namespace");
    cluster.apply(&objects::stream(namespaces)?, conflicts)?;
    ensure_secret(&cluster, &settled)?;
    let (deployments, others): (Vec<_>, Vec<_>) = others.into_iter().partition(deployment);
    cluster.apply(&objects::stream(others)?, conflicts)?;
    // One after the other: workers register with a server that answers.
    for object in deployments {
        let before = match mode {
            Mode::Redeploy => Some(generation(&cluster, namespace, &object.name)?),
            Mode::Deploy | Mode::Reset => None,
        };
        cluster.apply(&object.yaml()?, conflicts)?;
        // The restart that was asked for, where no change has brought it about.
        if let Some(before) = before
            && before == generation(&cluster, namespace, &object.name)?
        {
            restart(&cluster, namespace, &object.name)?;
        }
        wait(&cluster, namespace, &object.name, args.wait.timeout)?;
    }
    let scene = status::Scene::read(&cluster, namespace)?;
    output::text(&scene.table())?;
    say_where(&settled);
    Ok(ExitCode::SUCCESS)
}

/// Prints what will change, before anything does.
fn show_difference(
    cluster: &Cluster,
    namespace: &str,
    objects: &[Object],
    conflicts: Conflicts,
) -> anyhow::Result<()> {
    if cluster.json(&["get", "namespace", namespace])?.is_null() {
        // Nothing can be compared with what has no place yet.
        note!("new in {}:", cluster.context());
        for object in objects {
            note!("  {} {}", object.kind, object.name);
        }
        return Ok(());
    }
    let difference = cluster.diff(&objects::stream(objects)?, conflicts)?;
    if difference.is_empty() {
        note!("{} has all of it already", cluster.context());
    } else {
        note!("{difference}");
    }
    Ok(())
}

/// Makes the Secret where there is none. One that is there stays as it is: data are encrypted with its key.
fn ensure_secret(cluster: &Cluster, settled: &Settled) -> anyhow::Result<()> {
    let (name, namespace) = (&settled.values.secret, &settled.values.namespace);
    let found = cluster.json(&["get", "secret", name, "--namespace", namespace])?;
    if found.is_null() {
        let mut data = serde_json::Map::new();
        for key in SECRETS {
            data.insert(key.to_owned(), json!(noetl_server::new_secret()?));
        }
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name, "namespace": namespace,
                "labels": { "app": "noetl", MANAGED_BY.0: MANAGED_BY.1 },
            },
            "type": "Opaque",
            "stringData": data,
        });
        return cluster.create(&secret.to_string());
    }
    let lacks = SECRETS
        .iter()
        .find(|key| found["data"][**key].as_str().is_none_or(str::is_empty));
    let complete = || {
        ensure!(
            lacks.is_none(),
            "the Secret {name} has no {}",
            lacks.unwrap_or(&"")
        );
        Ok(())
    };
    complete().help("add the key, or name another Secret in the values file")
}

/// The number that a Deployment's changes are counted with; null where there is none.
fn generation(cluster: &Cluster, namespace: &str, name: &str) -> anyhow::Result<Value> {
    let found = cluster.json(&["get", "deployment", name, "--namespace", namespace])?;
    Ok(found["metadata"]["generation"].clone())
}

fn restart(cluster: &Cluster, namespace: &str, name: &str) -> anyhow::Result<()> {
    let deployment = format!("deployment/{name}");
    let args = ["rollout", "restart", &deployment, "--namespace", namespace];
    ensure!(cluster.follow(&args)?, "cannot restart {name}");
    Ok(())
}

/// Waits until a Deployment's pods are up; where they are not, everything that says why is printed.
fn wait(cluster: &Cluster, namespace: &str, name: &str, seconds: u32) -> anyhow::Result<()> {
    let deployment = format!("deployment/{name}");
    let timeout = format!("--timeout={seconds}s");
    let args = [
        "rollout",
        "status",
        &deployment,
        "--namespace",
        namespace,
        &timeout,
    ];
    if cluster.follow(&args)? {
        return Ok(());
    }
    let scene = explain::Scene::read(cluster, namespace, name)?;
    let explanation = explain::explain(&scene);
    note!("{}", explanation.lines.join("\n"));
    let untouched = if name == DEPLOYMENTS[0] {
        "; the workers were left as they are"
    } else {
        ""
    };
    Err(anyhow!("{name} did not come up{untouched}")).help(explanation.remedy)
}

fn say_where(settled: &Settled) {
    let namespace = &settled.values.namespace;
    note!(
        "kubectl port-forward --namespace {namespace} service/noetl 8082    leads to it from here"
    );
    if let Some(port) = settled.values.node_port {
        note!(
            "port {port} of every node leads to it; NoETL's kind cluster has that at http://localhost:8082"
        );
    }
    note!(
        "the token: kubectl get secret {} --namespace {namespace} --output 'go-template={{{{.data.NOETL_API_TOKEN | base64decode}}}}'",
        settled.values.secret
    );
}
