//! The file system a runtime makes of an image's layers (image-spec, layer.md): later layers replace
//! and remove what earlier ones hold, and links are followed inside it.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::Context as _;

/// What a path of the merged file system is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Permission bits.
    pub(super) mode: u32,
    /// Numeric owner.
    pub(super) owner: u64,
    /// Numeric group.
    pub(super) group: u64,
    /// The layer it is from, counted from the lowest.
    pub(super) layer: usize,
    /// Its kind and content.
    pub(super) kind: Kind,
}

/// The kinds of files that matter for starting a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file with its content.
    File(Vec<u8>),
    /// A folder.
    Folder,
    /// A symbolic link and where it points.
    Symlink(String),
    /// A device, a pipe: nothing that can be run.
    Other,
}

/// A merged file system; paths have neither a leading nor a trailing slash.
#[derive(Debug, Default)]
pub(super) struct RootFs {
    nodes: BTreeMap<String, Node>,
    /// How many layers were applied.
    layers: usize,
}

impl RootFs {
    /// Applies one uncompressed layer on top of what is there. What climbs out of the image is
    /// left out, as runtimes do; F6 speaks of it.
    pub(super) fn apply(&mut self, layer: &[u8]) -> anyhow::Result<()> {
        let number = self.layers;
        self.layers += 1;
        for entry in tar::Archive::new(layer).entries().context("not a tar")? {
            let mut entry = entry.context("the tar is damaged")?;
            let header = entry.header().clone();
            let Some(path) = normal(&String::from_utf8_lossy(&entry.path_bytes())) else {
                continue;
            };
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == ".wh..wh..opq" {
                self.remove_below(folder);
                continue;
            }
            if let Some(gone) = name.strip_prefix(".wh.") {
                let gone = if folder.is_empty() {
                    gone.to_owned()
                } else {
                    format!("{folder}/{gone}")
                };
                self.remove_below(&gone);
                self.nodes.remove(&gone);
                continue;
            }
            let link = entry
                .link_name_bytes()
                .map(|target| String::from_utf8_lossy(&target).into_owned());
            let kind = match (header.entry_type(), link) {
                (kind, _) if kind.is_dir() => Kind::Folder,
                (kind, Some(target)) if kind.is_symlink() => Kind::Symlink(target),
                (kind, Some(target)) if kind.is_hard_link() => normal(&target)
                    .and_then(|target| self.nodes.get(&target))
                    .with_context(|| format!("{path} is a hard link to nothing"))?
                    .kind
                    .clone(),
                (kind, _) if kind.is_file() => {
                    let mut bytes = Vec::new();
                    entry
                        .read_to_end(&mut bytes)
                        .with_context(|| format!("{path} is cut short"))?;
                    Kind::File(bytes)
                }
                _ => Kind::Other,
            };
            if kind != Kind::Folder {
                self.remove_below(&path);
            }
            let node = Node {
                mode: header.mode()?,
                owner: header.uid()?,
                group: header.gid()?,
                layer: number,
                kind,
            };
            self.nodes.insert(path, node);
        }
        Ok(())
    }

    /// Follows links to what a path names: its real path and node.
    pub(super) fn resolve(&self, path: &str) -> Option<(String, &Node)> {
        let path = self.follow(path)?;
        self.nodes.get(&path).map(|node| (path, node))
    }

    /// Follows links to where a path leads, whether something is there or not; `None` in a circle.
    pub(super) fn follow(&self, path: &str) -> Option<String> {
        let mut rest: Vec<String> = path.split('/').rev().map(ToOwned::to_owned).collect();
        let mut found: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    found.pop();
                    continue;
                }
                _ => found.push(part),
            }
            if let Some(Node {
                kind: Kind::Symlink(target),
                ..
            }) = self.nodes.get(&found.join("/"))
            {
                links += 1;
                if links > 40 {
                    return None;
                }
                found.pop();
                if target.starts_with('/') {
                    found.clear();
                }
                rest.extend(target.split('/').rev().map(ToOwned::to_owned));
            }
        }
        Some(found.join("/"))
    }

    /// Whether a real path is there: by itself, or as a folder that no layer lists.
    pub(super) fn exists(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let first_below = self.nodes.range(below.clone()..).next();
        path.is_empty()
            || self.nodes.contains_key(path)
            || first_below.is_some_and(|(found, _)| found.starts_with(&below))
    }

    /// The content of a file, links followed.
    pub(super) fn read(&self, path: &str) -> Option<&[u8]> {
        match &self.resolve(path)?.1.kind {
            Kind::File(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Everything, by real path.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// The folders above a path, outermost first, that are listed in some layer.
    pub(super) fn parents(&self, path: &str) -> impl Iterator<Item = (&str, &Node)> {
        let ends = path
            .match_indices('/')
            .map(|(at, _)| at)
            .collect::<Vec<_>>();
        let parents = ends
            .into_iter()
            .filter_map(|at| self.nodes.get_key_value(&path[..at]));
        parents.map(|(path, node)| (path.as_str(), node))
    }

    fn remove_below(&mut self, folder: &str) {
        if folder.is_empty() {
            self.nodes.clear();
            return;
        }
        let prefix = format!("{folder}/");
        let below = self.nodes.range(prefix.clone()..);
        let below = below.take_while(|(path, _)| path.starts_with(&prefix));
        let gone: Vec<_> = below.map(|(path, _)| path.clone()).collect();
        for path in gone {
            self.nodes.remove(&path);
        }
    }
}

/// A path without `./`, doubled or outer slashes; none for one that climbs out.
fn normal(path: &str) -> Option<String> {
    let parts: Vec<_> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    (!parts.contains(&"..")).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A layer as other tools write it: path, type, content or link target.
    fn layer(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            if kind.is_symlink() || kind.is_hard_link() {
                header.set_size(0);
                builder.append_link(&mut header, path, text).unwrap();
            } else {
                header.set_size(text.len() as u64);
                builder
                    .append_data(&mut header, path, text.as_bytes())
                    .unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    fn merged(layers: &[&[(&str, tar::EntryType, &str)]]) -> RootFs {
        let mut rootfs = RootFs::default();
        layers
            .iter()
            .for_each(|entries| rootfs.apply(&layer(entries)).unwrap());
        rootfs
    }

    fn content(rootfs: &RootFs, path: &str) -> Option<String> {
        match &rootfs.resolve(path)?.1.kind {
            Kind::File(bytes) => Some(String::from_utf8(bytes.clone()).unwrap()),
            _ => None,
        }
    }

    const DIR: tar::EntryType = tar::EntryType::Directory;
    const FILE: tar::EntryType = tar::EntryType::Regular;
    const SYM: tar::EntryType = tar::EntryType::Symlink;

    #[test]
    fn later_layers_win_and_whiteouts_remove() {
        let below: &[_] = &[
            ("bin", DIR, ""),
            ("bin/a", FILE, "1"),
            ("bin/b", FILE, "1"),
            ("etc/x", FILE, "1"),
        ];
        let both = merged(&[
            below,
            &[
                ("./bin/a", FILE, "2"),
                ("bin/.wh.b", FILE, ""),
                ("etc", FILE, "now a file"),
            ],
        ]);
        assert_eq!(content(&both, "/bin/a").unwrap(), "2");
        assert_eq!(content(&both, "/bin/b"), None);
        assert_eq!(
            content(&both, "/etc/x"),
            None,
            "its folder was replaced by a file"
        );
        let opaque = merged(&[
            below,
            &[("bin/.wh..wh..opq", FILE, ""), ("bin/c", FILE, "3")],
        ]);
        assert_eq!(
            (content(&opaque, "/bin/a"), content(&opaque, "/bin/c")),
            (None, Some("3".into()))
        );
    }

    #[test]
    fn links_are_followed_inside() {
        let rootfs = merged(&[&[
            ("usr/bin/real", FILE, "x"),
            ("bin", SYM, "usr/bin"),
            ("usr/bin/alias", SYM, "/bin/real"),
            ("usr/bin/hard", tar::EntryType::Link, "usr/bin/real"),
            ("loop", SYM, "loop"),
        ]]);
        for path in [
            "/bin/real",
            "/bin/alias",
            "/usr/bin/../bin/real",
            "/bin/hard",
        ] {
            assert_eq!(content(&rootfs, path).as_deref(), Some("x"), "{path}");
        }
        assert_eq!(rootfs.resolve("/loop"), None);
        assert_eq!(rootfs.resolve("/nowhere"), None);
    }
}
