//! `workload_schema`: which schemas are read, which values fit, and what is said of the others.

use noetl_engine::execution::Machine;
use noetl_engine::{Problem, Severity};
use serde_json::{Map, Value as Json, json};

use crate::harness::{TestHost, object, playbook, problem_text};

const WORKFLOW: &str = "workflow: [{step: a, tool: {kind: noop}}]\n";

/// Returns why the input does not fit; one line for each value.
fn misfits(schema: &str, payload: Json) -> Vec<String> {
    let body = format!("workload_schema: {schema}\n{WORKFLOW}");
    let machine = Machine::new(playbook(&body), "1", &object(payload));
    let said = |problem: Problem| {
        let field = problem.place.field.unwrap_or_default();
        format!("{field} {}", problem.message)
    };
    match machine.check_workload() {
        Ok(()) => Vec::new(),
        Err(problems) => problems.0.into_iter().map(said).collect(),
    }
}

/// The schema of a value, one that fits and one that does not in JSON, and what is said of the latter.
const VALUES: &str = r#"
{type: string} | "a" | 1 | must be a string
{type: [integer, null]} | null | 1.5 | must be a whole number or null
{type: integer} | 2.0 | "2" | must be a whole number
{enum: [eu, us]} | "eu" | "mars" | must be one of "eu", "us"
{enum: [1, {a: 2}]} | {"a": 2.0} | {"a": 3} | must be one of 1, {"a":2}
{const: 1} | 1.0 | true | must be 1
{minimum: 2} | 2 | 1.9 | must be at least 2
{exclusiveMinimum: 2} | 2.1 | 2 | must be more than 2
{maximum: 2} | 2 | 3 | must be at most 2
{exclusiveMaximum: 2} | 1 | 2.0 | must be less than 2
{maximum: 9007199254740992} | 9007199254740992 | 9007199254740993 | must be at most 9007199254740992
{maximum: 9223372036854775807} | 9223372036854775807 | 9223372036854775808.0 | must be at most 9223372036854775807
{const: 9223372036854775808} | 9223372036854775808.0 | 9223372036854775807 | must be 9223372036854775808
{multipleOf: 1} | 1e300 | 1000000000.5 | must be a multiple of 1
{multipleOf: 0.5} | 1e308 | 1e-10 | must be a multiple of 0.5
{multipleOf: 3} | -6.0 | 1e20 | must be a multiple of 3
{multipleOf: 0.1} | 0.3 | 0.35 | must be a multiple of 0.1
{minLength: 2} | "äö" | "ä" | must have at least 2 characters
{maxLength: 1} | "ä" | "äö" | must have at most 1 character
{pattern: '^v\d'} | "v12" | "12" | must match the pattern `^v\d`
{format: date} | "2024-02-29" | "2023-02-29" | must be a date, such as 2026-01-31
{minItems: 1} | [1] | [] | must have at least 1 item
{maxItems: 1} | [1] | [1, 2] | must have at most 1 item
{uniqueItems: true} | [1, "1"] | [{"a": 1, "b": 2}, {"b": 2, "a": 1.0}] | must not have the same item twice
{contains: {type: string}} | [1, "a"] | [1] | must have at least 1 item that fit `contains`, and has 0
{contains: {const: 1}, minContains: 0, maxContains: 1} | [] | [1, 1] | must have at least 0 and at most 1 items that fit `contains`, and has 2
{minProperties: 1} | {"a": 1} | {} | must have at least 1 entry
{maxProperties: 1} | {"a": 1} | {"a": 1, "b": 2} | must have at most 1 entry
{dependentRequired: {user: [password]}} | {"password": 1} | {"user": 1} | must have `password`, as it has `user`
{anyOf: [{type: string, description: a name}, {type: integer}]} | 1 | true | must fit one of the 2 alternatives (a name)
{oneOf: [{type: number}, {type: integer}]} | 1.5 | 1 | must fit exactly one of the 2 alternatives, and fits 2
{not: {const: root}} | "ada" | "root" | must not fit the schema of `not`
"#;

#[test]
fn a_value_that_does_not_fit_is_told_what_it_must_be() {
    for line in VALUES.trim().lines() {
        let parts: Vec<_> = line.split(" | ").collect();
        let &[schema, fitting, other, message] = &parts[..] else {
            panic!("{line}");
        };
        let payload = |value: &str| json!({"v": serde_json::from_str::<Json>(value).unwrap()});
        let schema = format!("{{properties: {{v: {schema}}}}}");
        let none = misfits(&schema, payload(fitting));
        assert!(none.is_empty(), "{line}: {none:?}");
        let found = misfits(&schema, payload(other));
        assert_eq!(found, [format!("workload.v {message}")], "{line}");
    }
}

#[test]
fn values_inside_of_others_are_named_by_their_path() {
    for (schema, value, expected) in [
        (
            "{required: [a, b]}",
            json!({"a": 1}),
            "workload.b has no value, and needs one",
        ),
        (
            "{properties: {a: false}}",
            json!({"a": 1}),
            "workload.a must not be given",
        ),
        (
            "{properties: {a: {}}, additionalProperties: false}",
            json!({"b": 1}),
            "workload.b is not known: the schema has no such property",
        ),
        (
            "{patternProperties: {'^x': {type: string}}, additionalProperties: {type: integer}}",
            json!({"x1": "a", "y": "b"}),
            "workload.y must be a whole number",
        ),
        (
            "{propertyNames: {maxLength: 3}}",
            json!({"long": 1}),
            "workload.long must have at most 3 characters",
        ),
        (
            "{properties: {a: {items: {properties: {b: {type: string}}}}}}",
            json!({"a": [{"b": "x"}, {"b": 1}]}),
            "workload.a[1].b must be a string",
        ),
        (
            "{properties: {a: {prefixItems: [{type: string}], items: false}}}",
            json!({"a": ["x", 1]}),
            "workload.a[1] must not be given",
        ),
        (
            "{allOf: [{required: [a]}, {required: [b]}]}",
            json!({"a": 1}),
            "workload.b has no value, and needs one",
        ),
        (
            "{if: {properties: {env: {const: prod}}, required: [env]}, then: {required: [ticket]}}",
            json!({"env": "prod"}),
            "workload.ticket has no value, and needs one",
        ),
        (
            "{if: {required: [a]}, else: {required: [b]}}",
            json!({}),
            "workload.b has no value, and needs one",
        ),
    ] {
        assert_eq!(
            misfits(schema, value.clone()),
            [expected],
            "{schema} {value}"
        );
    }
}

#[test]
fn a_message_has_bounds_however_much_does_not_fit() {
    let million = json!({"a": vec![1; 1_000_000]});
    let many = || (0..1000).map(|number| (format!("n{number}"), json!(1)));
    let names: Vec<_> = many().map(|(name, _)| name).collect();
    for (schema, payload) in [
        ("{properties: {a: {items: {type: string}}}}", million),
        (
            "{additionalProperties: false}",
            Json::Object(many().collect()),
        ),
        (
            "{propertyNames: {const: a}}",
            Json::Object(many().collect()),
        ),
        (&*json!({"required": names}).to_string(), json!({})),
    ] {
        assert_eq!(misfits(schema, payload).len(), 100, "{schema:.40}");
    }
    let schema = json!({"properties": {"v": {"enum": names}}}).to_string();
    let said = &misfits(&schema, json!({"v": "hidden"}))[0];
    assert!(said.ends_with(r#""n19" and 980 more"#), "{said}");
}

#[test]
fn patterns_have_bounds() {
    let large = "workload_schema: {properties: {a: {pattern: '^(?:[a-z]{0,1000}){0,30}$'}}}";
    let said = problem_text(&format!("{large}\n{WORKFLOW}"));
    assert!(said.contains("cannot be used as a pattern"), "{said}");
    let schema = "{properties: {v: {pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'}}}";
    assert!(misfits(schema, json!({"v": "a".repeat(63)})).is_empty());
    let long = misfits(schema, json!({"v": "a".repeat(70_000)}));
    assert!(long[0].contains("at most 65536 bytes"), "{long:?}");
}

#[test]
fn a_message_does_not_repeat_the_value() {
    for schema in [
        "{type: integer}",
        "{enum: [a]}",
        "{pattern: '^a$'}",
        "{maxLength: 3}",
        "{format: date}",
        "{not: {}}",
    ] {
        let found = misfits(
            &format!("{{properties: {{v: {schema}}}}}"),
            json!({"v": "hunter2"}),
        );
        assert!(
            !found.is_empty() && !found[0].contains("hunter2"),
            "{found:?}"
        );
    }
}

#[test]
fn a_schema_that_is_not_understood_is_refused() {
    for (schema, expected) in [
        ("[a]", "`workload_schema` is a list, not a mapping"),
        ("{type: array}", "this schema's `type` is another"),
        ("{requird: [a]}", "did you mean `required`?"),
        ("{nonsense: 1}", "`nonsense` is no keyword of a schema"),
        (
            "{properties: {a: {type: text}}}",
            "`type` is one of null, boolean",
        ),
        (
            "{properties: {a: 5}}",
            "a schema is a mapping, and this is a number",
        ),
        ("{properties: [a]}", "`properties` is a mapping of names"),
        (
            "{required: a}",
            "`required` is a list of names, and this is a string",
        ),
        ("{properties: {a: {enum: a}}}", "`enum` is a list of values"),
        (
            "{properties: {a: {minimum: '5'}}}",
            "`minimum` is a number, and this is a string",
        ),
        (
            "{properties: {a: {minLength: -1}}}",
            "`minLength` is a whole number from 0",
        ),
        (
            "{properties: {a: {multipleOf: 0}}}",
            "`multipleOf` is a number above 0",
        ),
        (
            "{properties: {a: {uniqueItems: 1}}}",
            "`uniqueItems` is a boolean",
        ),
        (
            "{properties: {a: {pattern: '('}}}",
            "`(` cannot be used as a pattern",
        ),
        ("{properties: {a: {pattern: '(?=a)'}}}", "look-around"),
        (
            "{properties: {a: {anyOf: []}}}",
            "`anyOf` is a list of schemas",
        ),
        (
            "{properties: {a: {minContains: 2}}}",
            "`minContains` says nothing without `contains`",
        ),
        (
            "{then: {required: [a]}}",
            "`then` says nothing without `if`",
        ),
        (
            "{$defs: {a: {}}, properties: {a: {$ref: '#/$defs/a'}}}",
            "`$ref` is not supported",
        ),
    ] {
        let said = problem_text(&format!("workload_schema: {schema}\n{WORKFLOW}"));
        assert!(said.contains(expected), "{schema}: {said}");
        assert!(said.contains("(help: "), "{schema}: {said}");
    }
}

#[test]
fn what_a_schema_cannot_do_is_a_warning() {
    let warnings = |body: &str| {
        let found = crate::harness::problems(&format!("{body}\n{WORKFLOW}")).into_iter();
        let found =
            found.inspect(|problem| assert_eq!(problem.severity, Severity::Warning, "{problem}"));
        found
            .map(|problem| problem.to_string())
            .collect::<Vec<_>>()
            .join("\n")
    };
    for (body, expected) in [
        (
            "workload: {b: 1}\nworkload_schema: {additionalProperties: false, properties: {a: {}}}",
            "field `workload.b`: the default is not known",
        ),
        (
            "workload_schema: {properties: {a: {default: 1}}}",
            "`default` gives no value here",
        ),
        (
            "workload_schema: {properties: {a: {format: pin-code}}}",
            "the format `pin-code` is not checked",
        ),
        (
            "workload_schema: {properties: {a: {type: string, enum: [yes]}}}",
            "`type` excludes the value true",
        ),
        (
            "workload: {a: b}\nworkload_schema: {properties: {a: {type: integer}}}",
            "field `workload.a`: the default must be a whole number",
        ),
    ] {
        let said = warnings(body);
        assert!(said.contains(expected), "{body}: {said}");
    }
    for quiet in [
        "workload: {db: {port: 5432}}\nworkload_schema: {properties: {db: {required: [host, port]}}}",
        "workload_schema: {$schema: 'https://json-schema.org/draft/2020-12/schema', title: T, examples: [{}], x-form: wide}",
        "workload: {a: '{{ execution_id }}'}\nworkload_schema: {properties: {a: {type: integer}}}",
        "workload_schema: {properties: {kind: &kind {type: [string, null]}, other: *kind}}",
    ] {
        assert_eq!(warnings(quiet), "", "{quiet}");
    }
}

#[test]
fn a_name_of_the_schema_is_known_to_templates() {
    let body = "workload_schema: {required: [day], properties: {region: {type: string}}}
workflow:
- {step: a, tool: {kind: noop, args: {one: '{{ workload.region }}', other: '{{ region }} {{ day }} {{ workload.day }}'}}}
";
    assert_eq!(problem_text(body), "");
}

/// The schema of an entry, its default, a text of the command line, and what that is as JSON.
const TEXTS: &str = r#"
{type: string} | null | 10 | "10"
{type: string} | 1 | 10 | "10"
{type: integer} | "1" | 10 | 10
{type: [string, "null"]} | "01234" | 10 | "10"
{type: [string, "null"]} | "01234" | null | "null"
{type: [string, "null"]} | 5 | null | null
{type: [string, integer]} | 5 | 10 | 10
{enum: ["1", "2"]} | null | 1 | "1"
{enum: [1, 2]} | "1" | 1 | 1
{type: string, maxLength: 1} | null | 10 | "10"
{} | "1" | 10 | "10"
{type: object} | {} | {"a": 1} | {"a": 1}
"#;

#[test]
fn a_text_of_the_command_line_is_read_as_the_schema_says() {
    for line in TEXTS.trim().lines() {
        let parts: Vec<_> = line.split(" | ").collect();
        let &[schema, default, text, expected] = &parts[..] else {
            panic!("{line}");
        };
        let body = format!(
            "workload: {{v: {default}, o: {{v: {default}}}}}
workload_schema: {{properties: {{v: {schema}, o: {{properties: {{v: {schema}}}}}}}}}
{WORKFLOW}"
        );
        let playbook = playbook(&body);
        let expected: Json = serde_json::from_str(expected).unwrap();
        for key in ["v", "workload.v", "o.v"] {
            let mut input = Map::new();
            playbook.assign(&mut input, key, text);
            assert_eq!(input[key], expected, "{key}: {line}");
        }
    }
}

#[test]
fn an_entry_that_the_author_has_not_written_is_not_checked() {
    let schema = "{additionalProperties: false, properties: {a: {}}}";
    let body = format!(
        "spec: {{max_steps: 10}}\nworkload: {{a: 1}}\nworkload_schema: {schema}\n{WORKFLOW}"
    );
    let playbook = playbook(&body);
    assert!(playbook.allows_entry("a") && !playbook.allows_entry("target"));
    let machine = Machine::new(playbook, "1", &Map::new());
    assert!(machine.check_workload().is_ok());
}

#[tokio::test]
async fn an_execution_whose_input_does_not_fit_is_not_started() {
    let body = "workload: {n: '{{ 1 + 1 }}'}
workload_schema: {required: [n, who], properties: {n: {type: integer, maximum: 2}}}
workflow: [{step: a, tool: {kind: python, code: 'result = {\"n\": n}', args: {n: '{{ n }}'}}}]
";
    let refused = TestHost::new().run_with(body, json!({"n": 3}), None).await;
    assert!(refused.events.is_empty(), "{:?}", refused.events);
    let failure = refused.report.failure.unwrap();
    let text = failure.to_string();
    assert!(
        text.contains("field `workload.n`: must be at most 2"),
        "{text}"
    );
    assert!(
        text.contains("field `workload.who`: has no value"),
        "{text}"
    );
    let ran = TestHost::new()
        .run_with(body, json!({"who": "ada"}), None)
        .await;
    assert!(ran.report.failure.is_none(), "{:?}", ran.report.failure);
}
