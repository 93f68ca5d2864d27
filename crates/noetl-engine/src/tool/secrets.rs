//! The `secrets` tool: values of the credential store and, where the host allows it, of the environment.

use serde_json::{Value as Json, json};

use super::{Call, Failure, Host, credential};

/// Reads the secret that the step names.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let name = call
        .first_text(&["name", "key"])
        .ok_or_else(|| call.missing("name"))?;
    let provider = call.text("provider").unwrap_or_default();
    match provider.to_ascii_lowercase().as_str() {
        "" | "credential" | "credentials" | "noetl" => stored(&name, call, host).await,
        "env" | "environment" => host
            .environment(&name)
            .map(|value| json!({"value": value}))
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
    let Some(field) = call.text("field") else {
        let value = ["value", "token", "access_token", "password", "api_key"]
            .iter()
            .find_map(|field| credential.data.get(*field))
            .cloned();
        return Ok(json!({"value": value, "data": credential.data}));
    };
    match credential.data.get(&field) {
        Some(value) => Ok(json!({"value": value})),
        None => Err(Failure::new(
            "config",
            format!("the credential `{name}` has no field `{field}`"),
        )),
    }
}
