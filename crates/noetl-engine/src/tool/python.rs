//! The `python` tool: code in a Python process of its own.

mod request;

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value as Json, json};
#[cfg(unix)]
use tokio::io::AsyncReadExt as _;

use self::request::{Request, to_json_text, visible_context};
use super::call::Call;
use super::process::{self, Finished, Job, OUTPUT_LIMIT};
#[cfg(unix)]
use super::process::{StepProcesses, Streams, follow, write_input};
use super::script::{self, Script};
use crate::host::Host;
use crate::interpreters::RUNNER;
#[cfg(unix)]
use crate::interpreters::{Key, read_status};
use noetl_api::{Failure, Place};

/// The exit code of the `python3` that Windows has when Python is not installed; it opens the store.
const STORE_STUB: i64 = 9009;

/// The answer of the runner.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    result: Json,
    error: Option<Exception>,
    exit: Option<i64>,
    message: Option<String>,
}

/// An exception of the step's code.
#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    line: Option<usize>,
    traceback: String,
    module: Option<String>,
}

/// The code of a step and where it comes from.
#[derive(Debug)]
struct Source {
    code: String,
    filename: String,
    /// The folder of a script file, in which its imports are searched as well.
    folder: Option<String>,
}

/// Runs the step's code and returns its result.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let source = source(call, host).await?;
    let folder = match tempfile::Builder::new().prefix("noetl-").tempdir() {
        Ok(folder) => folder,
        Err(error) => return Err(no_answer_folder(&error, call, host).await),
    };
    let answer = folder.path().join("answer.json");
    let env = process::environment(call)?.into_iter();
    #[cfg(unix)]
    let mut processes = StepProcesses::new(host);
    #[cfg(unix)]
    let env = env.chain([processes.variable()]);
    let context = visible_context(&source.code, call);
    let request = Request {
        code: &source.code,
        filename: &source.filename,
        folder: source.folder.as_deref(),
        args: call.args,
        context: &context,
        libs: call.config.get("libs"),
        answer: &answer.to_string_lossy(),
        cwd: call
            .text("cwd")
            .map(|path| host.tool_environment().resolve(&path)),
        env: env.collect(),
    };
    let request = to_json_text(&request)
        .map(Arc::new)
        .map_err(|error| Failure::new("python", error.to_string()))?;
    let finished = match run_in_pool(&request, call, host).await? {
        Some(finished) => finished,
        None => {
            let job = Job {
                arguments: ["-u", "-c", RUNNER].map(OsString::from).into(),
                input: request,
                limit: OUTPUT_LIMIT,
                forward_stdout: true,
                ..Job::default()
            };
            run_interpreter(job, call, host)
                .await?
                .ok_or_else(|| no_python(host))?
        }
    };
    #[cfg(unix)]
    processes.release();
    match tokio::fs::read(&answer).await {
        Ok(bytes) if finished.code() == 0 => read_answer(&bytes, finished, call),
        _ => Err(Failure {
            result: Some(json!({
                "stdout": finished.stdout, "stderr": finished.stderr, "exit_code": finished.code(),
            })),
            ..interpreter_failure(&finished)
        }),
    }
}

/// Runs the step in a copy of an interpreter that stays. None when the pool cannot run it, or must not: `pool: false`.
#[cfg(unix)]
async fn run_in_pool(
    request: &Arc<Vec<u8>>,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Option<Finished>, Failure> {
    if call.config.get("pool") == Some(&Json::Bool(false)) {
        return Ok(None);
    }
    if let Some(folder) = process::folder(call, host)
        && !folder.is_dir()
    {
        return Ok(None);
    }
    for program in interpreters(host) {
        let ran = run_in_interpreter(program, Arc::clone(request), call, host);
        if let Some(finished) = ran.await? {
            return Ok(Some(finished));
        }
    }
    Ok(None)
}

/// Runs a step in a copy of this interpreter. None when the pool has none: the program is missing, or too old for a pool.
///
/// Dropping the future kills the step and what it has started.
#[cfg(unix)]
async fn run_in_interpreter(
    program: OsString,
    request: Arc<Vec<u8>>,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Option<Finished>, Failure> {
    let environment = host.tool_environment();
    let key = Key {
        program,
        folder: environment.folder.clone(),
        hidden: environment.hidden_environment.clone(),
    };
    let Ok(step) = environment.python_pool.start_step(&key) else {
        return Ok(None);
    };
    let mut status = step.status;
    let mut how = Vec::new();
    let streams = Streams {
        input: write_input(Some(step.input), request),
        stdout: Some(step.stdout),
        stderr: Some(step.stderr),
        ended: async {
            status.read_to_end(&mut how).await?;
            read_status(&how)
        },
    };
    match follow(streams, (OUTPUT_LIMIT, true), call, host).await {
        // The interpreter has ended before it could start the step.
        Err(_) if how.is_empty() => {
            environment.python_pool.forget(&key);
            Ok(None)
        }
        followed => followed.map(Some),
    }
}

#[cfg(not(unix))]
async fn run_in_pool(
    _: &Arc<Vec<u8>>,
    _: &Call<'_>,
    _: &dyn Host,
) -> Result<Option<Finished>, Failure> {
    Ok(None)
}

fn interpreter_failure(finished: &Finished) -> Failure {
    let failure = finished.failure();
    Failure {
        message: format!("Python {}", failure.message),
        ..failure
    }
}

/// Returns the result that the runner wrote, or the failure.
fn read_answer(answer: &[u8], finished: Finished, call: &Call<'_>) -> Result<Json, Failure> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| {
        Failure::new(
            "python",
            format!("the step's result cannot be read as JSON: {error}"),
        )
    })?;
    if let Some(exception) = answer.error {
        let place = exception.place(call);
        let failure = exception.into_failure(finished.stdout);
        return Err(match place {
            Some(place) => failure.at(&place),
            None => failure,
        });
    }
    let Some(code) = answer.exit else {
        return Ok(answer.result);
    };
    let message = format!("the step's code exited with code {code}");
    Err(Failure {
        code: Some(Json::from(code)),
        result: Some(json!({
            "stdout": finished.stdout, "stderr": finished.stderr, "exit_code": code,
        })),
        ..Failure::new(
            "exit",
            answer
                .message
                .map_or_else(|| message.clone(), |text| format!("{message}: {text}")),
        )
    })
}

impl Exception {
    /// Returns where the playbook has the line of code that failed, if the code is written there.
    fn place(&self, call: &Call<'_>) -> Option<Place> {
        let line = call.code_line? + self.line?.checked_sub(1)?;
        let path = call.place.field.as_deref().unwrap_or_default();
        Some(Place {
            line,
            column: 0,
            field: Some(crate::path::join(path, "code")),
            ..call.place.clone()
        })
    }

    fn into_failure(self, stdout: String) -> Failure {
        let mut message = if self.message.is_empty() {
            self.kind.clone()
        } else {
            format!("{}: {}", self.kind, self.message)
        };
        if let Some(line) = self.line {
            message.push_str(&format!(" (line {line} of the step's code)"));
        }
        let failure = Failure {
            code: Some(Json::from(self.kind)),
            result: Some(json!({"traceback": self.traceback, "stdout": stdout})),
            ..Failure::new("python", message)
        };
        match self.module {
            // The package has the name of the outermost module at best.
            Some(module) => failure.help(format!(
                "pip install {}",
                module.split('.').next().unwrap_or(&module)
            )),
            None => failure,
        }
    }
}

async fn source(call: &Call<'_>, host: &dyn Host) -> Result<Source, Failure> {
    let named = || format!("<step {}>", call.place.step.as_deref().unwrap_or("python"));
    let code = match (call.text("code"), call.text("code_b64")) {
        (Some(code), _) => code,
        (None, Some(encoded)) => decode(&encoded)?,
        (None, None) => {
            let read = script::read(call, host).await?;
            let Script {
                code,
                origin,
                folder,
            } = read.ok_or_else(|| call.missing("code"))?;
            let filename = origin.unwrap_or_else(named);
            return Ok(Source {
                code,
                filename,
                folder,
            });
        }
    };
    Ok(Source {
        code,
        filename: named(),
        folder: None,
    })
}

fn decode(encoded: &str) -> Result<String, Failure> {
    let compact: String = encoded.split_whitespace().collect();
    STANDARD
        .decode(compact)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Failure::new("config", "the field `code_b64` is not base64 of UTF-8 text"))
}

/// Runs `job` with this machine's Python; returns none when it has none.
pub(super) async fn run_interpreter(
    job: Job,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Option<Finished>, Failure> {
    for program in interpreters(host) {
        let job = Job {
            program,
            ..job.clone()
        };
        if let Some(finished) = process::run(job, call, host).await?
            && !(cfg!(windows) && finished.code() == STORE_STUB)
        {
            return Ok(Some(finished));
        }
    }
    Ok(None)
}

fn interpreters(host: &dyn Host) -> Vec<OsString> {
    if let Some(python) = &host.tool_environment().python {
        return vec![python.clone().into_os_string()];
    }
    let names = if cfg!(windows) {
        // Python's installer makes no `python3` there: the one that exists opens the store.
        ["python", "python3"]
    } else {
        ["python3", "python"]
    };
    names.map(OsString::from).into()
}

fn no_python(host: &dyn Host) -> Failure {
    let names: Vec<String> = interpreters(host)
        .iter()
        .map(|name| format!("`{}`", name.to_string_lossy()))
        .collect();
    Failure::new(
        "python",
        format!(
            "no Python on this machine: looked for {}",
            names.join(" and ")
        ),
    )
    .help("install Python 3, or use the image flavour `noetl:TAG-python`")
}

/// Returns the failure when no temporary folder can be made. Images without Python have no such folder
/// either, and then the failure is the missing Python.
async fn no_answer_folder(error: &io::Error, call: &Call<'_>, host: &dyn Host) -> Failure {
    let probe = Job {
        arguments: vec!["--version".into()],
        ..Job::default()
    };
    match run_interpreter(probe, call, host).await {
        Ok(None) => no_python(host),
        _ => Failure::new("python", format!("cannot make a temporary folder: {error}")),
    }
}

#[cfg(test)]
mod tests;
