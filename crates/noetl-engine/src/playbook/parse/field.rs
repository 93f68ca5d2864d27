//! Values with templates, conditions, arguments and assignments.

use std::collections::BTreeMap;

use noetl_yaml::{Entry, Kind, Node, Value};
use serde_json::Value as Json;

use super::super::document::noun;
use super::super::task::{Assignment, VariableScope};
use super::reader::Reader;
use crate::field::Field;
use crate::path;
use crate::template;

impl Reader<'_> {
    /// Reads a value that may hold templates. A template that does not parse is a problem.
    pub(super) fn field(&mut self, name: &str, node: &Node, path: &str) -> Field {
        let mut lines = BTreeMap::new();
        self.check_templates(node, path, "", &mut lines);
        let mut field = Field {
            name: name.to_owned(),
            value: node.to_json(),
            place: self.place_at(node.text_line(), node.column, Some(path.to_owned())),
            lines,
            roots: Vec::new(),
            paths: Vec::new(),
        };
        field.find_roots();
        field
    }

    /// Checks the templates of the value at `inner` within the field at `path`, and notes their lines.
    fn check_templates(
        &mut self,
        node: &Node,
        path: &str,
        inner: &str,
        lines: &mut BTreeMap<String, usize>,
    ) {
        match node.value() {
            Value::String(text) if template::is_template(text) => {
                if !inner.is_empty() {
                    lines.insert(inner.to_owned(), node.text_line());
                }
                if let Err(error) = template::check(text) {
                    let line = node.text_line() + error.line.saturating_sub(1);
                    let place = self.place_at(line, 0, Some(path::join(path, inner)));
                    self.fail(
                        place,
                        format!("the template does not parse: {}", error.message),
                        "a template is written as in Jinja: `{{ name.field | filter }}`",
                    );
                }
            }
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.check_templates(item, path, &path::index(inner, index), lines);
                }
            }
            Value::Mapping(entries) => {
                for Entry { key, value, .. } in entries {
                    self.check_templates(value, path, &path::key(inner, key), lines);
                }
            }
            _ => {}
        }
    }

    /// Reads a condition: `when`, or one of its older names.
    pub(super) fn condition(&mut self, node: &Node, keys: &[&str], path: &str) -> Option<Field> {
        let (key, value) = keys.iter().find_map(|key| Some((*key, node.get(key)?)))?;
        let field = self.field(key, value, &path::key(path, key));
        match &field.value {
            Json::String(text) if !template::is_template(text) => {
                if let Err(error) = template::check_condition(text) {
                    let place = field.place.clone();
                    self.fail(
                        place,
                        format!("the condition does not parse: {}", error.message),
                        "write an expression, such as `workload.env == 'prod'`",
                    );
                }
                // The names in it are those of an expression.
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
                    format!("a condition is a template, and this is {}", noun(value)),
                    "write `when: \"{{ … }}\"`",
                );
            }
        }
        Some(field)
    }

    /// Reads arguments: mappings of names to values, such as `args` and `input`.
    pub(super) fn arguments(&mut self, node: &Node, keys: &[&str], path: &str) -> Vec<Field> {
        let mut fields = Vec::new();
        for key in keys {
            let Some(value) = node.get(key) else { continue };
            let path = path::key(path, key);
            match value.value() {
                Value::Mapping(entries) => {
                    for Entry { key, value, .. } in entries {
                        fields.push(self.field(key, value, &path::key(&path, key)));
                    }
                }
                // `args: "{{ response }}"`: a template for all arguments, which has no name.
                Value::String(text) if template::is_template(text) => {
                    fields.push(self.field("", value, &path));
                }
                _ => {
                    let place = self.place(value, &path);
                    self.fail(
                        place,
                        format!("`{key}` is {}, not a mapping", noun(value)),
                        &format!("write `{key}: {{NAME: VALUE}}`"),
                    );
                }
            }
        }
        fields
    }

    /// Reads `set`, `set_ctx`, `set_iter` and `vars`, in each of their forms.
    pub(super) fn assignments(&mut self, node: &Node, path: &str) -> Vec<Assignment> {
        let mut assignments = Vec::new();
        if let Some(value) = node.get("vars") {
            let path = path::key(path, "vars");
            self.assignment_values(value, VariableScope::Ctx, &path, &mut assignments);
        }
        assignments.extend(self.set_assignments(node, path));
        assignments
    }

    /// Reads `set`, `set_ctx` and `set_iter`; `vars` of a tool is a field of its own.
    pub(super) fn set_assignments(&mut self, node: &Node, path: &str) -> Vec<Assignment> {
        let mut assignments = Vec::new();
        for (key, scope) in [
            ("set_ctx", VariableScope::Ctx),
            ("set_iter", VariableScope::Iter),
            ("set", VariableScope::Ctx),
        ] {
            if let Some(value) = node.get(key) {
                self.assignment_values(value, scope, &path::key(path, key), &mut assignments);
            }
        }
        assignments
    }

    /// Reads assignments: a mapping of names to values, or a list of names with values.
    pub(super) fn assignment_values(
        &mut self,
        value: &Node,
        scope: VariableScope,
        path: &str,
        assignments: &mut Vec<Assignment>,
    ) {
        match &value.kind {
            Kind::Mapping(entries) => {
                for Entry { key, value, .. } in entries {
                    // `set: {ctx: {page: 1}}` means the same as `set: {ctx.page: 1}`.
                    let nested = match (&**key, &value.kind) {
                        ("ctx" | "vars", Kind::Mapping(_)) => Some(VariableScope::Ctx),
                        ("iter", Kind::Mapping(_)) => Some(VariableScope::Iter),
                        _ => None,
                    };
                    if let Some(scope) = nested {
                        self.assignment_values(value, scope, &path::key(path, key), assignments);
                        continue;
                    }
                    let (scope, name) = scoped(key, scope);
                    let field = self.field(name, value, &path::key(path, key));
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
                    noun(value)
                );
                self.fail(place, message, "write `set: {ctx.name: \"{{ … }}\"}`");
            }
        }
    }
}

/// Returns scope and name: `ctx.page` and `iter.page` name their scope, a bare name is in `scope`.
fn scoped(name: &str, scope: VariableScope) -> (VariableScope, &str) {
    match name.split_once('.') {
        Some(("ctx" | "vars" | "workload", rest)) => (VariableScope::Ctx, rest),
        Some(("iter", rest)) => (VariableScope::Iter, rest),
        _ => (scope, name),
    }
}
