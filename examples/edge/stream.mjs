// Follows a series with an exported model, one number on each line of standard input.
//
//   ostinato export sensor.ost --onnx sensor.onnx
//   npm install onnxruntime-web
//   tail -f sensor.log | node stream.mjs sensor.onnx
//
// In a browser, the class Stream is the same: give the address of the file to Stream.open.
import { createInterface } from "node:readline";
import * as ort from "onnxruntime-web";

class Stream {
  static async open(model) {
    return new Stream(await ort.InferenceSession.create(model, { executionProviders: ["wasm"] }));
  }

  constructor(session) {
    this.session = session;
    this.state = {};
    // where "start" is true, the graph begins a sequence and does not read the state, so zeros will do
    this.start = true;
    for (const input of session.inputMetadata.filter((one) => one.name.startsWith("state_in_"))) {
      const shape = [1, ...input.shape.slice(1)];
      const size = shape.reduce((a, b) => a * b, 1);
      const make = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array }[input.type];
      this.state[input.name] = new ort.Tensor(input.type, new make(size), shape);
    }
  }

  // Takes in one value (NaN where it is missing) and returns what the model says of it.
  async step(value) {
    const found = await this.session.run({
      y: new ort.Tensor("float64", [value], [1, 1]),
      start: new ort.Tensor("bool", [this.start], [1]),
      ...this.state,
    });
    for (const name of Object.keys(this.state)) this.state[name] = found[name.replace("_in_", "_out_")];
    this.start = false;
    return {
      surprisal: found.surprisal.data[0],
      expected: found.expected.data[0],
      quantiles: Array.from(found.quantiles?.data ?? []),
    };
  }
}

ort.env.wasm.numThreads = 1;
const stream = await Stream.open(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const value = line.trim() === "" ? NaN : Number(line);
  console.log(JSON.stringify(await stream.step(value)));
}
