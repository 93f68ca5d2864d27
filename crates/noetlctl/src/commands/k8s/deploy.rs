//! `noetl k8s deploy`, `redeploy` and `reset`: shows the difference, applies it, waits for the pods, and
//! explains a rollout that fails.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{anyhow, ensure};
use noetl_help::Help as _;

use super::diagnosis::Rollout;
use super::kubectl::{Cluster, Conflicts};
use super::objects::{self, DEPLOYMENTS, Object};
use super::resources::{self, Secret};
use super::status::Status;
use super::values::schema::Values;
use super::{remove, render};
use crate::cli::k8s::{DeployArgs, RedeployArgs};
use crate::output;

/// What happens to an installation that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is updated.
    Deploy,
    /// It is updated, and pods that the update does not restart are restarted.
    Redeploy,
    /// It is removed first, with its data.
    Reset,
}

/// The keys of the Secret.
const SECRET_KEYS: [&str; 2] = ["NOETL_API_TOKEN", "NOETL_ENCRYPTION_KEY"];

pub(super) fn run(args: &DeployArgs, mode: Mode) -> anyhow::Result<ExitCode> {
    let (checked, objects) = render::objects(&args.values)?;
    let values = &checked.values;
    if args.dry_run {
        output::text(&objects::to_yaml(&objects)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cluster = Cluster::find(&args.cluster)?;
    let namespace = values.namespace.as_str();
    if mode == Mode::Reset {
        remove::remove(&cluster, namespace, remove::Data::Delete)?;
    }
    let conflicts = if args.apply.force_conflicts {
        Conflicts::Overwrite
    } else {
        Conflicts::Refuse
    };
    show_difference(&cluster, namespace, &objects, conflicts)?;
    let deployment = |object: &&Object| object.kind == "Deployment";
    let (namespaces, others): (Vec<_>, Vec<_>) = objects
        .iter()
        .partition(|object| object.kind == "Namespace");
    cluster.apply(&objects::to_yaml(namespaces)?, conflicts)?;
    ensure_secret(&cluster, values)?;
    let (deployments, others): (Vec<_>, Vec<_>) = others.into_iter().partition(deployment);
    cluster.apply(&objects::to_yaml(others)?, conflicts)?;
    // One after the other, since workers register with a server that answers.
    for object in deployments {
        let before = match mode {
            Mode::Redeploy => Some(generation(&cluster, namespace, &object.name)?),
            Mode::Deploy | Mode::Reset => None,
        };
        cluster.apply(&object.yaml()?, conflicts)?;
        // The Deployment has not changed, so that nothing else restarts its pods.
        if let Some(before) = before
            && before == generation(&cluster, namespace, &object.name)?
        {
            restart(&cluster, namespace, &object.name)?;
        }
        wait(&cluster, namespace, &object.name, args.apply.timeout)?;
    }
    output::text(&Status::read(&cluster, namespace)?.table())?;
    print_addresses(values);
    Ok(ExitCode::SUCCESS)
}

/// Prints what will change.
fn show_difference(
    cluster: &Cluster,
    namespace: &str,
    objects: &[Object],
    conflicts: Conflicts,
) -> anyhow::Result<()> {
    let found: Option<resources::Object> = cluster.object(&["get", "namespace", namespace])?;
    if found.is_none() {
        // kubectl cannot compare objects in a namespace that does not exist yet.
        note!("new in {}:", cluster.context());
        for object in objects {
            note!("  {} {}", object.kind, object.name);
        }
        return Ok(());
    }
    let difference = cluster.diff(&objects::to_yaml(objects)?, conflicts)?;
    if difference.is_empty() {
        note!("{} is already up to date", cluster.context());
    } else {
        note!("{difference}");
    }
    Ok(())
}

/// Creates the Secret if it does not exist. An existing one is not changed: data is encrypted with its key.
fn ensure_secret(cluster: &Cluster, values: &Values) -> anyhow::Result<()> {
    let (name, namespace) = (&values.secret, &values.namespace);
    let get = ["get", "secret", name, "--namespace", namespace];
    let Some(found) = cluster.object::<Secret>(&get)? else {
        let mut keys = BTreeMap::new();
        for key in SECRET_KEYS {
            keys.insert(key.to_owned(), noetl_server::new_secret()?);
        }
        return cluster.create(&objects::secret(values, keys)?.yaml()?);
    };
    let is_missing = |key: &&&str| found.data.get(**key).is_none_or(String::is_empty);
    match SECRET_KEYS.iter().find(is_missing) {
        None => Ok(()),
        Some(key) => Err(anyhow!("the Secret {name} has no {key}")
            .help("add the key, or name another Secret in the values file")),
    }
}

/// Returns the generation of a Deployment, which counts its changes; `None` when it does not exist.
fn generation(cluster: &Cluster, namespace: &str, name: &str) -> anyhow::Result<Option<u64>> {
    let get = ["get", "deployment", name, "--namespace", namespace];
    let found: Option<resources::Object> = cluster.object(&get)?;
    Ok(found.and_then(|deployment| deployment.metadata.generation))
}

fn restart(cluster: &Cluster, namespace: &str, name: &str) -> anyhow::Result<()> {
    let deployment = format!("deployment/{name}");
    let args = ["rollout", "restart", &deployment, "--namespace", namespace];
    ensure!(cluster.run(&args)?, "cannot restart {name}");
    Ok(())
}

/// Waits until the pods of a Deployment are ready. When they do not become ready, the reasons are printed.
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
    if cluster.run(&args)? {
        return Ok(());
    }
    let diagnosis = Rollout::read(cluster, namespace, name)?.diagnose();
    note!("{}", diagnosis.lines.join("\n"));
    let unchanged = if name == DEPLOYMENTS[0] {
        "; the workers are unchanged"
    } else {
        ""
    };
    Err(anyhow!("{name} did not become ready{unchanged}").help(diagnosis.help))
}

/// Prints how the server is reached, and how its token is read.
fn print_addresses(values: &Values) {
    let namespace = &values.namespace;
    note!(
        "from this machine: kubectl port-forward --namespace {namespace} service/noetl 8082, then http://localhost:8082"
    );
    if let Some(port) = values.node_port {
        note!(
            "from the cluster's network: port {port} of every node; in NoETL's kind cluster http://localhost:8082"
        );
    }
    note!(
        "the token: kubectl get secret {} --namespace {namespace} --output 'go-template={{{{.data.NOETL_API_TOKEN | base64decode}}}}'",
        values.secret
    );
}

/// Runs `redeploy` and `reset`, which accept flags of old versions.
pub(super) fn run_again(args: &RedeployArgs, mode: Mode) -> anyhow::Result<ExitCode> {
    if args.no_cache {
        note!("note: --no-cache has no effect: `noetl build` builds images, this command does not");
    }
    if let Some(platform) = &args.platform {
        note!(
            "note: --platform {platform} has no effect: each node pulls the image of its own platform"
        );
    }
    run(&args.deploy, mode)
}
