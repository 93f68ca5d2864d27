//! Refuses query parameters that an operation does not have, which would else be ignored: a filter with a typing error
//! would list everything.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::error::ApiError;

/// The query parameters of each operation in the OpenAPI document, by method and path.
#[derive(Debug, Clone)]
pub(super) struct Parameters(Arc<HashMap<(Method, String), Vec<String>>>);

impl Parameters {
    pub(super) fn of(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, operations)| {
            let operations = operations.as_object().into_iter().flatten();
            operations.filter_map(move |(method, operation)| {
                let method = method.to_uppercase().parse().ok()?;
                Some(((method, path.clone()), names(operation)))
            })
        });
        Self(Arc::new(operations.collect()))
    }

    /// Fails when a request has a query parameter that its operation does not have. The paths of older clients, which
    /// are not in the document, take any.
    fn check(&self, request: &Request) -> Result<(), ApiError> {
        let Some(path) = request.extensions().get::<MatchedPath>() else {
            return Ok(());
        };
        let operation = (request.method().clone(), path.as_str().to_owned());
        let Some(known) = self.0.get(&operation) else {
            return Ok(());
        };
        // A query that cannot be read is refused by the operation itself.
        let Ok(Query(given)) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()) else {
            return Ok(());
        };
        let Some((name, _)) = given.iter().find(|(name, _)| !known.contains(name)) else {
            return Ok(());
        };
        let name: String = name.chars().take(100).collect();
        let detail = format!("there is no query parameter `{}`", name.escape_debug());
        let help = match known.as_slice() {
            [] => "this path has none".to_owned(),
            known => format!("this path has {}", known.join(", ")),
        };
        Err(ApiError::new(StatusCode::BAD_REQUEST, detail).help(help))
    }
}

fn names(operation: &Value) -> Vec<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let in_query = parameters.filter(|parameter| parameter["in"] == "query");
    let names = in_query.filter_map(|parameter| parameter["name"].as_str());
    names.map(str::to_owned).collect()
}

/// Answers a request with an unknown query parameter, and passes all others on.
pub(super) async fn refuse_unknown(
    State(parameters): State<Parameters>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().query().is_some_and(|query| !query.is_empty())
        && let Err(error) = parameters.check(&request)
    {
        return error.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_query_parameters_of_an_operation_are_those_in_the_document() {
        let query = |name| json!({ "name": name, "in": "query" });
        let path = json!({ "name": "id", "in": "path" });
        let operation = json!({ "parameters": [path, query("limit"), query("offset")] });
        let document = json!({ "paths": { "/a/{id}": { "get": operation, "post": {} } } });
        let parameters = Parameters::of(&document).0;
        let of = |method| &parameters[&(method, "/a/{id}".to_owned())];
        assert_eq!(*of(Method::GET), ["limit", "offset"]);
        assert!(of(Method::POST).is_empty());
    }
}
