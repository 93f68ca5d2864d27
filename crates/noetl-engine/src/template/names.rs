//! The names that templates ask for.

use std::collections::BTreeSet;

use super::{STRICT, is_template, source, template};

/// The names that a string's templates begin with, such as `workload` in `{{ workload.url }}`.
pub(crate) fn roots(text: &str, roots: &mut BTreeSet<String>) {
    nested(text, false, roots);
}

/// The same, `whole` with the attributes behind them as far as they are written out.
fn nested(text: &str, whole: bool, roots: &mut BTreeSet<String>) {
    if !is_template(text) {
        return;
    }
    let source = source::prepare(text);
    match source::single_expression(&source) {
        Some(expression) => {
            if let Ok(compiled) = super::expression(&STRICT, expression) {
                roots.extend(compiled.undeclared_variables(whole));
            }
        }
        None => {
            if let Ok(compiled) = template(&STRICT, &source) {
                roots.extend(compiled.undeclared_variables(whole));
            }
        }
    }
}

/// Those roots of a text without which it has no value: not asked for by `is defined` or `default`.
pub(crate) fn required_roots(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    roots(text, &mut names);
    names.retain(|name| !source::is_optional(text, name));
    names
}

/// The same with the entries of `keychain`, as `keychain.NAME`.
pub(crate) fn required_names(text: &str) -> BTreeSet<String> {
    let mut names = required_roots(text);
    if names.remove("keychain") {
        let mut entries = BTreeSet::new();
        nested(text, true, &mut entries);
        let entries = entries.iter().filter_map(|path| {
            let entry = path.strip_prefix("keychain.")?.split('.').next()?;
            let path = format!("keychain.{entry}");
            let called = text.contains(&format!("{path}("));
            (!called && !source::is_optional(text, &path)).then_some(path)
        });
        names.extend(entries);
    }
    names
}
