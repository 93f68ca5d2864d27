//! Begin and end of an execution: the entry, `end`, the final step, limits and cancelling.

use std::sync::Arc;
use std::time::{Duration, Instant};
#[cfg(unix)]
use std::{io::Read as _, path::PathBuf};

use noetl_api::ExecutionStatus;
use noetl_engine::Failure;
use noetl_engine::execution::{Event, Machine, Outcome};
use noetl_engine::local::{self, Job};
use serde_json::{Map, json};
#[cfg(unix)]
use tokio::{sync::oneshot, task::JoinHandle};

use crate::harness::{TestHost, drive, playbook, problem_text, run, success};

const BRANCHES: &str = "workflow:
- {step: start, tool: {kind: noop}, next: [short, long]}
- {step: short, tool: {kind: noop}, next: [{step: end, args: {short: 1}}]}
- {step: long, tool: {kind: noop}, next: longer}
- {step: longer, tool: {kind: noop}, next: [{step: end, args: {long: 2}}]}
- {step: end, tool: {kind: noop, args: {all: '{{ args }}'}}}
";

#[tokio::test]
async fn the_step_end_runs_once_after_all_branches() {
    let ran = run(BRANCHES).await.completed();
    assert_eq!(
        ran.entered().iter().filter(|step| **step == "end").count(),
        1
    );
    assert_eq!(ran.entered().last(), Some(&"end"));
    assert_eq!(ran.result("end")["all"], json!({"short": 1, "long": 2}));
    assert_eq!(ran.count("playbook.completed"), 1);
    assert_eq!(ran.count("workflow.completed"), 1);
}

#[test]
fn an_execution_runs_while_one_branch_runs() {
    let mut machine = Machine::new(playbook(BRANCHES), "1", &Map::new());
    let start = machine.start(None).commands.remove(0);
    let turn = machine.complete(&start.id, success(json!(1))).unwrap();
    assert_eq!(turn.commands.len(), 2);
    let (short, long) = (&turn.commands[0], &turn.commands[1]);
    assert!(
        machine
            .complete(&short.id, success(json!(1)))
            .unwrap()
            .commands
            .is_empty()
    );
    assert_eq!(machine.status(), ExecutionStatus::Running);
    let longer = machine
        .complete(&long.id, success(json!(1)))
        .unwrap()
        .commands
        .remove(0);
    let end = machine
        .complete(&longer.id, success(json!(1)))
        .unwrap()
        .commands
        .remove(0);
    assert_eq!(end.step, "end");
    assert_eq!(machine.status(), ExecutionStatus::Running);
    machine.complete(&end.id, success(json!(1))).unwrap();
    assert_eq!(machine.status(), ExecutionStatus::Completed);
}

#[tokio::test]
async fn the_step_end_may_be_missing_or_have_no_tool() {
    let ran = run("workflow: [{step: a, tool: {kind: noop, args: {n: 1}}, next: end}]")
        .await
        .completed();
    assert_eq!(ran.report.result, json!({"n": 1}));
    let ran = run("workflow: [{step: a, tool: {kind: noop}, next: end}, {step: end}]")
        .await
        .completed();
    assert_eq!(ran.entered(), ["a", "end"]);
    let ran = run(
        "workflow: [{step: a, tool: {kind: noop}, next: End}, {step: End, tool: {kind: noop}}]",
    )
    .await
    .completed();
    assert_eq!(ran.entered(), ["a", "End"]);
}

const FINAL: &str = "executor: {spec: {final_step: clean}}
workflow:
- {step: a, tool: {kind: python, code: CODE}, next: b}
- {step: b, tool: {kind: noop}}
- {step: clean, tool: {kind: noop, args: {cleaned: true}}}
";

#[tokio::test]
async fn the_final_step_runs_on_success_and_on_failure() {
    let ran = run(&FINAL.replace("CODE", "result = 1")).await.completed();
    assert_eq!(ran.entered(), ["a", "b", "clean"]);
    let ran = run(&FINAL.replace("CODE", "raise ValueError(1)")).await;
    assert!(ran.failed().contains("step `a`"), "{}", ran.failed());
    assert_eq!(ran.entered(), ["a", "clean"]);
    assert_eq!(ran.count("playbook.failed"), 1);
    assert_eq!(ran.events.last().unwrap().name, "playbook.failed");
}

#[tokio::test]
async fn a_final_step_that_is_the_end_runs_once() {
    let ran = run("executor: {spec: {final_step: end}}\nworkflow:\n- {step: a, tool: {kind: noop}, next: end}\n- {step: end, tool: {kind: noop}}\n").await.completed();
    assert_eq!(ran.entered(), ["a", "end"]);
}

#[tokio::test]
async fn a_failure_stops_the_other_branches() {
    let body = "workflow:
- {step: start, tool: {kind: noop}, next: [bad, slow]}
- {step: bad, tool: {kind: python, code: raise ValueError(1)}}
- {step: slow, tool: {kind: shell, cmds: 'sleep 20; touch late'}, next: never}
- {step: never, tool: {kind: noop}}
";
    let (host, begun) = (TestHost::new(), Instant::now());
    let ran = host.run(body).await;
    assert!(ran.failed().contains("step `bad`"));
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert!(!ran.entered().contains(&"never"));
}

#[test]
fn commands_of_a_failed_execution_are_dropped() {
    let body = "workflow:\n- {step: start, tool: {kind: noop}, next: [a, b]}\n- {step: a, tool: {kind: noop}}\n- {step: b, tool: {kind: noop}}\n";
    let driven = drive(body, json!({}), |command| match command.step.as_str() {
        "a" => Outcome::failed(Failure::new("exit", "no")),
        _ => success(json!(1)),
    });
    assert_eq!(driven.dropped.len(), 1);
    assert!(
        driven.dropped[0].starts_with("1:b:"),
        "{:?}",
        driven.dropped
    );
    assert_eq!(driven.machine.status(), ExecutionStatus::Failed);
}

#[tokio::test]
async fn a_run_begins_at_the_target_step() {
    let ran = TestHost::new()
        .run_with(BRANCHES, json!({}), Some("longer"))
        .await
        .completed();
    assert_eq!(ran.entered(), ["longer", "end"]);
    let ran = TestHost::new()
        .run_with(BRANCHES, json!({}), Some("nowhere"))
        .await;
    assert!(ran.failed().contains("nowhere"), "{}", ran.failed());
}

#[tokio::test]
async fn a_cycle_of_steps_ends_by_a_condition() {
    let body = "workflow:
- step: count
  tool: {kind: noop, args: {n: '{{ (ctx.n | default(0)) + 1 }}'}}
  set: {ctx.n: '{{ count.n }}'}
  next: [{step: count, when: '{{ ctx.n < 50 }}'}, {step: end}]
";
    let ran = run(body).await.completed();
    assert_eq!(ran.variable("n"), 50);
}

/// A cycle without tools must neither run for ever nor overflow the stack.
#[tokio::test]
async fn a_cycle_without_an_end_is_a_failure() {
    for body in [
        "workflow: [{step: a, next: b}, {step: b, next: a}]",
        "workflow: [{step: a, loop: {in: [], iterator: x}, next: a}]",
        "workflow: [{step: a, case: [{when: 'true', then: {next: a}}]}]",
    ] {
        let ran = run(body).await;
        assert!(ran.failed().contains("without an end"), "{}", ran.failed());
    }
    // With a tool: a hundred thousand commands.
    let driven = drive(
        "workflow: [{step: a, tool: {kind: noop}, next: a}]",
        json!({}),
        |_| success(json!(1)),
    );
    assert!(
        driven
            .machine
            .failure()
            .unwrap()
            .message
            .contains("without an end")
    );
}

#[tokio::test]
async fn retries_of_a_step_without_a_tool_end() {
    let ran = run("workflow: [{step: a, case: [{when: 'true', then: {retry: {max_attempts: 20000, delay: 0}}}]}]").await;
    assert!(ran.report.status.is_final());
}

#[tokio::test]
async fn a_long_chain_of_steps_without_tools_runs() {
    let steps: String = (0..5000)
        .map(|n| format!("- {{step: s{n}, next: s{}}}\n", n + 1))
        .collect();
    let ran = run(&format!(
        "workflow:\n{steps}- {{step: s5000, tool: {{kind: noop}}}}\n"
    ))
    .await
    .completed();
    assert_eq!(ran.entered().len(), 5001);
}

#[tokio::test]
async fn the_final_step_runs_after_the_limit_of_runs() {
    let ran = run("executor: {spec: {final_step: clean}}\nworkflow: [{step: a, loop: {in: [], iterator: x}, next: a}, {step: clean, tool: {kind: noop}}]").await;
    assert!(ran.failed().contains("without an end"));
    assert_eq!(ran.entered().last(), Some(&"clean"));
}

#[test]
fn cancelling_drops_all_commands_and_counts_once() {
    let mut machine = Machine::new(playbook(FINAL), "1", &Map::new());
    let id = machine.start(None).commands[0].id.clone();
    let turn = machine.cancel("enough");
    assert_eq!(turn.dropped, [id.as_str()]);
    assert_eq!(turn.events.last().unwrap().name, "execution.cancelled");
    assert_eq!(turn.events.last().unwrap().context["reason"], "enough");
    assert!(turn.commands.is_empty());
    assert_eq!(machine.status(), ExecutionStatus::Cancelled);
    assert!(machine.cancel("again").events.is_empty());
    assert!(machine.complete(&id, success(json!(1))).is_err());
    assert_eq!(machine.status(), ExecutionStatus::Cancelled);
}

/// Waits until a process has opened the named pipe for writing, then until no process has it open.
#[cfg(unix)]
fn watch_pipe(path: PathBuf) -> (oneshot::Receiver<()>, JoinHandle<()>) {
    let (opened, is_opened) = oneshot::channel();
    let ended = tokio::task::spawn_blocking(move || {
        let mut pipe = std::fs::File::open(path).unwrap();
        opened.send(()).unwrap();
        pipe.read_to_end(&mut Vec::new()).unwrap();
    });
    (is_opened, ended)
}

#[cfg(unix)]
#[tokio::test]
async fn dropping_a_run_kills_its_child_processes() {
    let host = TestHost::new();
    let made = std::process::Command::new("mkfifo")
        .arg(host.path("alive"))
        .status();
    assert!(made.unwrap().success());
    let (begun, ended) = watch_pipe(host.path("alive"));
    let payload = Map::new();
    let job = Job {
        playbook: playbook(
            "workflow: [{step: a, tool: {kind: shell, cmds: 'exec 9>alive; sleep 1000 & sleep 1000'}}]",
        ),
        execution_id: "1",
        payload: &payload,
        target: None,
        max_parallel: 8,
    };
    let mut ignore = |_: &Event| {};
    let running = local::run(job, Arc::new(host.clone()), &mut ignore);
    tokio::select! {
        report = running => panic!("the run ended by itself: {report:?}"),
        begun = begun => begun.unwrap(),
    }
    // The run is dropped; the pipe is closed when the shell and both of its children have ended.
    ended.await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_task_is_stopped_after_its_timeout() {
    let (host, begun) = (TestHost::new(), Instant::now());
    let ran = host
        .run("workflow: [{step: a, tool: {kind: shell, cmds: 'sleep 20', timeout: 0.3}}]")
        .await;
    assert!(ran.failed().contains("0.3 s"), "{}", ran.failed());
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn the_final_step_sees_how_the_execution_ended() {
    let body = |code: &str| {
        format!(
            "executor: {{spec: {{final_step: last}}}}
workflow:
- {{step: a, tool: {{kind: python, code: {code}}}}}
- step: last
  tool:
    kind: noop
    args: {{s: \"{{{{ execution.status }}}}\", m: \"{{{{ execution.error.message | default('none') }}}}\", f: \"{{{{ execution.failed_step }}}}\"}}
"
        )
    };
    let ran = run(&body("result = 1")).await.completed();
    let expected = json!({"s": "COMPLETED", "m": "none", "f": null});
    assert_eq!(ran.result("last"), expected);
    let ran = run(&body("raise ValueError(7)")).await;
    let message = "ValueError: 7 (line 1 of the step's code)";
    let expected = json!({"s": "FAILED", "m": message, "f": "a"});
    assert_eq!(ran.result("last"), expected);
}

#[tokio::test]
async fn steps_of_on_error_run_and_the_execution_stays_failed() {
    let body = "on_error: tell
executor: {spec: {final_step: clean}}
workflow:
- {step: start, tool: {kind: noop, args: {n: 1}}, next: STEP}
- {step: a, tool: {kind: shell, cmds: exit 3}}
- {step: b, tool: {kind: shell, cmds: exit 4}, on_error: [{step: own}]}
- {step: tell, tool: {kind: noop, args: {f: \"{{ execution.failed_step }}\", n: \"{{ start.n }}\"}}, next: after}
- {step: after, tool: {kind: noop}}
- {step: own, tool: {kind: shell, cmds: \"echo {{ execution.error.code }}; exit 9\"}}
- {step: clean, tool: {kind: noop}}
";
    let ran = run(&body.replace("STEP", "a")).await;
    assert!(ran.failed().contains("step `a`"));
    assert_eq!(ran.entered(), ["start", "a", "tell", "after", "clean"]);
    assert_eq!(ran.result("tell"), json!({"f": "a", "n": 1}));
    // A step that fails itself does not replace the first failure.
    let ran = run(&body.replace("STEP", "b")).await;
    assert!(ran.failed().contains("step `b`"), "{}", ran.failed());
    assert_eq!(ran.entered(), ["start", "b", "own", "clean"]);
    // Without a failure none of them runs.
    let ran = run(&body.replace("STEP", "after")).await.completed();
    assert_eq!(ran.entered(), ["start", "after", "clean"]);
}

#[test]
fn on_error_names_steps_that_exist_and_nothing_else() {
    let body = |on_error: &str| format!("on_error: {on_error}\nworkflow: [{{step: a}}]\n");
    for (on_error, message) in [
        ("b", "there is no step `b`"),
        (
            "[{step: a, when: \"{{ true }}\"}]",
            "takes neither conditions nor values",
        ),
        ("7", "a step's name was expected"),
    ] {
        let found = problem_text(&body(on_error));
        assert!(found.contains(message), "{found}");
    }
    let unreachable = problem_text("on_error: b\nworkflow: [{step: a}, {step: b}]\n");
    assert_eq!(unreachable, "");
}

#[tokio::test]
async fn a_playbook_may_set_how_often_steps_run() {
    let body = |max_runs: &str| {
        format!(
            "executor: {{spec: {{max_runs: {max_runs}}}}}\nworkflow: [{{step: a, set: {{ctx.n: \"{{{{ (ctx.n | default(0)) + 1 }}}}\"}}, next: a}}]"
        )
    };
    let ran = run(&body("7")).await;
    assert!(ran.failed().contains("steps ran 7 times without an end"));
    assert_eq!(ran.variable("n"), 7);
    assert!(problem_text(&body("many")).contains("`max_runs` is a whole number from 1"));
}
