//! Steps that several steps lead to.

use serde_json::json;

use crate::harness::{playbook, run};

/// Runs a workflow of steps without tools, each written as `name -> targets`, and returns the steps that ran, in order. The arcs of
/// each step are inclusive. A step that begins with `slow` has a tool, which takes a while.
async fn order(steps: &[&str]) -> Vec<String> {
    let mut body = "workflow:\n".to_owned();
    for step in steps {
        let (name, targets) = step.split_once(" -> ").unwrap_or((step, ""));
        let targets = targets.split(", ").filter(|target| !target.is_empty());
        let arcs: Vec<_> = targets
            .map(|target| match target.split_once(" if ") {
                None => format!("{{step: {target}}}"),
                Some((target, when)) => format!("{{step: {target}, when: \"{{{{ {when} }}}}\"}}"),
            })
            .collect();
        let tool = match name.starts_with("slow") {
            true => "tool: {kind: shell, cmds: \"sleep 0.2\"}, ",
            false => "",
        };
        body += &format!(
            "- {{step: {name}, {tool}set: {{ctx.{name}_runs: \"{{{{ (ctx.{name}_runs | default(0)) + 1 }}}}\"}}, \
             next: {{spec: {{mode: inclusive}}, arcs: [{}]}}}}\n",
            arcs.join(", ")
        );
    }
    let done = run(&body).await.completed();
    let exits = done.events.iter().filter(|event| event.name == "step.exit");
    exits.filter_map(|event| event.step.clone()).collect()
}

#[tokio::test]
async fn a_join_runs_once_after_every_branch() {
    let ran = order(&[
        "start -> a, slow",
        "a -> merge",
        "slow -> merge",
        "merge -> after",
        "after",
    ])
    .await;
    assert_eq!(ran, ["start", "a", "slow", "merge", "after"]);
    let depths = [
        "start -> a, b, c",
        "a -> merge",
        "b -> b2",
        "b2 -> merge",
        "c -> c2",
        "c2 -> slow",
        "slow -> merge",
        "merge -> after",
        "after",
    ];
    let ran = order(&depths).await;
    assert_eq!(ran[ran.len() - 3..], ["slow", "merge", "after"]);
    assert_eq!(ran.len(), 9);
}

#[tokio::test]
async fn a_join_behind_a_join_waits_for_it() {
    let ran = order(&[
        "start -> a, b, slow",
        "a -> inner",
        "b -> inner",
        "inner -> outer",
        "slow -> outer",
        "outer",
    ])
    .await;
    assert_eq!(ran, ["start", "a", "b", "inner", "slow", "outer"]);
}

#[tokio::test]
async fn a_branch_that_is_not_taken_or_ends_is_not_waited_for() {
    let ran = order(&[
        "start -> a, b if false",
        "a -> merge",
        "b -> merge",
        "merge",
    ])
    .await;
    assert_eq!(ran, ["start", "a", "merge"]);
    let ran = order(&[
        "start -> a, slow",
        "a -> merge",
        "slow -> merge if false",
        "merge",
    ])
    .await;
    assert_eq!(ran, ["start", "a", "slow", "merge"]);
    let skipped = "workflow:\n- {step: start, next: [{step: a}, {step: b}]}\n- {step: a, next: merge}\n\
                   - {step: b, when: \"{{ false }}\", next: merge}\n- {step: merge, tool: {kind: noop, args: {n: 1}}}\n";
    assert_eq!(
        run(skipped).await.completed().report.result,
        json!({"n": 1})
    );
}

#[tokio::test]
async fn a_branch_that_leads_elsewhere_is_not_waited_for() {
    let ran = order(&[
        "start -> a, b, slow",
        "a -> merge",
        "b -> merge",
        "slow -> other",
        "other",
        "merge",
    ])
    .await;
    assert_eq!(ran, ["start", "a", "b", "merge", "slow", "other"]);
}

#[tokio::test]
async fn two_arcs_of_a_step_to_one_target_are_one_arrival() {
    let ran = order(&["start -> a if true, a if 1 == 1", "a"]).await;
    assert_eq!(ran, ["start", "a"]);
}

#[tokio::test]
async fn the_arguments_of_all_arcs_reach_the_join() {
    let body = "workflow:\n- {step: start, next: [{step: a}, {step: b}]}\n\
                - {step: a, next: [{step: merge, args: {x: 1, both: a}}]}\n\
                - {step: b, next: [{step: merge, args: {y: 2, both: b}}]}\n\
                - {step: merge, tool: {kind: noop, args: {x: \"{{ x }}\", y: \"{{ y }}\", both: \"{{ both }}\"}}}\n";
    let result = run(body).await.completed().report.result;
    assert_eq!(result, json!({"x": 1, "y": 2, "both": "b"}));
}

#[tokio::test]
async fn the_head_of_a_cycle_does_not_wait_for_what_follows_it() {
    let ran = order(&[
        "start -> page",
        "page -> check",
        "check -> page if ctx.page_runs < 3, done if ctx.page_runs == 3",
        "done",
    ])
    .await;
    assert_eq!(
        ran,
        [
            "start", "page", "check", "page", "check", "page", "check", "done"
        ]
    );
}

#[tokio::test]
async fn branches_within_a_cycle_are_joined_each_time() {
    let ran = order(&[
        "start -> head",
        "head -> a, slow",
        "a -> merge",
        "slow -> merge",
        "merge -> head if ctx.merge_runs < 2, done if ctx.merge_runs == 2",
        "done",
    ])
    .await;
    assert_eq!(
        ran,
        [
            "start", "head", "a", "slow", "merge", "head", "a", "slow", "merge", "done"
        ]
    );
}

#[tokio::test]
async fn a_join_waits_for_a_cycle_that_has_begun() {
    let ran = order(&[
        "start -> poll, a",
        "poll -> slow",
        "slow -> poll if ctx.slow_runs < 2, merge if ctx.slow_runs == 2",
        "a -> merge",
        "merge",
    ])
    .await;
    assert_eq!(ran, ["start", "a", "poll", "slow", "poll", "slow", "merge"]);
}

#[tokio::test]
async fn joins_that_wait_for_each_other_go_on_in_the_order_of_arrival() {
    let ran = order(&[
        "start -> x, y",
        "x -> p",
        "y -> q",
        "p -> q if ctx.p_runs == 1",
        "q -> p if ctx.q_runs == 1, done if ctx.p_runs == 2",
        "done",
    ])
    .await;
    assert_eq!(ran, ["start", "x", "y", "p", "q", "p"]);
}

#[test]
fn a_playbook_says_what_a_join_waits_for() {
    let playbook = playbook(
        "workflow:\n- {step: start, next: [{step: a}, {step: b}, {step: b}]}\n- {step: a, next: merge}\n- {step: b, next: merge}\n\
         - {step: merge, tool: {kind: noop}}\n",
    );
    assert_eq!(playbook.joined_by("merge"), ["a", "b"]);
    assert!(playbook.joined_by("b").is_empty());
    assert!(playbook.joined_by("nothing").is_empty());
}
