//! Credentials as the tools look them up and read their fields.

use serde_json::{Map, Value as Json};

use super::{Credential, Failure, Host};

/// The credential called `name`.
pub(super) async fn named(name: &str, host: &dyn Host) -> Result<Credential, Failure> {
    host.credential(name).await?.ok_or_else(|| {
        Failure::new("auth", format!("there is no credential `{name}`")).help(format!(
            "noetl register credential --file FILE, with `name: {name}` in the file"
        ))
    })
}

/// The first of `names` that `fields` hold, as text; empty ones count as absent.
pub(crate) fn text(fields: &Map<String, Json>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match fields.get(*name)? {
        Json::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        _ => None,
    })
}
