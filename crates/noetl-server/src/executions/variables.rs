//! The variables of executions that run, and of those that have ended.

#[cfg(test)]
mod tests;

use noetl_api::execution::OmittedValue;
use serde_json::{Map, Value as Json};

use super::error::RunError;
use super::service::{Executions, Input};
use crate::store::{Column, Extracted, Reference, Store, StoreError, references};

/// Variables by name, and the steps that ended well.
pub(crate) type Variables = (Map<String, Json>, Vec<String>);

/// A variable of an execution that has ended, as the store has it.
struct Stored<'a> {
    name: String,
    /// Its JSON, with `null` in the place of large values.
    text: &'a str,
    /// The large values in it.
    references: Vec<Reference>,
}

impl Executions {
    /// Sets variables of a running execution.
    pub(crate) async fn set_variables(
        &self,
        execution_id: i64,
        variables: &Map<String, Json>,
    ) -> Result<(), RunError> {
        self.change(execution_id, Input::Variables(variables))
            .await
            .map(drop)
    }

    /// Returns the variables of an execution, and the steps that ended well. Of a variable that holds large values, it
    /// returns the size and the address.
    pub(crate) async fn variables(&self, execution_id: i64) -> Result<Variables, RunError> {
        let omitted = |name: &str, bytes| {
            let name =
                percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
            OmittedValue::new(bytes, format!("/api/vars/{execution_id}/{name}")).into()
        };
        if let Some((text, steps, contents)) = self.store.ended(execution_id).await? {
            let stored = stored(execution_id, &text, contents.as_deref())?;
            let shown = stored.into_iter().map(|one| {
                let large: usize = one.references.iter().map(|one| one.bytes).sum();
                let value = match large {
                    0 => parse(execution_id, one.text)?,
                    _ => omitted(&one.name, one.text.len() + large),
                };
                Ok((one.name, value))
            });
            return Ok((
                shown.collect::<Result<_, StoreError>>()?,
                parse(execution_id, &steps)?,
            ));
        }
        let (mut variables, steps) = self.restored_variables(execution_id).await?;
        for (name, value) in &mut variables {
            let extracted = Extracted::new(value);
            if !extracted.contents.is_empty() {
                *value = omitted(name, extracted.bytes());
            }
        }
        Ok((variables, steps))
    }

    /// Returns a variable of an execution, whole.
    pub(crate) async fn variable(
        &self,
        execution_id: i64,
        name: &str,
    ) -> Result<Option<Json>, RunError> {
        let Some((text, _, contents)) = self.store.ended(execution_id).await? else {
            let (mut variables, _) = self.restored_variables(execution_id).await?;
            return Ok(variables.remove(name));
        };
        let stored = stored(execution_id, &text, contents.as_deref())?;
        let Some(one) = stored.into_iter().find(|one| one.name == name) else {
            return Ok(None);
        };
        let connection = &mut *self.store.read().await?;
        let whole = Store::whole(
            connection,
            execution_id,
            one.text.to_owned(),
            &one.references,
        );
        Ok(Some(parse(execution_id, &whole.await?)?))
    }

    async fn restored_variables(&self, execution_id: i64) -> Result<Variables, RunError> {
        let seen = self
            .look(execution_id, |machine| {
                (machine.variables(), machine.completed_steps().to_vec())
            })
            .await;
        match seen {
            // The playbook was deleted after the execution ended. The rest of its status is still readable.
            Err(RunError::NoPlaybook(_)) => Ok((Map::new(), Vec::new())),
            seen => seen,
        }
    }
}

/// Splits the text of an object, as serde_json writes it, into its fields.
fn stored<'a>(
    execution_id: i64,
    text: &'a str,
    contents: Option<&str>,
) -> Result<Vec<Stored<'a>>, StoreError> {
    let mut references = references(contents, Column::Variables, text)?
        .into_iter()
        .peekable();
    let fields: Map<String, Json> = parse(execution_id, text)?;
    let mut found = Vec::with_capacity(fields.len());
    let mut start = 1;
    for (name, value) in fields {
        start += Json::from(name.as_str()).to_string().len() + 1;
        let end = start + value.to_string().len();
        let text = text.get(start..end).ok_or_else(|| {
            StoreError::corrupt(end_of(execution_id), "its text is not what was written")
        })?;
        let mut inside = Vec::new();
        while let Some(reference) = references.next_if(|reference| reference.offset < end) {
            inside.push(Reference {
                offset: reference.offset - start,
                ..reference
            });
        }
        found.push(Stored {
            name,
            text,
            references: inside,
        });
        start = end + 1;
    }
    Ok(found)
}

fn parse<T: serde::de::DeserializeOwned>(execution_id: i64, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::corrupt(end_of(execution_id), error))
}

/// What is stored of an execution at its end, in errors.
fn end_of(execution_id: i64) -> String {
    format!("the end of execution {execution_id}")
}
