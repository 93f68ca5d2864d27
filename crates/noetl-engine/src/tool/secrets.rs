//! The `secrets` tool: refers to a value of the credential store or, if the host allows it, of the environment.
//!
//! Its result holds references in place of the secrets: see [`crate::secret_reference`].

use serde_json::{Map, Value as Json, json};

use super::call::Call;
use super::credential;
use crate::host::Host;
use crate::secret_reference;
use noetl_api::Failure;

/// Finds the secret that the step names, and returns references to it.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let name = call
        .first_text(&["name", "key"])
        .ok_or_else(|| call.missing("name"))?;
    let provider = call.text("provider").unwrap_or_default();
    match provider.to_ascii_lowercase().as_str() {
        "" | "credential" | "credentials" | "noetl" => stored(&name, call, host).await,
        "env" | "environment" => host
            .environment_variable(&name)
            .map(|_| json!({"value": secret_reference::to_environment_variable(&name)}))
            .ok_or_else(|| {
                Failure::new(
                    "config",
                    format!("`{name}` is not set, or this host does not give its environment to playbooks"),
                )
            }),
        _ => Err(Failure::new(
            "config",
            format!("the secret provider `{provider}` is not supported"),
        )
        .help("register the secret as a credential, or use the provider `env`")),
    }
}

async fn stored(name: &str, call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let credential = credential::find(name, host).await?;
    let refer = |field: &str| secret_reference::to_field(name, field);
    let Some(field) = call.text("field") else {
        let value = ["value", "token", "access_token", "password", "api_key"]
            .into_iter()
            .find(|field| credential.data.contains_key(*field))
            .map(refer);
        let data: Map<String, Json> = credential
            .data
            .keys()
            .map(|field| (field.clone(), refer(field)))
            .collect();
        return Ok(json!({"value": value, "data": data}));
    };
    if credential.data.contains_key(&field) {
        return Ok(json!({"value": refer(&field)}));
    }
    Err(Failure::new(
        "config",
        format!("the credential `{name}` has no field `{field}`"),
    ))
}
