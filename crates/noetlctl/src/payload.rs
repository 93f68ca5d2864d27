//! The input of an execution: a file, overridden by `--payload`, overridden by `--set` and `--set-string`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use noetl_engine::Playbook;
use noetl_help::Help as _;
use serde_json::{Map, Value};

use crate::cli::execute::PayloadArgs;

/// The input of an execution.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The values of `--input` and `--payload`.
    pub(crate) payload: Map<String, Value>,
    /// The values of `--set`, which override them. What they mean depends on the playbook's defaults.
    pub(crate) set: BTreeMap<String, String>,
}

impl Input {
    /// Returns the payload with the values of `--set`, those as JSON if they can be read as JSON. A server that knows the
    /// playbook's defaults reads them again, from [`Self::set`].
    pub(crate) fn guessed(&self) -> Map<String, Value> {
        let mut payload = self.payload.clone();
        for (key, value) in &self.set {
            let json = serde_json::from_str(value).unwrap_or_else(|_| value.as_str().into());
            payload.insert(key.clone(), json);
        }
        payload
    }

    /// Returns the input as one payload for a playbook that is at hand.
    pub(crate) fn for_playbook(&self, playbook: &Playbook) -> Map<String, Value> {
        let mut payload = self.payload.clone();
        for (key, value) in &self.set {
            playbook.assign(&mut payload, key, value);
        }
        payload
    }
}

/// Returns the input of the flags; without flags it is empty.
pub(crate) fn read(args: &PayloadArgs) -> anyhow::Result<Input> {
    let mut input = Input::default();
    if let Some(path) = &args.input {
        let text = read_file(path)?;
        input
            .payload
            .extend(object(&text, &path.display().to_string())?);
    }
    if let Some(text) = &args.payload {
        input.payload.extend(object(text, "--payload")?);
    }
    for assignment in &args.set {
        let (key, value) = split("--set", assignment)?;
        input.set.insert(key, value);
    }
    for assignment in &args.set_string {
        let (key, value) = split("--set-string", assignment)?;
        input.set.remove(&key);
        input.payload.insert(key, Value::String(value));
    }
    Ok(input)
}

fn split(flag: &str, assignment: &str) -> anyhow::Result<(String, String)> {
    let (key, value) = assignment
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| anyhow!("{flag} {assignment} is not an assignment"))
        .help(format!("write {flag} KEY=VALUE, such as {flag} city=Paris"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
        return Ok(text);
    }
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn object(text: &str, origin: &str) -> anyhow::Result<Map<String, Value>> {
    let help = "use a JSON object, such as {\"city\": \"Paris\"}";
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(anyhow!("{origin} is not a JSON object")).help(help),
        Err(error) => Err(error)
            .with_context(|| format!("{origin} is not JSON"))
            .help(help),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn later_flags_override_earlier_ones() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input.json");
        fs::write(&input, r#"{"a": 1, "b": 1, "c": 1}"#).unwrap();
        let args = PayloadArgs {
            input: Some(input),
            payload: Some(r#"{"b": 2, "c": 2}"#.to_owned()),
            set: ["c=3", "d=x=y", "e=[1]", "f=", "g=1"]
                .map(str::to_owned)
                .to_vec(),
            set_string: ["g=1.10", "h=true"].map(str::to_owned).to_vec(),
        };
        let text =
            "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: x}\nworkflow: [{step: a}]\n";
        let playbook = Playbook::parse("x", text).unwrap();
        assert_eq!(
            Value::from(read(&args).unwrap().for_playbook(&playbook)),
            json!({"a": 1, "b": 2, "c": 3, "d": "x=y", "e": [1], "f": "", "g": "1.10", "h": "true"})
        );
    }

    #[test]
    fn invalid_input_is_an_error() {
        for (payload, set) in [
            (Some("[1]"), None),
            (Some("{"), None),
            (None, Some("a")),
            (None, Some("=b")),
        ] {
            let args = PayloadArgs {
                input: None,
                payload: payload.map(str::to_owned),
                set: set.map(str::to_owned).into_iter().collect(),
                set_string: Vec::new(),
            };
            assert!(read(&args).is_err(), "{args:?}");
        }
    }
}
