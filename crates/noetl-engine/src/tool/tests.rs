//! A host for the tests of the tools, which records output, and tests of all tools.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Mutex;

use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

use super::Call;
use crate::host::{BoxFuture, Credential, Host, Stream, SubPlaybook, ToolEnvironment};
use crate::playbook::ToolKind;
use crate::secret_reference;
use crate::template::into_value;
use noetl_api::Failure;
use noetl_api::Place;

/// A host with a folder of its own.
pub(crate) struct TestHost {
    pub tool_environment: ToolEnvironment,
    pub credentials: HashMap<String, Credential>,
    pub environment_variables: HashMap<String, String>,
    pub lines: Mutex<Vec<(Stream, String)>>,
    /// Gets each line as well, for tests that wait for one.
    pub line_sender: Option<tokio::sync::mpsc::UnboundedSender<String>>,
    pub folder: TempDir,
}

impl TestHost {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            tool_environment: ToolEnvironment {
                folder: Some(folder.path().to_owned()),
                ..ToolEnvironment::default()
            },
            credentials: HashMap::new(),
            environment_variables: HashMap::new(),
            lines: Mutex::default(),
            line_sender: None,
            folder,
        }
    }

    /// Adds a credential.
    pub(crate) fn with(mut self, name: &str, kind: &str, data: Json) -> Self {
        let credential = Credential {
            name: name.to_owned(),
            kind: kind.to_owned(),
            data: object(data),
        };
        self.credentials.insert(name.to_owned(), credential);
        self
    }

    /// Returns the lines that children wrote to a stream.
    pub(super) fn lines_of(&self, stream: Stream) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter(|(from, _)| *from == stream)
            .map(|(_, line)| line.clone())
            .collect()
    }

    pub(super) async fn run(&self, kind: ToolKind, config: Json) -> Result<Json, Failure> {
        self.run_with(kind, config, json!({}), json!({})).await
    }

    pub(super) async fn run_with(
        &self,
        kind: ToolKind,
        config: Json,
        args: Json,
        context: Json,
    ) -> Result<Json, Failure> {
        let (config, args) = (object(config), object(args));
        let context = object(context).into_iter();
        let context = context.map(|(name, value)| (name, into_value(value)));
        let context = context.collect();
        let place = Place {
            file: "test.yaml".to_owned(),
            step: Some("tested".to_owned()),
            ..Place::default()
        };
        let call = Call {
            kind,
            config: &config,
            args: &args,
            context: &context,
            key: "",
            attempt: 1,
            timeout: None,
            place: &place,
            code_line: None,
        };
        super::run(&call, self).await
    }
}

/// Prints why a test is skipped. Panics when the environment asks for a machine with every tool.
#[expect(
    clippy::disallowed_methods,
    reason = "only the environment of a test run can say what its machine must have"
)]
pub(super) fn skip(reason: &str) {
    let required = std::env::var_os("NOETL_REQUIRE_TOOLS").is_some();
    assert!(!required, "{reason}");
    print_skip(reason);
}

/// Prints why a test is skipped that needs a tool which no machine must have.
pub(super) fn print_skip(reason: &str) {
    #[expect(
        clippy::disallowed_macros,
        reason = "people read which tests were skipped"
    )]
    {
        println!("skipped: {reason}");
    }
}

pub(super) fn object(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

impl Host for TestHost {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(ready(Ok(self.credentials.get(name).cloned())))
    }

    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(ready(Ok(Json::from(call.path))))
    }

    fn environment_variable(&self, name: &str) -> Option<String> {
        self.environment_variables.get(name).cloned()
    }

    fn output_line(&self, _place: &Place, _attempt: u32, stream: Stream, line: &str) {
        self.lines.lock().unwrap().push((stream, line.to_owned()));
        if let Some(sender) = &self.line_sender {
            sender.send(line.to_owned()).ok();
        }
    }

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.tool_environment
    }
}

#[tokio::test]
async fn secrets_are_read_from_credentials_and_allowed_environment_variables() {
    let mut host = TestHost::new().with("api", "bearer", json!({"token": "t0p", "realm": "r"}));
    host.environment_variables
        .insert("GIVEN".into(), "yes".into());
    let read = |config| host.run(ToolKind::Secrets, config);
    let target = |reference: &Json| {
        let target = secret_reference::target(reference).unwrap().clone();
        (
            target.get("credential").cloned(),
            target.get("field").cloned(),
        )
    };
    let found = read(json!({"name": "api"})).await.unwrap();
    assert!(!found.to_string().contains("t0p"), "{found}");
    let token = (Some(json!("api")), Some(json!("token")));
    assert_eq!(target(&found["value"]), token);
    assert_eq!(target(&found["data"]["realm"]).1, Some(json!("realm")));
    let field = read(json!({"key": "api", "field": "realm"})).await.unwrap();
    assert_eq!(target(&field["value"]).1, Some(json!("realm")));
    let given = read(json!({"name": "GIVEN", "provider": "env"})).await;
    let given = secret_reference::target(&given.unwrap()["value"]).cloned();
    assert_eq!(given.unwrap()["environment"], "GIVEN");
    let unset = read(json!({"name": "HOME", "provider": "env"})).await;
    assert!(unset.unwrap_err().message.contains("`HOME` is not set"));
    let unknown = read(json!({"name": "nope"})).await.unwrap_err();
    assert_eq!(unknown.kind, "auth");
    assert!(unknown.message.contains("`nope`") && unknown.help.is_some());
    let vault = read(json!({"name": "x", "provider": "vault"}))
        .await
        .unwrap_err();
    assert_eq!(vault.kind, "config");
    assert!(vault.message.contains("`vault`"));
}

#[tokio::test]
async fn every_failure_has_its_place() {
    let failure = TestHost::new().run(ToolKind::Shell, json!({})).await;
    let failure = failure.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "test.yaml: step `tested`: a shell tool needs the field `cmds`"
    );
}
