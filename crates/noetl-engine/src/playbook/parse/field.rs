//! Values with templates, arguments and assignments.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::super::{Assignment, Field, Scope};
use super::Reader;
use crate::template;
use crate::yaml::{Entry, Kind, Node};

impl Reader<'_> {
    /// A value that may hold templates. A template that does not parse is a problem.
    pub(super) fn field(&mut self, name: &str, node: &Node, path: &str) -> Field {
        let mut lines = BTreeMap::new();
        self.templates(node, path, "", &mut lines);
        let mut field = Field {
            name: name.to_owned(),
            value: node.to_json(),
            place: self.place_at(node.text_line, node.column, Some(path.to_owned())),
            lines,
            roots: Vec::new(),
        };
        field.find_roots();
        field
    }

    fn templates(
        &mut self,
        node: &Node,
        path: &str,
        below: &str,
        lines: &mut BTreeMap<String, usize>,
    ) {
        match &node.kind {
            Kind::String(text) if template::is_template(text) => {
                if !below.is_empty() {
                    lines.insert(below.to_owned(), node.text_line);
                }
                if let Err(error) = template::check(text) {
                    let line = node.text_line + error.line.saturating_sub(1);
                    let field = field_path(path, below);
                    let place = self.place_at(line, 0, Some(field));
                    self.fail(
                        place,
                        format!("the template does not parse: {}", error.message),
                        None,
                    );
                }
            }
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.templates(item, path, &template::index(below, index), lines);
                }
            }
            Kind::Mapping(entries) => {
                for entry in entries {
                    self.templates(&entry.value, path, &template::key(below, &entry.key), lines);
                }
            }
            _ => {}
        }
    }

    /// A condition: `when`, or one of its older names.
    pub(super) fn condition(&mut self, node: &Node, keys: &[&str], path: &str) -> Option<Field> {
        let (key, value) = keys.iter().find_map(|key| Some((*key, node.get(key)?)))?;
        let path = if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        };
        let field = self.field(key, value, &path);
        match &field.value {
            Json::String(text) if !template::is_template(text) => {
                if let Err(error) = template::check_condition(text) {
                    let place = field.place.clone();
                    self.fail(
                        place,
                        format!("the condition does not parse: {}", error.message),
                        None,
                    );
                }
                // An expression without its braces.
                let mut whole = field.clone();
                whole.value = Json::String(format!("{{{{ {text} }}}}"));
                whole.find_roots();
                return Some(Field {
                    value: field.value,
                    ..whole
                });
            }
            Json::String(_) | Json::Bool(_) | Json::Number(_) => {}
            _ => {
                let place = field.place.clone();
                self.fail(
                    place,
                    format!("a condition is a template, and this is {}", value.noun()),
                    Some("write `when: \"{{ … }}\"`"),
                );
            }
        }
        Some(field)
    }

    /// A mapping of names to values, as `args` and `input` are.
    pub(super) fn arguments(&mut self, node: &Node, keys: &[&str], path: &str) -> Vec<Field> {
        let mut fields = Vec::new();
        for key in keys {
            let Some(value) = node.get(key) else { continue };
            let path = join(path, key);
            match &value.kind {
                Kind::Mapping(entries) => {
                    for Entry { key, value, .. } in entries {
                        fields.push(self.field(key, value, &join(&path, key)));
                    }
                }
                // `args: "{{ response }}"`: the whole value, spread when it is rendered.
                Kind::String(text) if template::is_template(text) => {
                    fields.push(self.field("", value, &path));
                }
                _ => {
                    let place = self.place(value, &path);
                    self.fail(
                        place,
                        format!("`{key}` is {}, not a mapping", value.noun()),
                        None,
                    );
                }
            }
        }
        fields
    }

    /// `set`, `set_ctx`, `set_iter` and `vars`, in each of their forms.
    pub(super) fn assignments(&mut self, node: &Node, path: &str) -> Vec<Assignment> {
        let mut assignments = Vec::new();
        for (key, scope) in [
            ("vars", Scope::Ctx),
            ("set_ctx", Scope::Ctx),
            ("set_iter", Scope::Iter),
            ("set", Scope::Ctx),
        ] {
            if let Some(value) = node.get(key) {
                self.assignment_values(value, scope, &join(path, key), &mut assignments);
            }
        }
        assignments
    }

    pub(super) fn assignment_values(
        &mut self,
        value: &Node,
        scope: Scope,
        path: &str,
        assignments: &mut Vec<Assignment>,
    ) {
        match &value.kind {
            Kind::Mapping(entries) => {
                for Entry { key, value, .. } in entries {
                    // `set: {ctx: {page: 1}}` says the same as `set: {ctx.page: 1}`.
                    let nested = match (key.as_str(), &value.kind) {
                        ("ctx" | "vars", Kind::Mapping(_)) => Some(Scope::Ctx),
                        ("iter", Kind::Mapping(_)) => Some(Scope::Iter),
                        _ => None,
                    };
                    if let Some(scope) = nested {
                        self.assignment_values(value, scope, &join(path, key), assignments);
                        continue;
                    }
                    let (scope, name) = scoped(key, scope);
                    let field = self.field(name, value, &join(path, key));
                    assignments.push(Assignment { scope, field });
                }
            }
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    match (item.get("name").and_then(Node::as_str), item.get("value")) {
                        (Some(name), Some(value)) => {
                            let (scope, name) = scoped(name, scope);
                            let field = self.field(name, value, &path);
                            assignments.push(Assignment { scope, field });
                        }
                        _ => self.assignment_values(item, scope, &path, assignments),
                    }
                }
            }
            _ => {
                let place = self.place(value, path);
                let message = format!(
                    "names and values were expected, and this is {}",
                    value.noun()
                );
                self.fail(place, message, Some("write `set: {ctx.name: \"{{ … }}\"}`"));
            }
        }
    }
}

/// `ctx.page` and `iter.page` name their scope; a bare name is in `scope`.
fn scoped(name: &str, scope: Scope) -> (Scope, &str) {
    match name.split_once('.') {
        Some(("ctx" | "vars" | "workload", rest)) => (Scope::Ctx, rest),
        Some(("iter", rest)) => (Scope::Iter, rest),
        _ => (scope, name),
    }
}

/// `path.key`, or `key` at the top.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn field_path(path: &str, below: &str) -> String {
    match below.chars().next() {
        None => path.to_owned(),
        Some('[') => format!("{path}{below}"),
        Some(_) => format!("{path}.{below}"),
    }
}
