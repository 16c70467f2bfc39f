#!/usr/bin/env node
'use strict';
// The server itself: same flags, same exit code, signals handed on.
const { spawn } = require('node:child_process');
const { binary } = require('./index.js');

const child = spawn(binary, process.argv.slice(2), { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(`dynamo-server: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code)));
