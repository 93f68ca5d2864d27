//! Replacement of references to secrets by the secrets.

use serde_json::Value as Json;

use crate::host::Host;
use crate::secret_reference::target;
use crate::tool::credential;
use noetl_api::Failure;

/// Replaces the references in a value by their secrets; `known` are the references of this execution.
///
/// # Errors
/// A failure of kind `auth` when a secret no longer exists, or a reference is not one of this execution.
pub(super) async fn resolve(
    value: &mut Json,
    known: &[Json],
    host: &dyn Host,
) -> Result<(), Failure> {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        if known.contains(value) {
            *value = secret(value, host).await?;
            continue;
        }
        if target(value).is_some() {
            return Err(Failure::new(
                "auth",
                "a reference to a secret can be used only in the execution whose `secrets` step gave it",
            )
            .help("read the secret in this playbook, by its `keychain` or a `secrets` step"));
        }
        match value {
            Json::Array(items) => waiting.extend(items),
            Json::Object(entries) => waiting.extend(entries.values_mut()),
            _ => {}
        }
    }
    Ok(())
}

async fn secret(reference: &Json, host: &dyn Host) -> Result<Json, Failure> {
    let text = |key| target(reference)?.get(key)?.as_str();
    if let Some(name) = text("environment") {
        let value = host.environment_variable(name).map(Json::String);
        return value.ok_or_else(|| {
            Failure::new("auth", format!("`{name}` is not set where this step runs"))
        });
    }
    let name = text("credential").unwrap_or_default();
    let field = text("field").unwrap_or_default();
    let found = credential::find(name, host).await?.data.remove(field);
    found.ok_or_else(|| {
        Failure::new(
            "auth",
            format!("the credential `{name}` no longer has a field `{field}`"),
        )
    })
}

#[cfg(test)]
mod tests;
