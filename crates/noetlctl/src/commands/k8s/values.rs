//! What the manifests are made from: defaults, a values file, flags, in this order.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_yaml_ng::Value;

use super::image::Image;
use super::syntax;
use crate::cli::k8s::ValuesArgs;
use crate::error::WithHelp as _;

/// Every value there is, with its default and a word on it.
pub(crate) const DEFAULTS: &str = include_str!("../../../k8s/values.yaml");

/// How the values are spelled in a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Values {
    pub(crate) namespace: String,
    pub(crate) image: Option<String>,
    pub(crate) python_image: Option<String>,
    pub(crate) image_pull_policy: PullPolicy,
    pub(crate) image_pull_secrets: Vec<String>,
    pub(crate) secret: String,
    pub(crate) node_port: Option<i32>,
    pub(crate) database: Database,
    pub(crate) storage: Storage,
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) server: Server,
    pub(crate) worker: Worker,
}

/// When a node asks the registry for an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PullPolicy {
    Always,
    #[default]
    IfNotPresent,
    Never,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Database {
    pub(crate) secret: Option<String>,
    pub(crate) key: String,
    pub(crate) port: i32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Storage {
    pub(crate) size: String,
    pub(crate) class_name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) replicas: i32,
    pub(crate) resources: Resources,
    pub(crate) env: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Worker {
    pub(crate) replicas: i32,
    pub(crate) max_replicas: i32,
    pub(crate) cpu_percent: i32,
    pub(crate) concurrency: u32,
    pub(crate) scratch: String,
    pub(crate) resources: Resources,
    pub(crate) env: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Resources {
    pub(crate) requests: BTreeMap<String, String>,
    pub(crate) limits: BTreeMap<String, String>,
}

/// Values that fit together, with both images named.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settled {
    pub(crate) values: Values,
    pub(crate) image: Image,
    pub(crate) python_image: Image,
}

impl Settled {
    /// What should be said before these values are used.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        [self.image.warning(), self.python_image.warning()]
            .into_iter()
            .flatten()
    }
}

/// Reads the values that the flags and their file ask for.
pub(crate) fn settle(args: &ValuesArgs) -> anyhow::Result<Settled> {
    let mut values = match &args.values {
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))
                .help("`noetl k8s render --print-values` prints one to start from")?;
            parse(&text)
                .with_context(|| format!("{} is no values file", path.display()))
                .help("`noetl k8s render --print-values` shows every key there is")?
        }
        None => parse("")?,
    };
    override_values(&mut values, args);
    check(&values)?;
    let image = match &values.image {
        Some(image) => image.parse::<Image>()?,
        None => Image::released(),
    };
    let python_image = match &values.python_image {
        Some(image) => image.parse()?,
        None => image.with_python()?,
    };
    Ok(Settled {
        values,
        image,
        python_image,
    })
}

/// Lays a file's text over the defaults. The first reading is for its errors, which name line and column.
fn parse(text: &str) -> anyhow::Result<Values> {
    let text = text.trim_start_matches('\u{feff}');
    let over: Value = serde_yaml_ng::from_str(text)?;
    if !over.is_null() {
        serde_yaml_ng::from_str::<Values>(text)?;
    }
    let mut merged: Value = serde_yaml_ng::from_str(DEFAULTS)?;
    merge(&mut merged, over);
    Ok(serde_yaml_ng::from_value(merged)?)
}

fn merge(below: &mut Value, over: Value) {
    match (below, over) {
        (_, Value::Null) => {}
        (Value::Mapping(below), Value::Mapping(over)) => {
            for (key, value) in over {
                match below.get_mut(&key) {
                    // `nodePort:` without a value takes it away; a whole section without one stays.
                    Some(known) if value.is_null() && !known.is_mapping() => *known = value,
                    Some(known) => merge(known, value),
                    None => drop(below.insert(key, value)),
                }
            }
        }
        (below, over) => *below = over,
    }
}

fn override_values(values: &mut Values, args: &ValuesArgs) {
    if let Some(image) = &args.image {
        values.image = Some(image.clone());
        // The file's belongs to the file's image.
        values.python_image = None;
    }
    if let Some(image) = &args.python_image {
        values.python_image = Some(image.clone());
    }
    if let Some(namespace) = &args.namespace {
        values.namespace.clone_from(namespace);
    }
    if let Some(replicas) = args.replicas {
        values.server.replicas = replicas;
    }
    if let Some(workers) = args.workers {
        values.worker.replicas = workers;
    }
    if let Some(secret) = &args.database_secret {
        let (name, key) = match secret.split_once('/') {
            Some((name, key)) => (name, Some(key)),
            None => (secret.as_str(), None),
        };
        values.database.secret = Some(name.to_owned());
        if let Some(key) = key {
            key.clone_into(&mut values.database.key);
        }
    }
}

/// Refuses values that no cluster could make sense of, or that would lose data.
fn check(values: &Values) -> anyhow::Result<()> {
    check_names(values)?;
    check_quantities(values)?;
    if values.server.replicas < 1 {
        bail!(
            "server.replicas: {} servers serve nobody",
            values.server.replicas
        );
    }
    if values.server.replicas > 1 && values.database.secret.is_none() {
        return Err(anyhow!(
            "{} servers cannot share one SQLite file",
            values.server.replicas
        ))
        .help("keep PostgreSQL's URL in a Secret, and name it with --database-secret");
    }
    if values.worker.replicas < 1 {
        return Err(anyhow!(
            "worker.replicas: without workers no step runs; the server in a cluster runs none itself"
        ))
        .help("ask for one at the least");
    }
    if values
        .node_port
        .is_some_and(|port| !(1..=65535).contains(&port))
    {
        bail!("nodePort: there is no such port");
    }
    if !(1..=65535).contains(&values.database.port) {
        bail!("database.port: there is no port {}", values.database.port);
    }
    if values.worker.cpu_percent < 1 {
        bail!(
            "worker.cpuPercent: {} is no share to wait for",
            values.worker.cpu_percent
        );
    }
    for (name, value) in values.server.env.iter().chain(&values.worker.env) {
        if crate::config::SECRETS.contains(&name.as_str()) {
            return Err(anyhow!(
                "env: {name} is a secret, and manifests are no place for one"
            ))
            .help("keep it in the Secret, which `noetl k8s deploy` makes");
        }
        if name.is_empty() || name.contains(['=', ' ']) || value.contains('\0') {
            bail!("env: `{name}` is no variable");
        }
    }
    Ok(())
}

/// Refuses names that Kubernetes does not take.
fn check_names(values: &Values) -> anyhow::Result<()> {
    if !syntax::is_label(&values.namespace) {
        return Err(anyhow!(
            "namespace: `{}` is no name in Kubernetes",
            values.namespace
        ))
        .help("a namespace has small letters, digits and hyphens, 63 at the most");
    }
    let names = [
        ("secret", Some(&values.secret)),
        ("database.secret", values.database.secret.as_ref()),
        ("storage.className", values.storage.class_name.as_ref()),
    ];
    let pull_secrets = values.image_pull_secrets.iter();
    let names = names
        .into_iter()
        .chain(pull_secrets.map(|name| ("imagePullSecrets", Some(name))));
    for (field, name) in names {
        if let Some(name) = name.filter(|name| !syntax::is_subdomain(name)) {
            return Err(anyhow!("{field}: `{name}` is no name in Kubernetes"))
                .help("a name has small letters, digits, hyphens and dots, 253 at the most");
        }
    }
    let key = &values.database.key;
    if !syntax::is_key(key) {
        return Err(anyhow!("database.key: `{key}` is no key of a Secret"))
            .help("a key has letters, digits, dots, hyphens and underscores");
    }
    for (label, value) in &values.node_selector {
        if !syntax::is_label_key(label) || !syntax::is_label_value(value) {
            return Err(anyhow!("nodeSelector: `{label}: {value}` is no label"))
                .help("`kubectl get nodes --show-labels` lists those that nodes have");
        }
    }
    Ok(())
}

/// Refuses sizes that are none, and requests above their limits.
fn check_quantities(values: &Values) -> anyhow::Result<()> {
    let read = |field: &str, text: &str| {
        let number = syntax::quantity(text).filter(|number| *number > 0.0);
        number
            .ok_or_else(|| anyhow!("{field}: `{text}` is no quantity"))
            .help("a quantity is a number with a unit, such as 100m, 128Mi or 1Gi")
    };
    read("storage.size", &values.storage.size)?;
    read("worker.scratch", &values.worker.scratch)?;
    for (role, resources) in [
        ("server", &values.server.resources),
        ("worker", &values.worker.resources),
    ] {
        let Resources { requests, limits } = resources;
        for (name, text) in limits {
            read(&format!("{role}.resources.limits.{name}"), text)?;
        }
        for (name, text) in requests {
            let field = format!("{role}.resources.requests.{name}");
            let asked = read(&field, text)?;
            if let Some(limit) = limits.get(name)
                && syntax::quantity(limit).is_some_and(|limit| asked > limit)
            {
                bail!("{field}: {text} is more than the limit, {limit}");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let found = parse(text).and_then(|values| check(&values));
        format!("{:#}", found.unwrap_err())
    }

    #[test]
    fn the_defaults_are_whole() {
        let values = parse("").unwrap();
        assert_eq!(values.namespace, "noetl");
        assert_eq!((values.server.replicas, values.worker.replicas), (1, 2));
        assert_eq!(values.worker.resources.requests["cpu"], "100m");
        // Each key of the types stands in the file, where people look for it.
        let known: Value = serde_yaml_ng::from_str(DEFAULTS).unwrap();
        let written = serde_yaml_ng::to_value(&values).unwrap();
        assert_eq!(keys(&known), keys(&written));
    }

    fn keys(value: &Value) -> Vec<String> {
        let mut keys = Vec::new();
        for (key, value) in value.as_mapping().into_iter().flatten() {
            let key = key.as_str().unwrap();
            keys.push(key.to_owned());
            keys.extend(
                self::keys(value)
                    .into_iter()
                    .map(|inner| format!("{key}.{inner}")),
            );
        }
        keys.sort();
        keys
    }

    #[test]
    fn a_file_changes_what_it_names() {
        let values =
            parse("worker: {replicas: 5}\nnodePort:\nstorage:\nnodeSelector: {disk: ssd}\n");
        let values = values.unwrap();
        assert_eq!(values.worker.replicas, 5);
        assert_eq!(values.worker.max_replicas, 8);
        assert_eq!(values.node_port, None);
        assert_eq!(values.storage.size, "1Gi");
        assert_eq!(values.node_selector["disk"], "ssd");
    }

    #[test]
    fn what_no_value_is_named_with_its_place() {
        let unknown = error("namespace: n\nworker:\n  replica: 2\n");
        assert!(
            unknown.contains("unknown field `replica`") && unknown.contains("line 3 column 3"),
            "{unknown}"
        );
        assert!(
            error("worker: many").contains("line 1"),
            "{}",
            error("worker: many")
        );
        assert!(error("imagePullPolicy: Sometimes").contains("unknown variant"));
        for (text, words) in [
            ("namespace: Not-A-Name", "is no name"),
            ("server: {replicas: 2}", "cannot share one SQLite file"),
            ("worker: {replicas: 0}", "no step runs"),
            ("nodePort: 70000", "no such port"),
            ("server: {env: {NOETL_API_TOKEN: x}}", "is a secret"),
        ] {
            assert!(error(text).contains(words), "{text}: {}", error(text));
        }
    }
}
