//! F2 to F5, F9 and F11: the file system that the layers make together.

use crate::filesystem::{FileSystem, NodeKind};
use crate::rules::catalogue::{F2, F4, F5, F11};
use crate::rules::entrypoint::user_ids;
use crate::rules::layers::LayerFindings;
use crate::rules::subject::{ImageView, Subject};
use crate::rules::{Expectations, Findings, certificates, leaks};

/// Folders that a runtime mounts when a container starts.
const MOUNTED: &[&str] = &["dev", "proc", "sys"];

pub(super) fn check(subject: &Subject<'_>, expected: &Expectations, findings: &mut Findings) {
    for view in subject.runnable() {
        leaks::check(&view, findings);
        let (Some(_), Some(merged)) = (view.config(), view.filesystem()) else {
            continue;
        };
        check_tmp(&view, merged, findings);
        certificates::check(subject, &view, expected, findings);
        check_numeric_user(&view, findings);
        check_known_user(&view, merged, findings);
        check_links(&view, merged, findings);
    }
}

/// F2: /tmp has mode 1777.
fn check_tmp(view: &ImageView<'_>, merged: &FileSystem, findings: &mut Findings) {
    let object = format!("{} /tmp", view.name());
    match merged.resolve("/tmp") {
        Some((_, node)) if node.kind == NodeKind::Folder && node.mode & 0o7777 == 0o1777 => {}
        Some((_, node)) => {
            let message = format!("it has mode {:o}, or is not a folder", node.mode);
            findings.add(&F2, object, message);
        }
        None => findings.add(&F2, object, "it is missing"),
    }
}

/// F5: the user is a number, since Kubernetes cannot decide whether a name is root.
fn check_numeric_user(view: &ImageView<'_>, findings: &mut Findings) {
    let name = view.name();
    let text = view.run().and_then(|run| run.user.clone());
    let text = text.unwrap_or_default();
    let (user, group) = text.split_once(':').unwrap_or((&text, "0"));
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    if text.is_empty() {
        findings.add(&F5, name, "no user is set, which is root");
    } else if !is_number(user) || !is_number(group) {
        let message = format!("user `{text}` is not `uid:gid` in numbers");
        findings.add(&F5, name, message);
    } else if user.parse() == Ok(0) {
        findings.add(&F5, name, format!("user `{text}` is root"));
    }
}

/// F4: the user is listed, and its home and working folder exist.
fn check_known_user(view: &ImageView<'_>, merged: &FileSystem, findings: &mut Findings) {
    let mut add = |message: String| findings.add(&F4, view.name(), message);
    let Some((user, group)) = user_ids(view) else {
        return add(
            "the name of the user or group is missing in /etc/passwd or /etc/group".to_owned(),
        );
    };
    let with_id = |file: &str, id: u64| {
        let text = view.text(file)?;
        let mut lines = text
            .lines()
            .map(|line| line.split(':').map(ToOwned::to_owned).collect());
        lines.find(|fields: &Vec<String>| fields.get(2).is_some_and(|it| it.parse() == Ok(id)))
    };
    if with_id("/etc/group", group).is_none() {
        add(format!("group {group} is missing in /etc/group"));
    }
    match with_id("/etc/passwd", user).map(|fields| fields.get(5).cloned().unwrap_or_default()) {
        None => add(format!("user {user} is missing in /etc/passwd")),
        Some(home) => match merged.resolve(&home) {
            Some((_, node)) if node.kind == NodeKind::Folder && node.owner == user => {}
            Some((_, node)) => add(format!(
                "user {} owns the home {home}, not {user}",
                node.owner
            )),
            None => add(format!("the home {home} is missing")),
        },
    }
    let folder = view.run().and_then(|run| run.working_dir.clone());
    let folder = folder.unwrap_or_default();
    // When it is empty, it is the root folder.
    if !folder.is_empty() && !folder.starts_with('/') {
        return add(format!(
            "the working folder {folder} is not an absolute path"
        ));
    }
    let is_there = merged
        .follow(&folder)
        .is_some_and(|path| merged.exists(&path));
    if !is_there {
        add(format!("the working folder {folder} is missing"));
    }
}

/// F11: symbolic links have a target. Targets below mounted folders such as /proc exist when a container runs.
fn check_links(view: &ImageView<'_>, merged: &FileSystem, findings: &mut Findings) {
    let mut found: Vec<_> = view
        .layers()
        .map(|layer| LayerFindings::new(view, &layer))
        .collect();
    for (path, node) in merged.nodes() {
        let NodeKind::Symlink(target) = &node.kind else {
            continue;
        };
        let leads_somewhere = merged.follow(path).is_some_and(|end| {
            let top = end.split('/').next().unwrap_or_default();
            MOUNTED.contains(&top) || merged.exists(&end)
        });
        if let Some(found) = found.get_mut(node.layer).filter(|_| !leads_somewhere) {
            let message = format!("its target {target} is missing");
            found.add(&F11, path, message);
        }
    }
    found.into_iter().for_each(|found| found.conclude(findings));
}
