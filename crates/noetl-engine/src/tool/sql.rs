//! Statements and results of the SQL tools.

use serde_json::{Map, Value as Json, json};

use super::call::Call;
use super::script;
use crate::host::Host;
use noetl_api::Failure;

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
    /// Returns an empty result with these columns; names may repeat.
    pub(super) fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            columns: unique(columns),
            ..Self::default()
        }
    }

    /// Adds a row, in the order of the columns.
    pub(super) fn push_row(&mut self, values: impl IntoIterator<Item = Json>) {
        let pairs = self.columns.iter().cloned().zip(values);
        self.rows.push(Json::Object(pairs.collect()));
    }
}

/// The result sets of a script, filled in the order in which the driver reports them.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// Those of the statements that have ended.
    pub sets: Vec<ResultSet>,
    /// That of the current statement.
    current: Option<ResultSet>,
}

impl Results {
    /// Adds a row of the current statement.
    pub(super) fn push_row<'a>(
        &mut self,
        columns: impl IntoIterator<Item = &'a str>,
        values: impl IntoIterator<Item = Json>,
    ) {
        self.current
            .get_or_insert_with(|| ResultSet::new(columns))
            .push_row(values);
    }

    /// Ends the current statement.
    pub(super) fn end_statement(&mut self, affected: u64) {
        let set = self.current.take().unwrap_or_default();
        self.sets.push(ResultSet { affected, ..set });
    }

    /// Returns the tool's result: `command_0` and so on, and the rows of the last statement that returns rows.
    pub(super) fn into_json(self, statements: &[Statement]) -> Json {
        // Otherwise it is not known which statement a result belongs to.
        let known = statements.len() == self.sets.len();
        let mut object = Map::new();
        let mut last = json!({"rows": [], "columns": [], "row_count": 0});
        let mut rows_seen = false;
        for (index, set) in self.sets.into_iter().enumerate() {
            let selects = known && statements[index].selects() && set.affected == 0;
            let returns_rows = selects || !set.columns.is_empty();
            let count = if returns_rows {
                set.rows.len() as u64
            } else {
                set.affected
            };
            let result = json!({"rows": set.rows, "columns": set.columns, "row_count": count});
            if returns_rows || !rows_seen {
                last = result.clone();
            }
            rows_seen |= returns_rows;
            object.insert(format!("command_{index}"), result);
        }
        if let Json::Object(last) = last {
            object.extend(last);
        }
        Json::Object(object)
    }
}

/// Returns the names made unique: a second `id` becomes `id_2`.
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

/// Returns the SQL of a call: that of its fields, or of its `script`. The items of a list become one script.
pub(super) async fn script(call: &Call<'_>, host: &dyn Host) -> Result<String, Failure> {
    let is_given = |name: &&str| call.config.get(*name).is_some_and(|value| !value.is_null());
    if !FIELDS.iter().any(is_given)
        && let Some(script) = script::read(call, host).await?
    {
        if split(&script.code).is_empty() {
            let origin = script.origin.unwrap_or_else(|| "`script`".to_owned());
            let message = format!("{origin} holds no SQL statement");
            return Err(Failure::new("config", message));
        }
        return Ok(script.code);
    }
    fields(call)
}

/// Returns the SQL of a call's fields.
fn fields(call: &Call<'_>) -> Result<String, Failure> {
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
                // On a line of its own, because the item may end with a comment.
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

/// Returns the values for `$1` and so on, for a single statement.
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

    /// Whether it is a query, which has columns even when it returns no row.
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
        // After SELECT they are functions and clauses: `replace(a, b, c)`, `FOR UPDATE`.
        let leads = self.verb == word || self.verb == "WITH";
        match word.as_str() {
            "INSERT" | "UPDATE" | "DELETE" | "MERGE" => self.changes |= leads,
            "REPLACE" => self.changes |= self.verb == word,
            "RETURNING" => self.returning |= self.changes,
            _ => {}
        }
    }
}

/// Splits a script into its statements, approximately for PostgreSQL, SQLite and DuckDB.
///
/// It serves to assign results to statements. PostgreSQL and SQLite split the script that they run
/// themselves.
pub(super) fn split(script: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut current = Statement::default();
    let mut start = 0;
    let mut at = 0;
    while at < script.len() {
        let rest = &script[at..];
        let length = token_length(rest);
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

/// Returns the length of the string, comment, word or single character that `rest` begins with.
fn token_length(rest: &str) -> usize {
    let first = rest.chars().next().unwrap_or(' ');
    let escapes = rest.starts_with("E'") || rest.starts_with("e'");
    match first {
        _ if escapes => 1 + quoted_length(&rest[1..], '\'', true),
        '\'' | '"' | '`' => quoted_length(rest, first, false),
        '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        '/' if rest.starts_with("/*") => comment_length(rest),
        '$' => dollar_length(rest),
        _ if first.is_alphabetic() || first == '_' => rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(rest.len()),
        // A doubled quote inside a string counts as the end of one string and the beginning of another.
        _ => first.len_utf8(),
    }
}

fn quoted_length(rest: &str, quote: char, escapes: bool) -> usize {
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

/// Returns the length of a comment; they nest in PostgreSQL.
fn comment_length(rest: &str) -> usize {
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

/// Returns the length of `$tag$ … $tag$`, or of a parameter such as `$1`.
fn dollar_length(rest: &str) -> usize {
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
