//! Runs SQL for requests, outside of executions.

use noetl_engine::{
    BoxFuture, Credential, Failure, Host, Place, Stream, SubPlaybook, ToolEnvironment,
};
use serde_json::{Map, Value as Json};

use crate::credentials::Credentials;

/// Runs SQL with the engine's `postgres` and `sqlite` tools.
#[derive(Debug)]
pub(crate) struct Sql {
    credentials: Credentials,
    tools: ToolEnvironment,
}

impl Sql {
    pub(crate) fn new(credentials: Credentials, tools: ToolEnvironment) -> Self {
        Self { credentials, tools }
    }

    /// Runs SQL with the fields of a `postgres` or `sqlite` tool.
    pub(crate) async fn run(
        &self,
        postgres: bool,
        config: &Map<String, Json>,
    ) -> Result<Json, Failure> {
        noetl_engine::run_sql(postgres, config, self).await
    }

    /// Opens a connection with a `postgres` credential, and fails when the database refuses it.
    pub(crate) async fn test_postgres(&self, credential: &str) -> Result<(), Failure> {
        let mut config = Map::new();
        config.insert("auth".to_owned(), credential.into());
        config.insert("query".to_owned(), "SELECT 1".into());
        self.run(true, &config).await.map(drop)
    }
}

impl Host for Sql {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(self.credentials.for_tool(name))
    }

    fn playbook(&self, call: SubPlaybook) -> BoxFuture<'_, Result<Json, Failure>> {
        let failure = Failure::new("playbook", format!("SQL cannot call `{}`", call.path));
        Box::pin(async { Err(failure) })
    }

    fn environment_variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn output_line(&self, _place: &Place, _attempt: u32, _stream: Stream, line: &str) {
        tracing::debug!(line);
    }

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.tools
    }
}
