//! Finds the playbook that REF names: a file, a file without its extension, a catalog path, a target.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use noetl_help::Help as _;

/// The files that are looked for when no REF is given.
const DEFAULTS: [&str; 4] = ["noetl.yaml", "noetl.yml", "main.yaml", "main.yml"];

/// Where a playbook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// A file on this machine.
    File(PathBuf),
    /// A path in the server's catalog.
    Catalog { path: String, version: Option<i64> },
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Catalog {
                path,
                version: None,
            } => formatter.write_str(path),
            Self::Catalog {
                path,
                version: Some(version),
            } => write!(formatter, "{path}@{version}"),
        }
    }
}

/// Returns the playbook that `reference` names, and the target that it implies.
pub(super) fn find(reference: Option<&str>) -> anyhow::Result<(Reference, Option<String>)> {
    let exists = |path: &str| Path::new(path).is_file();
    let default = DEFAULTS.into_iter().find(|path| exists(path));
    let Some(reference) = reference else {
        let file = default
            .ok_or_else(|| anyhow!("this folder has none of {}", DEFAULTS.join(", ")))
            .help("name a playbook, such as `noetl run hello.yaml`")?;
        return Ok((Reference::File(file.into()), None));
    };
    if let Some(path) = reference.strip_prefix("catalog://") {
        return Ok((catalog(path), None));
    }
    let file = |path: &str| (Reference::File(PathBuf::from(path)), None);
    let yaml = [".yaml", ".yml"]
        .iter()
        .any(|ending| reference.ends_with(ending));
    if exists(reference) {
        return Ok(file(reference));
    }
    if yaml {
        return Err(anyhow!("there is no file {reference}")
            .help("name the path of a playbook, relative to this folder or absolute"));
    }
    let candidates = ["", "automation/"]
        .into_iter()
        .flat_map(|folder| [".yaml", ".yml"].map(|ending| format!("{folder}{reference}{ending}")));
    if let Some(found) = candidates.into_iter().find(|path| exists(path)) {
        return Ok(file(&found));
    }
    match default {
        // `noetl run boot`: a target of this folder's playbook.
        Some(default) if default.starts_with("noetl.") && !reference.contains('/') => {
            Ok((Reference::File(default.into()), Some(reference.to_owned())))
        }
        _ => Ok((catalog(reference), None)),
    }
}

/// Returns the reference of `PATH` or `PATH@VERSION`.
fn catalog(path: &str) -> Reference {
    let split = path.rsplit_once('@').and_then(|(path, version)| {
        let version: i64 = version.parse().ok()?;
        (version >= 0).then_some((path, version))
    });
    match split {
        Some((path, version)) => Reference::Catalog {
            path: path.to_owned(),
            version: Some(version),
        },
        None => Reference::Catalog {
            path: path.to_owned(),
            version: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalog_paths_may_have_a_version() {
        assert_eq!(
            catalog("examples/weather@3"),
            Reference::Catalog {
                path: "examples/weather".to_owned(),
                version: Some(3)
            }
        );
        assert_eq!(
            catalog("me@home"),
            Reference::Catalog {
                path: "me@home".to_owned(),
                version: None
            }
        );
    }
}
