//! Authentication of a request: the field `auth`, with the secret itself or a credential's name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::{Map, Value as Json};

use crate::host::Host;
use crate::tool::call::Call;
use crate::tool::credential;
use noetl_api::Failure;

/// Returns the header for the field `auth`; none when there is no such field.
pub(super) async fn header(
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Option<(HeaderName, HeaderValue)>, Failure> {
    let given = ["auth", "credential"]
        .iter()
        .filter_map(|name| call.config.get(*name))
        .find(|value| !value.is_null());
    let (kind, fields, origin) = match given {
        None => return Ok(None),
        Some(Json::String(name)) => from_store(name, None, host).await?,
        Some(Json::Object(auth)) => {
            let names: &[&str] = match auth.get("source").and_then(Json::as_str) {
                Some("credential") => &["credential", "key", "name"],
                _ => &["credential"],
            };
            let kind = credential::text(auth, &["type"]);
            match credential::text(auth, names) {
                Some(name) => from_store(&name, kind, host).await?,
                None => (kind.unwrap_or_default(), auth.clone(), "`auth`".to_owned()),
            }
        }
        Some(_) => {
            return Err(Failure::new(
                "config",
                "the field `auth` must be a credential's name or a mapping",
            ));
        }
    };
    let (name, value) = header_of(&kind, &fields, &origin)?;
    let wrong = || {
        Failure::new(
            "auth",
            format!("{origin} does not make a valid HTTP header"),
        )
    };
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

/// Returns the type and fields of a stored credential, and its name for messages.
async fn from_store(
    name: &str,
    kind: Option<String>,
    host: &dyn Host,
) -> Result<(String, Map<String, Json>, String), Failure> {
    let credential = credential::find(name, host).await?;
    Ok((
        kind.unwrap_or(credential.kind),
        credential.data,
        format!("the credential `{name}`"),
    ))
}

/// Returns name and value of the header for a type of authentication.
fn header_of(
    kind: &str,
    fields: &Map<String, Json>,
    origin: &str,
) -> Result<(String, String), Failure> {
    let get = |names: &[&str]| credential::text(fields, names);
    let bearer = || {
        let token = get(&["token", "access_token"])?;
        Some((AUTHORIZATION.to_string(), format!("Bearer {token}")))
    };
    let basic = || {
        let user = get(&["username", "user"])?;
        let password = get(&["password"]).unwrap_or_default();
        let pair = STANDARD.encode(format!("{user}:{password}"));
        Some((AUTHORIZATION.to_string(), format!("Basic {pair}")))
    };
    let key = || {
        let header = get(&["header", "name"]).unwrap_or_else(|| "X-API-Key".to_owned());
        Some((header, get(&["value", "key", "api_key"])?))
    };
    let (header, need) = match kind.to_ascii_lowercase().as_str() {
        "bearer" | "token" | "http_bearer" => (bearer(), "`token`"),
        "basic" | "http_basic" => (basic(), "`username` and `password`"),
        "header" | "api_key" | "apikey" => (key(), "`value`"),
        // Other types are not for HTTP, but their fields often serve.
        _ => (
            bearer().or_else(basic).or_else(key),
            "`token`, `username` and `password`, or `value`",
        ),
    };
    header.ok_or_else(|| {
        Failure::new(
            "auth",
            format!("{origin} needs {need} to be sent over HTTP"),
        )
    })
}
