//! Server-sent events of a real server: past events, new events, and the end.

use std::io::{BufRead as _, BufReader, Lines};

use serde_json::{Value, json};

use crate::live::{Live, playbook, shell, until};
use crate::support::{tool_is_missing, wait_for};

/// A stream as an iterator over its messages.
struct Stream(Lines<BufReader<ureq::BodyReader<'static>>>);

#[derive(Debug, Default)]
struct Message {
    event: String,
    id: String,
    data: Value,
}

impl Stream {
    /// Opens a stream, and reads the message that it begins with.
    fn open(live: &Live, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::at(&live.url(), path, headers)
    }

    fn at(url: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        let mut request = agent.get(format!("{url}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.call().unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut stream = Self(BufReader::new(answer.into_body().into_reader()).lines());
        assert_eq!(stream.next().unwrap().event, "begin");
        stream
    }
}

impl Iterator for Stream {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let mut message = Message::default();
        loop {
            let line = self.0.next()?.unwrap();
            match line.split_once(": ") {
                Some(("event", event)) => event.clone_into(&mut message.event),
                Some(("id", id)) => id.clone_into(&mut message.id),
                Some(("data", data)) => message.data = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && !message.event.is_empty() => return Some(message),
                // Comments, which keep the connection open.
                _ => {}
            }
        }
    }
}

#[test]
fn a_stream_has_past_and_new_events_and_ends() {
    let live = Live::new();
    let gate = live.home.path().join("gate");
    let wait = shell(&wait_for(&gate));
    live.register(&playbook(
        "t/gate",
        &[("start", wait), ("end", json!({"kind": "noop"}))],
    ));
    let execution = live.execute("t/gate", &json!({}));
    let path = format!("/api/executions/{execution}/stream");
    let mut stream = Stream::open(&live, &path, &[]);
    let mut seen: Vec<Message> = Vec::new();
    // The stream begins with the events from before it was opened.
    while seen
        .last()
        .is_none_or(|message| message.data["event_type"] != "step.enter")
    {
        seen.push(stream.next().unwrap());
    }
    assert_eq!(seen[0].data["event_type"], "playbook.initialized");
    assert!(
        seen.iter()
            .all(|message| message.event == "event" && message.data["event_id"] == message.id)
    );
    std::fs::write(&gate, "").unwrap();
    seen.extend(stream);
    let last = seen.pop().unwrap();
    assert_eq!(
        (last.event.as_str(), &last.data["status"]),
        ("status", &json!("COMPLETED"))
    );
    assert_eq!(last.data["execution_id"], execution);
    let logged: Vec<Value> = live.events(&execution);
    let streamed: Vec<Value> = seen.iter().map(|message| message.data.clone()).collect();
    assert_eq!(streamed, logged);
    // A stream can begin after an event, by header or by parameter.
    let middle = &seen[4].id;
    for stream in [
        Stream::open(&live, &path, &[("last-event-id", middle)]),
        Stream::open(&live, &format!("{path}?after={middle}"), &[]),
    ] {
        let rest: Vec<String> = stream.map(|message| message.id).collect();
        let expected: Vec<String> = seen[5..].iter().map(|message| message.id.clone()).collect();
        assert_eq!(rest[..rest.len() - 1], expected);
    }
}

#[test]
fn a_long_log_is_streamed_completely_and_in_order() {
    let live = Live::new();
    let steps: Vec<(String, Value)> = (0..120)
        .map(|number| (format!("s{number}"), json!({"kind": "noop"})))
        .collect();
    let steps: Vec<(&str, Value)> = steps
        .iter()
        .map(|(name, tool)| (name.as_str(), tool.clone()))
        .collect();
    let text = playbook("t/long", &steps).replace("\"s0\"", "\"start\"");
    live.register(&text);
    let execution = live.execute("t/long", &json!({}));
    let stream = Stream::open(&live, &format!("/api/executions/{execution}/stream"), &[]);
    let mut ids: Vec<i64> = Vec::new();
    let mut ended = false;
    for message in stream {
        assert!(!ended, "nothing comes after the status");
        ended = message.event == "status";
        if !ended {
            ids.push(message.id.parse().unwrap());
        }
    }
    assert!(ended);
    assert_eq!(ids.len(), 120 * 7 + 4);
    assert!(ids.is_sorted_by(|left, right| left < right));
}

#[test]
fn nginx_passes_a_stream_on_as_it_comes() {
    let found = std::process::Command::new("nginx").arg("-v").output();
    if found.is_err() {
        tool_is_missing("nginx (apt: nginx)");
        return;
    }
    let mut nginx = std::process::Command::new("nginx");
    let live = Live::new();
    live.register(&playbook("t/one", &[("start", shell("true"))]));
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    // Nothing but what nginx does by default, which is to keep answers back until 4 or 8 KiB are there.
    let text = format!(
        "daemon off; master_process off; pid nginx.pid;\nevents {{}}\nhttp {{ access_log off;\n{temporary}\
         server {{ listen {address}; location / {{ proxy_pass {}; }} }} }}\n",
        live.url()
    );
    std::fs::write(folder.path().join("nginx.conf"), text).unwrap();
    drop(free);
    nginx
        .arg("-p")
        .arg(folder.path())
        .args(["-c", "nginx.conf", "-e", "stderr"]);
    let mut nginx = nginx.stderr(std::process::Stdio::null()).spawn().unwrap();
    until("nginx listens", || {
        std::net::TcpStream::connect(&address).ok()
    });
    let mut stream = Stream::at(&format!("http://{address}"), "/api/executions/stream", &[]);
    let execution = live.execute("t/one", &json!({}));
    let message = stream.next().unwrap();
    assert_eq!(message.data["execution_id"], json!(execution));
    nginx.kill().unwrap();
    nginx.wait().unwrap();
}

#[test]
fn the_stream_of_all_executions_has_every_start_and_end() {
    let live = Live::new();
    live.register(&playbook("t/one", &[("start", shell("true"))]));
    let mut stream = Stream::open(&live, "/api/executions/stream", &[]);
    let execution = live.execute("t/one", &json!({}));
    let mut states = Vec::new();
    while states
        .last()
        .is_none_or(|state| state == "RUNNING" || state == "PENDING")
    {
        let message = stream.next().unwrap();
        assert_eq!(
            (message.event.as_str(), &message.data["execution_id"]),
            ("execution", &json!(execution))
        );
        states.push(message.data["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(states.last().unwrap(), "COMPLETED");
}
