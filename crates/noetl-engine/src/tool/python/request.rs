//! What the runner of a python step is told.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

use crate::playbook::parameters_of_main;
use crate::template::Scope;
use crate::tool::call::Call;

/// What the runner is told.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    pub(super) code: &'a str,
    pub(super) filename: &'a str,
    pub(super) folder: Option<&'a str>,
    pub(super) args: &'a Map<String, Json>,
    #[serde(serialize_with = "values")]
    pub(super) context: &'a Scope,
    pub(super) libs: Option<&'a Json>,
    /// The file to write the answer to.
    pub(super) answer: &'a str,
    /// The folder of the field `cwd`.
    pub(super) cwd: Option<PathBuf>,
    /// The variables of the field `env`.
    pub(super) env: BTreeMap<String, String>,
}

/// Returns the values of the context that code can use: by the name `context`, as parameters of `main`, or all in its only
/// parameter. What only templates use is left out.
pub(super) fn visible_context(code: &str, call: &Call<'_>) -> Scope {
    let is_word = |character: char| character == '_' || character.is_alphanumeric();
    let words: HashSet<&str> = code.split(|character| !is_word(character)).collect();
    let takes_all = || {
        let parameters = parameters_of_main(code);
        matches!(parameters.as_slice(), [name] if !call.args.contains_key(name) && !call.context.contains_key(name))
    };
    if words.contains("context") || takes_all() {
        return call.context.clone();
    }
    let seen = call.context.iter();
    seen.filter(|(name, _)| *name == "execution_id" || words.contains(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Returns a value as JSON. The length is counted first: a buffer that grows takes up to three times the memory.
pub(super) fn to_json_text(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value)?;
    let mut text = Vec::with_capacity(counter.0);
    serde_json::to_writer(&mut text, value)?;
    Ok(text)
}

/// Writes values by name as JSON, one after the other.
fn values<S: Serializer>(values: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(values)
}
