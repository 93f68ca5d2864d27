//! `workload_schema` beside boon, a JSON Schema validator of others: both judge drawn schemas and values alike.

use boon::{Compiler, Schemas};
use fastrand::Rng;
use noetl_engine::execution::Machine;
use serde_json::{Map, Value as Json, json};

use crate::harness::{object, playbook};

const SEED: u64 = 22;

/// Whether the value fits; none when boon does not read the schema.
fn peer(schema: &Json, value: &Json) -> Option<bool> {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.enable_format_assertions();
    let url = "memory:///schema.json";
    compiler.add_resource(url, schema.clone()).unwrap();
    let index = compiler.compile(url, &mut schemas).ok()?;
    Some(schemas.validate(value, index).is_ok())
}

fn ours(schema: &Json, value: &Json) -> bool {
    let schema = json!({"properties": {"v": schema}});
    let body =
        format!("workload_schema: {schema}\nworkflow: [{{step: a, tool: {{kind: noop}}}}]\n");
    let machine = Machine::new(playbook(&body), "1", &object(json!({"v": value})));
    machine.check_workload().is_ok()
}

fn pick(rng: &mut Rng, values: &[Json]) -> Json {
    values[rng.usize(..values.len())].clone()
}

/// Draws a value of the kinds that schemas tell apart.
fn value(rng: &mut Rng, depth: usize) -> Json {
    let scalars = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(1.0),
        json!(2),
        json!(2.5),
        json!(-3),
        json!(10),
        json!(1e20),
        json!(1_000_000_000.5),
        json!(0.3),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("äöü"),
        json!("a1"),
        json!("2024-02-29"),
    ];
    match rng.usize(..if depth == 0 { 5 } else { 8 }) {
        0..5 => pick(rng, &scalars),
        5 | 6 => (0..rng.usize(..4)).map(|_| value(rng, depth - 1)).collect(),
        _ => {
            let names = ["a", "b", "x1"]
                .into_iter()
                .filter(|_| rng.bool())
                .collect::<Vec<_>>();
            let entries = names
                .into_iter()
                .map(|name| (name.to_owned(), value(rng, depth - 1)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// Draws a schema of one to three keywords.
fn schema(rng: &mut Rng, depth: usize) -> Json {
    let mut drawn = Map::new();
    for _ in 0..rng.usize(1..=3) {
        let (key, assertion) = keyword(rng, depth);
        drawn.insert(key.to_owned(), assertion);
    }
    // Keywords that say nothing alone are refused here, and ignored by others.
    for (needed, others) in [
        ("contains", ["minContains", "maxContains"]),
        ("if", ["then", "else"]),
    ] {
        if !drawn.contains_key(needed) {
            drawn.retain(|key, _| !others.contains(&&**key));
        }
    }
    Json::Object(drawn)
}

fn keyword(rng: &mut Rng, depth: usize) -> (&'static str, Json) {
    let names = json!(["a", "b"]);
    let inner = |rng: &mut Rng| {
        if depth == 0 {
            json!(rng.bool())
        } else {
            schema(rng, depth - 1)
        }
    };
    match rng.usize(..34) {
        0..4 => {
            let types = [
                "null", "boolean", "integer", "number", "string", "array", "object",
            ];
            ("type", json!(types[rng.usize(..types.len())]))
        }
        4 => ("type", json!(["string", "null", "integer"])),
        5 => ("enum", json!([1, "a", [], {"a": 1}, null])),
        6 => ("const", value(rng, 1)),
        7 => ("minimum", json!(rng.i32(-3..4))),
        8 => ("maximum", json!(2.5)),
        9 => ("exclusiveMinimum", json!(rng.i32(-3..4))),
        10 => ("exclusiveMaximum", json!(rng.i32(-3..4))),
        11 => (
            "multipleOf",
            pick(rng, &[json!(2), json!(0.5), json!(2.5), json!(1)]),
        ),
        12 => ("minLength", json!(rng.u32(..4))),
        13 => ("maxLength", json!(rng.u32(..4))),
        14 => (
            "pattern",
            pick(
                rng,
                &[json!("^a"), json!(r"\d"), json!("b$"), json!(".{2}")],
            ),
        ),
        15 => ("format", json!("date")),
        16 => ("items", inner(rng)),
        17 => ("prefixItems", json!([inner(rng), inner(rng)])),
        18 => ("minItems", json!(rng.u32(..3))),
        19 => ("maxItems", json!(rng.u32(..3))),
        20 => ("uniqueItems", json!(rng.bool())),
        21 => ("contains", inner(rng)),
        22 => (
            ["minContains", "maxContains"][rng.usize(..2)],
            json!(rng.u32(..3)),
        ),
        23 => ("properties", json!({"a": inner(rng), "b": inner(rng)})),
        24 => ("patternProperties", json!({"^x": inner(rng)})),
        25 => ("additionalProperties", inner(rng)),
        26 => ("propertyNames", json!({"maxLength": rng.u32(..3)})),
        27 => ("required", names),
        28 => ("dependentRequired", json!({"a": ["b"]})),
        29 => (
            ["minProperties", "maxProperties"][rng.usize(..2)],
            json!(rng.u32(..3)),
        ),
        30 => (
            ["allOf", "anyOf", "oneOf"][rng.usize(..3)],
            json!([inner(rng), inner(rng)]),
        ),
        31 => ("not", inner(rng)),
        32 => ("if", inner(rng)),
        _ => (["then", "else"][rng.usize(..2)], inner(rng)),
    }
}

#[test]
fn drawn_schemas_and_values_are_judged_alike() {
    let mut rng = Rng::with_seed(SEED);
    let (mut fitting, mut others) = (0, 0);
    for _ in 0..1500 {
        let schema = schema(&mut rng, 2);
        for _ in 0..4 {
            let value = value(&mut rng, 2);
            let expected = peer(&schema, &value).expect("boon reads each drawn schema");
            assert_eq!(ours(&schema, &value), expected, "{schema} {value}");
            match expected {
                true => fitting += 1,
                false => others += 1,
            }
        }
    }
    assert!(fitting > 1000 && others > 1000, "{fitting} {others}");
}

/// Texts with and without each format.
const FORMATS: &str = r"
date | 2024-02-29 | 2023-02-29 | 2024-2-9 | 2024-02-29T00:00:00Z | 20240229 || 0000-01-01
time | 09:30:00Z | 09:30:00.123456789012Z | 09:30:00+02:00 | 09:30:00 | 24:00:00Z | 9:30:00Z | 09:30Z | 09:60:00Z
time | 09:30:00+24:00 | 23:59:60Z | 12:00:60Z | 01:29:60+01:30 | 22:59:60-01:00 | 22:58:60-01:00 | 23:59:61Z
date-time | 2024-02-29T09:30:00Z | 2024-02-29t09:30:00.5-01:30 | 2024-02-29 09:30:00Z | 2024-02-29T09:30:00
date-time | 9999-12-31T23:59:59Z | 0001-01-01T00:00:00+12:00 | 2024-02-29T09:30:60Z | 2016-12-31T15:59:60-08:00
date-time | 2024-02-30T09:30:00Z | 2024-02-29T09:30:00Z[UTC] | 2024-02-29 || 2016-12-31T23:59:60Z
duration | P1D | PT36H | P1Y2M3DT4H5M6S | P4W | P | PT | P1W2D | 1D | P1DT | P1.5D | P-1D
email | ada@example.org | a.b+c@example.co.uk | ada | ada@ | a b@example.org | a..b@example.org | .a@example.org
hostname | example.org | localhost | a-b.c | -a.org | a-.org | a_b.org || a..b | x.y.z1
ipv4 | 127.0.0.1 | 256.0.0.1 | 1.2.3 | 01.2.3.4 | 1.2.3.4.5
ipv6 | ::1 | 2001:db8::8a2e:370:7334 | ::ffff:1.2.3.4 | 1::2::3 | fe80::1%eth0 | 12345::
uri | https://example.org/a?b=c#d | urn:isbn:0451450523 | mailto:ada@example.org | /relative | no-scheme
uri | https://exa mple.org | http://example.org/%zz | http://example.org/%20 | http://[::1]:80/
uuid | 123e4567-e89b-12d3-a456-426614174000 | 123E4567-E89B-12D3-A456-426614174000
uuid | 123e4567e89b12d3a456426614174000 | 123e4567-e89b-12d3-a456-42661417400g
regex | ^a+$ | ( | [a-z]{2,3} | a{2,1}
";

#[test]
fn formats_are_judged_alike() {
    for line in FORMATS.trim().lines() {
        let (format, texts) = line.split_once('|').unwrap();
        let schema = json!({"format": format.trim()});
        for text in texts.split('|').map(|text| json!(text.trim())) {
            let expected = peer(&schema, &text).unwrap();
            assert_eq!(ours(&schema, &text), expected, "{format} {text}");
        }
        assert!(ours(&schema, &json!(5)), "{format}: only texts have one");
    }
    // RFC 5321, section 4.1.2: the part before the @ is not empty. boon accepts that.
    assert!(!ours(&json!({"format": "email"}), &json!("@example.org")));
}
