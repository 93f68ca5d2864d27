//! A difference between two images.

use std::fmt;

use serde::Serialize;

use crate::model::History;

/// A difference between two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The platform, such as `linux/amd64`; empty for differences of the index.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// The part of the image: `index`, `index entry`, `image manifest`, `config`, or a layer such as `layer 1`, where
    /// the lowest is 0.
    pub part: String,
    /// The path of the entry in a layer; empty in other parts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The field, such as `config.Env.HOME`, `mode` or the section `.rodata`; empty for something that only one image
    /// has.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// The value in the first image; `None` when it is missing there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value in the second image; `None` when it is missing there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Change {
    /// Returns whether the difference is in a layer or a line of history of the base image. `base` is the history of
    /// the base image; see [`ImageConfig::base_history`](crate::ImageConfig::base_history).
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
    /// Writes a line such as `~ linux/amd64 layer 1 usr/bin/app .rodata: 10 bytes -> 20 bytes`. It begins with `+` for
    /// something that only the second image has, and with `-` for something that only the first has.
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

/// Collects changes, and adds the current platform, part and path to each.
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
    fn changes_in_layers_and_history_of_the_base_are_recognized() {
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
