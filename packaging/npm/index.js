'use strict';
// dynamo-server, an open database that speaks the Amazon DynamoDB API, for tests.
const { spawn } = require('node:child_process');
const path = require('node:path');

const binary = path.join(__dirname, 'bin', 'dynamo-server');

/**
 * Starts a server, in memory and on a free port unless the flags say otherwise.
 * Resolves with `url`, the endpoint for any AWS SDK, and `stop()`, which resolves when the process has ended.
 * Rejects with what the process wrote, if it ends before it is ready.
 */
function start(flags = ['--in-memory', '--port', '0']) {
  const child = spawn(binary, flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(force);
  };
  return new Promise((resolve, reject) => {
    let log = '';
    let told = false;
    child.stderr.setEncoding('utf8');
    // Read to the end: a pipe that nobody empties would stop the server.
    child.stderr.on('data', (text) => {
      if (told) return;
      log += text;
      const found = /ready on (http:\/\/[^\s,]+)/.exec(log);
      if (found) {
        told = true;
        // A test runner that forgets to stop it is not kept alive by it.
        child.unref();
        child.stderr.unref?.();
        resolve({ url: found[1], stop });
      }
    });
    child.once('error', reject);
    ended.then(() => reject(new Error(`dynamo-server did not start:\n${log}`)));
    process.once('exit', () => child.kill('SIGKILL'));
  });
}

module.exports = { binary, start };
