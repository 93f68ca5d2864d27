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

#[cfg(unix)]
mod pool {
    use std::time::{Duration, Instant};

    use super::*;

    async fn on(host: &TestHost, code: &str) -> Result<Json, Failure> {
        host.run(Python, json!({"code": code})).await
    }

    #[tokio::test]
    async fn a_step_sees_nothing_of_the_one_before() {
        let host = TestHost::new();
        let change = "import os, sys, json, decimal\nos.environ['LEFT'] = '1'\nos.chdir('/')\nsys.modules['left'] = json\n\
                      json.left = 1\ndecimal.getcontext().prec = 3\nsys.path.append('left')\nglobals()['left'] = 1\nresult = os.getppid()";
        let look = "import os, sys, json, decimal\nresult = [os.environ.get('LEFT'), os.getcwd() == '/', 'left' in sys.modules, hasattr(json, 'left'), \
                    decimal.getcontext().prec == 3, 'left' in sys.path, 'left' in globals()]";
        let first = on(&host, change).await.unwrap();
        let seen = on(&host, look).await.unwrap();
        assert_eq!(
            seen,
            json!([null, false, false, false, false, false, false])
        );
        // Both were copies of one interpreter.
        let again = on(&host, "import os\nresult = os.getppid()").await;
        assert_eq!(again.unwrap(), first);
    }

    #[tokio::test]
    async fn a_step_may_have_an_interpreter_of_its_own() {
        let host = TestHost::new();
        let config = json!({"code": "import os\nresult = os.getppid()", "pool": false});
        let parent = host.run(Python, config).await.unwrap();
        assert_eq!(parent, std::process::id());
        let pooled = on(&host, "import os\nresult = os.getppid()").await.unwrap();
        assert_ne!(pooled, std::process::id());
    }

    #[tokio::test]
    async fn a_step_ends_as_a_process_does() {
        let host = TestHost::new();
        let code = "import atexit, threading, time\natexit.register(print, 'last')\n\
                    threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\nresult = 1";
        assert_eq!(on(&host, code).await.unwrap(), 1);
        assert_eq!(host.lines_of(Stream::Out), ["thread", "last"]);
        let killed = on(&host, "import os\nos.kill(os.getpid(), 9)").await;
        let failure = killed.unwrap_err();
        assert_eq!(failure.message, "Python was killed by SIGKILL");
        let left = on(&host, "import os\nos._exit(7)").await.unwrap_err();
        assert_eq!(left.code, Some(json!(7)));
    }

    #[tokio::test]
    async fn files_that_a_step_leaves_open_are_written() {
        let host = TestHost::new();
        let code = "import zipfile, tempfile\nopened = open('global', 'w')\nopened.write('a')\n\
                    class Holder: pass\nholder = Holder()\nholder.me = holder\nholder.file = open('cycle', 'wb')\nholder.file.write(b'b')\n\
                    archive = zipfile.ZipFile('z.zip', 'w')\narchive.writestr('n', 'text')\nprint('no newline', end='')\n\
                    json_module = __import__('json')\njson_module.kept = open('kept', 'w')\njson_module.kept.write('c')";
        on(&host, code).await.unwrap();
        let read = |name: &str| std::fs::read_to_string(host.folder.path().join(name)).unwrap();
        assert_eq!(
            [read("global"), read("cycle"), read("kept")],
            ["a", "b", "c"]
        );
        let look = "import zipfile\nresult = zipfile.ZipFile('z.zip').read('n').decode()";
        assert_eq!(on(&host, look).await.unwrap(), "text");
        assert_eq!(host.lines_of(Stream::Out), ["no newline"]);
    }

    #[tokio::test]
    async fn a_step_that_is_stopped_ends_with_what_it_has_started() {
        let host = TestHost::new();
        // The interpreter is there already.
        on(&host, "result = 1").await.unwrap();
        let code = "import subprocess, time\nsubprocess.Popen(['sh', '-c', 'sleep 0.6; touch child'])\ntime.sleep(0.6)\nopen('step', 'w')";
        let step = on(&host, code);
        let stopped = tokio::time::timeout(Duration::from_millis(250), step).await;
        assert!(stopped.is_err());
        let next = on(&host, "result = 2").await.unwrap();
        assert_eq!(next, 2);
        tokio::time::sleep(Duration::from_millis(700)).await;
        for file in ["child", "step"] {
            assert!(!host.folder.path().join(file).exists(), "{file}");
        }
    }

    #[tokio::test]
    async fn an_interpreter_that_has_ended_is_started_again() {
        let host = TestHost::new();
        let end = "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(5)";
        let failure = on(&host, end).await.unwrap_err();
        assert!(failure.message.contains("has ended"), "{failure}");
        assert_eq!(on(&host, "result = 3").await.unwrap(), 3);
    }

    #[tokio::test]
    async fn steps_run_side_by_side_with_folder_and_environment_of_their_own() {
        let host = TestHost::new();
        std::fs::create_dir(host.folder.path().join("sub")).unwrap();
        let code = "import os, time\ntime.sleep(0.4)\nresult = [os.path.basename(os.getcwd()), os.environ.get('OWN')]";
        let own = json!({"code": code, "cwd": "sub", "env": {"OWN": "a"}});
        let begun = Instant::now();
        let (own, other) = tokio::join!(host.run(Python, own), on(&host, code));
        assert_eq!(own.unwrap(), json!(["sub", "a"]));
        assert_eq!(other.unwrap()[1], Json::Null);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
