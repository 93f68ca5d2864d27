//! Pages: gathered whole whatever the shape of the service, retried one by one, and bounded.

use noetl_engine::Failure;
use noetl_engine::execution::{Command, Outcome};
use serde_json::{Map, Value, json};

use crate::stage::{Fed, feed, gave};

/// An HTTP tool's result.
fn response(data: Value) -> Outcome {
    gave(json!({"status_code": 200, "status": 200, "headers": {}, "data": data}))
}

fn number(command: &Command, name: &str, otherwise: u64) -> u64 {
    let params = command
        .overrides
        .get("params")
        .and_then(|params| params.get(name));
    params.and_then(Value::as_u64).unwrap_or(otherwise)
}

/// Items `from..to` of 35.
fn items(from: u64, to: u64) -> Value {
    (from..to.min(35)).map(|id| json!({"id": id + 1})).collect()
}

/// A service that numbers its pages.
fn by_page(command: &Command) -> Outcome {
    let page = number(command, "page", 1);
    response(json!({
        "data": items((page - 1) * 10, page * 10),
        "paging": {"page": page, "pageSize": 10, "hasMore": page < 4},
    }))
}

#[track_caller]
fn ids(fed: &Fed, step: &str) -> Vec<u64> {
    if let Some(failure) = fed.machine.failure() {
        panic!("{failure}");
    }
    let result = fed.machine.step_result(step).unwrap();
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
fn pages_by_number_are_gathered() {
    let fed = feed(&pages("", PAGE), json!({}), by_page);
    assert_eq!(ids(&fed, "fetch"), all());
    assert_eq!(fed.commands.len(), 5);
    assert_eq!(
        fed.machine.variables()["pages"].as_array().unwrap().len(),
        35
    );
    let asked = fed.commands[1].overrides["params"].clone();
    assert_eq!(asked, json!({"page": 2, "pageSize": 10}));
    assert_eq!(fed.commands[4].step, "check");
}

#[test]
fn pages_by_offset_and_cursor_are_gathered() {
    let offset = "workflow:
- step: fetch
  tool: {kind: http, url: http://x, params: {offset: 0, limit: 10}}
  case:
  - when: \"{{ event.name == 'call.done' and response is defined and response.has_more == true }}\"
    then: {collect: {strategy: append, path: users, into: pages}, retry: {max_attempts: 10, params: {offset: '{{ (response.offset | int) + (response.limit | int) }}', limit: '{{ response.limit }}'}}}
  - when: \"{{ event.name == 'call.done' and response is defined and response.has_more != true }}\"
    then: {collect: {strategy: append, path: users, into: pages}}
";
    let fed = feed(offset, json!({}), |command| {
        let from = number(command, "offset", 0);
        response(
            json!({"users": items(from, from + 10), "offset": from, "limit": 10, "has_more": from + 10 < 35}),
        )
    });
    assert_eq!(ids(&fed, "fetch"), all());
    let cursor = "workflow:
- step: fetch
  tool: {kind: http, url: http://x, params: {limit: 10}}
  case:
  - when: \"{{ event.name == 'call.done' and response is defined and response.next_cursor is not none and response.next_cursor != '' }}\"
    then: {collect: {strategy: append, path: events, into: pages}, retry: {max_attempts: 10, params: {cursor: '{{ response.next_cursor }}'}}}
  - when: \"{{ event.name == 'call.done' and response is defined and (response.next_cursor is none or response.next_cursor == '') }}\"
    then: {collect: {strategy: append, path: events, into: pages}}
";
    let fed = feed(cursor, json!({}), |command| {
        let given = command
            .overrides
            .get("params")
            .and_then(|params| params["cursor"].as_str());
        let from: u64 = given.map_or(0, |cursor| cursor.trim_start_matches('c').parse().unwrap());
        let next = (from + 10 < 35).then(|| format!("c{}", from + 10));
        response(json!({"events": items(from, from + 10), "next_cursor": next}))
    });
    assert_eq!(ids(&fed, "fetch"), all());
}

#[test]
fn a_page_that_fails_is_asked_for_again_and_none_is_lost() {
    let retry_errors =
        "  - when: \"{{ event.name == 'call.error' and error.status in [500, 503] }}\"
    then: {retry: {max_attempts: 3, backoff_multiplier: 2.0, initial_delay: 0.5}}";
    let mut failed = 0;
    let fed = feed(&pages(retry_errors, PAGE), json!({}), |command| {
        if number(command, "page", 1) == 2 && failed < 2 {
            failed += 1;
            return Outcome::failed(Failure {
                status: Some(503),
                ..Failure::passing("server_error", "HTTP 503")
            });
        }
        by_page(command)
    });
    assert_eq!(ids(&fed, "fetch"), all());
    assert_eq!(fed.commands.len(), 7);
    let asked: Vec<_> = fed.commands[..6]
        .iter()
        .map(|command| number(command, "page", 1))
        .collect();
    assert_eq!(asked, [1, 2, 2, 2, 3, 4]);
    let delays: Vec<_> = fed.commands[..6]
        .iter()
        .map(|command| command.delay_ms)
        .collect();
    assert_eq!(delays, [0, 0, 500, 1000, 0, 0]);
}

#[test]
fn a_page_that_fails_for_good_fails_the_step() {
    let retry_errors =
        "  - when: '{{ error is not none }}'\n    then: {retry: {max_attempts: 2, delay: 0}}";
    let fed = feed(&pages(retry_errors, PAGE), json!({}), |command| {
        if number(command, "page", 1) == 3 {
            return Outcome::failed(Failure::passing("server_error", "HTTP 500"));
        }
        by_page(command)
    });
    assert!(fed.machine.failure().unwrap().message.contains("HTTP 500"));
    assert_eq!(fed.commands.len(), 4);
}

#[test]
fn max_attempts_caps_the_pages_and_what_came_is_kept() {
    let fed = feed(&pages("", &PAGE.replace("10,", "3,")), json!({}), by_page);
    assert_eq!(ids(&fed, "fetch"), (1..=30).collect::<Vec<_>>());
    assert_eq!(
        fed.commands
            .iter()
            .filter(|command| command.step == "fetch")
            .count(),
        3
    );
}

#[test]
fn a_service_that_never_ends_is_a_failure_after_a_hundred_pages() {
    let endless = PAGE.replace("max_attempts: 10, ", "");
    let fed = feed(&pages("", &endless), json!({}), |command| {
        let page = number(command, "page", 1);
        response(
            json!({"data": [{"id": page}], "paging": {"page": page, "pageSize": 10, "hasMore": true}}),
        )
    });
    let asked = fed
        .commands
        .iter()
        .filter(|command| command.step == "fetch");
    assert_eq!(asked.count(), 100);
    // Less than all of it, without a word, would be worse.
    let failure = fed.machine.failure().unwrap();
    assert!(failure.message.contains("100 pages"), "{failure}");
    assert!(
        failure.help.as_deref().unwrap().contains("max_attempts"),
        "{failure:?}"
    );
}

#[test]
fn each_item_of_a_loop_has_pages_of_its_own() {
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
        let fed = feed(&body, json!({}), |command| {
            if command.step == "check" {
                return gave(Value::Object(command.args.clone()));
            }
            let size = [10, 15, 20][command.iteration.unwrap()];
            let page = number(command, "page", 1);
            response(
                json!({"data": items((page - 1) * size, page * size), "paging": {"page": page, "hasMore": page * size < 35}}),
            )
        });
        assert_eq!(fed.machine.failure(), None);
        let result = fed.machine.step_result("fetch").unwrap();
        let lengths: Vec<_> = result["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pages| pages.as_array().unwrap().len())
            .collect();
        assert_eq!(lengths, [35, 35, 35], "{mode}");
        assert_eq!(fed.commands.last().unwrap().step, "check");
    }
}

#[test]
fn strategies_and_missing_paths() {
    let body = |collect: &str| {
        format!(
            "workflow:\n- step: fetch\n  tool: {{kind: noop}}\n  case: [{{when: 'true', then: [{{collect: {{{collect}}}}}]}}]\n"
        )
    };
    let page = || gave(json!({"rows": [1, 2], "one": 5, "deep": [{"x": [7]}]}));
    for (collect, expected) in [
        ("path: rows", json!([1, 2])),
        ("path: one", json!([5])),
        ("path: deep.0.x", json!([7])),
        ("strategy: replace, path: rows", json!([1, 2])),
        ("mode: extend, path: rows", json!([1, 2])),
    ] {
        let fed = feed(&body(collect), json!({}), |_| page());
        assert_eq!(
            fed.machine.step_result("fetch").unwrap(),
            expected,
            "{collect}"
        );
    }
    let fed = feed(&body("path: gone.deeper"), json!({}), |_| page());
    assert!(
        fed.machine
            .failure()
            .unwrap()
            .message
            .contains("gone.deeper")
    );
    let said = crate::stage::said(&body("strategy: sideways, path: x"));
    assert!(
        said.contains("none of append, extend and replace"),
        "{said}"
    );
}

#[test]
fn other_fields_than_params_can_differ_from_page_to_page() {
    let body = "workflow:
- step: fetch
  tool: {kind: http, url: 'http://x/1'}
  case:
  - when: '{{ response.next }}'
    then: [{collect: {path: rows}}, {retry: {url: '{{ response.next }}', headers: {a: '{{ response.n }}'}}}]
  - when: 'true'
    then: {collect: {path: rows}}
";
    let fed = feed(body, json!({}), |command| {
        match command.overrides.get("url") {
            None => response(json!({"rows": [1], "n": 1, "next": "http://x/2"})),
            Some(_) => response(json!({"rows": [2]})),
        }
    });
    assert_eq!(fed.machine.step_result("fetch").unwrap(), json!([1, 2]));
    let expected = json!({"url": "http://x/2", "headers": {"a": 1}});
    assert_eq!(Value::Object(fed.commands[1].overrides.clone()), expected);
    assert_eq!(fed.commands[0].overrides, Map::new());
}
