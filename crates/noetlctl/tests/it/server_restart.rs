//! Restarts of a server during executions, and several servers with one PostgreSQL database.

use serde_json::{Value, json};

use crate::live::{Live, playbook, shell, until};
#[cfg(unix)]
use crate::postgres::{Database, Postgres};
use crate::support::{show, wait_for};

const KEY: (&str, &str) = (
    "NOETL_ENCRYPTION_KEY",
    "c2l4dGVlbiBieXRlcyB4IDIgPSB0aGlydHkgdHdvISE=",
);

/// Registers a playbook whose steps each write a line. The second step waits for a file.
///
/// Returns the file with the lines and the file that is waited for.
fn gated(live: &Live) -> (std::path::PathBuf, std::path::PathBuf) {
    let (ran, gate) = (live.home.path().join("ran"), live.home.path().join("gate"));
    let write = |word: &str| format!("echo {word} >> {}", ran.display());
    let wait = wait_for(&gate);
    live.register(&playbook(
        "t/gated",
        &[
            ("start", shell(&write("first"))),
            ("wait", shell(&format!("{}; {wait}", write("second")))),
            ("end", shell(&write("third"))),
        ],
    ));
    (ran, gate)
}

fn lines(file: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn executions_continue_after_a_stop_or_a_kill() {
    for kill in [false, true] {
        let mut live = Live::new();
        let (ran, gate) = gated(&live);
        let execution = live.execute("t/gated", &json!({}));
        until("the second step runs", || {
            (lines(&ran).len() == 2).then_some(())
        });
        let before = live.events(&execution);
        if kill {
            live.kill();
        } else {
            live.stop();
        }
        live.start();
        let after = live.events(&execution);
        assert_eq!(
            after[..before.len()],
            before,
            "acknowledged events are kept"
        );
        until("the second step runs again", || {
            (lines(&ran).len() == 3).then_some(())
        });
        std::fs::write(&gate, "").unwrap();
        let state = live.ended(&execution);
        assert_eq!(state["status"], "COMPLETED", "{state}");
        assert_eq!(
            lines(&ran),
            ["first", "second", "second", "third"],
            "kill: {kill}"
        );
        for step in ["start", "wait", "end"] {
            assert_eq!(live.count(&execution, "call.done", step), 1, "{step}");
            assert_eq!(live.count(&execution, "command.issued", step), 1, "{step}");
        }
    }
}

#[test]
fn a_restart_keeps_loops_retries_variables_and_children() {
    let mut live = Live::new();
    let (ran, gate) = (live.home.path().join("ran"), live.home.path().join("gate"));
    let wait = wait_for(&gate);
    let child = shell(&format!(
        "echo child >> {}; {wait}; echo from child",
        ran.display()
    ));
    live.register(&playbook("t/child", &[("start", child)]));
    let item = format!(
        "echo item >> {}; test {{{{ item }}}} -lt 3 || {{ {wait}; }}; echo {{{{ item }}}}",
        ran.display()
    );
    let text = json!({
        "apiVersion": "noetl.io/v2", "kind": "Playbook", "metadata": {"name": "all", "path": "t/all"},
        "workload": {"items": [1, 2, 3, 4]},
        "workflow": [
            {"step": "start", "loop": {"in": "{{ items }}", "iterator": "item", "mode": "sequential"},
             "tool": shell(&item), "next": [{"step": "call"}]},
            {"step": "call", "tool": {"kind": "playbook", "path": "t/child"}, "next": [{"step": "end"}]},
            {"step": "end", "tool": shell("echo '{{ start.results | length }} {{ call.stdout }}'")},
        ],
    });
    live.register(&text.to_string());
    let execution = live.execute("t/all", &json!({}));
    live.post(
        &format!("/api/vars/{execution}"),
        &json!({"variables": {"kept": [1, "two"]}}),
    );
    until("the third item runs", || {
        (lines(&ran).len() >= 3).then_some(())
    });
    live.kill();
    live.start();
    std::fs::write(&gate, "").unwrap();
    until("the child runs", || {
        lines(&ran).contains(&"child".to_owned()).then_some(())
    });
    live.kill();
    live.start();
    let state = live.ended(&execution);
    assert_eq!(state["status"], "COMPLETED", "{state}");
    assert!(
        state["result"]["stdout"]
            .as_str()
            .unwrap()
            .starts_with("4 from child"),
        "{state}"
    );
    assert_eq!(state["variables"]["kept"], json!([1, "two"]));
    let children = live.get(&format!("/api/executions?parent_execution_id={execution}"));
    assert_eq!(
        children.as_array().unwrap().len(),
        1,
        "the playbook is called once"
    );
}

#[test]
fn a_log_with_failures_is_replayed() {
    let mut live = Live::new();
    let (ran, gate) = (live.home.path().join("ran"), live.home.path().join("gate"));
    let wait = format!("echo x >> {}; {}", ran.display(), wait_for(&gate));
    let text = json!({
        "apiVersion": "noetl.io/v2", "kind": "Playbook", "metadata": {"name": "caught", "path": "t/caught"},
        "workflow": [
            {"step": "start", "tool": shell("echo out; echo err >&2; exit 4"),
             "case": [{"when": "{{ event.name == 'call.error' }}", "then": [{"next": [{"step": "wait"}]}]}]},
            {"step": "wait", "tool": shell(&wait), "next": [{"step": "end"}]},
            {"step": "end", "tool": shell("echo caught {{ start.exit_code | default('nothing') }}")},
        ],
    });
    live.register(&text.to_string());
    let mut results = Vec::new();
    for kill in [false, true] {
        drop(std::fs::remove_file(&gate));
        drop(std::fs::remove_file(&ran));
        let execution = live.execute("t/caught", &json!({}));
        until("it waits", || (lines(&ran).len() == 1).then_some(()));
        if kill {
            live.kill();
            live.start();
        }
        std::fs::write(&gate, "").unwrap();
        let state = live.ended(&execution);
        results.push((
            state["status"].clone(),
            state["result"].clone(),
            state["error"].clone(),
        ));
    }
    assert_eq!(results[0], results[1], "a restart makes no difference");
}

#[cfg(unix)]
fn on(database: &Database) -> Live {
    Live::on(Some(database.clone()), &["--max-workers", "2"], &[KEY])
}

#[test]
#[cfg(unix)]
fn two_servers_on_one_postgresql_share_the_work() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let database = postgres.database("shared");
    let (one, mut two) = (on(&database), on(&database));
    // A server runs two commands at a time, so that three that wait for each other need both servers.
    let running = one.home.path().join("running");
    std::fs::create_dir(&running).unwrap();
    let meet = format!(
        "cd {} && touch $$ && until [ $(ls | wc -l) -ge 3 ]; do sleep 0.02; done",
        running.display()
    );
    one.register(&playbook(
        "t/work",
        &[("start", shell(&meet)), ("end", shell("echo done"))],
    ));
    let runs: Vec<String> = (0..30).map(|_| one.execute("t/work", &json!({}))).collect();
    let mut workers = std::collections::BTreeSet::new();
    for execution in &runs {
        // Each server knows the executions of the other.
        assert_eq!(two.ended(execution)["status"], "COMPLETED");
        assert_eq!(one.status(execution)["status"], "COMPLETED");
        for step in ["start", "end"] {
            assert_eq!(one.count(execution, "call.done", step), 1);
            assert_eq!(one.count(execution, "command.claimed", step), 1);
        }
        for event in one.events(execution) {
            workers.extend(event["context"]["worker_id"].as_str().map(str::to_owned));
        }
    }
    assert_eq!(workers.len(), 2, "{workers:?}");
    let execution = one.execute("t/work", &json!({}));
    two.kill();
    assert_eq!(one.ended(&execution)["status"], "COMPLETED");
    two.start();
    assert_eq!(two.status(&execution)["status"], "COMPLETED");
}

#[test]
#[cfg(unix)]
fn servers_on_one_postgresql_need_the_same_key() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let database = postgres.database("keys");
    let mut alone = Live::on(Some(database.clone()), &[], &[]);
    let body = json!({"name": "c", "type": "bearer", "data": {"token": "t"}});
    alone.post("/api/credentials", &body);
    for environment in [vec![], vec![KEY]] {
        let mut command =
            alone
                .home
                .noetl(&["server", "start", "--port", "0", "--data-dir", "elsewhere"]);
        command.env("DATABASE_URL", &database.url).envs(environment);
        let text = show(&command.output().unwrap());
        assert!(
            text.contains("key") && text.contains("help:") && text.ends_with("[exit 1]"),
            "{text}"
        );
    }
    // The same server may start again, also after it was killed.
    alone.kill();
    alone.start();
    assert_eq!(
        alone.get("/api/credentials/c?include_data=true")["data"]["token"],
        "t"
    );
}

#[test]
#[cfg(unix)]
fn zero_bytes_are_stored_in_postgresql() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let live = on(&postgres.database("zero"));
    // PostgreSQL's text has no zero bytes; here they are in an error and in a result.
    for (path, script, status) in [
        ("t/zero", r"printf 'a\0b\n' >&2; exit 1", "FAILED"),
        ("t/good", r"printf 'a\0b\n'", "COMPLETED"),
    ] {
        live.register(&playbook(path, &[("start", shell(script))]));
        let state = live.run(path, &json!({}));
        assert_eq!(state["status"], status, "{state}");
    }
    for (method, path, body) in [
        ("POST", "/api/execute", json!({"path": "a\0b"})),
        (
            "POST",
            "/api/credentials",
            json!({"name": "a\0b", "type": "x", "data": {}}),
        ),
        ("POST", "/api/worker/pool/register", json!({"name": "a\0b"})),
        ("POST", "/api/catalog/list", json!({"q": "a\0b"})),
        ("GET", "/api/executions?q=%00", Value::Null),
        ("GET", "/api/credentials/%00", Value::Null),
    ] {
        let (status, answer) = live.json(method, path, &body);
        assert!(status < 500, "{method} {path} {body}: {status} {answer}");
    }
}

#[test]
#[cfg(unix)]
fn queries_cannot_change_postgresql() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let live = on(&postgres.database("queries"));
    live.register(&playbook("t/one", &[("start", shell("true"))]));
    let ask = |body: Value| live.post("/api/postgres/execute", &body);
    let read =
        ask(json!({"query": "SELECT path FROM catalog WHERE version = $1", "parameters": [1]}));
    assert_eq!(read["result"], json!([["t/one"]]), "{read}");
    assert_eq!(ask(json!({"query": "SELECT 1"}))["result"], json!([[1]]));
    for body in [
        json!({"query": "DELETE FROM catalog"}),
        json!({"query": "DELETE FROM noetl.catalog WHERE version = $1", "parameters": [1]}),
        json!({"query": "SET default_transaction_read_only = off; DELETE FROM catalog"}),
        json!({"query": "COMMIT; SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; DELETE FROM catalog"}),
        json!({"query": "SET TRANSACTION READ WRITE; DELETE FROM catalog"}),
    ] {
        ask(body.clone());
        let left = ask(json!({"query": "SELECT COUNT(*) FROM noetl.catalog"}));
        assert_eq!(left["result"], json!([[1]]), "{body}");
    }
}
