//! The `secrets` tool: names a value of the credential store or, where the host allows it, of the environment.
//!
//! Its result holds references, not the secrets: see [`super::reference`].

use serde_json::{Map, Value as Json, json};

use super::{Call, Failure, Host, credential, reference};

/// Finds the secret that the step names.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let name = call
        .first_text(&["name", "key"])
        .ok_or_else(|| call.missing("name"))?;
    let provider = call.text("provider").unwrap_or_default();
    match provider.to_ascii_lowercase().as_str() {
        "" | "credential" | "credentials" | "noetl" => stored(&name, call, host).await,
        "env" | "environment" => host
            .environment(&name)
            .map(|_| json!({"value": reference::to_environment(&name)}))
            .ok_or_else(|| {
                Failure::new(
                    "config",
                    format!("`{name}` is not set, or this host does not give its environment to playbooks"),
                )
            }),
        _ => Err(Failure::new(
            "config",
            format!("the secret provider `{provider}` is not spoken here"),
        )
        .help("register the secret as a credential, or use the provider `env`")),
    }
}

async fn stored(name: &str, call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let credential = credential::named(name, host).await?;
    let refer = |field: &str| reference::to_field(name, field);
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
