//! How much memory templates and documents take: a program of its own, since it counts every allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use noetl_engine::{Playbook, render};
use serde_json::{Map, Value, json};

/// The most memory that one input may take beside itself, in bytes.
const LIMIT: usize = 256 << 20;

/// The system's allocator, which counts the bytes in use and their peak.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to the system's allocator with the same arguments.
#[expect(unsafe_code, reason = "an allocator cannot be written without it")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Returns the most bytes that `work` has in use beyond those before.
fn peak(work: impl FnOnce()) -> usize {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

fn names() -> Map<String, Value> {
    let names = json!({
        "word": "word", "list": [1, "two", [3]], "map": {"a": 1, "b": {"c": "d"}},
        "long": "x".repeat(100_000), "many": vec!["item"; 10_000],
    });
    match names {
        Value::Object(names) => names,
        _ => unreachable!("it is an object"),
    }
}

fn check_template(template: &str, names: &Map<String, Value>) {
    let taken = peak(|| drop(render(&json!(template), names)));
    assert!(taken < LIMIT, "{} MB for {:.400}", taken >> 20, template);
}

fn check_document(what: &str, text: &str) {
    let taken = peak(|| drop(Playbook::validate("t", text, &Map::new())));
    assert!(taken < LIMIT + text.len(), "{} MB for {what}", taken >> 20);
}

/// Templates that are short, and whose values would take gigabytes.
const TEMPLATES: &[&str] = &[
    "{{ 'x'.join(['a' * 10000000] * 100000) }}",
    "{{ (['a' * 10000000] * 100000) | join }}",
    "{{ ''.join([long] * 100000) }}",
    "{{ ([long] * 100000) | join('') }}",
    "{{ 'a' * 1000000000 }}",
    "{{ ('a' * 10000000) * 1000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ [[1] * 10000] * 100000 }}",
    "{{ ([[1] * 10000] * 100000) | tojson }}",
    "{{ [long] * 10000 }}",
    "{{ ([long] * 10000) | tojson }}",
    "{{ ([map] * 3000000) | tojson }}",
    "{{ ([{'key': 1}] * 3000000) | list }}",
    "{{ (['abcdefghijklmnopqrst'] * 5000000) | list }}",
    "{{ 'x' ~ [long] * 100000 }}",
    "{{ ([long] * 100000) ~ 'x' ~ 'y' }}",
    "{{ ([long] * 100000) | upper }}",
    "{{ ([long] * 100000) | string | length }}",
    "{{ ([long] * 100000) | pprint }}",
    "{{ ([long] * 100000) | trim }}",
    "{{ 'a' | replace('a', [long] * 100000) }}",
    "{{ ('a\n' * 100000) | indent(100000) }}",
    "{% set a = [long, long] %}{% set b = [a, a, a, a, a, a, a, a] %}{% set c = [b, b, b, b, b, b, b, b] %}\
     {% set d = [c, c, c, c, c, c, c, c] %}{% set e = [d, d, d, d, d, d, d, d] %}{{ 'x' ~ e }}",
    "{% set a = [long, long] %}{% set b = [a, a, a, a, a, a, a, a] %}{% set c = [b, b, b, b, b, b, b, b] %}\
     {% set d = [c, c, c, c, c, c, c, c] %}{% set e = [d, d, d, d, d, d, d, d] %}{{ e == e }}{{ e | unique }}",
    "{{ range(1000000000) | list }}",
    "{{ range(4000000) | list }}",
    "{{ range(4000000) | map('string') | list }}",
    "{{ long.replace('x', long) }}",
    "{{ long | replace('x', long) }}",
    "{{ long.split('') }}",
    "{{ (long * 100) | list }}",
    "{{ (long * 100) | upper | lower | title }}",
    "{{ (long * 300) ~ (long * 300) ~ (long * 300) }}",
    "{{ '{:>99999}'.format('x') * 1000 }}",
    "{{ '{:>99999999}'.format('x') }}",
    "{{ ('{:>99999}' * 10000).format(*many) }}",
    "{{ '%99999999s' | format('x') }}",
    "{{ ('%s' * 100) | format(*([long * 100] * 100)) }}",
    "{{ many | batch(1000000000, 'x') | list }}",
    "{{ many | slice(1000000000, 'x') | list }}",
    "{{ (long * 100) | indent(100000) }}",
    "{{ (long * 100) | pprint }}",
    "{{ (long * 500) | urlencode }}",
    "{{ (long * 500) | b64encode }}",
    "{{ (long * 500) | tojson | tojson | tojson }}",
    "{{ ('\\u0001' * 30000000) | tojson }}",
    "{{ ('\"' * 30000000) | tojson | tojson }}",
    "{% for i in range(100000) %}{{ long }}{% endfor %}",
    "{% set ns = long %}{% for i in range(1000) %}{% for j in range(1000) %}{{ ns }}{% endfor %}{% endfor %}",
    "{% macro m(n) %}{{ long }}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
    "{% set a %}{{ long * 100 }}{% endset %}{% set b %}{{ a }}{{ a }}{{ a }}{% endset %}{{ b }}{{ b }}{{ b }}",
    "{{ dict(a=[long] * 10000) | items | list }}",
    "{{ (many * 1000) | sort | unique | list }}",
    "{{ (many * 1000) | map('upper') | join(long) }}",
    "{{ (many * 10000) | groupby('x') }}",
    "{{ '[1' ~ (',1' * 20000000) ~ ']' }}",
    "{{ ('[1' ~ (',1' * 20000000) ~ ']') | fromjson }}",
    "{{ ('[{}' ~ (',{}' * 10000000) ~ ']') | fromjson | tojson }}",
];

const ATOMS: &[&str] = &[
    "word",
    "list",
    "map",
    "long",
    "many",
    "'ab'",
    "7",
    "none",
    "range(1000000)",
    "range(9)",
];
const FILTERS: &[&str] = &[
    "join",
    "list",
    "tojson",
    "upper",
    "string",
    "length",
    "sort",
    "unique",
    "reverse",
    "items",
    "join(long)",
    "join('')",
    "replace('a', long)",
    "batch(3)",
    "batch(100000, 'x')",
    "slice(1000)",
    "map('string')",
    "indent(9999)",
    "pprint",
    "b64encode",
    "urlencode",
    "first",
    "sum",
    "dictsort",
    "groupby(0)",
    "zip(many)",
    "chain(many)",
    "title",
    "trim",
    "escape",
    "lines",
    "python",
];
const METHODS: &[&str] = &[
    "join(many)",
    "join([long] * 1000)",
    "split('x')",
    "replace('x', 'xxxxxxxxxxxxxxxxxxxx')",
    "upper()",
    "splitlines()",
    "items()",
    "keys()",
    "count('x')",
    "format(long, long)",
    "title()",
    "strip('x')",
];
const NUMBERS: &[&str] = &["3", "100", "10000", "1000000", "99999999"];

/// Xorshift random numbers: the same ones for the same seed.
struct Random(u64);

impl Random {
    fn number(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is less than `bound`")
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.number(words.len())]
    }

    fn expression(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.pick(ATOMS).to_owned();
        }
        let inner = self.expression(depth - 1);
        match self.number(8) {
            0 => format!("({inner} * {})", self.pick(NUMBERS)),
            1 => format!("({inner} ~ {})", self.expression(depth - 1)),
            2 => format!("({inner} + {})", self.expression(depth - 1)),
            3 => format!("[{inner}, {inner}, {inner}]"),
            4 => format!("{{'a': {inner}, 'b': {inner}}}"),
            5 => format!("{inner}.{}", self.pick(METHODS)),
            _ => format!("({inner} | {})", self.pick(FILTERS)),
        }
    }

    fn template(&mut self) -> String {
        let depth = 2 + self.number(6);
        let inner = self.expression(depth);
        match self.number(5) {
            0 => format!("a {{{{ {inner} }}}} b {{{{ {inner} }}}}"),
            1 => format!("{{% for i in {inner} %}}{{{{ i }}}}{{{{ long }}}}{{% endfor %}}"),
            2 => format!("{{% set a = {inner} %}}{{{{ [a, a] | tojson }}}}{{{{ a ~ a }}}}"),
            _ => format!("{{{{ {inner} }}}}"),
        }
    }

    fn document(&mut self) -> String {
        let mut text = "v0: &v0 ".to_owned();
        text += &match self.number(3) {
            0 => "x".repeat(1 + self.number(100_000)),
            1 => format!("[{}]", "x, ".repeat(1 + self.number(1_000))),
            _ => format!(
                "{{{}}}",
                (0..100)
                    .map(|key| format!("k{key}: x, "))
                    .collect::<String>()
            ),
        };
        for level in 1..=self.number(12) {
            let below = level - 1 - self.number(level);
            let aliases = format!("*v{below}, ").repeat(1 + self.number(300));
            text += &format!("\nv{level}: &v{level} [{aliases}]");
        }
        text
    }
}

/// One test, since all allocations of the process are counted.
#[test]
fn no_template_or_document_takes_more_than_256_mb() {
    let names = names();
    for template in TEMPLATES {
        check_template(template, &names);
    }
    let aliases = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(900_000),
        "*a, ".repeat(15_000)
    );
    check_document("aliases of a long text", &aliases);
    let seed = 0x9e37_79b9_7f4a_7c15;
    let mut random = Random(seed);
    for _ in 0..count() {
        check_template(&random.template(), &names);
        check_document("a drawn document", &random.document());
    }
}

/// How many templates and documents are drawn: a few, or as many as NOETL_TEST_DRAWS says.
#[expect(
    clippy::disallowed_methods,
    reason = "a variable chooses how much is tested"
)]
fn count() -> usize {
    let variable = std::env::var("NOETL_TEST_DRAWS").ok();
    variable.map_or(20, |count| {
        count.parse().expect("NOETL_TEST_DRAWS is a number")
    })
}
