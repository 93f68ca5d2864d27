// Fails when the first load of the built page has more compressed JavaScript than the budget, and prints
// what each chunk weighs. Reads dist/, so it runs after the build.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const FIRST_LOAD_KB = 250;
// What must not be in the first load, by a word that only its library has.
const LAZY = { editor: "cm-content", graph: "react-flow__node", charts: "chartjs", log: "log-scroll", documentation: "swagger-ui" };

const dist = join(dirname(fileURLToPath(import.meta.url)), "..", process.argv[2] ?? "dist");
const assets = join(dist, "assets");
const html = readFileSync(join(dist, "index.html"), "utf8");

const first = new Set();
/** Follows static imports; what `import()` loads is not part of the first load. */
function follow(file) {
  if (first.has(file)) return;
  first.add(file);
  const text = readFileSync(join(dist, file), "utf8");
  for (const [, name] of text.matchAll(/(?:\bfrom|\bimport)\s*["']\.\/([\w.-]+\.js)["']/g)) {
    follow(`assets/${name}`);
  }
}
for (const [, file] of html.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)) follow(file);

const size = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length / 1000;
const kilobytes = (number) => `${number.toFixed(1)} kB`.padStart(10);
const lines = [];
let total = 0;
for (const file of [...first].sort()) {
  total += size(file);
  lines.push(`${kilobytes(size(file))}  ${file}`);
}
lines.push(`${kilobytes(total)}  first load, of ${FIRST_LOAD_KB} kB`);
for (const name of readdirSync(assets).sort()) {
  const file = `assets/${name}`;
  if (name.endsWith(".js") && !first.has(file)) lines.push(`${kilobytes(size(file))}  later: ${file}`);
}
process.stdout.write(`${lines.join("\n")}\n`);

const failures = [];
if (first.size < 2) failures.push("index.html names no scripts");
if (total > FIRST_LOAD_KB)
  failures.push(`the first load is ${(total - FIRST_LOAD_KB).toFixed(1)} kB over the budget`);
for (const [part, word] of Object.entries(LAZY)) {
  for (const file of first) {
    if (readFileSync(join(dist, file), "utf8").includes(word)) failures.push(`${file} holds the ${part}`);
  }
}
for (const failure of failures) process.stderr.write(`error: ${failure}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
