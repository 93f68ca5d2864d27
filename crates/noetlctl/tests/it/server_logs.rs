//! What steps print: seen while they run, kept when the server is killed, and by attempt and item.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::live::{Live, Store, Worker, playbook, shell, until};
use crate::postgres::Postgres;

/// A step that prints a line, waits until the file exists that it gets, and prints another one.
fn waiting(live: &Live) -> (Value, std::path::PathBuf) {
    let file = live.home.path().join("go");
    let script = format!(
        "echo first; while ! test -e {0}; do test -d {1} || exit 1; sleep 0.02; done; echo last",
        file.display(),
        live.home.path().display()
    );
    (shell(&script), file)
}

fn lines(live: &Live, execution: &str, query: &str) -> Vec<Value> {
    let answer = live.get(&format!("/api/executions/{execution}/logs?{query}"));
    answer["lines"].as_array().unwrap().clone()
}

fn texts(live: &Live, execution: &str, query: &str) -> Vec<String> {
    let lines = lines(live, execution, query);
    lines
        .iter()
        .map(|line| line["text"].as_str().unwrap().to_owned())
        .collect()
}

/// Follows a step that waits with `noetl logs --follow`, and expects its first line while it runs.
fn follow(live: &Live) {
    let (step, go) = waiting(live);
    live.register(&playbook("t/waits", &[("start", step)]));
    let execution = live.execute("t/waits", &json!({}));
    let started = Instant::now();
    let mut command = live.noetl(&["logs", &execution, "--follow"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(output.next().unwrap().unwrap(), "start | first");
    // A generous bound: what matters is that the line comes before the step ends.
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(texts(live, &execution, ""), ["first"]);
    std::fs::write(go, "").unwrap();
    assert_eq!(output.next().unwrap().unwrap(), "start | last");
    assert!(output.next().is_none(), "it ends with the execution");
    assert!(child.wait().unwrap().success());
    let line = &lines(live, &execution, "")[1];
    assert_eq!(
        (&line["step"], &line["stream"], &line["line"]),
        (&json!("start"), &json!("stdout"), &json!(2))
    );
}

#[test]
fn lines_are_seen_while_a_step_of_the_server_runs() {
    follow(&Live::new());
}

#[test]
fn lines_are_seen_while_a_step_of_a_worker_runs() {
    let live = Live::with(&["--max-workers", "0"]);
    let _worker = Worker::start(&live, "prints", "1");
    follow(&live);
}

#[test]
fn lines_are_seen_with_postgresql_and_the_stream_has_them() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let key = crate::server_kills::KEY;
    let live = Live::on(Some(postgres.database("logs")), &[], &[key]);
    assert!(matches!(live.store, Store::Postgres(_)));
    follow(&live);
    live.register(&playbook(
        "t/said",
        &[("start", shell("echo one; echo two >&2"))],
    ));
    let execution = live.execute("t/said", &json!({}));
    live.ended(&execution);
    let path = format!("/api/executions/{execution}/stream?logs=true");
    let text = live.ask("GET", &path, &[], b"").text;
    let log = text.find("event: log").unwrap();
    assert!(text[log..].contains("\"text\":\"two\""), "{text}");
    assert!(log < text.find("event: status").unwrap(), "{text}");
    // Those who do not ask for lines get none.
    let path = format!("/api/executions/{execution}/stream");
    assert!(!live.ask("GET", &path, &[], b"").text.contains("event: log"));
}

#[test]
fn lines_before_a_kill_of_the_server_are_there_after_it() {
    let mut live = Live::new();
    let (step, go) = waiting(&live);
    live.register(&playbook("t/killed", &[("start", step)]));
    let execution = live.execute("t/killed", &json!({}));
    until("the first line is kept", || {
        (texts(&live, &execution, "") == ["first"]).then_some(())
    });
    live.kill();
    live.start();
    assert_eq!(texts(&live, &execution, "")[0], "first");
    std::fs::write(go, "").unwrap();
    live.ended(&execution);
    // The step ran again, and what it printed then follows.
    assert_eq!(texts(&live, &execution, ""), ["first", "first", "last"]);
}

#[test]
fn an_attempt_that_failed_is_an_event_and_has_a_log_of_its_own() {
    let live = Live::new();
    let file = live.home.path().join("tried");
    let script = format!(
        "if test -e {0}; then echo good; else touch {0}; echo bad; exit 3; fi",
        file.display()
    );
    let mut step = shell(&script);
    step["retry"] = json!({"max_attempts": 2, "delay": 0});
    live.register(&playbook("t/retried", &[("start", step)]));
    let execution = live.execute("t/retried", &json!({}));
    assert_eq!(live.ended(&execution)["status"], "COMPLETED");
    let first = ["bad", "failed: exited with code 3: bad", "attempt 2 in 0 s"];
    assert_eq!(texts(&live, &execution, "attempt=1"), first);
    assert_eq!(texts(&live, &execution, "attempt=2"), ["good"]);
    let events = live.events(&execution);
    let retried = events.iter().find(|it| it["event_type"] == "call.retried");
    let retried = retried.expect("the first attempt is in the log");
    assert_eq!(retried["error"]["message"], "exited with code 3: bad");
    assert_eq!(retried["context"]["attempt"], 1);
    let done = events.iter().find(|it| it["event_type"] == "call.done");
    assert_eq!(done.unwrap()["context"]["attempt"], 2);
}

#[test]
fn an_answer_says_where_the_next_one_begins_and_what_is_wrong_with_a_question() {
    let live = Live::new();
    live.register(&playbook("t/many", &[("start", shell("seq 1 25"))]));
    let execution = live.execute("t/many", &json!({}));
    live.ended(&execution);
    let path = format!("/api/executions/{execution}/logs");
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = live.get(&format!("{path}?limit=10{after}"));
        let lines = page["lines"].as_array().unwrap();
        seen.extend(
            lines
                .iter()
                .map(|line| line["text"].as_str().unwrap().to_owned()),
        );
        after = format!("&after={}", page["after"].as_str().unwrap());
        if page["more"] == false {
            break;
        }
    }
    let expected: Vec<_> = (1..=25).map(|number: u32| number.to_string()).collect();
    assert_eq!(seen, expected);
    let summary = live.get(&format!("{path}/summary"));
    assert_eq!(summary["attempts"][0]["lines"], 25);
    let wrong = live.expect(422, "GET", &format!("{path}?after=x"), &Value::Null);
    assert!(wrong.to_string().contains("leave it out"), "{wrong}");
    live.expect(404, "GET", "/api/executions/1/logs", &Value::Null);
}
