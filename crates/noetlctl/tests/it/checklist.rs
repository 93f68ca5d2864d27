//! The compatibility checklist: the commands that users of earlier versions type, each line as it is in the
//! list. They run in a network namespace, where no other process uses http://localhost:8082.
#![cfg(target_os = "linux")]

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::live::until;
use crate::postgres::{Database, Postgres};
use crate::support::{Home, show, skipped, tool_is_missing};

const PLAYBOOK: &str = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: p, path: p}\n\
    workload: {k: nothing, wait: 0}\nworkflow:\n- step: start\n  tool:\n    kind: shell\n    \
    cmds: sleep {{ wait }}; echo k is {{ k }}\n  next: [{step: end}]\n- step: end\n";

/// A network namespace with loopback, deleted when dropped.
struct Network(String);

impl Network {
    fn new(name: &str) -> Option<Self> {
        let name = format!("noetl-{name}-{}", std::process::id());
        let ip = |args: &[&str]| Command::new("ip").args(args).output();
        match ip(&["netns", "add", &name]) {
            Err(_) => {
                tool_is_missing("ip (apt: iproute2)");
                return None;
            }
            Ok(made) if !made.status.success() => {
                skipped("this machine permits no network namespaces");
                return None;
            }
            Ok(_) => {}
        }
        let network = Self(name);
        let up = ip(&["-n", &network.0, "link", "set", "lo", "up"]).unwrap();
        assert!(up.status.success(), "{}", show(&up));
        Some(network)
    }

    fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.0].map(str::to_owned).to_vec()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(
            Command::new("ip")
                .args(["netns", "delete", &self.0])
                .status(),
        );
    }
}

/// A shell in the network namespace, with a temporary home folder.
struct Terminal<'n> {
    network: &'n Network,
    home: Home,
    database: Option<Database>,
}

impl<'n> Terminal<'n> {
    fn new(network: &'n Network, database: Option<Database>) -> Self {
        let home = Home::new();
        home.write("f.yaml", PLAYBOOK);
        home.write(
            "d/g.yaml",
            &PLAYBOOK.replace("name: p, path: p", "name: q, path: q"),
        );
        home.write("d/deep/notes.txt", "not a playbook");
        home.write("i.json", r#"{"k": "from the file"}"#);
        home.write("page/index.html", "<title>page</title>");
        let bin = home.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_noetl"), bin.join("noetl")).unwrap();
        Self {
            network,
            home,
            database,
        }
    }

    fn command(&self, line: &str) -> Command {
        let path = format!(
            "{}:/usr/bin:/bin:/usr/sbin",
            self.home.path().join("bin").display()
        );
        // `Home::noetl` removes variables that a test must not inherit.
        let mut command = self.home.noetl(&[]);
        let inherited: Vec<_> = command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
            .collect();
        command = Command::new("ip");
        command.args(["netns", "exec", &self.network.0, "bash", "-c", line]);
        for (name, value) in inherited {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("PATH", path).current_dir(self.home.path());
        command.env("NOETL_UI_DIR", self.home.path().join("page"));
        if let Some(database) = &self.database {
            command.env("DATABASE_URL", &database.url);
        }
        command
    }

    /// Runs a line, which must succeed. Returns its standard output.
    fn run(&self, line: &str) -> String {
        let output = self.command(line).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", show(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Value {
        let text = self.run(line);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
    }

    /// Starts a line in the background.
    fn start(&self, line: &str) -> Child {
        let mut command = self.command(line);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Starts a server and waits until it answers.
    fn server(&self, line: &str) -> Child {
        let mut child = self.start(line);
        until(line, || {
            assert!(child.try_wait().unwrap().is_none(), "{line} ended");
            let mut health = self.command("curl -fsS http://localhost:8082/health");
            health.output().unwrap().status.success().then_some(())
        });
        child
    }

    fn stop(&self, mut server: Child) {
        self.run("noetl server stop --force");
        server.wait().unwrap();
    }

    fn client_commands(&self) {
        self.run("noetl context add local --server-url http://localhost:8082 --set-current");
        assert!(
            self.run("noetl register playbook --file f.yaml")
                .contains('p')
        );
        assert!(
            self.run("noetl register playbook --directory d")
                .contains('q')
        );
        self.run("noetl catalog register f.yaml");
        let catalog = self.json("noetl catalog list Playbook --json");
        assert!(
            catalog["entries"].as_array().unwrap().len() >= 2,
            "{catalog}"
        );
        let started = self.json("noetl execute playbook p --json");
        let id = started["execution_id"].as_str().unwrap().to_owned();
        until("p ends", || {
            let state = self.json(&"noetl status ID --json".replace("ID", &id));
            (state["status"] == "COMPLETED").then_some(())
        });
        self.run("noetl exec p --input i.json");
        let local = self.run("noetl run f.yaml --set k=v -v");
        assert!(local.contains("k is v"), "{local}");
        let long = self.json("noetl execute playbook p --json --set wait=600");
        let id = long["execution_id"].as_str().unwrap();
        self.run(&"noetl cancel ID --reason x".replace("ID", id));
        let state = self.json(&"noetl status ID --json".replace("ID", id));
        assert_eq!(state["status"], "CANCELLED", "{state}");
        self.run("noetl db init");
        self.run("noetl db validate");
        let rows = self.json("noetl query \"SELECT 1\" --format json");
        assert!(rows.to_string().contains('1'), "{rows}");
    }

    fn web_requests(&self) {
        assert_eq!(
            self.run("curl -fsS http://localhost:8082/health"),
            r#"{"status":"ok"}"#
        );
        assert_eq!(
            self.run("curl -fsS http://localhost:8082/api/health"),
            r#"{"status":"ok"}"#
        );
        assert!(
            self.run("curl -fsS http://localhost:8082/metrics")
                .contains("noetl_up 1")
        );
        for path in ["/", "/execution/123"] {
            let page = self.run(&format!("curl -fsS http://localhost:8082{path}"));
            assert_eq!(page, "<title>page</title>", "{path}");
        }
    }

    fn worker_commands(&self) {
        let mut worker = self.start("noetl worker start -m 4");
        until("the worker is known", || {
            let pools = self.run("curl -fsS http://localhost:8082/api/worker/pools");
            pools.contains("\"capacity\":4").then_some(())
        });
        self.run("noetl worker stop");
        assert!(worker.wait().unwrap().success());
    }

    fn all(&self) {
        let version = self.run("noetl --version");
        assert_eq!(version, format!("noetl {}\n", env!("CARGO_PKG_VERSION")));
        let server = self.server("noetl server start --init-db");
        self.client_commands();
        self.web_requests();
        self.worker_commands();
        self.stop(server);
        let server = self.server("noetl server start --host 127.0.0.1 --port 8082 --no-ui");
        assert!(
            self.run("curl -fsS http://localhost:8082/")
                .starts_with('{')
        );
        self.stop(server);
        let server = self.server("NOETL_ENABLE_UI=false noetl server start");
        assert_eq!(
            self.run("curl -fsS http://localhost:8082/"),
            r#"{"message":"NoETL API is running, but UI is not available"}"#
        );
        self.stop(server);
        let built = self
            .command("noetl build --platform linux/arm64")
            .output()
            .unwrap();
        assert!(
            show(&built).contains("is not in a checkout of NoETL"),
            "{}",
            show(&built)
        );
    }
}

#[test]
fn the_checklist_passes_over_sqlite() {
    if let Some(network) = Network::new("sqlite") {
        Terminal::new(&network, None).all();
    }
}

#[test]
fn the_checklist_passes_over_postgresql() {
    let Some(network) = Network::new("postgresql") else {
        return;
    };
    let Some(postgres) = Postgres::start_in(&network.prefix()) else {
        return;
    };
    let database = postgres.database("noetl");
    Terminal::new(&network, Some(database)).all();
}
