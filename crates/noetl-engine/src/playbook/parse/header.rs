//! The parts of a playbook above its workflow: version, executor and keychain.

use noetl_yaml::Node;

use super::super::model::{Executor, KeychainEntry};
use super::super::tool_kind::ToolKind;
use super::reader::Reader;

/// Kinds of keychain entries that are a credential of the store under another name.
const STORED: [&str; 5] = ["credential", "credentials", "bearer", "static", "secret"];

impl Reader<'_> {
    /// Checks `apiVersion` and `kind`.
    pub(super) fn header(&mut self, root: &Node) {
        match self.text(root, "apiVersion", "apiVersion").as_deref() {
            Some("noetl.io/v2" | "noetl.io/v10") => {}
            Some(other) => {
                let place = self.place(root.get("apiVersion").unwrap_or(root), "apiVersion");
                let message = format!("apiVersion `{other}` is not one that NoETL reads");
                self.fail(place, message, "write `apiVersion: noetl.io/v2`");
            }
            None => {
                let place = self.place(root, "apiVersion");
                self.fail(
                    place,
                    "the playbook has no apiVersion",
                    "add `apiVersion: noetl.io/v2`",
                );
            }
        }
        match self.text(root, "kind", "kind").as_deref() {
            Some("Playbook") => {}
            other => {
                let place = self.place(root.get("kind").unwrap_or(root), "kind");
                let message = other.map_or_else(
                    || "the document has no kind".to_owned(),
                    |kind| format!("kind `{kind}` is not a playbook"),
                );
                self.fail(place, message, "write `kind: Playbook`");
            }
        }
    }

    /// Reads `executor`.
    pub(super) fn executor(&mut self, root: &Node) -> Executor {
        let Some(node) = self.mapping(root, "executor", "executor") else {
            return Executor::default();
        };
        let profile = self.text(node, "profile", "executor.profile");
        if let Some(version) = self.text(node, "version", "executor.version")
            && version != "noetl-runtime/1"
        {
            let place = self.place(node, "executor.version");
            self.warn(
                place,
                format!("the playbook is for the runtime `{version}`, and this is noetl-runtime/1"),
                None,
            );
        }
        if let Some(requires) = self.mapping(node, "requires", "executor.requires") {
            for tool in self.list(requires, "tools", "executor.requires.tools") {
                let name = tool.as_str().unwrap_or_default();
                if ToolKind::from_name(name).is_none() {
                    let place = self.place(tool, "");
                    self.unsupported(place, name, "tool", &ToolKind::ALL.map(ToolKind::name));
                }
            }
        }
        let mut executor = Executor {
            profile,
            ..Executor::default()
        };
        if let Some(spec) = self.mapping(node, "spec", "executor.spec") {
            executor.entry_step = self.text(spec, "entry_step", "executor.spec.entry_step");
            executor.final_step = self.text(spec, "final_step", "executor.spec.final_step");
            if let Some(node) = spec.get("max_runs") {
                executor.max_runs = node.as_u64().filter(|runs| *runs > 0);
                if executor.max_runs.is_none() {
                    let place = self.place(node, "executor.spec.max_runs");
                    let help = "write a number such as 1000000, or remove it";
                    self.fail(place, "`max_runs` is a whole number from 1", help);
                }
            }
            executor.no_next_is_error = spec
                .get("no_next_is_error")
                .and_then(Node::as_bool)
                .unwrap_or_default();
        }
        executor
    }

    /// Reads `keychain`.
    pub(super) fn keychain(&mut self, root: &Node) -> Vec<KeychainEntry> {
        let mut entries = Vec::new();
        for (index, node) in self.list(root, "keychain", "keychain").iter().enumerate() {
            let path = format!("keychain[{index}]");
            let Some(name) = self.text(node, "name", &path) else {
                let place = self.place(node, &path);
                self.fail(
                    place,
                    "a keychain entry has no name",
                    "add `name: NAME`, which templates use as `{{ keychain.NAME.FIELD }}`",
                );
                continue;
            };
            let kind = self
                .text(node, "kind", &path)
                .or_else(|| self.text(node, "type", &path));
            let kind = kind.unwrap_or_else(|| "credential".to_owned());
            // Of other kinds `auth` and `key` are for the service that they would be fetched from.
            let is_stored = STORED.contains(&kind.as_str());
            let keys: &[&str] = match is_stored {
                true => &["credential", "auth", "ref", "key"],
                false => &["credential", "ref"],
            };
            let credential = keys
                .iter()
                .find_map(|key| node.get(key).and_then(Node::as_str))
                .unwrap_or(&name)
                .to_owned();
            if !is_stored {
                let place = self.place(node, &format!("{path}.kind"));
                let message = format!(
                    "keychain entry `{name}` is of kind `{kind}`, which NoETL does not fetch; it stands for the stored \
                     credential `{credential}`"
                );
                let help = "register it with `noetl register credential --file FILE`";
                self.warn(place, message, Some(help));
            }
            entries.push(KeychainEntry { name, credential });
        }
        entries
    }
}
