//! P6 to P9 and F12: whether the program of a container can start.

use crate::elf::{Elf, Machine};
use crate::filesystem::{FileSystem, Node, NodeKind};
use crate::model::ImageConfig;
use crate::rules::Findings;
use crate::rules::catalogue::{F12, P6, P7, P8, P9};
use crate::rules::subject::{ImageView, Subject};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for view in subject.runnable() {
        check_entrypoint(subject, &view, findings);
        check_other_programs(&view, findings);
    }
}

/// Returns the numeric user and group that a container runs as; `None` when a name is missing in `/etc/passwd` or
/// `/etc/group` of the image (image-spec, conversion.md). An empty user is root.
pub(super) fn user_ids(view: &ImageView<'_>) -> Option<(u64, u64)> {
    let user = view
        .run()
        .and_then(|run| run.user.clone())
        .unwrap_or_default();
    let (user, group) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (user.as_str(), None),
    };
    if user.is_empty() {
        return Some((0, 0));
    }
    let by_name = |file: &str, name: &str, field: usize| {
        let text = view.text(file)?;
        let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let line = lines.find(|fields| fields.first() == Some(&name))?;
        line.get(field)?.parse::<u64>().ok()
    };
    let number = |file: &str, name: &str| name.parse().ok().or_else(|| by_name(file, name, 2));
    let id = number("/etc/passwd", user)?;
    let group = match group {
        Some(group) => number("/etc/group", group)?,
        None if user.parse::<u64>().is_ok() => 0,
        None => by_name("/etc/passwd", user, 3)?,
    };
    Some((id, group))
}

/// P6, P8, P9 and F12.
fn check_entrypoint(subject: &Subject<'_>, view: &ImageView<'_>, findings: &mut Findings) {
    let (Some(config), Some(merged)) = (view.config(), view.filesystem()) else {
        return;
    };
    let run = config.config.clone().unwrap_or_default();
    let word = run.first_word().unwrap_or_default();
    let object = format!("{} {word}", view.name());
    if word.is_empty() {
        findings.add(&P9, view.name(), "the config names no program to start");
        return;
    }
    let path = if word.starts_with('/') {
        word.to_owned()
    } else {
        findings.add(&P9, &object, "the entry point is not an absolute path");
        let folder = run.working_dir.as_deref().unwrap_or_default();
        format!("{folder}/{word}")
    };
    let Some((real, node)) = merged.resolve(&path) else {
        findings.add(&P9, &object, "there is no such file in the image");
        return;
    };
    let NodeKind::File(content) = node.kind else {
        findings.add(&P9, &object, "it is not a regular file");
        return;
    };
    check_permission(view, merged, &real, &object, findings);
    if let Some(program) = view.program() {
        check_program(config, &object, &program.bytes, findings);
        return;
    }
    let contents: Option<Vec<_>> = view.contents().cloned().collect();
    let contents = contents.unwrap_or_default();
    let bytes = view.image.read_content(subject.source, &contents, content);
    if let Some(bytes) = findings.require(&P9, &object, bytes) {
        match bytes.strip_prefix(b"#!") {
            Some(line) => check_interpreter(merged, line, &object, findings),
            None => check_program(config, &object, &bytes, findings),
        }
    }
}

/// P9: the user may enter every folder of the path and execute the file.
fn check_permission(
    view: &ImageView<'_>,
    merged: &FileSystem,
    real: &str,
    object: &str,
    findings: &mut Findings,
) {
    let Some(user) = user_ids(view) else {
        return;
    };
    let file = merged.resolve(real).map(|(_, node)| (real, node));
    for (name, node) in merged.parents(real).chain(file) {
        if !may_execute(user, node) {
            let (mode, user) = (node.mode, user.0);
            let message = format!("user {user} may not run it, because /{name} has mode {mode:o}");
            findings.add(&P9, object, message);
        }
    }
}

fn may_execute((user, group): (u64, u64), node: &Node) -> bool {
    let needed = match user {
        0 if node.kind == NodeKind::Folder => return true,
        0 => 0o111,
        user if user == node.owner => 0o100,
        _ if group == node.group => 0o010,
        _ => 0o001,
    };
    node.mode & needed != 0
}

/// F12: the interpreter in the first line of a script exists.
fn check_interpreter(merged: &FileSystem, script: &[u8], object: &str, findings: &mut Findings) {
    let line = script.split(|byte| *byte == b'\n').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
    let interpreter = line.split_whitespace().next().unwrap_or_default();
    if merged.file(interpreter).is_none() {
        let message = format!("it is a script for `{interpreter}`, which is not in the image");
        findings.add(&F12, object, message);
    }
}

/// P6 and P8: the program is built for the platform, and needs neither loader nor libraries.
fn check_program(config: &ImageConfig, object: &str, program: &[u8], findings: &mut Findings) {
    let Some(elf) = findings.require(&P6, object, Elf::read(program)) else {
        return;
    };
    if elf.machine != Machine::of_architecture(&config.architecture) {
        findings.add(&P6, object, wrong_machine(elf.machine, config));
    }
    if let Some(interpreter) = elf.interpreter {
        findings.add(&P8, object, format!("it needs the loader {interpreter}"));
    }
    if !elf.libraries.is_empty() {
        let libraries = elf.libraries.join(", ");
        findings.add(&P8, object, format!("it needs {libraries}"));
    }
}

/// P7: every ELF file is built for the platform, also when a later layer hides it. The program that starts is left out,
/// since P6 is about it.
fn check_other_programs(view: &ImageView<'_>, findings: &mut Findings) {
    let Some(config) = view.config() else {
        return;
    };
    let merged = view.filesystem();
    let started = view
        .program()
        .and_then(|program| merged?.file(&program.path));
    for layer in view.layers() {
        let members = layer.contents.into_iter().flat_map(|it| &it.members);
        for (position, member) in members.enumerate() {
            let is_started =
                started.is_some_and(|it| (it.layer, it.member) == (layer.position, position));
            let Some(machine) = member.machine.filter(|_| !is_started) else {
                continue;
            };
            if machine != Machine::of_architecture(&config.architecture) {
                let name = view.layer_name(layer.position);
                let object = format!("{name} {}", member.path());
                findings.add(&P7, object, wrong_machine(machine, config));
            }
        }
    }
}

fn wrong_machine(found: Machine, config: &ImageConfig) -> String {
    format!(
        "it is built for {}, and the image is for {}",
        found.name(),
        config.architecture
    )
}
