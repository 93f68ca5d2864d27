//! `~/.noetl/config.yaml`: the contexts, which are servers with a name. Fields that this version does not
//! know, such as those of the gateway, are kept when the file is rewritten; comments are lost.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use serde_yaml_ng::{Mapping, Value};

/// The file as it was read, with the changes since then.
#[derive(Debug)]
pub(crate) struct ContextFile {
    path: PathBuf,
    root: Mapping,
}

/// A server with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) server_url: String,
    /// `local`, `distributed` or `auto`.
    pub(crate) runtime: String,
    pub(crate) token_file: Option<PathBuf>,
}

impl ContextFile {
    /// Reads the file; a missing or empty one has no contexts.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let path = super::home()?.join("config.yaml");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let root = parse(&text)
            .with_context(|| format!("cannot parse {}", path.display()))
            .help("correct the file, or move it away and use `noetl context add`")?;
        Ok(Self { path, root })
    }

    /// Writes the file so that only its owner can read it: a context may contain secrets of a gateway.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let text = serde_yaml_ng::to_string(&self.root).context("cannot write the contexts")?;
        // When the file is a symbolic link, the file that it points to is written.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        write_private(&path, &text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Returns the contexts in the order of the file.
    pub(crate) fn contexts(&self) -> Vec<Context> {
        let entries = self.root.get("contexts").and_then(Value::as_mapping);
        let names = entries.into_iter().flat_map(Mapping::keys);
        names
            .filter_map(Value::as_str)
            .filter_map(|name| self.context(name))
            .collect()
    }

    /// Returns the context with this name.
    pub(crate) fn context(&self, name: &str) -> Option<Context> {
        let entry = self.root.get("contexts")?.get(name)?;
        let text = |key: &str| Some(entry.get(key)?.as_str()?.to_owned());
        Some(Context {
            name: name.to_owned(),
            server_url: text("server_url")?,
            runtime: text("runtime").unwrap_or_else(|| "auto".to_owned()),
            token_file: text("token_file").map(PathBuf::from),
        })
    }

    /// Returns the name of the current context.
    pub(crate) fn current_name(&self) -> Option<&str> {
        self.root.get("current_context")?.as_str()
    }

    /// Returns the current context, if the file has it.
    pub(crate) fn current(&self) -> Option<Context> {
        self.context(self.current_name()?)
    }

    /// Makes a context the current one, or leaves none current.
    pub(crate) fn set_current(&mut self, name: Option<&str>) {
        let value = name.map_or(Value::Null, Value::from);
        self.root.insert("current_context".into(), value);
    }

    /// Sets fields of a context. A context that does not exist is added.
    pub(crate) fn set(&mut self, name: &str, fields: &[(&str, &str)]) {
        let contexts = mapping(self.root.entry("contexts".into()));
        let context = mapping(contexts.entry(name.into()));
        for (key, value) in fields {
            context.insert((*key).into(), (*value).into());
        }
    }

    /// Removes a context. Returns whether it existed.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.root
            .get_mut("contexts")
            .and_then(Value::as_mapping_mut)
            .is_some_and(|contexts| contexts.remove(name).is_some())
    }
}

fn parse(text: &str) -> anyhow::Result<Mapping> {
    match serde_yaml_ng::from_str(text)? {
        Value::Null => Ok(Mapping::new()),
        Value::Mapping(mapping) => Ok(mapping),
        _ => Err(anyhow!(
            "expected a mapping with current_context and contexts"
        )),
    }
}

/// Returns the mapping at an entry. Any other value there, such as null, is replaced by an empty mapping.
fn mapping(entry: serde_yaml_ng::mapping::Entry<'_>) -> &mut Mapping {
    let value = entry.or_insert(Value::Null);
    if !value.is_mapping() {
        *value = Value::Mapping(Mapping::new());
    }
    value
        .as_mapping_mut()
        .expect("the value was made a mapping above")
}

/// Writes a file that only this user may read. One that is there keeps its mode, and where a symbolic link leads to a
/// file, as in a folder of configurations under version control, that file is written.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        // Nothing is there, or a link that leads nowhere.
        Err(_) => match fs::read_link(path) {
            Ok(to) => path.parent().unwrap_or(path).join(to),
            Err(_) => path.to_owned(),
        },
    };
    let path = target.as_path();
    let folder = path.parent().context("the file has no folder")?;
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".config.yaml.{}.part", std::process::id()));
    let written = create_private(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if let Ok(old) = path.metadata() {
            keep_attributes(&old, &temporary)?;
        }
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // The error of the write is reported, not that of the clean-up.
        drop(fs::remove_file(&temporary));
    }
    Ok(written?)
}

/// Gives a new file the mode of the one that it replaces, and its owner where this user may give files away.
fn keep_attributes(old: &fs::Metadata, new: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        // Only root may; for others, the file becomes their own, as with an editor.
        drop(chown(new, Some(old.uid()), Some(old.gid())));
    }
    fs::set_permissions(new, old.permissions())
}

fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> ContextFile {
        ContextFile {
            path: PathBuf::new(),
            root: parse(text).unwrap(),
        }
    }

    #[test]
    fn unknown_fields_and_the_order_are_kept() {
        let mut file = file(
            "current_context: b\ncontexts:\n  b:\n    server_url: http://b\n    gateway_session_token: s\n  \
             a:\n    server_url: http://a\ntelemetry: false\n",
        );
        file.set("b", &[("runtime", "local")]);
        assert_eq!(
            serde_yaml_ng::to_string(&file.root).unwrap(),
            "current_context: b\ncontexts:\n  b:\n    server_url: http://b\n    gateway_session_token: s\n    \
             runtime: local\n  a:\n    server_url: http://a\ntelemetry: false\n"
        );
        let names: Vec<String> = file.contexts().into_iter().map(|c| c.name).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(file.current().unwrap().runtime, "local");
        assert_eq!(file.context("a").unwrap().runtime, "auto");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_there_keeps_its_mode_and_its_link() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let (real, link) = (
            folder.path().join("real.yaml"),
            folder.path().join("config.yaml"),
        );
        symlink("real.yaml", &link).unwrap();
        write_private(&link, "a: 1\n").unwrap();
        assert_eq!(mode(&real), 0o600, "a new file is private");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        write_private(&link, "a: 2\n").unwrap();
        assert!(link.is_symlink());
        assert_eq!(
            (mode(&real), fs::read_to_string(&real).unwrap().as_str()),
            (0o640, "a: 2\n")
        );
    }

    #[test]
    fn files_without_contexts_are_read() {
        for text in [
            "",
            "current_context: null\ncontexts: null\n",
            "current_context: gone\ncontexts: {}\n",
        ] {
            let mut file = file(text);
            assert_eq!(file.current(), None, "{text}");
            assert!(!file.remove("x"), "{text}");
            file.set("x", &[("server_url", "http://x")]);
            assert_eq!(file.contexts().len(), 1, "{text}");
        }
        assert!(parse("- a\n").is_err());
    }
}
