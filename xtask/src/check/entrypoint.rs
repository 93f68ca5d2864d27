//! P6 to P9 and F12: whether what a container starts can start there.

use crate::binary;
use crate::check::Findings;
use crate::check::rootfs::{Kind, Node, RootFs};
use crate::check::tarfile;
use crate::check::walk::{Image, Tree};
use crate::oci::model::ImageConfig;
use crate::stamp::{self, Stamp};
use crate::target::{Arch, Os};

/// What an image starts, as it lies in the image.
#[derive(Debug)]
pub(super) struct Program {
    /// Its real path, without a leading slash.
    pub(super) path: String,
    /// Its content.
    pub(super) bytes: Vec<u8>,
    /// Its build stamp, when it has one.
    pub(super) stamp: Option<Stamp>,
}

/// Checks every image; gives the native programs that were found, for what else there is to say of them.
pub(super) fn check<'a>(tree: &'a Tree, findings: &mut Findings) -> Vec<(&'a Image, Program)> {
    let mut programs = Vec::new();
    for image in tree.runnable() {
        let program = start(image, findings);
        helpers(image, program.as_ref(), findings);
        programs.extend(program.map(|program| (image, program)));
    }
    programs
}

/// The first word of what a container starts, as the config has it.
pub(super) fn first_word(config: &ImageConfig) -> String {
    let run = config.config.clone().unwrap_or_default();
    let words = run
        .entrypoint
        .unwrap_or_default()
        .into_iter()
        .chain(run.cmd.unwrap_or_default());
    words.into_iter().next().unwrap_or_default()
}

/// The numeric user and group that a container runs as: names are those of the image's own passwd
/// and group (image-spec, conversion.md), and an empty user is root.
pub(super) fn user(config: &ImageConfig, rootfs: &RootFs) -> Option<(u64, u64)> {
    let run = config.config.as_ref();
    let user = run.and_then(|run| run.user.clone()).unwrap_or_default();
    let (user, group) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (user.as_str(), None),
    };
    if user.is_empty() {
        return Some((0, 0));
    }
    let by_name = |file: &str, name: &str, field: usize| {
        let text = String::from_utf8_lossy(rootfs.read(file)?).into_owned();
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

/// P6, P8, P9 and F12 of one image.
fn start(image: &Image, findings: &mut Findings) -> Option<Program> {
    let (config, rootfs) = (image.config.as_ref()?, image.rootfs.as_ref()?);
    let word = first_word(config);
    let object = format!("{} {word}", image.name);
    if word.is_empty() {
        findings.add("P9", &image.name, "nothing is started");
        return None;
    }
    let path = if word.starts_with('/') {
        word
    } else {
        findings.add("P9", &object, "the entry point is not an absolute path");
        let run = config.config.as_ref();
        let folder = run
            .and_then(|run| run.working_dir.clone())
            .unwrap_or_default();
        format!("{folder}/{word}")
    };
    let Some((real, node)) = rootfs.resolve(&path) else {
        findings.add("P9", &object, "there is no such file in the image");
        return None;
    };
    let Kind::File(bytes) = &node.kind else {
        findings.add("P9", &object, "it is not a regular file");
        return None;
    };
    permission(config, rootfs, &real, &object, findings);
    if bytes.starts_with(b"#!") {
        return interpreted(rootfs, bytes, &object, findings);
    }
    native(config, &object, bytes, findings);
    binary::is_elf(bytes).then(|| Program {
        stamp: stamp::read(bytes).ok(),
        path: real,
        bytes: bytes.clone(),
    })
}

/// P9: every folder on the way and the file itself let the user in.
fn permission(
    config: &ImageConfig,
    rootfs: &RootFs,
    real: &str,
    object: &str,
    findings: &mut Findings,
) {
    let Some(user) = user(config, rootfs) else {
        return;
    };
    let file = rootfs.resolve(real).map(|(_, node)| (real, node));
    for (name, node) in rootfs.parents(real).chain(file) {
        if !may_execute(user, node) {
            let (mode, user) = (node.mode, user.0);
            let message = format!("mode {mode:o} of /{name} keeps user {user} from running it");
            findings.add("P9", object, message);
        }
    }
}

fn may_execute((user, group): (u64, u64), node: &Node) -> bool {
    let needed = match user {
        0 if node.kind == Kind::Folder => return true,
        0 => 0o111,
        user if user == node.owner => 0o100,
        _ if group == node.group => 0o010,
        _ => 0o001,
    };
    node.mode & needed != 0
}

/// F12: a script needs the program that its first line names; which is then what runs.
fn interpreted(
    rootfs: &RootFs,
    script: &[u8],
    object: &str,
    findings: &mut Findings,
) -> Option<Program> {
    let line = script
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(&line[2..]).into_owned();
    let interpreter = line.split_whitespace().next().unwrap_or_default();
    if rootfs.read(interpreter).is_none() {
        let message = format!("it is a script for `{interpreter}`, which is not in the image");
        findings.add("F12", object, message);
    }
    None
}

/// P6 and P8.
fn native(config: &ImageConfig, object: &str, program: &[u8], findings: &mut Findings) {
    let Some(facts) = findings.require("P6", object, binary::facts(program)) else {
        return;
    };
    if facts.os != Os::Linux || facts.arch != expected(config) {
        findings.add("P6", object, wrong_arch(facts.arch, config));
    }
    if let Some(interpreter) = facts.interpreter {
        findings.add("P8", object, format!("it needs the loader {interpreter}"));
    }
    if !facts.libraries.is_empty() {
        let libraries = facts.libraries.join(", ");
        findings.add("P8", object, format!("it needs {libraries}"));
    }
}

/// P7: every ELF file of every layer, also where a later layer hides it, but for what P6 has judged.
fn helpers(image: &Image, program: Option<&Program>, findings: &mut Findings) {
    let Some(config) = &image.config else {
        return;
    };
    for (position, layer) in image.layers.iter().enumerate() {
        let Some(Ok(records)) = layer.tar.as_deref().map(tarfile::records) else {
            continue;
        };
        for record in records
            .iter()
            .filter(|record| binary::is_elf(record.content))
        {
            if program.is_some_and(|program| program.bytes == record.content) {
                continue;
            }
            let arch = elf_arch(record.content);
            if arch != expected(config) {
                let object = format!("{} {}", image.layer_name(position), record.path());
                findings.add("P7", object, wrong_arch(arch, config));
            }
        }
    }
}

/// The machine of an ELF header; a base image holds objects that no program loader would take.
pub(super) fn elf_arch(bytes: &[u8]) -> Option<Arch> {
    let is_64_little = bytes.get(4..6) == Some(&[2, 1]);
    match bytes.get(18..20).filter(|_| is_64_little)? {
        [62, 0] => Some(Arch::X86_64),
        [183, 0] => Some(Arch::Aarch64),
        _ => None,
    }
}

fn expected(config: &ImageConfig) -> Option<Arch> {
    match config.architecture.as_str() {
        "amd64" => Some(Arch::X86_64),
        "arm64" => Some(Arch::Aarch64),
        _ => None,
    }
}

fn wrong_arch(found: Option<Arch>, config: &ImageConfig) -> String {
    let found = match found {
        Some(Arch::X86_64) => "amd64",
        Some(Arch::Aarch64) => "arm64",
        None => "another processor",
    };
    format!(
        "built for {found}, and the image is for {}",
        config.architecture
    )
}
