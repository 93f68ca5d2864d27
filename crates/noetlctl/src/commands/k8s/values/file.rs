//! Values files: YAML that overrides the defaults.

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
        serde_yaml_ng::from_str::<Values>(text)?;
    }
    let mut merged: Value = serde_yaml_ng::from_str(DEFAULTS)?;
    merge(&mut merged, file);
    Ok(serde_yaml_ng::from_value(merged)?)
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
        assert_eq!(values.storage.size, "1Gi");
        assert_eq!(values.node_selector["disk"], "ssd");
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
