//! F9: files that should not be published. All layers are checked, since files that a later layer removes can still be
//! pulled.

use crate::member::Member;
use crate::rules::Findings;
use crate::rules::catalogue::F9;
use crate::rules::subject::{ImageView, Origin};

/// Names of files that are only for credentials.
const NAMES: &[&str] = &[
    ".env",
    ".git-credentials",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
];

pub(super) fn check(view: &ImageView<'_>, findings: &mut Findings) {
    for layer in view.layers() {
        let members = layer.contents.into_iter().flat_map(|it| &it.members);
        for member in members.filter(|member| !member.is_extension()) {
            let what = by_name(member, layer.origin).or_else(|| by_content(member, layer.origin));
            if let Some(what) = what {
                let name = view.layer_name(layer.position);
                findings.add(&F9, format!("{name} {}", member.path()), what);
            }
        }
    }
}

/// Returns what a file is by its name, and by its content when the name is not enough; `None` when it may be published.
fn by_name(member: &Member, origin: &Origin) -> Option<String> {
    let plain = member.path().trim_end_matches('/');
    let name = plain.rsplit('/').next().unwrap_or_default();
    let leaks = member.leaks.as_deref();
    if NAMES.contains(&name) || name.starts_with(".env.") {
        return Some("it is a file for credentials".to_owned());
    }
    if plain.split('/').any(|part| part == ".git") {
        return Some("it is part of a git repository".to_owned());
    }
    if name == "config.json" && leaks.is_some_and(|leaks| leaks.has_auths) {
        return Some("it contains credentials for registries".to_owned());
    }
    // Python packages ship their own web pages with maps.
    let has_map = name.ends_with(".map") && leaks.is_some_and(|leaks| leaks.has_mappings);
    if *origin == Origin::Own && has_map {
        return Some("it is a source map, which contains the sources".to_owned());
    }
    None
}

/// Returns the credentials in the content of a file; `None` when there are none.
///
/// Libraries such as libgnutls contain the keys of their self-tests, so keys in ELF files of a base image are not
/// secrets.
fn by_content(member: &Member, origin: &Origin) -> Option<String> {
    let leaks = member.leaks.as_deref()?;
    let is_self_test = *origin != Origin::Own && member.machine.is_some();
    if let Some(kind) = leaks.private_key.as_ref().filter(|_| !is_self_test) {
        return Some(format!("it contains a private key ({kind})"));
    }
    let mark = leaks.token?;
    Some(format!("it contains a token that begins with {mark}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::LayerContents;
    use crate::media_type::Compression;
    use crate::tar::write::{Entry, to_bytes};

    fn member(content: Vec<u8>) -> Member {
        let tar = to_bytes(&[Entry::file("lib", 0o644, content)], 0).unwrap();
        let contents = LayerContents::read(tar.as_slice(), Compression::None).unwrap();
        contents.members.into_iter().next().unwrap()
    }

    #[test]
    fn a_key_in_a_library_of_the_base_is_not_a_finding() {
        let body =
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgabcdefghijklmnopqrstuvwxyz012345";
        let key = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let header = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 11], &[62, 0]].concat();
        let compiled = member([header, key.clone().into_bytes()].concat());
        let base = Origin::Base("sha256:base".to_owned());
        assert_eq!(by_content(&compiled, &base), None);
        assert!(by_content(&compiled, &Origin::Own).is_some());
        assert!(by_content(&member(key.into_bytes()), &base).is_some());
    }
}
