// ONNX Runtime for the web, in Node, as an engine of the benchmark: WebAssembly with SIMD, on one thread.
//
//     node engine.mjs MODULES
//
// MODULES is the folder in which npm has installed onnxruntime-web.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { resolve } from "node:path";

const modules = resolve(process.argv[2]);
const require = createRequire(`${modules}/engine.mjs`);
const { version } = JSON.parse(await readFile(`${modules}/node_modules/onnxruntime-web/package.json`, "utf8"));

class Missing extends Error {}

let ort;
let session;
let compute;

async function prepare(job) {
  if (job.kind !== "embed") throw new Missing("runs the sentence encoder only");
  if (job.threads > 1) throw new Missing("measured on one thread");
  ort ??= require("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  await session?.release();
  session = await ort.InferenceSession.create(await readFile(job.onnx), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const ids = new ort.Tensor("int64", BigInt64Array.from(job.ids.flat(), BigInt), [job.ids.length, job.ids[0].length]);
  compute = async () => (await session.run({ ids })).vectors.data;
  return { about: `onnxruntime-web ${version} in Node ${process.version}`, output: Array.from(await compute()) };
}

async function run({ times }) {
  const ms = [];
  for (let time = 0; time < times; time++) {
    const begin = performance.now();
    await compute();
    ms.push(performance.now() - begin);
  }
  return { ms };
}

async function answer(asked) {
  if (asked.prepare) return prepare(asked.prepare);
  if (asked.run) return run(asked.run);
  throw new Missing("this engine has no sandboxes");
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = await answer(JSON.parse(line));
  } catch (error) {
    said = error instanceof Missing ? { missing: error.message } : { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
