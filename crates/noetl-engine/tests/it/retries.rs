//! Retries: the number of attempts, their delays, and the result of the last one.

use std::time::Instant;

use noetl_engine::Failure;
use noetl_engine::execution::Outcome;
use serde_json::json;

use crate::harness::{TestHost, drive, success};

/// A script that fails until the file `tries` has as many lines as `$1`.
const FLAKY: &str = "echo x >> tries; test $(wc -l < tries) -ge 3";

/// Runs a step that fails twice, with these fields of the step and of its tool; returns the number of attempts
/// and whether it succeeded.
async fn tries(step: &str, tool: &str) -> (usize, bool) {
    let host = TestHost::new();
    let ran = host
        .run(&format!(
            "workflow:\n- step: only\n  tool:\n  - name: t\n    kind: shell\n    cmds: '{FLAKY}'\n    {tool}\n  {step}\n"
        ))
        .await;
    (host.read("tries").len(), ran.report.failure.is_none())
}

#[cfg(unix)]
#[tokio::test]
async fn attempts_are_made_up_to_their_number() {
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
fn delays_grow_by_their_backoff_up_to_a_limit() {
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
        let driven = drive(
            &format!(
                "workflow:\n- step: only\n  tool: {{kind: noop}}\n  case: [{{when: '{{{{ error is not none }}}}', then: {{retry: {{max_attempts: 4, {backoff}}}}}}}]\n"
            ),
            json!({}),
            |_| Outcome::failed(Failure::retryable("connection", "lost")),
        );
        let delays: Vec<_> = driven
            .commands
            .iter()
            .map(|command| command.delay_ms)
            .collect();
        assert_eq!(delays[1..], expected, "{backoff}");
        let attempts: Vec<_> = driven
            .commands
            .iter()
            .map(|command| command.attempt)
            .collect();
        assert_eq!(attempts, [1, 2, 3, 4]);
        assert!(driven.machine.failure().unwrap().message.contains("lost"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn delays_are_waited_for() {
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
fn the_delay_that_a_server_requests_is_applied() {
    let driven = drive(
        "workflow:\n- step: only\n  tool: {kind: noop}\n  case: [{when: '{{ error.status == 429 }}', then: {retry: {max_attempts: 2, delay: 1}}}]\n",
        json!({}),
        |command| match command.attempt {
            1 => Outcome::failed(Failure {
                status: Some(429),
                retry_after: Some(7.0),
                ..Failure::retryable("rate_limit", "slow down")
            }),
            _ => success(json!(1)),
        },
    );
    assert!(driven.machine.failure().is_none());
    assert_eq!(driven.commands[1].delay_ms, 7000);
}

#[test]
fn every_attempt_has_its_events() {
    let mut left = 2;
    let driven = drive(
        "workflow:\n- step: only\n  tool: {kind: noop}\n  case: [{when: '{{ error is not none }}', then: {retry: {max_attempts: 3, delay: 0}}}]\n",
        json!({}),
        |_| {
            left -= 1;
            if left >= 0 {
                Outcome::failed(Failure::new("exit", "no"))
            } else {
                success(json!(1))
            }
        },
    );
    let count = |name: &str| {
        driven
            .events
            .iter()
            .filter(|event| event.name == name)
            .count()
    };
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
async fn numbers_out_of_range_are_refused_or_limited() {
    for retry in [
        "{max_attempts: -1}",
        "{max_attempts: 2, delay: -3}",
        "{max_attempts: 2, backoff: sideways}",
    ] {
        let reported = crate::harness::problem_text(&format!(
            "workflow:\n- step: only\n  tool: {{kind: noop, retry: {retry}}}\n"
        ));
        assert!(
            reported.contains("step `only`") && reported.contains("retry"),
            "{retry}: {reported}"
        );
    }
    // A timeout beyond the range of a clock must not panic.
    for timeout in ["1e30", "1e300", "99999999999999999999"] {
        let ran = TestHost::new()
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
