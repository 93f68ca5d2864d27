//! Sinks: results saved to files and tables, in each of the forms of a sink.

use noetl_engine::ToolKind;
use serde_json::json;

use crate::harness::{TestHost, playbook, run};

#[tokio::test]
async fn a_sink_to_the_event_log_needs_only_its_name() {
    for sink in [
        "{tool: {kind: event_log}}",
        "{tool: event_log}",
        "{backend: event_log}",
        "{tool: {kind: event_log, args: {x: 1}}}",
    ] {
        let ran = run(&format!(
            "workflow: [{{step: a, tool: {{kind: noop, args: {{n: 1}}}}, sink: {sink}}}]\n"
        ))
        .await
        .completed();
        assert_eq!(ran.count("sink.executed"), 1, "{sink}");
        assert_eq!(ran.result("a"), json!({"n": 1}), "{sink}");
    }
}

#[tokio::test]
async fn files_are_written_in_their_format() {
    let host = TestHost::new();
    let body = "workflow:
- step: rows
  tool: {kind: python, code: \"result = [{'a': 1, 'b': 'x,y'}, {'a': 2, 'b': None}]\"}
  case:
  - when: \"{{ event.name == 'call.done' }}\"
    then:
    - sink: {target: {type: file, path: out/rows.csv}, data: '{{ response }}'}
    - sink: {tool: {kind: file, path: rows.json, data: '{{ response }}'}}
    - sink: {tool: {kind: sink, target: {type: file, path: rows.jsonl}, from: '{{ response }}'}}
    - next: second
- step: second
  tool: {kind: noop, args: {word: last}}
  sink: {target: {type: file, path: word.json}}
";
    let ran = host.run(body).await.completed();
    assert_eq!(ran.count("sink.executed"), 4);
    assert_eq!(host.read("out/rows.csv"), ["a,b", "1,\"x,y\"", "2,"]);
    assert_eq!(
        host.read("rows.jsonl"),
        ["{\"a\":1,\"b\":\"x,y\"}", "{\"a\":2,\"b\":null}"]
    );
    let json = |name: &str| {
        serde_json::from_str::<serde_json::Value>(&host.read(name).join("\n")).unwrap()
    };
    assert_eq!(
        json("rows.json"),
        json!([{"a": 1, "b": "x,y"}, {"a": 2, "b": null}])
    );
    assert_eq!(json("word.json"), json!({"word": "last"}));
    assert_eq!(ran.entered(), ["rows", "second"]);
}

#[tokio::test]
async fn tables_of_sqlite_are_written_and_upserted() {
    let host = TestHost::new();
    let body = "workflow:
- step: make
  tool: {kind: sqlite, database: t.db, query: 'create table r (id integer primary key, word text)'}
  next: rows
- step: rows
  tool: {kind: python, code: \"result = [{'id': 1, 'word': 'one'}, {'id': 2, 'word': 'two'}]\"}
  sink: {tool: {kind: sqlite, database: t.db, table: r, data: '{{ response }}'}}
  next: change
- step: change
  tool: {kind: noop, args: {id: 2, word: deux}}
  sink: {target: {type: sqlite, database: t.db, table: r, mode: upsert, key: id}}
  next: read
- step: read
  tool: {kind: sqlite, database: t.db, query: 'select id, word from r order by id'}
";
    let ran = host.run(body).await.completed();
    let rows = ran.result("read");
    let text = rows.to_string();
    assert!(
        text.contains("\"one\"") && text.contains("\"deux\"") && !text.contains("\"two\""),
        "{text}"
    );
}

#[test]
fn all_forms_of_a_postgres_sink_are_read_into_one() {
    for sink in [
        "{tool: {kind: postgres, auth: pg, table: t, mode: upsert, key: id, args: {id: '{{ response.id }}'}}}",
        "{tool: postgres, auth: pg, table: t, mode: upsert, key: id, args: {id: '{{ response.id }}'}}",
        "{backend: postgres, auth: pg, table: t, mode: upsert, key: id, args: {id: '{{ response.id }}'}}",
    ] {
        let read = playbook(&format!(
            "workflow: [{{step: a, tool: {{kind: noop}}, sink: {sink}}}]\n"
        ));
        let task = read.steps[0].sink.as_ref().unwrap();
        assert_eq!(task.kind, ToolKind::Sink, "{sink}");
        for (key, value) in [
            ("table", "t"),
            ("auth", "pg"),
            ("mode", "upsert"),
            ("key", "id"),
        ] {
            assert_eq!(task.config.value[key], value, "{sink}");
        }
        let args: Vec<_> = task.args.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(args, ["id"], "{sink}");
    }
    let sql = playbook(
        "workflow: [{step: a, tool: {kind: noop}, sink: {tool: {kind: postgres, auth: pg, command: 'insert into t values (1)'}}}]",
    );
    assert_eq!(sql.steps[0].sink.as_ref().unwrap().kind, ToolKind::Postgres);
}

#[tokio::test]
async fn a_sink_that_fails_fails_the_step() {
    for (sink, expected) in [
        ("{tool: {kind: postgres, auth: gone, table: t}}", "gone"),
        ("{target: {type: file}}", "path"),
        ("{target: {type: ftp, path: x}}", "ftp"),
        (
            "{tool: {kind: sqlite, database: t.db, table: missing}}",
            "missing",
        ),
    ] {
        let body = format!(
            "workflow: [{{step: a, tool: {{kind: noop, args: {{n: 1}}}}, sink: {sink}, next: b}}, {{step: b, tool: {{kind: noop}}}}]\n"
        );
        let ran = run(&body).await;
        assert!(ran.failed().contains(expected), "{sink}: {}", ran.failed());
        assert!(ran.failed().contains("step `a`"), "{}", ran.failed());
        assert_eq!(ran.count("sink.failed"), 1, "{sink}");
        assert_eq!(ran.entered(), ["a"], "{sink}");
    }
}
