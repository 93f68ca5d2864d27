//! The order of events, and the rebuilding of an execution from its recorded inputs.

use noetl_api::{EventStatus, ExecutionStatus};
use noetl_engine::Failure;
use noetl_engine::execution::{Command, Event, Machine, Outcome, UnknownCommand};
use serde_json::{Map, Value, json};

use crate::harness::{TestHost, drive, playbook, run, success};

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name).collect()
}

#[tokio::test]
async fn events_of_a_step_that_succeeds() {
    let ran = run("workflow: [{step: only, tool: {kind: noop, args: {n: 1}}}]")
        .await
        .completed();
    assert_eq!(
        names(&ran.events),
        [
            "playbook.initialized",
            "workflow.initialized",
            "command.issued",
            "command.claimed",
            "command.started",
            "step.enter",
            "call.done",
            "step.exit",
            "command.completed",
            "workflow.completed",
            "playbook.completed",
        ]
    );
    let statuses: Vec<_> = ran
        .events
        .iter()
        .map(|event| event.status.as_str())
        .collect();
    assert_eq!(
        statuses[..6],
        [
            "STARTED", "STARTED", "PENDING", "RUNNING", "RUNNING", "RUNNING"
        ]
    );
    assert!(
        statuses[6..].iter().all(|status| *status == "COMPLETED"),
        "{statuses:?}"
    );
    let id = ran.events[2].command_id.as_deref().unwrap();
    assert!(id.starts_with("1:only:"), "{id}");
    for event in [3, 4, 5, 6, 8] {
        assert_eq!(ran.events[event].command_id.as_deref(), Some(id), "{event}");
    }
    assert_eq!(ran.events[10].result(), json!({"n": 1}));
}

#[tokio::test]
async fn events_of_a_step_that_fails() {
    let ran =
        run("workflow: [{step: only, tool: {kind: python, code: 'raise KeyError(1)'}}]").await;
    assert_eq!(
        names(&ran.events)[6..],
        [
            "call.error",
            "step.exit",
            "command.failed",
            "workflow.failed",
            "playbook.failed"
        ]
    );
    assert_eq!(ran.events[7].status, EventStatus::Failed);
    assert!(ran.events.last().unwrap().error.is_some());
}

#[tokio::test]
async fn events_of_sinks_and_loops() {
    let ran = run("workflow: [{step: only, tool: {kind: noop, args: {n: 1}}, sink: {tool: {kind: event_log}}}]")
        .await
        .completed();
    assert_eq!(ran.count("sink.executed"), 1);
    assert_eq!(ran.count("command.issued"), 2);
    assert_eq!(ran.count("command.completed"), 2);
    let ran = run("workflow: [{step: only, loop: {in: [1, 2], iterator: i}, tool: {kind: noop}}]")
        .await
        .completed();
    assert_eq!(
        names(&ran.events)[2..],
        [
            "loop.item",
            "command.issued",
            "command.claimed",
            "command.started",
            "step.enter",
            "call.done",
            "command.completed",
            "loop.item",
            "command.issued",
            "command.claimed",
            "command.started",
            "call.done",
            "command.completed",
            "loop.done",
            "step.exit",
            "workflow.completed",
            "playbook.completed",
        ]
    );
}

/// Loops, retries, branches, rules and variables in one playbook.
const ALL_FEATURES: &str = "workload: {items: [1, 2, 3]}
workflow:
- step: start
  tool: {kind: noop, args: {n: 0}}
  next: [fan, flaky]
- step: fan
  loop: {in: '{{ workload.items }}', iterator: i, mode: parallel, max_in_flight: 2}
  tool: {kind: noop, args: {n: '{{ i }}'}}
  set: {total: '{{ fan.stats.total }}'}
  next: end
- step: flaky
  tool: {kind: http, url: 'http://x/'}
  case:
  - when: '{{ error is not none }}'
    then: {retry: {max_attempts: 4, delay: 2, backoff: exponential}}
  - when: '{{ response.more }}'
    then: [{collect: {path: rows, into: all}}, {retry: {max_attempts: 9, params: {page: '{{ response.page + 1 }}'}}}]
  - when: 'true'
    then: [{collect: {path: rows, into: all}}, {set: {kept: '{{ workload.items | length }}'}}, {next: end}]
- {step: end, tool: {kind: noop, args: {all: '{{ all }}'}}}
";

/// Answers calls: every third one with a failure, the others with pages.
fn answers() -> impl FnMut(&Command) -> Outcome {
    let mut calls = 0;
    let mut page = 0;
    move |command| {
        calls += 1;
        if calls % 3 == 0 && command.step == "flaky" {
            return Outcome::failed(Failure::retryable("connection", "lost"));
        }
        if command.step == "flaky" {
            page += 1;
            return success(json!({"page": page, "more": page < 4, "rows": [page]}));
        }
        success(Value::Object(command.args.clone()))
    }
}

#[test]
fn the_same_inputs_give_the_same_commands() {
    let (one, two) = (
        drive(ALL_FEATURES, json!({}), answers()),
        drive(ALL_FEATURES, json!({}), answers()),
    );
    assert_eq!(
        one.machine.status(),
        ExecutionStatus::Completed,
        "{:?}",
        one.machine.failure()
    );
    let text = |commands: &[Command]| serde_json::to_string(commands).unwrap();
    assert_eq!(text(&one.commands), text(&two.commands));
    assert_eq!(one.events, two.events);
    assert_eq!(one.machine.variables()["all"], json!([1, 2, 3, 4]));
    assert!(one.commands.len() > 9, "{}", one.commands.len());
    let mut ids: Vec<_> = one.commands.iter().map(|command| &command.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(
        ids.len(),
        one.commands.len(),
        "two commands have the same id"
    );
}

#[test]
fn commands_and_outcomes_can_be_serialized() {
    let first = drive(ALL_FEATURES, json!({}), answers());
    let mut recorded: Vec<String> = Vec::new();
    let mut answer = answers();
    drive(ALL_FEATURES, json!({}), |command| {
        let outcome = answer(command);
        recorded.push(serde_json::to_string(&outcome).unwrap());
        outcome
    });
    let mut replay = recorded.iter();
    let again = drive(ALL_FEATURES, json!({}), |command| {
        let back: Command = serde_json::from_str(&serde_json::to_string(command).unwrap()).unwrap();
        assert_eq!(back.id, command.id);
        serde_json::from_str(replay.next().unwrap()).unwrap()
    });
    assert_eq!(first.events, again.events);
}

#[test]
fn an_outcome_is_taken_once_and_only_for_a_pending_command() {
    let mut machine = Machine::new(
        playbook(
            "workflow: [{step: a, tool: {kind: noop}, next: b}, {step: b, tool: {kind: noop}}]",
        ),
        "7",
        &Map::new(),
    );
    let turn = machine.start(None);
    let id = turn.commands[0].id.clone();
    for wrong in [
        "", "7", "7:a:", "7:a:99", "8:a:1", "7:b:1", "7:a:-1", "7:a:1 ", "1",
    ] {
        let refused = machine.complete(wrong, success(json!(1))).unwrap_err();
        assert_eq!(refused, UnknownCommand(wrong.to_owned()));
        assert!(machine.claimed(wrong, "w").is_empty());
    }
    assert!(machine.command(&id).is_some());
    let turn = machine.complete(&id, success(json!(1))).unwrap();
    assert_eq!(turn.commands.len(), 1);
    assert!(
        machine.complete(&id, success(json!(2))).is_err(),
        "an outcome was taken twice"
    );
    assert_eq!(machine.step_result("a"), Some(json!(1)));
    assert!(machine.claimed(&id, "w").is_empty());
    machine
        .complete(&turn.commands[0].id, success(json!(3)))
        .unwrap();
    assert_eq!(machine.status(), ExecutionStatus::Completed);
    assert!(
        machine
            .complete(&turn.commands[0].id, success(json!(3)))
            .is_err()
    );
}

/// Returns the input that the only call of a step is recorded with.
async fn input_of_call(host: &TestHost, tool: &str) -> Value {
    let ran = host
        .run(&format!(
            "workload: {{who: me, big: '{{{{ \"abc\" * 10000 }}}}'}}\nkeychain: [{{name: k, credential: api}}]\nworkflow:\n- step: only\n  tool: {tool}\n"
        ))
        .await;
    let call = ran.events.iter().find(|event| event.name == "call.done");
    call.unwrap_or_else(|| panic!("{:?}", ran.report.failure))
        .context["input"]
        .clone()
}

#[tokio::test]
async fn a_call_is_recorded_with_its_rendered_input() {
    let host = TestHost::new();
    host.credential("api", json!({"token": "t0p-s3cret"}));
    for (tool, expected) in [
        (
            "{kind: noop, args: {n: '{{ 1 + 1 }}', who: '{{ workload.who }}'}}",
            json!({"args": {"n": 2, "who": "me"}}),
        ),
        (
            "{kind: python, args: {n: 1}, code: 'result = n'}",
            json!({"args": {"n": 1}}),
        ),
        (
            "{kind: python, code: 'result = \"{{ workload.who }}\"'}",
            json!({"code": "result = \"me\""}),
        ),
        (
            "{kind: noop, args: {t: 'Bearer {{ keychain.k.token }}'}}",
            json!({"args": {"t": "Bearer ***"}}),
        ),
        (
            "[{name: a, kind: noop, args: {n: 1}}, {name: b, kind: noop, args: {n: '{{ a.n + 1 }}'}}]",
            json!({"a": {"args": {"n": 1}}, "b": {"args": {"n": 2}}}),
        ),
    ] {
        assert_eq!(input_of_call(&host, tool).await, expected, "{tool}");
    }
}

#[tokio::test]
async fn a_large_input_is_recorded_shortened_and_without_secrets() {
    let host = TestHost::new();
    host.credential("api", json!({"token": "t0p-s3cret"}));
    let long = "{kind: noop, args: {big: '{{ workload.big }}', many: '{{ range(1000) | list }}', last: 1}}";
    let input = input_of_call(&host, long).await;
    let big = input["args"]["big"].as_str().unwrap();
    assert!(
        big.ends_with("… (30000 bytes)") && big.len() < 2100,
        "{}",
        big.len()
    );
    let many = input["args"]["many"].as_array().unwrap();
    assert_eq!(many.len(), 51);
    assert_eq!(many[50], json!("… 950 more"));
    assert_eq!(input["args"]["last"], json!(1));
    let numbers = "{kind: noop, args: {many: '{{ [12345.678901234567] * 1000 }}', more: '{{ [[12345.678901234567] * 40] * 40 }}'}}";
    let input = input_of_call(&host, numbers).await.to_string();
    assert!(input.len() < 12_000, "{}", input.len());
    // A long secret makes the text shorter than what was read of it.
    let other = TestHost::new();
    other.credential("api", json!({"token": "k".repeat(1500)}));
    let long = "{kind: noop, args: {t: '{{ keychain.k.token }} {{ keychain.k.token }} {{ keychain.k.token }} {{ keychain.k.token }} {{ keychain.k.token }}'}}";
    let input = input_of_call(&other, long).await.to_string();
    assert!(!input.contains("kk"), "{input}");
    // Wherever a text is cut, no part of a secret is left.
    for before in 2036..2050 {
        let padded = format!(
            "{{kind: noop, args: {{t: '{{{{ \"x\" * {before} }}}}{{{{ keychain.k.token }}}} and more'}}}}"
        );
        let input = input_of_call(&host, &padded).await.to_string();
        assert!(
            !input.contains("t0") && !input.contains("xt"),
            "{before}: {input}"
        );
    }
}

#[tokio::test]
async fn a_failure_of_code_names_its_line_in_the_playbook() {
    for (code, line) in [
        (
            "|\n      x = 1\n\n      def main():\n          raise ValueError(x)",
            12,
        ),
        (
            "|\n      # {{ execution_id }}\n      raise ValueError(1)",
            7,
        ),
    ] {
        let failed = run(&format!(
            "workflow:\n- step: only\n  tool:\n    kind: python\n    code: {code}\n"
        ))
        .await;
        let failure = failed.report.failure.unwrap();
        assert_eq!(failure.place.unwrap().line, line, "{code}");
    }
}
