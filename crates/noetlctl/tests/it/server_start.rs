//! What a server says when it starts, and workers that start before it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::live::{Live, ask, playbook, until};
use crate::support::{Home, skipped};

/// Starts a server, and returns the first lines of its standard output and all of its standard error until it is
/// killed.
fn said(command: &mut Command, lines: usize) -> (Vec<String>, String) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap()).lines();
    let output: Vec<String> = output.take(lines).map(Result::unwrap).collect();
    child.kill().unwrap();
    let rest = child.wait_with_output().unwrap();
    (output, String::from_utf8(rest.stderr).unwrap())
}

#[test]
fn a_server_says_what_it_uses_and_where_that_came_from() {
    let home = Home::new();
    let folder = home.path().join("elsewhere");
    let folder = folder.to_str().unwrap();
    let start = [
        "server",
        "start",
        "--port",
        "0",
        "--data-dir",
        folder,
        "--no-ui",
    ];
    let mut command = home.noetl(&start);
    command.args(["--public-url", "https://noetl.example/"]);
    command
        .env("NOETL_MAX_WORKERS", "3")
        .env("NOETL_DATADIR", "x");
    command.env("POSTGRES_URL", "postgres://u:hunter2@h/d");
    let (lines, errors) = said(&mut command, 7);
    assert!(
        lines[0].contains("listening on http://127.0.0.1:"),
        "{lines:?}"
    );
    assert_eq!(
        lines[1..],
        [
            format!(
                "  store        SQLite, {folder}/noetl.db (the data folder; DATABASE_URL names another)"
            ),
            format!("  data folder  {folder} (--data-dir)"),
            "  page         none".to_owned(),
            "  workers      3 commands at once in this process (NOETL_MAX_WORKERS)".to_owned(),
            "  also answers to noetl.example".to_owned(),
            format!("requests from other machines need the token in {folder}/api.token"),
        ]
    );
    for warning in [
        "warning: NOETL_DATADIR is not known and is ignored; did you mean NOETL_DATA_DIR?",
        "warning: POSTGRES_URL is not read; a database is named by DATABASE_URL",
    ] {
        assert!(errors.contains(warning), "{errors}");
    }
    assert!(!errors.contains("hunter2"), "{errors}");
    let wrong = home.run(&["server", "start", "--public-url", "noetl.example"]);
    assert!(
        wrong.contains("is not a URL") && wrong.ends_with("[exit 1]"),
        "{wrong}"
    );
}

#[test]
fn a_proxy_on_this_machine_needs_the_token() {
    let token = "correct horse battery staple";
    let environment = [("NOETL_ALLOWED_HOSTS", "noetl.example, other.example:8443")];
    let live = Live::on(
        None,
        &[],
        &[&environment[..], &[("NOETL_API_TOKEN", token)]].concat(),
    );
    let bearer = format!("Bearer {token}");
    for (host, known, status) in [
        ("noetl.example", true, 200),
        ("NOETL.example:443", true, 200),
        ("other.example:8443", true, 200),
        ("noetl.example", false, 401),
        ("other.example", true, 421),
        ("evil.example", true, 421),
        ("noetl.example.evil.example", true, 421),
    ] {
        let mut headers = vec![("host", host)];
        headers.extend(known.then_some(("authorization", bearer.as_str())));
        let answer = live.ask("GET", "/api/status", &headers, b"");
        assert_eq!(answer.status, status, "{host}: {}", answer.text);
    }
    // Without a token of its own, the server makes one: others reach it through the proxy.
    let live = Live::on(None, &[], &environment);
    let answer = live.ask("GET", "/api/status", &[("host", "noetl.example")], b"");
    assert_eq!(answer.status, 401, "{}", answer.text);
}

#[test]
fn the_log_has_the_start_and_the_end_of_an_execution() {
    let live = Live::new();
    live.register(&playbook("t/log", &[("start", json!({"kind": "noop"}))]));
    let id = live.execute("t/log", &json!({}));
    let log = until("the execution is in the log", || {
        let log = std::fs::read_to_string(live.log_path()).unwrap();
        log.contains("an execution ended").then_some(log)
    });
    let began = format!("an execution began execution={id} path=\"t/log\"");
    let ended = format!("an execution ended execution={id} path=\"t/log\" status=COMPLETED");
    assert!(log.contains(&began) && log.contains(&ended), "{log}");
}

#[test]
fn a_worker_waits_for_its_server() {
    let mut live = Live::on(None, &["--max-workers", "0"], &[]);
    let url = live.url();
    live.stop();
    let path = live.home.path().join("early.log");
    let log = std::fs::File::create(&path).unwrap();
    let mut command = live.home.noetl(&["worker", "start", "--name", "early"]);
    command.env("NOETL_SERVER_URL", url).stderr(log);
    let mut worker = command.stdout(Stdio::null()).spawn().unwrap();
    until("the worker says that it waits", || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.contains("waiting for it").then_some(())
    });
    live.start();
    live.register(&playbook("t/early", &[("start", json!({"kind": "noop"}))]));
    let id = live.execute("t/early", &json!({}));
    until("the worker runs it", || {
        (live.status(&id)["status"] == "COMPLETED").then_some(())
    });
    worker.kill().unwrap();
    worker.wait().unwrap();
}

#[test]
fn one_address_serves_both_families() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        skipped("this machine has no IPv6");
        return;
    }
    for host in ["::", "[::]"] {
        let live = Live::on(
            None,
            &["--host", host],
            &[("NOETL_API_TOKEN", "correct horse")],
        );
        let port = live.url().rsplit(':').next().unwrap().to_owned();
        for name in ["127.0.0.1", "[::1]"] {
            let url = format!("http://{name}:{port}/api/health");
            assert_eq!(ask(&url, "GET", &[], b"").status, 200, "{host} {url}");
        }
    }
}
