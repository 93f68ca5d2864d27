//! The names that templates use.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::environment::{STRICT, expression, template};
use super::source;
use super::token::{after_path, code_tokens};
use crate::field::Field;

/// Whether a string has anything to evaluate.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

impl Field {
    /// Finds the names that the field's templates begin with, after its value changed.
    pub(crate) fn find_roots(&mut self) {
        let mut names = BTreeSet::new();
        collect(&self.value, &mut names);
        self.roots = names.into_iter().collect();
    }
}

fn collect(value: &Json, names: &mut BTreeSet<String>) {
    match value {
        Json::String(text) => names.extend(used_names(text, false)),
        Json::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Json::Object(entries) => entries.values().for_each(|item| collect(item, names)),
        _ => {}
    }
}

/// Returns the names that a string's templates begin with, such as `workload` in `{{ workload.url }}`;
/// with `attributes` the whole paths as far as they are written out.
fn used_names(text: &str, attributes: bool) -> BTreeSet<String> {
    if !is_template(text) {
        return BTreeSet::new();
    }
    let source = source::prepare(text);
    let names = match source::single_expression(&source) {
        Some(code) => expression(&STRICT, code).map(|it| it.undeclared_variables(attributes)),
        None => template(&STRICT, &source).map(|it| it.undeclared_variables(attributes)),
    };
    // A template that does not compile is reported where it is checked.
    names.unwrap_or_default().into_iter().collect()
}

/// Returns those names without which a text has no value: `is defined` and `default` need none.
pub(crate) fn required_roots(text: &str) -> BTreeSet<String> {
    let tokens = code_tokens(text);
    let mut names = used_names(text, false);
    names.retain(|name| !source::is_optional(&tokens, name));
    names
}

/// Returns the required names, and for `keychain` its required entries as `keychain.NAME`.
pub(crate) fn required_names(text: &str) -> BTreeSet<String> {
    let mut names = required_roots(text);
    if names.remove("keychain") {
        let tokens = code_tokens(text);
        let paths = used_names(text, true);
        let entries = paths.iter().filter_map(|path| {
            let entry = path.strip_prefix("keychain.")?.split('.').next()?;
            let path = format!("keychain.{entry}");
            let is_method = after_path(&tokens, &path)
                .any(|rest| rest.first().is_some_and(|next| next.text == "("));
            (!is_method && !source::is_optional(&tokens, &path)).then_some(path)
        });
        names.extend(entries);
    }
    names
}
