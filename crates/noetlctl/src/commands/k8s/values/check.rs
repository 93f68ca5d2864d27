//! Checks values before anything is rendered: what no cluster would accept, and what would lose data.

use anyhow::{anyhow, bail};
use noetl_help::Help as _;

use super::schema::{Resources, Values};
use super::syntax;
use crate::config::SECRETS;

/// Checks all values.
///
/// # Errors
/// Fails with the key of the first value that is invalid.
pub(super) fn check(values: &Values) -> anyhow::Result<()> {
    check_names(values)?;
    check_quantities(values)?;
    check_replicas(values)?;
    check_pods(values)?;
    let port_range = 1..=65535;
    if let Some(port) = values.node_port
        && !port_range.contains(&port)
    {
        bail!("nodePort: {port} is not a port");
    }
    if !port_range.contains(&values.database.port) {
        bail!("database.port: {} is not a port", values.database.port);
    }
    if values.worker.cpu_percent < 1 {
        bail!(
            "worker.cpuPercent: {} is not a percentage above 0",
            values.worker.cpu_percent
        );
    }
    for (name, value) in values.server.env.iter().chain(&values.worker.env) {
        if SECRETS.contains(&name.as_str()) {
            return Err(
                anyhow!("env: {name} is a secret, which must not be in manifests")
                    .help("put it into the Secret, which `noetl k8s deploy` creates"),
            );
        }
        if name.is_empty() || name.contains(['=', ' ']) || value.contains('\0') {
            bail!("env: `{name}` is not a valid variable");
        }
    }
    Ok(())
}

fn check_replicas(values: &Values) -> anyhow::Result<()> {
    let servers = values.server.replicas;
    if servers < 1 {
        bail!("server.replicas: {servers} is less than 1");
    }
    if servers > 1 && values.database.secret.is_none() {
        return Err(anyhow!("{servers} servers cannot share one SQLite file")
            .help("put the URL of a PostgreSQL database into a Secret, and name it with --database-secret"));
    }
    if values.worker.replicas < 1 {
        return Err(anyhow!(
            "worker.replicas: without a worker no step runs, since a server in a cluster runs none itself"
        )
        .help("use at least 1"));
    }
    Ok(())
}

fn check_names(values: &Values) -> anyhow::Result<()> {
    if !syntax::is_label(&values.namespace) {
        return Err(anyhow!(
            "namespace: `{}` is not a valid name in Kubernetes",
            values.namespace
        )
        .help("a namespace has small letters, digits and hyphens, at most 63"));
    }
    let names = [
        ("secret", Some(&values.secret)),
        ("database.secret", values.database.secret.as_ref()),
        ("storage.className", values.storage.class_name.as_ref()),
        ("priorityClassName", values.priority_class_name.as_ref()),
    ];
    let pull_secrets = values.image_pull_secrets.iter();
    let names = names
        .into_iter()
        .chain(pull_secrets.map(|name| ("imagePullSecrets", Some(name))));
    for (field, name) in names {
        if let Some(name) = name.filter(|name| !syntax::is_subdomain(name)) {
            return Err(
                anyhow!("{field}: `{name}` is not a valid name in Kubernetes")
                    .help("a name has small letters, digits, hyphens and dots, at most 253"),
            );
        }
    }
    let key = &values.database.key;
    if !syntax::is_key(key) {
        return Err(
            anyhow!("database.key: `{key}` is not a valid key of a Secret")
                .help("a key has letters, digits, dots, hyphens and underscores"),
        );
    }
    for (label, value) in &values.node_selector {
        if !syntax::is_label_key(label) || !syntax::is_label_value(value) {
            return Err(
                anyhow!("nodeSelector: `{label}: {value}` is not a valid label")
                    .help("`kubectl get nodes --show-labels` lists the labels of the nodes"),
            );
        }
    }
    Ok(())
}

/// The fields that only the security context of a pod has, those of both contexts, and those of a container's alone.
const OF_PODS: [&str; 6] = [
    "fsGroup",
    "fsGroupChangePolicy",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
    "sysctls",
];
const OF_BOTH: [&str; 7] = [
    "appArmorProfile",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
    "windowsOptions",
];
const OF_CONTAINERS: [&str; 5] = [
    "allowPrivilegeEscalation",
    "capabilities",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
];

/// Whether a field of a security context is one of pods alone.
pub(in crate::commands::k8s) fn is_of_pods(field: &str) -> bool {
    OF_PODS.contains(&field)
}

/// Whether a field of a security context is one of containers.
pub(in crate::commands::k8s) fn is_of_containers(field: &str) -> bool {
    OF_BOTH.contains(&field) || OF_CONTAINERS.contains(&field)
}

/// Checks what is written into every pod.
fn check_pods(values: &Values) -> anyhow::Result<()> {
    let help = "the API reference of Kubernetes has the fields: kubectl explain pod.spec";
    let pods: Vec<&str> = OF_PODS.into_iter().chain(OF_BOTH).collect();
    let all: Vec<&str> = pods.iter().copied().chain(OF_CONTAINERS).collect();
    for (name, fields, known) in [
        ("podSecurityContext", &values.pod_security_context, &pods),
        ("securityContext", &values.security_context, &all),
    ] {
        let mut fields = fields.keys().map(String::as_str);
        if let Some(unknown) = fields.find(|field| !known.contains(field)) {
            let known = known.join(", ");
            return Err(anyhow!(
                "{name}: `{unknown}` is not a field of it; known are {known}"
            ))
            .help(help);
        }
    }
    let affinities = ["nodeAffinity", "podAffinity", "podAntiAffinity"];
    let mut fields = values.affinity.keys().map(String::as_str);
    if let Some(unknown) = fields.find(|field| !affinities.contains(field)) {
        return Err(anyhow!(
            "affinity: `{unknown}` is not a field of it; known are {}",
            affinities.join(", ")
        ))
        .help(help);
    }
    for toleration in &values.tolerations {
        let operator = toleration.operator.as_deref().unwrap_or("Equal");
        let effects = [
            None,
            Some("NoSchedule"),
            Some("PreferNoSchedule"),
            Some("NoExecute"),
        ];
        if !["Equal", "Exists"].contains(&operator)
            || !effects.contains(&toleration.effect.as_deref())
        {
            return Err(anyhow!(
                "tolerations: the operator is Equal or Exists, and the effect NoSchedule, PreferNoSchedule or NoExecute"
            ))
            .help(help);
        }
        if toleration.key.is_none() && operator == "Equal" {
            return Err(anyhow!(
                "tolerations: a toleration without `key` needs `operator: Exists`"
            ))
            .help(help);
        }
    }
    let labels = values.labels.iter().map(|label| ("labels", label));
    for (field, (key, value)) in labels {
        if key == "app" || key.starts_with("app.kubernetes.io/") {
            bail!("{field}: `{key}` is a label that NoETL sets itself");
        }
        if !syntax::is_label_key(key) || !syntax::is_label_value(value) {
            return Err(anyhow!("{field}: `{key}: {value}` is not a valid label"))
                .help("a label has letters, digits, dots, hyphens and underscores, at most 63");
        }
    }
    for key in values.annotations.keys() {
        if !syntax::is_label_key(key) {
            bail!("annotations: `{key}` is not a valid key of an annotation");
        }
    }
    Ok(())
}

/// Checks that sizes are quantities, and that no request is above its limit.
fn check_quantities(values: &Values) -> anyhow::Result<()> {
    let parse = |field: &str, text: &str| {
        syntax::quantity(text)
            .filter(|number| *number > 0.0)
            .ok_or_else(|| anyhow!("{field}: `{text}` is not a quantity"))
            .help("a quantity is a number with a unit, such as 100m, 128Mi or 1Gi")
    };
    parse("storage.size", &values.storage.size)?;
    parse("worker.scratch", &values.worker.scratch)?;
    for (role, resources) in [
        ("server", &values.server.resources),
        ("worker", &values.worker.resources),
    ] {
        let Resources { requests, limits } = resources;
        for (name, text) in limits {
            parse(&format!("{role}.resources.limits.{name}"), text)?;
        }
        for (name, text) in requests {
            let field = format!("{role}.resources.requests.{name}");
            let requested = parse(&field, text)?;
            if let Some(limit) = limits.get(name)
                && syntax::quantity(limit).is_some_and(|limit| requested > limit)
            {
                bail!("{field}: {text} is more than the limit, {limit}");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn an_invalid_value_is_named() {
        for (text, message) in [
            ("namespace: Not-A-Name", "is not a valid name"),
            ("server: {replicas: 0}", "server.replicas: 0"),
            ("server: {replicas: 2}", "cannot share one SQLite file"),
            ("worker: {replicas: 0}", "no step runs"),
            ("nodePort: 70000", "nodePort: 70000 is not a port"),
            ("server: {env: {NOETL_API_TOKEN: x}}", "is a secret"),
            ("storage: {size: large}", "storage.size: `large`"),
            (
                "securityContext: {runAs: 1}",
                "`runAs` is not a field of it",
            ),
            (
                "podSecurityContext: {privileged: true}",
                "`privileged` is not a field",
            ),
            ("affinity: {node: {}}", "`node` is not a field of it"),
            ("tolerations: [{value: x}]", "without `key`"),
            (
                "tolerations: [{key: x, effect: Never}]",
                "the effect NoSchedule",
            ),
            ("labels: {app: x}", "is a label that NoETL sets itself"),
            ("annotations: {'a b': x}", "is not a valid key"),
            ("priorityClassName: A_b", "priorityClassName: `A_b`"),
        ] {
            let error = file::parse(text).and_then(|values| check(&values));
            let error = format!("{:#}", error.unwrap_err());
            assert!(error.contains(message), "{text}: {error}");
        }
        check(&file::parse("").unwrap()).unwrap();
    }
}
