//! `noetl k8s remove`: takes away what deploy brought, and the data only when asked.

use std::process::ExitCode;

use anyhow::ensure;

use super::kubectl::Cluster;
use super::objects::MANAGED_BY;
use crate::cli::k8s::RemoveArgs;

/// What may be made again from an image.
const KINDS: &str = "horizontalpodautoscaler,poddisruptionbudget,networkpolicy,service,deployment,configmap,\
                     rolebinding,role,serviceaccount";
/// What may not.
const DATA: &str = "persistentvolumeclaim,secret";

/// What becomes of the volume and the keys.
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

/// Removes everything that has our label from a namespace. What is not there is no failure.
pub(super) fn remove(cluster: &Cluster, namespace: &str, data: Data) -> anyhow::Result<()> {
    let label = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
    let kinds = match data {
        Data::Keep => vec![KINDS],
        Data::Delete => vec![KINDS, DATA],
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
            cluster.follow(&[&args[..], &["--ignore-not-found", "--wait=true"]].concat())?,
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
