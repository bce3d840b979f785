// Times the parts of a token's check in V8, the engine of Envoy. Usage: node --no-liftoff run.mjs <module.wasm>
// (without the baseline compiler, so that the optimised code is what is timed from the first call on).
// Prints JSON: for each part the median, least and most of its turns, in microseconds of CPU time.
import { createHmac, createSign, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const TURNS = 7;
const TURN_MS = 40;

const wasi = new WASI({ version: "preview1" });
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), wasi.getImportObject());
wasi.initialize(instance);
const module = instance.exports;

const base64url = (value) => Buffer.from(value).toString("base64url");
const claims = {
  iss: "https://idp.example.com", aud: "https://api.example.com", sub: "user-1234567890",
  exp: 4102444800, iat: 1767225600, scope: "orders:read orders:write", tenant: "acme",
};
const token = (alg, signer) => {
  const text = `${base64url(JSON.stringify({ alg, kid: "k", typ: "JWT" }))}.${base64url(JSON.stringify(claims))}`;
  return `${text}.${base64url(signer(Buffer.from(text)))}`;
};
const pair = (alg, kind, options, signer) => {
  const { publicKey, privateKey } = generateKeyPairSync(kind, options);
  return [publicKey.export({ format: "jwk" }), token(alg, (text) => signer(text, privateKey))];
};
const ecdsa = (alg, hash, namedCurve) =>
  pair(alg, "ec", { namedCurve }, (text, key) => sign(hash, text, { key, dsaEncoding: "ieee-p1363" }));
const secret = randomBytes(32);

const subjects = {
  HS256: [{ kty: "oct", k: base64url(secret) }, token("HS256", (text) => createHmac("sha256", secret).update(text).digest())],
  ES256: ecdsa("ES256", "sha256", "P-256"),
  ES384: ecdsa("ES384", "sha384", "P-384"),
  RS256: pair("RS256", "rsa", { modulusLength: 2048 }, (text, key) => createSign("sha256").update(text).sign(key)),
  EdDSA: pair("EdDSA", "ed25519", {}, (text, key) => sign(null, text, key)),
};

const give = (bytes) => {
  const place = module.input(bytes.length);
  new Uint8Array(module.memory.buffer, place, bytes.length).set(bytes);
};
const load = ([jwk, text]) => {
  give(Buffer.from(JSON.stringify(jwk)));
  if (module.key() !== 1) throw new Error("the key is refused");
  give(Buffer.from(text));
};
// Each turn repeats the part for long enough to be measured; turns of all parts alternate.
const run = (part, count) => {
  const begin = process.cpuUsage();
  if (part(count) !== count) throw new Error("a good token was refused");
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / count;
};
const parts = {};
for (const [name, subject] of Object.entries(subjects)) {
  load(subject);
  const first = run(module.signature, 1);
  const second = run(module.signature, 1);
  const warm = Math.max(run(module.signature, 200), 0.1);
  parts[name] = { part: module.signature, subject, count: Math.ceil(TURN_MS * 1000 / warm), first, second, turns: [] };
}
load(subjects.HS256);
parts["token without its signature"] = {
  part: module.parse, subject: subjects.HS256, count: Math.ceil(TURN_MS * 1000 / run(module.parse, 20000)), turns: [],
};
for (let turn = 0; turn < TURNS; turn++) {
  for (const each of Object.values(parts)) {
    load(each.subject);
    run(each.part, 3);
    each.turns.push(run(each.part, each.count));
  }
}
const result = {};
for (const [name, { first, second, turns }] of Object.entries(parts)) {
  turns.sort((a, b) => a - b);
  result[name] = { median: turns[TURNS >> 1], least: turns[0], most: turns[TURNS - 1], first, second };
}
console.log(JSON.stringify({ node: process.version, v8: process.versions.v8, parts: result }, null, 1));
