//! The stored credentials that a playbook names.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::model::Playbook;
use crate::template;
use noetl_api::Place;

/// Fields of a tool that name a credential.
const FIELDS: [&str; 2] = ["auth", "credential"];

impl Playbook {
    /// Returns the names of the stored credentials that the playbook uses, with the place of the first use of each.
    /// A name that is a template over the workload is evaluated with the defaults; one over anything else is left out.
    pub fn credentials(&self) -> BTreeMap<String, Place> {
        let mut found = BTreeMap::new();
        for entry in &self.keychain {
            if let Some(name) = self.static_text(&entry.credential) {
                found.entry(name).or_insert_with(|| Place {
                    file: self.file.clone(),
                    field: Some("keychain".to_owned()),
                    ..Place::default()
                });
            }
        }
        for task in self.tasks() {
            let part = |name: &str| task.config.value.get(name);
            let parts = [Some(&task.config.value), part("source"), part("target")];
            let named = parts
                .into_iter()
                .flatten()
                .flat_map(|part| FIELDS.iter().filter_map(|name| part.get(*name)?.as_str()));
            for name in named.filter_map(|name| self.static_text(name)) {
                let place = &task.config.place;
                found.entry(name).or_insert_with(|| place.clone());
            }
        }
        found
    }

    /// Returns a text whose templates use nothing but the workload's defaults.
    fn static_text(&self, text: &str) -> Option<String> {
        if !template::is_template(text) {
            return Some(text.to_owned());
        }
        let mut names: Map<String, Json> = self.workload.clone();
        names.insert("workload".to_owned(), Json::Object(self.workload.clone()));
        let rendered = template::render_value(&text.into(), &names).ok()?;
        rendered
            .as_str()
            .map(str::to_owned)
            .filter(|text| !text.is_empty())
    }
}
