//! The OpenAPI document, made of the types and comments of the handlers. It is checked in as openapi.json, so that what
//! ships compiles none of this.

use std::collections::BTreeMap;

use noetl_api::ErrorBody;
use noetl_api::execution::{ExecutionEnd, OmittedValue};
use serde_json::Value;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{self, ContentBuilder, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema as _};

use super::{
    cancel, catalog, commands, contents, credentials, dashboard, data, events, executions,
    keychain, logs, meta, stream, sub_playbooks, timeline, validate, workers,
};
use crate::error::ApiError;
use crate::sessions;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "NoETL API",
        description = "Playbooks, their executions, and the workers that run them."
    ),
    paths(
        cancel::cancel,
        cancel::cancellation_check,
        cancel::finalize,
        cancel::cleanup,
        cancel::expire,
        catalog::register,
        catalog::list_entries,
        catalog::list_kind,
        catalog::resource,
        catalog::get_path,
        catalog::playbook_graph,
        catalog::runs,
        catalog::delete_entry,
        commands::claim,
        commands::command,
        commands::claim_one,
        contents::result,
        contents::content,
        credentials::create,
        credentials::list_credentials,
        credentials::get_credential,
        credentials::delete_credential,
        credentials::test,
        dashboard::stats,
        data::query,
        data::init,
        data::validate_store,
        data::variables,
        data::variable,
        data::set_variables,
        data::delete_variable,
        data::render,
        events::event,
        events::batch,
        events::batch_status,
        executions::execute,
        executions::rerun,
        executions::retry,
        executions::input,
        executions::list_executions,
        executions::detail,
        executions::events,
        executions::status,
        keychain::put,
        keychain::get_secret,
        keychain::delete_secret,
        keychain::list_secrets,
        logs::lines,
        logs::summary,
        logs::report,
        meta::health,
        meta::version,
        meta::state,
        meta::session,
        meta::sign_in,
        meta::sign_out,
        stream::executions,
        stream::execution,
        sub_playbooks::playbook,
        timeline::timeline,
        timeline::execution_graph,
        validate::validate,
        workers::register_worker,
        workers::deregister,
        workers::heartbeat,
        workers::pools,
        workers::pool_state,
    ),
    components(schemas(ErrorBody, ExecutionEnd, OmittedValue)),
    modifiers(&Access)
)]
struct Document;

/// How callers show that they belong: with the token, or with the cookie that the page exchanges it for.
struct Access;

impl Modify for Access {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(sessions::NAME));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", bearer);
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        let names: [&str; 0] = [];
        // A server on a loopback address needs neither.
        document.security = Some(vec![
            SecurityRequirement::default(),
            SecurityRequirement::new("token", names),
            SecurityRequirement::new("session", names),
        ]);
    }
}

/// Examples of the bodies by the names of their schemas, and of the parameters that every request needs.
const EXAMPLES: &str = include_str!("examples.json");

/// Returns the document as JSON text.
pub fn generate() -> String {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap_or_default();
    add_examples(&mut document, &examples);
    format!("{document:#}\n")
}

/// Adds the examples to the schemas of bodies and to parameters. Optional parameters have none: programs that show the
/// document fill them in.
fn add_examples(document: &mut Value, examples: &Value) {
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        for (name, schema) in schemas {
            if let Some(example) = examples["schemas"].get(name) {
                schema["examples"] = Value::from([example.clone()]);
            }
        }
    }
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.flat_map(|(_, path)| path.as_object_mut().into_iter().flatten());
    for (_, operation) in operations {
        let parameters = operation
            .get_mut("parameters")
            .and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            let example = examples["parameters"].get(name);
            if let (Some(example), Some(true)) = (example, parameter["required"].as_bool()) {
                parameter["example"] = example.clone();
            }
        }
    }
}

/// Every operation may answer that it refuses or that the store is not available.
impl IntoResponses for ApiError {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let body = ContentBuilder::new()
            .schema(Some(openapi::Ref::from_schema_name(ErrorBody::name())))
            .build();
        let response = ResponseBuilder::new()
            .content("application/json", body)
            .build();
        ["4XX", "503"]
            .map(|status| (status.to_owned(), response.clone().into()))
            .into()
    }
}
