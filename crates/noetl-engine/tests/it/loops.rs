//! Loops: the order of results, how many iterations run at once, and failures.

use serde_json::json;

use crate::harness::{TestHost, drive, problem_text, run, success};
use noetl_api::EventStatus;
use noetl_engine::Failure;

#[tokio::test]
async fn the_results_of_a_loop_keep_the_order_of_its_items() {
    for mode in [
        "mode: sequential",
        "mode: parallel",
        "mode: async",
        "spec: {mode: parallel, max_in_flight: 2}",
    ] {
        let ran = run(&format!(
            "workload: {{items: [c, a, b]}}
workflow:
- step: each
  loop: {{in: '{{{{ workload.items }}}}', iterator: letter, {mode}}}
  tool: {{kind: noop, args: {{l: '{{{{ letter }}}}', i: '{{{{ loop_index }}}}', n: '{{{{ loop.length }}}}', first: '{{{{ loop.first }}}}', again: '{{{{ iter.letter }}}}'}}}}
"
        ))
        .await
        .completed();
        assert_eq!(
            ran.result("each"),
            json!({
                "results": [
                    {"l": "c", "i": 0, "n": 3, "first": true, "again": "c"},
                    {"l": "a", "i": 1, "n": 3, "first": false, "again": "a"},
                    {"l": "b", "i": 2, "n": 3, "first": false, "again": "b"},
                ],
                "stats": {"total": 3, "success": 3, "failed": 0},
            }),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn a_loop_goes_over_lists_and_the_json_of_lists() {
    for (items, results) in [
        ("[]", json!([])),
        ("'{{ [] }}'", json!([])),
        ("'{{ none }}'", json!([])),
        ("'[1, 2]'", json!([{"x": 1}, {"x": 2}])),
        ("'{{ [{}] | tojson }}'", json!([{"x": {}}])),
        ("'{{ range(3) }}'", json!([{"x": 0}, {"x": 1}, {"x": 2}])),
        ("'{{ {\"k\": 1}.items() }}'", json!([{"x": ["k", 1]}])),
    ] {
        let ran = run(&format!(
            "workflow:\n- step: each\n  loop: {{in: {items}, iterator: x}}\n  tool: {{kind: noop, args: {{x: '{{{{ x }}}}'}}}}\n  next: end\n- {{step: end, tool: {{kind: noop}}}}\n"
        ))
        .await
        .completed();
        assert_eq!(ran.result("each")["results"], results, "{items}");
        assert!(ran.entered().contains(&"end"), "{items}");
        assert_eq!(ran.count("loop.done"), 1);
    }
}

/// Returns the largest number of commands that run at once in a loop over ten items.
fn most_at_once(spec: &str) -> usize {
    let body = format!(
        "workload: {{width: 4}}\nworkflow:\n- step: each\n  loop: {{in: '{{{{ range(10) }}}}', iterator: x, {spec}}}\n  tool: {{kind: noop}}\n"
    );
    let mut machine = noetl_engine::execution::Machine::new(
        crate::harness::playbook(&body),
        "1",
        &serde_json::Map::new(),
    );
    machine.start(None);
    let (mut most, mut done) = (0, 0);
    while let Some(command) = machine.commands().last() {
        most = most.max(machine.commands().count());
        let id = command.id.clone();
        machine.complete(&id, success(json!(done))).unwrap();
        done += 1;
    }
    assert_eq!(done, 10);
    most
}

#[test]
fn max_in_flight_limits_the_iterations_at_once() {
    assert_eq!(most_at_once("mode: sequential"), 1);
    assert_eq!(most_at_once("mode: sequential, max_in_flight: 5"), 1);
    assert_eq!(most_at_once("mode: parallel, max_in_flight: 3"), 3);
    assert_eq!(most_at_once("spec: {mode: parallel, max_in_flight: 2}"), 2);
    assert_eq!(
        most_at_once("mode: parallel, max_in_flight: '{{ width }}'"),
        4
    );
    assert_eq!(most_at_once("mode: parallel, max_in_flight: 100"), 10);
    assert!(most_at_once("mode: parallel") > 1);
}

#[cfg(unix)]
#[tokio::test]
async fn iterations_overlap_up_to_max_in_flight() {
    let host = TestHost::new();
    host.run(
        "workflow:
- step: each
  loop: {in: '{{ range(6) }}', iterator: x, mode: parallel, max_in_flight: 2}
  tool:
    kind: shell
    cmds: |
      mkdir running-{{ x }}
      ls -d running-* | wc -l >> seen
      sleep 0.2
      rmdir running-{{ x }}
",
    )
    .await
    .completed();
    let seen: Vec<usize> = host
        .read("seen")
        .iter()
        .map(|line| line.trim().parse().unwrap())
        .collect();
    assert_eq!(seen.len(), 6);
    assert_eq!(seen.iter().max(), Some(&2), "{seen:?}");
}

#[test]
fn a_failed_iteration_ends_the_loop_and_the_run() {
    let body = "workflow:
- step: each
  loop: {in: [a, b, c], iterator: x}
  tool: {kind: noop}
  next: after
- {step: after, tool: {kind: noop}}
";
    let driven = drive(body, json!({}), |command| {
        if command.iteration == Some(1) {
            noetl_engine::execution::Outcome::failed(Failure::new("exit", "broke"))
        } else {
            success(json!(1))
        }
    });
    assert_eq!(driven.commands.len(), 2);
    assert!(driven.machine.failure().unwrap().message.contains("broke"));
    let done = driven
        .events
        .iter()
        .find(|event| event.name == "loop.done")
        .unwrap();
    assert_eq!(done.status, EventStatus::Failed);
    assert_eq!(
        done.result()["stats"],
        json!({"total": 3, "success": 1, "failed": 1})
    );
}

#[test]
fn a_failed_iteration_that_a_rule_handles_is_counted_and_the_rest_runs() {
    let body = "workflow:
- step: each
  loop: {in: [a, b, c], iterator: x, mode: parallel}
  tool: {kind: noop}
  case: [{when: '{{ error is not none }}', then: {result: {from: '{{ error.message }}'}}}]
  next: after
- {step: after, tool: {kind: noop, args: {failed: '{{ each.stats.failed }}', all: '{{ loop_results.results | length }}'}}}
";
    let driven = drive(body, json!({}), |command| match command.iteration {
        Some(1) => noetl_engine::execution::Outcome::failed(Failure::new("exit", "broke")),
        _ => success(serde_json::Value::Object(command.args.clone())),
    });
    assert_eq!(driven.machine.failure(), None);
    let result = driven.machine.step_result("each").unwrap();
    assert_eq!(result["results"][1], "broke");
    assert_eq!(
        result["stats"],
        json!({"total": 3, "success": 2, "failed": 1})
    );
    assert_eq!(
        serde_json::to_value(driven.commands.last().unwrap()).unwrap()["context"]["each"]["stats"]
            ["failed"],
        1
    );
}

#[tokio::test]
async fn rules_are_applied_to_the_end_of_a_loop_once() {
    let ran = run("workflow:
- step: each
  loop: {in: [1, 2], iterator: x}
  tool: {kind: noop, args: {n: '{{ x }}'}}
  case:
  - when: \"{{ event.name == 'loop.done' }}\"
    then: {next: [{step: after, args: {sum: '{{ response.results | map(attribute=\"n\") | sum }}'}}]}
- {step: after, tool: {kind: noop, args: {sum: '{{ sum }}'}}}
")
    .await
    .completed();
    assert_eq!(ran.entered(), ["each", "after"]);
    assert_eq!(ran.result("after")["sum"], 3);
}

#[tokio::test]
async fn each_iteration_has_its_own_variables() {
    let ran = run("workflow:
- step: each
  loop: {in: [1, 2, 3], iterator: x, mode: parallel}
  tool:
  - name: a
    kind: noop
    args: {n: '{{ x * 10 }}'}
    spec: {policy: {rules: [{else: {then: {do: continue, set_iter: {tens: '{{ outcome.result.n }}'}}}}]}}
  - {name: b, kind: noop, args: {tens: '{{ iter.tens }}', item: '{{ iter.x }}'}}
")
    .await
    .completed();
    let results = ran.result("each")["results"].clone();
    assert_eq!(
        results,
        json!([{"tens": 10, "item": 1}, {"tens": 20, "item": 2}, {"tens": 30, "item": 3}])
    );
    assert_eq!(ran.variable("tens"), json!(null));
}

#[tokio::test]
async fn steps_without_a_tool_can_loop_over_many_items() {
    let ran = run("workflow:\n- step: each\n  loop: {in: '{{ range(20000) }}', iterator: x}\n  args: {n: '{{ x }}'}\n")
        .await
        .completed();
    assert_eq!(ran.result("each")["stats"]["success"], 20_000);
    assert_eq!(ran.result("each")["results"][19_999], json!({"n": 19_999}));
}

#[tokio::test]
async fn a_loop_over_anything_else_is_a_failure_that_says_what_it_is() {
    for (items, message) in [
        ("7", "the number 7"),
        ("{k: v, l: w}", "a mapping with the keys k, l"),
        ("'a,b'", "the text `a,b`"),
        ("'{\"a\": 1}'", "the text `{\"a\": 1}`"),
        ("'{{ true }}'", "a boolean"),
    ] {
        let ran = run(&format!(
            "workflow:\n- step: each\n  loop: {{in: {items}, iterator: x}}\n  tool: {{kind: noop}}\n"
        ))
        .await;
        let failure = ran.failed();
        assert!(failure.contains(message), "{failure}");
        assert!(ran.report.failure.unwrap().help.is_some());
    }
}

/// A table `work` with the numbers 1 to 5.
const WORK: &str = "workflow:
- step: start
  tool: {kind: sqlite, database: w.db, query: \"create table work (id int, taken int default 0); insert into work(id) values (1), (2), (3), (4), (5)\"}
  next: drain
";
const CLAIM: &str = "update work set taken = 1 where id in (select id from work where taken = 0 order by id limit {{ __frame_max_rows | default(1) | int }}) returning id";

#[tokio::test]
async fn a_cursor_claims_rows_until_there_are_none() {
    let ran = TestHost::new()
        .run(&format!(
            "{WORK}- step: drain
  loop:
    cursor: {{kind: sqlite, database: w.db, claim: \"{CLAIM}\"}}
    iterator: row
    spec: {{mode: cursor, max_in_flight: 2, frame: {{max_rows: 2}}}}
  tool: {{kind: noop, args: {{n: \"{{{{ iter.row.id * 10 }}}}\"}}}}
  next: {{arcs: [{{step: done, when: \"{{{{ event.name == 'loop.done' }}}}\"}}]}}
- {{step: done, tool: {{kind: noop, args: {{all: \"{{{{ drain.results | map(attribute='n') | list }}}}\"}}}}}}
"
        ))
        .await
        .completed();
    assert_eq!(ran.result("done"), json!({"all": [10, 20, 30, 40, 50]}));
    // One for the table, three claims with rows, one without.
    let issued = ran
        .events
        .iter()
        .filter(|event| event.name == "command.issued" && event.context["tool"] == "sqlite");
    assert_eq!(issued.count(), 5);
}

#[tokio::test]
async fn a_cursor_may_give_all_rows_of_a_claim_as_one_item() {
    let ran = TestHost::new()
        .run(&format!(
            "{WORK}- step: drain
  loop:
    cursor: {{kind: sqlite, database: w.db, claim: \"{CLAIM}\"}}
    iterator: rows
    spec: {{mode: cursor, frame: {{max_rows: 3, process: frame}}}}
  tool:
  - {{name: a, kind: noop, args: {{ids: \"{{{{ rows | map(attribute='id') | list }}}}\"}}}}
  - {{name: b, kind: noop, args: {{sum: \"{{{{ output.data.ids | sum }}}}\"}}}}
"
        ))
        .await
        .completed();
    let expected = json!([{"sum": 6}, {"sum": 9}]);
    assert_eq!(ran.result("drain")["results"], expected);
}

#[tokio::test]
async fn a_claim_that_fails_fails_its_loop() {
    let ran = run(
        "workflow:\n- step: drain\n  loop: {cursor: {kind: sqlite, database: w.db, claim: select nothing}, spec: {mode: cursor}}\n  tool: {kind: noop}\n",
    )
    .await;
    assert!(ran.failed().contains("nothing"));
    assert_eq!(ran.count("loop.done"), 1);
    for (cursor, message) in [
        ("{kind: nats, claim: x}", "cursor `nats` is not supported"),
        ("{kind: sqlite}", "the cursor has no `claim`"),
    ] {
        let found = problem_text(&format!(
            "workflow:\n- {{step: a, loop: {{cursor: {cursor}, mode: cursor}}, tool: {{kind: noop}}}}\n"
        ));
        assert!(found.contains(message), "{found}");
    }
}
