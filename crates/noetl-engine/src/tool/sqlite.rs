//! Soon.
use serde_json::Value as Json;
use super::{Call, Failure, Host};
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> { let _ = (call, host); Err(Failure::new("config", "unfinished")) }
