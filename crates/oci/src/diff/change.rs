//! One difference, and the list of those that were found.

use std::fmt;

use serde::Serialize;

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
pub(super) struct Found {
    platform: String,
    part: String,
    pub(super) path: String,
    pub(super) changes: Vec<Change>,
}

impl Found {
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
