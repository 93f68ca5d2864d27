//! Extractors for bodies, query parameters and paths, whose errors are answered like all others.

use std::fmt::Display;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::error::ApiError;

/// How long a body may take to come.
const LONGEST: Duration = Duration::from_secs(30);

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Ok(body) = timeout(LONGEST, Json::<T>::from_request(request, state)).await else {
            let detail = format!("the body did not come within {} seconds", LONGEST.as_secs());
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, detail));
        };
        match body {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be application/json",
            )),
            Err(error) => Err(ApiError::new(error.status(), error.body_text())),
        }
    }
}

/// A JSON body that may be missing.
pub(super) struct OptionalBody<T>(pub(super) T);

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
pub(super) struct Query<T>(pub(super) T);

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

/// Parameters of the path.
pub(super) struct Path<T>(pub(super) T);

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

/// The header that makes a request which is sent twice start one execution (draft-ietf-httpapi-idempotency-key-header).
#[derive(Debug)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(names("Idempotency-Key"), parameter_in = Header))]
pub(crate) struct IdempotencyKey(
    /// A request with the same key, playbook and input returns the execution that the first one started. From 1 to 200
    /// visible ASCII characters, such as a UUID.
    #[cfg_attr(feature = "openapi", param(required = false))]
    pub(super) Option<String>,
);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(key) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let key = key.to_str().unwrap_or_default();
        // The draft writes a key as a string of a structured field, in quotation marks.
        let key = key
            .strip_prefix('"')
            .and_then(|key| key.strip_suffix('"'))
            .unwrap_or(key);
        if key.is_empty() || key.len() > 200 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail = "an Idempotency-Key has from 1 to 200 visible ASCII characters";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, detail)
                .help("send a UUID that is new for each request"));
        }
        Ok(Self(Some(key.to_owned())))
    }
}

/// Fails when the name of a thing has a control character: it would reach terminals, logs and files.
pub(super) fn check_name(thing: &str, name: &str) -> Result<(), ApiError> {
    match name.chars().find(|character| character.is_control()) {
        None => Ok(()),
        Some(character) => Err(ApiError::invalid(format!(
            "a {thing} cannot have the control character U+{:04X}",
            u32::from(character)
        ))
        .help("write names with characters that can be seen")),
    }
}

/// Returns the number of an id. Fails with 404 when it is not a number, since no such thing exists.
pub(super) fn parse_id(id: &(impl Display + ?Sized), noun: &str) -> Result<i64, ApiError> {
    let text = id.to_string();
    text.parse()
        .map_err(|_| ApiError::not_found(format!("there is no {noun} {text}")))
}
