//! What the SQL tools share: statements as playbooks write them and results as playbooks read them.

use serde_json::{Map, Value as Json, json};

use super::{Call, Failure};

const FIELDS: [&str; 5] = ["query", "command", "commands", "sql", "statement"];

/// The rows and counts of one statement.
#[derive(Debug, Default)]
pub(super) struct ResultSet {
    columns: Vec<String>,
    rows: Vec<Json>,
    /// Rows that the statement changed.
    pub affected: u64,
}

impl ResultSet {
    /// A result whose columns are called `columns`, some of them perhaps alike.
    pub(super) fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            columns: unique(columns),
            ..Self::default()
        }
    }

    /// One more row, in the order of the columns.
    pub(super) fn row(&mut self, values: impl IntoIterator<Item = Json>) {
        let pairs = self.columns.iter().cloned().zip(values);
        self.rows.push(Json::Object(pairs.collect()));
    }
}

/// The result sets of a script, filled in the order in which the driver reports them.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// Those that are complete.
    pub sets: Vec<ResultSet>,
    open: Option<ResultSet>,
}

impl Results {
    /// A row of the current statement.
    pub(super) fn row<'a>(
        &mut self,
        columns: impl IntoIterator<Item = &'a str>,
        values: impl IntoIterator<Item = Json>,
    ) {
        self.open
            .get_or_insert_with(|| ResultSet::new(columns))
            .row(values);
    }

    /// The end of the current statement.
    pub(super) fn done(&mut self, affected: u64) {
        let set = self.open.take().unwrap_or_default();
        self.sets.push(ResultSet { affected, ..set });
    }

    /// The tool's result: `command_0` and so on, and the rows of the last statement that has some.
    pub(super) fn into_json(self, statements: &[Statement]) -> Json {
        // Only then do the statements belong to the results one by one.
        let known = statements.len() == self.sets.len();
        let mut object = Map::new();
        let mut last = json!({"rows": [], "columns": [], "row_count": 0});
        let mut rows_seen = false;
        for (index, set) in self.sets.into_iter().enumerate() {
            let selects = known && statements[index].selects() && set.affected == 0;
            let gives_rows = selects || !set.columns.is_empty();
            let count = if gives_rows {
                set.rows.len() as u64
            } else {
                set.affected
            };
            let result = json!({"rows": set.rows, "columns": set.columns, "row_count": count});
            if gives_rows || !rows_seen {
                last = result.clone();
            }
            rows_seen |= gives_rows;
            object.insert(format!("command_{index}"), result);
        }
        if let Json::Object(last) = last {
            object.extend(last);
        }
        Json::Object(object)
    }
}

/// Names of which each is there once: a second `id` becomes `id_2`.
fn unique<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        let mut candidate = name.to_owned();
        let mut number = 1;
        while taken.contains(&candidate) {
            number += 1;
            candidate = format!("{name}_{number}");
        }
        taken.push(candidate);
    }
    taken
}

/// The SQL of a call: the items of a list become one script.
pub(super) fn script(call: &Call<'_>) -> Result<String, Failure> {
    let given = FIELDS
        .iter()
        .filter_map(|name| call.config.get(*name).map(|value| (*name, value)))
        .find(|(_, value)| !value.is_null());
    let Some((field, value)) = given else {
        return Err(call.missing("query"));
    };
    let script = match value {
        Json::String(text) => Some(text.clone()),
        Json::Array(items) => items
            .iter()
            .map(|item| {
                let text = item.as_str()?.trim();
                // On a line of its own, so that a comment at the end does not swallow it.
                let end = if text.ends_with(';') { "" } else { "\n;" };
                Some(format!("{text}{end}"))
            })
            .collect::<Option<Vec<_>>>()
            .map(|items| items.join("\n")),
        _ => None,
    };
    let script = script
        .filter(|script| !script.contains('\0'))
        .ok_or_else(|| {
            Failure::new(
                "config",
                format!("the field `{field}` must be SQL or a list of SQL statements"),
            )
        })?;
    if split(&script).is_empty() {
        return Err(Failure::new(
            "config",
            format!("the field `{field}` holds no SQL statement"),
        ));
    }
    Ok(script)
}

/// The values for `$1` and so on, for a single statement.
pub(super) fn parameters<'a>(
    call: &Call<'a>,
    statements: &[Statement],
) -> Result<Option<&'a [Json]>, Failure> {
    let given = ["params", "parameters"]
        .iter()
        .filter_map(|name| call.config.get(*name))
        .find(|value| !value.is_null());
    match given {
        None => Ok(None),
        Some(Json::Array(values)) if values.is_empty() => Ok(None),
        Some(Json::Array(values)) if statements.len() == 1 => Ok(Some(values)),
        Some(Json::Array(_)) => Err(Failure::new(
            "config",
            format!(
                "`params` are for one statement, and there are {}",
                statements.len()
            ),
        )
        .help("write a task for each statement that takes parameters")),
        Some(_) => Err(Failure::new("config", "the field `params` must be a list")),
    }
}

/// One statement of a script.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its text, without the semicolon.
    pub text: String,
    /// Its first word, in capitals.
    verb: String,
    changes: bool,
    returning: bool,
}

impl Statement {
    /// Whether it changes rows.
    pub(super) fn changes(&self) -> bool {
        self.changes
    }

    /// Whether it is a query, which has columns even where it finds no row.
    pub(super) fn selects(&self) -> bool {
        const QUERIES: [&str; 8] = [
            "SELECT", "WITH", "VALUES", "TABLE", "FROM", "SHOW", "EXPLAIN", "FETCH",
        ];
        self.returning || (!self.changes && QUERIES.contains(&self.verb.as_str()))
    }

    /// Whether DuckDB's DESCRIBE takes it.
    pub(super) fn describable(&self) -> bool {
        !self.changes && ["SELECT", "WITH", "VALUES", "FROM"].contains(&self.verb.as_str())
    }

    fn word(&mut self, word: &str) {
        let word = word.to_ascii_uppercase();
        if self.verb.is_empty() {
            self.verb.clone_from(&word);
        }
        // After SELECT they are words of functions and clauses: `replace(a, b, c)`, `FOR UPDATE`.
        let leads = self.verb == word || self.verb == "WITH";
        match word.as_str() {
            "INSERT" | "UPDATE" | "DELETE" | "MERGE" => self.changes |= leads,
            "REPLACE" => self.changes |= self.verb == word,
            "RETURNING" => self.returning |= self.changes,
            _ => {}
        }
    }
}

/// The statements of a script, near enough for PostgreSQL, SQLite and DuckDB.
///
/// It never decides what is run, only how results are told apart: the databases split for themselves.
pub(super) fn split(script: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut current = Statement::default();
    let mut start = 0;
    let mut at = 0;
    while at < script.len() {
        let rest = &script[at..];
        let length = token(rest);
        let piece = &rest[..length];
        if piece == ";" {
            current.text = script[start..at].trim().to_owned();
            statements.push(std::mem::take(&mut current));
            start = at + 1;
        } else if piece.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            current.word(piece);
        }
        at += length;
    }
    current.text = script[start..].trim().to_owned();
    statements.push(current);
    statements.retain(|statement| !statement.verb.is_empty());
    statements
}

/// The length of the string, comment, word or single character that `rest` begins with.
fn token(rest: &str) -> usize {
    let first = rest.chars().next().unwrap_or(' ');
    let escapes = rest.starts_with("E'") || rest.starts_with("e'");
    match first {
        _ if escapes => 1 + quoted(&rest[1..], '\'', true),
        '\'' | '"' | '`' => quoted(rest, first, false),
        '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        '/' if rest.starts_with("/*") => comment(rest),
        '$' => dollar(rest),
        _ if first.is_alphabetic() || first == '_' => rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(rest.len()),
        // A doubled quote ends and begins a string, which comes to the same.
        _ => first.len_utf8(),
    }
}

fn quoted(rest: &str, quote: char, escapes: bool) -> usize {
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if escapes && c == '\\' {
            escaped = true;
        } else if c == quote {
            return index + c.len_utf8();
        }
    }
    rest.len()
}

/// Comments nest in PostgreSQL.
fn comment(rest: &str) -> usize {
    let (mut depth, mut at) = (1, 2);
    while depth > 0 {
        let tail = &rest[at..];
        let Some(end) = tail.find("*/") else {
            return rest.len();
        };
        match tail.find("/*").filter(|begin| *begin < end) {
            Some(begin) => (depth, at) = (depth + 1, at + begin + 2),
            None => (depth, at) = (depth - 1, at + end + 2),
        }
    }
    at
}

/// `$tag$ … $tag$`, if it is one and not a parameter such as `$1`.
fn dollar(rest: &str) -> usize {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    let tag = rest[1..].find(|c| !name(c)).map_or(rest.len(), |at| at + 1);
    if !rest[tag..].starts_with('$') || rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return tag;
    }
    let tag = &rest[..=tag];
    rest[tag.len()..]
        .find(tag)
        .map_or(tag.len(), |at| tag.len() + at + tag.len())
}

#[cfg(test)]
mod tests;
