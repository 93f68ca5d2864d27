//! C1 to C5: how a container starts, by the config.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::RunConfig;
use crate::rules::catalogue::{C1, C2, C3, C4, C5};
use crate::rules::subject::Subject;
use crate::rules::{Expectations, Findings};

/// Parts of the names of variables whose values are secrets.
const SECRETS: &[&str] = &[
    "ACCESS_KEY",
    "APIKEY",
    "API_KEY",
    "CREDENTIAL",
    "ENCRYPTION_KEY",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PRIVATE_KEY",
    "SECRET",
    "TOKEN",
];

/// Last words of the names of variables whose values are secrets: `DB_PASS`, but not `PASSIVE` or `PATH`.
const LAST_WORDS: &[&str] = &["PASS", "PAT"];

/// The signals of POSIX and Linux (signal(7)), without `SIG`.
const SIGNALS: &str = "ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS \
                       TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ";

/// Fields that only Docker uses.
const DOCKERS_OWN: &[&str] = &["Healthcheck", "OnBuild", "Volumes"];

pub(super) fn check(subject: &Subject<'_>, expected: &Expectations, findings: &mut Findings) {
    for view in subject.runnable().filter(|view| view.config().is_some()) {
        let (name, run) = (view.name(), view.run().cloned().unwrap_or_default());
        check_start(&name, &run, findings);
        check_variables(&name, &run, findings);
        check_ports(&name, &run, expected.port, findings);
        if let Some(signal) = run.stop_signal.as_ref().filter(|it| !is_signal(it)) {
            findings.add(&C4, &name, format!("`{signal}` is not a signal"));
        }
        for field in DOCKERS_OWN {
            if run.other.get(*field).is_some_and(is_set) {
                findings.add(&C5, &name, format!("{field} is set"));
            }
        }
    }
}

/// C1: the entry point is an absolute path, and the command contains only arguments.
fn check_start(name: &str, run: &RunConfig, findings: &mut Findings) {
    let mut add = |message: String| findings.add(&C1, name, message);
    let entrypoint = run.entrypoint.clone().unwrap_or_default();
    let command = run.cmd.clone().unwrap_or_default();
    let shells = ["/bin/sh", "/bin/bash", "/bin/ash"];
    match entrypoint.as_slice() {
        [] => add("there is no entry point, so arguments replace the program".to_owned()),
        [shell, dash_c, ..] if shells.contains(&shell.as_str()) && dash_c == "-c" => {
            add("a shell starts the program, and does not forward signals to it".to_owned());
        }
        [program, ..] if !program.starts_with('/') => {
            add(format!("{program} is relative to the working folder"));
        }
        _ => {}
    }
    let is_path = |word: &&String| word.starts_with(['/', '.']);
    if let Some(word) = command
        .first()
        .filter(is_path)
        .filter(|_| !entrypoint.is_empty())
    {
        add(format!("the command begins with the path {word}"));
    }
}

/// C2: variables are set once, PATH is set, and none is a secret.
fn check_variables(image: &str, run: &RunConfig, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for line in run.env.iter().flatten() {
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            findings.add(&C2, image, format!("`{line}` is not NAME=value"));
            continue;
        };
        if !seen.insert(name) {
            findings.add(&C2, image, format!("{name} is set twice"));
        }
        if !value.is_empty() && is_secret(name) {
            findings.add(&C2, image, format!("{name} looks like a secret"));
        } else if has_password(value) {
            findings.add(&C2, image, format!("{name} is a URL with a password"));
        }
    }
    if !seen.contains("PATH") {
        findings.add(&C2, image, "PATH is not set");
    }
}

fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let last = upper.rsplit('_').next().unwrap_or_default();
    SECRETS.iter().any(|part| upper.contains(part)) || LAST_WORDS.contains(&last)
}

/// Returns whether a value is a URL with a password: `scheme://user:password@host`.
fn has_password(value: &str) -> bool {
    let authority = value.split_once("://").map(|(_, rest)| rest);
    let authority = authority.and_then(|rest| rest.split('/').next());
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    let password = user.and_then(|(user, _)| user.split_once(':'));
    password.is_some_and(|(_, password)| !password.is_empty())
}

/// C3: ports are valid, and the exposed port is the expected one.
fn check_ports(name: &str, run: &RunConfig, expected: Option<u16>, findings: &mut Findings) {
    let mut numbers = Vec::new();
    for (port, value) in run.exposed_ports.iter().flatten() {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty);
        let is_known = ["tcp", "udp", "sctp"].contains(&protocol);
        match number.parse::<u16>() {
            Ok(number) if number > 0 && is_known && is_empty => numbers.push(number),
            _ => findings.add(&C3, name, format!("`{port}` is not a port")),
        }
    }
    if let Some(expected) = expected.filter(|expected| numbers != [*expected]) {
        let message = format!("it exposes {numbers:?}, and the program listens on {expected}");
        findings.add(&C3, name, message);
    }
}

fn is_signal(text: &str) -> bool {
    let real_time = |name: &str| {
        let offset = name.strip_prefix("RTMIN+").or(name.strip_prefix("RTMAX-"));
        offset.is_some_and(|offset| offset.parse::<u8>().is_ok_and(|it| it < 32))
    };
    let name = text.strip_prefix("SIG").unwrap_or(text);
    SIGNALS.split_whitespace().any(|signal| signal == name)
        || real_time(name)
        || text
            .parse::<u8>()
            .is_ok_and(|number| (1..=64).contains(&number))
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::is_signal;

    #[test]
    fn signals_have_names_or_numbers() {
        for signal in ["SIGTERM", "TERM", "15", "SIGRTMIN+3", "64"] {
            assert!(is_signal(signal), "{signal}");
        }
        for other in ["SIGSTOPP", "sigterm", "0", "65", "SIG", "SIGRTMIN+99"] {
            assert!(!is_signal(other), "{other}");
        }
    }
}
