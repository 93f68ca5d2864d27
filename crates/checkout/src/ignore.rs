//! Lists the files of a source archive that no `.gitignore` matches.
//!
//! Supported are names, paths relative to the `.gitignore`, `*` within a name, a slash at the end for folders, and `!`
//! for exceptions (gitignore(5)). `**` is treated like `*`, and `?` and `[` match only themselves.

use std::fs;
use std::io;
use std::path::Path;

/// Returns the files below `folder`, sorted and relative to `root`.
pub(crate) fn files(root: &Path, folder: &str) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    walk(root, "", &mut Vec::new(), &mut files)?;
    let wanted = format!("{}/", folder.trim_end_matches('/'));
    files.retain(|file| folder == "." || file.starts_with(&wanted));
    files.sort();
    Ok(files)
}

/// Adds the files of a folder and its subfolders. The path of the folder is empty or ends with a slash.
fn walk(
    root: &Path,
    folder: &str,
    patterns: &mut Vec<Pattern>,
    files: &mut Vec<String>,
) -> io::Result<()> {
    let outer = patterns.len();
    if let Ok(file) = fs::File::open(root.join(folder).join(".gitignore")) {
        let text = io::read_to_string(file)?;
        patterns.extend(text.lines().filter_map(|line| Pattern::parse(folder, line)));
    }
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = format!("{folder}{}", entry.file_name().to_string_lossy());
        let is_folder = entry.file_type()?.is_dir();
        // The last pattern that matches decides.
        let mut matching = patterns.iter().rev();
        let decides = matching.find(|pattern| pattern.matches(&path, is_folder));
        if path == ".git" || decides.is_some_and(|pattern| !pattern.is_exception) {
            continue;
        }
        if is_folder {
            walk(root, &format!("{path}/"), patterns, files)?;
        } else {
            files.push(path);
        }
    }
    patterns.truncate(outer);
    Ok(())
}

/// A line of a `.gitignore`.
struct Pattern {
    /// The folder of the `.gitignore`; empty or with a slash at its end.
    folder: String,
    text: String,
    /// Whether it is a path relative to `folder`, and not a name in any folder below it.
    is_path: bool,
    is_folder: bool,
    is_exception: bool,
}

impl Pattern {
    fn parse(folder: &str, line: &str) -> Option<Self> {
        let line = line.trim_end();
        let (line, is_exception) = match line.strip_prefix('!') {
            Some(line) => (line, true),
            None => (line, false),
        };
        let text = line.trim_end_matches('/');
        if text.is_empty() || line.starts_with('#') {
            return None;
        }
        Some(Self {
            folder: folder.to_owned(),
            text: text.trim_start_matches('/').to_owned(),
            is_path: text.contains('/'),
            is_folder: line.ends_with('/'),
            is_exception,
        })
    }

    fn matches(&self, path: &str, is_folder: bool) -> bool {
        let relative = path.strip_prefix(&self.folder).unwrap_or_default();
        let name = relative.rsplit('/').next().unwrap_or_default();
        let part = if self.is_path { relative } else { name };
        (is_folder || !self.is_folder) && matches_pattern(part, &self.text)
    }
}

/// Returns whether a pattern matches a text; `*` matches any text without a slash.
fn matches_pattern(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => text == pattern,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let end = text.find('/').unwrap_or(text.len());
            (0..=end).any(|at| text.is_char_boundary(at) && matches_pattern(&text[at..], rest))
        }),
    }
}
