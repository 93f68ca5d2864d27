//! Tests of the conventions for python steps.

use serde_json::{Value as Json, json};

use crate::host::Stream;
use crate::playbook::ToolKind::Python;
use crate::tool::tests::TestHost;
use noetl_api::Failure;

async fn run(code: &str, args: Json, context: Json) -> Result<Json, Failure> {
    let host = TestHost::new();
    host.run_with(Python, json!({"code": code}), args, context)
        .await
}

#[tokio::test]
async fn main_gets_args_then_context_then_defaults() {
    let code = "def main(a, b, c=3, *, d, **rest):\n    return [a, b, c, d, rest]";
    let result = run(
        code,
        json!({"a": 1, "e": 5}),
        json!({"a": 9, "b": 2, "d": 4, "f": 6}),
    );
    assert_eq!(result.await.unwrap(), json!([1, 2, 3, 4, {"e": 5}]));
}

#[tokio::test]
async fn main_may_be_asynchronous() {
    let code = "import asyncio\nasync def main(n):\n    await asyncio.sleep(0)\n    return n + 1";
    assert_eq!(run(code, json!({"n": 1}), json!({})).await.unwrap(), 2);
}

#[tokio::test]
async fn a_single_unknown_parameter_gets_all_values() {
    let code = "def main(event):\n    return event";
    let result = run(code, json!({"x": 1}), json!({"x": 0, "y": 2})).await;
    assert_eq!(result.unwrap(), json!({"x": 1, "y": 2}));
}

#[tokio::test]
async fn parameters_with_conventional_names_get_their_values() {
    let code =
        "def main(input_data, context, args=None):\n    return [input_data, context['y'], args]";
    let result = run(code, json!({"x": 1}), json!({"y": 2})).await;
    assert_eq!(result.unwrap(), json!([{"x": 1}, 2, null]));
}

#[tokio::test]
async fn the_result_of_code_without_main_is_a_global_variable() {
    let code = "result = [n * 2, args['n'], input_data['n'], execution_id, context['k']]";
    let result = run(
        code,
        json!({"n": 4}),
        json!({"execution_id": "77", "k": "v"}),
    );
    assert_eq!(result.await.unwrap(), json!([8, 4, 4, "77", "v"]));
    let absent = run("x = 1", json!({}), json!({})).await.unwrap();
    assert_eq!(absent, Json::Null);
    let guarded = "if __name__ == '__main__':\n    result = 'ran'";
    assert_eq!(run(guarded, json!({}), json!({})).await.unwrap(), "ran");
}

#[tokio::test]
async fn a_missing_argument_is_named_in_the_failure() {
    let failure = run("def main(a, b): pass", json!({"a": 1}), json!({})).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.code, Some(json!("TypeError")));
    assert!(failure.message.contains("`b`"), "{failure}");
}

#[tokio::test]
async fn python_values_are_converted_to_json() {
    let code = "
import datetime, decimal, uuid, pathlib, dataclasses, enum, collections
@dataclasses.dataclass
class Point:
    x: int
    when: datetime.date
class Colour(enum.Enum):
    RED = 'red'
result = {
    'date': datetime.datetime(2024, 1, 2, 3, 4, 5), 'decimal': decimal.Decimal('1.5'),
    'tuple': (1, {2}), 'bytes': b'abc', 'raw': b'\\xff', 'uuid': uuid.UUID(int=1),
    'path': pathlib.PurePosixPath('a/b'), 'point': Point(1, datetime.date(2024, 1, 2)),
    'colour': Colour.RED, 'nan': float('nan'), 'inf': float('inf'), 3: (n for n in range(2)),
    True: collections.OrderedDict(a=1), 'text': 'h\\u00e9 \\ud800', 'big': 2**62,
}
";
    let expected = json!({
        "date": "2024-01-02T03:04:05", "decimal": 1.5, "tuple": [1, [2]], "bytes": "abc", "raw": "/w==",
        "uuid": "00000000-0000-0000-0000-000000000001", "path": "a/b",
        "point": {"x": 1, "when": "2024-01-02"}, "colour": "red", "nan": null, "inf": null,
        "3": [0, 1], "true": {"a": 1}, "text": "hé ?", "big": 1_u64 << 62,
    });
    assert_eq!(run(code, json!({}), json!({})).await.unwrap(), expected);
}

#[tokio::test]
async fn the_failure_of_an_exception_names_its_line() {
    let code = "import json\n\ndef main():\n    print('before')\n    raise ValueError('no good')\n";
    let failure = run(code, json!({}), json!({})).await.unwrap_err();
    assert_eq!(failure.kind, "python");
    assert_eq!(failure.code, Some(json!("ValueError")));
    assert_eq!(
        failure.message,
        "ValueError: no good (line 5 of the step's code)"
    );
    let result = failure.result.unwrap();
    assert_eq!(result["stdout"], "before\n");
    let traceback = result["traceback"].as_str().unwrap();
    assert!(
        traceback.contains("raise ValueError('no good')"),
        "{traceback}"
    );
    assert!(!traceback.contains("execute"), "{traceback}");
}

#[tokio::test]
async fn the_failure_of_an_exception_in_a_library_names_the_calling_line() {
    let code = "import json\nresult = json.loads('{')\n";
    let failure = run(code, json!({}), json!({})).await.unwrap_err();
    assert!(
        failure.message.ends_with("(line 2 of the step's code)"),
        "{failure}"
    );
}

#[tokio::test]
async fn failures_of_syntax_errors_and_missing_modules_have_details() {
    let failure = run("x = 1\nif x\n  pass", json!({}), json!({}))
        .await
        .unwrap_err();
    assert_eq!(failure.code, Some(json!("SyntaxError")));
    assert!(
        failure.message.ends_with("(line 2 of the step's code)"),
        "{failure}"
    );
    let failure = run("import no_such_module.inner", json!({}), json!({})).await;
    assert_eq!(
        failure.unwrap_err().help.as_deref(),
        Some("pip install no_such_module")
    );
}

#[tokio::test]
async fn exit_codes_are_results_or_failures() {
    let success = run("import sys\nsys.exit(0)", json!({}), json!({})).await;
    assert_eq!(success.unwrap(), Json::Null);
    let failure = run("import sys\nsys.exit('bad input')", json!({}), json!({})).await;
    let failure = failure.unwrap_err();
    assert_eq!(
        (failure.kind.as_str(), failure.code),
        ("exit", Some(json!(1)))
    );
    assert!(failure.message.ends_with(": bad input"));
    let died = run(
        "import os\nprint('last words', flush=True)\nos._exit(7)",
        json!({}),
        json!({}),
    )
    .await;
    let died = died.unwrap_err();
    assert_eq!((died.kind.as_str(), died.code), ("exit", Some(json!(7))));
    assert_eq!(died.message, "Python exited with code 7: last words");
}

#[tokio::test]
async fn printed_lines_are_forwarded_and_do_not_change_the_result() {
    let host = TestHost::new();
    let code = "import sys, os\ndef main():\n    print('{\"result\": 1}')\n    os.write(1, b'raw\\n')\n    print('to stderr', file=sys.stderr)\n    return sys.stdin.read()";
    let result = host.run(Python, json!({"code": code})).await.unwrap();
    assert_eq!(result, "");
    assert_eq!(host.lines_of(Stream::Out), ["{\"result\": 1}", "raw"]);
    assert_eq!(host.lines_of(Stream::Err), ["to stderr"]);
}

#[tokio::test]
async fn results_that_refer_to_themselves_are_refused() {
    let failure = run("result = []\nresult.append(result)", json!({}), json!({})).await;
    assert!(failure.unwrap_err().message.contains("refers to itself"));
}

#[tokio::test]
async fn code_is_read_from_base64_and_files() {
    let host = TestHost::new();
    let encoded = json!({"code_b64": "cmVzdWx0ID0gNDI=\n"});
    assert_eq!(host.run(Python, encoded).await.unwrap(), 42);
    std::fs::create_dir(host.folder.path().join("scripts")).unwrap();
    std::fs::write(host.folder.path().join("scripts/near.py"), "VALUE = 5").unwrap();
    let code = "from near import VALUE\ndef main(n):\n    return n / (VALUE - 5) if n else VALUE";
    std::fs::write(host.folder.path().join("scripts/step.py"), code).unwrap();
    let script = json!({"script": {"uri": "scripts/step.py", "source": {"type": "file"}}});
    let run = |n: i64| host.run_with(Python, script.clone(), json!({"n": n}), json!({}));
    assert_eq!(run(0).await.unwrap(), 5);
    let failure = run(1).await.unwrap_err();
    assert!(failure.message.contains("line 3"), "{failure}");
    let remote = json!({"script": {"uri": "x", "source": {"type": "gcs"}}});
    let failure = host.run(Python, remote).await.unwrap_err();
    assert!(failure.message.contains("`gcs`"));
}

#[tokio::test]
async fn a_missing_python_is_named_in_the_failure() {
    let mut host = TestHost::new();
    host.tool_environment.python = Some("/nowhere/python3".into());
    let failure = host.run(Python, json!({"code": "1"})).await.unwrap_err();
    assert_eq!(failure.kind, "python");
    assert_eq!(
        failure.message,
        "no Python on this machine: looked for `/nowhere/python3`"
    );
    assert!(failure.help.unwrap().starts_with("install Python 3"));
}
