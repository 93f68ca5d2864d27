//! `noetl k8s remove`: removes NoETL from a cluster, with its data only if --delete-data is given.

use std::process::ExitCode;

use anyhow::ensure;

use super::kubectl::Cluster;
use super::objects::MANAGED_BY;
use crate::cli::k8s::RemoveArgs;

/// The kinds of object that a deploy creates again.
const KINDS: &str = "horizontalpodautoscaler,poddisruptionbudget,networkpolicy,service,deployment,configmap,\
                     rolebinding,role,serviceaccount";
/// The kinds of object with data, which a deploy cannot restore.
const DATA_KINDS: &str = "persistentvolumeclaim,secret";

/// What happens to the volume and the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    Keep,
    Delete,
}

pub(super) fn run(args: &RemoveArgs) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::find(&args.cluster)?;
    let data = if args.delete_data {
        Data::Delete
    } else {
        Data::Keep
    };
    remove(&cluster, &args.namespace, data)?;
    Ok(ExitCode::SUCCESS)
}

/// Removes the objects with NoETL's label from a namespace. An object that does not exist is no error.
pub(super) fn remove(cluster: &Cluster, namespace: &str, data: Data) -> anyhow::Result<()> {
    let label = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
    let kinds = match data {
        Data::Keep => vec![KINDS],
        Data::Delete => vec![KINDS, DATA_KINDS],
    };
    for kinds in kinds {
        let args = [
            "delete",
            kinds,
            "--selector",
            &label,
            "--namespace",
            namespace,
        ];
        ensure!(
            cluster.run(&[&args[..], &["--ignore-not-found", "--wait=true"]].concat())?,
            "kubectl could not remove everything from {namespace}"
        );
    }
    match data {
        Data::Keep => note!(
            "kept: the volume and the keys (--delete-data removes them), and the namespace {namespace}"
        ),
        Data::Delete => note!("kept: the namespace {namespace}"),
    }
    Ok(())
}
