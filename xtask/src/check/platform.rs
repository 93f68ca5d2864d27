//! P1 to P9: platforms of the index, and whether what starts there can start there.

use anyhow::{Context as _, bail, ensure};

use crate::binary;
use crate::check::Findings;
use crate::check::rootfs::{Kind, Node, RootFs};
use crate::check::walk::{Image, Tree};
use crate::oci::model::{ImageConfig, MANIFEST, PlatformFields};
use crate::target::{Arch, Os, Platform};

pub(super) fn check(tree: &Tree, declared: &[Platform], findings: &mut Findings) {
    for (digest, index) in &tree.indexes {
        let platforms: Vec<_> = index
            .manifests
            .iter()
            .map(|child| child.platform.clone())
            .collect();
        check_set(digest, &platforms, declared, findings);
    }
    let top = tree
        .descriptors
        .iter()
        .filter(|(parent, _)| parent == "index.json");
    for (_, single) in top.filter(|(_, descriptor)| descriptor.media_type == MANIFEST) {
        findings.add(
            "P1",
            &single.digest,
            "index.json names a single image: only one kind of node can run it",
        );
    }
    for image in &tree.images {
        check_agreement(image, findings);
        check_programs(image, findings);
    }
}

fn check_set(
    digest: &str,
    platforms: &[Option<PlatformFields>],
    declared: &[Platform],
    findings: &mut Findings,
) {
    let mut found = Vec::new();
    for platform in platforms {
        match platform {
            Some(platform) if !platform.architecture.is_empty() && !platform.os.is_empty() => {
                found.push(platform)
            }
            _ => findings.add("P2", digest, "a child without architecture or system"),
        }
    }
    let names: Vec<_> = found
        .iter()
        .map(|platform| format!("{}/{}", platform.os, platform.architecture))
        .collect();
    for (position, name) in names.iter().enumerate() {
        if names[..position].contains(name) {
            findings.add("P3", digest, format!("{name} is there twice"));
        }
        if !declared
            .iter()
            .any(|platform| platform.without_variant() == *name)
        {
            findings.add("P1", digest, format!("{name} was not asked for"));
        }
    }
    for platform in declared.iter().map(Platform::without_variant) {
        if !names.contains(&platform) {
            findings.add("P1", digest, format!("{platform} is missing"));
        }
    }
}

fn check_agreement(image: &Image, findings: &mut Findings) {
    let (Some(platform), Some(config)) = (&image.descriptor.platform, &image.config) else {
        return;
    };
    let declared = (&platform.os, &platform.architecture, &platform.variant);
    let configured = (&config.os, &config.architecture, &config.variant);
    if declared != configured {
        findings.add(
            "P4",
            &image.name,
            format!("the index says {declared:?}, the config {configured:?}"),
        );
    }
    for variant in [&platform.variant, &config.variant].into_iter().flatten() {
        if platform.architecture != "arm64" || variant != "v8" {
            findings.add(
                "P5",
                &image.name,
                format!("variant {variant} on {}", platform.architecture),
            );
        }
    }
    if platform.variant != config.variant {
        findings.add("P5", &image.name, "the variants in index and config differ");
    }
}

fn check_programs(image: &Image, findings: &mut Findings) {
    let Some(config) = &image.config else {
        return;
    };
    let mut rootfs = RootFs::default();
    for (position, layer) in image.layers.iter().enumerate() {
        // What is in an unreadable layer cannot be judged; that it is unreadable has been said.
        let Some(layer) = layer else {
            return;
        };
        let name = format!("{} layer {position}", image.name);
        if findings.require("S8", &name, rootfs.apply(layer)).is_none() {
            return;
        }
    }
    let entrypoint = entrypoint(config);
    let object = format!("{} {entrypoint}", image.name);
    let started = findings.require("P9", &object, may_start(config, &rootfs, &entrypoint));
    if let Some((_, program)) = &started {
        check_program(config, &object, program, findings);
    }
    let helpers = rootfs.files().filter(|(path, bytes)| {
        binary::is_elf(bytes) && started.as_ref().is_none_or(|(started, _)| started != path)
    });
    for (path, bytes) in helpers {
        match binary::facts(bytes) {
            Ok(facts) if facts.arch == expected(config) => {}
            Ok(facts) => findings.add(
                "P7",
                format!("{} /{path}", image.name),
                wrong_arch(facts.arch, config),
            ),
            Err(error) => findings.add(
                "P7",
                format!("{} /{path}", image.name),
                format!("{error:#}"),
            ),
        }
    }
}

fn check_program(config: &ImageConfig, object: &str, program: &[u8], findings: &mut Findings) {
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
        findings.add(
            "P8",
            object,
            format!("it needs {}", facts.libraries.join(", ")),
        );
    }
}

/// What a container starts: the entry point's first word, or the command's where there is none.
pub(super) fn entrypoint(config: &ImageConfig) -> String {
    let run = config.config.clone().unwrap_or_default();
    let words = run
        .entrypoint
        .unwrap_or_default()
        .into_iter()
        .chain(run.cmd.unwrap_or_default());
    words.into_iter().next().unwrap_or_default()
}

/// The real path and content of the entry point, when the configured user may run it.
fn may_start(
    config: &ImageConfig,
    rootfs: &RootFs,
    path: &str,
) -> anyhow::Result<(String, Vec<u8>)> {
    ensure!(
        path.starts_with('/'),
        "the entry point is not an absolute path"
    );
    let (real, node) = rootfs
        .resolve(path)
        .context("there is no such file in the image")?;
    let Kind::File(bytes) = &node.kind else {
        bail!("it is not a regular file");
    };
    let user = user(config)?;
    for (name, node) in rootfs.parents(&real).chain([(real.as_str(), node)]) {
        let mode = node.mode;
        ensure!(
            may_execute(user, node),
            "mode {mode:o} of /{name} keeps user {} from running it",
            user.0
        );
    }
    Ok((real, bytes.clone()))
}

/// Numeric user and group; a name cannot be judged without the machine that runs it (Kubernetes says so too).
fn user(config: &ImageConfig) -> anyhow::Result<(u64, u64)> {
    let user = config
        .config
        .as_ref()
        .and_then(|run| run.user.clone())
        .unwrap_or_default();
    if user.is_empty() {
        return Ok((0, 0));
    }
    let (user, group) = user.split_once(':').unwrap_or((&user, "0"));
    let number = |text: &str| {
        text.parse()
            .with_context(|| format!("user `{text}` is not numeric"))
    };
    Ok((number(user)?, number(group)?))
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
