//! Conditions of a WHERE clause: only those that a request states, so that the database can use an index for them.

use sqlx::Arguments as _;
use sqlx::any::AnyArguments;

/// A value that a condition compares with.
#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Conditions that must all hold, with their values.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    sql: Vec<String>,
    values: Vec<Value>,
}

#[expect(
    private_bounds,
    reason = "callers give texts and numbers, and need not name the type"
)]
impl Conditions {
    /// Adds a value, and returns its placeholder.
    pub(super) fn value(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Adds a condition, in which `?` stands for the value.
    pub(super) fn and(&mut self, condition: &str, value: impl Into<Value>) {
        let placeholder = self.value(value);
        self.sql.push(condition.replace('?', &placeholder));
    }

    /// Adds a condition whose values have been added.
    pub(super) fn and_sql(&mut self, condition: String) {
        self.sql.push(condition);
    }

    /// Returns the WHERE clause; nothing when there are no conditions, since SQLite counts a table without a clause five
    /// times as fast as one with `WHERE TRUE`.
    pub(super) fn to_sql(&self) -> String {
        match self.sql.as_slice() {
            [] => String::new(),
            conditions => format!("WHERE {}", conditions.join(" AND ")),
        }
    }

    /// Returns the WHERE clause with one more condition.
    pub(super) fn to_sql_with(&self, condition: &str) -> String {
        let all: Vec<_> = self.sql.iter().map(String::as_str).collect();
        format!("WHERE {}", [&all[..], &[condition]].concat().join(" AND "))
    }

    /// Returns the values, in the order of their placeholders.
    pub(super) fn arguments(&self) -> Result<AnyArguments, sqlx::Error> {
        let mut arguments = AnyArguments::default();
        for value in &self.values {
            let added = match value {
                Value::Text(text) => arguments.add(text.clone()),
                Value::Number(number) => arguments.add(*number),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }
}
