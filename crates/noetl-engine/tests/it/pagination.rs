//! Pagination: pages by number, offset and cursor, their retries and their limit.

use noetl_engine::Failure;
use noetl_engine::execution::{Command, Outcome};
use serde_json::{Map, Value, json};

use crate::harness::{DrivenMachine, drive, success};

/// Returns an HTTP tool's result.
fn response(data: Value) -> Outcome {
    success(json!({"status_code": 200, "status": 200, "headers": {}, "data": data}))
}

fn number(command: &Command, name: &str, otherwise: u64) -> u64 {
    let params = command
        .overrides
        .get("params")
        .and_then(|params| params.get(name));
    params.and_then(Value::as_u64).unwrap_or(otherwise)
}

/// Returns items `from..to` of 35.
fn items(from: u64, to: u64) -> Value {
    (from..to.min(35)).map(|id| json!({"id": id + 1})).collect()
}

/// Answers like a service with numbered pages.
fn by_page(command: &Command) -> Outcome {
    let page = number(command, "page", 1);
    response(json!({
        "data": items((page - 1) * 10, page * 10),
        "paging": {"page": page, "pageSize": 10, "hasMore": page < 4},
    }))
}

#[track_caller]
fn ids(driven: &DrivenMachine, step: &str) -> Vec<u64> {
    if let Some(failure) = driven.machine.failure() {
        panic!("{failure}");
    }
    let result = driven.machine.step_result(step).unwrap();
    let items = result.as_array().unwrap_or_else(|| panic!("{result}"));
    items
        .iter()
        .map(|item| item["id"].as_u64().unwrap())
        .collect()
}

fn all() -> Vec<u64> {
    (1..=35).collect()
}

fn pages(more: &str, retry: &str) -> String {
    format!(
        "workload: {{api: 'http://x'}}
workflow:
- step: fetch
  tool: {{kind: http, url: '{{{{ workload.api }}}}/items', params: {{page: 1, pageSize: 10}}}}
  case:
{more}
  - when: \"{{{{ event.name == 'call.done' and response.paging.hasMore == true }}}}\"
    then: {{collect: {{strategy: append, path: data, into: pages}}, retry: {{{retry}}}}}
  - when: \"{{{{ event.name == 'call.done' and response.paging.hasMore != true }}}}\"
    then: {{collect: {{strategy: append, path: data, into: pages}}, next: [{{step: check}}]}}
- {{step: check, tool: {{kind: noop, args: {{n: '{{{{ fetch | length }}}}', pages: '{{{{ pages | length }}}}'}}}}}}
"
    )
}

const PAGE: &str = "max_attempts: 10, params: {page: '{{ (response.paging.page | int) + 1 }}', pageSize: '{{ response.paging.pageSize }}'}";

#[test]
fn pages_by_number_are_collected() {
    let driven = drive(&pages("", PAGE), json!({}), by_page);
    assert_eq!(ids(&driven, "fetch"), all());
    assert_eq!(driven.commands.len(), 5);
    assert_eq!(
        driven.machine.variables()["pages"]
            .as_array()
            .unwrap()
            .len(),
        35
    );
    let asked = driven.commands[1].overrides["params"].clone();
    assert_eq!(asked, json!({"page": 2, "pageSize": 10}));
    assert_eq!(driven.commands[4].step, "check");
}

#[test]
fn pages_by_offset_and_cursor_are_collected() {
    let offset = "workflow:
- step: fetch
  tool: {kind: http, url: http://x, params: {offset: 0, limit: 10}}
  case:
  - when: \"{{ event.name == 'call.done' and response is defined and response.has_more == true }}\"
    then: {collect: {strategy: append, path: users, into: pages}, retry: {max_attempts: 10, params: {offset: '{{ (response.offset | int) + (response.limit | int) }}', limit: '{{ response.limit }}'}}}
  - when: \"{{ event.name == 'call.done' and response is defined and response.has_more != true }}\"
    then: {collect: {strategy: append, path: users, into: pages}}
";
    let driven = drive(offset, json!({}), |command| {
        let from = number(command, "offset", 0);
        response(
            json!({"users": items(from, from + 10), "offset": from, "limit": 10, "has_more": from + 10 < 35}),
        )
    });
    assert_eq!(ids(&driven, "fetch"), all());
    let cursor = "workflow:
- step: fetch
  tool: {kind: http, url: http://x, params: {limit: 10}}
  case:
  - when: \"{{ event.name == 'call.done' and response is defined and response.next_cursor is not none and response.next_cursor != '' }}\"
    then: {collect: {strategy: append, path: events, into: pages}, retry: {max_attempts: 10, params: {cursor: '{{ response.next_cursor }}'}}}
  - when: \"{{ event.name == 'call.done' and response is defined and (response.next_cursor is none or response.next_cursor == '') }}\"
    then: {collect: {strategy: append, path: events, into: pages}}
";
    let driven = drive(cursor, json!({}), |command| {
        let given = command
            .overrides
            .get("params")
            .and_then(|params| params["cursor"].as_str());
        let from: u64 = given.map_or(0, |cursor| cursor.trim_start_matches('c').parse().unwrap());
        let next = (from + 10 < 35).then(|| format!("c{}", from + 10));
        response(json!({"events": items(from, from + 10), "next_cursor": next}))
    });
    assert_eq!(ids(&driven, "fetch"), all());
}

#[test]
fn a_page_that_fails_is_requested_again() {
    let retry_errors =
        "  - when: \"{{ event.name == 'call.error' and error.status in [500, 503] }}\"
    then: {retry: {max_attempts: 3, backoff_multiplier: 2.0, initial_delay: 0.5}}";
    let mut failed = 0;
    let driven = drive(&pages(retry_errors, PAGE), json!({}), |command| {
        if number(command, "page", 1) == 2 && failed < 2 {
            failed += 1;
            return Outcome::failed(Failure {
                status: Some(503),
                ..Failure::retryable("server_error", "HTTP 503")
            });
        }
        by_page(command)
    });
    assert_eq!(ids(&driven, "fetch"), all());
    assert_eq!(driven.commands.len(), 7);
    let asked: Vec<_> = driven.commands[..6]
        .iter()
        .map(|command| number(command, "page", 1))
        .collect();
    assert_eq!(asked, [1, 2, 2, 2, 3, 4]);
    let delays: Vec<_> = driven.commands[..6]
        .iter()
        .map(|command| command.delay_ms)
        .collect();
    assert_eq!(delays, [0, 0, 500, 1000, 0, 0]);
}

#[test]
fn a_page_that_fails_at_every_attempt_fails_the_step() {
    let retry_errors =
        "  - when: '{{ error is not none }}'\n    then: {retry: {max_attempts: 2, delay: 0}}";
    let driven = drive(&pages(retry_errors, PAGE), json!({}), |command| {
        if number(command, "page", 1) == 3 {
            return Outcome::failed(Failure::retryable("server_error", "HTTP 500"));
        }
        by_page(command)
    });
    assert!(
        driven
            .machine
            .failure()
            .unwrap()
            .message
            .contains("HTTP 500")
    );
    assert_eq!(driven.commands.len(), 4);
}

#[test]
fn max_attempts_limits_the_pages_and_keeps_the_received_ones() {
    let driven = drive(&pages("", &PAGE.replace("10,", "3,")), json!({}), by_page);
    assert_eq!(ids(&driven, "fetch"), (1..=30).collect::<Vec<_>>());
    assert_eq!(
        driven
            .commands
            .iter()
            .filter(|command| command.step == "fetch")
            .count(),
        3
    );
}

#[test]
fn more_than_a_hundred_pages_without_max_attempts_are_a_failure() {
    let endless = PAGE.replace("max_attempts: 10, ", "");
    let driven = drive(&pages("", &endless), json!({}), |command| {
        let page = number(command, "page", 1);
        response(
            json!({"data": [{"id": page}], "paging": {"page": page, "pageSize": 10, "hasMore": true}}),
        )
    });
    let asked = driven
        .commands
        .iter()
        .filter(|command| command.step == "fetch");
    assert_eq!(asked.count(), 100);
    // Without `max_attempts`, some of the pages must not be returned as if they were all.
    let failure = driven.machine.failure().unwrap();
    assert!(failure.message.contains("100 pages"), "{failure}");
    assert!(
        failure.help.as_deref().unwrap().contains("max_attempts"),
        "{failure:?}"
    );
}

#[test]
fn each_item_of_a_loop_has_its_own_pages() {
    for mode in ["sequential", "parallel"] {
        let body = format!("workload: {{sizes: [10, 15, 20]}}
workflow:
- step: fetch
  loop: {{in: '{{{{ workload.sizes }}}}', iterator: size, mode: {mode}}}
  tool: {{kind: http, url: http://x, params: {{page: 1, pageSize: '{{{{ size }}}}'}}}}
  case:
  - when: \"{{{{ event.name == 'call.done' and response.data.paging.hasMore == true }}}}\"
    then: {{collect: {{strategy: append, path: data.data}}, retry: {{params: {{page: '{{{{ (response.data.paging.page | int) + 1 }}}}'}}}}}}
  - when: \"{{{{ event.name == 'call.done' and response.data.paging.hasMore != true }}}}\"
    then: {{collect: {{strategy: append, path: data.data}}}}
  - when: \"{{{{ event.name == 'loop.done' }}}}\"
    then: {{next: [{{step: check}}]}}
- {{step: check, tool: {{kind: noop, args: {{n: '{{{{ loop_results.stats.total }}}}'}}}}}}
");
        let driven = drive(&body, json!({}), |command| {
            if command.step == "check" {
                return success(Value::Object(command.args.clone()));
            }
            let size = [10, 15, 20][command.iteration.unwrap()];
            let page = number(command, "page", 1);
            response(
                json!({"data": items((page - 1) * size, page * size), "paging": {"page": page, "hasMore": page * size < 35}}),
            )
        });
        assert_eq!(driven.machine.failure(), None);
        let result = driven.machine.step_result("fetch").unwrap();
        let lengths: Vec<_> = result["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pages| pages.as_array().unwrap().len())
            .collect();
        assert_eq!(lengths, [35, 35, 35], "{mode}");
        assert_eq!(driven.commands.last().unwrap().step, "check");
    }
}

#[test]
fn strategies_and_missing_paths() {
    let body = |collect: &str| {
        format!(
            "workflow:\n- step: fetch\n  tool: {{kind: noop}}\n  case: [{{when: 'true', then: [{{collect: {{{collect}}}}}]}}]\n"
        )
    };
    let page = || success(json!({"rows": [1, 2], "one": 5, "deep": [{"x": [7]}]}));
    for (collect, expected) in [
        ("path: rows", json!([1, 2])),
        ("path: one", json!([5])),
        ("path: deep.0.x", json!([7])),
        ("strategy: replace, path: rows", json!([1, 2])),
        ("mode: extend, path: rows", json!([1, 2])),
    ] {
        let driven = drive(&body(collect), json!({}), |_| page());
        assert_eq!(
            driven.machine.step_result("fetch").unwrap(),
            expected,
            "{collect}"
        );
    }
    let driven = drive(&body("path: gone.deeper"), json!({}), |_| page());
    assert!(
        driven
            .machine
            .failure()
            .unwrap()
            .message
            .contains("gone.deeper")
    );
    let reported = crate::harness::problem_text(&body("strategy: sideways, path: x"));
    assert!(
        reported.contains("none of append, extend and replace"),
        "{reported}"
    );
}

#[test]
fn any_field_can_differ_from_page_to_page() {
    let body = "workflow:
- step: fetch
  tool: {kind: http, url: 'http://x/1'}
  case:
  - when: '{{ response.next }}'
    then: [{collect: {path: rows}}, {retry: {url: '{{ response.next }}', headers: {a: '{{ response.n }}'}}}]
  - when: 'true'
    then: {collect: {path: rows}}
";
    let driven = drive(body, json!({}), |command| {
        match command.overrides.get("url") {
            None => response(json!({"rows": [1], "n": 1, "next": "http://x/2"})),
            Some(_) => response(json!({"rows": [2]})),
        }
    });
    assert_eq!(driven.machine.step_result("fetch").unwrap(), json!([1, 2]));
    let expected = json!({"url": "http://x/2", "headers": {"a": 1}});
    assert_eq!(
        Value::Object(driven.commands[1].overrides.clone()),
        expected
    );
    assert_eq!(driven.commands[0].overrides, Map::new());
}
