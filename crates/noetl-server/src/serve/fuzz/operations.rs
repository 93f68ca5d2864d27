//! Requests that are drawn from the OpenAPI document: its operations, with values of its types, of others, and with those
//! that earlier answers had.

use std::collections::HashMap;

use axum::body::Bytes;
use fastrand::Rng;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::draw::Draw;

/// How many values of each name are remembered.
const MOST_KNOWN: usize = 40;

/// A request.
pub(super) struct Drawn {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Option<Bytes>,
}

/// What requests are drawn from.
pub(super) struct Operations {
    document: Value,
    /// Each with its path, its method and its description.
    all: Vec<(String, String, Value)>,
    /// Values that are in the store, by the name of the field.
    known: HashMap<&'static str, Vec<String>>,
    pub(super) draw: Draw,
}

/// The fields whose values are taken from answers, and the names under which requests have them.
const KNOWN: [(&str, &[&str]); 9] = [
    ("execution_id", &["execution_id", "parent_execution_id"]),
    ("catalog_id", &["catalog_id"]),
    ("command_id", &["command_id", "node_id", "commands"]),
    ("event_id", &["event_id", "since_event_id", "after"]),
    ("path", &["path", "playbook_id"]),
    ("name", &["name", "worker_id", "identifier", "credential"]),
    ("step", &["step", "target", "return_step"]),
    ("request_id", &["request_id"]),
    ("href", &[]),
];

impl Operations {
    pub(super) fn new(seed: u64) -> Self {
        let document: Value = serde_json::from_str(&crate::api::OPENAPI).unwrap();
        let mut all = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                all.push((path.clone(), method.to_uppercase(), operation.clone()));
            }
        }
        for path in [
            "/api/executions/stream",
            "/api/executions/{execution_id}/stream",
            "/api/nothing",
            "/",
        ] {
            all.push((path.to_owned(), "GET".to_owned(), json!({})));
        }
        Self {
            document,
            all,
            known: HashMap::new(),
            draw: Draw(Rng::with_seed(seed)),
        }
    }

    /// Remembers values of an answer.
    pub(super) fn learn(&mut self, answer: &Value) {
        match answer {
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(fields) => {
                for (field, value) in fields {
                    let known = KNOWN.iter().find(|(name, _)| name == field);
                    if let (Some((name, _)), Some(text)) = (known, value.as_str()) {
                        let values = self.known.entry(name).or_default();
                        if values.len() < MOST_KNOWN {
                            values.push(text.to_owned());
                        } else {
                            values[self.draw.0.usize(..MOST_KNOWN)] = text.to_owned();
                        }
                    }
                    self.learn(value);
                }
            }
            _ => {}
        }
    }

    /// Returns a value that the store may have under this name.
    fn known(&mut self, name: &str) -> Option<String> {
        let (field, _) = KNOWN.iter().find(|(_, names)| names.contains(&name))?;
        self.draw.pick(self.known.get(field)?).cloned()
    }

    /// Draws a request.
    pub(super) fn request(&mut self) -> Drawn {
        if self.draw.one_in(20)
            && let Some(path) = self
                .draw
                .pick(self.known.get("href").map_or(&[], Vec::as_slice))
                .cloned()
        {
            return Drawn {
                method: "GET".to_owned(),
                path,
                body: None,
            };
        }
        let at = self.draw.0.usize(..self.all.len());
        let (mut path, mut method, operation) = self.all[at].clone();
        if self.draw.one_in(50) {
            let others = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"];
            others[self.draw.0.usize(..others.len())].clone_into(&mut method);
        }
        while let Some((head, rest)) = path.split_once('{') {
            let (name, tail) = rest.split_once('}').unwrap();
            let value = self.value_of(name, &Value::Null, 0);
            path = format!("{head}{}{tail}", encoded(&value));
        }
        let parameters = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mut separator = '?';
        for parameter in parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
        {
            if self.draw.0.bool() {
                let name = parameter["name"].as_str().unwrap();
                let value = self.value_of(name, &parameter["schema"], 0);
                path = format!("{path}{separator}{name}={}", encoded(&value));
                separator = '&';
            }
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = (!schema.is_null() || self.draw.one_in(30)).then(|| self.body(schema));
        Drawn { method, path, body }
    }

    fn body(&mut self, schema: &Value) -> Bytes {
        let mut value = self.of(schema, 5);
        if self.draw.one_in(6) {
            self.draw.change(&mut value);
        }
        let mut bytes = value.to_string().into_bytes();
        if self.draw.one_in(20) && !bytes.is_empty() {
            let at = self.draw.0.usize(..bytes.len());
            bytes[at] = self.draw.0.u8(..);
            bytes.truncate(self.draw.0.usize(at..=bytes.len()));
        }
        bytes.into()
    }

    /// Returns the value of a field: one that the store has, one that the name asks for, or one of its schema.
    fn value_of(&mut self, name: &str, schema: &Value, depth: usize) -> Value {
        if !self.draw.one_in(8) {
            if let Some(known) = self.known(name) {
                return if schema["type"] == "array" {
                    json!([known])
                } else {
                    json!(known)
                };
            }
            let drawn = match name {
                "content" => self.draw.playbook(),
                "query" | "statement" => "SELECT 1 AS one".to_owned(),
                "template" => "{{ x | default(1) }}".to_owned(),
                // No address that is not this machine's.
                "host" | "url" => "127.0.0.1".to_owned(),
                _ => {
                    return if schema.is_null() {
                        json!(self.draw.text())
                    } else {
                        self.of(schema, depth)
                    };
                }
            };
            return json!(drawn);
        }
        if self.draw.0.bool() {
            json!(self.draw.text())
        } else {
            self.draw.json(2)
        }
    }

    /// Returns a value of a schema.
    fn of(&mut self, schema: &Value, depth: usize) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let pointer = name.trim_start_matches('#');
            let schema = self.document.pointer(pointer).cloned().unwrap_or_default();
            return self.of(&schema, depth);
        }
        for any in ["oneOf", "anyOf", "allOf", "enum"] {
            if let Some(chosen) = schema[any]
                .as_array()
                .and_then(|all| self.draw.pick(all))
                .cloned()
            {
                return if any == "enum" {
                    chosen
                } else {
                    self.of(&chosen, depth)
                };
            }
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => self.draw.pick(kinds).cloned().unwrap_or_default(),
            kind => kind.clone(),
        };
        match kind.as_str() {
            Some("object") if depth > 0 => {
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let properties = schema["properties"]
                    .as_object()
                    .cloned()
                    .unwrap_or_default();
                let mut fields = Map::new();
                for (name, schema) in &properties {
                    if required.contains(&json!(name)) && !self.draw.one_in(50)
                        || self.draw.0.bool()
                    {
                        fields.insert(name.clone(), self.value_of(name, schema, depth - 1));
                    }
                }
                if properties.is_empty() || self.draw.one_in(20) {
                    fields.insert(self.draw.text(), self.draw.json(2));
                }
                Value::Object(fields)
            }
            Some("array") if depth > 0 => {
                let count = self.draw.0.usize(..3);
                (0..count)
                    .map(|_| self.of(&schema["items"], depth - 1))
                    .collect()
            }
            Some("boolean") => json!(self.draw.0.bool()),
            Some("integer" | "number") if self.draw.0.bool() => json!(self.draw.0.i16(..)),
            Some("integer" | "number") => json!(self.draw.0.i64(..)),
            Some("string") => json!(self.draw.text()),
            Some("null") => Value::Null,
            _ => self.draw.json(2),
        }
    }
}

fn encoded(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
}
