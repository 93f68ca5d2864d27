//! How the API says no: a status, one sentence, and what mends it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use noetl_api::{ErrorBody, Id};
use serde::de::DeserializeOwned;
use utoipa::openapi::{self, ContentBuilder, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema as _};

use crate::runs::RunError;
use crate::store::StoreError;

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) body: ErrorBody,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            body: ErrorBody {
                detail: detail.into(),
                help: None,
                problems: Vec::new(),
            },
        }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.body.help = Some(help.into());
        self
    }
}

/// What an operation may answer beside its own answers: a refusal, or that the store cannot be used.
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

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // PostgreSQL has no text with zero bytes, and nobody needs a name with one.
        if error.is_unstorable() {
            return Self::invalid("a text with a zero byte cannot be kept");
        }
        tracing::error!(%error, "the store failed");
        // The database's own words may name what a caller should not see; they are in the log.
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store cannot be used just now",
        )
        .help("the server's log says why; try again when it is back")
    }
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Store(error) => error.into(),
            RunError::NoPlaybook(_) => Self::not_found(error.to_string())
                .help("register it with `noetl register playbook --file FILE`"),
            RunError::NoExecution(_) => Self::not_found(error.to_string())
                .help("`noetl list Execution` shows those that are there"),
            RunError::NoCommand(_) => Self::not_found(error.to_string()),
            RunError::NoStep(_) => Self::invalid(error.to_string()),
            RunError::Held(_) | RunError::Ended(_) => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
            RunError::Invalid(problems) => Self {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                body: ErrorBody {
                    detail: "the playbook cannot run".to_owned(),
                    help: Some("correct what `problems` lists and register it again".to_owned()),
                    problems: problems.0,
                },
            },
        }
    }
}

/// A JSON body; what is none is answered like every other error.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be application/json",
            )),
            Err(error) => Err(ApiError::new(error.status(), error.body_text())),
        }
    }
}

/// A JSON body of which every field is optional, and so is the body.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let length = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        let chunked = request.headers().contains_key(TRANSFER_ENCODING);
        if !chunked && length.is_none_or(|length| length == "0") {
            return Ok(Self(T::default()));
        }
        Body::from_request(request, state)
            .await
            .map(|Body(value)| Self(value))
    }
}

/// Query parameters.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error: QueryRejection| {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error.body_text())
            })
    }
}

/// Parts of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|error: PathRejection| {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error.body_text())
            })
    }
}

/// The number of an id in a path: digits, as text.
pub(crate) fn id(text: &str, noun: &str) -> Result<i64, ApiError> {
    text.parse()
        .map_err(|_| ApiError::not_found(format!("there is no {noun} {text}")))
}

/// The number of an id in a body.
pub(crate) fn number(id: &Id, noun: &str) -> Result<i64, ApiError> {
    id.number()
        .ok_or_else(|| ApiError::not_found(format!("there is no {noun} {id}")))
}
