//! A real server for one test, with SQLite or PostgreSQL, and requests to it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::postgres::Database;
use crate::support::{Home, Server};

/// How long a test waits for anything before it fails.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server, its home folder and its store.
pub(crate) struct Live {
    // First, since fields are dropped in this order: the server stops before its store is deleted.
    server: Option<Server>,
    pub(crate) home: Home,
    pub(crate) store: Store,
    /// The port of the first start. Later starts use it too, so that workers find the server.
    port: String,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    /// A limit on the files and connections that the server may have open.
    descriptors: Option<usize>,
}

/// The store of a server.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// `noetl.db` in this data folder.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(Database),
}

/// Whether an execution has ended, by its state in an answer.
pub(crate) fn has_ended(state: &Value) -> bool {
    state["status"] != "PENDING" && state["status"] != "RUNNING"
}

impl Live {
    /// Starts a server with SQLite.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// Starts a server with SQLite and flags of `noetl server start`.
    pub(crate) fn with(flags: &[&str]) -> Self {
        Self::on(None, flags, &[])
    }

    /// Starts a server with PostgreSQL, or with SQLite when `database` is `None`.
    pub(crate) fn on(
        database: Option<Database>,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_in(Home::new(), database, flags, environment)
    }

    /// Starts a server with SQLite in a home folder that is there.
    pub(crate) fn in_home(home: Home) -> Self {
        Self::start_in(home, None, &[], &[])
    }

    fn start_in(
        home: Home,
        database: Option<Database>,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let store = match database {
            None => Store::Sqlite(home.path().join(".noetl/data")),
            Some(database) => Store::Postgres(database),
        };
        let mut live = Self {
            server: None,
            home,
            store,
            port: "0".to_owned(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            descriptors: None,
        };
        live.start();
        live
    }

    /// Starts a server with SQLite that may have so many files and connections open.
    #[cfg(unix)]
    pub(crate) fn with_descriptors(count: usize) -> Self {
        let mut live = Self::new();
        live.stop();
        live.descriptors = Some(count);
        live.start();
        live
    }

    /// Sets a variable of the environment of later starts.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Returns the command that starts this server.
    pub(crate) fn command(&self) -> Command {
        let start = ["server", "start", "--port", &self.port];
        let mut command = match self.descriptors {
            #[cfg(unix)]
            Some(count) => self.home.noetl_with_descriptors(count, &start),
            _ => self.home.noetl(&start),
        };
        command.args(&self.flags);
        if let Store::Postgres(database) = &self.store {
            command.env("DATABASE_URL", &database.url);
        }
        command.envs(self.environment.iter().cloned());
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        command.stderr(log);
        command
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.home.path().join("server.log")
    }

    /// Starts the server, or starts it again after [`Self::kill`] or [`Self::stop`].
    pub(crate) fn start(&mut self) {
        let server = Server::start_with_log(self.command());
        server
            .url
            .rsplit(':')
            .next()
            .unwrap()
            .clone_into(&mut self.port);
        self.server = Some(server);
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Stops the server with SIGTERM.
    pub(crate) fn stop(&mut self) {
        let mut server = self.server.take().unwrap();
        let id = server.child.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert!(server.child.wait().unwrap().success());
    }

    /// The id of the server's process.
    #[cfg(target_os = "linux")]
    pub(crate) fn process_id(&self) -> u32 {
        self.server.as_ref().unwrap().child.id()
    }

    pub(crate) fn url(&self) -> String {
        let url = &self.server.as_ref().unwrap().url;
        url.replace("0.0.0.0", "127.0.0.1")
    }

    /// Sends a request with any method, headers and body.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        ask(&format!("{}{path}", self.url()), method, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.expect(200, "GET", path, &Value::Null)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.expect(200, "POST", path, body)
    }

    /// Sends a request whose answer must have this status. Returns its JSON.
    pub(crate) fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let (found, answer) = self.json(method, path, body);
        assert_eq!(found, status, "{method} {path} {body}: {answer}");
        answer
    }

    /// Sends a request. Returns status and JSON of the answer.
    pub(crate) fn json(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let headers: &[(&str, &str)] = &[("content-type", "application/json")];
        let text = body.to_string();
        let answer = if body.is_null() {
            self.ask(method, path, &[], b"")
        } else {
            self.ask(method, path, headers, text.as_bytes())
        };
        let document = serde_json::from_str(&answer.text);
        (
            answer.status,
            document.unwrap_or_else(|error| panic!("{path}: {error}: {:?}", answer.text)),
        )
    }

    /// Registers a playbook, whose path is in its text.
    pub(crate) fn register(&self, playbook: &str) -> Value {
        self.post("/api/catalog/register", &json!({ "content": playbook }))
    }

    /// Starts an execution. Returns its id.
    pub(crate) fn execute(&self, path: &str, payload: &Value) -> String {
        let started = self.post("/api/execute", &json!({ "path": path, "payload": payload }));
        started["execution_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn status(&self, execution: &str) -> Value {
        self.get(&format!("/api/executions/{execution}/status"))
    }

    /// Waits for the end of an execution's stream. Returns the status of the execution.
    pub(crate) fn ended(&self, execution: &str) -> Value {
        until("the execution ends", || {
            let state = self.status(execution);
            has_ended(&state).then_some(state)
        })
    }

    pub(crate) fn run(&self, path: &str, payload: &Value) -> Value {
        let execution = self.execute(path, payload);
        self.ended(&execution)
    }

    /// Returns the events of an execution, the oldest first.
    pub(crate) fn events(&self, execution: &str) -> Vec<Value> {
        let (mut events, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let path = format!("/api/executions/{execution}/events?limit=1000&after={after}");
            let mut answer = self.get(&path);
            let page = answer["events"].as_array_mut().unwrap();
            if page.is_empty() {
                return events;
            }
            events.append(page);
            answer["last_event_id"]
                .as_str()
                .unwrap()
                .clone_into(&mut after);
        }
    }

    /// Counts the events of a step with this name.
    pub(crate) fn count(&self, execution: &str, event: &str, step: &str) -> usize {
        self.events(execution)
            .iter()
            .filter(|entry| entry["event_type"] == event && entry["node_name"] == step)
            .count()
    }

    /// Returns the `noetl` command in this home, with this server as its server.
    pub(crate) fn noetl(&self, args: &[&str]) -> Command {
        let mut command = self.home.noetl(args);
        command.env("NOETL_SERVER_URL", self.url());
        command
    }

    /// Changes the store directly, with the SQL tool of playbooks.
    pub(crate) fn sql(&self, statement: &str) {
        let tool = match &self.store {
            Store::Sqlite(folder) => json!({
                "kind": "sqlite", "database": folder.join("noetl.db"), "query": statement,
            }),
            Store::Postgres(database) => json!({
                "kind": "postgres", "url": database.url,
                "query": format!("SET search_path TO noetl; {statement}"),
            }),
        };
        let playbook = json!({
            "apiVersion": "noetl.io/v2", "kind": "Playbook", "metadata": {"name": "sql"},
            "workflow": [{"step": "start", "tool": tool}],
        });
        let file = self.home.write("sql.yaml", &playbook.to_string());
        let shown = self
            .home
            .run(&["run", file.to_str().unwrap(), "--runtime", "local"]);
        assert!(shown.ends_with("[exit 0]"), "{shown}");
    }
}

/// A real `noetl worker`, killed when dropped.
pub(crate) struct Worker {
    pub(crate) child: std::process::Child,
}

impl Worker {
    pub(crate) fn start(live: &Live, name: &str, slots: &str) -> Self {
        let mut command = live.noetl(&["worker", "start", "-m", slots, "--name", name]);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(live.home.path().join(format!("{name}.log")))
            .unwrap();
        command.stderr(log.try_clone().unwrap()).stdout(log);
        Self {
            child: command.spawn().unwrap(),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An answer to a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

/// Sends a request. Any status of the answer is accepted.
pub(crate) fn ask(url: &str, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(TIMEOUT))
        .proxy(None)
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = if body.is_empty() {
        agent.run(request.body(()).unwrap())
    } else {
        agent.run(request.body(body).unwrap())
    };
    let (parts, mut body) = answer.unwrap().into_parts();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text: String::from_utf8(body.read_to_vec().unwrap()).unwrap(),
    }
}

/// Polls until `poll` returns a value, and returns it. Panics with `what` after a timeout.
pub(crate) fn until<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(
            started.elapsed() < TIMEOUT,
            "not within {TIMEOUT:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns a playbook whose steps run one after another.
pub(crate) fn playbook(path: &str, steps: &[(&str, Value)]) -> String {
    let names: Vec<&str> = steps.iter().map(|(name, _)| *name).collect();
    let workflow: Vec<Value> = steps
        .iter()
        .enumerate()
        .map(|(index, (name, tool))| {
            let next: Vec<Value> = names
                .get(index + 1)
                .map(|next| json!({ "step": next }))
                .into_iter()
                .collect();
            json!({ "step": name, "tool": tool, "next": next })
        })
        .collect();
    json!({
        "apiVersion": "noetl.io/v2", "kind": "Playbook",
        "metadata": {"name": path.rsplit('/').next(), "path": path}, "workflow": workflow,
    })
    .to_string()
}

/// Returns a `shell` tool.
pub(crate) fn shell(script: &str) -> Value {
    json!({ "kind": "shell", "cmds": script })
}
