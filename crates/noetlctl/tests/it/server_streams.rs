//! Server-sent events of a real server: past events, new events, and the end.

use std::io::{BufRead as _, BufReader, Lines};

use serde_json::{Value, json};

use crate::live::{Live, playbook, shell};
use crate::support::wait_for;

/// A stream as an iterator over its messages.
struct Stream(Lines<BufReader<ureq::BodyReader<'static>>>);

#[derive(Debug, Default)]
struct Message {
    event: String,
    id: String,
    data: Value,
}

impl Stream {
    fn open(live: &Live, path: &str, headers: &[(&str, &str)]) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        let mut request = agent.get(format!("{}{path}", live.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.call().unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self(BufReader::new(answer.into_body().into_reader()).lines())
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
fn the_stream_of_all_executions_has_every_start_and_end() {
    let live = Live::new();
    live.register(&playbook("t/one", &[("start", shell("true"))]));
    let mut stream = Stream::open(&live, "/api/executions/stream", &[]);
    let execution = live.execute("t/one", &json!({}));
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state == "RUNNING") {
        let message = stream.next().unwrap();
        assert_eq!(
            (message.event.as_str(), &message.data["execution_id"]),
            ("execution", &json!(execution))
        );
        states.push(message.data["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(states.last().unwrap(), "COMPLETED");
}
