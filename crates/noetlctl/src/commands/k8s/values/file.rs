//! Values files: YAML that overrides the defaults.

use anyhow::anyhow;
use serde_yaml_ng::Value;

use super::schema::Values;

/// A values file with every key, its default and a comment.
pub(crate) const DEFAULTS: &str = include_str!("../../../../k8s/values.yaml");

/// Parses a values file. A key that it does not have keeps its default.
///
/// # Errors
/// Fails with line and column for text that is not YAML, for unknown keys and for values of a wrong type.
pub(super) fn parse(text: &str) -> anyhow::Result<Values> {
    let text = text.trim_start_matches('\u{feff}');
    let file: Value = serde_yaml_ng::from_str(text)?;
    if !file.is_null() {
        // Only errors of this call have line and column; those of `from_value` below do not.
        serde_yaml_ng::from_str::<Values>(text).map_err(|error| anyhow!(in_words(&error)))?;
    }
    let mut merged: Value = serde_yaml_ng::from_str(DEFAULTS)?;
    merge(&mut merged, file);
    Ok(serde_yaml_ng::from_value(merged)?)
}

/// Returns an error with what is wanted in the words of people who write values files, not in those of Rust.
fn in_words(error: &serde_yaml_ng::Error) -> String {
    let mut text = error.to_string();
    for (type_name, words) in [
        ("expected i32", "expected a whole number"),
        ("expected i64", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected a string", "expected a text"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected a mapping"),
        ("invalid type: sequence", "it is a list"),
        ("invalid type: map", "it is a mapping"),
        ("invalid type: string", "it is the text"),
        ("invalid type: integer", "it is the number"),
        ("invalid type: floating point", "it is the number"),
        ("invalid type: boolean", "it is"),
        ("invalid type: unit value", "it is empty"),
        ("invalid value: integer", "it is the number"),
    ] {
        text = text.replace(type_name, words);
    }
    // `struct Server` and its like are sections.
    let mut words = Vec::new();
    let mut all = text.split(' ');
    while let Some(word) = all.next() {
        if word == "struct" {
            all.next();
            words.push("a mapping of keys");
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}

fn merge(default: &mut Value, file: Value) {
    match (default, file) {
        (_, Value::Null) => {}
        (Value::Mapping(defaults), Value::Mapping(file)) => {
            for (key, value) in file {
                match defaults.get_mut(&key) {
                    // `nodePort:` without a value removes it; a section without a value is not changed.
                    Some(known) if value.is_null() && !known.is_mapping() => *known = value,
                    Some(known) => merge(known, value),
                    None => drop(defaults.insert(key, value)),
                }
            }
        }
        (default, file) => *default = file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_every_key() {
        let values = parse("").unwrap();
        assert_eq!(values.namespace, "noetl");
        assert_eq!((values.server.replicas, values.worker.replicas), (1, 2));
        assert_eq!(values.worker.resources.requests["cpu"], "100m");
        // Each key of the types is in the file, where people look for it.
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
    fn a_file_overrides_the_keys_that_it_has() {
        let values =
            parse("worker: {replicas: 5}\nnodePort:\nstorage:\nnodeSelector: {disk: ssd}\n");
        let values = values.unwrap();
        assert_eq!(values.worker.replicas, 5);
        assert_eq!(values.worker.max_replicas, 8);
        assert_eq!(values.node_port, None);
        assert_eq!(values.tolerations.len(), 1);
        assert_eq!(values.storage.size, "1Gi");
        assert_eq!(values.node_selector["disk"], "ssd");
    }

    #[test]
    fn scalars_are_taken_as_kubernetes_takes_them_and_null_removes() {
        let values = parse(
            "server:\n  resources: {requests: {cpu: 1, memory: 256Mi}, limits: {cpu: 2.5, memory: null}}\n  \
             env: {NOETL_DEBUG: true, N: 7}\nsecurityContext: {runAsUser: null, fsGroup: null}\n\
             nodeSelector: {fast: true}\ntolerations: []\n",
        )
        .unwrap();
        let resources = &values.server.resources;
        assert_eq!(
            (
                resources.requests["cpu"].as_str(),
                resources.limits["cpu"].as_str()
            ),
            ("1", "2.5")
        );
        assert!(!resources.limits.contains_key("memory"));
        assert_eq!(values.server.env["NOETL_DEBUG"], "true");
        assert_eq!(values.node_selector["fast"], "true");
        assert!(values.tolerations.is_empty());
        assert_eq!(values.security_context.len(), 2);
    }

    #[test]
    fn an_error_says_what_is_wanted() {
        let error = |text| format!("{:#}", parse(text).unwrap_err());
        for (text, message) in [
            (
                "server: {replicas: two}",
                "server.replicas: it is the text \"two\", expected a whole number at line 1 column 20",
            ),
            (
                "worker: {resources: {requests: {cpu: [1]}}}",
                "worker.resources.requests.cpu: it is a list, expected a text, a number, or true or false at line 1",
            ),
            (
                "tolerations: {key: x}",
                "tolerations: it is a mapping, expected a list at line 1",
            ),
            (
                "server: 3",
                "server: it is the number `3`, expected a mapping of keys at line 1",
            ),
        ] {
            let found = error(text);
            assert!(found.starts_with(message), "{found}");
        }
    }

    #[test]
    fn an_error_has_its_line_and_column() {
        let error = |text| format!("{:#}", parse(text).unwrap_err());
        let unknown = error("namespace: n\nworker:\n  replica: 2\n");
        assert!(
            unknown.contains("unknown field `replica`") && unknown.contains("line 3 column 3"),
            "{unknown}"
        );
        let wrong_type = error("worker: many");
        assert!(wrong_type.contains("line 1"), "{wrong_type}");
        assert!(error("imagePullPolicy: Sometimes").contains("unknown variant"));
    }
}
