//! The file system that a runtime makes from the layers of an image (image-spec, layer.md): later layers replace and
//! remove entries of earlier ones. Symbolic links are resolved inside it.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};

use crate::contents::{LayerContents, LayerProblem};

/// An entry of the merged file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub owner: u64,
    /// Numeric group.
    pub group: u64,
    /// The position of its layer; the lowest is 0.
    pub layer: usize,
    /// The kind of entry.
    pub kind: NodeKind,
}

/// The kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File(FileContent),
    /// A folder.
    Folder,
    /// A symbolic link with its target.
    Symlink(String),
    /// A device or a pipe.
    Special,
}

/// Where the content of a file is stored. All hard links to a file have the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileContent {
    /// The position of the layer; the lowest is 0.
    pub layer: usize,
    /// The position in [`LayerContents::members`] of that layer.
    pub member: usize,
    /// Length in bytes.
    pub size: u64,
}

/// A merged file system. Paths have neither a leading nor a trailing slash.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FileSystem {
    nodes: BTreeMap<String, Node>,
    /// The number of layers that were applied.
    layers: usize,
}

impl FileSystem {
    /// Merges layers, lowest first.
    ///
    /// # Errors
    /// When a layer could not be read to its end, or the target of a hard link is missing.
    pub fn merge<'c>(layers: impl IntoIterator<Item = &'c LayerContents>) -> anyhow::Result<Self> {
        let mut merged = Self::default();
        for (number, layer) in layers.into_iter().enumerate() {
            merged
                .apply(layer)
                .with_context(|| format!("layer {number}"))?;
        }
        Ok(merged)
    }

    /// Applies one more layer. As in runtimes, entries with `..` in their path are left out.
    ///
    /// # Errors
    /// When the layer could not be read to its end, or the target of a hard link is missing.
    pub fn apply(&mut self, layer: &LayerContents) -> anyhow::Result<()> {
        let number = self.layers;
        self.layers += 1;
        match &layer.problem {
            Some(LayerProblem::Packing(why) | LayerProblem::Tar(why)) => bail!("{why}"),
            Some(LayerProblem::NotRead) => bail!("its compression is not supported"),
            None => {}
        }
        for (position, member) in layer.members.iter().enumerate() {
            let Some(path) = normal(member.path()).filter(|_| !member.is_extension()) else {
                continue;
            };
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == ".wh..wh..opq" {
                self.remove_below(folder);
                continue;
            }
            if let Some(gone) = name.strip_prefix(".wh.") {
                let gone = match folder {
                    "" => gone.to_owned(),
                    folder => format!("{folder}/{gone}"),
                };
                self.remove_below(&gone);
                self.nodes.remove(&gone);
                continue;
            }
            let kind = match (member.kind, &member.link) {
                ('5', _) => NodeKind::Folder,
                ('2', Some(target)) => NodeKind::Symlink(target.clone()),
                ('1', Some(target)) => normal(target)
                    .and_then(|target| self.nodes.get(&target))
                    .with_context(|| format!("the target of the hard link {path} is missing"))?
                    .kind
                    .clone(),
                ('0' | '7', _) => NodeKind::File(FileContent {
                    layer: number,
                    member: position,
                    size: member.size,
                }),
                _ => NodeKind::Special,
            };
            if kind != NodeKind::Folder {
                self.remove_below(&path);
            }
            let node = Node {
                mode: member.mode,
                owner: member.owners[0],
                group: member.owners[1],
                layer: number,
                kind,
            };
            self.nodes.insert(path, node);
        }
        Ok(())
    }

    /// Resolves the symbolic links in a path, and returns the real path and its entry; `None` when there is no such
    /// entry, or the links form a loop.
    pub fn resolve(&self, path: &str) -> Option<(String, &Node)> {
        let path = self.follow(path)?;
        self.nodes.get(&path).map(|node| (path, node))
    }

    /// Resolves the symbolic links in a path, and returns the real path, which need not exist; `None` when the links
    /// form a loop.
    pub fn follow(&self, path: &str) -> Option<String> {
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
                kind: NodeKind::Symlink(target),
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

    /// Returns whether a real path exists: as an entry, or as the folder of an entry.
    pub fn exists(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let first_below = self.nodes.range(below.clone()..).next();
        path.is_empty()
            || self.nodes.contains_key(path)
            || first_below.is_some_and(|(found, _)| found.starts_with(&below))
    }

    /// Resolves the links in a path, and returns where the content of the file is; `None` when it is not a regular
    /// file.
    pub fn file(&self, path: &str) -> Option<FileContent> {
        match self.resolve(path)?.1.kind {
            NodeKind::File(content) => Some(content),
            _ => None,
        }
    }

    /// Returns every entry with its real path, sorted by path.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Returns the folders that contain a real path, outermost first. Folders that no layer lists are left out.
    pub fn parents(&self, path: &str) -> impl Iterator<Item = (&str, &Node)> {
        let ends: Vec<_> = path.match_indices('/').map(|(at, _)| at).collect();
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

/// Returns a path without `.`, repeated slashes, and slashes at its beginning and end; `None` when it contains `..`.
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
    use crate::media_type::Compression;

    type Listed<'a> = (&'a str, ::tar::EntryType, &'a str);

    const DIR: ::tar::EntryType = ::tar::EntryType::Directory;
    const FILE: ::tar::EntryType = ::tar::EntryType::Regular;
    const SYM: ::tar::EntryType = ::tar::EntryType::Symlink;

    /// Returns a layer as the crate `tar` writes it; each entry is path, type, and content or link target.
    fn layer(entries: &[Listed<'_>]) -> LayerContents {
        let mut builder = ::tar::Builder::new(Vec::new());
        for (path, kind, text) in entries {
            let mut header = ::tar::Header::new_gnu();
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
        let tar = builder.into_inner().unwrap();
        LayerContents::read(tar.as_slice(), Compression::None).unwrap()
    }

    fn merged(layers: &[&[Listed<'_>]]) -> FileSystem {
        let layers: Vec<_> = layers.iter().map(|entries| layer(entries)).collect();
        FileSystem::merge(&layers).unwrap()
    }

    /// Returns layer and member of the file at a path.
    fn place(merged: &FileSystem, path: &str) -> Option<(usize, usize)> {
        merged
            .file(path)
            .map(|content| (content.layer, content.member))
    }

    #[test]
    fn later_layers_replace_entries_and_whiteouts_remove_them() {
        let below: &[_] = &[
            ("bin", DIR, ""),
            ("bin/a", FILE, "1"),
            ("bin/b", FILE, "1"),
            ("etc/x", FILE, "1"),
        ];
        let above: &[_] = &[
            ("./bin/a", FILE, "2"),
            ("bin/.wh.b", FILE, ""),
            ("etc", FILE, "now a file"),
        ];
        let both = merged(&[below, above]);
        assert_eq!(place(&both, "/bin/a"), Some((1, 0)));
        assert_eq!(place(&both, "/bin/b"), None);
        assert_eq!(place(&both, "/etc/x"), None, "a file replaced its folder");
        let above: &[_] = &[("bin/.wh..wh..opq", FILE, ""), ("bin/c", FILE, "3")];
        let opaque = merged(&[below, above]);
        assert_eq!(place(&opaque, "/bin/a"), None);
        assert_eq!(place(&opaque, "/bin/c"), Some((1, 1)));
    }

    #[test]
    fn links_are_resolved_inside_the_image() {
        let merged = merged(&[&[
            ("usr/bin/real", FILE, "x"),
            ("bin", SYM, "usr/bin"),
            ("usr/bin/alias", SYM, "/bin/real"),
            ("usr/bin/hard", ::tar::EntryType::Link, "usr/bin/real"),
            ("loop", SYM, "loop"),
        ]]);
        for path in [
            "/bin/real",
            "/bin/alias",
            "/usr/bin/../bin/real",
            "/bin/hard",
        ] {
            assert_eq!(place(&merged, path), Some((0, 0)), "{path}");
        }
        assert_eq!(merged.resolve("/loop"), None);
        assert_eq!(merged.resolve("/nowhere"), None);
    }
}
