// Named checks of a client: one line for each, and the number that failed as the exit status.

import { createRequire } from 'node:module';

export const URL = process.argv[2];

/// The installed packages. They are not beside the scripts, where `import` would look for them.
export const require = createRequire(`${process.env.AMPOULE_CLIENTS}/node/package.json`);

// The models of the server that tests/tests/serve/clients.rs starts.
export const EVERY_TASK = 'every-task';
export const SLASHED = 'acme/every-task';
export const FAILS_MIDWAY = 'fails-midway';
export const BLOCKS = 'blocks';
export const TRAPS = 'traps';
// Sleeps for as many milliseconds as tokens are asked for at most, and then says "late word".
export const THINKS_FIRST = 'thinks-first';
// Such a silence, and a shorter time for which a client waits for the answer's head, in milliseconds.
export const SILENCE = 2_000;
export const PATIENCE = 1_500;
// A body above the server's bound of 32 MiB.
export const TOO_LARGE = 33 << 20;

const checks = [];

export function check(name, body) {
  checks.push([name, body]);
}

export async function run() {
  let failed = 0;
  for (const [name, body] of checks) {
    try {
      await body();
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}: ${String(error?.message ?? error).replace(/\s+/g, ' ')}`);
      console.error(error);
    }
  }
  process.exitCode = Math.min(failed, 100);
}

/// Returns the vector that `every-task` has for a text: its bytes modulo 8, counted and brought to length 1.
export function histogram(text) {
  const counts = new Array(8).fill(0);
  for (const byte of new TextEncoder().encode(text)) counts[byte % 8] += 1;
  const norm = Math.max(Math.hypot(...counts), 1);
  return counts.map((count) => count / norm);
}

export function close(found, expected) {
  const isClose = found.length === expected.length && expected.every((value, i) => Math.abs(value - found[i]) < 1e-6);
  if (!isClose) throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(expected)}`);
}

/// Awaits a promise that has to fail, and returns the error.
export async function raises(kind, promise) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error(`${kind.name} was expected, and there was an answer: ${JSON.stringify(answer)}`);
}
