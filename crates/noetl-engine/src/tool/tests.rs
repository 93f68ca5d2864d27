//! What the tests of the tools share: a host that remembers what it hears, and calls.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Mutex;

use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

use super::{BoxFuture, Call, Credential, Failure, Host, Machine, Stream, SubPlaybook, reference};
use crate::playbook::ToolKind;
use crate::problem::Place;

/// A host with a folder of its own.
pub(super) struct TestHost {
    pub machine: Machine,
    pub credentials: HashMap<String, Credential>,
    pub environment: HashMap<String, String>,
    pub lines: Mutex<Vec<(Stream, String)>>,
    /// Hears of each line as well, for tests that wait for one.
    pub ear: Option<tokio::sync::mpsc::UnboundedSender<String>>,
    pub folder: TempDir,
}

impl TestHost {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            machine: Machine {
                folder: Some(folder.path().to_owned()),
                ..Machine::default()
            },
            credentials: HashMap::new(),
            environment: HashMap::new(),
            lines: Mutex::default(),
            ear: None,
            folder,
        }
    }

    pub(super) fn with(mut self, name: &str, kind: &str, data: Json) -> Self {
        let credential = Credential {
            name: name.to_owned(),
            kind: kind.to_owned(),
            data: object(data),
        };
        self.credentials.insert(name.to_owned(), credential);
        self
    }

    pub(super) fn heard(&self, stream: Stream) -> Vec<String> {
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
        let (config, args, context) = (object(config), object(args), object(context));
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
            timeout: None,
            place: &place,
        };
        super::run(&call, self).await
    }
}

/// Says why a test is skipped, unless this machine is to have every tool.
#[expect(
    clippy::disallowed_methods,
    reason = "only the environment of a test run can say what its machine must have"
)]
pub(super) fn skip(why: &str) {
    let required = std::env::var_os("NOETL_REQUIRE_TOOLS").is_some();
    assert!(!required, "{why}");
    left_out(why);
}

/// Says why a test is left out that no machine has to run.
pub(super) fn left_out(why: &str) {
    // A skip is for people to read.
    #[expect(clippy::disallowed_macros, reason = "tests say what they skip")]
    {
        println!("skipped: {why}");
    }
}

pub(super) fn object(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(map) => map,
        other => panic!("{other} is no object"),
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

    fn environment(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    fn line(&self, _place: &Place, stream: Stream, line: &str) {
        self.lines.lock().unwrap().push((stream, line.to_owned()));
        if let Some(ear) = &self.ear {
            ear.send(line.to_owned()).ok();
        }
    }

    fn machine(&self) -> &Machine {
        &self.machine
    }
}

#[tokio::test]
async fn secrets_come_from_credentials_and_allowed_environments() {
    let mut host = TestHost::new().with("api", "bearer", json!({"token": "t0p", "realm": "r"}));
    host.environment.insert("GIVEN".into(), "yes".into());
    let read = |config| host.run(ToolKind::Secrets, config);
    let opened = async |mut found: Json| {
        let given = reference::all(&found);
        reference::resolve(&mut found, &given, &host).await.unwrap();
        found
    };
    let found = read(json!({"name": "api"})).await.unwrap();
    assert!(!found.to_string().contains("t0p"), "{found}");
    let mut forged = found.clone();
    forged["value"]["$secret"]["seal"] = "0".repeat(32).into();
    let refused = reference::resolve(&mut forged["value"], &reference::all(&found), &host).await;
    assert_eq!(
        refused.unwrap_err().kind,
        "auth",
        "only what was given is resolved"
    );
    let found = opened(found).await;
    assert_eq!(found["value"], "t0p");
    assert_eq!(found["data"]["realm"], "r");
    let field = read(json!({"key": "api", "field": "realm"})).await.unwrap();
    assert_eq!(opened(field).await, json!({"value": "r"}));
    let given = read(json!({"name": "GIVEN", "provider": "env"})).await;
    assert_eq!(opened(given.unwrap()).await, json!({"value": "yes"}));
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
async fn every_failure_says_where_it_happened() {
    let failure = TestHost::new().run(ToolKind::Shell, json!({})).await;
    let failure = failure.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "test.yaml: step `tested`: a shell tool needs the field `cmds`"
    );
}
