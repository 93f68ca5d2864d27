//! Parts as a web page: for each group a map whose areas are bytes.

use std::fmt::Write as _;

use super::parts::Parts;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1c2330;\
    background:#fff}h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}svg{width:100%;height:auto;display:block}\
    rect{stroke:#fff;stroke-width:1}text{font:12px system-ui,sans-serif;fill:#10151c}\
    @media(prefers-color-scheme:dark){body{color:#e3e7ee;background:#151a21}rect{stroke:#151a21}}";
const COLOURS: [&str; 8] = [
    "#8fb8ff", "#9fd8b8", "#f4c98b", "#e6a6c1", "#b9b4f2", "#9ad4e0", "#d8d48a", "#c4c9d2",
];
const WIDTH: f64 = 1100.0;
const HEIGHT: f64 = 420.0;

/// A part with its rectangle.
#[derive(Debug, Clone, PartialEq)]
struct Area<'a> {
    name: &'a str,
    bytes: u64,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Returns the page.
pub(super) fn page(parts: &Parts) -> String {
    let mut groups: Vec<(&str, Vec<(&str, u64)>)> = Vec::new();
    for (path, bytes) in parts.leaves() {
        // A binary of a target and an image of a platform have a map of their own.
        let depth = match path.split('/').next() {
            Some("binary") => 2,
            Some("image") => 3,
            _ => 1,
        };
        let end = path
            .match_indices('/')
            .nth(depth - 1)
            .map_or(path.len(), |(end, _)| end);
        let (group, name) = (&path[..end], path[end..].trim_start_matches('/'));
        match groups.last_mut().filter(|(last, _)| *last == group) {
            Some((_, parts)) => parts.push((name, *bytes)),
            None => groups.push((group, vec![(name, *bytes)])),
        }
    }
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>NoETL size</title>\n<style>{STYLE}</style>\n<h1>What NoETL's bytes are</h1>\n"
    );
    for (group, mut parts) in groups {
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let total: u64 = parts.iter().map(|(_, bytes)| bytes).sum();
        writeln!(page, "<h2>{group}: {:.2} MB</h2>", total as f64 / 1e6)
            .expect("a string takes it");
        page += &map(&parts);
    }
    page
}

fn map(parts: &[(&str, u64)]) -> String {
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
    for (number, area) in squarify(parts, WIDTH, HEIGHT).into_iter().enumerate() {
        let Area {
            name,
            bytes,
            x,
            y,
            width,
            height,
        } = area;
        let colour = COLOURS[number % COLOURS.len()];
        write!(
            svg,
            "<g><title>{name}: {bytes} bytes</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" fill=\"{colour}\"/>"
        )
        .expect("a string takes it");
        // A letter is about seven units wide.
        if height > 18.0 && width > 7.0 * name.len() as f64 + 8.0 {
            write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                x + 4.0,
                y + 14.0
            )
            .expect("a string takes it");
        }
        svg += "</g>";
    }
    svg + "</svg>\n"
}

/// Lays out parts, the largest first, in rows of rectangles that are as square as can be (Bruls, Huizing, van Wijk 2000).
fn squarify<'a>(parts: &[(&'a str, u64)], width: f64, height: f64) -> Vec<Area<'a>> {
    let total: u64 = parts.iter().map(|(_, bytes)| bytes).sum();
    let unit = width * height / (total.max(1) as f64);
    let (mut x, mut y, mut width, mut height) = (0.0, 0.0, width, height);
    let (mut areas, mut rest) = (Vec::new(), parts);
    while !rest.is_empty() {
        let side = f64::min(width, height).max(f64::MIN_POSITIVE);
        let worst = |row: &[(&str, u64)]| {
            let sum: f64 = row.iter().map(|(_, bytes)| *bytes as f64 * unit).sum();
            let depth = sum / side;
            let ratio = |bytes: u64| {
                let length =
                    (bytes as f64 * unit / depth.max(f64::MIN_POSITIVE)).max(f64::MIN_POSITIVE);
                f64::max(length / depth, depth / length)
            };
            row.iter()
                .map(|(_, bytes)| ratio(*bytes))
                .fold(0.0, f64::max)
        };
        let mut count = 1;
        while count < rest.len() && worst(&rest[..=count]) <= worst(&rest[..count]) {
            count += 1;
        }
        let (row, after) = rest.split_at(count);
        let sum: f64 = row.iter().map(|(_, bytes)| *bytes as f64 * unit).sum();
        let depth = sum / side;
        let mut offset = 0.0;
        for (name, bytes) in row {
            let length = *bytes as f64 * unit / depth.max(f64::MIN_POSITIVE);
            let (name, bytes) = (*name, *bytes);
            areas.push(if width >= height {
                Area {
                    name,
                    bytes,
                    x,
                    y: y + offset,
                    width: depth,
                    height: length,
                }
            } else {
                Area {
                    name,
                    bytes,
                    x: x + offset,
                    y,
                    width: length,
                    height: depth,
                }
            });
            offset += length;
        }
        if width >= height {
            (x, width) = (x + depth, width - depth);
        } else {
            (y, height) = (y + depth, height - depth);
        }
        rest = after;
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_bytes_and_fill_the_map() {
        let parts = [("a", 600), ("b", 300), ("c", 90), ("d", 10)];
        let areas = squarify(&parts, 100.0, 100.0);
        for (area, (name, bytes)) in areas.iter().zip(parts) {
            assert_eq!(area.name, name);
            assert!(
                (area.width * area.height - bytes as f64 * 10.0).abs() < 1e-6,
                "{area:?}"
            );
            let (right, bottom) = (area.x + area.width, area.y + area.height);
            assert!(right <= 100.0 + 1e-6 && bottom <= 100.0 + 1e-6, "{area:?}");
        }
    }
}
