//! How an execution begins and ends: entry, quiescence, `end`, the final step, limits and cancelling.

use std::sync::Arc;
use std::time::{Duration, Instant};

use noetl_api::ExecutionStatus;
use noetl_engine::Failure;
use noetl_engine::execution::{Event, Machine, Outcome};
use noetl_engine::local::{self, Job};
use serde_json::{Map, json};

use crate::stage::{Stage, feed, gave, playbook, run};

const BRANCHES: &str = "workflow:
- {step: start, tool: {kind: noop}, next: [short, long]}
- {step: short, tool: {kind: noop}, next: [{step: end, args: {short: 1}}]}
- {step: long, tool: {kind: noop}, next: longer}
- {step: longer, tool: {kind: noop}, next: [{step: end, args: {long: 2}}]}
- {step: end, tool: {kind: noop, args: {all: '{{ args }}'}}}
";

#[tokio::test]
async fn the_end_waits_for_every_branch_and_runs_once() {
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
fn an_execution_goes_on_while_one_branch_does() {
    let mut machine = Machine::new(playbook(BRANCHES), "1", &Map::new());
    let start = machine.start(None).commands.remove(0);
    let turn = machine.complete(&start.id, gave(json!(1))).unwrap();
    assert_eq!(turn.commands.len(), 2);
    let (short, long) = (&turn.commands[0], &turn.commands[1]);
    assert!(
        machine
            .complete(&short.id, gave(json!(1)))
            .unwrap()
            .commands
            .is_empty()
    );
    assert_eq!(machine.status(), ExecutionStatus::Running);
    let longer = machine
        .complete(&long.id, gave(json!(1)))
        .unwrap()
        .commands
        .remove(0);
    let end = machine
        .complete(&longer.id, gave(json!(1)))
        .unwrap()
        .commands
        .remove(0);
    assert_eq!(end.step, "end");
    assert_eq!(machine.status(), ExecutionStatus::Running);
    machine.complete(&end.id, gave(json!(1))).unwrap();
    assert_eq!(machine.status(), ExecutionStatus::Completed);
}

#[tokio::test]
async fn an_end_may_go_unwritten_unwired_or_without_a_tool() {
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
    let (stage, begun) = (Stage::new(), Instant::now());
    let ran = stage.run(body).await;
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
    let fed = feed(body, json!({}), |command| match command.step.as_str() {
        "a" => Outcome::failed(Failure::new("exit", "no")),
        _ => gave(json!(1)),
    });
    assert_eq!(fed.dropped.len(), 1);
    assert!(fed.dropped[0].starts_with("1:b:"), "{:?}", fed.dropped);
    assert_eq!(fed.machine.status(), ExecutionStatus::Failed);
}

#[tokio::test]
async fn a_run_can_begin_at_any_step_and_only_at_a_step() {
    let ran = Stage::new()
        .run_with(BRANCHES, json!({}), Some("longer"))
        .await
        .completed();
    assert_eq!(ran.entered(), ["longer", "end"]);
    let ran = Stage::new()
        .run_with(BRANCHES, json!({}), Some("nowhere"))
        .await;
    assert!(ran.failed().contains("nowhere"), "{}", ran.failed());
}

#[tokio::test]
async fn a_cycle_of_steps_with_tools_ends_when_its_arc_says_so() {
    let body = "workflow:
- step: count
  tool: {kind: noop, args: {n: '{{ (ctx.n | default(0)) + 1 }}'}}
  set: {ctx.n: '{{ count.n }}'}
  next: [{step: count, when: '{{ ctx.n < 50 }}'}, {step: end}]
";
    let ran = run(body).await.completed();
    assert_eq!(ran.variable("n"), 50);
}

/// A cycle without a tool must neither run for ever nor take the stack with it.
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
    // In its own process of the machine: a hundred thousand commands.
    let fed = feed(
        "workflow: [{step: a, tool: {kind: noop}, next: a}]",
        json!({}),
        |_| gave(json!(1)),
    );
    assert!(
        fed.machine
            .failure()
            .unwrap()
            .message
            .contains("without an end")
    );
}

#[tokio::test]
async fn a_step_without_a_tool_that_asks_for_retries_ends_as_well() {
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
async fn the_final_step_runs_after_the_limit_too() {
    let ran = run("executor: {spec: {final_step: clean}}\nworkflow: [{step: a, loop: {in: [], iterator: x}, next: a}, {step: clean, tool: {kind: noop}}]").await;
    assert!(ran.failed().contains("without an end"));
    assert_eq!(ran.entered().last(), Some(&"clean"));
}

#[test]
fn cancelling_ends_everything_once() {
    let mut machine = Machine::new(playbook(FINAL), "1", &Map::new());
    let id = machine.start(None).commands[0].id.clone();
    let turn = machine.cancel("enough");
    assert_eq!(turn.dropped, [id.as_str()]);
    assert_eq!(turn.events.last().unwrap().name, "execution.cancelled");
    assert_eq!(turn.events.last().unwrap().context["reason"], "enough");
    assert!(turn.commands.is_empty());
    assert_eq!(machine.status(), ExecutionStatus::Cancelled);
    assert!(machine.cancel("again").events.is_empty());
    assert!(machine.complete(&id, gave(json!(1))).is_err());
    assert_eq!(machine.status(), ExecutionStatus::Cancelled);
}

#[cfg(unix)]
#[tokio::test]
async fn dropping_a_run_ends_its_children() {
    let stage = Stage::new();
    let payload = Map::new();
    let job = Job {
        playbook: playbook(
            "workflow: [{step: a, tool: {kind: shell, cmds: 'touch begun; (sleep 2; touch late) & sleep 2; touch late'}}]",
        ),
        execution_id: "1",
        payload: &payload,
        target: None,
        max_parallel: 8,
    };
    let mut nobody = |_: &Event| {};
    let running = local::run(job, Arc::new(stage.clone()), &mut nobody);
    let stopped = tokio::time::timeout(Duration::from_millis(700), running).await;
    assert!(stopped.is_err(), "it ended by itself");
    assert!(stage.path("begun").exists());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!stage.path("late").exists(), "a child outlived its run");
}

#[cfg(unix)]
#[tokio::test]
async fn a_task_that_takes_too_long_is_stopped() {
    let (stage, begun) = (Stage::new(), Instant::now());
    let ran = stage
        .run("workflow: [{step: a, tool: {kind: shell, cmds: 'sleep 20', timeout: 0.3}}]")
        .await;
    assert!(ran.failed().contains("0.3 s"), "{}", ran.failed());
    assert!(begun.elapsed() < Duration::from_secs(10));
}
