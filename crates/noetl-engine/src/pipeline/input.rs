//! What a task was called with, for people who read the log: bounded, since the values may be results of any size.

use serde_json::{Map, Value as Json, json};

use super::redacting_host::RedactingHost;
use crate::playbook::{Task, ToolKind};
use crate::template;

/// How many bytes of names and values are kept of the calls of one command, as JSON.
pub(super) const LIMIT: usize = 8 << 10;
/// The most that one text takes of it.
const TEXT_LIMIT: usize = 2 << 10;
/// How many values of a list or mapping are kept, so that a large one does not hide what comes after it.
const ENTRIES: usize = 50;
/// Deeper values are left out.
const DEPTH: usize = 16;
/// How much of a longer text is read to find its secrets, after the part that may be kept.
const BEHIND: usize = 4 << 10;
/// The longest name that is kept whole, in bytes.
const NAME_LIMIT: usize = 200;

/// Returns the fields of a tool and its arguments as a call had them, without Python code that is the playbook's own. What
/// does not fit into `room`, in bytes of JSON, is replaced by a text that says how much there is. Secrets that the host has
/// given are replaced by `***`.
pub(super) fn input_of(
    task: &Task,
    config: &Map<String, Json>,
    args: &Map<String, Json>,
    host: &RedactingHost<'_>,
    room: usize,
) -> Json {
    let is_own_code = task.kind == ToolKind::Python && own_code_line(task).is_some();
    let mut shortener = Shortener { host, room };
    let mut input = Map::new();
    for (name, value) in config {
        if !(is_own_code && name == "code") {
            let name = shortener.name(name);
            input.insert(name, shortener.value(value, DEPTH));
        }
    }
    if !args.is_empty() {
        input.insert("args".to_owned(), shortener.entries(args, DEPTH));
    }
    Json::Object(input)
}

/// Returns the line of the playbook on which the code of a task begins. None when the code is in a file, or is made by a
/// template, so that its lines are not those of the playbook.
pub(super) fn own_code_line(task: &Task) -> Option<usize> {
    let code = task.config.value.get("code")?.as_str()?;
    let line = task.config.lines.get("code")?;
    (!template::is_template(code)).then_some(*line)
}

/// Copies values until there is no more room.
struct Shortener<'a> {
    host: &'a RedactingHost<'a>,
    /// The bytes that may still be kept.
    room: usize,
}

impl Shortener<'_> {
    fn value(&mut self, value: &Json, depth: usize) -> Json {
        let is_full = depth == 0 || self.room == 0;
        match value {
            Json::Array(items) if is_full => json!(format!("… {} values", items.len())),
            Json::Object(entries) if is_full => json!(format!("… {} entries", entries.len())),
            Json::Array(items) => self.items(items, depth - 1),
            Json::Object(entries) => self.entries(entries, depth - 1),
            Json::String(text) => self.text(text),
            Json::Null | Json::Bool(_) | Json::Number(_) => self.pay(value.clone()),
        }
    }

    /// Reduces the room by the JSON of a value that is kept, and of the punctuation beside it.
    fn pay(&mut self, kept: Json) -> Json {
        self.room = self.room.saturating_sub(kept.to_string().len() + 4);
        kept
    }

    fn items(&mut self, items: &[Json], depth: usize) -> Json {
        let mut kept = Vec::new();
        for item in items {
            if kept.len() == ENTRIES || self.room == 0 {
                kept.push(json!(format!("… {} more", items.len() - kept.len())));
                break;
            }
            kept.push(self.value(item, depth));
        }
        self.room = self.room.saturating_sub(4);
        Json::Array(kept)
    }

    fn entries(&mut self, entries: &Map<String, Json>, depth: usize) -> Json {
        let mut kept = Map::new();
        for (name, value) in entries {
            if kept.len() == ENTRIES || self.room == 0 {
                let rest = format!("{} more", entries.len() - kept.len());
                kept.insert("…".to_owned(), json!(rest));
                break;
            }
            let name = self.name(name);
            kept.insert(name, self.value(value, depth));
        }
        self.room = self.room.saturating_sub(4);
        Json::Object(kept)
    }

    fn name(&mut self, name: &str) -> String {
        match self.shortened(name, NAME_LIMIT) {
            Json::String(name) => name,
            other => other.to_string(),
        }
    }

    fn text(&mut self, text: &str) -> Json {
        self.shortened(text, TEXT_LIMIT.min(self.room))
    }

    fn shortened(&mut self, text: &str, limit: usize) -> Json {
        // What is read, so that a text of any size costs no more than this.
        let read = &text[..text.floor_char_boundary(limit + BEHIND)];
        let clean = self.host.redacted(read);
        let clean = clean.as_deref().unwrap_or(read);
        let is_cut = read.len() < text.len();
        if !is_cut && clean.len() <= limit {
            return self.pay(json!(clean));
        }
        // The end of what was read may hold the beginning of a secret that was not recognised.
        let safe = if is_cut {
            clean.len().saturating_sub(BEHIND)
        } else {
            clean.len()
        };
        let head = &clean[..clean.floor_char_boundary(limit.min(safe))];
        self.pay(json!(format!("{head}… ({} bytes)", text.len())))
    }
}
