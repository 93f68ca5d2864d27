//! Lookup of credentials and their fields.

use serde_json::{Map, Value as Json};

use crate::host::{Credential, Host};
use noetl_api::Failure;

/// Returns the credential called `name`.
///
/// # Errors
/// A failure of kind `auth` when there is no such credential.
pub(crate) async fn find(name: &str, host: &dyn Host) -> Result<Credential, Failure> {
    host.credential(name).await?.ok_or_else(|| {
        Failure::new("auth", format!("there is no credential `{name}`")).help(format!(
            "noetl register credential --file FILE, with `name: {name}` in the file"
        ))
    })
}

/// Returns the first of the fields `names` as text; an empty one counts as missing.
pub(crate) fn text(fields: &Map<String, Json>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match fields.get(*name)? {
        Json::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        _ => None,
    })
}
