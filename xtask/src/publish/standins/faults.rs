//! Faults of services, one at a time.

use std::process::Command;

use clap::ValueEnum;
use serde::Serialize;

use super::server::Reply;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// 401: the token has expired.
    Unauthorized,
    /// 403: the token may not do it.
    Forbidden,
    /// 404: it is not there, or the token may not see it.
    NotFound,
    /// 409: something is in its place.
    Conflict,
    /// 422: the request is refused.
    Unprocessable,
    /// 429 with Retry-After.
    TooManyRequests,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// The connection ends before anything is done.
    Dropped,
    /// It is done, and the connection ends before the answer.
    LostAnswer,
    /// The client is killed when it looks for the first time what is there.
    KilledBefore,
    /// The client is killed before anything is done.
    KilledWithin,
    /// It is done, and the client is killed before the answer.
    KilledAfter,
}

impl Fault {
    /// Returns every fault.
    pub(crate) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Returns its name.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |it| it.get_name().to_owned())
    }
}

/// When in a request a fault may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before a request is handled that only reads.
    Reading,
    /// Before a request is handled that changes something.
    Before,
    /// After it.
    After,
}

/// A fault that happens once, at the next request of a service.
#[derive(Debug, Clone)]
pub(crate) struct Armed {
    /// A part of the path that the request has, such as `/assets`.
    pub at: String,
    /// What happens.
    pub fault: Fault,
    /// The process that is killed.
    pub client: Option<u32>,
}

impl Armed {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is no command of the user's: it may be sent between two bytes of an answer"
    )]
    fn kill(&self) {
        if let Some(client) = self.client {
            let mut kill = Command::new("kill");
            drop(kill.args(["-KILL", &client.to_string()]).status());
        }
    }

    /// Returns the answer in place of the real one, when the fault happens at this moment.
    pub(super) fn strike(&self, moment: Moment) -> Option<Reply> {
        let status = match (self.fault, moment) {
            (Fault::Unauthorized, Moment::Before) => 401,
            (Fault::Forbidden, Moment::Before) => 403,
            (Fault::NotFound, Moment::Before) => 404,
            (Fault::Conflict, Moment::Before) => 409,
            (Fault::Unprocessable, Moment::Before) => 422,
            (Fault::TooManyRequests, Moment::Before) => 429,
            (Fault::Internal, Moment::Before) => 500,
            (Fault::Unavailable, Moment::Before) => 503,
            (Fault::Dropped, Moment::Before) | (Fault::LostAnswer, Moment::After) => {
                return Some(Reply::nothing());
            }
            (Fault::KilledBefore, Moment::Reading)
            | (Fault::KilledWithin, Moment::Before)
            | (Fault::KilledAfter, Moment::After) => {
                self.kill();
                return Some(Reply::nothing());
            }
            _ => return None,
        };
        let reply = Reply::json(
            status,
            &serde_json::json!({ "message": "a fault of the rehearsal" }),
        );
        Some(match status {
            429 => reply.header("retry-after", "1"),
            _ => reply,
        })
    }
}
