#!/usr/bin/env node
// Starts the program of the package for this platform, which npm has installed beside this one.
"use strict";

const { spawn } = require("node:child_process");

const packages = PACKAGES;
const platform = `${process.platform}-${process.arch}`;
const name = packages[platform];
const exe = process.platform === "win32" ? "noetl.exe" : "noetl";

function fail(message, help) {
  console.error(`error: ${message}\nhelp: ${help}`);
  process.exit(1);
}

if (name === undefined) {
  fail(`noetl has no package for ${platform}`, `it is there for ${Object.keys(packages).join(", ")}`);
}
let program;
try {
  program = require.resolve(`${name}/bin/${exe}`);
} catch {
  fail(`the package ${name} is not installed`, "npm install noetl, without --no-optional or --omit=optional");
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit", windowsHide: true });
child.on("error", (error) => fail(`cannot start ${program}: ${error.message}`, "npm install --force noetl"));
// A terminal sends SIGINT to the program as well, which decides what to do.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("exit", (code, signal) => {
  if (signal !== null) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else {
    process.exitCode = code;
  }
});
