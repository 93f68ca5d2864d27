//! Retries: attempts counted, delays grown, and results that come late but whole.

use std::time::Instant;

use noetl_engine::Failure;
use noetl_engine::execution::Outcome;
use serde_json::json;

use crate::stage::{Stage, feed, gave};

/// Fails until there are as many lines in `tries` as `$1`.
const FLAKY: &str = "echo x >> tries; test $(wc -l < tries) -ge 3";

/// A step that fails twice, with this beside or in its tool.
async fn tries(step: &str, tool: &str) -> (usize, bool) {
    let stage = Stage::new();
    let ran = stage
        .run(&format!(
            "workflow:\n- step: only\n  tool:\n  - name: t\n    kind: shell\n    cmds: '{FLAKY}'\n    {tool}\n  {step}\n"
        ))
        .await;
    (stage.read("tries").len(), ran.report.failure.is_none())
}

#[cfg(unix)]
#[tokio::test]
async fn attempts_are_made_as_often_as_said_and_no_more() {
    for (step, tool, expected) in [
        ("desc: none", "desc: none", (1, false)),
        (
            "desc: none",
            "retry: {max_attempts: 3, delay: 0}",
            (3, true),
        ),
        (
            "desc: none",
            "retry: {max_attempts: 5, delay: 0}",
            (3, true),
        ),
        (
            "desc: none",
            "retry: {max_attempts: 2, delay: 0}",
            (2, false),
        ),
        (
            "desc: none",
            "retry: {attempts: 3, initial_delay: 0}",
            (3, true),
        ),
        ("desc: none", "retry: {max_retries: 2, delay: 0}", (3, true)),
        ("desc: none", "retry: false", (1, false)),
        (
            "desc: none",
            "spec: {policy: {rules: [{when: \"{{ outcome.status == 'error' }}\", then: {do: retry, attempts: 3, delay: 0}}]}}",
            (3, true),
        ),
        (
            "desc: none",
            "spec: {policy: {rules: [{when: \"{{ outcome.status == 'error' }}\", then: {do: retry, attempts: 2, delay: 0}}]}}",
            (2, false),
        ),
        (
            "desc: none",
            "spec: {policy: {rules: [{when: \"{{ outcome.status == 'error' and _attempt < 2 }}\", then: {do: retry, attempts: 9, delay: 0}}, {when: \"{{ outcome.status == 'error' }}\", then: {do: fail}}]}}",
            (2, false),
        ),
        (
            "case: [{when: '{{ error is not none }}', then: {retry: {max_attempts: 3, delay: 0}}}]",
            "desc: none",
            (3, true),
        ),
        (
            "case: [{when: '{{ error is not none }}', then: [{retry: {max_attempts: 2, delay: 0}}]}]",
            "desc: none",
            (2, false),
        ),
        (
            "case: [{when: \"{{ event.name == 'call.error' }}\", then: {retry: {max_attempts: 4, delay: 0, backoff_multiplier: 2}}}]",
            "desc: none",
            (3, true),
        ),
    ] {
        assert_eq!(tries(step, tool).await, expected, "{step} {tool}");
    }
}

#[test]
fn delays_grow_as_said_up_to_their_bound() {
    for (backoff, expected) in [
        ("delay: 2", [2000, 2000, 2000]),
        ("delay: 2, backoff: none", [2000, 2000, 2000]),
        ("delay: 2, backoff: linear", [2000, 4000, 6000]),
        ("delay: 2, backoff: exponential", [2000, 4000, 8000]),
        (
            "initial_delay: 1, backoff_multiplier: 3",
            [1000, 3000, 9000],
        ),
        (
            "delay: 2, backoff: exponential, max_delay: 5",
            [2000, 4000, 5000],
        ),
        ("delay: 1.5, multiplier: 1e300", [1500, 300_000, 300_000]),
    ] {
        let fed = feed(
            &format!(
                "workflow:\n- step: only\n  tool: {{kind: noop}}\n  case: [{{when: '{{{{ error is not none }}}}', then: {{retry: {{max_attempts: 4, {backoff}}}}}}}]\n"
            ),
            json!({}),
            |_| Outcome::failed(Failure::passing("connection", "lost")),
        );
        let delays: Vec<_> = fed
            .commands
            .iter()
            .map(|command| command.delay_ms)
            .collect();
        assert_eq!(delays[1..], expected, "{backoff}");
        let attempts: Vec<_> = fed.commands.iter().map(|command| command.attempt).collect();
        assert_eq!(attempts, [1, 2, 3, 4]);
        assert!(fed.machine.failure().unwrap().message.contains("lost"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn delays_are_really_waited_for() {
    let begun = Instant::now();
    let (made, ended_well) = tries(
        "desc: none",
        "retry: {max_attempts: 3, delay: 0.2, backoff: linear}",
    )
    .await;
    assert_eq!((made, ended_well), (3, true));
    assert!(
        begun.elapsed().as_secs_f64() >= 0.6,
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_server_that_names_a_delay_gets_it() {
    let fed = feed(
        "workflow:\n- step: only\n  tool: {kind: noop}\n  case: [{when: '{{ error.status == 429 }}', then: {retry: {max_attempts: 2, delay: 1}}}]\n",
        json!({}),
        |command| match command.attempt {
            1 => Outcome::failed(Failure {
                status: Some(429),
                retry_after: Some(7.0),
                ..Failure::passing("rate_limit", "slow down")
            }),
            _ => gave(json!(1)),
        },
    );
    assert!(fed.machine.failure().is_none());
    assert_eq!(fed.commands[1].delay_ms, 7000);
}

#[test]
fn the_event_log_tells_every_attempt() {
    let mut left = 2;
    let fed = feed(
        "workflow:\n- step: only\n  tool: {kind: noop}\n  case: [{when: '{{ error is not none }}', then: {retry: {max_attempts: 3, delay: 0}}}]\n",
        json!({}),
        |_| {
            left -= 1;
            if left >= 0 {
                Outcome::failed(Failure::new("exit", "no"))
            } else {
                gave(json!(1))
            }
        },
    );
    let count = |name: &str| fed.events.iter().filter(|event| event.name == name).count();
    assert_eq!(
        (
            count("command.issued"),
            count("call.error"),
            count("call.done")
        ),
        (3, 2, 1)
    );
    assert_eq!(
        (count("command.failed"), count("command.completed")),
        (2, 1)
    );
    assert_eq!((count("step.enter"), count("step.exit")), (1, 1));
}

#[tokio::test]
async fn absurd_numbers_are_refused_or_bounded() {
    for retry in [
        "{max_attempts: -1}",
        "{max_attempts: 2, delay: -3}",
        "{max_attempts: 2, backoff: sideways}",
    ] {
        let said = crate::stage::said(&format!(
            "workflow:\n- step: only\n  tool: {{kind: noop, retry: {retry}}}\n"
        ));
        assert!(
            said.contains("step `only`") && said.contains("retry"),
            "{retry}: {said}"
        );
    }
    // Longer than a clock can count must not end in a panic, nor in silence.
    for timeout in ["1e30", "1e300", "99999999999999999999"] {
        let ran = Stage::new()
            .run(&format!(
                "workflow:\n- step: only\n  tool: {{kind: noop, timeout: {timeout}}}\n"
            ))
            .await;
        assert!(
            ran.report.status.is_final(),
            "{timeout}: {:?}",
            ran.report.status
        );
        ran.completed();
    }
}
