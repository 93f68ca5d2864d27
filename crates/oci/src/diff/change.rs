//! One difference, and the list of those that were found.

use std::fmt;

use serde::Serialize;

use crate::model::History;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `linux/amd64`; empty for what belongs to all platforms.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// `index`, `image manifest`, `config` or `layer 1`.
    pub part: String,
    /// In a layer, the entry's path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// `config.Env.HOME`, `mode`, `.rodata`; empty where the whole is there on one side alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What it is in the first image; absent when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is in the second image; absent when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Change {
    /// Returns whether it is in a layer or a line of history of the base image, whose history is `base`
    /// ([`ImageConfig::base_history`](crate::ImageConfig::base_history)).
    pub fn is_of_base(&self, base: &[History]) -> bool {
        let is_below =
            |number: &str, count: usize| number.parse().is_ok_and(|it: usize| it < count);
        if let Some(layer) = self.part.strip_prefix("layer ") {
            let layers = base.iter().filter(|line| line.empty_layer != Some(true));
            return is_below(layer, layers.count());
        }
        let line = self.field.strip_prefix("history[");
        let line = line.and_then(|rest| rest.split(']').next());
        self.part == "config" && line.is_some_and(|line| is_below(line, base.len()))
    }
}

impl fmt::Display for Change {
    /// `~ linux/amd64 layer 1 usr/bin/noetl .rodata: 10 bytes -> 20 bytes`, with `+` or `-` for what is new or gone.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mark, values) = match (&self.before, &self.after) {
            (Some(before), Some(after)) => ('~', format!("{before} -> {after}")),
            (None, after) => ('+', after.clone().unwrap_or_default()),
            (Some(before), None) => ('-', before.clone()),
        };
        let place = [&self.platform, &self.part, &self.path, &self.field];
        let place: Vec<&str> = place
            .into_iter()
            .map(String::as_str)
            .filter(|word| !word.is_empty())
            .collect();
        write!(formatter, "{mark} {}: {values}", place.join(" "))
    }
}

/// Where changes are being looked for, and those that were found.
#[derive(Debug, Default)]
pub(super) struct ChangeCollector {
    platform: String,
    part: String,
    pub(super) path: String,
    pub(super) changes: Vec<Change>,
}

impl ChangeCollector {
    pub(super) fn enter(&mut self, platform: &str, part: &str) {
        platform.clone_into(&mut self.platform);
        part.clone_into(&mut self.part);
        self.path.clear();
    }

    pub(super) fn add(&mut self, field: &str, before: Option<String>, after: Option<String>) {
        self.changes.push(Change {
            platform: self.platform.clone(),
            part: self.part.clone(),
            path: self.path.clone(),
            field: field.to_owned(),
            before,
            after,
        });
    }

    pub(super) fn differ(
        &mut self,
        field: &str,
        before: impl Into<String>,
        after: impl Into<String>,
    ) {
        self.add(field, Some(before.into()), Some(after.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_layers_and_history_of_a_base_are_known() {
        let change = |part: &str, field: &str| Change {
            platform: "linux/arm64/v8".to_owned(),
            part: part.to_owned(),
            path: String::new(),
            field: field.to_owned(),
            before: None,
            after: None,
        };
        let line = |empty_layer| History {
            empty_layer,
            ..History::new(None, "RUN".to_owned())
        };
        let base = [line(None), line(Some(true)), line(None)];
        for (part, field, expected) in [
            ("layer 0", "", true),
            ("layer 1", "mode", true),
            ("layer 2", "", false),
            ("config", "history[2].created", true),
            ("config", "history[3].created", false),
            ("config", "config.User", false),
        ] {
            assert_eq!(change(part, field).is_of_base(&base), expected);
            assert!(!change(part, field).is_of_base(&[]));
        }
    }
}
