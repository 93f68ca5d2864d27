// The form for a workload, and the payload that it sends.
import { expect, test } from "vitest";
import { fieldsOf } from "./field";
import { misfitsOf, payloadOf, rawPayload, textsOf } from "./workload";

const WORKLOAD = {
  message: "Hello",
  text: "two\nlines",
  count: 3,
  share: 0.5,
  dry_run: false,
  pages: [1, 2],
  auth: null,
};

test("every value gets the field of its kind", () => {
  expect(fieldsOf(WORKLOAD).map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
    "message: text",
    "text: lines",
    "count: number",
    "share: number",
    "dry_run: boolean",
    "pages: json",
    "auth: json",
  ]);
});

test("only what was changed is sent, in its own type", () => {
  const values = { message: "Bye", count: "10", dry_run: "true", pages: "[4]", share: "0.5" };
  expect(payloadOf(fieldsOf(WORKLOAD), values)).toEqual({
    payload: { message: "Bye", count: 10, dry_run: true, pages: [4] },
    errors: {},
  });
});

test("an invalid value has an error at its field", () => {
  const { payload, errors } = payloadOf(fieldsOf(WORKLOAD), { count: "many", pages: "[1,", message: "" });
  expect(payload).toEqual({ message: "" });
  expect(errors.count).toContain("a number");
  expect(errors.pages).toContain("JSON");
});

test("an empty text is not the number 0", () => {
  expect(payloadOf(fieldsOf({ n: 1 }), { n: " " }).errors.n).toBeDefined();
  expect(payloadOf(fieldsOf({ n: 1 }), { n: "Infinity" }).errors.n).toBeDefined();
});

test("a key may have the name of a property of every object", () => {
  const workload = JSON.parse('{"__proto__": "a", "constructor": "b"}') as Record<string, unknown>;
  const { payload } = payloadOf(fieldsOf(workload), { constructor: "c" });
  expect(JSON.stringify(payload)).toBe('{"constructor":"c"}');
});

test("raw JSON is an object or an error message", () => {
  expect(rawPayload(" ")).toEqual({ payload: {} });
  expect(rawPayload('{"a": 1}')).toEqual({ payload: { a: 1 } });
  for (const text of ["[1]", "null", '"x"', "{a: 1}"]) expect(rawPayload(text)).toHaveProperty("error");
});

test("the form follows the JSON, or says what it cannot show", () => {
  const fields = fieldsOf({ text: "a", count: 3, dry: false, list: [1] });
  const payload = { text: "b", count: 4, dry: true, list: [2] };
  const shown = textsOf(fields, payload);
  expect("values" in shown && payloadOf(fields, shown.values)).toEqual({ payload, errors: {} });
  const error = (name: string, value: unknown) => {
    const refused = textsOf(fields, { [name]: value });
    return "error" in refused ? refused.error : undefined;
  };
  expect(error("other", 1)).toBe("The form has no field for other, so it stays JSON.");
  expect(error("count", "4")).toBe("The field of count cannot show this value, so it stays JSON.");
  expect(error("text", { a: 1 })).toBe("The field of text cannot show this value, so it stays JSON.");
});

const SCHEMA = {
  required: ["region", "day", "note"],
  properties: {
    region: { enum: ["eu", "us", 3], description: "Where the cluster runs" },
    replicas: { type: "integer" },
    day: { type: "string", format: "date" },
    note: { type: "string" },
    dry_run: { type: "boolean" },
    tags: { type: "array", items: { type: "string" } },
  },
};

test("a schema decides the kinds of fields, and adds those without a default", () => {
  const fields = fieldsOf({ replicas: 2, region: "eu", free: true }, {}, SCHEMA);
  expect(fields.map(({ name, kind, initial }) => `${name}: ${kind} ${initial}`)).toEqual([
    "replicas: integer 2",
    'region: choice "eu"',
    "free: boolean true",
    "day: date ",
    "note: text ",
    "dry_run: boolean ",
    "tags: json ",
  ]);
  expect(fields.filter(({ isRequired }) => isRequired).map(({ name }) => name)).toEqual(["region", "day", "note"]);
  expect(fields[1]?.description).toBe("Where the cluster runs");
});

test("a default that the schema does not expect decides the kind of its field", () => {
  const workload = { replicas: "{{ n }}", day: "{{ now() }}", note: 5, dry_run: "no", region: "mars" };
  const fields = fieldsOf(workload, {}, SCHEMA);
  expect(fields.map(({ kind }) => kind)).toEqual(["integer", "text", "number", "text", "choice", "json"]);
  expect(fields[4]?.options).toEqual(["mars", "eu", "us", 3]);
  expect(payloadOf(fields, {})).toEqual({ payload: {}, errors: {} });
});

test("a required value without a default is asked for, and others are left out", () => {
  const fields = fieldsOf({}, {}, SCHEMA);
  expect(Object.keys(payloadOf(fields, {}).errors)).toEqual(["region", "day", "note"]);
  const values = { region: "3", day: "2026-01-31", note: "a", replicas: "2.5" };
  expect(payloadOf(fields, values)).toEqual({
    payload: { region: 3, day: "2026-01-31", note: "a" },
    errors: { replicas: "This is a whole number, such as 10." },
  });
  expect(textsOf(fields, { region: "us", dry_run: true })).toEqual({
    values: { region: '"us"', dry_run: "true" },
  });
  expect(textsOf(fields, { region: "mars" })).toHaveProperty("error");
  expect(textsOf(fields, { day: "tomorrow" })).toHaveProperty("error");
});

test("names that are only required have fields, also such as every object has", () => {
  const fields = fieldsOf({ constructor: 1 }, {}, { required: ["__proto__", "constructor"] });
  expect(fields.map(({ name, kind }) => `${name}: ${kind}`)).toEqual(["constructor: number", "__proto__: json"]);
  expect(Object.keys(payloadOf(fields, {}).errors)).toEqual(["__proto__"]);
  expect(textsOf(fields, { constructor: 2 })).toEqual({ values: { constructor: "2" } });
});

test("a template stands for a value of the type", () => {
  const schema = { properties: { dry: { type: "boolean" }, list: { type: "array" } } };
  const fields = fieldsOf({ dry: "{{ payload.x }}", list: "{{ rows }}" }, {}, schema);
  expect(fields.map(({ kind, initial }) => `${kind} ${initial}`)).toEqual(["json {{ payload.x }}", "json {{ rows }}"]);
  expect(payloadOf(fields, { dry: "true", list: "[1]" }).payload).toEqual({ dry: true, list: [1] });
});

test("what a field cannot say stays JSON, or is an error", () => {
  const fields = fieldsOf({}, {}, SCHEMA);
  expect(textsOf(fields, { note: "" })).toHaveProperty("error");
  expect(payloadOf(fields, { replicas: "9007199254740993" }).errors.replicas).toContain("digits");
});

test("what the server says of a value is at its field", () => {
  const problem = (field: string, message: string) => ({
    severity: "error" as const,
    message,
    help: null,
    place: { file: "a", line: 1, column: 1, step: null, field },
  });
  const problems = [
    problem("workload.tags[1]", "must be a string"),
    problem("workload.tags[2]", "must be a string"),
    problem("workload.tagsonomy", "is not known"),
    problem("workload.note", "must have at least 2 characters"),
  ];
  expect(misfitsOf(problems, fieldsOf({}, {}, SCHEMA))).toEqual({
    errors: { tags: "[1] must be a string.", note: "This must have at least 2 characters." },
    others: [problems[2]],
  });
});
