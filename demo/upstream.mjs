// The service behind the gateway in docker-compose.yaml: it answers with what it received, in the same JSON as the
// echo upstream of the tests. Needs nothing but Node.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const { HOST = "127.0.0.1", PORT = "8080" } = process.env;
const SHOWN = 64 * 1024;

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const names = request.rawHeaders.filter((_, place) => place % 2 === 0);
  const text = body.toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(body);
  const received = {
    method: request.method,
    path: request.url,
    headers: names.map((name, place) => [name.toLowerCase(), request.rawHeaders[2 * place + 1]]),
    body: isText && body.length <= SHOWN ? text : null,
    body_base64: !isText && body.length <= SHOWN ? body.toString("base64") : null,
    body_len: body.length,
    body_sha256: createHash("sha256").update(body).digest("hex"),
  };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(received));
});

server.listen(Number(PORT), HOST, () => console.log(`ready ${server.address().port}`));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
