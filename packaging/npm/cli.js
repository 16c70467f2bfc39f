#!/usr/bin/env node
'use strict';
// The server itself: same flags, same exit code, signals handed on.
const { spawn } = require('node:child_process');
const { binary } = require('./index.js');

// In a process group of its own: a terminal sends Ctrl-C to every process of its group, npm sends it to this one once more, and
// a server that is asked twice ends before it has written out everything. So it is asked from here only, once in a second.
const child = spawn(binary, process.argv.slice(2), { stdio: 'inherit', detached: true });
let handedOn = -Infinity;
const handOn = (signal) => {
  if (performance.now() - handedOn < 1000) return;
  handedOn = performance.now();
  child.kill(signal);
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, handOn);
child.on('error', (error) => {
  console.error(`dynamo-server: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code)));
