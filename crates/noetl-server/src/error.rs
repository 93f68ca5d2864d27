//! The answer to a request that fails: a status, one sentence, and how to correct it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use noetl_api::ErrorBody;

use crate::credentials::CredentialError;
use crate::executions::RunError;
use crate::readiness::NotReady;
use crate::store::StoreError;

/// The answer to a request that fails.
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

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.body.help = Some(help.into());
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // PostgreSQL's text has no zero bytes.
        if error.is_unstorable() {
            return Self::invalid("a text with a zero byte cannot be stored");
        }
        tracing::error!(%error, "the store failed");
        // Trying again would not help, as it does when the store is not available.
        if let StoreError::Corrupt { what, .. } = &error {
            let detail = format!("{what} cannot be read from the store");
            return Self::new(StatusCode::CONFLICT, detail)
                .help("the server's log has the reason; restore the store from a backup");
        }
        // The database's message may contain what a caller must not see, so it is only in the log.
        let (detail, help) = match error.cause() {
            Some(cause) => (
                format!("the store is not available: {}", cause.as_str()),
                cause.help(),
            ),
            None => (
                "the store is not available".to_owned(),
                "the server's log has the reason; try again later",
            ),
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).help(help)
    }
}

impl From<NotReady> for ApiError {
    fn from(error: NotReady) -> Self {
        let help = match error {
            NotReady::Cause(cause) => cause.help(),
            NotReady::Unknown => "the server's log has the reason",
            NotReady::TooLong => "look at the load of the store's disk or database",
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).help(help)
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
            RunError::OtherRequest(_) => {
                Self::invalid(error.to_string()).help("send each request with a key of its own")
            }
            RunError::NoStep(_) => Self::invalid(error.to_string()),
            RunError::NotEnded(id) => Self::new(StatusCode::CONFLICT, error.to_string()).help(
                format!("wait for its end, or end it with `noetl cancel {id}`"),
            ),
            RunError::Completed(id) | RunError::VariablesWereSet(id) => {
                Self::new(StatusCode::CONFLICT, error.to_string())
                    .help(format!("start it anew with `noetl execute rerun {id}`"))
            }
            RunError::Held(_) | RunError::Ended(_) | RunError::HoldersLost { .. } => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
            RunError::Input(problems) => Self {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                body: ErrorBody {
                    detail: "the input does not fit the playbook's `workload_schema`".to_owned(),
                    help: Some("correct the values that `problems` lists".to_owned()),
                    problems: problems.0,
                },
            },
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

impl From<CredentialError> for ApiError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Store(error) => error.into(),
            CredentialError::Vault(error) => Self::new(StatusCode::CONFLICT, error.to_string())
                .help("start the server with the NOETL_ENCRYPTION_KEY that the credential was kept with, or register it again"),
        }
    }
}
