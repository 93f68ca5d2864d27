//! The `shell` tool: scripts for the system's shell.

use std::ffi::OsString;
use std::io::Write;

use serde_json::{Value as Json, json};
use tempfile::TempPath;

use super::call::Call;
use super::process::{self, Finished, Job, OUTPUT_LIMIT};
use crate::host::Host;
use noetl_api::Failure;

const FIELDS: [&str; 7] = [
    "cmds", "cmd", "command", "commands", "script", "code", "run",
];

/// How a shell is given its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `sh -c SCRIPT`
    Posix,
    /// `cmd /C FILE`: of an argument it would run only the first line.
    Cmd,
    /// `powershell -Command SCRIPT`
    PowerShell,
}

/// Runs the scripts of `call` one after another, up to the first that fails.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let scripts = scripts(call)?;
    let shells = shells(call);
    let (mut stdout, mut stderr, mut code) = (String::new(), String::new(), 0);
    for script in &scripts {
        let room = OUTPUT_LIMIT.saturating_sub(stdout.len().max(stderr.len()));
        let finished = start(script, &shells, room, call, host).await?;
        append(&mut stdout, &finished.stdout);
        append(&mut stderr, &finished.stderr);
        code = finished.code();
        if code != 0 {
            return Err(Failure {
                result: Some(report(stdout, stderr, code)),
                ..finished.failure()
            });
        }
    }
    Ok(report(stdout, stderr, code))
}

fn report(stdout: String, stderr: String, code: i64) -> Json {
    json!({"stdout": stdout, "stderr": stderr, "exit_code": code})
}

fn append(all: &mut String, more: &str) {
    if !all.is_empty() && !all.ends_with('\n') && !more.is_empty() {
        all.push('\n');
    }
    all.push_str(more);
}

/// Returns the scripts of a call. A string is one script, so that its lines share variables; each item of a
/// list is a script of its own.
fn scripts(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    let given = FIELDS
        .iter()
        .filter_map(|name| call.config.get(*name).map(|value| (*name, value)))
        .find(|(_, value)| !value.is_null());
    let scripts = match given {
        None => return Err(call.missing("cmds")),
        Some((_, Json::String(script))) => Some(vec![script.clone()]),
        Some((_, Json::Array(items))) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect(),
        Some(_) => None,
    };
    let field = given.map_or("cmds", |(name, _)| name);
    scripts
        .filter(|scripts| scripts.iter().all(|script| !script.contains('\0')))
        .ok_or_else(|| {
            Failure::new(
                "config",
                format!("the field `{field}` must be a script or a list of scripts"),
            )
        })
}

/// Returns the shells to try, in order.
fn shells(call: &Call<'_>) -> Vec<String> {
    if let Some(shell) = call.text("shell") {
        return vec![shell];
    }
    let names: &[&str] = if cfg!(windows) {
        &["cmd"]
    } else {
        &["bash", "sh"]
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn style(shell: &str) -> Style {
    let name = shell.rsplit(['/', '\\']).next().unwrap_or(shell);
    let name = name.to_ascii_lowercase();
    match name.strip_suffix(".exe").unwrap_or(&name) {
        "cmd" => Style::Cmd,
        "powershell" | "pwsh" => Style::PowerShell,
        _ => Style::Posix,
    }
}

async fn start(
    script: &str,
    shells: &[String],
    limit: usize,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Finished, Failure> {
    for shell in shells {
        // The file is removed after the script has ended.
        let (arguments, _file) = arguments(script, style(shell))?;
        let job = Job {
            program: shell.into(),
            arguments,
            input: call.text("stdin").unwrap_or_default().into_bytes().into(),
            limit,
            forward_stdout: true,
        };
        if let Some(finished) = process::run(job, call, host).await? {
            return Ok(finished);
        }
    }
    Err(no_shell(call, shells))
}

fn no_shell(call: &Call<'_>, shells: &[String]) -> Failure {
    let names: Vec<String> = shells.iter().map(|shell| format!("`{shell}`")).collect();
    let failure = Failure::new(
        "shell",
        format!(
            "there is no shell on this machine: looked for {}",
            names.join(" and ")
        ),
    );
    if call.text("shell").is_some() {
        failure.help("install it, or remove the field `shell`")
    } else {
        failure.help("use the image flavour `noetl:TAG-python`, which has one")
    }
}

/// Writes a script to a private file, and returns the arguments of the shell that runs it. Everybody may read the
/// arguments of a process, and a script may contain secrets.
fn arguments(script: &str, style: Style) -> Result<(Vec<OsString>, TempPath), Failure> {
    Ok(match style {
        Style::Posix => {
            let file = script_file(script, ".sh")?;
            (vec![file.as_os_str().to_owned()], file)
        }
        Style::Cmd => {
            // The second line has cmd read the script as UTF-8. The third line resets the exit code on
            // systems that have no chcp.
            let head = "@echo off\r\nchcp 65001 >nul 2>nul\r\n(call )\r\n";
            let lines: Vec<&str> = script.lines().collect();
            let file = script_file(&format!("{head}{}\r\n", lines.join("\r\n")), ".cmd")?;
            let name = file.as_os_str().to_owned();
            (vec!["/D".into(), "/C".into(), name], file)
        }
        Style::PowerShell => {
            // Unlike `-File`, this needs no policy that allows files of scripts.
            let file = script_file(script, ".ps1")?;
            let name = file.to_string_lossy().replace('\'', "''");
            let read = format!("& ([ScriptBlock]::Create([IO.File]::ReadAllText('{name}')))");
            let flags = ["-NoProfile", "-NonInteractive", "-Command", &read];
            (flags.map(OsString::from).into(), file)
        }
    })
}

fn script_file(script: &str, suffix: &str) -> Result<TempPath, Failure> {
    let write = || {
        let mut file = tempfile::Builder::new()
            .prefix("noetl-")
            .suffix(suffix)
            .tempfile()?;
        file.write_all(script.as_bytes())?;
        Ok(file.into_temp_path())
    };
    write().map_err(|error: std::io::Error| {
        Failure::new("shell", format!("cannot write the script's file: {error}"))
    })
}

#[cfg(test)]
mod tests;
