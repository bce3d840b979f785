// A proxy-wasm host of a few lines, in V8: times a module's life and its work for a request, and counts hostcalls. Usage: node --no-liftoff host.mjs <module.wasm> <input.json>
// The input: {"policies": {name: policy text}, "requests": [{policy, name, headers: [[name, value]]}]}.
// Prints JSON. Times are CPU time.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [file, inputFile] = process.argv.slice(2);
const input = JSON.parse(readFileSync(inputFile));
const OK = 0, NOT_FOUND = 1;

const spent = (work) => {
  const begin = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(begin);
  return [result, user + system];
};

const [compiled, compile] = spent(() => new WebAssembly.Module(readFileSync(file)));

class Vm {
  constructor() {
    this.calls = null;
    this.now = BigInt(Date.now()) * 1000000n;
    this.shared = new Map();
    this.metrics = 0;
    const wasi = new WASI({ version: "preview1", returnOnExit: true });
    const named = {
      proxy_log: () => OK,
      proxy_get_current_time_nanoseconds: (at) => { this.view().setBigUint64(at, this.now, true); return OK; },
      proxy_get_buffer_bytes: (which, start, length, data, size) => this.give(this.configuration, data, size),
      proxy_get_header_map_pairs: (map, data, size) => this.give(this.pairs, data, size),
      proxy_get_property: (path, length, data, size) => {
        const name = this.text(path, length);
        return name === "source\0address" ? this.give(Buffer.from("192.0.2.1:4711"), data, size) : NOT_FOUND;
      },
      proxy_get_shared_data: (key, length, data, size, cas) => {
        const found = this.shared.get(this.text(key, length));
        if (!found) return NOT_FOUND;
        this.view().setUint32(cas, found.cas, true);
        return this.give(found.value, data, size);
      },
      proxy_set_shared_data: (key, length, value, size) => {
        const name = this.text(key, length);
        const bytes = Buffer.from(new Uint8Array(this.memory.buffer, value, size));
        this.shared.set(name, { value: bytes, cas: (this.shared.get(name)?.cas ?? 0) + 1 });
        return OK;
      },
      proxy_register_shared_queue: (name, length, queue) => { this.view().setUint32(queue, 1, true); return OK; },
      proxy_define_metric: (kind, name, length, metric) => { this.view().setUint32(metric, ++this.metrics, true); return OK; },
      proxy_dequeue_shared_queue: () => 7,
      proxy_call_foreign_function: () => NOT_FOUND,
      proxy_send_local_response: (status) => { this.status = status; return OK; },
    };
    const env = {};
    for (const { module, name } of WebAssembly.Module.imports(compiled)) {
      if (module !== "env") continue;
      const call = named[name] ?? (() => OK);
      env[name] = (...arguments_) => {
        if (this.calls) this.calls[name] = (this.calls[name] ?? 0) + 1;
        return call(...arguments_);
      };
    }
    this.instance = new WebAssembly.Instance(compiled, { ...wasi.getImportObject(), env });
    this.exports = this.instance.exports;
    this.memory = this.exports.memory;
    wasi.initialize(this.instance);
    this.contexts = 0;
  }
  // Made anew only where the memory grew, so that the host's own work stays small.
  view() {
    if (this.seen !== this.memory.buffer) {
      this.seen = this.memory.buffer;
      this.numbers = new DataView(this.seen);
      this.bytes = new Uint8Array(this.seen);
    }
    return this.numbers;
  }
  text(at, length) { return Buffer.from(this.memory.buffer, at, length).toString(); }
  give(bytes, data, size) {
    const at = this.exports.proxy_on_memory_allocate(bytes.length);
    const view = this.view();
    this.bytes.set(bytes, at);
    view.setUint32(data, at, true);
    view.setUint32(size, bytes.length, true);
    return OK;
  }
  configure(policy) {
    this.configuration = Buffer.from(policy);
    const root = ++this.contexts;
    this.exports.proxy_on_context_create(root, 0);
    this.exports.proxy_on_vm_start?.(root, 0);
    if (!this.exports.proxy_on_configure(root, this.configuration.length)) throw new Error("the policy is refused");
    return root;
  }
  // What a request costs, from its context's creation to its end.
  request(root, headers) {
    this.pairs = headers.wire;
    const id = ++this.contexts;
    this.status = 200;
    this.exports.proxy_on_context_create(id, root);
    this.exports.proxy_on_request_headers(id, headers.count, 1);
    this.exports.proxy_on_done?.(id);
    this.exports.proxy_on_log?.(id);
    this.exports.proxy_on_delete(id);
    return this.status;
  }
}

// The layout of ABI 0.2.1: the number of pairs, all lengths, then names and values each with a zero behind.
const wire = (headers) => {
  const pairs = headers.map((pair) => pair.map((text) => Buffer.from(text)));
  const head = Buffer.alloc(4 + 8 * pairs.length);
  head.writeUInt32LE(pairs.length, 0);
  const parts = [head];
  pairs.forEach(([name, value], place) => {
    head.writeUInt32LE(name.length, 4 + 8 * place);
    head.writeUInt32LE(value.length, 8 + 8 * place);
    parts.push(name, Buffer.alloc(1), value, Buffer.alloc(1));
  });
  return { wire: Buffer.concat(parts), count: pairs.length };
};

const [, clone] = spent(() => new Vm());
const configured = {};
const roots = {};
for (const [name, policy] of Object.entries(input.policies)) {
  const vm = new Vm();
  const before = vm.memory.buffer.byteLength;
  vm.configure(policy);                       // once so that the engine has compiled it
  const turns = [];
  for (let turn = 0; turn < 5; turn++) turns.push(spent(() => vm.configure(policy))[1]);
  const lone = new Vm();
  const root = lone.configure(policy);
  configured[name] = { micros: turns.sort((a, b) => a - b)[2], memory: lone.memory.buffer.byteLength, before };
  roots[name] = [lone, root];
}
const requests = [];
for (const { policy, name, headers } of input.requests) {
  const [vm, root] = roots[policy];
  const lists = headers.map(wire);
  let status = 0;
  for (const list of lists) status = vm.request(root, list);
  const rounds = Math.ceil(20000 / lists.length);
  const [, micros] = spent(() => {
    for (let round = 0; round < rounds; round++) for (const list of lists) vm.request(root, list);
  });
  vm.calls = {};
  vm.request(root, lists[0]);
  const calls = vm.calls;
  vm.calls = null;
  requests.push({ name, status, micros: micros / rounds / lists.length, calls, memory: vm.memory.buffer.byteLength });
}
console.log(JSON.stringify({ compile, clone, configured, requests }, null, 1));
