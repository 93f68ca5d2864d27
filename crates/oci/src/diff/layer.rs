//! Compares two layers, entry by entry. Each is read once as a stream, and again for the files that differ, many of them in
//! one pass.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context as _, anyhow};

use crate::contents::read_members;
use crate::diff::change::ChangeCollector;
use crate::diff::program::{self, Describe};
use crate::digest::{Hashing, Sha256};
use crate::files;
use crate::media_type::{self, Compression};
use crate::model::Descriptor;
use crate::source::ImageSource;
use crate::tar::record::{self, Record};
use noetl_gzip::GzipReader;

/// A layer of one image and the source that it is read from; `None` when the image has fewer layers.
type LayerSide<'a> = (Option<&'a Descriptor>, &'a dyn ImageSource);

/// The largest program whose sections are compared, in bytes.
const LARGEST_PROGRAM: u64 = 512 << 20;

/// A layer that was read to its end.
struct UnpackedLayer {
    diff_id: Sha256,
    entries: Vec<LayerEntry>,
}

/// An entry of a layer, with everything that a runtime unpacks.
#[derive(Debug, PartialEq, Eq)]
struct LayerEntry {
    path: String,
    kind: &'static str,
    mode: u32,
    owner: String,
    mtime: u64,
    link: String,
    extended: String,
    size: u64,
    sha256: Sha256,
    /// The position of its record in the layer, counting extension records.
    position: usize,
}

/// Adds the changes between two layers; returns whether both exist with the same uncompressed bytes.
pub(super) fn compare(
    sides: [LayerSide<'_>; 2],
    describe: Option<Describe>,
    found: &mut ChangeCollector,
) -> anyhow::Result<bool> {
    let [(Some(one), one_source), (Some(other), other_source)] = sides else {
        let [before, after] = sides.map(|(layer, _)| layer.map(digest_and_size));
        found.add("", before, after);
        return Ok(false);
    };
    if one.digest == other.digest {
        return Ok(true);
    }
    let (Ok(before), Ok(after)) = (read(one, one_source), read(other, other_source)) else {
        found.differ("", digest_and_size(one), digest_and_size(other));
        return Ok(false);
    };
    if before.diff_id == after.diff_id {
        found.differ("compression", digest_and_size(one), digest_and_size(other));
        return Ok(true);
    }
    let sides = [(one, one_source), (other, other_source)];
    let contents = Contents::of(sides, [&before.entries, &after.entries]);
    compare_entries(
        &before.entries,
        &after.entries,
        found,
        |one_entry, other_entry, found| {
            let Some([before, after]) = contents.take(one_entry)? else {
                return Ok(false);
            };
            debug_assert_eq!(after.len() as u64, other_entry.size);
            Ok(program::compare(&before, &after, describe, found))
        },
    )?;
    Ok(false)
}

/// The contents of pairs of entries that differ. They are read ahead, in the order in which they are compared: a pass over
/// the layers for each pair would take as many times as long as there are pairs.
struct Contents<'a> {
    sides: [(&'a Descriptor, &'a dyn ImageSource); 2],
    /// The positions of the pairs, and the length of both.
    pairs: Vec<([usize; 2], u64)>,
    /// What was read and not taken, by the position in the first layer.
    ready: RefCell<BTreeMap<usize, [Vec<u8>; 2]>>,
}

/// How many bytes are read ahead.
const BATCH: u64 = 64 << 20;

impl<'a> Contents<'a> {
    /// Finds the pairs; what is larger than [`LARGEST_PROGRAM`] is left out.
    fn of(sides: [(&'a Descriptor, &'a dyn ImageSource); 2], entries: [&[LayerEntry]; 2]) -> Self {
        let after = entries[1].iter().map(|entry| (entry.path.as_str(), entry));
        let after: BTreeMap<_, _> = after.collect();
        let pair = |one: &LayerEntry| {
            let other = after.get(one.path.as_str())?;
            let is_compared = one.sha256 != other.sha256;
            let is_small = one.size.max(other.size) <= LARGEST_PROGRAM;
            let positions = [one.position, other.position];
            (is_compared && is_small).then_some((positions, one.size + other.size))
        };
        Self {
            sides,
            pairs: entries[0].iter().filter_map(pair).collect(),
            ready: RefCell::default(),
        }
    }

    /// Returns the contents of the pair with this entry of the first layer; `None` for a pair that was left out.
    fn take(&self, one: &LayerEntry) -> anyhow::Result<Option<[Vec<u8>; 2]>> {
        if let Some(pair) = self.ready.borrow_mut().remove(&one.position) {
            return Ok(Some(pair));
        }
        let is_first = |(positions, _): &([usize; 2], u64)| positions[0] == one.position;
        let Some(first) = self.pairs.iter().position(is_first) else {
            return Ok(None);
        };
        let mut length = 0;
        let batch = self.pairs[first..].iter().take_while(|(_, bytes)| {
            let is_wanted = length == 0 || length + bytes <= BATCH;
            length += bytes;
            is_wanted
        });
        let batch: Vec<_> = batch.map(|(positions, _)| *positions).collect();
        let read = |side: usize| {
            let (layer, source) = self.sides[side];
            let (reader, compression) = open(layer, source)?;
            let positions = batch.iter().map(|positions| positions[side]).collect();
            read_members(reader, compression, &positions)
        };
        let (mut before, mut after) = (read(0)?, read(1)?);
        let mut ready = self.ready.borrow_mut();
        for [one, other] in batch {
            let pair = before.remove(&one).zip(after.remove(&other));
            ready.extend(pair.map(|(before, after)| (one, [before, after])));
        }
        Ok(ready.remove(&one.position))
    }
}

fn digest_and_size(layer: &Descriptor) -> String {
    format!("{} of {} bytes", layer.digest, layer.size)
}

fn open(
    layer: &Descriptor,
    source: &dyn ImageSource,
) -> anyhow::Result<(Box<dyn Read + Send>, Compression)> {
    let compression = media_type::compression(&layer.media_type);
    let compression = compression.context("its media type is not that of a layer")?;
    let reader = source.open(layer)?;
    let reader = reader.with_context(|| format!("{} is missing", layer.digest))?;
    Ok((reader, compression))
}

fn read(layer: &Descriptor, source: &dyn ImageSource) -> anyhow::Result<UnpackedLayer> {
    let (reader, compression) = open(layer, source)?;
    let buffered = std::io::BufReader::with_capacity(256 * 1024, reader);
    let tar: Box<dyn Read> = match compression {
        Compression::Gzip => Box::new(GzipReader::new(buffered)),
        Compression::None => Box::new(buffered),
        Compression::Zstd => return Err(anyhow!("zstd is not supported")),
    };
    let mut hashing = Hashing::new(tar);
    let mut entries = Vec::new();
    let mut paths: BTreeMap<String, usize> = BTreeMap::new();
    let (mut position, mut extended) = (0, String::new());
    record::for_each(&mut hashing, |record, content| {
        if record.is_extension() {
            if record.kind() == 'x' {
                extended = attributes(content)?;
            }
        } else {
            let mut entry = entry(record, content, position)?;
            entry.extended = std::mem::take(&mut extended);
            let count = paths.entry(entry.path.clone()).or_default();
            *count += 1;
            if *count > 1 {
                entry.path = format!("{} ({count})", entry.path);
            }
            entries.push(entry);
        }
        position += 1;
        Ok(())
    })?;
    files::copy(&mut hashing, &mut std::io::sink()).context("the layer is damaged")?;
    let (diff_id, _) = hashing.finish();
    Ok(UnpackedLayer { diff_id, entries })
}

fn entry(record: &Record, content: &mut dyn Read, position: usize) -> anyhow::Result<LayerEntry> {
    let path = record.path();
    let path = path.trim_start_matches("./").trim_end_matches('/');
    let (sha256, _) = Sha256::of_reader(content).with_context(|| format!("{path} is truncated"))?;
    let [owner, group] = record.owners();
    Ok(LayerEntry {
        path: path.to_owned(),
        kind: match record.kind() {
            '0' | '7' => "file",
            '5' => "folder",
            '2' => "symlink",
            '1' => "hard link",
            _ => "special",
        },
        mode: record.mode(),
        owner: format!("{owner}:{group}"),
        mtime: record.mtime(),
        link: record.link().unwrap_or_default().into_owned(),
        extended: String::new(),
        size: record.size(),
        sha256,
        position,
    })
}

/// Returns the extended attributes of a PAX record, each value as its SHA-256.
fn attributes(content: &mut dyn Read) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes)?;
    let mut extended = Vec::new();
    for pair in ::tar::PaxExtensions::new(&bytes) {
        let pair = pair.context("a PAX record is damaged")?;
        let key = String::from_utf8_lossy(pair.key_bytes()).into_owned();
        if key.starts_with("SCHILY.xattr.") {
            extended.push(format!("{key}={}", Sha256::of(pair.value_bytes())));
        }
    }
    Ok(extended.join(", "))
}

/// Compares two programs, and returns whether any change was added.
type ComparePrograms<'a> =
    &'a dyn Fn(&LayerEntry, &LayerEntry, &mut ChangeCollector) -> anyhow::Result<bool>;

fn compare_entries(
    one: &[LayerEntry],
    other: &[LayerEntry],
    found: &mut ChangeCollector,
    programs: impl Fn(&LayerEntry, &LayerEntry, &mut ChangeCollector) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let changes = found.changes.len();
    let index = |entries: &[LayerEntry]| -> BTreeMap<String, usize> {
        let pairs = entries.iter().enumerate();
        pairs.map(|(at, entry)| (entry.path.clone(), at)).collect()
    };
    let (before, after) = (index(one), index(other));
    for entry in one {
        found.path.clone_from(&entry.path);
        match after.get(&entry.path) {
            Some(at) => compare_entry(entry, &other[*at], found, &programs)?,
            None => found.add("", Some(summary(entry)), None),
        }
    }
    for entry in other.iter().filter(|it| !before.contains_key(&it.path)) {
        found.path.clone_from(&entry.path);
        found.add("", None, Some(summary(entry)));
    }
    found.path.clear();
    let in_both =
        |entry: &&LayerEntry| before.contains_key(&entry.path) && after.contains_key(&entry.path);
    let orders = [one, other].map(|entries| entries.iter().filter(in_both).map(|it| &it.path));
    let [mut before_order, after_order] = orders;
    let moved = before_order
        .by_ref()
        .zip(after_order)
        .find(|(one, other)| one != other);
    if let Some((one, other)) = moved {
        found.differ("order of entries", one, other);
    }
    if found.changes.len() == changes {
        found.differ(
            "tar headers",
            "fields that are not unpacked",
            "other values",
        );
    }
    Ok(())
}

fn compare_entry(
    one: &LayerEntry,
    other: &LayerEntry,
    found: &mut ChangeCollector,
    programs: ComparePrograms<'_>,
) -> anyhow::Result<()> {
    let fields = |entry: &LayerEntry| {
        [
            ("kind", entry.kind.to_owned()),
            ("mode", format!("{:04o}", entry.mode)),
            ("owner", entry.owner.clone()),
            ("mtime", entry.mtime.to_string()),
            ("link", entry.link.clone()),
            ("extended attributes", entry.extended.clone()),
        ]
    };
    for ((name, before), (_, after)) in fields(one).into_iter().zip(fields(other)) {
        if before != after {
            found.differ(name, before, after);
        }
    }
    if one.sha256 == other.sha256 || programs(one, other, found)? {
        return Ok(());
    }
    let content = |entry: &LayerEntry| format!("{} bytes, {}", entry.size, entry.sha256.digest());
    found.differ("content", content(one), content(other));
    Ok(())
}

fn summary(entry: &LayerEntry) -> String {
    let LayerEntry {
        kind,
        mode,
        owner,
        size,
        ..
    } = entry;
    let size = if *kind == "file" {
        format!(", {size} bytes")
    } else {
        String::new()
    };
    format!("{kind} {mode:04o} {owner}{size}")
}
