//! Files that can be registered: whether one is a playbook or a credential, and which files of a folder are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use noetl_api::credential::CredentialRequest;
use noetl_help::Help as _;
use serde_json::{Map, Value};

/// What a file contains.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// The text of a playbook, or of a file that is none but is treated as one.
    Playbook(String),
    /// A credential with its secret data.
    Credential(Box<CredentialRequest>),
}

/// Reads a file. A file that is not a credential is treated as a playbook: the server reports what is
/// wrong with it.
///
/// # Errors
/// Fails when the file cannot be read, or is a credential with an invalid field.
pub(crate) fn read(path: &Path) -> anyhow::Result<Content> {
    let text = read_text(path)?;
    match object(&text) {
        Some(object) if is_credential(&object) && !is_playbook(&text) => {
            Ok(Content::Credential(Box::new(credential(object, path)?)))
        }
        _ => Ok(Content::Playbook(text)),
    }
}

/// Reads a file that the user named as a playbook.
pub(crate) fn read_playbook(path: &Path) -> anyhow::Result<String> {
    read_text(path)
}

/// Reads a file that the user named as a credential.
///
/// # Errors
/// Fails when the file cannot be read, and when it is not a JSON or YAML object with name, type and data.
pub(crate) fn read_credential(path: &Path) -> anyhow::Result<CredentialRequest> {
    match object(&read_text(path)?) {
        Some(object) => credential(object, path),
        None => Err(anyhow!("{} is not a credential", path.display()).help(CREDENTIAL)),
    }
}

const CREDENTIAL: &str = "a credential is a JSON or YAML object with name, type and data";

fn credential(mut object: Map<String, Value>, path: &Path) -> anyhow::Result<CredentialRequest> {
    if object.contains_key("type") {
        // Without `type`, these keys would have its meaning.
        object.shift_remove("kind");
        object.shift_remove("credential_type");
    }
    serde_json::from_value(Value::Object(object))
        .with_context(|| format!("{} is not a credential", path.display()))
        .help(CREDENTIAL)
}

/// Returns the playbooks in a folder and its subfolders, sorted by path.
pub(crate) fn playbooks(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = files(folder, &["yaml", "yml"])?;
    // A file that cannot be read is kept, so that the error is reported.
    found.retain(|path| fs::read_to_string(path).map_or(true, |text| is_playbook(&text)));
    Ok(found)
}

/// Returns the credentials in a folder and its subfolders, sorted by path.
pub(crate) fn credentials(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = files(folder, &["json", "yaml", "yml"])?;
    found.retain(|path| matches!(read(path), Err(_) | Ok(Content::Credential(_))));
    Ok(found)
}

/// Whether the text has `apiVersion` and `kind: Playbook` at its top level. It compares lines and parses no
/// YAML, so that a playbook with a syntax error is still recognized.
fn is_playbook(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let kind = lines.clone().find_map(|line| line.strip_prefix("kind:"));
    let unquoted = |value: &str| {
        let value = value.split(" #").next().unwrap_or(value);
        value.trim().trim_matches(['"', '\'']).to_owned()
    };
    kind.map(unquoted).as_deref() == Some("Playbook")
        && lines.any(|line| line.starts_with("apiVersion:"))
}

/// Parses JSON or YAML. Returns `None` when it is no object.
fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text)
        .ok()
        .or_else(|| serde_yaml_ng::from_str(text).ok())
}

/// Whether an object has the fields of a credential. `data` is one of them, since a `package.json` has a name
/// and a type too.
fn is_credential(object: &Map<String, Value>) -> bool {
    object.get("type").is_some_and(Value::is_string)
        && object.contains_key("name")
        && object.contains_key("data")
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .help("the file must exist, be readable and be text in UTF-8")
}

/// Returns the files with these extensions. Links to folders are not followed, since they can form a loop,
/// and hidden names are skipped.
fn files(folder: &Path, extensions: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let cannot = || format!("cannot read the folder {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.file_type().with_context(cannot)?.is_dir() {
                folders.push(path);
            } else if path.is_file()
                && path
                    .extension()
                    .and_then(|extension| extension.to_str())
                    .is_some_and(|extension| extensions.contains(&extension))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playbooks_and_credentials_are_recognized() {
        let playbook = "# mine\napiVersion: noetl.io/v2\nkind: Playbook # v2\nmetadata: {name: p}\nworkflow: [";
        assert!(is_playbook(playbook));
        assert!(!is_playbook("kind: Playbook\n"));
        assert!(!is_playbook("apiVersion: v1\nkind: Deployment\n"));
        assert!(!is_playbook("x:\n  apiVersion: v1\n  kind: Playbook\n"));
        let credential = |text| object(text).is_some_and(|object| is_credential(&object));
        assert!(credential(
            r#"{"name": "pg", "type": "postgres", "data": {}}"#
        ));
        assert!(credential("name: pg\ntype: postgres\ndata: {a: 1}\n"));
        assert!(!credential(r#"{"name": "package", "type": "module"}"#));
        assert!(!credential("[1]"));
    }

    #[test]
    fn a_credential_with_a_kind_and_a_type_has_the_type() {
        let read = |text| credential(object(text).unwrap(), Path::new("c.yaml"));
        let stored = read("kind: Credential\nname: pg\ntype: postgres\ndata: {a: 1}\n").unwrap();
        assert_eq!(stored.kind, "postgres");
        assert_eq!(
            read("name: pg\nkind: postgres\ndata: {}\n").unwrap().kind,
            "postgres"
        );
        let error = read("name: pg\ntype: postgres\ndata: 1\n").unwrap_err();
        let text = noetl_help::Report::of(&error).to_string();
        assert!(
            text.starts_with("error: c.yaml is not a credential\ncaused by: invalid type: ")
                && text.contains("help: a credential is"),
            "{text}"
        );
    }

    #[test]
    fn subfolders_are_searched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/c")).unwrap();
        fs::create_dir_all(at(".git")).unwrap();
        let playbook = "apiVersion: noetl.io/v2\nkind: Playbook\n";
        for name in ["b/c/deep.yml", "a.yaml", ".git/hidden.yaml", "note.txt"] {
            fs::write(at(name), playbook).unwrap();
        }
        fs::write(at("b/other.yaml"), "kind: Deployment\n").unwrap();
        fs::write(
            at("b/pg.json"),
            r#"{"name": "pg", "type": "postgres", "data": {}}"#,
        )
        .unwrap();
        fs::write(at("package.json"), r#"{"name": "x"}"#).unwrap();
        assert_eq!(
            playbooks(folder.path()).unwrap(),
            [at("a.yaml"), at("b/c/deep.yml")]
        );
        assert_eq!(credentials(folder.path()).unwrap(), [at("b/pg.json")]);
    }
}
