//! S: blobs, descriptors and documents.

use std::io::Write as _;

use anyhow::Context as _;
use flate2::{Compression, GzBuilder};
use memchr::memmem;
use noetl_oci::layout::{INDEX_NAME, blob_path};
use noetl_oci::media_type::{DOCKER_CONFIG, LAYER_ZSTD};
use noetl_oci::rules::Rule;
use noetl_oci::rules::catalogue::{S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, S12, S13, S14};
use noetl_oci::{Blob, Descriptor, Image, ImageIndex, Layout, Sha256, encode};

use crate::{AMD64, ARM64, Edit, Mutant, Parts};

/// In the order of the rules.
pub(super) const MUTANTS: &[Mutant] = &[
    files(&S1, |it| {
        let name = config_path(it)?;
        let config = it.files.get(&name).context("the config is missing")?;
        let mut config = config.read()?;
        let mark = b"org.opencontainers.image.title\":\"";
        let at = memmem::find(&config, mark).context("there is no title")? + mark.len();
        // No rule compares the title, so only the name of the blob is wrong.
        config[at] = config[at].to_ascii_uppercase();
        it.files.insert(name, config.into());
        Ok(())
    }),
    files(&S2, |it| {
        reindex(it, |text| {
            let mut index: ImageIndex = serde_json::from_str(text)?;
            let child = index.manifests.first_mut().context("no children")?;
            child.size += 1;
            Ok(encode(&index))
        })
    }),
    parts(&S3, |it| {
        it.configs[ARM64].rootfs.diff_ids[0] = Sha256::of(b"another layer").digest();
        Ok(())
    }),
    parts(&S4, |it| {
        it.configs[AMD64].history.pop().context("no history")?;
        Ok(())
    }),
    parts(&S5, |it| {
        it.manifests[AMD64].media_type = None;
        Ok(())
    }),
    parts(&S6, |it| {
        it.manifests[AMD64].config.media_type = DOCKER_CONFIG.to_owned();
        Ok(())
    }),
    parts(&S7, |it| {
        it.index.schema_version = 1;
        Ok(())
    }),
    parts(&S8, |it| it.repack(AMD64, |tar| Ok(tar.to_vec()))),
    parts(&S9, |it| {
        let position = it.layer_with(AMD64, &it.program_path(AMD64)?)?;
        it.repack(AMD64, |tar| Ok(zstd(tar)))?;
        it.layers[AMD64][position].media_type = LAYER_ZSTD.to_owned();
        Ok(())
    }),
    parts(&S10, |it| {
        it.repack(AMD64, |tar| {
            let builder = GzBuilder::new().mtime(1).operating_system(255);
            let mut encoder = builder.write(Vec::new(), Compression::fast());
            encoder.write_all(tar).context("cannot compress")?;
            encoder.finish().context("cannot compress")
        })
    }),
    files(&S11, |it| {
        reindex(it, |text| Ok(text.replacen(':', ": ", 1).into_bytes()))
    }),
    files(&S12, |it| {
        let layers = &Parts::of(it)?.manifests[AMD64].layers;
        let layer = layers.first().context("no layers")?;
        it.files
            .remove(&blob_path(&layer.digest))
            .context("the layer is missing")?;
        Ok(())
    }),
    parts(&S13, |it| {
        let text = "x".repeat(4 << 20);
        it.index
            .annotations
            .insert("org.example.large".to_owned(), text);
        Ok(())
    }),
    parts(&S14, |it| {
        let layer = it.manifests[AMD64]
            .layers
            .first_mut()
            .context("no layers")?;
        layer.urls.push("https://example.com/layer".to_owned());
        Ok(())
    }),
];

const fn parts(rule: &'static Rule, edit: fn(&mut Parts) -> anyhow::Result<()>) -> Mutant {
    Mutant::new(rule, Edit::Parts(edit))
}

const fn files(rule: &'static Rule, edit: fn(&mut Layout) -> anyhow::Result<()>) -> Mutant {
    Mutant::new(rule, Edit::Files(edit))
}

fn config_path(layout: &Layout) -> anyhow::Result<String> {
    Ok(blob_path(
        &Parts::of(layout)?.manifests[AMD64].config.digest,
    ))
}

/// Replaces the bytes of the index, and changes `index.json` accordingly.
fn reindex(
    layout: &mut Layout,
    edit: impl Fn(&str) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<()> {
    let image = Image::read(layout)?;
    let old = layout.files.remove(&blob_path(&image.root()?.digest));
    let text = String::from_utf8(old.context("the index is missing")?.read()?)?;
    let new = edit(&text)?;
    let names = image.index_json.context("there is no index.json")?;
    let mut names = names.value;
    for name in &mut names.manifests {
        *name = Descriptor {
            annotations: name.annotations.clone(),
            ..Descriptor::of(&name.media_type, &new)
        };
    }
    layout.add(new);
    let names = Blob::from(encode(&names));
    layout.files.insert(INDEX_NAME.to_owned(), names);
    Ok(())
}

/// Returns a zstd frame with uncompressed blocks (RFC 8878).
fn zstd(bytes: &[u8]) -> Vec<u8> {
    // One segment, and four bytes of content size.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    let blocks = bytes.chunks(1 << 17);
    let last = blocks.len().saturating_sub(1);
    for (number, block) in blocks.enumerate() {
        let length = u32::try_from(block.len()).unwrap_or_default();
        let header = length << 3 | u32::from(number == last);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}
